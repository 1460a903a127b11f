"""Layers with learned noise in place of random actions (Fortunato et al. 2018)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from .frozen import modules_outside
from .on_pretrained import PretrainedExtractor

# PyTorch's layers that compute the same in training and in evaluation.
MODELESS = (nn.Linear, nn.Conv2d, nn.LayerNorm, nn.Flatten, nn.ReLU, nn.Tanh, nn.ELU, nn.GELU, nn.SiLU, nn.LeakyReLU)
MODELESS += (nn.Identity, nn.Sequential, nn.ModuleList, nn.ModuleDict)


class NoisyLinear(nn.Linear):
    """A fully connected layer with learned noise in its weights (Fortunato et al. 2018, factorised Gaussian noise)."""

    noise_in: Tensor
    noise_out: Tensor

    def __init__(self, layer: nn.Linear, sigma: float = 0.5) -> None:
        super().__init__(layer.in_features, layer.out_features)
        limit = 1 / math.sqrt(self.in_features)
        nn.init.uniform_(self.weight, -limit, limit)
        nn.init.uniform_(self.bias, -limit, limit)
        self.weight_sigma = nn.Parameter(torch.full_like(self.weight, sigma * limit))
        self.bias_sigma = nn.Parameter(torch.full_like(self.bias, sigma / math.sqrt(self.in_features)))
        self.register_buffer("noise_in", torch.zeros(self.in_features))
        self.register_buffer("noise_out", torch.zeros(self.out_features))

    def draw(self, generator: torch.Generator) -> None:
        """Draw new noise, which all samples share until the next draw."""
        for noise in (self.noise_in, self.noise_out):
            noise.normal_(generator=generator)
            noise.copy_(noise.sign() * noise.abs().sqrt())

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        weight = self.weight + self.weight_sigma * torch.outer(self.noise_out, self.noise_in)
        return nn.functional.linear(input, weight, self.bias + self.bias_sigma * self.noise_out)


def draw_noise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw new noise in all noisy layers."""
    for module in network.modules():
        if isinstance(module, NoisyLinear):
            module.draw(generator)


def has_modes(policy: nn.Module) -> bool:
    """Whether layers may differ between training and evaluation, as with noise, dropout, or a class of the user's."""
    for kind in {type(module) for module in policy.modules()} - {*MODELESS}:
        if issubclass(kind, NoisyLinear) or kind.__module__.partition(".")[0] not in ("ludus", "stable_baselines3"):
            return True
    return False


def set_training_mode(policy: Any, mode: bool) -> None:
    """Stable-Baselines3's `set_training_mode`, but noisy layers are always in training mode, since they explore."""
    policy.set_training_mode(mode)
    for module in policy.q_net.modules() if policy.q_net.noisy else ():
        if isinstance(module, NoisyLinear):
            module.train()


def make_noisy(network: nn.Module) -> None:
    """Replace all fully connected layers by noisy ones."""
    for parent in modules_outside(network, PretrainedExtractor):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear:
                setattr(parent, name, NoisyLinear(layer))
