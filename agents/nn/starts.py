"""Spaces may count from other numbers than 0, networks count from 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces


def starts_of(space: spaces.Space) -> Any:
    """What a space counts from: a number, an array for `MultiDiscrete`, or a dictionary of them; None if all from 0."""
    if isinstance(space, spaces.Dict):
        found = {name: starts_of(part) for name, part in space.spaces.items()}
        return found if any(start is not None for start in found.values()) else None
    if isinstance(space, spaces.Discrete):
        return space.start if space.start else None
    return space.start if isinstance(space, spaces.MultiDiscrete) and np.any(space.start) else None


def from_zero(obs: Any, starts: Any) -> Any:
    """Observations (N, ...) of a space with these starts, a tensor or a dictionary of them, counted from 0."""
    if starts is None:
        return obs
    if isinstance(obs, dict):
        return {name: from_zero(x, starts[name]) for name, x in obs.items()}
    return obs - torch.as_tensor(starts, device=obs.device)


def into_space(actions: np.ndarray, space: spaces.Space) -> np.ndarray:
    """Actions (N, ...) counted from 0 as the space has them; those in a `Box`, which policies do not bound, cut to it."""
    if isinstance(space, spaces.Box):
        return np.clip(actions, space.low, space.high)
    start = starts_of(space)
    return actions if start is None else actions + start
