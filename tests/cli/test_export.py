"""`ludus export`: agents to Stable-Baselines3 and from there."""

import os
import shutil

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.env_util import make_vec_env

import ludus
from ludus.__main__ import main
from ludus.agents import load_agent
from ludus.agents.ppo.ppo import PPO

SMALL = {"n_steps": 16, "batch_size": 16, "seed": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agent") / "run"
    PPO("mlp", ludus.make_sb3("Catch", 1), **SMALL).save(folder)
    return folder


@pytest.fixture(scope="module")
def pole(tmp_path_factory):
    path = tmp_path_factory.mktemp("pole") / "pole.zip"
    stable_baselines3.PPO("MlpPolicy", "CartPole-v1", **SMALL).save(path)
    return path


def refused(capsys, *arguments):
    """The one line with which the command ends."""
    assert main(["export", *map(str, arguments)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_an_agent_becomes_a_zip(folder, tmp_path, capsys):
    out = tmp_path / "deep" / "agent.zip"
    assert main(["export", str(folder), "--format", "sb3", "--out", str(out)]) == 0
    assert "stable_baselines3.PPO.load" in capsys.readouterr().out
    obs = ludus.make_sb3("Catch", 64).reset()
    there, here = stable_baselines3.PPO.load(out, device="cpu"), load_agent(folder, device="cpu")
    assert np.array_equal(there.predict(obs, deterministic=True)[0], here.predict(obs, deterministic=True)[0])
    assert [path.name for path in out.parent.iterdir()] == ["agent.zip"]


def test_a_zip_becomes_an_agent(pole, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["export", str(pole), "--format", "ludus", "--env", "CartPole-v1", "--out", str(out)]
    assert main(arguments) == 0
    assert f"ludus evaluate {out}" in capsys.readouterr().out
    obs = make_vec_env("CartPole-v1", n_envs=64, seed=0).reset()
    there, here = stable_baselines3.PPO.load(pole, device="cpu"), load_agent(out, device="cpu")
    assert np.array_equal(there.predict(obs, deterministic=True)[0], here.predict(obs, deterministic=True)[0])
    assert main(["evaluate", str(out), "--episodes", "2"]) == 0


def test_a_zip_of_a_game_with_options(tmp_path):
    options = {"max_episode_steps": 8, "frame_stack": 2}
    agent = stable_baselines3.PPO("MlpPolicy", ludus.make_sb3("Catch", 1, **options), **SMALL)
    agent.save(tmp_path / "agent.zip")
    arguments = ["--format", "ludus", "--env", "Catch", "--max-episode-steps", "8", "--frame-stack", "2"]
    assert main(["export", str(tmp_path / "agent.zip"), *arguments, "--out", str(tmp_path / "run")]) == 0
    assert options.items() <= load_agent(tmp_path / "run").environment["options"].items()


def test_what_is_there_is_left_alone_unless_forced(folder, pole, tmp_path, capsys):
    out = tmp_path / "agent.zip"
    out.write_text("precious")
    assert "exists: give another name, or --force" in refused(capsys, folder, "--out", out)
    assert out.read_text() == "precious"
    assert main(["export", str(folder), "--out", str(out), "--force"]) == 0
    assert stable_baselines3.PPO.load(out, device="cpu").n_steps == 16
    taken = ["--format", "ludus", "--env", "CartPole-v1", "--out", tmp_path]
    assert "exists: give another name, or --force" in refused(capsys, pole, *taken)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUN", "--out", "agent.zip", "--format", "tensorflow"], "unknown format 'tensorflow': choose from sb3"),
        (["RUN", "--out", "agent"], "--out must be a file that ends in .zip"),
        (["RUN", "--out", "agent.zip", "--env", "Catch"], "--env is for --format ludus"),
        (["RUN", "--out", "agent.zip", "--frame-stack", "2"], "options of a game need --env"),
        (["nowhere", "--out", "agent.zip"], "there is no folder nowhere"),
        (["ZIP", "--out", "run", "--format", "ludus"], "needs --env"),
        (["ZIP", "--out", "run", "--format", "ludus", "--env", "Cacth"], "did you mean Catch"),
        (["ZIP", "--out", "run", "--format", "ludus", "--env", "Catch"], "in this environment"),
        (["RUN", "--out", "run", "--format", "ludus", "--env", "Catch"], "cannot be read: Is a directory"),
        (["nowhere.zip", "--out", "run", "--format", "ludus", "--env", "Catch"], "cannot be read: No such file"),
    ],
)
def test_bad_input_is_one_line(folder, pole, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *({"RUN": folder, "ZIP": pole}.get(a, a) for a in arguments))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="devices of Unix")
@pytest.mark.parametrize("kind", ["a link to an endless device", "a pipe", "a folder"])
def test_what_never_ends_is_not_read(kind, tmp_path, capsys):
    path = tmp_path / "agent.zip"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    line = refused(capsys, path, "--format", "ludus", "--env", "CartPole-v1", "--out", tmp_path / "run")
    assert str(path) in line and ("not an ordinary file" in line or "Is a directory" in line)


def test_a_link_to_an_agents_zip_is_followed_and_any_name_is_printed_as_it_is(pole, tmp_path, capsys):
    (tmp_path / "link.zip").symlink_to(pole)
    out = tmp_path / "run[red] 1"
    arguments = [str(tmp_path / "link.zip"), "--format", "ludus", "--env", "CartPole-v1"]
    assert main(["export", *arguments, "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"saved in {out}. Next: ludus evaluate '{out}'\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of Unix")
@pytest.mark.parametrize("name", ["agent.json", "train.json", ".lock"])
@pytest.mark.parametrize("verb", ["evaluate", "train"])
def test_a_pipe_in_an_agents_folder_is_not_waited_for(folder, name, verb, tmp_path, capsys):
    run = shutil.copytree(folder, tmp_path / "run")
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    more = ["--out", str(run), "--resume"] if verb == "train" else [str(run), "--episodes", "1"]
    assert main([verb, *more]) in (0, 2)
    assert capsys.readouterr().err.count("\n") <= 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of Unix")
def test_a_pipe_among_older_checkpoints_does_not_stop_a_save(folder, tmp_path):
    run = shutil.copytree(folder, tmp_path / "run")
    os.mkfifo(run / "agent-5.json")
    agent = load_agent(run)
    agent.num_timesteps = 10
    agent.save(run, keep=3)
    assert load_agent(run).num_timesteps == 10 and (run / "agent-5.json").exists()


def test_an_activation_comes_along(tmp_path):
    path, out = tmp_path / "agent.zip", tmp_path / "run"
    other = {"activation_fn": torch.nn.ReLU}
    there = stable_baselines3.PPO("MlpPolicy", "CartPole-v1", policy_kwargs=other, **SMALL)
    there.save(path)
    assert main(["export", str(path), "--format", "ludus", "--env", "CartPole-v1", "--out", str(out)]) == 0
    obs, here = make_vec_env("CartPole-v1", n_envs=64, seed=0).reset(), load_agent(out, device="cpu")
    assert np.array_equal(there.predict(obs, deterministic=True)[0], here.predict(obs, deterministic=True)[0])


def test_there_and_back_again(folder, tmp_path):
    """Policies of Ludus's own, too, and nobody needs to say what they play."""
    path, out = tmp_path / "agent.zip", tmp_path / "run"
    assert main(["export", str(folder), "--out", str(path)]) == 0
    assert main(["export", str(path), "--format", "ludus", "--out", str(out)]) == 0
    assert main(["export", str(path), "--format", "ludus", "--env", "Catch", "--out", str(out), "--force"]) == 0
    obs, before = ludus.make_sb3("Catch", 64).reset(), load_agent(folder, device="cpu")
    for after in (load_agent(out, device="cpu"), PPO.load(path, device="cpu")):
        assert np.array_equal(before.predict(obs, deterministic=True)[0], after.predict(obs, deterministic=True)[0])
        assert after.environment == before.environment and after.n_steps == 16
