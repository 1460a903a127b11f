"""Checks around `learn`: of its arguments, and that an agent is trained by one call at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from inspect import signature
from numbers import Real
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from ...envs import OptionError
from ..runtime.hardware import on_gpu
from ..runtime.threads import undivided


@contextmanager
def learn_call(agent: Any, learn: Any, args: Any, kwargs: Any) -> Iterator[None]:
    """A context for `learn(*args, **kwargs)` of an agent, in which PyTorch's own threads are not used (see `threads`).

    Raises OptionError for wrong arguments, and if the agent is being trained already.
    """
    check_arguments(**signature(learn).bind(*args, **kwargs).arguments)
    mine = object()
    if vars(agent).setdefault("_learning", mine) is not mine:  # atomic, so that of two threads one is first
        raise OptionError("this agent is learning already: call learn again when it has ended, or make another agent")
    try:
        with nullcontext() if on_gpu(agent.device) else undivided():
            yield
    finally:
        try:
            agent._end_learning()
        finally:
            del vars(agent)["_learning"]


def check_arguments(
    total_timesteps: Any,
    callback: Any = None,
    log_interval: Any = None,
    tb_log_name: Any = "run",
    reset_num_timesteps: Any = True,
    progress_bar: Any = False,
    **_: Any,
) -> None:
    """Raise OptionError for arguments that Stable-Baselines3's `learn` misunderstands, or fails on later."""
    if not isinstance(total_timesteps, Real) or not float(total_timesteps) >= 0:
        raise OptionError(f"total_timesteps must be a number from 0, got {total_timesteps!r}")
    several = callback if isinstance(callback, list) else [callback]
    if not all(one is None or isinstance(one, BaseCallback) or callable(one) for one in several):
        raise OptionError(f"callback must be a callback, a function or a list of callbacks, got {callback!r}")
    if log_interval is not None and not (isinstance(log_interval, Real) and float(log_interval) >= 1):
        raise OptionError(f"log_interval must be a number from 1, or None for no log, got {log_interval!r}")
    if not isinstance(tb_log_name, str):
        raise OptionError(f"tb_log_name must be a name, got {tb_log_name!r}")
    for name, value in (("reset_num_timesteps", reset_num_timesteps), ("progress_bar", progress_bar)):
        if not isinstance(value, (bool, np.bool_)):
            raise OptionError(f"{name} must be True or False, got {value!r}")
