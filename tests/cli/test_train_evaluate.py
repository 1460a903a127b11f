"""`ludus train` and `ludus evaluate`, from a shell."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from ludus.__main__ import VERBS, main
from ludus.agents import load_agent

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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_stops(tmp_path, number):
    out = tmp_path / "run"
    command = [sys.executable, "-u", "-m", "ludus", "train", "Catch", "--no-recipe", "--total-timesteps", "1000000000"]
    process = subprocess.Popen(
        [*command, "--out", str(out), *QUICK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
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


# -- going on ----------------------------------------------------------------------------------------------------------


def here(*arguments):
    """Run the command in this process; returns its status."""
    return main(list(arguments))


def numbers(folder):
    """All tensors of the newest checkpoint, but for the times that episodes ended at."""
    facts = json.loads((folder / "agent.json").read_text())
    tensors = {**load_file(folder / facts["weights"]["file"]), **load_file(folder / facts["training"]["file"])}
    return {**tensors, "episodes": tensors["episodes"][:, :2]}


def assert_same(one, other):
    tensors = numbers(other)
    assert set(numbers(one)) == set(tensors)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in numbers(one).items())


def steps_in(folder):
    """How many steps the newest checkpoint has; 0 where there is none."""
    newest = folder / "agent.json"
    return json.loads(newest.read_text())["timesteps"] if newest.exists() else 0


def kill_when_saved(*command, out):
    """Run the command in a process of its own and kill it after a checkpoint of some steps."""
    process = subprocess.Popen([sys.executable, "-m", "ludus", *command], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (out.exists() and steps_in(out)):
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL


def test_the_same_command_again_goes_on_after_a_crash(tmp_path):
    """Annealed, sticky, with frames stacked: the same agent to the last bit as without the crash."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    command = [
        "train",
        "Breakout",
        "--algo",
        "ppo",
        "--frame-stack",
        "2",
        "--total-timesteps",
        "40000",
        "--device",
        "cpu",
    ]
    command += [*QUICK, "--resume", "--precision", "fp32"]
    kill_when_saved(*command, "--out", str(broken), "--save-interval", "0", out=broken)
    done = load_agent(broken).num_timesteps
    assert 0 < done < 40000
    result = ludus(*command, "--out", str(broken), "--save-interval", "0")
    assert f"from step {done};" in " ".join(result.stdout.split()), result.stderr
    assert ludus(*command, "--out", str(whole)).returncode == 0
    assert_same(whole, broken)
    logs = list(broken.glob("tensorboard*"))
    assert [path.name for path in logs] == ["tensorboard_1"] and len(list(logs[0].iterdir())) == 2
    assert len(list(broken.glob("agent*.json"))) == 3


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("short") / "run"
    command = [
        "train",
        "Catch",
        "--out",
        str(folder),
        "--total-timesteps",
        "1024",
        "--frame-stack",
        "2",
        "--gamma",
        "0.9",
    ]
    assert here(*command, "--levels", "3", "5", "--no-tensorboard", "--device", "cpu", *QUICK) == 0
    return folder


@pytest.fixture
def again(short_run, tmp_path):
    shutil.copytree(short_run, tmp_path / "run")
    return tmp_path / "run"


def test_settings_are_kept_and_some_may_change(again, capsys):
    steps = ["--total-timesteps", "2048"]
    assert here("train", "Catch", "--out", str(again), "--resume", *steps, "--keep", "2", "--time-limit", "60") == 0
    assert "from step 1024" in capsys.readouterr().out
    agent = load_agent(again, resume=True)
    assert agent.num_timesteps == 2048 and agent.gamma == 0.9 and agent.n_envs == 16 and agent.time_limit == 60
    assert agent.simulator.options.frame_stack == 2 and tuple(agent.simulator.options.levels) == (3, 5)
    assert (again / "agent-1024.json").exists()
    assert here("evaluate", str(again / "agent-1024.json"), "--episodes", "2") == 0
    settings = json.loads((again / "train.json").read_text())
    assert settings["total_timesteps"] == 2048 and settings["settings"]["gamma"] == 0.9


