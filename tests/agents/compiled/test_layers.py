"""Each kind of layer as loops, against PyTorch's operations and its differentiation."""

from functools import cache

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from ludus.agents.compiled.kernel import ThreadPool
from ludus.agents.nn.normalize import ObservationNormalizer
from tests.agents.compiled.networks import (
    Extractor,
    Fork,
    compare,
    compiled,
    planes_space,
    samples_of,
    vectors_space,
)

POOL = ThreadPool(2)
NUMBERS, PLANES, TURNED = vectors_space(6), planes_space(6, 5, 3), planes_space(3, 6, 5)  # channels last, and first


@pytest.fixture(scope="module", autouse=True)
def close_threads():
    yield
    POOL.close()


def second(kernel, channels, stride=1, padding=0, between=nn.Tanh, first=4, width=8):
    """A convolution over what another gives of `PLANES`; `width` is the last layer's."""
    layers = [
        nn.Conv2d(3, first, 2),
        between(),
        nn.Conv2d(first, channels, kernel, stride, padding),
        nn.ReLU(),
        nn.Flatten(),
    ]
    with torch.no_grad():
        flat = nn.Sequential(*layers)(torch.zeros(1, 3, 6, 5)).shape[1]
    return lambda: Extractor(PLANES, [*layers, nn.Linear(flat, width)])


three = nn.ReLU(), nn.Flatten(), nn.Linear(36, 7), nn.Tanh(), nn.Linear(7, 3)
NETWORKS = {
    "tanh": (NUMBERS, lambda: nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 17), nn.Tanh(), nn.Linear(17, 3))),
    "silu": (NUMBERS, lambda: nn.Sequential(nn.Linear(6, 33), nn.SiLU(), nn.Linear(33, 5), nn.SiLU(), nn.Linear(5, 3))),
    "tanh of a normalisation": (
        PLANES,
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(90, 7), nn.LayerNorm(7), nn.Tanh(), nn.Linear(7, 3)),
    ),
    "a normalisation of silu": (
        PLANES,
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(90, 7), nn.SiLU(), nn.LayerNorm(7), nn.Linear(7, 3)),
    ),
    "relus that something else than a layer follows": (
        NUMBERS,
        lambda: nn.Sequential(
            nn.Linear(6, 7), nn.ReLU(), nn.LayerNorm(7), nn.Tanh(), nn.ReLU(), nn.SiLU(), nn.Linear(7, 3)
        ),
    ),
    "padding": (
        PLANES,
        lambda: Extractor(
            PLANES, [nn.Conv2d(3, 5, (2, 3), padding=(1, 2)), nn.ReLU(), nn.Flatten(), nn.Linear(245, 5)]
        ),
    ),
    "channels first": (
        TURNED,
        lambda: Extractor(TURNED, [nn.Conv2d(3, 4, (3, 2)), nn.Tanh(), nn.Flatten(), nn.Linear(64, 5)], last=False),
    ),
    "a permuted vector": (
        PLANES,
        lambda: Extractor(PLANES, [nn.Flatten(), nn.Linear(90, 7), nn.Tanh(), nn.Linear(7, 3)]),
    ),
    "a second convolution": (PLANES, second(3, 16, between=nn.ReLU)),
    "one with strides and padding": (PLANES, second((3, 2), 9, stride=(2, 3), padding=(2, 1))),
    "one of one place": (PLANES, second((5, 4), 4, between=nn.SiLU, first=3)),
    "one that leaves rows out": (PLANES, second((1, 2), 2, stride=(3, 2), between=nn.ReLU, first=1)),
    "a wide one": (PLANES, second(2, 40, first=17)),
    "three convolutions": (
        PLANES,
        lambda: Extractor(
            PLANES,
            [nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 12, 2), nn.ReLU(), nn.Conv2d(12, 6, 3, padding=1), *three],
        ),
    ),
    "an actor and a critic": (NUMBERS, lambda: Fork(6, [], [9, 8], [9, 8], nn.Tanh)),
    "of different widths": (PLANES, lambda: Fork(90, [9], [5, 20], [17, 3], nn.ReLU)),
    "of different depths": (PLANES, lambda: Fork(90, [], [9], [17, 8, 5], nn.ReLU)),
    "of which one is deep": (NUMBERS, lambda: Fork(6, [9], [], [17, 5], nn.ReLU)),
    "of which none is deep": (PLANES, lambda: Fork(90, [], [], [], nn.ReLU)),
    "of different depths after tanh": (NUMBERS, lambda: Fork(6, [9], [8, 7], [5], nn.Tanh)),
}


@cache
def made(name):
    space, make = NETWORKS[name]
    torch.manual_seed(0)
    module = make()
    return space, module, *compiled(module, space, POOL)


def nearest_to_a_bend(module, x):
    """How near to 0 a number comes that goes into a ReLU, where rounding would decide."""
    found, relus = [1.0], [part for part in module.modules() if isinstance(part, nn.ReLU)]
    hooks = [relu.register_forward_pre_hook(lambda _, x: found.append(float(x[0].abs().min()))) for relu in relus]
    with torch.no_grad():
        module(x.float())
    for hook in hooks:
        hook.remove()
    return min(found)


@pytest.mark.parametrize("name", [*NETWORKS])
@settings(deadline=None, max_examples=4)
@given(st.integers(1, 60), st.integers(0, 2**16))
def test_numbers_and_gradients_are_those_of_pytorch(name, samples, seed):
    space, module, network, size = made(name)
    torch.manual_seed(seed)
    obs = samples_of(space, samples, seed)
    assume(nearest_to_a_bend(module, obs) > 2e-6 or "one that leaves" in name)
    compare(module, network, size, obs, tolerance=2e-5)


@pytest.mark.parametrize("activation", [nn.Tanh(), nn.SiLU()])
def test_activations_saturate_and_nan_stays_nan(activation):
    network, _ = compiled(module := nn.Sequential(nn.Linear(6, 6), activation, nn.Linear(6, 6)), NUMBERS, POOL)
    with torch.no_grad():
        for layer in (module[0], module[2]):
            layer.weight.copy_(torch.eye(6))
            layer.bias.zero_()
    network.read_weights()
    for x in (-1e30, -100.0, -20.0, -8.0, -1e-4, 0.0, 1e-4, 8.0, 20.0, 1e30, float("nan")):
        ours = network.forward(torch.tensor([[x, 0, 0, 0, 0, 0]]))[0, 0]
        assert torch.allclose(ours, activation(torch.tensor(x)), atol=5e-6, rtol=1e-5, equal_nan=True)


def test_observations_are_normalised_by_the_statistics_as_they_are():
    normalizer, module = ObservationNormalizer((6,)), nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 3))
    network, size = compiled(module, NUMBERS, POOL, normalizer=normalizer)
    for seed in (0, 1):
        normalizer.update(3.0 + 2.0 * samples_of(NUMBERS, 50, seed))
        obs = 5.0 * samples_of(NUMBERS, 9, seed + 2)
        obs[0, 0], obs[1, 1] = 1e6, -1e6  # cut at ten
        network.read_weights()
        assert torch.allclose(network.forward(obs)[:, :size], module(normalizer(obs)), atol=1e-5)
