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
from .loops import Loop, run

STRIP = 32  # columns at most: what one thread takes of a weight matrix in `linear_backward`

# In the loops, planes are (M, K) uint8, and sample i is row rows[i] of them; cells (N, K) int32 and counts (N,) int32 say
# which of its bytes are not zero.


def find_cells(rows, planes, cells, counts, first, last):
    """Note the places of the bytes that are not zero, in samples first .. last-1."""
    for i in range(first, last):
        row, n = rows[i], 0
        for k in range(planes.shape[1]):
            cells[i, n] = k  # written over by the next, unless this one counts: no branch to mispredict
            n += planes[row, k] != 0
        counts[i] = n
    return 0


def linear_forward(rows, planes, cells, counts, weights, bias, out, first, last):
    """out (N, H) = planes[rows] (N, K) @ weights (K, H) + bias (H,), for samples first .. last-1."""
    for i in range(first, last):
        _add_cells(rows, planes, cells, counts, weights, bias, out, i)
    return 0


def linear_forward_relu(rows, planes, cells, counts, weights, bias, out, first, last):
    """The same, and what is below zero becomes zero."""
    zero = np.float32(0)
    for i in range(first, last):
        _add_cells(rows, planes, cells, counts, weights, bias, out, i)
        for j in range(out.shape[1]):
            out[i, j] = zero if out[i, j] < zero else out[i, j]  # what is not a number stays so
    return 0


def _add_cells(rows, planes, cells, counts, weights, bias, out, i):
    """For sample i."""
    row = rows[i]
    for j in range(out.shape[1]):
        out[i, j] = bias[j]
    for m in range(counts[i]):
        k = cells[i, m]
        value = np.float32(planes[row, k])
        for j in range(out.shape[1]):
            out[i, j] += value * weights[k, j]


def linear_backward(rows, planes, cells, counts, slope, strips, change, bias_change, first, last):
    """change (H, K) = slope (N, H)^T @ planes[rows] (N, K) and bias_change (H,) = the sum of slope's rows.

    The sums are taken in strips (S, K, H / S), where they lie as they are needed; for strips first .. last-1.
    """
    width = strips.shape[2]
    for s in range(first, last):
        left = s * width
        for j in range(width):
            bias_change[left + j] = 0
        for k in range(strips.shape[1]):
            for j in range(width):
                strips[s, k, j] = 0
        for i in range(slope.shape[0]):
            row = rows[i]
            for j in range(width):
                bias_change[left + j] += slope[i, left + j]
            for m in range(counts[i]):
                k = cells[i, m]
                value = np.float32(planes[row, k])
                for j in range(width):
                    strips[s, k, j] += value * slope[i, left + j]
        for k in range(strips.shape[1]):
            for j in range(width):
                change[left + j, k] = strips[s, k, j]
    return 0


def strips_for(inputs: int, outputs: int) -> Tensor:
    """Scratch (S, K, H / S) for `linear_backward`."""
    width = max(size for size in range(1, STRIP + 1) if outputs % size == 0)
    return torch.zeros(outputs // width, inputs, width)


def cells_of(planes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows (N,) int64, places (N, K) int32 and numbers (N,) int32 of the bytes of planes (N, K) that are not zero."""
    rows = torch.arange(len(planes))
    cells, counts = torch.empty(planes.shape, dtype=torch.int32), torch.empty(len(planes), dtype=torch.int32)
    run(find_cells, rows, planes, cells, counts)
    return rows, cells, counts


class PlanesLinear(torch.autograd.Function):
    """The layer as PyTorch differentiates it: planes (N, K) uint8, weight (H, K) and bias (H,) to (N, H)."""

    @staticmethod
    def forward(ctx: Any, planes: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        rows, cells, counts = cells_of(planes)
        out = torch.empty(len(planes), len(bias))
        run(linear_forward, rows, planes, cells, counts, weight.T.contiguous(), bias, out)
        ctx.save_for_backward(rows, planes, cells, counts)
        return out

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:  # type: ignore[override]
        rows, planes, cells, counts = ctx.saved_tensors
        outputs, inputs = slope.shape[1], planes.shape[1]
        change, bias_change, strips = torch.empty(outputs, inputs), torch.empty(outputs), strips_for(inputs, outputs)
        work = (rows, planes, cells, counts, slope.contiguous(), strips, change, bias_change)
        Loop(linear_backward, *work, units=len(strips))()
        return None, change, bias_change


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
