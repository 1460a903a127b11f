"""Networks of action values as loops, against PyTorch's operations and its differentiation."""

from functools import cache

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from ludus.agents.compiled.kernel import ThreadPool
from ludus.agents.compiled.trace import NotCompiled
from ludus.agents.nn.noisy import draw_noise
from ludus.agents.nn.q_network import Q_POLICIES
from ludus.agents.nn.value_dists import Categorical, Quantile
from ludus.agents.q_learning.compiled_q_network import compile_q_network

SHAPE = (5, 6, 3)
POOLS = {threads: ThreadPool(threads) for threads in (1, 2, 3)}


@pytest.fixture(scope="module", autouse=True)
def close_threads():
    yield
    for pool in POOLS.values():
        pool.close()


def network_of(name="mlp", shape=SHAPE, choices=4, low=0, high=2, dtype=np.uint8, seed=0, encoder=None, **kwargs):
    torch.manual_seed(seed)
    if encoder is not None:
        kwargs["features_extractor_kwargs"] = encoder
    space = spaces.Box(low, high, shape, dtype)
    network = Q_POLICIES[name](space, spaces.Discrete(choices), lambda _: 1e-3, **kwargs).q_net
    with torch.no_grad():  # so that biases and gains count
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    draw_noise(network, torch.Generator().manual_seed(seed))
    return network


NETWORKS = {
    "mlp": {"encoder": {"sizes": (16, 16)}},
    "one layer": {"encoder": {"sizes": (8,)}},
    "odd sizes": {"encoder": {"sizes": (5, 7)}, "choices": 3},
    "three layers": {"encoder": {"sizes": (33, 8, 12)}, "choices": 9},
    "a layer after the encoder": {"encoder": {"sizes": (12,)}, "net_arch": [9]},
    "cnn": {"name": "cnn", "encoder": {"channels": 16, "width": 24}},
    "an odd cnn": {"name": "cnn", "encoder": {"channels": 5, "width": 7}, "choices": 1},
    "a cnn of one place": {"name": "cnn", "shape": (3, 3, 1), "encoder": {"channels": 8, "width": 8}},
    "a cnn and more layers": {"name": "cnn", "encoder": {"channels": 5, "width": 12}, "net_arch": [7, 6]},
    "MlpPolicy": {"name": "MlpPolicy", "net_arch": [12, 16, 7]},
    "MlpPolicy of one layer": {"name": "MlpPolicy", "net_arch": [9], "choices": 18},
    "a line of bytes": {"name": "MlpPolicy", "net_arch": [9, 5], "shape": (23,)},
    "a duel": {"encoder": {"sizes": (16, 8)}, "dueling": True},
    "an odd duel": {"name": "MlpPolicy", "net_arch": [10, 7], "dueling": True, "choices": 3},
    "a duel of convolutions": {"name": "cnn", "encoder": {"channels": 5, "width": 7}, "dueling": True},
    "quantiles": {"encoder": {"sizes": (16,)}, "distribution": Quantile(5)},
    "quantiles in a duel": {"name": "MlpPolicy", "net_arch": [9], "distribution": Quantile(3), "dueling": True},
    "c51": {"name": "cnn", "encoder": {"channels": 4, "width": 8}, "distribution": Categorical(-1, 1, 51)},
    "normalised": {"encoder": {"sizes": (16, 7)}, "layer_norm": True},
    "a normalised odd cnn": {"name": "cnn", "encoder": {"channels": 5, "width": 7}, "layer_norm": True},
    "a normalised MlpPolicy": {"name": "MlpPolicy", "net_arch": [9, 8], "layer_norm": True, "dueling": True},
    "noisy": {"encoder": {"sizes": (16, 7)}, "noisy": True},
    "a noisy odd cnn": {"name": "cnn", "encoder": {"channels": 5, "width": 7}, "noisy": True, "net_arch": [6]},
    "a noisy duel": {"name": "MlpPolicy", "net_arch": [10, 7], "noisy": True, "dueling": True, "layer_norm": True},
    "real numbers": {"encoder": {"sizes": (16, 7)}, "dtype": np.float32},
    "a line of them": {"name": "MlpPolicy", "net_arch": [9, 5], "shape": (4,), "dtype": np.float64},
    "many in a noisy duel": {
        "net_arch": [10],
        "shape": (37,),
        "dtype": np.float32,
        "noisy": True,
        "dueling": True,
        "layer_norm": True,
    },
    "tanh": {"name": "MlpPolicy", "net_arch": [8], "activation_fn": nn.Tanh},
    "silu in a normalised duel": {
        "name": "MlpPolicy",
        "net_arch": [9, 5],
        "activation_fn": nn.SiLU,
        "dueling": True,
        "layer_norm": True,
    },
    "no hidden layer": {"name": "MlpPolicy", "net_arch": []},
    "an activation after the encoder": {"name": "mlp", "net_arch": [8], "activation_fn": nn.Tanh},
    "c51 in a duel": {"encoder": {"sizes": (9, 11)}, "distribution": Categorical(-1, 1, 7), "dueling": True},
}


