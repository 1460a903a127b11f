"""A fully connected layer over observations that are numbers, as loops; `layers.OnPlanes` is the same for planes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from .kernel import Kernel
from .layers import Dense, Flow, rows_of
from .linear import TILE


def take_rows(rows, vectors, taken, first, last):
    """taken (N, I), its first K columns, = vectors (M, K) at rows (N,), for samples first .. last-1."""
    for i in range(first, last):
        for k in range(vectors.shape[1]):
            taken[i, k] = vectors[rows[i], k]
    return 0


class OnVectors(Dense):
    """One group, on numbers that have no grads."""

    passes_on = False

    def _in(self, x: Flow) -> Tensor:
        taken: Tensor = x.seen[-1]
        return taken.view(-1, 1, self.inputs)


def vectors_at(vectors: Tensor, samples: int, width: int, unit: int = TILE) -> tuple[Flow, list[Kernel]]:
    """Rows of (M, K) float numbers as the first layer sees them, filled up to `width`; see `layers.looked_at`."""
    height = -(-samples // unit) * unit
    rows = torch.zeros(height, dtype=torch.int64)
    seen = (rows, vectors, rows_of(height, width))
    return Flow(rows, seen), [Kernel(take_rows, *seen, units=height)]


def sees_vectors(policy: Any) -> bool:
    """Whether its observations are real numbers, which loops take as they are."""
    space = policy.observation_space
    return isinstance(space, spaces.Box) and space.dtype in (np.float32, np.float64)
