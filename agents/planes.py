"""A fully connected layer over planes: most cells are empty, and the empty ones cost nothing.

A matrix product multiplies all the zeros; the loops below add up the weights of the cells that are set. They are plain
Python, compiled like a game's rules, and read the same weights as PyTorch's own layer, which computes on a GPU.

(The same for a convolution was tried, and was no faster than PyTorch's.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.preprocessing import is_image_space
from torch import Tensor

from .encoders import MlpEncoder
from .loops import run

# The loops, over samples first .. last-1; cells (N, K) int32 and counts (N,) int32 say which bytes are not zero.


def find_cells(planes, cells, counts, first, last):
    """Note the places of the bytes that are not zero; planes (N, K) uint8."""
    for i in range(first, last):
        n = 0
        for k in range(planes.shape[1]):
            cells[i, n] = k  # written over by the next, unless this one counts: no branch to mispredict
            n += planes[i, k] != 0
        counts[i] = n
    return 0


def linear_forward(planes, cells, counts, weights, bias, out, first, last):
    """out (N, H) = planes (N, K) @ weights (K, H) + bias (H,)."""
    for i in range(first, last):
        for j in range(out.shape[1]):
            out[i, j] = bias[j]
        for m in range(counts[i]):
            k = cells[i, m]
            value = np.float32(planes[i, k])
            for j in range(out.shape[1]):
                out[i, j] += value * weights[k, j]
    return 0


def linear_backward(planes, cells, counts, slope, change, first, last):
    """change (K, H) += planes (N, K)^T @ slope (N, H)."""
    for i in range(first, last):
        for m in range(counts[i]):
            k = cells[i, m]
            value = np.float32(planes[i, k])
            for j in range(slope.shape[1]):
                change[k, j] += value * slope[i, j]
    return 0


def cells_of(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Places (N, K) int32 and numbers (N,) int32 of the bytes of planes (N, K) that are not zero."""
    cells, counts = torch.empty(planes.shape, dtype=torch.int32), torch.empty(len(planes), dtype=torch.int32)
    run(find_cells, planes, cells, counts)
    return cells, counts


class PlanesLinear(torch.autograd.Function):
    """The layer as PyTorch differentiates it: planes (N, K) uint8, weight (H, K) and bias (H,) to (N, H)."""

    @staticmethod
    def forward(ctx: Any, planes: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        cells, counts = cells_of(planes)
        out = torch.empty(len(planes), len(bias))
        run(linear_forward, planes, cells, counts, weight.T.contiguous(), bias, out)
        ctx.save_for_backward(planes, cells, counts)
        return out

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:  # type: ignore[override]
        planes, cells, counts = ctx.saved_tensors
        slope = slope.contiguous()
        change = torch.zeros(planes.shape[1], slope.shape[1])
        run(linear_backward, planes, cells, counts, slope, change)
        return None, change.T.contiguous(), slope.sum(0)


def shortcut_of(policy: Any) -> Callable[[Tensor], Tensor] | None:
    """A faster way from observations (B, ...) to features (B, F), for an `MlpEncoder` on planes; None for others.

    It uses the encoder's own layers, but for the first, whose weights it reads.
    """
    encoder = policy.features_extractor
    space = policy.observation_space
    if not isinstance(encoder, MlpEncoder) or space.dtype != np.uint8 or is_image_space(space):
        return None
    flatten, first, *rest = encoder.layers

    def features(obs: Tensor) -> Tensor:
        x: Any = PlanesLinear.apply(flatten(obs).contiguous(), first.weight, first.bias)  # (B, *shape) -> (B, H)
        for layer in rest:
            x = layer(x)
        return x

    return features
