"""A fully connected layer over planes for PyTorch's own differentiation, in which empty cells cost nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space
from torch import Tensor

from ..nn.encoders import MlpEncoder
from .kernel import Kernel
from .sparse_linear import blocks_for, find_cells, linear_backward, linear_forward


def cells_of(planes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What `linear_forward` reads of planes (N, K): rows (N,), the planes, cells (N, K) and counts (N,)."""
    cells, counts = torch.empty(planes.shape, dtype=torch.int32), torch.empty(len(planes), dtype=torch.int32)
    read = (torch.arange(len(planes)), planes, cells, counts)
    Kernel(find_cells, *read, units=len(planes))()
    return read


class PlanesLinear(torch.autograd.Function):
    """The layer as PyTorch differentiates it: planes (N, K) uint8, weight (H, K) and bias (H,) to (N, H)."""

    @staticmethod
    def forward(ctx: Any, planes: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        read, out = cells_of(planes), torch.empty(len(planes), len(bias))
        Kernel(linear_forward, *read, weight.T.contiguous(), bias, torch.tensor([False]), out, units=len(planes))()
        ctx.save_for_backward(*read)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        read = ctx.saved_tensors
        outputs, inputs = grad.shape[1], read[1].shape[1]
        weight_grad, bias_grad, blocks = torch.empty(outputs, inputs), torch.empty(outputs), blocks_for(inputs, outputs)
        Kernel(linear_backward, *read, grad.contiguous(), blocks, weight_grad, bias_grad, units=len(blocks))()
        return None, weight_grad, bias_grad


class Shortcut:
    """A faster way from observations (B, ...) to features (B, F) for an `MlpEncoder` on planes.

    It uses the encoder's own layers, but for the first, whose weights it reads.
    """

    def __init__(self, encoder: MlpEncoder) -> None:
        self.encoder = encoder

    def __call__(self, obs: Tensor) -> Tensor:
        flatten, first, *rest = self.encoder.layers
        x: Any = PlanesLinear.apply(flatten(obs).contiguous(), first.weight, first.bias)  # (B, *shape) -> (B, H)
        for layer in rest:
            x = layer(x)
        return x


def shortcut_of(policy: Any) -> Shortcut | None:
    """For this policy; None where there is none."""
    encoder = policy.features_extractor
    return Shortcut(encoder) if isinstance(encoder, MlpEncoder) and sees_planes(policy) else None


def sees_planes(policy: Any) -> bool:
    """Whether its observations are bytes that are taken as the numbers they are."""
    space = policy.observation_space
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and not is_image_space(space)
