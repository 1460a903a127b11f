"""Running statistics against NumPy's on all data at once, and against Stable-Baselines3's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common.running_mean_std import RunningMeanStd

from ludus.agents.nn.normalize import ObservationNormalizer, RewardNormalizer, RunningMoments


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(0, 2**16))
def test_batches_add_up(sizes, seed):
    data = np.random.default_rng(seed).normal(3, 5, (sum(sizes), 2))
    moments = RunningMoments((2,))
    for batch in np.split(data, np.cumsum(sizes)[:-1]):
        moments.update(torch.from_numpy(batch))
    assert np.allclose(moments.mean, data.mean(0)) and np.allclose(moments.variance, data.var(0))
    assert int(moments.count) == len(data)


def test_observations_come_to_mean_0_and_variance_1():
    data = torch.randn(5000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 20.0, 0.1]) + 7
    normalizer = ObservationNormalizer((3,))
    normalizer.update(data)
    out = normalizer(data)
    assert out.dtype == torch.float32
    assert torch.allclose(out.mean(0), torch.zeros(3), atol=1e-3) and torch.allclose(
        out.std(0), torch.ones(3), atol=1e-3
    )
    assert normalizer(torch.full((1, 3), 1e9)).max() == 10


def test_rewards_are_divided_by_the_deviation_of_returns():
    """As Stable-Baselines3's VecNormalize, whose statistics move step by step, ours rollout by rollout."""
    rng, gamma = np.random.default_rng(0), 0.9
    rewards = rng.normal(0, 4, (50, 8)).astype(np.float32)
    dones = (rng.random((50, 8)) < 0.1).astype(np.float32)
    theirs, running = RunningMeanStd(shape=(), epsilon=1e-12), np.zeros(8)
    for reward, done in zip(rewards, dones, strict=True):
        running = running * gamma + reward
        theirs.update(running)
        running *= 1 - done
    ours = RewardNormalizer(8)
    scaled = ours(torch.from_numpy(rewards), torch.from_numpy(dones), gamma)
    assert float(ours.moments.variance) == pytest.approx(float(theirs.var), rel=1e-5)
    assert np.allclose(scaled, (rewards / np.sqrt(theirs.var)).clip(-10, 10), rtol=1e-4)
    assert np.allclose(ours.running, running, atol=1e-5)
