"""What callbacks and the log hear of a rollout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

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
    steps, games = dones.nonzero()
    ended = Ended(games, *(x.cpu().numpy()[steps, games] for x in columns_of(data)), round(agent.elapsed(), 6))
    assert agent.ep_info_buffer is not None
    remembered = agent.ep_info_buffer.maxlen or len(steps)  # by the log, which needs no more of thousands
    agent.ep_info_buffer.extend(info["episode"] for info in ended.infos(max(len(steps) - remembered, 0), len(steps)))
    edges = np.searchsorted(steps, np.arange(len(rewards) + 1)).tolist()
    for t in range(len(rewards)):
        agent.num_timesteps += agent.steps_at_once
        infos = Infos(agent.n_envs, ended, edges[t], edges[t + 1])
        callback.update_locals(
            {"self": agent, "infos": infos, "rewards": rewards[t], "actions": actions[t], "dones": dones[t] > 0}
        )
        if not callback.on_step():
            return False
    return True


def columns_of(data: Played) -> tuple[Tensor, Tensor, Tensor]:
    """What is told of an episode, in the order of `Ended`."""
    return data.episode_return, data.episode_length, data.truncated


class Ended(NamedTuple):
    """E episodes in the order of their ends: whose they were, what they came to, and when that was found out."""

    games: np.ndarray
    totals: np.ndarray
    lengths: np.ndarray
    truncated: np.ndarray
    seconds: float

    def infos(self, first: int, last: int) -> Iterator[dict[str, Any]]:
        """What environments would have said of episodes first .. last-1."""
        for total, length, cut in zip(*(x[first:last].tolist() for x in self[1:4]), strict=True):
            yield {"episode": {"r": total, "l": length, "t": self.seconds}, "TimeLimit.truncated": cut}


class Infos(Sequence[dict[str, Any]]):
    """Information on each of N games after a step, made when somebody looks: most callbacks do not."""

    def __init__(self, num_envs: int, ended: Ended, first: int, last: int) -> None:
        self.num_envs, self.ended, self.first, self.last = num_envs, ended, first, last

    @cached_property
    def _made(self) -> list[dict[str, Any]]:
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        games = self.ended.games[self.first : self.last].tolist()
        for game, info in zip(games, self.ended.infos(self.first, self.last), strict=True):
            infos[game] = info
        return infos

    def __len__(self) -> int:
        return self.num_envs

    def __getitem__(self, index: Any) -> Any:
        return self._made[index]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._made)

    def __eq__(self, other: object) -> bool:
        return self._made == (other._made if isinstance(other, Infos) else other)

    def __repr__(self) -> str:
        return repr(self._made)


def tell_step(agent: Agent, callback: BaseCallback, world: VecEnvWorld, data: Played, t: int) -> bool:
    """Report a step of other libraries' environments as it happens; False if the callback says stop."""
    agent.num_timesteps += agent.steps_at_once
    world.timesteps = agent.num_timesteps
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
    going = callback.on_step()
    agent._last_obs = world.raw_obs  # what comes next is decided on; until now it was what this step was
    return going
