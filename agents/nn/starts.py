"""Discrete spaces that do not start at 0: conversions to and from the indices that networks use."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces


def starts_of(space: spaces.Space) -> Any:
    """The `start` of a space: a number, an array for `MultiDiscrete`, or a dictionary of them; None if all are 0."""
    if isinstance(space, spaces.Dict):
        found = {name: starts_of(part) for name, part in space.spaces.items()}
        return found if any(start is not None for start in found.values()) else None
    if isinstance(space, spaces.Discrete):
        return space.start if space.start else None
    return space.start if isinstance(space, spaces.MultiDiscrete) and np.any(space.start) else None


def from_zero(obs: Any, starts: Any) -> Any:
    """Observations (N, ...), a tensor or a dictionary of them, less the starts of their space."""
    if starts is None:
        return obs
    if isinstance(obs, dict):
        return {name: from_zero(x, starts[name]) for name, x in obs.items()}
    return obs - torch.as_tensor(starts, device=obs.device)


def into_space(actions: np.ndarray, space: spaces.Space) -> np.ndarray:
    """Actions (N, ...) counted from 0, as the space counts them; in a `Box`, clipped to its bounds."""
    if isinstance(space, spaces.Box):
        return np.clip(actions, space.low, space.high)
    start = starts_of(space)
    return actions if start is None else actions + start
