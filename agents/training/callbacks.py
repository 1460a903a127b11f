"""Calls of callbacks after each step, with the local variables that Stable-Baselines3's `collect_rollouts` has there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, ConvertCallback, EventCallback
from torch import Tensor

from ..data.env_adapters import EnvAdapter, VecEnvAdapter
from ..nn.actor_critic import each
from ..runtime.hardware import on_gpu


class Steps(Protocol):
    """T steps of N games, tensors (T, N); see `rollout_buffer.RolloutTensors`."""

    rewards: Tensor
    actions: Tensor
    dones: Tensor
    truncated: Tensor
    episode_return: Tensor
    episode_length: Tensor


class Lazy(partial[Any]):
    """A local variable that is computed when it is read: most callbacks do not read it."""


class Locals(dict[str, Any]):
    """Local variables for callbacks; those that are `Lazy` are computed when they are first read, and stored."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if isinstance(value, Lazy):
            value = self[name] = value()
        return value

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()  # because it is overridden, dict(...) and ** read values by __getitem__, too

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401

    def values(self) -> Any:
        return [self[name] for name in self]

    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    def copy(self) -> dict[str, Any]:
        return dict(self)

    def update(self, others: Any = (), **more: Any) -> None:
        super().update(dict.items(others) if isinstance(others, Locals) else others, **more)


def allow_lazy_locals(callback: BaseCallback) -> None:
    """Give a callback, and those in it, `Locals`."""
    if not isinstance(callback.locals, Locals):
        callback.locals = Locals(callback.locals)
    for inner in [*getattr(callback, "callbacks", ()), getattr(callback, "callback", None)]:
        if isinstance(inner, BaseCallback):
            allow_lazy_locals(inner)


def is_users(callback: BaseCallback) -> bool:
    """Whether it is, or has in it, a callback of the user's; Ludus's and Stable-Baselines3's own read no observations."""
    if isinstance(callback, CallbackList):
        return any(is_users(inner) for inner in callback.callbacks)
    if isinstance(callback, ConvertCallback):
        return callback.callback is not None
    if isinstance(callback, EventCallback) and callback.callback is not None and is_users(callback.callback):
        return True
    return type(callback).__module__.partition(".")[0] not in ("ludus", "stable_baselines3")


def collect_and_call(agent: Any, callback: BaseCallback, data: Steps, adapters: Sequence[EnvAdapter]) -> bool:
    """Collect steps and call the callback for each; returns False if it asked to stop.

    In other libraries' environments it is called as the steps happen, in Ludus's games when all are over.

    Args:
        agent: its `_collect(on_step)` fills `data`, and `collect()`, which may be a CUDA graph of it.
        adapters: the environments, or as many parts of them as threads step.
    """
    agent.follow_changes()
    if agent.simulator is None:
        adapter: Any = adapters[0]
        adapter.observe(agent._last_obs)
        return agent._collect(partial(call_after_step, agent, callback, adapter.source, data))
    store_final_observations(agent, adapters)
    agent.collect()
    agent.simulator.check()
    return call_after_rollout(agent, callback, data, adapters)


def call_after_rollout(agent: Any, callback: BaseCallback, data: Steps, adapters: Sequence[EnvAdapter]) -> bool:
    """Call the callback once for each step of a rollout in Ludus's games; returns False if it asks to stop training."""
    actions, dones = (x.cpu().numpy() for x in (data.actions, data.dones))
    rewards = rewards_for(agent, data.rewards)
    episodes, edges = finished_episodes(agent, data, dones)
    endings, going, ends = [(adapter.num_envs, adapter.source.endings) for adapter in adapters], True, dones > 0
    if agent.has_users_callback:
        allow_lazy_locals(callback)
    for t in range(len(rewards)):
        agent.num_timesteps += agent.steps_at_once
        infos = Infos(agent.n_envs, episodes, edges[t], edges[t + 1], partial(final_observations, endings, t))
        found = Locals(self=agent, env=agent.env, callback=callback, rewards=rewards[t], dones=ends[t], infos=infos)
        found["actions"] = actions[t]
        if agent.has_users_callback:
            agent._last_obs = Lazy(agent.obs_of, t)
            found.update(new_obs=Lazy(agent.obs_of, t + 1), **agent.step_locals(t))
        callback.update_locals(found)
        going = callback.on_step()
        if not going:
            break
    return going


def call_after_step(agent: Any, callback: BaseCallback, adapter: VecEnvAdapter, data: Steps, t: int) -> bool:
    """Call the callback after step t in other libraries' environments; returns False if it asks to stop training."""
    agent.num_timesteps += agent.steps_at_once
    adapter.timesteps = agent.num_timesteps
    agent._update_info_buffer(adapter.infos, adapter.dones)
    rewards = rewards_for(agent, data.rewards[t])
    found = Locals(self=agent, env=agent.env, callback=callback, rewards=rewards, dones=adapter.dones)
    found.update(actions=data.actions[t].cpu().numpy(), infos=adapter.infos, new_obs=adapter.raw_obs)
    if agent.has_users_callback:
        allow_lazy_locals(callback)
        found.update(agent.step_locals(t))
    callback.update_locals(found)
    going = callback.on_step()
    agent._last_obs = adapter.raw_obs  # only now: callbacks find there what the step's action was chosen from
    return going


