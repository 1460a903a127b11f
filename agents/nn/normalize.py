"""Normalisation of observations and rewards by running statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ..runtime.distributed import Group


class RunningMoments(nn.Module):
    """Running mean and variance, merged batch by batch (Chan, Golub & LeVeque 1979).

    Attributes:
        mean, variance: (*shape) float64 buffers; `count`: () float64, the number of samples so far.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(shape, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def update(self, batch: Tensor, group: Group | None = None) -> None:
        """Merge a batch (B, *shape), and those of the other processes of a group."""
        batch = batch.double()
        n, mean, variance = torch.full_like(self.count, len(batch)), batch.mean(0), batch.var(0, correction=0)
        if group is not None:
            total = group.add(n.clone())
            center = group.add(n * mean) / total
            variance, mean, n = group.add(n * (variance + (mean - center) ** 2)) / total, center, total
        total, delta = self.count + n, mean - self.mean
        squares = self.variance * self.count + variance * n + delta**2 * self.count * n / total
        self.mean += delta * n / total
        self.variance.copy_(squares / total)
        self.count.copy_(total)


class ObservationNormalizer(RunningMoments):
    """Subtracts the mean and divides by the standard deviation, clipped to [-10, 10]; part of the policy and its checkpoints.

    The statistics are updated after each update of the policy: within an iteration they stay the same.
    """

    def forward(self, obs: Tensor) -> Tensor:
        scale = (self.variance + 1e-8).rsqrt().float()
        return ((obs - self.mean.float()) * scale).clamp(-10.0, 10.0)  # (B, *shape)


class RewardNormalizer(nn.Module):
    """Divides rewards by the running standard deviation of discounted returns, clipped to [-10, 10].

    As in OpenAI's baselines; Engstrom et al. 2020 found that it matters.
    """

    running: Tensor

    def __init__(self, num_envs: int, group: Group | None = None) -> None:
        super().__init__()
        self.group = group
        self.moments = RunningMoments()
        self.register_buffer("running", torch.zeros(num_envs))

    @torch.no_grad()
    def forward(self, rewards: Tensor, dones: Tensor, gamma: float) -> Tensor:
        """Update the statistics with rewards (T, N) and dones (T, N), and return the normalised rewards (T, N)."""
        returns = torch.empty_like(rewards)
        for t in range(len(rewards)):
            self.running.mul_(gamma).add_(rewards[t])
            returns[t] = self.running
            self.running.mul_(1.0 - dones[t])
        self.moments.update(returns.flatten(), self.group)
        return (rewards * (self.moments.variance + 1e-8).rsqrt().float()).clamp(-10.0, 10.0)
