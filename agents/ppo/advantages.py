"""Estimates of how much better an action was than expected."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..compiled.kernel import Kernel
from ..runtime.hardware import on_gpu


def generalized_advantages(
    rewards: Tensor, values: Tensor, going_on: Tensor, last_values: Tensor, gamma: float, gae_lambda: float
) -> Tensor:
    """Generalized advantage estimation (Schulman et al. 2016), for T steps of N games.

    Args:
        rewards: (T, N) float32; for a truncated episode, with gamma * V(final observation) added already.
        values: (T, N) float32, V of the observation that the action was chosen from.
        going_on: (T, N) float32, how much of what follows counts for who acted: 1, or 0 where the episode ended with this
            step, or -1 where it is the other's turn next, who wins what this one loses (Littman 1994).
        last_values: (N,) float32, V of the observation after the last step.

    Returns:
        (T, N) advantages; advantages + values are the returns that the critic learns.
    """
    advantages = torch.empty_like(rewards)
    if not on_gpu(rewards.device):
        numbers = torch.tensor([gamma, gamma * gae_lambda], dtype=rewards.dtype)
        given = (x.contiguous() for x in (rewards, values, going_on, last_values))
        Kernel(look_back, *given, numbers, advantages, units=len(last_values))()
        return advantages
    following, next_values = torch.zeros_like(last_values), last_values
    for t in range(rewards.shape[0] - 1, -1, -1):
        delta = rewards[t] + gamma * next_values * going_on[t] - values[t]
        following = delta + gamma * gae_lambda * going_on[t] * following
        advantages[t] = following
        next_values = values[t]
    return advantages


def look_back(rewards, values, going_on, last_values, numbers, advantages, first, last):
    """The same as a loop, for games first .. last-1; numbers are gamma and gamma * gae_lambda."""
    gamma, decay = numbers[0], numbers[1]
    end = rewards.shape[0] - 1
    for n in range(first, last):
        advantages[end, n] = rewards[end, n] + gamma * last_values[n] * going_on[end, n] - values[end, n]
    for back in range(end):
        t = end - 1 - back
        for n in range(np.uint64(first), np.uint64(last)):  # unsigned, so that no index can count from the end
            to_come = gamma * values[t + 1, n] + decay * advantages[t + 1, n]
            advantages[t, n] = rewards[t, n] - values[t, n] + going_on[t, n] * to_come
    return 0
