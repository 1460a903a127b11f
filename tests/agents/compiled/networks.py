"""Networks of a user's own, and how a compiled network is compared with PyTorch."""

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from ludus.agents.compiled.build import build
from ludus.agents.compiled.network import Backward, CompiledNetwork


class Extractor(BaseFeaturesExtractor):
    """A chain of layers; planes (H, W, C) are brought to (C, H, W) first where channels come `last`."""

    def __init__(self, space, layers, last=True):
        super().__init__(space, 1)
        self.cnn, self.last = nn.Sequential(*layers), last

    def forward(self, x):
        return self.cnn(x.permute(0, 3, 1, 2) if self.last else x)


class Fork(nn.Module):
    """An actor and a critic with hidden layers of these sizes, after those of a trunk."""

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


def compiled(module, space, pool, normalizer=None):
    """Loops for a module, and how many numbers it gives."""
    with torch.no_grad():  # so that biases and gains count
        for weight in module.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    inputs, layers, sizes = build(module, space, module, normalizer)
    return CompiledNetwork(inputs, layers, list(module.parameters()), pool), sum(sizes)


def compare(module, network, size, obs, tolerance=1e-5):
    """Numbers, and gradients by random grads of them, must be those of PyTorch."""
    outs = module(obs.float())
    expected = outs if isinstance(outs, torch.Tensor) else torch.cat(outs, 1)
    grads = torch.randn(len(obs), size) / len(obs)
    theirs = torch.autograd.grad(expected, list(module.parameters()), grads)
    backward = Backward(network, obs.flatten(1), len(obs))
    torch.arange(len(obs), out=backward.rows[: len(obs)])
    network.read_weights()
    for _ in range(2):  # what an earlier call left behind does no harm
        network.pool.run(*backward.loops)
        backward.grad[: len(obs), :size] = grads
        network.pool.run(*backward.back)
        network.collect()
    assert torch.allclose(backward.out[: len(obs), :size], expected, atol=tolerance, rtol=1e-4)
    assert torch.allclose(network.forward(obs)[:, :size], expected, atol=tolerance, rtol=1e-4)
    for (name, weight), ours, other in zip(module.named_parameters(), network.gradients, theirs, strict=True):
        assert ours.shape == weight.shape
        assert torch.allclose(ours, other, atol=tolerance, rtol=1e-4), name


def samples_of(space, count, seed):
    """Bytes of which most are 0, as in games, or real numbers of both signs."""
    random, shape = np.random.default_rng(seed), (count, *space.shape)
    if space.dtype == np.uint8:
        return torch.as_tensor(random.integers(0, 3, shape) * (random.random(shape) < 0.3)).to(torch.uint8)
    return torch.as_tensor(random.normal(size=shape).astype(np.float32))


def planes_space(*shape):
    return spaces.Box(0, 2, shape, np.uint8)


def vectors_space(size):
    return spaces.Box(-1, 1, (size,), np.float32)
