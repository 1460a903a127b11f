"""The same agent of both libraries, for tests that save and load them."""

import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

import ludus

SMALL = {
    "ppo": {"n_steps": 16, "batch_size": 16, "n_epochs": 1},
    "dqn": {"learning_starts": 8, "batch_size": 8, "buffer_size": 64},
}
STABLE = {"ppo": stable_baselines3.PPO, "dqn": stable_baselines3.DQN}
OURS = {"ppo": ludus.PPO, "dqn": ludus.DQN}
both = pytest.mark.parametrize("algorithm", ["ppo", "dqn"])


def make(cls, env="CartPole-v1", policy="MlpPolicy", **given):
    kind = "ppo" if issubclass(cls, stable_baselines3.PPO) else "dqn"
    arguments = {"seed": 0, "device": "cpu", "policy_kwargs": {"net_arch": [8]}, **SMALL[kind], **given}
    return cls(policy, env, **arguments)


def twins(algorithm, **given):
    """The same agent twice: Stable-Baselines3's, and ours."""
    return [make(classes[algorithm], **given) for classes in (STABLE, OURS)]


class Doubled(BaseFeaturesExtractor):
    """A part of the policy that only its author has."""

    def __init__(self, space):
        super().__init__(space, spaces.utils.flatdim(space))

    def forward(self, observations):
        return 2 * observations.flatten(1).float()


def pole(agent):
    return agent.predict(np.linspace(-0.1, 0.1, 4 * 32, dtype=np.float32).reshape(32, 4), deterministic=True)[0]


def assert_equal(one, other):
    """Dictionaries, lists and tensors, all the way down."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert set(one) == set(other)
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other
