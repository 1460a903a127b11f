"""Convolutions as layers of a compiled network: over planes, and over the numbers of another convolution."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .convolution import fold, unfold
from .kernel import Kernel
from .layers import PARTS, Dense, Layer, LayerOutput, Place, padded, rows_of
from .repeated_patches import (
    add_patches,
    count_groups,
    group_patches,
    hash_patches,
    kernel_backward,
    table_backward,
    table_forward,
)
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


class RepeatedPatches(Layer):
    """A convolution over planes and the fully connected layer that reads it, which compute what recurs once.

    For each minibatch anew: one in which few patches recur goes through the two layers by themselves.

    Args:
        columns: (C, H, W), where the planes' cells lie in a row of them.
    """

    def __init__(self, convolution: PlanesConvolution, dense: Dense, columns: Tensor) -> None:
        super().__init__()
        self.convolution, self.dense, self.width = convolution, dense, dense.width
        self.gradients = convolution.gradients | dense.gradients
        module, matrix = convolution.module, convolution.matrix
        size, padding = module.kernel_size, module.padding
        above, left = int(padding[0]), int(padding[1])
        patches = nn.functional.unfold(columns[None] + 1.0, size, padding=(above, left))
        patches = (
            patches.view(len(columns), *size, -1).flip(1, 2).flatten(0, 2).T - 1
        )  # (C * h * w, P) -> (P, C * h * w)
        self.cells = torch.zeros(len(patches), len(matrix), dtype=torch.int32) - 1
        self.cells[:, : patches.shape[1]] = patches
        self.image = (columns.shape[1] + 2 * above, columns.shape[2] + 2 * left)
        self.windows = [side - of + 1 for side, of in zip(self.image, size, strict=True)]
        random, largest = torch.Generator().manual_seed(0), 2**63 - 1
        self.keys, channel_keys = (
            torch.randint(-largest, largest, shape, generator=random) | 1 for shape in ((1, *size), (len(columns),))
        )
        channel, row, column = (*convolution.places.T,)
        self.positions = (row + above) * self.image[1] + column // module.out_channels + left
        self.cell_keys = channel_keys[channel]
        self.bias = torch.zeros(1, module.out_channels)
        self.weights = dense.forward_weights.view(len(patches), -1, dense.outputs)  # (1, P * C, O) -> (P, C, O)

    def read(self) -> None:
        self.convolution.read()
        self.dense.read()
        self.bias[0].copy_(self.convolution.module.bias.detach())  # type: ignore[union-attr]

    def collect(self) -> None:
        self.convolution.collect()
        self.dense.collect()

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        between, loops = self.convolution.forward(x)
        out, more = self.dense.forward(between)
        count, places = len(x.numbers), len(self.cells)
        room = padded(count // 2)
        sizes, few = torch.zeros(places, dtype=torch.int32), torch.zeros(2, dtype=torch.bool)
        groups, samples, slots = (
            torch.zeros(places * size, dtype=torch.int32) for size in (count, room, 1 << (2 * count - 1).bit_length())
        )
        hashes = torch.zeros(places * count, dtype=torch.int64)
        sizes_of_rows = len(self.convolution.matrix), self.bias.shape[1], self.width
        patches, features, table = (torch.empty(places * room, size) for size in sizes_of_rows)  # much is never touched
        images = torch.zeros(x.pieces, self.image[0] * self.image[1], dtype=torch.int64)
        sums = torch.zeros(count, *self.windows, dtype=torch.int64)
        out.saved = between, few.numpy(), sizes, groups, patches, features, table
        keys = self.positions, self.cell_keys, self.keys
        grouping = [
            Kernel(hash_patches, *x.cells, *keys, images, sums, hashes, units=x.pieces),
            Kernel(group_patches, hashes, slots, groups, samples, sizes, units=places),
            Kernel(count_groups, sizes, groups, few, units=1),
        ]
        read = *x.cells[:2], self.cells, samples, sizes, self.convolution.matrix, self.bias, self.weights
        relu = torch.tensor([out.relu])
        by_groups = [
            Kernel(table_forward, *read, patches, features, table, units=places),
            Kernel(add_patches, groups, table, self.dense.bias, relu, sizes, out.numbers, units=count),
        ]
        return out, [*grouping, *self._either(out, by_groups, [*loops, *more])]

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        between, _, sizes, groups, patches, features, table = out.saved
        between.grad = rows_of(*between.numbers.shape)
        by_samples = [*self.dense.backward(between, out), *self.convolution.backward(x, between)]
        dense, features_grad = self.dense, torch.empty_like(features)
        read: Any = groups, sizes, out.grad, dense.backward_weights[0], table, features  # type: ignore[index]
        written = features_grad, dense.weights_grad[0], dense.bias_grad
        gradients = self.convolution.matrix_grads, self.convolution.bias_grads
        by_groups = [
            Kernel(table_backward, *read, *written, units=len(sizes)),
            Kernel(kernel_backward, sizes, patches, features_grad, *gradients, units=PARTS),
        ]
        return self._either(out, by_groups, by_samples)

    def _either(self, out: LayerOutput, by_groups: list[Kernel], by_samples: list[Kernel]) -> list[Kernel]:
        """Loops of which those run that the minibatch wants."""
        few = out.saved[1]
        for loop in by_groups:
            loop.only_if = few[:1]
        for loop in by_samples:
            loop.only_if = few[1:]
        return [*by_groups, *by_samples]


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
