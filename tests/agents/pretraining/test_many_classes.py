"""A training with more classes than games have planes is kept and goes on."""

import pytest

from ludus.agents.pretraining.resume import load_training, save_training
from ludus.agents.pretraining.run import method_of
from ludus.agents.pretraining.trainer import Trainer

from .small import collected


@pytest.fixture(scope="module")
def frames():
    return collected(shuffle=0.5)


@pytest.mark.parametrize(("planes", "looks"), [(2500, 20), (10_000, 60)])  # of the latter, figures of 20 MB
def test_a_training_with_many_classes_goes_on(frames, tmp_path, planes, looks):
    trainer = Trainer(method_of(frames, "planes", None, {"channels": 8, "depth": 1}))
    row = {"f1": 0.5, **{f"f1/plane {k}": k / 7 for k in range(planes)}}
    for name, column in vars(trainer.history).items():
        if isinstance(column, list):
            column.extend([row if name == "figures" else 1] * looks)
    trainer.best = trainer.method.state_dict()
    save_training(tmp_path, trainer, {})
    again = Trainer(method_of(frames, "planes", None, {"channels": 8, "depth": 1}))
    load_training(tmp_path, again, {})
    assert again.history.score == trainer.history.score
    assert again.history.figures == [row if planes == 2500 else {"f1": 0.5}] * looks
