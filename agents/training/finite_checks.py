"""Stopping at the first number that is none: training on goes nowhere, and would overwrite a good agent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...envs import LudusError


class NotFinite(LudusError, ArithmeticError):
    """An observation, reward, loss or gradient is NaN or infinite."""


NAMED = {"reward": "rewards", "policy output": "params", "value": "values", "value of what followed": "next_values"}
NAMED |= {"value of a final observation": "bootstrap"}


def check_rollout(data: Any, timesteps: int, obs: Any = None) -> None:
    """Raise, naming the first, if games or networks gave numbers in T steps of N games that are not finite.

    Args:
        data: its attributes in `NAMED`, as far as it has them, and `obs`, are looked at, (T, N, ...) each.
        timesteps: so many were done before.
        obs: if they are elsewhere.
    """
    obs = data.obs if obs is None else obs
    named = {**(obs if isinstance(obs, dict) else {"observation": obs})}
    named |= {name: getattr(data, attribute) for name, attribute in NAMED.items() if hasattr(data, attribute)}
    looked = [(name, x) for name, x in named.items() if x.is_floating_point()]
    # A sum is finite only if all are: the one place where a rollout waits for the device.
    sums = [x.detach().sum() for _, x in looked]
    if math.isfinite(float(torch.stack(sums).sum()) if sums[0].is_cuda else sum(map(float, sums))):
        return
    for name, x in looked:
        bad = (~x.isfinite()).flatten(2).any(-1) if x.dim() > 2 else ~x.isfinite()  # (T, N)
        if bad.any():
            t, game = bad.nonzero()[0].tolist()
            raise not_finite(f"{name} of environment {game}", x[t, game], timesteps + t * x.shape[1])


def not_finite(what: str, tensor: Tensor, step: int) -> NotFinite:
    """The error for what has numbers in it that are none."""
    value = tensor[~tensor.isfinite()].flatten()[0].item()
    return NotFinite(f"{what} is {value} at step {step}: training stopped, the last checkpoint is as it was")


def check_gradients(
    named: Sequence[tuple[str, Tensor]], loss: Tensor, norm: float, timesteps: int, update: int
) -> None:
    """Raise, naming the loss or the first weight whose gradient is not finite, if one of them is not.

    The loss counts by itself: an error of any size has a gradient of at most 1 in Huber's loss.
    """
    if math.isfinite(norm) and math.isfinite(float(loss)):
        return
    where = f"in update {update} after step {timesteps}: training stopped, the last checkpoint is as it was"
    if not loss.isfinite():
        raise NotFinite(f"the loss is {float(loss)} {where}")
    for name, weight in named:
        if weight.grad is not None and not weight.grad.isfinite().all():
            raise NotFinite(f"the gradient of {name} is not finite {where}")
    raise NotFinite(f"the norm of the gradient is {norm} {where}")


def check_update(loss: float, policy: torch.nn.Module, timesteps: int, update: int) -> None:
    """Look at a whole update when it is over, for devices that are not waited for within it."""
    broken = [name for name, weight in policy.named_parameters() if not weight.isfinite().all()]
    if broken or not math.isfinite(loss):
        what = f"{broken[0]} is" if broken else f"the loss is {loss},"
        raise NotFinite(
            f"{what} not finite after update {update} at step {timesteps}: training stopped, the last checkpoint is as it was"
        )
