"""Replay buffers of Stable-Baselines3, or of the user's after its pattern, in place of `replay_buffer.ReplayTensors`.

Under VecNormalize, too: they store what the environments returned, and normalise it when it is sampled.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DQN as StableDQN
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.her import HerReplayBuffer
from torch import Tensor

from ...envs import OptionError
from ..data.batch import Batch
from ..data.env_adapters import EnvAdapter, VecEnvAdapter
from ..nn.actor_critic import each


class StableReplay:
    """A buffer of Stable-Baselines3's with the methods of `ReplayTensors`.

    Checkpoints do not hold it, as in Stable-Baselines3; `save_replay_buffer` does.

    Args:
        agent: whose `_store_transition` is called, with its settings of the buffer.
        prioritized: raises OptionError, for such a buffer samples uniformly.

    Attributes:
        buffer: made as Stable-Baselines3 makes it, by the agent's `replay_buffer_class` and `replay_buffer_kwargs`.
    """

    frame_stack = 1

    def __init__(self, agent: StableDQN, prioritized: bool) -> None:
        if prioritized:
            raise OptionError(
                "prioritized is for Ludus's replay buffer: leave out replay_buffer_class, replay_buffer_kwargs and "
                "VecNormalize"
            )
        if getattr(agent.policy, "frozen", None) is not None:
            raise OptionError(
                "a frozen encoder needs Ludus's replay buffer: leave out replay_buffer_class, replay_buffer_kwargs and "
                "VecNormalize"
            )
        self.agent = agent
        space: Any = agent.observation_space
        kind: Any = agent.replay_buffer_class
        given = dict(agent.replay_buffer_kwargs or {})
        if agent.n_steps > 1 and (kind or given):
            warnings.warn(
                "n_steps is ignored with a replay_buffer_class of its own: give it in replay_buffer_kwargs",
                stacklevel=5,
            )
        elif agent.n_steps > 1:
            if isinstance(space, spaces.Dict):
                raise OptionError("n_steps with VecNormalize is not for dictionaries of observations: use n_steps=1")
            kind, given = NStepReplayBuffer, {"n_steps": agent.n_steps, "gamma": agent.gamma}
        kind = kind or (DictReplayBuffer if isinstance(space, spaces.Dict) else ReplayBuffer)
        if issubclass(kind, HerReplayBuffer):
            given["env"] = agent.env
        self.buffer: Any = kind(
            agent.buffer_size, space, agent.action_space, device=agent.device, n_envs=agent.n_envs,
            optimize_memory_usage=agent.optimize_memory_usage, **given,
        )  # fmt: skip

    @property
    def count(self) -> int:
        """Rows that were written and are still there."""
        return self.buffer.size()

    def store_obs(self, adapter: EnvAdapter) -> None:
        """Let the agent have the observations before a step; raises OptionError for action masks."""
        if adapter.mask is not None:
            raise OptionError("a replay_buffer_class stores no action masks: leave it out in games that have some")
        if not isinstance(adapter, VecEnvAdapter):
            self.agent._last_obs = _arrays(adapter.obs)

    def store_step(self, adapter: EnvAdapter, actions: Tensor) -> None:
        """Actions (N,) and what the step returned, by the agent's `_store_transition`."""
        before = self.agent._last_obs
        self.agent._store_transition(self.buffer, actions.cpu().numpy(), *_returned(adapter))  # type: ignore[arg-type]
        self.agent._last_obs = before  # for callbacks, which are called after this

    def break_off(self, adapter: EnvAdapter) -> None:
        """Nothing to do: each row has its own next observation."""

    def obs_before(self, steps: int) -> Any:
        """Observations (N, *shape) of the row so many before the next one."""
        row = (self.buffer.pos - steps) % self.buffer.buffer_size
        return each(lambda x: x[row].copy(), self.buffer.observations)

    def newest_obs(self, count: int) -> dict[str, Tensor]:
        """Observations of the newest rows, (count, N, *shape), where they are real numbers."""
        stored = self.buffer.observations
        rows = (self.buffer.pos - np.arange(count, 0, -1)) % self.buffer.buffer_size
        parts = stored if isinstance(stored, dict) else {"observation": stored}
        return {name: torch.from_numpy(x[rows]) for name, x in parts.items() if x.dtype.kind == "f"}

    def sample(self, size: int, generator: torch.Generator, beta: Any = 1.0) -> Batch:
        """B transitions, drawn by NumPy's own generator, as these buffers do."""
        drawn = self.buffer.sample(size, env=self.agent._vec_normalize_env)
        obs, next_obs, going_on = drawn.observations, drawn.next_observations, 1.0 - drawn.dones.flatten()
        discounts = going_on * (self.agent.gamma if drawn.discounts is None else drawn.discounts.flatten())
        actions, returns = drawn.actions.flatten().long(), drawn.rewards.flatten()
        indices, weights = torch.zeros_like(actions), torch.ones_like(going_on)
        return Batch(obs, actions, returns, discounts, next_obs, None, None, indices, weights)


def _arrays(obs: Any) -> Any:
    return each(lambda x: x.cpu().numpy().copy(), obs)


def _returned(adapter: EnvAdapter) -> tuple[Any, np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """What a `VecEnv` returns from a step: observations, rewards, dones and infos."""
    if isinstance(adapter, VecEnvAdapter):
        return adapter.raw_obs, adapter.rewards, adapter.dones, adapter.infos
    truncated, last = adapter.truncated.cpu().numpy(), _arrays(adapter.final_obs)
    dones = adapter.terminated.cpu().numpy() | truncated
    infos: list[dict[str, Any]] = [
        {"TimeLimit.truncated": bool(truncated[k]), "terminal_observation": last[k]} if dones[k] else {}
        for k in range(len(dones))
    ]
    return _arrays(adapter.obs), adapter.reward.cpu().numpy(), dones, infos