@cache
def made(kind, threads):
    """A network and its loops, of which there are as many as sizes."""
    network = network_of(**NETWORKS[kind])
    return network, compile_q_network(network, POOLS[threads])


def obs_of(kind, count, seed):
    """For this network."""
    return planes_of(count, NETWORKS[kind].get("shape", SHAPE), seed, NETWORKS[kind].get("dtype", np.uint8))


def planes_of(count, shape, seed, dtype=np.uint8):
    """Most bytes are 0, as in games; real numbers are of both signs."""
    random = np.random.default_rng(seed)
    if dtype is not np.uint8:
        return torch.as_tensor(random.normal(size=(count, *shape)).astype(dtype))
    return torch.as_tensor(random.integers(0, 3, (count, *shape)) * (random.random((count, *shape)) < 0.3)).to(
        torch.uint8
    )


def differentiated(network, obs, grads):
    """Raw numbers and gradients as PyTorch finds them, if each of the former changes what counts by so much."""
    raw = network.q_net(network.extract_features(obs))
    return raw.detach(), torch.autograd.grad(raw, list(network.parameters()), grads)


def nearest_to_a_bend(network, obs):
    """How near to 0 a number comes that goes into a ReLU, where rounding would decide."""
    seen, relus = [], [module for module in network.modules() if isinstance(module, nn.ReLU)]
    hooks = [relu.register_forward_pre_hook(lambda _, x: seen.append(float(x[0].abs().min()))) for relu in relus]
    with torch.no_grad():
        network(obs)
    for hook in hooks:
        hook.remove()
    return min(seen, default=float("inf"))  # of tanh and SiLU there are none


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([*NETWORKS]), st.integers(1, 200) | st.integers(128, 200), st.integers(0, 2**16))
def test_numbers_and_gradients_are_those_of_pytorch(kind, samples, seed):
    """The same to the last bit on any number of threads."""
    obs, told, found = obs_of(kind, samples, seed), [], []
    grads = torch.randn(samples, made(kind, 1)[1].size, generator=torch.Generator().manual_seed(seed)) / samples
    assume(nearest_to_a_bend(made(kind, 1)[0], obs) > 2e-6)
    for threads in (1, 2, 3):
        network, loops = made(kind, threads)
        with torch.no_grad():
            for weight, same in zip(network.parameters(), made(kind, 1)[0].parameters(), strict=True):
                weight.copy_(same)
        loops.read_weights()
        numbers = loops.raw(obs).clone()
        found.append([x.clone() for x in loops.differentiate(obs, lambda raw: told.append(raw.clone()) or grads)])
        assert torch.equal(numbers, told[-1]), "what acts and what learns see the same"
    network = made(kind, 1)[0]
    raw, gradients = differentiated(network, obs, grads)
    assert torch.allclose(told[0], raw, atol=1e-5, rtol=1e-4)
    for (name, weight), ours, theirs in zip(network.named_parameters(), found[0], gradients, strict=True):
        assert ours.shape == weight.shape
        assert torch.allclose(ours, theirs, atol=1e-5, rtol=1e-4), name
    assert all(torch.equal(x, told[0]) for x in told)
    for other in found[1:]:
        assert all(torch.equal(x, y) for x, y in zip(found[0], other, strict=True))


@pytest.mark.parametrize("kind", [*NETWORKS])
def test_new_weights_count_once_they_are_read(kind):
    network, loops = made(kind, 1)
    obs = obs_of(kind, 13, 1)
    loops.read_weights()
    before = loops.raw(obs).clone()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1.1)
        assert torch.equal(loops.raw(obs), before)
        loops.read_weights()
        after = loops.raw(obs)
        assert torch.allclose(after, network.q_net(network.extract_features(obs)), atol=1e-5, rtol=1e-4)
        assert not torch.allclose(after, before, atol=1e-4)


