"""Sampling in proportion to priorities (Schaul et al. 2016), on tensors."""

from __future__ import annotations

import torch
from torch import Tensor

WIDTH = 64  # children of a node


class SumTree:
    """A tree whose leaves are priorities and whose nodes are the sums of `WIDTH` children each.

    With wide nodes it has three or four levels, and samples are drawn together, by a few operations for each level.

    Args:
        size: number of leaves.
    """

    def __init__(self, size: int, device: torch.device | str = "cpu") -> None:
        self.size = size
        nodes, widths = size, []
        while nodes > 1 or not widths:
            widths.append(-(-nodes // WIDTH) * WIDTH)  # padded to whole nodes
            nodes = widths[-1] // WIDTH
        # float64: a sum of millions of small and large numbers keeps the small ones
        self.levels = [torch.zeros(width, dtype=torch.float64, device=device) for width in (*widths, 1)]

    @property
    def leaves(self) -> Tensor:
        """(size,) float64."""
        return self.levels[0][: self.size]

    @property
    def total(self) -> Tensor:
        """(1,) float64, the sum of all leaves."""
        return self.levels[-1]

    def set(self, indices: Tensor, values: Tensor) -> None:
        """Write values (B,) to leaves (B,); of an index that comes twice, one of the values."""
        self.levels[0][indices] = values.to(torch.float64)
        self._add_up(indices)

    def refresh(self) -> None:
        """Compute all sums anew, after leaves were written directly."""
        for lower, upper in zip(self.levels[:-1], self.levels[1:], strict=True):
            sums = lower.view(-1, WIDTH).sum(1)
            upper[: len(sums)] = sums

    def _add_up(self, indices: Tensor) -> None:
        """Compute the sums above these leaves anew, not by differences, whose rounding errors would add up."""
        for lower, upper in zip(self.levels[:-1], self.levels[1:], strict=True):
            indices = indices // WIDTH
            upper[indices] = lower.view(-1, WIDTH)[indices].sum(1)

    def find(self, points: Tensor) -> Tensor:
        """Leaves (B,) whose intervals, laid side by side from 0 to `total`, hold points (B,) float64; 0 of an empty tree."""
        node = torch.zeros_like(points, dtype=torch.int64)
        order = torch.arange(WIDTH, dtype=torch.int32, device=points.device)
        for level in reversed(self.levels[:-1]):
            children = level.view(-1, WIDTH)[node]  # (B, WIDTH)
            edges = children.cumsum(1)
            # The first child that ends after the point; or if rounding put it past all of them, the last. Empty ones never.
            score = torch.where(points.unsqueeze(1) < edges, 2 * WIDTH - order, order) * (children > 0)
            chosen = score.argmax(1, keepdim=True)
            before = edges.gather(1, chosen) - children.gather(1, chosen)
            points, node = points - before.squeeze(1), node * WIDTH + chosen.squeeze(1)
        return node
