"""A convolution and the layer after it, computed once for equal patches, against PyTorch and against each by itself."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ludus.agents.compiled import repeated_layers
from ludus.agents.compiled.build import Builder
from ludus.agents.compiled.convolution_layers import PlanesConvolution
from ludus.agents.compiled.kernel import ThreadPool
from ludus.agents.compiled.network import Backward
from ludus.agents.compiled.repeated_layers import RepeatedPatches
from ludus.agents.nn.q_network import ChannelNorm
from tests.agents.compiled.networks import Extractor, compare, compiled, planes_space

POOL, ALONE = ThreadPool(2), ThreadPool(1)
BOARD, FIRST = planes_space(7, 6, 3), planes_space(3, 7, 6)  # channels last, and first


def network_of(space, kernel, padding=0, channels=8, hidden=40, last=True, norm=False):
    normalised = [ChannelNorm(channels)] if norm else []
    layers = [nn.Conv2d(3, channels, kernel, padding=padding), *normalised, nn.ReLU(), nn.Flatten()]
    with torch.no_grad():
        flat = nn.Sequential(*layers)(torch.zeros(1, 3, 7, 6)).shape[1]
    return space, Extractor(space, [*layers, nn.Linear(flat, hidden), nn.ReLU(), nn.Linear(hidden, 5)], last)


NETWORKS = {
    "3 x 3": lambda: network_of(BOARD, 3, channels=16, hidden=128),
    "padded": lambda: network_of(BOARD, (3, 2), padding=(2, 1)),
    "channels first": lambda: network_of(FIRST, (2, 4), channels=24, hidden=17, last=False),
    "normalised": lambda: network_of(BOARD, 3, channels=16, hidden=64, norm=True),
    "normalised, channels first": lambda: network_of(FIRST, 2, padding=1, hidden=20, last=False, norm=True),
    "of one cell": lambda: network_of(BOARD, 1),
    "of one place": lambda: network_of(BOARD, (7, 6)),
}


@cache
def made(name):
    torch.manual_seed(0)
    space, module = NETWORKS[name]()
    network, size = compiled(module, space, POOL)
    assert isinstance(network.layers[0], RepeatedPatches)
    return space, module, network, size


def boards(space, samples, different, seed):
    """So many samples of which so many are different; one in four of these differs from the first in a few cells alone."""
    random = np.random.default_rng(seed)
    found = random.integers(0, 256, (different, *space.shape)) * (random.random((different, *space.shape)) < 0.3)
    for k in range(1, different, 4):
        found[k] = np.where(random.random(space.shape) < 0.03, found[k], found[0])
    return torch.as_tensor(found[random.integers(0, different, samples)].astype(np.uint8))


def few(backward):
    """Whether its last run found few groups."""
    return bool(backward.outputs[1].saved[1].few[0])


@pytest.mark.parametrize("name", [*NETWORKS])
@settings(deadline=None, max_examples=8)
@given(st.integers(1, 90), st.integers(1, 30), st.integers(0, 2**16))
def test_numbers_and_gradients_are_those_of_pytorch(name, samples, different, seed):
    space, module, network, size = made(name)
    torch.manual_seed(seed)
    obs = boards(space, samples, different, seed) // 64
    with torch.no_grad():  # no number near a ReLU's bend, where rounding would decide
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.copy_(layer.weight.mul(64).round() / 64)
                layer.bias.copy_((layer.bias.mul(64).round() + 0.5) / 64)
    compare(module, network, size, obs, tolerance=1e-4)


@pytest.mark.parametrize("name", [*NETWORKS])
def test_both_ways_are_taken_and_agree(name, monkeypatch):
    space, module, network, size = made(name)
    monkeypatch.setattr(Builder, "join_repeated_patches", lambda *_: None)
    apart, _ = compiled(module, space, POOL)  # weights of its own noise: read again below
    assert isinstance(apart.layers[0], PlanesConvolution)
    for different, expected in ((5, True), (400, False)):
        obs = boards(space, 160, different, 0)
        results = [run(one, obs, size) for one in (network, apart)]
        assert few(results[0][0]) is expected
        for ours, other in zip(results[0][1], results[1][1], strict=True):
            if expected:
                assert torch.allclose(ours, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))
            else:
                assert torch.equal(ours, other)


def run(network, obs, size):
    """The loops and, from them, the last numbers and all gradients."""
    torch.manual_seed(0)
    backward = Backward(network, obs.flatten(1), len(obs))
    torch.arange(len(obs), out=backward.rows[: len(obs)])
    network.read_weights()
    network.pool.run(*backward.loops)
    backward.grad[: len(obs), :size] = torch.randn(len(obs), size)
    network.pool.run(*backward.back)
    network.collect()
    return backward, [backward.out.clone(), *(gradient.clone() for gradient in network.gradients)]


def test_many_samples_need_no_more_memory_for_groups(monkeypatch):
    monkeypatch.setattr(repeated_layers, "ROOM", 32)
    space, module, network, size = made("3 x 3")
    for different, expected in ((5, True), (100, False)):
        obs = boards(space, 320, different, 2)
        backward, _ = run(network, obs, size)
        assert len(backward.outputs[1].saved[1].table) == 32 * len(network.layers[0].cells)
        assert few(backward) is expected
        compare(module, network, size, obs // 64, tolerance=1e-4)


@pytest.mark.parametrize("different", [5, 400])
def test_results_are_the_same_on_any_number_of_threads(different):
    space, _, network, size = made("3 x 3")
    obs = boards(space, 300, different, 1)
    alone, shared = (run(network, obs, size)[1] for network.pool in (ALONE, POOL))
    assert all(torch.equal(a, b) for a, b in zip(alone, shared, strict=True))


@pytest.mark.parametrize("name", [*NETWORKS])
@settings(deadline=None, max_examples=10)
@given(st.integers(16, 120), st.integers(1, 8), st.integers(0, 2**16))
def test_groups_are_the_patches_that_are_equal(name, samples, different, seed):
    space, _, network, size = made(name)
    obs, layer = boards(space, samples, different, seed), network.layers[0]
    backward, _ = run(network, obs, size)
    found = backward.outputs[1].saved[1]
    sizes, groups = found.sizes, found.groups
    rows = obs.flatten(1)[backward.rows]
    for p, cells in enumerate(layer.cells):
        patches = rows[:, cells[cells >= 0].long()]
        ours = groups.view(len(sizes), -1)[p]
        different_patches, expected = torch.unique(patches, dim=0, return_inverse=True)
        assert sizes[p] == len(different_patches)
        pairs = torch.unique(torch.stack([ours, expected]), dim=1)
        assert pairs.shape[1] == len(different_patches)  # each group is one patch, and each patch one group
