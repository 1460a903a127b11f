"""Each kind of layer as loops, against PyTorch's operations and its differentiation, over sizes."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from ludus.agents.compiled.kernel import ThreadPool
from ludus.agents.nn.normalize import ObservationNormalizer
from tests.agents.compiled.networks import (
    Extractor,
    compare,
    compiled,
    planes_of,
    planes_space,
    vectors_of,
    vectors_space,
)

POOL = ThreadPool(2)
ACTIVATIONS = {"tanh": nn.Tanh, "silu": nn.SiLU, "relu": nn.ReLU}
few = settings(deadline=None, max_examples=6)
seeds = st.integers(0, 2**16)


@pytest.fixture(scope="module", autouse=True)
def close_threads():
    yield
    POOL.close()


def bends(module, x):
    """How near to 0 a number comes that goes into a ReLU, where rounding would decide."""
    seen = [1.0]
    hooks = [
        relu.register_forward_pre_hook(lambda _, x: seen.append(float(x[0].abs().min())))
        for relu in module.modules()
        if isinstance(relu, nn.ReLU)
    ]
    with torch.no_grad():
        module(x.float())
    for hook in hooks:
        hook.remove()
    return min(seen)


@few
@given(st.sampled_from([*ACTIVATIONS]), st.lists(st.integers(1, 40), min_size=2, max_size=4), st.integers(1, 60), seeds)
def test_activations_between_layers_of_any_width(name, sizes, samples, seed):
    layers = [nn.Linear(4, sizes[0])]
    for a, b in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [ACTIVATIONS[name](), nn.Linear(a, b)]
    module, obs = nn.Sequential(*layers), vectors_of(samples, 4, seed)
    assume(bends(module, obs) > 1e-5)
    compare(module, vectors_space(4), POOL, obs, seed)


@few
@given(st.sampled_from(["tanh", "silu"]), st.booleans(), st.integers(1, 60), seeds)
def test_normalisation_before_and_after_activations(name, before, samples, seed):
    pair = [nn.LayerNorm(7), ACTIVATIONS[name]()]
    module = nn.Sequential(nn.Flatten(), nn.Linear(24, 7), *(pair if before else pair[::-1]), nn.Linear(7, 3))
    compare(module, planes_space(3, 4, 2), POOL, planes_of(samples, (3, 4, 2), seed), seed)


def test_a_relu_that_something_else_than_a_layer_follows():
    first = nn.Linear(4, 6), nn.ReLU(), nn.LayerNorm(6), nn.Tanh(), nn.ReLU()
    module = nn.Sequential(*first, nn.Linear(6, 2), nn.ReLU(), nn.SiLU(), nn.Linear(2, 3))
    compare(module, vectors_space(4), POOL, vectors_of(33, 4, 0), 0)


def test_activations_saturate_and_nan_comes_through():
    x = torch.tensor([[-1e30, -20.0, -8.0, -1e-4, 0.0, 1e-4, 8.0, 20.0, 1e30, float("nan")]])
    for activation in (nn.Tanh(), nn.SiLU()):
        module = nn.Sequential(nn.Linear(10, 10), activation, nn.Linear(10, 10))
        with torch.no_grad():
            for layer in (module[0], module[2]):
                layer.weight.copy_(torch.eye(10))
                layer.bias.zero_()
        network, _ = compiled(module, vectors_space(10), POOL)
        for k in range(10):
            alone = torch.where(torch.arange(10) == k, x, torch.zeros(1))
            network.read_weights()
            ours = network.forward(alone)[0, k]
            assert torch.allclose(ours, activation(x[0, k]), atol=1e-5, rtol=1e-5, equal_nan=True)


@few
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)), st.tuples(st.integers(0, 2), st.integers(0, 2)), st.integers(1, 9),
    st.booleans(), st.integers(1, 40), seeds,
)  # fmt: skip
def test_a_first_convolution_with_padding_and_channels_first_or_last(kernel, padding, channels, last, samples, seed):
    padding = tuple(min(p, k - 1) for p, k in zip(padding, kernel, strict=True))
    shape = (5, 6, 3) if last else (3, 5, 6)
    space, obs = planes_space(*shape), planes_of(samples, shape, seed)
    convolution = nn.Conv2d(3, channels, kernel, padding=padding)
    flat = channels * (6 + 2 * padding[0] - kernel[0]) * (7 + 2 * padding[1] - kernel[1])
    module = Extractor(space, [convolution, nn.ReLU(), nn.Flatten(), nn.Linear(flat, 5)], last=last)
    assume(bends(module, obs) > 1e-5)
    compare(module, space, POOL, obs, seed)


@settings(deadline=None, max_examples=10)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)), st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)), st.sampled_from([1, 3, 4, 16]), st.sampled_from([2, 4, 9, 16]),
    st.sampled_from([*ACTIVATIONS]), st.integers(1, 40), seeds,
)  # fmt: skip
def test_a_second_convolution_with_stride_and_padding(kernel, stride, padding, first, second, name, samples, seed):
    space, obs = planes_space(6, 7, 2), planes_of(samples, (6, 7, 2), seed)
    layers = [
        nn.Conv2d(2, first, 2),
        ACTIVATIONS[name](),
        nn.Conv2d(first, second, kernel, stride, padding),
        nn.ReLU(),
        nn.Flatten(),
    ]
    with torch.no_grad():
        flat = nn.Sequential(*layers)(torch.zeros(1, 2, 6, 7)).shape[1]
    module = Extractor(space, [*layers, nn.Linear(flat, 3)])
    assume(bends(module, obs) > 1e-5)
    compare(module, space, POOL, obs, seed, tolerance=3e-5)


def test_many_wide_convolutions_in_sequence():
    space, obs = planes_space(10, 10, 4), planes_of(37, (10, 10, 4), 0)
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(4, 16, 3),
        nn.SiLU(),
        nn.Conv2d(16, 80, 3),
        nn.Tanh(),
        nn.Conv2d(80, 17, 3, padding=1),
        nn.SiLU(),
        nn.Flatten(),
    ]
    compare(Extractor(space, [*layers, nn.Linear(17 * 36, 20)]), space, POOL, obs, 0, tolerance=3e-5)


class Fork(nn.Module):
    """An actor and a critic of these hidden layers, on so many features, or on the observation itself."""

    def __init__(self, inputs, trunk, actor, critic, activation):
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), *self.layers(inputs, trunk, activation))
        features = [inputs, *trunk][-1]
        self.actor = nn.Sequential(*self.layers(features, actor, activation), nn.Linear([features, *actor][-1], 3))
        self.critic = nn.Sequential(*self.layers(features, critic, activation), nn.Linear([features, *critic][-1], 1))

    @staticmethod
    def layers(inputs, sizes, activation):
        pairs = zip([inputs, *sizes], sizes, strict=False)
        return [layer for a, b in pairs for layer in (nn.Linear(a, b), activation())]

    def forward(self, x):
        features = self.trunk(x)
        return self.actor(features), self.critic(features)


depths = st.lists(st.integers(1, 20), max_size=3)


@settings(deadline=None, max_examples=12)
@given(st.booleans(), depths, depths, depths, st.sampled_from([*ACTIVATIONS]), st.integers(1, 40), seeds)
def test_actors_and_critics_of_any_depth_and_width(bytes_, trunk, actor, critic, name, samples, seed):
    space = planes_space(2, 3, 2) if bytes_ else vectors_space(12)
    obs = planes_of(samples, (2, 3, 2), seed) if bytes_ else vectors_of(samples, 12, seed)
    module = Fork(12, trunk, actor, critic, ACTIVATIONS[name])
    assume(bends(module, obs) > 1e-5)
    compare(module, space, POOL, obs, seed)


def test_observations_are_normalised_by_the_statistics_as_they_are():
    normalizer, module = ObservationNormalizer((4,)), nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    network, _ = compiled(module, vectors_space(4), POOL, normalizer=normalizer)
    for seed in (0, 1):
        normalizer.update(3.0 + 2.0 * vectors_of(50, 4, seed))
        obs = 5.0 * vectors_of(9, 4, seed + 2)
        obs[0, 0], obs[1, 1] = 1e6, -1e6  # cut at ten
        network.read_weights()
        assert torch.allclose(network.forward(obs)[:, :2], module(normalizer(obs)), atol=1e-5)
