"""What callbacks and the log hear of a rollout: the local variables that Stable-Baselines3's loops would have there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, ConvertCallback, EventCallback
from torch import Tensor

from ..data.env_adapters import EnvAdapter, VecEnvAdapter
from ..nn.actor_critic import each

if TYPE_CHECKING:
    from .agent import Agent


class Played(Protocol):
    """What N games did in T steps, (T, N) each; see `rollout_buffer.RolloutTensors`."""

    rewards: Tensor
    actions: Tensor
    dones: Tensor
    truncated: Tensor
    episode_return: Tensor
    episode_length: Tensor


class Later(partial[Any]):
    """A local variable that is made when somebody reads it: most callbacks do not."""


class Locals(dict[str, Any]):
    """Local variables as callbacks have them, those that are `Later` made with the first look and kept."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if isinstance(value, Later):
            value = self[name] = value()
        return value

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()  # its being here lets dict(...) and ** ask for each value, too

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


def let_wait(callback: BaseCallback) -> None:
    """Give a callback, and those in it, locals that may be `Later`."""
    if not isinstance(callback.locals, Locals):
        callback.locals = Locals(callback.locals)
    for inner in [*getattr(callback, "callbacks", ()), getattr(callback, "callback", None)]:
        if isinstance(inner, BaseCallback):
            let_wait(inner)


def heard_by_users(callback: BaseCallback) -> bool:
    """Whether anyone but Ludus's and Stable-Baselines3's own callbacks listens, which do not ask for observations."""
    if isinstance(callback, CallbackList):
        return any(heard_by_users(each_one) for each_one in callback.callbacks)
    if isinstance(callback, ConvertCallback):
        return callback.callback is not None
    if isinstance(callback, EventCallback) and callback.callback is not None and heard_by_users(callback.callback):
        return True
    return type(callback).__module__.partition(".")[0] not in ("ludus", "stable_baselines3")


def tell_rollout(agent: Agent, callback: BaseCallback, data: Played, adapters: Sequence[EnvAdapter]) -> bool:
    """Report the steps of Ludus's games when their rollout is over, a call for each; False if the callback says stop."""
    actions, dones = (x.cpu().numpy() for x in (data.actions, data.dones))
    rewards = rewards_to_change(agent, data.rewards)
    ended, edges = ended_in(agent, data, dones)
    endings, going, ends = [(adapter.num_envs, adapter.endings) for adapter in adapters], True, dones > 0
    if agent.heard:
        let_wait(callback)
    for t in range(len(rewards)):
        agent.num_timesteps += agent.steps_at_once
        infos = Infos(agent.n_envs, ended, edges[t], edges[t + 1], partial(finals_of, endings, t))
        told = Locals(self=agent, env=agent.env, callback=callback, rewards=rewards[t], dones=ends[t], infos=infos)
        told["actions"] = actions[t]
        if agent.heard:
            agent._last_obs = Later(agent.obs_of, t)  # type: ignore[assignment]
            told.update(new_obs=Later(agent.obs_of, t + 1), **agent.step_locals(t))
        callback.update_locals(told)
        going = callback.on_step()
        if not going:
            break
    return going


def ended_in(agent: Agent, data: Played, dones: np.ndarray) -> tuple[Ended | None, list[int]]:
    """The episodes of a rollout, and of each step the first of its own; the agent keeps the last of all for its log."""
    steps, games = dones.nonzero()
    if not len(steps):
        return None, [0] * (len(dones) + 1)
    totals, lengths, cuts = (x.cpu().numpy()[steps, games] for x in columns_of(data))
    ended = Ended(games, totals, lengths, cuts, round(agent.elapsed(), 6))
    assert agent.ep_info_buffer is not None
    remembered = agent.ep_info_buffer.maxlen or len(steps)  # by the log, which needs no more of thousands
    agent.ep_info_buffer.extend(info["episode"] for info in ended.infos(max(len(steps) - remembered, 0), len(steps)))
    return ended, np.searchsorted(steps, np.arange(len(dones) + 1)).tolist()


def finals_of(endings: Sequence[tuple[int, Any]], t: int) -> dict[int, Any]:
    """What episodes ended with at step t, by game, as far as it was kept; of adapters with so many games each."""
    found: dict[int, Any] = {}
    before = 0
    for count, steps in endings:
        if steps is not None and steps[t] is not None:
            games, finals = steps[t]
            for k, game in enumerate(games.tolist()):
                found[before + game] = each(lambda x: x[k].numpy().copy(), finals)  # noqa: B023
        before += count
    return found


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
    """Information on each of N games after a step, made when somebody looks: most callbacks do not.

    Args:
        ended: episodes, of which first .. last-1 ended with the step; None: none.
        finals: gives what they ended with, by game, as far as that is known.
    """

    def __init__(
        self, num_envs: int, ended: Ended | None, first: int, last: int, finals: Callable[[], dict[int, Any]] = dict
    ) -> None:
        self.num_envs, self.ended, self.first, self.last, self.finals = num_envs, ended, first, last, finals

    @cached_property
    def _made(self) -> list[dict[str, Any]]:
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if self.ended is None:
            return infos
        games = self.ended.games[self.first : self.last].tolist()
        for game, info in zip(games, self.ended.infos(self.first, self.last), strict=True):
            infos[game] = info
        for game, obs in self.finals().items():
            infos[game]["terminal_observation"] = obs
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


def rewards_to_change(agent: Agent, rewards: Tensor) -> np.ndarray:
    """As an array: what a callback writes into it is learned from; where it would not be, it cannot be written to."""
    array = rewards.cpu().numpy()
    if agent.remembers or rewards.device.type != "cpu":
        array.flags.writeable = False
    return array


def left_over(dones: Tensor, t: int) -> dict[str, Any]:
    """What Stable-Baselines3's loop over the ends of step t - 1 of a rollout has left, of (T, N), at step t."""
    return {"idx": dones.shape[1] - 1, "done": Later(lambda: np.bool_(dones[t - 1, -1].item() > 0))} if t else {}


def tell_step(agent: Agent, callback: BaseCallback, adapter: VecEnvAdapter, data: Played, t: int) -> bool:
    """Report a step of other libraries' environments as it happens; False if the callback says stop."""
    agent.num_timesteps += agent.steps_at_once
    adapter.timesteps = agent.num_timesteps
    agent._update_info_buffer(adapter.infos, adapter.dones)
    rewards = rewards_to_change(agent, data.rewards[t])
    told = Locals(self=agent, env=agent.env, callback=callback, rewards=rewards, dones=adapter.dones)
    told.update(actions=data.actions[t].cpu().numpy(), infos=adapter.infos, new_obs=adapter.raw_obs)
    if agent.heard:
        let_wait(callback)
        told.update(agent.step_locals(t))
    callback.update_locals(told)
    going = callback.on_step()
    agent._last_obs = adapter.raw_obs  # what comes next is decided on; until now it was what this step was
    return going
