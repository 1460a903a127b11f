"""Estimates of how much better an action was than expected."""

from __future__ import annotations

import torch
from torch import Tensor


def generalized_advantages(
    rewards: Tensor, values: Tensor, dones: Tensor, last_values: Tensor, gamma: float, gae_lambda: float
) -> Tensor:
    """Generalized advantage estimation (Schulman et al. 2016), for T steps of N games.

    Args:
        rewards: (T, N); for a truncated episode, with gamma * V(final observation) added already.
        values: (T, N), V of the observation that the action was chosen from.
        dones: (T, N) float, 1 where the episode ended with this step: nothing after it counts.
        last_values: (N,), V of the observation after the last step.

    Returns:
        (T, N) advantages; advantages + values are the returns that the critic learns.
    """
    advantages = torch.empty_like(rewards)
    following = torch.zeros_like(last_values)
    next_values = last_values
    for t in range(rewards.shape[0] - 1, -1, -1):
        going_on = 1.0 - dones[t]
        delta = rewards[t] + gamma * next_values * going_on - values[t]
        following = delta + gamma * gae_lambda * going_on * following
        advantages[t] = following
        next_values = values[t]
    return advantages
