"""Trainings of encoders that were cut off go on; damaged files are refused."""

import json

import pytest
import torch

from ludus.agents.checkpoints.reader import digest_of
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.pretraining.play import collect_frames
from ludus.agents.pretraining.run import pretrain

SETTINGS = {"settings": {"channels": 8, "depth": 1, "dropout": 0.1}, "time_limit": None, "seed": 3, "looks": 4}


@pytest.fixture(scope="module")
def frames():
    return collect_frames("Catch", 1280, shuffle=0.5, size=32, seed=1)


def weights(result):
    return result.method.state_dict()


class Stop(Exception):
    """The process ends here."""


def stop_at(look):
    def tell(trainer):
        if len(trainer.history.steps) == look:
            raise Stop

    return tell


def test_a_training_that_was_cut_off_comes_to_the_same_weights(frames, tmp_path):
    whole = pretrain(frames, epochs=4, **SETTINGS)
    with pytest.raises(Stop):
        pretrain(frames, epochs=4, folder=tmp_path, tell=stop_at(2), **SETTINGS)
    torch.rand(7)  # another process has drawn other numbers
    rest = pretrain(frames, epochs=4, folder=tmp_path, resume=True, **SETTINGS)
    assert rest.history.steps == whole.history.steps and rest.history.loss == whole.history.loss
    assert all(torch.equal(x, weights(whole)[name]) for name, x in weights(rest).items())
    assert len(list(tmp_path.glob("training-*.safetensors"))) == 1


def test_ctrl_c_keeps_the_best_weights(frames):
    def tell(trainer):
        raise KeyboardInterrupt

    result = pretrain(frames, epochs=4, tell=tell, **SETTINGS)
    assert result.interrupted and len(result.history.steps) == 1 and "f1" in result.figures


def test_training_ends_early_without_a_better_figure(frames):
    patient = {**SETTINGS, "looks": 40}
    result = pretrain(frames, epochs=40, patience=2, **patient)
    history = result.history
    assert len(history.steps) - 1 - history.best == 2 < 39


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts: facts.update(steps=-1), "steps must be"),
        (lambda facts: facts["history"]["loss"].append(1.0), "different lengths"),
        (lambda facts: facts["history"].update(more=[]), "history has 'more'"),
        (lambda facts: facts.pop("spent"), "does not describe a training"),
        (lambda facts: facts["weights"].update(file="/etc/passwd"), "numbers cannot be in"),
        (lambda facts: facts.update(rows=1), "was trained on 1 rows"),
        (lambda facts: facts.update(order=3), "is of another network"),
    ],
)
def test_what_a_stranger_wrote_is_refused_in_one_line(frames, tmp_path, change, words):
    pretrain(frames, epochs=1, folder=tmp_path, **SETTINGS)
    path = tmp_path / "training.json"
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps({**facts, "sha256": digest_of(facts)}))
    with pytest.raises(CheckpointError, match=words) as caught:
        pretrain(frames, epochs=1, folder=tmp_path, resume=True, **SETTINGS)
    assert "\n" not in str(caught.value)