def test_a_finished_run_is_left_as_it_is(again, capsys):
    before = {path: path.read_bytes() for path in again.iterdir()}
    assert here("train", "--out", str(again), "--resume") == 0
    assert "done already: 1.02 k steps" in capsys.readouterr().out
    after = {path: path.read_bytes() for path in again.iterdir() if path.name != "train.json"}
    assert after == {path: content for path, content in before.items() if path.name != "train.json"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["Breakout"], "the game was Catch and cannot become Breakout"),
        (["ludus/Catch-v1", "--policy", "cnn"], "--policy was auto and cannot become cnn"),
        (["Catch", "--num-envs", "32"], "--num-envs was 16 and cannot become 32"),
        (["Catch", "--frame-stack", "4"], "--frame-stack was 2 and cannot become 4"),
        (["Catch", "--levels", "3"], "--levels was [3, 5] and cannot become [3]"),
        (["Catch", "--seed", "1"], "--seed was 0 and cannot become 1"),
        (["Catch", "--learning-rate", "1e-4"], "--learning-rate was 0.0025 and cannot become 0.0001"),
        (["Catch", "--keep", "0"], "keep must be 1 or more"),
        (["Catch", "--overwrite"], "--resume or --overwrite, not both"),
    ],
)
def test_a_flag_that_cannot_change_is_one_line(again, capsys, flags, message):
    before = {path: path.read_bytes() for path in again.iterdir()}
    assert here("train", *flags, "--out", str(again), "--resume") == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert {path: path.read_bytes() for path in again.iterdir()} == before


def test_resume_needs_a_folder_of_its_own(tmp_path, capsys):
    assert here("train", "Catch", "--resume") == 2
    assert "--resume needs --out" in capsys.readouterr().err
    (tmp_path / "thesis.txt").write_text("precious")
    assert here("train", "Catch", "--resume", "--out", str(tmp_path)) == 2
    assert "exists and is not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"game": 7}', "game is 7, which it cannot be"),
        ('{"gaem": "Catch"}', "there is no setting 'gaem'"),
        ('{"settings": {"n_steps": "many"}}', "n_steps is 'many', which it cannot be"),
        ('{"total_timesteps": true}', "total_timesteps is True, which it cannot be"),
    ],
)
def test_damaged_settings_are_one_line(again, capsys, content, message):
    (again / "train.json").write_text(content)
    assert here("train", "Catch", "--out", str(again), "--resume") == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_damaged_checkpoint_is_one_line(again, capsys):
    next(again.glob("training-*")).write_bytes(b"")
    assert here("train", "Catch", "--out", str(again), "--resume", "--total-timesteps", "4096") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_run_without_a_checkpoint_starts_again(tmp_path, capsys):
    """It was stopped before its first one."""
    out = tmp_path / "run"
    out.mkdir()
    (out / "train.json").write_text("half")
    command = ["train", "Catch", "--out", str(out), "--resume", "--total-timesteps", "256", *QUICK, "--no-tensorboard"]
    assert here(*command) == 0
    assert load_agent(out).num_timesteps == 256


def test_gymnasium_runs_go_on_with_new_episodes(tmp_path, capsys):
    out = tmp_path / "run"
    command = ["train", "CartPole-v1", "--out", str(out), "--resume", "--no-tensorboard", "--total-timesteps"]
    assert here(*command, "512") == 0
    assert here(*command, "1024") == 0
    assert "from step 512" in capsys.readouterr().out
    assert load_agent(out).num_timesteps == 1024


def test_help_explains_every_setting():
    import dataclasses

    from ludus.cli.settings import SETTINGS
    from ludus.cli.train import Config
    from ludus.envs import Options

    text = ludus("train", "--help-all").stdout
    flags = [f.name for settings in (Config, SETTINGS["ppo"], Options) for f in dataclasses.fields(settings)]
    for name in set(flags) - {"game", "settings", "options"}:
        assert re.search(rf"--(\[no-\])?{name.replace('_', '-')}\b", text), name


def test_usage_lists_every_verb():
    text = ludus().stdout
    assert all(f"  {verb} " in text for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert verb in capsys.readouterr().out


def test_unknown_names_get_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "did you mean 'train'" in refused("trian", "Catch")
    assert "did you mean Breakout" in refused("train", "Breakuot")
    assert not list(tmp_path.glob("runs/*"))  # no folder of a run that never was


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "Catch", "--num-envs", "0"], "--num-envs must be a whole number from 1"),
        (["train", "Catch", "--policy", "huge"], "unknown policy 'huge'"),
        (["train", "Catch", "--precision", "fp8"], "precision must be one of auto, fp32, bf16"),
        (["train", "Catch", "--obs-type", "pixels"], "unknown obs_type 'pixels'"),
        (["train", "Catch", "--repeat-action-probability", "2"], "must be from 0 to 1"),
        (["train", "Catch", "--device", "tpu"], "device"),
        (["train", "CartPole-v1", "--frame-stack", "2"], "--frame-stack is for games of Ludus"),
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
    said = refused("train", "Catch", "--out", str(tmp_path))
    assert "exists and is not empty: give another folder, --resume or --overwrite" in said
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_an_output_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert "is a file" in refused("train", "Catch", "--out", str(tmp_path / "file"))
    assert "cannot be written" in refused("train", "Catch", "--out", str(tmp_path / "file" / "run"))
