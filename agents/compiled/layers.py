"""The layers of a compiled network: the loops that compute each, forwards and backwards, and the memory that these share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..nn.noisy import NoisyLinear
from .activations import ACTIVATIONS
from .adam import laid_out_as
from .kernel import UNIT, Kernel
from .layer_norm import norm_backward_inputs, norm_backward_weights, norm_forward
from .linear import (
    ROWS,
    TILE,
    dense_backward_inputs,
    dense_backward_weights,
    dense_forward,
)
from .sparse_linear import blocks_for, linear_backward, linear_forward
from .transpose import SIDE, transpose

PARTS = 16  # of a minibatch, whose gradients of a convolution or a normalisation are added up
GAP = 16  # numbers between rows: rows that lie whole pages apart would push each other out of the cache


def rows_of(count: int, width: int) -> Tensor:
    """Zeros (N, W), with gaps between the rows."""
    return torch.zeros(count, width + GAP)[:, :width]


def padded(size: int) -> int:
    """The next multiple of sixteen, as many numbers as processors compute with at once."""
    return -(-size // 16) * 16


@dataclass
class LayerOutput:
    """What one layer gives to the next, for N samples.

    Attributes:
        numbers: (N, W); of planes, which are not copied, their rows (N,).
        cells: (rows, planes, cells, counts) of planes, see `sparse_linear`.
        relu: whether the numbers came out of a ReLU, through which whoever computes their grad must pass it back.
        grad: (N, W); None where no gradient is wanted.
        saved: what the layer needs for its gradients.
    """

    numbers: Tensor
    cells: Any = None
    relu: bool = False
    grad: Tensor | None = None
    saved: Any = None

    @property
    def units(self) -> int:
        return len(self.numbers) // UNIT

    @property
    def pieces(self) -> int:
        return -(-len(self.numbers) // ROWS)


class Layer:
    """A layer's weights as its loops want them.

    Attributes:
        width: how many numbers it gives for a sample.
        gradients: one for each weight of its modules, by the weights' ids.
    """

    width: int

    def __init__(self) -> None:
        self.gradients: dict[int, Tensor] = {}
        self.copied: list[
            tuple[Tensor, Tensor, Any]
        ] = []  # gradients that loops leave elsewhere, where, and the columns

    def read(self) -> None:
        """Copy the modules' weights as they are now."""

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        """The layer's output, and the loops that compute it."""
        raise NotImplementedError

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        """Loops from the grad of `out` to the gradients and, where `x` has one, its grad."""
        raise NotImplementedError

    def collect(self) -> None:
        """Bring the gradients into the shapes of the weights."""
        for gradient, source, columns in self.copied:
            if columns is None:
                gradient.copy_(source)
            else:
                torch.index_select(source, 1, columns, out=gradient.flatten(1))

    def _gradient_at(self, weight: Tensor, source: Tensor, columns: Tensor | None = None) -> None:
        """Loops leave the gradient of a weight there: it is the same memory, if that is whole."""
        gradient = laid_out_as(weight, source) if columns is None else torch.zeros_like(weight)
        self.gradients[id(weight)] = gradient
        if gradient.data_ptr() != source.data_ptr():
            self.copied.append((gradient, source, columns))


class Place(NamedTuple):
    """Which part of a layer's matrices a module has: its group, its first output, and the column of each of its inputs."""

    module: Any  # a fully connected layer or a convolution, whose inputs are (C * h * w)
    columns: Tensor
    group: int = 0
    first_output: int = 0

    @property
    def outputs(self) -> slice:
        return slice(self.first_output, self.first_output + len(self.module.bias))

    @property
    def inputs(self) -> slice | None:
        """Its columns, if they lie side by side in order."""
        first, count = int(self.columns[0]), len(self.columns)
        straight = self.module.weight.dim() == 2 and torch.equal(self.columns, torch.arange(first, first + count))
        return slice(first, first + count) if straight else None


