"""Estimates of how much better an action was than expected."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .loops import Loop


def generalized_advantages(
    rewards: Tensor, values: Tensor, dones: Tensor, last_values: Tensor, gamma: float, gae_lambda: float
) -> Tensor:
    """Generalized advantage estimation (Schulman et al. 2016), for T steps of N games.

    Args:
        rewards: (T, N) float32; for a truncated episode, with gamma * V(final observation) added already.
        values: (T, N) float32, V of the observation that the action was chosen from.
        dones: (T, N) float32, 1 where the episode ended with this step: nothing after it counts.
        last_values: (N,) float32, V of the observation after the last step.

    Returns:
        (T, N) advantages; advantages + values are the returns that the critic learns.
    """
    advantages = torch.empty_like(rewards)
    if rewards.device.type == "cpu":
        numbers = torch.tensor([gamma, gamma * gae_lambda], dtype=rewards.dtype)
        given = (x.contiguous() for x in (rewards, values, dones, last_values))
        Loop(look_back, *given, numbers, advantages, units=len(last_values))()
        return advantages
    following, next_values = torch.zeros_like(last_values), last_values
    for t in range(rewards.shape[0] - 1, -1, -1):
        going_on = 1.0 - dones[t]
        delta = rewards[t] + gamma * next_values * going_on - values[t]
        following = delta + gamma * gae_lambda * going_on * following
        advantages[t] = following
        next_values = values[t]
    return advantages


def look_back(rewards, values, dones, last_values, numbers, advantages, first, last):
    """The same as a loop, for games first .. last-1; numbers are gamma and gamma * gae_lambda."""
    one, gamma, decay = np.float32(1), numbers[0], numbers[1]
    end = rewards.shape[0] - 1
    for n in range(first, last):
        advantages[end, n] = rewards[end, n] + gamma * last_values[n] * (one - dones[end, n]) - values[end, n]
    for back in range(end):
        t = end - 1 - back
        for n in range(np.uint64(first), np.uint64(last)):  # unsigned, so that no index can count from the end
            to_come = gamma * values[t + 1, n] + decay * advantages[t + 1, n]
            advantages[t, n] = rewards[t, n] - values[t, n] + (one - dones[t, n]) * to_come
    return 0
