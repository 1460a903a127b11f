"""A convolution over planes and the layers after it as one layer, which computes patches that recur once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .branches import backward_through, forward_through
from .convolution_layers import PlanesConvolution
from .kernel import Kernel
from .layers import PARTS, Dense, Layer, LayerOutput, Norm, padded
from .repeated_patches import (
    add_patches,
    count_groups,
    group_patches,
    hash_patches,
    kernel_backward,
    patches_forward,
    patches_norm,
    patches_norm_backward,
    patches_norm_weights,
    table_backward,
    table_forward,
)

ROOM = 2048  # groups at a place, at most, for which there is memory


class RepeatedPatches(Layer):
    """A convolution over planes, maybe a normalisation of each place's channels, and a fully connected layer.

    For each minibatch anew: one in which few patches recur goes through the layers by themselves.

    Args:
        columns: (C, H, W), where the planes' cells lie in a row of them.
    """

    def __init__(self, convolution: PlanesConvolution, norm: Norm | None, dense: Dense, columns: Tensor) -> None:
        super().__init__()
        self.convolution, self.norm, self.dense, self.width = convolution, norm, dense, dense.width
        self.layers: list[Layer] = [layer for layer in (convolution, norm, dense) if layer]
        for layer in self.layers:
            self.gradients |= layer.gradients
        module, matrix = convolution.module, convolution.matrix
        size, padding = module.kernel_size, module.padding
        above, left = int(padding[0]), int(padding[1])
        patches = nn.functional.unfold(columns[None] + 1.0, size, padding=(above, left))
        patches = patches.view(len(columns), *size, -1).flip(1, 2).flatten(0, 2).T - 1  # -> (P, C * h * w)
        self.cells = torch.full((len(patches), len(matrix)), -1, dtype=torch.int32)
        self.cells[:, : patches.shape[1]] = patches
        self.image = (columns.shape[1] + 2 * above, columns.shape[2] + 2 * left)
        self.windows = [side - of + 1 for side, of in zip(self.image, size, strict=True)]
        random, largest = torch.Generator().manual_seed(0), 2**63 - 1
        keys, channel_keys = (
            torch.randint(-largest, largest, shape, generator=random) | 1 for shape in ((1, *size), (len(columns),))
        )
        channel, row, column = (*convolution.places.T,)
        position = (row + above) * self.image[1] + column // module.out_channels + left
        self.keys = position, channel_keys[channel], keys
        self.bias = torch.zeros(1, module.out_channels)
        self.weights = dense.forward_weights.view(len(patches), -1, dense.outputs)  # (1, P * C, O) -> (P, C, O)

    def read(self) -> None:
        for layer in self.layers:
            layer.read()
        self.bias[0].copy_(self.convolution.module.bias.detach())  # type: ignore[union-attr]

    def collect(self) -> None:
        for layer in self.layers:
            layer.collect()

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        by_samples: list[Kernel] = []
        outputs = forward_through(self.layers, x, by_samples)
        out, groups = outputs[-1], Groups(self, len(x.numbers))
        out.saved = outputs, groups
        places, sizes, table, convolution = len(self.cells), groups.sizes, groups.table, self.convolution
        read = *x.cells[:2], self.cells, groups.samples, sizes, convolution.matrix, self.bias
        first = torch.tensor([convolution.relu])
        by_groups = [Kernel(patches_forward, *read, first, groups.patches, groups.convolved, units=places)]
        if self.norm:
            scale = self.norm.numbers, self.norm.epsilon, torch.tensor([self.norm.relu])
            written = groups.scaled, groups.inverse, groups.channels(groups.features)
            by_groups.append(
                Kernel(patches_norm, groups.channels(groups.convolved), *scale, *written, sizes, units=places)
            )
        by_groups.append(Kernel(table_forward, groups.features, self.weights, sizes, table, units=places))
        added = groups.groups, table, self.dense.bias, torch.tensor([out.relu]), sizes, out.numbers
        by_groups.append(Kernel(add_patches, *added, units=len(x.numbers)))
        return out, [*groups.find(self, x), *groups.either(by_groups, by_samples)]

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        outputs, groups = out.saved
        by_samples = backward_through(self.layers, outputs)
        places, sizes, dense = len(self.cells), groups.sizes, self.dense
        features_grad = torch.empty_like(groups.features)
        read: Any = groups.groups, sizes, out.grad, dense.backward_weights[0], groups.table, groups.features  # type: ignore[index]
        written = features_grad, dense.weights_grad[0], dense.bias_grad
        by_groups = [Kernel(table_backward, *read, *written, units=places)]
        grad = features_grad
        if self.norm:
            grad, after = torch.empty_like(features_grad), groups.channels(features_grad)
            weights = after, groups.scaled, sizes, self.norm.weights_grads
            read = after, self.norm.numbers, groups.scaled, groups.inverse
            by_groups.append(Kernel(patches_norm_weights, *weights, units=PARTS))
            by_groups.append(Kernel(patches_norm_backward, *read, groups.channels(grad), sizes, units=places))
        gradients = self.convolution.matrix_grads, self.convolution.bias_grads
        by_groups.append(Kernel(kernel_backward, groups.patches, grad, sizes, *gradients, units=PARTS))
        return groups.either(by_groups, by_samples)


class Groups:
    """The groups of equal patches in N samples, and what is computed of each; names and shapes as in `repeated_patches`.

    Attributes:
        few: (2,), whether they are so few that it pays, and the opposite.
        convolved, features: (P * G, C), what the convolution gives, and what the fully connected layer reads.
        scaled, inverse: see `layer_norm.norm_forward`.
    """

    def __init__(self, layer: RepeatedPatches, count: int) -> None:
        places, channels = len(layer.cells), layer.bias.shape[1]
        room = padded(min(count // 2, ROOM))
        self.few, self.sizes = np.zeros(2, dtype=bool), torch.zeros(places, dtype=torch.int32)
        self.groups = torch.zeros(places * count, dtype=torch.int32)
        self.samples = torch.zeros(places * room, dtype=torch.int32)
        # Of these most is never touched.
        self.patches = torch.empty(places * room, len(layer.convolution.matrix))
        self.convolved = self.features = torch.empty(places * room, channels)
        self.table = torch.empty(places * room, layer.width)
        if layer.norm:
            self.features, self.scaled = (torch.empty(places * room, *shape) for shape in ((channels,), (1, channels)))
            self.inverse = torch.empty(places * room, 1)

    def find(self, layer: RepeatedPatches, x: LayerOutput) -> list[Kernel]:
        """The loops that put the samples' patches into groups."""
        count, places = len(x.numbers), len(self.sizes)
        hashes = torch.zeros(places * count, dtype=torch.int64)
        images = torch.zeros(x.pieces, layer.image[0] * layer.image[1], dtype=torch.int64)
        sums = torch.zeros(count, *layer.windows, dtype=torch.int64)
        slots = torch.zeros(places * (1 << (2 * count - 1).bit_length()), dtype=torch.int32)
        return [
            Kernel(hash_patches, *x.cells, *layer.keys, images, sums, hashes, units=x.pieces),
            Kernel(group_patches, hashes, slots, self.groups, self.samples, self.sizes, units=places),
            Kernel(count_groups, self.sizes, self.groups, torch.from_numpy(self.few), units=1),
        ]

    def either(self, by_groups: list[Kernel], by_samples: list[Kernel]) -> list[Kernel]:
        """Loops of which the ones or the others run, by what `find` found."""
        for loop in by_groups:
            loop.only_if = self.few[:1]
        for loop in by_samples:
            loop.only_if = self.few[1:]
        return [*by_groups, *by_samples]

    @staticmethod
    def channels(numbers: Tensor) -> Tensor:
        return numbers[:, None]  # (P * G, C) -> (P * G, 1, C), as normalisations read them
