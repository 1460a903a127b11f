"""What callbacks and the log hear of a rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from torch import Tensor

from .worlds import VecEnvWorld

if TYPE_CHECKING:
    from .agent import Agent


class Played(Protocol):
    """What N games did in T steps, (T, N) each; see `rollout.RolloutTensors`."""

    rewards: Tensor
    actions: Tensor
    dones: Tensor
    truncated: Tensor
    episode_return: Tensor
    episode_length: Tensor


def tell_rollout(agent: Agent, callback: BaseCallback, data: Played) -> bool:
    """Report the steps of Ludus's games when their rollout is over, a call for each; False if the callback says stop."""
    rewards, actions, dones = (x.cpu().numpy() for x in (data.rewards, data.actions, data.dones))
    ended = episode_infos(agent, data, *dones.nonzero())
    nothing: dict[str, Any] = {}
    for t in range(len(rewards)):
        agent.num_timesteps += agent.steps_at_once
        infos = [nothing] * agent.n_envs
        for game, info in ended.get(t, ()):
            infos[game] = info
        callback.update_locals(
            {"self": agent, "infos": infos, "rewards": rewards[t], "actions": actions[t], "dones": dones[t] > 0}
        )
        if not callback.on_step():
            return False
    return True


def episode_infos(
    agent: Agent, data: Played, steps: np.ndarray, games: np.ndarray
) -> dict[int, list[tuple[int, dict[str, Any]]]]:
    """Information on the episodes that ended at these steps in these games, by step; the agent keeps it for its log."""
    assert agent.ep_info_buffer is not None
    if not len(steps):
        return {}
    now, found = round(agent.elapsed(), 6), {}
    columns = (data.episode_return, data.episode_length, data.truncated)
    rows = zip(steps.tolist(), games.tolist(), *(x.cpu().numpy()[steps, games].tolist() for x in columns), strict=True)
    for t, game, total, length, truncated in rows:
        episode = {"r": total, "l": length, "t": now}
        found.setdefault(t, []).append((game, {"episode": episode, "TimeLimit.truncated": truncated}))
        agent.ep_info_buffer.append(episode)
    return found


def tell_step(agent: Agent, callback: BaseCallback, world: VecEnvWorld, data: Played, t: int) -> bool:
    """Report a step of other libraries' environments as it happens; False if the callback says stop."""
    agent._last_obs = world.raw_obs
    agent.num_timesteps += agent.steps_at_once
    agent._update_info_buffer(world.infos, world.dones)
    callback.update_locals(
        {
            "self": agent,
            "infos": world.infos,
            "rewards": world.rewards,
            "dones": world.dones,
            "new_obs": world.raw_obs,
            "actions": data.actions[t].cpu().numpy(),
        }
    )
    return callback.on_step()
