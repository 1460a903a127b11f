"""`train.json`, the settings of a run: who may go on with it, and what becomes of it when somebody edits it."""

import json

import pytest

from ludus import DQN
from ludus.__main__ import main

SHORT_TRAINING = [
    "train", "Catch", "--num-envs", "16", "--total-timesteps", "256", "--batch-size", "64", "--no-tensorboard",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main([*SHORT_TRAINING, "--out", str(folder)]) == 0
    return folder


def test_a_run_that_replaced_another_can_be_resumed(tmp_path, capsys):
    assert main([*SHORT_TRAINING, "--out", str(tmp_path), "--overwrite"]) == 0
    assert main(["train", "--out", str(tmp_path), "--resume"]) == 0
    assert "done already" in capsys.readouterr().out


def test_an_agent_that_train_did_not_make_is_gone_on_with_in_python(tmp_path, capsys):
    DQN("mlp", "Catch", buffer_size=100).save(tmp_path)
    assert main(["train", "Catch", "--out", str(tmp_path), "--resume"]) == 2
    error = capsys.readouterr().err
    assert "with ludus.DQN.load(folder, resume=True)" in error and error.count("\n") == 1


EDITS = {
    "another algorithm": {"algo": "sac"},
    "an algorithm that is none": {"algo": 3},
    "no settings": {"settings": None},
    "a list of settings": {"settings": [1]},
    "settings of another algorithm": {"settings": {"q_lambda": 0.5}},
    "options that are none": {"options": 5},
    "no game": {"game": None},
    "another game": {"game": "Breakout"},
    "a game that is none": {"game": "Nothing"},
    "less than nothing": {"total_timesteps": -5},
    "a number that is too large": {"total_timesteps": 10**400},
    "a text for a number": {"seed": "one"},
    "a strange name": {"\x1b[31m": 1},
    "levels that are none": {"options": {"levels": ["x"]}},
}


@pytest.mark.parametrize("edit", EDITS)
def test_settings_that_somebody_edited_are_one_line(trained, edit, capsys):
    path = trained / "train.json"
    before = path.read_text()
    facts = json.loads(before)
    for name, value in EDITS[edit].items():
        facts[name] = (
            {**facts[name], **value} if isinstance(value, dict) and isinstance(facts.get(name), dict) else value
        )
    path.write_text(json.dumps(facts))
    try:
        status = main(["train", "Catch", "--out", str(trained), "--resume"])
        error = capsys.readouterr().err
        assert status == 2 and error.count("\n") == 1 and error[:-1].isprintable()
    finally:
        path.write_text(before)
