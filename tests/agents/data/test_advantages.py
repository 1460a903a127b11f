"""GAE against its definition, a sum over the future, with episodes that end and episodes that are cut off."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.agents.data.returns import generalized_advantages

GAMMA, LAMBDA = 0.9, 0.7


def by_definition(rewards, values, going_on, last_value, gamma, gae_lambda):
    """A_t = sum_k (gamma lambda)^k delta_{t+k}, up to and with the step that ends the episode (eq. 16 of the paper)."""
    steps = len(rewards)
    following = [*values[1:], last_value]
    deltas = [rewards[t] + gamma * following[t] * going_on[t] - values[t] for t in range(steps)]
    advantages = []
    for t in range(steps):
        total, weight = 0.0, 1.0
        for k in range(t, steps):
            total += weight * deltas[k]
            weight *= gamma * gae_lambda * going_on[k]
        advantages.append(total)
    return advantages


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_equals_its_definition(steps, seed, gamma, gae_lambda):
    rng = np.random.default_rng(seed)
    rewards, values = rng.normal(size=(2, steps, 3))
    going_on, last = rng.integers(-1, 2, (steps, 3)), rng.normal(size=3)
    tensors = [torch.tensor(x, dtype=torch.float64) for x in (rewards, values, going_on, last)]
    result = generalized_advantages(*tensors, gamma, gae_lambda).numpy()
    for game in range(3):
        expected = by_definition(rewards[:, game], values[:, game], going_on[:, game], last[game], gamma, gae_lambda)
        assert result[:, game] == pytest.approx(expected, abs=1e-9)


def test_equals_stable_baselines3():
    from gymnasium import spaces
    from stable_baselines3.common.buffers import RolloutBuffer

    rng = np.random.default_rng(0)
    buffer = RolloutBuffer(6, spaces.Box(0, 1, (1,)), spaces.Discrete(2), "cpu", LAMBDA, GAMMA, n_envs=4)
    buffer.rewards, buffer.values = rng.normal(size=(2, 6, 4)).astype(np.float32)
    dones = rng.integers(0, 2, (6, 4)).astype(np.float32)
    buffer.episode_starts[1:] = dones[:-1]
    last = torch.randn(4)
    buffer.compute_returns_and_advantage(last, dones[-1])
    tensors = [torch.as_tensor(x) for x in (buffer.rewards, buffer.values, 1 - dones)]
    result = generalized_advantages(*tensors, last, GAMMA, LAMBDA)
    assert np.allclose(result, buffer.advantages, atol=1e-5)