def test_noise_counts_while_a_network_is_in_training():
    network = network_of(**NETWORKS["a noisy odd cnn"])
    loops, obs, found = compile_q_network(network, ThreadPool(1)), planes_of(5, SHAPE, 1), []
    for training, seed in ((True, 1), (True, 2), (False, 2)):
        network.train(training)
        draw_noise(network, torch.Generator().manual_seed(seed))
        loops.read_weights()
        found.append(loops.raw(obs).clone())
        assert torch.allclose(found[-1], network.q_net(network.extract_features(obs)), atol=1e-5, rtol=1e-4)
    assert not any(torch.allclose(found[i], found[j]) for i, j in ((0, 1), (1, 2), (0, 2)))


def test_a_weight_that_became_another_tensor_counts_once_it_is_read():
    network = network_of()
    loops, obs = compile_q_network(network, ThreadPool(1)), planes_of(5, SHAPE, 1)
    loops.read_weights()
    for weight in network.parameters():
        weight.data = 1.1 * weight.data
    loops.read_weights()
    raw, _ = differentiated(network, obs, torch.zeros(5, 4))
    assert torch.allclose(loops.raw(obs), raw, atol=1e-5, rtol=1e-4)


def test_batches_of_different_sizes_do_not_disturb_each_other():
    """Also more sizes than loops are kept for, and what an earlier batch left behind where a later one has nothing."""
    network, loops = made("one layer", 1)
    loops.read_weights()
    generator = torch.Generator().manual_seed(0)
    for samples in (200, 1, *range(2, 68), 3, 200):
        obs = planes_of(samples, SHAPE, samples)
        grads = torch.randn(samples, loops.size, generator=generator) / samples
        ours = loops.differentiate(obs, lambda raw, grads=grads: grads)
        raw, theirs = differentiated(network, obs, grads)
        assert all(torch.allclose(x, y, atol=1e-4, rtol=1e-4) for x, y in zip(ours, theirs, strict=True))
        assert torch.allclose(loops.raw(obs), raw, atol=1e-5, rtol=1e-4)
        assert max(len(loops._forwards), len(loops._backwards)) <= 64


def test_no_grads_make_no_gradients():
    _, loops = made("c51", 1)
    loops.read_weights()
    obs = planes_of(40, SHAPE, 0)
    loops.differentiate(obs, torch.ones_like)
    assert all((gradient == 0).all() for gradient in loops.differentiate(obs, torch.zeros_like))


def test_bytes_of_any_size_are_taken_as_they_are():
    network = network_of(high=200, encoder={"sizes": (16,)})
    loops = compile_q_network(network, ThreadPool(1))
    loops.read_weights()
    obs = torch.randint(0, 201, (20, *SHAPE), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    raw, _ = differentiated(network, obs, torch.zeros(20, 4))
    assert torch.allclose(loops.raw(obs), raw, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"implicit": True, "distribution": Quantile(4)}, "implicit quantiles"),
        ({"dtype": np.int32}, "observations of int32"),
        ({"name": "cnn", "dtype": np.float32}, "a convolution over real numbers"),
        ({"name": "MlpPolicy", "net_arch": [8], "activation_fn": nn.GELU}, "GELU"),
        ({"name": "impala", "encoder": {"channels": [2], "width": 8}}, "MaxPool2d"),
        ({"name": "nature", "shape": (36, 36, 1)}, "a first convolution with a stride"),
        ({"name": "mlp", "shape": (3, 36, 36), "high": 255}, "image observations"),  # which are divided by 255
    ],
)
def test_other_networks_are_for_pytorch(kwargs, reason):
    with pytest.raises(NotCompiled, match=reason):
        compile_q_network(network_of(**kwargs), ThreadPool(1))


def test_a_network_in_double_precision_is_for_pytorch():
    with pytest.raises(NotCompiled, match="float64 parameters"):
        compile_q_network(network_of().double(), ThreadPool(1))


def test_a_network_of_which_a_part_is_not_to_learn_is_for_pytorch():
    network = network_of()
    network.q_net[-1].bias.requires_grad_(False)
    with pytest.raises(NotCompiled, match="frozen parameters"):
        compile_q_network(network, ThreadPool(1))
