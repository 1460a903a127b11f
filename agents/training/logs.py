"""What agents write to Stable-Baselines3's logger, under its names."""

from __future__ import annotations

import time
import warnings
from typing import Any

from stable_baselines3.common.logger import HParam, Logger
from stable_baselines3.common.utils import safe_mean

from ..checkpoints.schema import SCHEMAS


def record_progress(agent: Any, iteration: int = 0) -> None:
    """Returns and lengths of recent episodes, steps per second, time; TensorBoard's axis is the timesteps.

    Args:
        iteration: of on-policy algorithms; 0: the number of episodes is recorded instead.
    """
    elapsed = max((time.time_ns() - agent.start_time) / 1e9, 1e-6)
    counted: dict[str, float] = {"time/iterations": iteration} if iteration else {"time/episodes": agent._episode_num}
    counted |= {"time/fps": int((agent.num_timesteps - agent._num_timesteps_at_start) / elapsed)}
    episodes = agent.ep_info_buffer or ()
    for tag, key in (("rollout/ep_rew_mean", "r"), ("rollout/ep_len_mean", "l")):
        if episodes:
            counted[tag] = safe_mean([episode[key] for episode in episodes])
    if agent.ep_success_buffer:
        counted["rollout/success_rate"] = safe_mean(agent.ep_success_buffer)
    for tag, value in {**counted, "time/time_elapsed": int(elapsed)}.items():
        agent.logger.record(tag, value)
    agent.logger.record("time/total_timesteps", agent.num_timesteps, exclude="tensorboard")


def record_hparams(agent: Any) -> None:
    """All settings, for TensorBoard's table of hyperparameters."""
    schema = SCHEMAS[agent.algorithm]
    settings = {name: agent.setting(name) for name in (*schema.settings, *schema.schedules, "policy_name", "n_envs")}
    plain = {k: v if isinstance(v, (bool, int, float, str)) else str(v) for k, v in settings.items()}
    hparams = HParam({"algorithm": agent.algorithm, **plain}, {"rollout/ep_rew_mean": 0.0})
    agent.logger.record("hparams", hparams, ("stdout", "log", "json", "csv"))


def dump(logger: Logger, timesteps: int) -> None:
    """Write what was recorded; if that cannot be, a warning says so and it is dropped."""
    try:
        logger.dump(step=timesteps)
    except OSError as error:  # such as a full disk, on which TensorBoard gives up
        warnings.warn(f"the log cannot be written: {error.strerror or error}; training goes on", stacklevel=3)
        for recorded in (logger.name_to_value, logger.name_to_count, logger.name_to_excluded):
            recorded.clear()
