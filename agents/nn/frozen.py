"""A pretrained encoder in front of the network that learns, which stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from ...envs import OptionError
from .pretrained import Pretrained

AT_ONCE = 64  # pictures on a CPU: of more, what is between layers is in no cache, and its memory is the system's


class FrozenEncoder(nn.Module):
    """Pictures (B, K * C, H, W) uint8 -> what the network that learns sees in their place; it is never trained.

    Its weights are buffers, so that no optimizer has them and no gradient goes there.

    Args:
        pretrained: the encoder.
        decode: give planes, (B, rows, columns, K * P) uint8 of 0 and 1; else the spatial maps, flat, (B, K * F * h * w)
            float32.
        stacked: K, pictures in an observation, each of which is encoded by itself.

    Attributes:
        space: of what it gives.
        tells_planes: whether that is planes.
    """

    def __init__(self, pretrained: Pretrained, decode: bool, stacked: int = 1) -> None:
        super().__init__()
        if decode and not pretrained.planes:
            raise OptionError("decode needs an encoder that tells planes, of `ludus pretrain --method planes`")
        self.tells_planes, self.stacked = decode, stacked
        self.network: Any = pretrained.network() if decode else pretrained.encoder()
        for module in self.network.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, weight.detach())
        encoder = self.network.encoder if decode else self.network
        del encoder.layer  # of which neither makes use
        if decode:
            self.space = spaces.Box(0, 1, (*encoder.map_shape[1:], stacked * len(pretrained.planes)), np.uint8)
        else:
            self.space = spaces.Box(-np.inf, np.inf, (stacked * int(np.prod(encoder.map_shape)),), np.float32)
        self.eval()

    def train(self, mode: bool = True) -> FrozenEncoder:
        """It stays as it is: no dropout, no batch statistics."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        if pictures.device.type != "cpu" or len(pictures) <= AT_ONCE:
            return self._encoded(pictures)
        return torch.cat([self._encoded(some) for some in pictures.split(AT_ONCE)])

    def _encoded(self, pictures: Tensor) -> Tensor:
        if not self.tells_planes:
            return self.features(pictures)
        planes = self.network.decode(one_by_one(pictures, self.stacked))  # (B * K, rows, columns, P)
        return planes.unflatten(0, (-1, self.stacked)).permute(0, 2, 3, 1, 4).flatten(3)

    def features(self, pictures: Tensor) -> Tensor:
        """The spatial maps, flat, through which gradients go back to pictures of floats from 0 to 1."""
        maps = self.network.spatial(one_by_one(pictures, self.stacked)) / self.network.map_scale
        return maps.reshape(len(pictures), -1)


def as_pictures(obs: Tensor) -> Tensor:
    """Observations from 0 to 255 as encoders take them: uint8 as they are, others from 0 to 1."""
    return obs if obs.dtype == torch.uint8 else obs.float() / 255


def one_by_one(pictures: Tensor, stacked: int) -> Tensor:
    """Stacks (B, K * C, H, W), the newest picture last -> their pictures (B * K, C, H, W)."""
    return pictures.unflatten(1, (stacked, -1)).flatten(0, 1) if stacked > 1 else pictures


def modules_outside(network: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    """All modules of a network but those of this kind, and what is in them."""
    inside = {id(part) for module in network.modules() if isinstance(module, kind) for part in module.modules()}
    return [module for module in network.modules() if id(module) not in inside]