class _Noisy:
    """A noisy layer's weight and bias with the noise added, in tensors that stay where they are.

    Attributes:
        sigmas: each sigma with the weight whose noise it scales and that noise, by which the gradient of one becomes that of
            the other.
    """

    def __init__(self, layer: NoisyLinear) -> None:
        self.layer = layer
        self.weight, self.weight_noise = (torch.zeros_like(layer.weight) for _ in range(2))
        self.bias, self.bias_noise = (torch.zeros_like(layer.bias) for _ in range(2))
        self.sigmas = (
            (layer.weight_sigma, layer.weight, self.weight_noise),
            (layer.bias_sigma, layer.bias, self.bias_noise),
        )

    @torch.no_grad()
    def read(self) -> None:
        layer = self.layer
        if layer.training:
            torch.outer(layer.noise_out, layer.noise_in, out=self.weight_noise)
            self.bias_noise.copy_(layer.noise_out)
        else:
            self.weight_noise.zero_()
            self.bias_noise.zero_()
        torch.addcmul(layer.weight, layer.weight_sigma, self.weight_noise, out=self.weight)
        torch.addcmul(layer.bias, layer.bias_sigma, self.bias_noise, out=self.bias)


class _Copy:
    """The weights of one module, copied to its place in the matrices of a `Dense` layer."""

    def __init__(self, place: Place, layer: Dense) -> None:
        module, inputs, g = place.module, place.inputs, place.group
        self.noisy = _Noisy(module) if isinstance(module, NoisyLinear) else None
        self._source: Any = self.noisy or module
        self._columns = None if inputs else place.columns
        self._spread = None if inputs else torch.zeros(len(module.bias), layer.inputs)  # its inputs at their columns
        self._forward, columns = (
            layer.forward_weights,
            inputs or slice(layer.inputs),
        )  # (G, I, O); a loop writes the part
        self._backward = None if layer.backward_weights is None else layer.backward_weights[g, place.outputs, columns]
        self._bias = layer.bias[g, place.outputs]
        self._where = torch.tensor([g, columns.start or 0, place.first_output])
        self._transpose = self._transpose_of(self._weight())

    def read(self) -> None:
        """The module's weights as they are now."""
        if self.noisy:
            self.noisy.read()
        weight = self._weight()
        if self._transpose.tensors[0].data_ptr() != weight.data_ptr():  # it has another tensor now
            self._transpose = self._transpose_of(weight)
        self._transpose()
        if self._backward is not None:
            self._backward.copy_(weight)
        self._bias.copy_(self._source.bias.detach())

    def _weight(self) -> Tensor:
        """(O, I), with all columns of the layer's inputs where the module's are not side by side."""
        weight = self._source.weight.detach().flatten(1)
        return weight if self._spread is None else self._spread.index_copy_(1, self._columns, weight)  # type: ignore[arg-type]

    def _transpose_of(self, weight: Tensor) -> Kernel:
        units = -(-weight.shape[1] // SIDE)
        return Kernel(transpose, weight, self._where, self._forward, units=units)  # (O, I) -> (I, O)


class Dense(Layer):
    """Fully connected layers side by side, or several that read the same numbers and are one wider layer.

    Args:
        groups, inputs, outputs: sizes of the matrix; outputs are padded with zeros to multiples of 16, as many numbers as
            processors compute with at once.
        places: the modules it consists of.
        relu: whether it ends in a ReLU.
        first: whether it reads observations, which have no grad.
    """

    def __init__(
        self, groups: int, inputs: int, outputs: int, places: Sequence[Place], relu: bool, first: bool = False
    ) -> None:
        super().__init__()
        self.relu, self.groups, self.inputs, self.outputs = relu, groups, inputs, outputs
        self.width = groups * outputs
        self.forward_weights, self.bias = torch.zeros(groups, inputs, outputs), torch.zeros(groups, outputs)
        self.weights_grad, self.bias_grad = torch.zeros(groups, outputs, inputs), torch.zeros_like(self.bias)
        self.backward_weights = None if first else torch.zeros(groups, outputs, inputs + GAP)
        self._copies = [_Copy(place, self) for place in places]
        for place in places:
            columns, grad = place.inputs, self.weights_grad[place.group, place.outputs]
            if columns is None:
                self._gradient_at(place.module.weight, grad, place.columns)
            else:
                self._gradient_at(place.module.weight, grad[:, columns])
            self._gradient_at(place.module.bias, self.bias_grad[place.group, place.outputs])
        self._sigmas = [sigma for copy in self._copies if copy.noisy for sigma in copy.noisy.sigmas]
        self.gradients |= {id(sigma): torch.zeros_like(sigma) for sigma, _, _ in self._sigmas}

    def read(self) -> None:
        for copy in self._copies:
            copy.read()

    def collect(self) -> None:
        super().collect()
        for sigma, weight, noise in self._sigmas:
            torch.mul(self.gradients[id(weight)], noise, out=self.gradients[id(sigma)])

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        out = LayerOutput(rows_of(len(x.numbers), self.width), relu=self.relu)
        return out, [self.product(x, out)]

    def product(self, x: LayerOutput, out: LayerOutput) -> Kernel:
        """The loop from the numbers of x to those of out."""
        read = self._in(x.numbers), self.forward_weights, self.bias, torch.tensor([self.relu])
        return Kernel(dense_forward, *read, self._out(out.numbers), units=x.pieces)

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        grad, numbers = self._out(out.grad), self._in(x.numbers)
        written, units = (self.weights_grad, self.bias_grad), self.groups * self.outputs // TILE
        loops = [Kernel(dense_backward_weights, grad, numbers, *written, units=units)]
        if x.grad is not None and self.backward_weights is not None:
            read = grad, self.backward_weights, numbers, torch.tensor([x.relu])
            loops.append(Kernel(dense_backward_inputs, *read, self._in(x.grad), units=x.pieces))
        return loops

    def _in(self, numbers: Any) -> Tensor:
        return numbers.view(-1, self.groups, self.inputs)  # (N, G * I) -> (N, G, I)

    def _out(self, numbers: Any) -> Tensor:
        return numbers.view(-1, self.groups, self.outputs)  # (N, G * O) -> (N, G, O)


class OnPlanes(Dense):
    """A fully connected layer over planes, of one group."""

    def __init__(self, inputs: int, outputs: int, places: Sequence[Place], relu: bool) -> None:
        super().__init__(1, inputs, outputs, places, relu, first=True)
        self.blocks = blocks_for(inputs, outputs)

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        out = LayerOutput(rows_of(len(x.numbers), self.width), relu=self.relu)
        read = (*x.cells, self.forward_weights[0], self.bias[0], torch.tensor([self.relu]))
        return out, [Kernel(linear_forward, *read, out.numbers, units=len(x.numbers))]

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        written: Any = (out.grad, self.blocks, self.weights_grad[0], self.bias_grad[0])
        return [Kernel(linear_backward, *x.cells, *written, units=len(self.blocks))]


class Norm(Layer):
    """Layer normalisation.

    Args:
        module: over each group.
        groups, width: how many numbers come, and in how many groups; padding of a group stays 0.
        relu: whether it ends in a ReLU.
    """

    def __init__(self, module: nn.LayerNorm, groups: int, width: int, relu: bool) -> None:
        super().__init__()
        self.module, self.groups, self.width, self.relu = module, groups, groups * width, relu
        size = module.normalized_shape[0]
        self.numbers, self.epsilon = torch.zeros(2, size), torch.tensor([module.eps])
        self.weights_grads = torch.zeros(PARTS, 2, size)
        self.gradients = {id(weight): torch.zeros_like(weight) for weight in module.parameters()}

    def read(self) -> None:
        self.numbers[0].copy_(self.module.weight.detach())
        self.numbers[1].copy_(self.module.bias.detach())

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        count = len(x.numbers)
        out, scaled = LayerOutput(rows_of(count, self.width), relu=self.relu), rows_of(count, self.width)
        out.saved = self._in(scaled), torch.zeros(count, self.groups)
        read = self._in(x.numbers), self.numbers, self.epsilon, torch.tensor([self.relu])
        return out, [Kernel(norm_forward, *read, *out.saved, self._in(out.numbers), units=count)]

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        grad, (scaled, inverse) = self._in(out.grad), out.saved
        loops = [Kernel(norm_backward_weights, grad, scaled, self.weights_grads, units=PARTS)]
        written = (self.numbers, scaled, inverse, self._in(x.grad))
        return [*loops, Kernel(norm_backward_inputs, grad, *written, units=len(x.numbers))]

    def collect(self) -> None:
        for gradient, total in zip(self.gradients.values(), self.weights_grads.sum(0), strict=True):
            gradient.copy_(total)

    def _in(self, numbers: Any) -> Tensor:
        return numbers.view(len(numbers), self.groups, -1)  # (N, G * W) -> (N, G, W)


class Activation(Layer):
    """tanh, SiLU, or a ReLU that is not part of a layer."""

    def __init__(self, kind: str, width: int) -> None:
        super().__init__()
        self.width, (self._forward, self._backward) = width, ACTIVATIONS[kind]

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        out = LayerOutput(rows_of(*x.numbers.shape))
        return out, [Kernel(self._forward, x.numbers, out.numbers, units=len(x.numbers))]

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        assert out.grad is not None and x.grad is not None
        return [Kernel(self._backward, out.grad, x.numbers, out.numbers, x.grad, units=len(x.numbers))]
