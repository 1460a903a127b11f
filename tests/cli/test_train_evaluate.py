"""`ludus train` and `ludus evaluate`, from a shell."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from ludus.__main__ import VERBS, main
from ludus.agents.checkpoint import load_agent

QUICK = ["--num-envs", "16", "--n-steps", "16", "--batch-size", "64"]


def ludus(*arguments, **options):
    """Run the command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "ludus", *arguments], capture_output=True, text=True, **options)


def refused(*arguments):
    """The one line on standard error with which a command ends with status 2."""
    result = ludus(*arguments)
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 2, result.stderr
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "catch"
    result = ludus("train", "Catch", "--total-timesteps", "30000", "--out", str(folder), "--levels", "1", "2", *QUICK)
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


def test_train_says_what_it_did_and_keeps_the_agent(run):
    folder, output = run
    assert "training PPO on Catch, 16 games at once" in output
    assert re.search(r"done: mean return of the last 100 episodes -?\d\.\d\d", output)
    assert f"ludus evaluate {folder}" in output.replace("\n", "")
    facts = json.loads((folder / "agent.json").read_text())
    assert facts["timesteps"] >= 30000
    assert facts["environment"] == {"game": "Catch", "version": 1, "options": {"obs_type": "planes", "levels": [1, 2]}}
    assert list(folder.glob("tensorboard*/events*"))


def test_evaluate_reports_every_episode_once(run):
    result = ludus("evaluate", str(run[0]), "--episodes", "40")
    assert result.returncode == 0, result.stderr
    assert "greedy" in result.stdout and "40" in result.stdout
    assert "greedy" not in ludus("evaluate", str(run[0]), "--episodes", "4", "--sampled").stdout


def test_train_any_gymnasium_environment(tmp_path):
    out = tmp_path / "pole"
    result = ludus("train", "CartPole-v1", "--total-timesteps", "1000", "--out", str(out))
    assert result.returncode == 0, result.stderr
    assert load_agent(out).environment == {"gymnasium": "CartPole-v1"}
    assert ludus("evaluate", str(out), "--episodes", "3").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(tmp_path, number):
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-u",
        "-m",
        "ludus",
        "train",
        "Catch",
        "--out",
        str(out),
        "--total-timesteps",
        "1000000000",
    ]
    process = subprocess.Popen([*command, *QUICK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "training PPO" in process.stdout.readline()
    deadline = time.monotonic() + 60
    while not list(out.glob("tensorboard*/events*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    os.kill(process.pid, number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "interrupted" in output
    assert load_agent(out).num_timesteps > 0


def test_help_explains_every_setting():
    import dataclasses

    from ludus.cli.train import Config, PPOSettings
    from ludus.envs import Options

    text = ludus("train", "--help").stdout
    flags = [f.name for settings in (Config, PPOSettings, Options) for f in dataclasses.fields(settings)]
    for name in set(flags) - {"game", "ppo", "options"}:
        assert f"--{name.replace('_', '-')}" in text, name


def test_usage_lists_every_verb():
    text = ludus().stdout
    assert all(f"  {verb} " in text for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert verb in capsys.readouterr().out


def test_unknown_names_get_the_nearest():
    assert "did you mean 'train'" in refused("trian", "Catch")
    assert "did you mean Breakout" in refused("train", "Breakuot")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "Catch", "--num-envs", "0"], "num_envs must be a whole number from 1"),
        (["train", "Catch", "--policy", "huge"], "unknown policy 'huge'"),
        (["train", "Catch", "--precision", "fp8"], "precision must be auto, fp32 or bf16"),
        (["train", "Catch", "--obs-type", "pixels"], "unknown obs_type 'pixels'"),
        (["train", "Catch", "--repeat-action-probability", "2"], "must be from 0 to 1"),
        (["train", "Catch", "--device", "tpu"], "device"),
        (["train", "CartPole-v1", "--frame-stack", "2"], "frame_stack is for games of Ludus"),
        (["evaluate", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, message):
    out = ["--out", str(tmp_path / "run")] if arguments[0] == "train" else []
    assert message in refused(*arguments, *out)


@pytest.mark.gpu
def test_no_gpu_is_one_line(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert "torch sees no GPU" in refused("train", "Catch", "--device", "cuda", "--out", str(tmp_path / "run"))


def test_an_output_folder_that_is_taken_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    assert "exists and is not empty" in refused("train", "Catch", "--out", str(tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_an_output_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert "is a file" in refused("train", "Catch", "--out", str(tmp_path / "file"))
    assert "cannot be written" in refused("train", "Catch", "--out", str(tmp_path / "file" / "run"))
