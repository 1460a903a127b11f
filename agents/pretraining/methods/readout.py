"""The linear layers that methods put on features."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Readout(nn.Module):
    """A 1x1 convolution of standardized features, whose weights learn `gain` times as fast as the encoder's.

    It finds at once what features tell already. With plain weights the encoder is bent for them first, and loses for
    hundreds of steps what it could tell at random.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 3.0) -> None:
        super().__init__()
        self.gain = gain
        self.norm = nn.BatchNorm2d(inputs, affine=False)
        self.layer = nn.Conv2d(inputs, outputs, 1)
        with torch.no_grad():
            self.layer.weight /= gain
            self.layer.bias /= gain  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * self.layer(self.norm(x))
