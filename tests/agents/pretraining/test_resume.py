"""Trainings of encoders that were cut off go on; damaged files are refused."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from ludus.agents.checkpoints.reader import digest_of
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.pretraining.augment import Augmentation
from ludus.agents.pretraining.datasets.examples import Examples
from ludus.agents.pretraining.play import collect_frames
from ludus.agents.pretraining.resume import digest_of_data
from ludus.agents.pretraining.run import pretrain
from ludus.envs import OptionError

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


def test_other_settings_and_other_data_are_refused_in_one_line(frames, tmp_path):
    def go_on(data=frames, **given):
        pretrain(data, folder=tmp_path, resume=True, **{**SETTINGS, "epochs": 1, **given})

    pretrain(frames, epochs=1, folder=tmp_path, **SETTINGS)
    place = re.escape(f"as in the training in {tmp_path} that is to go on")
    for given, words in (
        ({"learning_rate": 0.01}, f"learning_rate must be 0.004, {place}, got 0.01"),
        ({"batch_size": 64}, f"batch_size must be 32, {place}, got 64"),
        ({"seed": 4}, f"seed must be 3, {place}, got 4"),
        ({"settings": {"channels": 8, "depth": 1}}, f"dropout must be 0.1, {place}, got 0.0"),
        (
            {"encoder": "small", "settings": {"dropout": 0.1}, "method": "autoencoder"},
            "method must be planes, .* got autoencoder",
        ),
        ({"augmentation": Augmentation(noise=0.1)}, f"noise must be 0.0, {place}, got 0.1"),
    ):
        with pytest.raises(OptionError, match=words):
            go_on(**given)
    other = replace(frames, planes=frames.planes[:, :, ::-1].copy())  # as many rows
    with pytest.raises(
        OptionError, match=r"data must be what the training in .* began with, to go on: these are others"
    ):
        go_on(other)
    go_on(epochs=2, patience=3)
    go_on(epochs=2, time_limit=1000)


def test_data_are_known_by_what_they_hold(frames):
    again = collect_frames("Catch", 1280, shuffle=0.5, size=32, seed=1)
    assert digest_of_data(frames) == digest_of_data(again)
    halves = replace(frames)
    halves.part = 2 - frames.part
    examples = Examples("one", frames.pictures, np.arange(len(frames)) % 2, ("a", "b"), frames.part)
    renamed, relabelled = replace(examples, name="two"), replace(examples, labels=1 - examples.labels)
    assert digest_of_data(examples) == digest_of_data(renamed)
    assert len({digest_of_data(data) for data in (frames, halves, examples, relabelled)}) == 4


def test_a_training_that_diverged_can_go_on_from_its_last_finite_look(frames, tmp_path):
    def break_at(trainer):
        if trainer.steps > 5:
            with torch.no_grad():
                next(trainer.method.parameters()).fill_(float("nan"))

    with pytest.warns(UserWarning, match="the loss is not finite from step .*: a lower learning rate would help"):
        broken = pretrain(frames, epochs=4, folder=tmp_path, tell=break_at, **SETTINGS)
    assert broken.history.diverged and len(broken.history.steps) == 1 and "f1" in broken.figures
    rest = pretrain(frames, epochs=4, folder=tmp_path, resume=True, **SETTINGS)
    whole = pretrain(frames, epochs=4, **SETTINGS)
    assert rest.history == replace(whole.history, seconds=rest.history.seconds)


def test_the_place_is_looked_at_before_anything_is_trained(frames, tmp_path, monkeypatch):
    monkeypatch.setattr("ludus.agents.pretraining.run.method_of", None)  # what would come next
    file = tmp_path / "file"
    file.write_text("a")
    with pytest.raises(OptionError, match="file is not a folder"):
        pretrain(frames, folder=str(file))
    with pytest.raises(OptionError, match="file is not a folder"):
        pretrain(frames, folder=file / "below" / "it")
    with pytest.raises(OptionError, match=r"nowhere has no training\.json: there is no training to go on with"):
        pretrain(frames, folder=tmp_path / "nowhere", resume=True)
    with pytest.raises(OptionError, match="resume needs folder"):
        pretrain(frames, resume=True)
    monkeypatch.setattr("pathlib.Path.touch", no_room)
    with pytest.raises(OptionError, match=r"new/deep cannot be written: No space left"):
        pretrain(frames, folder=tmp_path / "new" / "deep")
    assert list(tmp_path.iterdir()) == [file]


def no_room(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_folder_may_be_named_by_text(frames, tmp_path):
    pretrain(frames, epochs=1, folder=str(tmp_path / "text"), **SETTINGS)
    assert (tmp_path / "text" / "training.json").exists()
