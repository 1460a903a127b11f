"""Finite checks of rollouts: training stops at the first NaN or infinite number, which would overwrite a good agent."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ...envs import LudusError


class NotFinite(LudusError, ArithmeticError):
    """An observation, reward, loss or gradient is NaN or infinite."""


NAMED = {"reward": "rewards", "policy output": "params", "value": "values", "value of what followed": "next_values"}
NAMED |= {"value of a final observation": "bootstrap"}


def check_rollout(data: Any, timesteps: int, obs: Any = None) -> None:
    """Raise NotFinite, naming the first, if environments or networks gave numbers in T steps of N games that are not finite.

    Args:
        data: checked are those of its attributes in `NAMED` that it has, and `obs`, (T, N, ...) each.
        timesteps: so many were done before.
        obs: observations that are not in `data`.
    """
    obs = data.obs if obs is None else obs
    named = {**(obs if isinstance(obs, dict) else {"observation": obs})}
    named |= {name: getattr(data, attribute) for name, attribute in NAMED.items() if hasattr(data, attribute)}
    checked = [(name, x) for name, x in named.items() if x.is_floating_point()]
    # A sum is finite only if all are: the one place where a rollout waits for the device.
    sums = [x.detach().sum() for _, x in checked]
    if math.isfinite(float(torch.stack(sums).sum()) if sums[0].is_cuda else sum(map(float, sums))):
        return
    for name, x in checked:
        bad = (~x.isfinite()).flatten(2).any(-1) if x.dim() > 2 else ~x.isfinite()  # (T, N)
        if bad.any():
            t, game = bad.nonzero()[0].tolist()
            raise not_finite(f"{name} of environment {game}", x[t, game], timesteps + t * x.shape[1])


def not_finite(what: str, tensor: Tensor, step: int) -> NotFinite:
    """The error for `what`, a tensor with a number in it that is not finite."""
    value = tensor[~tensor.isfinite()].flatten()[0].item()
    return NotFinite(f"{what} is {value} at step {step}: training stopped, the last checkpoint is as it was")