def rewards_for(agent: Any, rewards: Tensor) -> np.ndarray:
    """Rewards as an array; it is read-only where the agent would not learn from what a callback writes into it."""
    array = rewards.cpu().numpy()
    if agent.off_policy or rewards.device.type != "cpu":
        array.flags.writeable = False
    return array


def loop_locals(dones: Tensor, t: int) -> dict[str, Any]:
    """Variables of Stable-Baselines3's loop over environments after step t - 1, still there at step t; dones are (T, N)."""
    return {"idx": dones.shape[1] - 1, "done": Lazy(lambda: np.bool_(dones[t - 1, -1].item() > 0))} if t else {}


def finished_episodes(agent: Any, data: Steps, dones: np.ndarray) -> tuple[Episodes | None, list[int]]:
    """Episodes that ended in a rollout, None if none did; episodes edges[t] .. edges[t + 1] - 1 ended with step t.

    The last of them are stored in the agent's `ep_info_buffer`.
    """
    steps, games = dones.nonzero()
    if not len(steps):
        return None, [0] * (len(dones) + 1)
    columns = data.episode_return, data.episode_length, data.truncated
    returns, lengths, truncated = (x.cpu().numpy()[steps, games] for x in columns)
    episodes = Episodes(games, returns, lengths, truncated, round(agent.elapsed(), 6))
    room = agent.ep_info_buffer.maxlen or len(steps)  # of thousands of episodes, the log needs no more
    agent.ep_info_buffer.extend(info["episode"] for info in episodes.infos(max(len(steps) - room, 0), len(steps)))
    return episodes, np.searchsorted(steps, np.arange(len(dones) + 1)).tolist()


def final_observations(endings: Sequence[tuple[int, Any]], t: int) -> dict[int, Any]:
    """Final observations of the episodes that ended with step t, by game, as far as they were stored.

    Args:
        endings: of each adapter, its number of games and its `endings`.
    """
    found: dict[int, Any] = {}
    first = 0
    for num_envs, steps in endings:
        if steps is not None and steps[t] is not None:
            games, final_obs = steps[t]
            for k, game in enumerate(games.tolist()):
                found[first + game] = each(lambda x: x[k].numpy().copy(), final_obs)  # noqa: B023
        first += num_envs
    return found


class Episodes(NamedTuple):
    """E episodes in the order in which they ended, arrays (E,); `seconds` of training have passed."""

    games: np.ndarray
    returns: np.ndarray
    lengths: np.ndarray
    truncated: np.ndarray
    seconds: float

    def infos(self, first: int, last: int) -> Iterator[dict[str, Any]]:
        """The `info` dictionaries of episodes first .. last-1, with the keys of Stable-Baselines3's `Monitor`."""
        for total, length, truncated in zip(*(x[first:last].tolist() for x in self[1:4]), strict=True):
            yield {"episode": {"r": total, "l": length, "t": self.seconds}, "TimeLimit.truncated": truncated}


class Infos(Sequence[dict[str, Any]]):
    """The `info` dictionary of each of N games after a step, made when one is read: most callbacks do not.

    Args:
        episodes: of which first .. last-1 ended with the step; None: none.
        final_obs: returns their final observations by game, as far as they are known.
    """

    def __init__(
        self,
        num_envs: int,
        episodes: Episodes | None,
        first: int,
        last: int,
        final_obs: Callable[[], dict[int, Any]] = dict,
    ) -> None:
        self.num_envs, self.episodes, self.final_obs = num_envs, episodes, final_obs
        self.first, self.last = first, last

    @cached_property
    def _infos(self) -> list[dict[str, Any]]:
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if self.episodes is None:
            return infos
        games = self.episodes.games[self.first : self.last].tolist()
        for game, info in zip(games, self.episodes.infos(self.first, self.last), strict=True):
            infos[game] = info
        for game, obs in self.final_obs().items():
            infos[game]["terminal_observation"] = obs
        return infos

    def __len__(self) -> int:
        return self.num_envs

    def __getitem__(self, index: Any) -> Any:
        return self._infos[index]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._infos)

    def __eq__(self, other: object) -> bool:
        return self._infos == (other._infos if isinstance(other, Infos) else other)

    def __repr__(self) -> str:
        return repr(self._infos)


def store_final_observations(agent: Any, adapters: Sequence[EnvAdapter]) -> None:
    """Let adapters on a CPU store final observations of episodes in the next rollout, if a user's callback may read them."""
    for adapter in adapters:
        adapter.source.endings = [] if agent.has_users_callback and not on_gpu(agent.device) else None
