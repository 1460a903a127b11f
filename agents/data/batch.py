"""What is sampled from a replay buffer."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """B transitions of n steps.

    Attributes:
        obs, next_obs: (B, *shape), as the policy takes them, before the first and after the last of the steps.
        actions: (B,) int64, of the first step.
        returns: (B,) float32, discounted rewards of the steps.
        discounts: (B,) float32, of the value after them: 0 where the episode terminated, below 0 where the next action is
            the other player's.
        masks, next_masks: (B, A) bool, action masks for both observations, or None where all actions are legal. After a
            truncation they are not known, and `next_masks` are all true.
        indices: (B,) int64, for `ReplayTensors.set_priorities`.
        weights: (B,) float32, importance-sampling weights; 1 without priorities.
    """

    obs: Any
    actions: Tensor
    returns: Tensor
    discounts: Tensor
    next_obs: Any
    masks: Tensor | None
    next_masks: Tensor | None
    indices: Tensor
    weights: Tensor
