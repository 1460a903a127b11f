"""The layer that skips empty cells against PyTorch's own."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

import ludus
from ludus.agents.compiled.planes import PlanesLinear, cells_of, shortcut_of
from ludus.agents.nn.actor_critic import MlpEncoderPolicy
from ludus.agents.ppo.ppo import PPO


@settings(deadline=None)
@given(st.integers(0, 9), st.sampled_from([0.0, 0.1, 1.0]), st.integers(0, 2**16))
def test_as_a_matrix_product(samples, share, seed):
    generator = torch.Generator().manual_seed(seed)
    planes = torch.randint(0, 256, (samples, 21), generator=generator) * (
        torch.rand(samples, 21, generator=generator) < share
    )
    planes = planes.to(torch.uint8)
    weight, bias = (torch.randn(*s, generator=generator).requires_grad_() for s in ((5, 21), (5,)))
    grad = torch.randn(samples, 5, generator=generator)
    ours, theirs = PlanesLinear.apply(planes, weight, bias), torch.nn.functional.linear(planes.float(), weight, bias)
    assert torch.allclose(ours, theirs, atol=1e-2, rtol=1e-5)
    pairs = (torch.autograd.grad(out, (weight, bias), grad) for out in (ours, theirs))
    for mine, other in zip(*pairs, strict=True):
        assert torch.allclose(mine, other, atol=1e-2, rtol=1e-5)


def test_cells_are_the_bytes_that_are_not_zero():
    planes = torch.tensor([[0, 1, 0, 7], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.uint8)
    rows, _, cells, counts = cells_of(planes)
    assert rows.tolist() == [0, 1, 2]
    assert counts.tolist() == [2, 0, 4]
    assert cells[0, :2].tolist() == [1, 3] and cells[2].tolist() == [0, 1, 2, 3]


def test_the_policy_computes_the_same_either_way():
    agent = PPO("mlp", ludus.make_sb3("Breakout", 8, seed=0), seed=0)
    obs = torch.as_tensor(agent.env.reset())
    assert agent.policy.shortcut is not None
    short = agent.policy.extract_features(obs)
    agent.policy.shortcut = None
    assert torch.allclose(short, agent.policy.extract_features(obs), atol=1e-5)


@pytest.mark.parametrize("space", [spaces.Box(-1, 1, (4,), np.float32), spaces.Box(0, 255, (3, 8, 8), np.uint8)])
def test_no_shortcut_for_numbers_and_images(space):
    assert shortcut_of(MlpEncoderPolicy(space, spaces.Discrete(2), lambda _: 1e-3)) is None
