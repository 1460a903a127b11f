"""A network as loops that threads share: what it computes, and its gradients.

For networks of this size, PyTorch's operations are so short that most of the time goes by between them, and threads wait for
each other at the interpreter's lock. Here one minibatch is a dozen loops (`layers`), and every sum is taken in the same order
whoever computes it, so that results are the same to the last bit on any number of cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .branches import backward_through, forward_through
from .kernel import UNIT, Kernel, ThreadPool
from .layers import Layer, LayerOutput, padded, rows_of
from .linear import TILE
from .sparse_linear import find_cells


class Planes:
    """Observations of bytes (M, K), of which most are 0, as the first layer reads them: it skips those.

    Attributes:
        width: how many numbers the first layer reads of a sample.
    """

    def __init__(self, width: int) -> None:
        self.width = width

    def read(self) -> None:
        """Nothing."""

    def gather(self, obs: Tensor, rows: Tensor) -> tuple[LayerOutput, list[Kernel]]:
        """The samples that lie in these rows (N,) of observations (M, K), and the loops that bring them."""
        cells, counts = (
            torch.zeros(len(rows), obs.shape[1], dtype=torch.int32),
            torch.zeros(len(rows), dtype=torch.int32),
        )
        read = (rows, obs, cells, counts)
        return LayerOutput(rows, read), [Kernel(find_cells, *read, units=len(rows))]


class Vectors:
    """Observations of real numbers (M, K), padded to a multiple of 16 numbers.

    Args:
        normalizer: running statistics of observations, by which they are normalised; or None.
    """

    def __init__(self, size: int, normalizer: Any = None) -> None:
        self.width, self.normalizer = padded(size), normalizer
        self.statistics = torch.zeros(2, size)  # mean, and 1 / standard deviation

    def read(self) -> None:
        """The statistics as they are now."""
        if self.normalizer is not None:
            self.statistics[0].copy_(self.normalizer.mean.flatten())
            self.statistics[1].copy_((self.normalizer.variance.flatten() + 1e-8).rsqrt())

    def gather(self, obs: Tensor, rows: Tensor) -> tuple[LayerOutput, list[Kernel]]:
        """The samples that lie in these rows (N,) of observations (M, K), and the loops that bring them."""
        out = rows_of(len(rows), self.width)
        if self.normalizer is None:
            return LayerOutput(out), [Kernel(take_rows, rows, obs, out, units=len(rows))]
        return LayerOutput(out), [Kernel(take_normalized_rows, rows, obs, self.statistics, out, units=len(rows))]


def take_rows(rows, vectors, out, first, last):
    """out (N, W), its first K columns, = vectors (M, K) at rows (N,), for samples first .. last-1."""
    for i in range(first, last):
        for k in range(vectors.shape[1]):
            out[i, k] = vectors[rows[i], k]
    return 0


def take_normalized_rows(rows, vectors, statistics, out, first, last):
    """As `take_rows`, with mean and inverse standard deviation (2, K) applied and cut at ten, as `ObservationNormalizer`."""
    ten = np.float32(10)
    for i in range(first, last):
        for k in range(vectors.shape[1]):
            x = (np.float32(vectors[rows[i], k]) - statistics[0, k]) * statistics[1, k]
            x = ten if x > ten else x
            out[i, k] = -ten if x < -ten else x
    return 0


class CompiledNetwork:
    """What a network that consists of these layers computes, and its gradients.

    Args:
        inputs: how the first layer reads observations.
        layers: from observations to the last layer's numbers.
        weights: of the network, in the order in which their gradients are wanted.
        pool: the threads that compute.
    """

    def __init__(
        self, inputs: Planes | Vectors, layers: Sequence[Layer], weights: Sequence[Tensor], pool: ThreadPool
    ) -> None:
        self.inputs, self.layers, self.pool = inputs, layers, pool
        found = {name: gradient for layer in layers for name, gradient in layer.gradients.items()}
        self.gradients = [found[id(weight)] for weight in weights]
        self._forwards: dict[int, Forward] = {}

    def read_weights(self) -> None:
        """Copy all weights: whoever owns the network may have changed them since the last time."""
        self.inputs.read()
        for layer in self.layers:
            layer.read()

    def forward(self, obs: Tensor) -> Tensor:
        """The last layer's numbers (B, W) for observations (B, *shape); they are written over at the next call."""
        forward = cached(self._forwards, len(obs), lambda: Forward(self, torch.zeros_like(obs).flatten(1)))
        forward.planes.copy_(obs.flatten(1))
        self.pool.run(*forward.loops)
        return forward.out[: len(obs)]

    def forward_of(self, planes: Tensor) -> tuple[list[Kernel], Tensor]:
        """Loops from observations (N, K) in the caller's memory to the last layer's numbers (N', W)."""
        forward = Forward(self, planes)
        return forward.loops, forward.out

    def collect(self) -> None:
        """Bring the gradients into the shapes of the weights."""
        for layer in self.layers:
            layer.collect()


class Forward:
    """The loops from observations to the last layer's numbers, for one number of samples, and the memory between them.

    Args:
        planes: (M, K) bytes, or real numbers, of which the samples are rows.
        samples: how many; None: all rows, in order.

    Attributes:
        rows: (N,), which rows the samples are, padded to whole tiles or units.
    """

    def __init__(self, owner: CompiledNetwork, planes: Tensor, samples: int | None = None) -> None:
        count, unit = (len(planes), TILE) if samples is None else (samples, UNIT)
        self.planes, self.rows = planes, torch.zeros(-(-count // unit) * unit, dtype=torch.int64)
        if samples is None:
            torch.arange(count, out=self.rows[:count])
        x, self.loops = owner.inputs.gather(planes, self.rows)
        self.outputs = forward_through(owner.layers, x, self.loops)

    @property
    def out(self) -> Tensor:
        """(N, W), padded to whole tiles of samples and of numbers."""
        return self.outputs[-1].numbers


class Backward(Forward):
    """The loops of `Forward` and, in `back`, those from the grad of its last numbers to the gradients.

    Attributes:
        grad: (N, W), to be written between the two.
    """

    def __init__(self, owner: CompiledNetwork, planes: Tensor, samples: int) -> None:
        super().__init__(owner, planes, samples)
        self.pool = owner.pool
        self.back = backward_through(owner.layers, self.outputs)
        self.grad: Tensor = self.outputs[-1].grad  # type: ignore[assignment]


def cached(stored: dict[Any, Any], key: Any, make: Any) -> Any:
    """The value for this key, made if it is not there; only 64 are stored, since they hold on to memory."""
    if key not in stored:
        if len(stored) >= 64:
            stored.clear()
        stored[key] = make()
    return stored[key]
