"""Whose `step` an agent learns from: Ludus's games are played without the `VecEnv` around them, unless that was changed."""

import numpy as np
import pytest
import stable_baselines3

import ludus
from ludus.agents.data.env_adapters import simulator_of
from ludus.envs.sb3 import LudusVecEnv


class Shaped(LudusVecEnv):
    """Rewards that are shaped."""

    def step_wait(self):
        obs, reward, done, infos = super().step_wait()
        return obs, reward + 100, done, infos


class Blank(LudusVecEnv):
    """Observations that are others at the start."""

    def reset(self):
        return np.zeros_like(super().reset())


class Named(LudusVecEnv):
    """Nothing of what is learned from."""

    def describe(self):
        return "mine"


def patched():
    env = LudusVecEnv("Catch", 4, seed=0)
    step_wait = env.step_wait

    def shaped():
        obs, reward, done, infos = step_wait()
        return obs, reward + 100, done, infos

    env.step_wait = shaped
    return env


SETTINGS = {"n_steps": 32, "batch_size": 64, "n_epochs": 1, "seed": 0, "device": "cpu"}


@pytest.mark.parametrize("make", [lambda: Shaped("Catch", 4, seed=0), patched], ids=["class", "object"])
def test_rewards_of_a_class_of_ones_own_are_learned_from_as_in_stable_baselines3(make):
    means = []
    for library in (ludus, stable_baselines3):
        agent = library.PPO("MlpPolicy", make(), **SETTINGS)
        agent.learn(128)
        means.append(agent.rollout_buffer.rewards.mean())
    assert means == pytest.approx([99.9, 99.9], abs=0.2)


@pytest.mark.parametrize(("kind", "own"), [(Shaped, True), (Blank, True), (Named, False), (LudusVecEnv, False)])
def test_only_changes_of_what_is_learned_from_take_the_long_way(kind, own):
    env = kind("Catch", 4, seed=0)
    assert (simulator_of(env)[0] is None) == own
    if kind is Blank:
        agent = ludus.PPO("MlpPolicy", env, **SETTINGS)
        agent.learn(128)
        assert not agent.rollout_buffer.observations[0].any() and agent.rollout_buffer.observations[1].any()


@pytest.mark.parametrize("algorithm", [ludus.DQN, ludus.PQN])
def test_other_algorithms_learn_from_them_too(algorithm):
    agent = algorithm("MlpPolicy", Shaped("Catch", 4, seed=0), seed=0, device="cpu")
    agent.learn(400)
    assert np.mean([episode["r"] for episode in agent.ep_info_buffer]) < 2  # as `Monitor` has it, before the shaping
    assert agent.simulator is None
