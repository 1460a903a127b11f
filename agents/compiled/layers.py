"""The layers of a policy as `linear` and `sparse_linear` loops: what they read and write, forwards and backwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..nn.noisy import Moved, NoisyLinear
from .adam import laid_out_as
from .kernel import UNIT, Kernel
from .layer_norm import norm_backward_inputs, norm_backward_weights, norm_forward_relu
from .linear import (
    ROWS,
    TILE,
    dense_backward_inputs,
    dense_backward_weights,
    dense_forward,
    dense_forward_relu,
)
from .sparse_linear import (
    convolution_backward,
    convolution_forward,
    convolution_forward_relu,
    find_cells,
    linear_backward,
    linear_forward,
    linear_forward_relu,
    strips_for,
)
from .transpose import SIDE, transpose

PARTS = 16  # of a minibatch, whose changes of a convolution are added up
PAD = 16  # numbers after each row: rows that lie whole pages apart would push each other out of the cache


def rows_of(count: int, width: int) -> Tensor:
    """Zeros (N, W), with gaps between the rows."""
    return torch.zeros(count, width + PAD)[:, :width]


@dataclass
class Flow:
    """What passes between two layers, for N samples: numbers (N, W) and their grads, or what is seen of planes."""

    numbers: Tensor
    seen: Any = None  # (rows, planes, cells, counts), see `sparse_linear`; then the numbers are its rows
    grad: Tensor | None = None
    kept: Any = None  # what the layer that made it will want on the way back

    @property
    def units(self) -> int:
        return len(self.numbers) // UNIT

    @property
    def pieces(self) -> int:
        return -(-len(self.numbers) // ROWS)


class Place(NamedTuple):
    """Where the weights of a module lie in a matrix."""

    module: nn.Linear
    group: int = 0
    first_input: int = 0
    first_output: int = 0

    @property
    def inputs(self) -> slice:
        return slice(self.first_input, self.first_input + self.module.in_features)

    @property
    def outputs(self) -> slice:
        return slice(self.first_output, self.first_output + self.module.out_features)


class _Copy:
    """What a `Dense` layer has of one module's weights, at its place in the layer's matrices.

    Attributes:
        learned: of a noisy module, as `Moved` has it.
    """

    def __init__(self, place: Place, forward: Tensor, backward: Tensor | None, bias: Tensor) -> None:
        module = place.module
        self._moved = Moved(module) if isinstance(module, NoisyLinear) else None
        self._source = self._moved or module
        self.learned = self._moved.learned if self._moved else ()
        self._forward = forward  # (G, I, O), all of it: a loop writes this module's part
        self._backward = backward[place.group, place.outputs, place.inputs] if backward is not None else None
        self._bias = bias[place.group, place.outputs]
        self._where = torch.tensor([place.group, place.first_input, place.first_output])
        self._transpose = self._transpose_of(self._source.weight.detach())

    def read(self) -> None:
        """The module's weights as they are now."""
        if self._moved:
            self._moved.read()
        weight = self._source.weight.detach()
        if self._transpose.tensors[0].data_ptr() != weight.data_ptr():  # it has another tensor now
            self._transpose = self._transpose_of(weight)
        self._transpose()
        if self._backward is not None:
            self._backward.copy_(weight)
        self._bias.copy_(self._source.bias.detach())

    def _transpose_of(self, weight: Tensor) -> Kernel:
        units = -(-weight.shape[1] // SIDE)
        return Kernel(transpose, weight, self._where, self._forward, units=units)  # (O, I) -> (I, O)


class Layer:
    """A layer's weights as its loops want them.

    Attributes:
        width: how many numbers it makes of a sample.
        gradients: one for each weight of its modules, named by the weights' ids.
    """

    width: int

    def __init__(self) -> None:
        self.gradients: dict[int, Tensor] = {}
        self.copied: list[tuple[Tensor, Tensor]] = []  # gradients, and where loops leave them, where that is elsewhere

    def read(self) -> None:
        """The modules' weights as they are now."""
        raise NotImplementedError

    def forward(self, x: Flow) -> tuple[Flow, list[Kernel]]:
        """What comes out, and the loops that compute it."""
        raise NotImplementedError

    def backward(self, x: Flow, out: Flow) -> list[Kernel]:
        """From the grads of `out` to the gradients and, where `x` has any, its grads."""
        raise NotImplementedError

    def collect(self) -> None:
        """Bring the gradients to where they are looked for."""
        for gradient, source in self.copied:
            gradient.copy_(source)

    def _found(self, weight: Tensor, source: Tensor) -> None:
        """The gradient of a weight lies there: the same memory, if it is whole."""
        gradient = laid_out_as(weight, source)
        self.gradients[id(weight)] = gradient
        if gradient.data_ptr() != source.data_ptr():
            self.copied.append((gradient, source))


class Dense(Layer):
    """Fully connected layers side by side, or several that read the same and are one wider layer.

    Args:
        groups, inputs, outputs: sizes of the matrix; processors take up to sixteen numbers at once, so they are filled up
            with zeros to multiples of that.
        places: which modules it consists of.
        relu: whether a ReLU follows at once.
    """

    passes_on = True  # grads of what it reads

    def __init__(self, groups: int, inputs: int, outputs: int, places: Sequence[Place], relu: bool = True) -> None:
        super().__init__()
        self.kernel = dense_forward_relu if relu else dense_forward
        self.groups, self.inputs, self.outputs = groups, inputs, outputs
        self.width = groups * outputs
        self.forward_weights, self.bias = torch.zeros(groups, inputs, outputs), torch.zeros(groups, outputs)
        self.change, self.bias_change = torch.zeros(groups, outputs, inputs), torch.zeros_like(self.bias)
        self.backward_weights = torch.zeros(groups, outputs, inputs + PAD) if self.passes_on else None
        self._copies = [_Copy(place, self.forward_weights, self.backward_weights, self.bias) for place in places]
        for place in places:
            self._found(place.module.weight, self.change[place.group, place.outputs, place.inputs])
            self._found(place.module.bias, self.bias_change[place.group, place.outputs])
        self._learned = [learned for copy in self._copies for learned in copy.learned]
        self.gradients |= {id(sigma): torch.zeros_like(sigma) for sigma, _, _ in self._learned}

    def read(self) -> None:
        for copy in self._copies:
            copy.read()

    def collect(self) -> None:
        super().collect()
        for sigma, weight, noise in self._learned:
            torch.mul(self.gradients[id(weight)], noise, out=self.gradients[id(sigma)])

    def forward(self, x: Flow) -> tuple[Flow, list[Kernel]]:
        out = Flow(rows_of(len(x.numbers), self.width))
        loop = Kernel(
            self.kernel, self._in(x), self.forward_weights, self.bias, self._out(out.numbers), units=out.pieces
        )
        return out, [loop]

    def backward(self, x: Flow, out: Flow) -> list[Kernel]:
        grad, numbers = self._out(out.grad), self._in(x)
        units = self.width // TILE
        loops = [Kernel(dense_backward_weights, grad, numbers, self.change, self.bias_change, units=units)]
        if x.grad is not None and self.backward_weights is not None:
            x_grad = x.grad.view(-1, self.groups, self.inputs)
            loops.append(Kernel(dense_backward_inputs, grad, self.backward_weights, numbers, x_grad, units=out.pieces))
        return loops

    def _in(self, x: Flow) -> Tensor:
        return x.numbers.view(-1, self.groups, self.inputs)  # (N, G * I) -> (N, G, I)

    def _out(self, numbers: Any) -> Tensor:
        return numbers.view(-1, self.groups, self.outputs)  # (N, G * O) -> (N, G, O)


class OnPlanes(Dense):
    """The same on planes, which have no grads; one group."""

    passes_on = False

    def __init__(self, inputs: int, outputs: int, places: Sequence[Place], relu: bool = True) -> None:
        super().__init__(1, inputs, outputs, places)
        self.kernel = linear_forward_relu if relu else linear_forward
        self.strips = strips_for(inputs, outputs)

    def forward(self, x: Flow) -> tuple[Flow, list[Kernel]]:
        out = Flow(rows_of(len(x.numbers), self.width))
        read = (*x.seen, self.forward_weights[0], self.bias[0])
        return out, [Kernel(self.kernel, *read, out.numbers, units=len(x.numbers))]

    def backward(self, x: Flow, out: Flow) -> list[Kernel]:
        written: Any = (out.grad, self.strips, self.change[0], self.bias_change[0])
        return [Kernel(linear_backward, *x.seen, *written, units=len(self.strips))]


class Convolution(Layer):
    """A convolution over planes without padding, with steps of one.

    Args:
        shape: of the planes, (H, W, C).
        relu: whether a ReLU follows at once.
    """

    def __init__(self, module: nn.Conv2d, shape: tuple[int, int, int], relu: bool = True) -> None:
        super().__init__()
        self.kernel = convolution_forward_relu if relu else convolution_forward
        self.module, (rows, columns, channels), outputs = module, shape, module.out_channels
        height, across = module.kernel_size
        self.shape = (rows - height + 1, (columns - across + 1) * outputs)
        self.grid = (rows + height - 1, (columns + across - 1) * outputs)  # with what lies around
        self.width = self.shape[0] * self.shape[1]
        self.weights, self.bias = torch.zeros(channels, height, across, outputs), torch.zeros(1, self.grid[1])
        self.changes, self.bias_changes = torch.zeros(PARTS, *self.weights.shape), torch.zeros(PARTS, self.shape[1])
        self.gradients = {id(weight): torch.zeros_like(weight) for weight in module.parameters()}

    def read(self) -> None:
        weight, bias = (weight.detach() for weight in self.module.parameters())
        self.weights.copy_(weight.permute(1, 2, 3, 0).flip(1, 2))  # (O, C, h, w) -> (C, h, w, O)
        self.bias.view(-1, len(bias)).copy_(bias)

    def forward(self, x: Flow) -> tuple[Flow, list[Kernel]]:
        out = Flow(rows_of(len(x.numbers), self.width))
        read, grids = (*x.seen, self.weights.flatten(2)[None], self.bias), torch.zeros(x.pieces, *self.grid)
        return out, [Kernel(self.kernel, *read, grids, self._inside(out.numbers), units=x.pieces)]

    def backward(self, x: Flow, out: Flow) -> list[Kernel]:
        written = (torch.zeros(PARTS, *self.grid), self.changes.flatten(3), self.bias_changes)
        return [Kernel(convolution_backward, *x.seen, self._inside(out.grad), *written, units=PARTS)]

    def collect(self) -> None:
        weight, bias = self.gradients.values()
        weight.copy_(self.changes.sum(0).flip(1, 2).permute(3, 0, 1, 2))  # (P, C, h, w, O) -> (O, C, h, w)
        bias.copy_(self.bias_changes.view(-1, len(bias)).sum(0))

    def _inside(self, numbers: Any) -> Tensor:
        return numbers.view(-1, *self.shape)  # (N, H' * W' * O) -> (N, H', W' * O)


class Norm(Layer):
    """Layer normalisation and a ReLU.

    Args:
        module: over each group.
        groups, width: how many numbers come, and in how many groups; those that fill a group up become 0.
    """

    def __init__(self, module: nn.LayerNorm, groups: int, width: int) -> None:
        super().__init__()
        self.module, self.groups, self.width = module, groups, groups * width
        size = module.normalized_shape[0]
        self.numbers, self.epsilon = torch.zeros(2, size), torch.tensor([module.eps])
        self._rows = list(self.numbers)
        self.changes = torch.zeros(PARTS, 2, size)
        self.gradients = {id(weight): torch.zeros_like(weight) for weight in module.parameters()}

    def read(self) -> None:
        for row, weight in zip(self._rows, (self.module.weight, self.module.bias), strict=True):
            row.copy_(weight.detach())

    def forward(self, x: Flow) -> tuple[Flow, list[Kernel]]:
        count = len(x.numbers)
        out, scaled = Flow(rows_of(count, self.width)), rows_of(count, self.width)
        out.kept = self._in(scaled), torch.zeros(count, self.groups)
        read = (self._in(x.numbers), self.numbers, self.epsilon)
        return out, [Kernel(norm_forward_relu, *read, *out.kept, self._in(out.numbers), units=count)]

    def backward(self, x: Flow, out: Flow) -> list[Kernel]:
        grad, (scaled, spread) = self._in(out.grad), out.kept
        loops = [Kernel(norm_backward_weights, grad, scaled, self.changes, units=PARTS)]
        if x.grad is not None:
            written = (self.numbers, scaled, spread, self._in(x.grad))
            loops.append(Kernel(norm_backward_inputs, grad, *written, units=len(x.numbers)))
        return loops

    def collect(self) -> None:
        for gradient, change in zip(self.gradients.values(), self.changes.sum(0), strict=True):
            gradient.copy_(change)

    def _in(self, numbers: Any) -> Tensor:
        return numbers.view(len(numbers), self.groups, -1)  # (N, G * W) -> (N, G, W)


def looked_at(planes: Tensor, samples: int, unit: int = TILE) -> tuple[Flow, list[Kernel]]:
    """Planes (M, K) uint8, of which samples are rows, as the first layer sees them, and up to a whole unit any others."""
    height = -(-samples // unit) * unit
    rows = torch.zeros(height, dtype=torch.int64)
    cells, counts = torch.zeros(height, planes.shape[1], dtype=torch.int32), torch.zeros(height, dtype=torch.int32)
    seen = (rows, planes, cells, counts)
    return Flow(rows, seen), [Kernel(find_cells, *seen, units=height)]
