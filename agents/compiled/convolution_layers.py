"""Convolutions as layers of a compiled network: over planes, and over the numbers of another convolution."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .convolution import fold, unfold
from .kernel import Kernel
from .layers import PARTS, Dense, Layer, LayerOutput, Place, padded, rows_of
from .sparse_linear import convolution_backward, convolution_forward


class PlanesConvolution(Layer):
    """A convolution over planes, with steps of one and less padding than its size.

    Args:
        columns: (C, H, W), where the planes' cells lie in a row of them.
        relu: whether it ends in a ReLU.
    """

    def __init__(self, module: nn.Conv2d, columns: Tensor, relu: bool) -> None:
        super().__init__()
        self.module, self.relu, (channels, rows, width), outputs = module, relu, columns.shape, module.out_channels
        (height, across), (above, left) = module.kernel_size, module.padding
        self.shape = (rows + 2 * above - height + 1, (width + 2 * left - across + 1) * outputs)  # type: ignore[operator]
        self.grid = (rows + height - 1, (width + across - 1) * outputs)  # with the border
        self.width = self.shape[0] * self.shape[1]
        cells = torch.cartesian_prod(*(torch.arange(size) for size in columns.shape)).to(torch.int32)
        self.places = torch.zeros(columns.numel(), 3, dtype=torch.int32)
        self.places[columns.flatten()] = cells * torch.tensor([1, 1, outputs], dtype=torch.int32)
        size = channels * height * across
        self.matrix = torch.zeros(padded(size), outputs)  # (K, O) of patches
        self.matrix_grads = torch.zeros(PARTS, *self.matrix.shape)
        self.weights = self.matrix[:size].unflatten(0, (channels, height, across))
        self.weights_grads = self.matrix_grads[:, :size].unflatten(1, (channels, height, across))
        self.bias, self.bias_grads = torch.zeros(1, self.grid[1]), torch.zeros(PARTS, self.shape[1])
        self.gradients = {id(weight): torch.zeros_like(weight) for weight in module.parameters()}

    def read(self) -> None:
        bias = self.module.bias.detach()  # type: ignore[union-attr]
        self.weights.copy_(self.module.weight.detach().permute(1, 2, 3, 0).flip(1, 2))  # (O, C, h, w) -> (C, h, w, O)
        self.bias.view(-1, len(bias)).copy_(bias)

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        out = LayerOutput(rows_of(len(x.numbers), self.width), relu=self.relu)
        read = (*x.cells, self.places, self.weights.flatten(2)[None], self.bias, torch.tensor([self.relu]))
        written = torch.zeros(x.pieces, *self.grid), self._image(out.numbers)
        return out, [Kernel(convolution_forward, *read, *written, units=x.pieces)]

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        written = (torch.zeros(PARTS, *self.grid), self.weights_grads.flatten(3), self.bias_grads)
        return [Kernel(convolution_backward, *x.cells, self.places, self._image(out.grad), *written, units=PARTS)]

    def collect(self) -> None:
        weight, bias = self.gradients.values()
        weight.copy_(self.weights_grads.sum(0).flip(1, 2).permute(3, 0, 1, 2))  # (P, C, h, w, O) -> (O, C, h, w)
        bias.copy_(self.bias_grads.view(-1, len(bias)).sum(0))

    def _image(self, numbers: Any) -> Tensor:
        return numbers.view(-1, *self.shape)  # (N, H' * W' * O) -> (N, H', W' * O)


class Convolution(Dense):
    """A convolution over the numbers (N, H * W * C) of another layer, channels last: a fully connected layer over patches.

    Args:
        shape: (H, W, C), as the numbers lie, with what pads their channels.
        relu: whether it ends in a ReLU.
    """

    def __init__(self, module: nn.Conv2d, shape: tuple[int, int, int], relu: bool) -> None:
        image = torch.arange(shape[0] * shape[1]).view(1, 1, *shape[:2]) + 1.0  # places counted from 1: padding is 0
        size, padding, stride = module.kernel_size, module.padding, module.stride
        places = nn.functional.unfold(image, size, padding=padding, stride=stride)[0].T - 1  # type: ignore[arg-type]
        self.places, self.shape = places.to(torch.int32).contiguous(), shape  # (P, h * w)
        steps = torch.arange(self.places.shape[1]) * shape[2]
        columns = (torch.arange(module.in_channels)[:, None] + steps).flatten()  # (C, h * w) -> C * h * w
        super().__init__(
            1, self.places.shape[1] * shape[2], padded(module.out_channels), [Place(module, columns)], relu
        )
        self.width = len(self.places) * self.outputs

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        count = len(x.numbers)
        patches = LayerOutput(torch.zeros(count * len(self.places), self.inputs))
        out = LayerOutput(torch.zeros(count, self.width), relu=self.relu, saved=patches)
        read = self._image(x.numbers), self.places
        return out, [Kernel(unfold, *read, self._patches(patches.numbers), units=count), self.product(patches, out)]

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        patches, x_grad = out.saved, x.grad
        if x_grad is None:
            return super().backward(patches, out)
        patches.grad = torch.zeros_like(patches.numbers)
        read = self._patches(patches.grad), self.places, self._image(x.numbers), torch.tensor([x.relu])
        return [*super().backward(patches, out), Kernel(fold, *read, self._image(x_grad), units=len(x_grad))]

    def _image(self, numbers: Tensor) -> Tensor:
        return numbers.view(len(numbers), -1, self.shape[2])  # (N, H * W * C) -> (N, H * W, C)

    def _patches(self, numbers: Tensor) -> Tensor:
        return numbers.view(-1, *self.places.shape, self.shape[2])  # (N * P, h * w * C) -> (N, P, h * w, C)
