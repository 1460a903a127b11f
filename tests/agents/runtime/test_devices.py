"""Where agents compute: beside their games."""

import pytest
import torch

import ludus
from ludus.agents import load_agent
from ludus.agents.runtime import hardware
from ludus.agents.runtime.hardware import choose_device, device_beside, on_gpu
from ludus.envs import OptionError
from tests.agents.small import NAMES, small

AGENTS = {name: small(name, n_steps=4, batch_size=8, buffer_size=400, learning_starts=16) for name in NAMES}


@pytest.fixture
def gpu_here(monkeypatch):
    """What this project and Stable-Baselines3 ask says that there is a GPU; to touch it would raise."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("games", ["a VecEnv", "a name"])
def test_auto_follows_the_games(gpu_here, name, games):
    env = ludus.make_sb3("Catch", 8) if games == "a VecEnv" else "Catch"
    agent = getattr(ludus, name)("mlp", env, seed=0, **AGENTS[name])
    assert agent.device == torch.device("cpu")
    assert agent.learn(64).num_timesteps >= 64


@pytest.mark.parametrize("name", AGENTS)
def test_two_places_are_refused_in_one_line(name):
    with pytest.raises(OptionError, match=r"device is 'cuda' but its games are on 'cpu'.*device='cuda'") as refused:
        getattr(ludus, name)("mlp", ludus.make_sb3("Catch", 8), device="cuda")
    assert "\n" not in str(refused.value)


def test_a_position_is_as_good_as_a_keyword():
    given = [
        3e-4,
        4,
        8,
        1,
        0.99,
        0.95,
        0.2,
        None,
        True,
        0.0,
        0.5,
        0.5,
        False,
        -1,
        None,
        None,
        None,
        100,
        None,
        None,
        0,
        3,
    ]
    assert ludus.PPO("mlp", ludus.make_sb3("Catch", 8), *given, "cpu").seed == 3
    with pytest.raises(OptionError, match="games are on 'cpu'"):
        ludus.PPO("mlp", ludus.make_sb3("Catch", 8), *given, "cuda")


def test_games_of_a_name_are_made_where_the_agent_is_to_be():
    with pytest.raises(OptionError, match="torch sees no GPU here"):  # from the simulator
        ludus.PPO("mlp", "Catch", device="cuda")


@pytest.mark.parametrize(
    ("games", "asked", "found"),
    [("cpu", "auto", "cpu"), ("cpu", "cpu", "cpu"), ("cuda:0", "auto", "cuda:0"), ("cuda:1", "cuda", "cuda:1"),
     ("cuda:1", torch.device("cuda:1"), "cuda:1"), ("cuda:0", "cuda:1", None), ("cuda:0", "cpu", None),
     ("cpu", "cuda", None)],
)  # fmt: skip
def test_an_agent_is_beside_its_games(games, asked, found):
    if found is None:
        with pytest.raises(OptionError, match="make the games with"):
            device_beside(games, asked)
    else:
        assert device_beside(games, asked) == found


def test_auto_takes_the_gpu_for_games_and_agent_where_both_are_made(monkeypatch):
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    assert [choose_device(asked) for asked in ("auto", "cpu", "cuda", "cuda:1")] == ["cuda", "cpu", "cuda", "cuda:1"]
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert [choose_device(asked) for asked in ("auto", "cpu", "cuda:0")] == ["cuda:1", "cpu", "cuda:0"]
    monkeypatch.setattr(hardware, "has_gpu", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(OptionError, match="torch sees no GPU here"):
        choose_device("cuda:1")


def test_train_makes_games_and_agent_in_the_same_place(monkeypatch, tmp_path):
    from ludus import agents
    from ludus.cli import train
    from ludus.envs.adapters import sb3

    places = []

    def vec_env(*args, device, **kwargs):
        places.append(device)
        return ludus.make_sb3("Catch", 8)

    def agent(*args, device, **kwargs):
        places.append(device)
        raise OptionError("far enough")

    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    monkeypatch.setattr(hardware, "available_memory", lambda device: None)
    monkeypatch.setattr(sb3, "vec_env", vec_env)
    monkeypatch.setattr(agents, "agent_class", lambda algorithm: agent)
    with pytest.raises(OptionError, match="far enough"):
        train.main(["Catch", "--out", str(tmp_path / "run")])
    assert places == ["cuda", "cuda"]


def test_a_saved_agent_is_loaded_beside_the_games_that_are_given(tmp_path, gpu_here):
    ludus.PPO("mlp", ludus.make_sb3("Catch", 4), n_steps=4, batch_size=8).learn(32).save(tmp_path)
    games = ludus.make_sb3("Catch", 4)
    assert load_agent(tmp_path, games).device == load_agent(tmp_path).device == torch.device("cpu")
    assert load_agent(tmp_path, resume=True).learn(32, reset_num_timesteps=False).num_timesteps == 64
    with pytest.raises(OptionError, match="games are on 'cpu'"):
        load_agent(tmp_path, games, device="cuda")


def test_a_gpu_is_a_device_that_is_not_waited_for(monkeypatch):
    assert [on_gpu(device) for device in ("cpu", "cuda", "cuda:1", torch.device("cuda"))] == [False, True, True, True]
    monkeypatch.setattr(hardware, "GPUS", ("cuda", "cpu"))
    assert on_gpu("cpu")


def test_a_device_that_there_is_not_is_no_fault_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ludus.PPO("mlp", ludus.make_sb3("Catch", 8), n_steps=4, batch_size=8).save(tmp_path)
    for asked, message in (("tpu", "device must be auto, cpu or cuda, got 'tpu'"), ("cuda", "torch sees no GPU here")):
        with pytest.raises(OptionError, match=message) as refused:
            load_agent(tmp_path, device=asked)
        assert "agent.json" not in str(refused.value)
