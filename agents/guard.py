"""Stopping at the first number that is none: training on goes nowhere, and would overwrite a good agent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..envs import LudusError


class NotFinite(LudusError, ArithmeticError):
    """An observation, reward, loss or gradient is NaN or infinite."""


def check_rollout(data: Any, timesteps: int) -> None:
    """Look at what games and policy gave in T steps of N games; `timesteps` were done before."""
    obs = data.obs if isinstance(data.obs, dict) else {"observation": data.obs}
    named = {**obs, "reward": data.rewards, "policy output": data.params, "value": data.values}
    looked = [(name, x) for name, x in named.items() if x.is_floating_point()]
    if torch.stack([x.isfinite().all() for _, x in looked]).all():  # the one place where a rollout waits for the device
        return
    for name, x in looked:
        bad = (~x.isfinite()).flatten(2).any(-1) if x.dim() > 2 else ~x.isfinite()  # (T, N)
        if bad.any():
            t, game = bad.nonzero()[0].tolist()
            value = x[t, game][~x[t, game].isfinite()].flatten()[0].item()
            raise NotFinite(
                f"{name} of environment {game} is {value} at step {timesteps + t * x.shape[1]}: training stopped, the last "
                "checkpoint is as it was"
            )


def check_gradients(
    named: Sequence[tuple[str, Tensor]], loss: Tensor, norm: float, timesteps: int, update: int
) -> None:
    """Raise, naming the loss or the first weight whose gradient is not finite, if the gradients' norm is not."""
    if math.isfinite(norm):
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
