"""Agents in notebooks: they tell what they are and have learned, and looking at them changes nothing."""

import copy
import random

import numpy as np
import pytest
import torch

import ludus
from ludus.agents import load_agent
from ludus.envs.notebook import PIXELS
from tests.agents.small import NAMES, small
from tests.envs.engine.test_game_html import picture_in

pytestmark = pytest.mark.usefixtures("one_thread")


def made(name, env=None, **arguments):
    env = ludus.make_sb3("Catch", 4) if env is None else env
    return getattr(ludus, name)("mlp", env, seed=1, num_threads=1, **{**small(name), **arguments})


def drawn():
    """What everybody's random numbers come from."""
    return random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()


def state_of(agent):
    tensors = [*agent.policy.state_dict().values(), *(one.get_state() for one in agent.generators)]
    arrays = [value for value in agent.simulator.state_dict().values() if isinstance(value, np.ndarray)]
    return [x.numpy().tobytes() for x in tensors], [x.tobytes() for x in arrays]


@pytest.mark.parametrize("name", NAMES)
def test_looking_changes_nothing(name):
    agent = made(name)
    twin = copy.deepcopy(agent)
    for _ in range(2):
        before = state_of(agent), drawn()
        assert agent._repr_html_() is not None
        assert (state_of(agent), drawn()) == before
        agent.learn(128, reset_num_timesteps=False)
        twin.learn(128, reset_num_timesteps=False)
    assert state_of(agent) == state_of(twin)


@pytest.mark.parametrize("name", NAMES)
def test_it_tells_what_it_is_and_what_it_has_learned(name):
    agent = made(name, ludus.make_sb3("Catch", 4, max_episode_steps=7), gamma=0.9)
    html = agent._repr_html_()
    for words in (
        name,
        "plays Catch (max_episode_steps=7)",
        "not yet",
        "4 on cpu",
        "seed=1",
        "gamma=0.9",
        "before reset",
    ):
        assert words in html
    assert f"mlp, {sum(p.numel() for p in agent.policy.parameters()) / 1e3:.1f} k parameters, " in html
    assert "mean of the last" not in html and "a function" not in html
    agent.learn(256)
    html = agent._repr_html_()
    assert "256 timesteps in 0:0" in html and f"mean of the last {len(agent.ep_info_buffer)} episodes" in html
    assert np.array_equal(picture_in(html), agent.simulator.frame(0, PIXELS))


def test_a_saved_one_tells_the_same(tmp_path):
    agent = made("PPO", learning_rate=0.125, policy_kwargs={"net_arch": [8]}).learn(64)
    agent.save(tmp_path / "agent")
    html = load_agent(tmp_path / "agent")._repr_html_()
    for words in ("64 timesteps", "learning_rate=0.125", "policy_kwargs[&#x27;net_arch&#x27;]=[8]", "before reset"):
        assert words in html


def test_schedules_are_told_by_their_ends():
    from stable_baselines3.common.utils import LinearSchedule

    agent = made("PPO", learning_rate=LinearSchedule(0.5, 0.25, 1.0), clip_range=lambda left: left)
    assert "clip_range=&lt;lambda&gt;" in agent._repr_html_() and "learning_rate=0.5 to 0.25" in agent._repr_html_()


def test_environments_of_other_libraries_have_no_picture():
    html = ludus.PPO("mlp", "CartPole-v1", n_steps=16, batch_size=16)._repr_html_()
    assert "plays CartPole-v1" in html and "<img" not in html


def test_nobody_who_looks_gets_an_error():
    agent = made("PPO")
    agent.policy = None
    assert agent._repr_html_() is None
