"""Convolutions as layers of a compiled network: over planes, and over the numbers of another convolution."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .convolution import convolve, convolve_backward_weights, convolve_relu, crop, crop_above_zero, pad
from .kernel import Kernel
from .layers import PARTS, Layer, LayerOutput, rows_of
from .sparse_linear import convolution_backward, convolution_forward, convolution_forward_relu


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
        self.weights, self.bias = torch.zeros(channels, height, across, outputs), torch.zeros(1, self.grid[1])
        self.weights_grads, self.bias_grads = torch.zeros(PARTS, *self.weights.shape), torch.zeros(PARTS, self.shape[1])
        self.gradients = {id(weight): torch.zeros_like(weight) for weight in module.parameters()}

    def read(self) -> None:
        bias = self.module.bias.detach()  # type: ignore[union-attr]
        self.weights.copy_(self.module.weight.detach().permute(1, 2, 3, 0).flip(1, 2))  # (O, C, h, w) -> (C, h, w, O)
        self.bias.view(-1, len(bias)).copy_(bias)

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        out = LayerOutput(rows_of(len(x.numbers), self.width), relu=self.relu)
        loop = convolution_forward_relu if self.relu else convolution_forward
        read = (*x.cells, self.places, self.weights.flatten(2)[None], self.bias)
        grids = torch.zeros(x.pieces, *self.grid)
        return out, [Kernel(loop, *read, grids, self._image(out.numbers), units=x.pieces)]

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        written = (torch.zeros(PARTS, *self.grid), self.weights_grads.flatten(3), self.bias_grads)
        return [Kernel(convolution_backward, *x.cells, self.places, self._image(out.grad), *written, units=PARTS)]

    def collect(self) -> None:
        weight, bias = self.gradients.values()
        weight.copy_(self.weights_grads.sum(0).flip(1, 2).permute(3, 0, 1, 2))  # (P, C, h, w, O) -> (O, C, h, w)
        bias.copy_(self.bias_grads.view(-1, len(bias)).sum(0))

    def _image(self, numbers: Any) -> Tensor:
        return numbers.view(-1, *self.shape)  # (N, H' * W' * O) -> (N, H', W' * O)


class Convolution(Layer):
    """A convolution over the numbers (N, H * W * C) of another layer, channels last, with any stride and padding.

    Channels are padded with zeros to multiples of four.

    Args:
        shape: (H, W, C), as the numbers lie, with what pads their channels.
        relu: whether it ends in a ReLU.
    """

    def __init__(self, module: nn.Conv2d, shape: tuple[int, int, int], relu: bool) -> None:
        super().__init__()
        (height, width), (self.down, self.across) = module.kernel_size, module.stride
        self.module, self.relu, self.inputs = module, relu, shape
        self.top, self.left = module.padding  # type: ignore[misc]
        rows = (shape[0] + 2 * self.top - height) // self.down + 1  # type: ignore[operator]
        columns = (shape[1] + 2 * self.left - width) // self.across + 1  # type: ignore[operator]
        channels, outputs = -(-shape[2] // 4) * 4, -(-module.out_channels // 4) * 4
        self.outputs, self.width = (rows, columns, outputs), rows * columns * outputs
        # What the outputs need of the padded inputs, exactly.
        self.padded = ((rows - 1) * self.down + height, (columns - 1) * self.across + width, channels)
        self.weights, self.bias = torch.zeros(height, width, channels, outputs), torch.zeros(1, outputs)
        self.turned = torch.zeros(height, width, outputs, channels)  # by half a circle
        self.weights_grads, self.bias_grads = torch.zeros(PARTS, *self.weights.shape), torch.zeros(PARTS, outputs)
        self.gradients = {id(weight): torch.zeros_like(weight) for weight in module.parameters()}

    def read(self) -> None:
        weight = self.module.weight.detach().permute(2, 3, 1, 0)  # (O, C, h, w) -> (h, w, C, O)
        _, _, channels, outputs = weight.shape
        self.weights[:, :, :channels, :outputs] = weight
        self.turned[:, :, :outputs, :channels] = weight.flip(0, 1).transpose(2, 3)
        self.bias[0, :outputs] = self.module.bias.detach()  # type: ignore[union-attr]

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        count = len(x.numbers)
        out, corner = LayerOutput(rows_of(count, self.width), relu=self.relu), torch.tensor([self.top, self.left, 1, 1])
        out.saved = torch.zeros(count, *self.padded)
        loop = convolve_relu if self.relu else convolve
        return out, [
            Kernel(pad, x.numbers.view(-1, *self.inputs), corner, out.saved, units=count),
            Kernel(loop, out.saved, self.weights, self.bias, out.numbers.view(-1, *self.outputs), units=count),
        ]

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        grad: Any = out.grad.view(-1, *self.outputs)  # type: ignore[union-attr]
        written = self.weights_grads, self.bias_grads
        loops = [Kernel(convolve_backward_weights, out.saved, grad, *written, units=PARTS)]
        if x.grad is None:
            return loops
        height, width = self.weights.shape[:2]
        sizes = self.padded[0] + height - 1, self.padded[1] + width - 1
        spread, padded = torch.zeros(len(grad), *sizes, self.outputs[2]), torch.zeros(len(grad), *self.padded)
        corner = torch.tensor([height - 1, width - 1, self.down, self.across])
        numbers, x_grad = (y.view(-1, *self.inputs) for y in (x.numbers, x.grad))
        loop, masks = (crop_above_zero, [numbers]) if x.relu else (crop, [])
        read = padded, torch.tensor([self.top, self.left]), *masks
        return [
            *loops,
            Kernel(pad, grad, corner, spread, units=len(grad)),
            Kernel(convolve, spread, self.turned, torch.zeros(1, self.padded[2]), padded, units=len(grad)),
            Kernel(loop, *read, x_grad, units=len(grad)),
        ]

    def collect(self) -> None:
        weight, bias = self.gradients.values()
        outputs, channels = weight.shape[:2]
        weight.copy_(self.weights_grads.sum(0)[:, :, :channels, :outputs].permute(3, 2, 0, 1))
        bias.copy_(self.bias_grads.sum(0)[:outputs])
