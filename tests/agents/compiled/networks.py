"""Networks of a user's own, and a compiled network to compare with PyTorch's differentiation."""

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from ludus.agents.compiled.build import build
from ludus.agents.compiled.network import Backward, CompiledNetwork


class Extractor(BaseFeaturesExtractor):
    """A chain of layers; planes (H, W, C) are brought to (C, H, W) first where `last` says that channels come last."""

    def __init__(self, space, layers=(), features_dim=1, last=True):
        super().__init__(space, features_dim)
        self.cnn, self.last = nn.Sequential(*layers), last

    def forward(self, x):
        return self.cnn(x.permute(0, 3, 1, 2) if self.last else x)


def compiled(module, space, pool, forward=None, normalizer=None):
    """The network of a module, or of what `forward` makes of its parts."""
    inputs, layers, sizes = build(module, space, forward or module, normalizer)
    return CompiledNetwork(inputs, layers, list(module.parameters()), pool), sum(sizes)


def compare(module, space, pool, obs, seed, forward=None, tolerance=1e-5):
    """Numbers and gradients of random grads, by loops and by PyTorch; they must agree."""
    torch.manual_seed(seed)
    with torch.no_grad():  # so that biases and gains count
        for weight in module.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    network, size = compiled(module, space, pool, forward)
    outs = (forward or module)(obs.float())
    expected = outs if isinstance(outs, torch.Tensor) else torch.cat(outs, 1)
    grads = torch.randn(len(obs), size) / len(obs)
    theirs = torch.autograd.grad(expected, list(module.parameters()), grads)
    backward = Backward(network, obs.flatten(1), len(obs))
    torch.arange(len(obs), out=backward.rows[: len(obs)])
    network.read_weights()
    for _ in range(2):  # what an earlier call left behind does no harm
        pool.run(*backward.loops)
        backward.grad[: len(obs), :size] = grads
        pool.run(*backward.back)
        network.collect()
    assert torch.allclose(backward.out[: len(obs), :size], expected, atol=tolerance, rtol=1e-4)
    assert torch.allclose(network.forward(obs)[:, :size], expected, atol=tolerance, rtol=1e-4)
    for (name, weight), ours, other in zip(module.named_parameters(), network.gradients, theirs, strict=True):
        assert ours.shape == weight.shape
        assert torch.allclose(ours, other, atol=tolerance, rtol=1e-4), name


def planes_of(count, shape, seed):
    """Bytes of which most are 0, as in games."""
    random = np.random.default_rng(seed)
    return torch.as_tensor(random.integers(0, 3, (count, *shape)) * (random.random((count, *shape)) < 0.3)).to(
        torch.uint8
    )


def vectors_of(count, size, seed):
    return torch.as_tensor(np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32))


def planes_space(*shape):
    return spaces.Box(0, 2, shape, np.uint8)


def vectors_space(size):
    return spaces.Box(-1, 1, (size,), np.float32)
