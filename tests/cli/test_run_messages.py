"""What the command line says of runs that are done, of returns, and of environments that are not Ludus's."""

import re

import pytest

from ludus.__main__ import main


def here(*arguments):
    """Run the command in this process; returns its status."""
    return main(list(arguments))


@pytest.fixture
def again(tmp_path, capsys):
    """The folder of a short run."""
    quick = ["--num-envs", "16", "--n-steps", "16", "--batch-size", "64", "--total-timesteps", "1024"]
    assert here("train", "Catch", "--out", str(tmp_path / "run"), *quick) == 0
    capsys.readouterr()
    return tmp_path / "run"


def test_a_time_limit_that_is_used_up_is_said(again, capsys):
    more = ["--total-timesteps", "600000"]
    assert here("train", "--out", str(again), "--resume", *more, "--time-limit", "0.001") == 0
    output = capsys.readouterr().out
    assert (
        re.search(r"done already: \d+:\d\d of training; for more, give --time-limit", output)
        and "training PPO" not in output
    )


def test_what_kind_of_actions_a_return_is_of_is_said(again, capsys):
    assert here("train", "--out", str(again), "--resume", "--total-timesteps", "2048") == 0
    assert re.search(
        r"done: mean return of the last \d+ episodes -?\d+\.\d\d \(sampled actions\)", capsys.readouterr().out
    )
    assert here("evaluate", str(again), "--episodes", "2") == 0
    assert "greedy: the most likely actions; --sampled draws them, as training does" in capsys.readouterr().out
    assert here("evaluate", str(again), "--episodes", "2", "--sampled") == 0
    assert "--sampled draws" not in capsys.readouterr().out


def test_a_misspelt_id_of_gymnasium_is_told(capsys):
    assert here("train", "Cartpole-v1") == 2
    assert "there is no 'Cartpole-v1': did you mean 'CartPole-v1', of Gymnasium?" in capsys.readouterr().err
    assert here("play", "CartPole-v1") == 2
    assert (
        "CartPole-v1 is a Gymnasium environment: only Ludus's games can be played and shown" in capsys.readouterr().err
    )
