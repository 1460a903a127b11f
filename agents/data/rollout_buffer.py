"""The rollouts that PPO learns from: T steps of N games."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import BaseBuffer
from torch import Tensor

from ..nn.actor_critic import ActorCritic, each, value_of
from ..runtime.hardware import on_gpu
from .env_adapters import EnvAdapter

Autocast = Callable[[], AbstractContextManager[Any]]


class RolloutTensors(BaseBuffer):
    """Tensors (T, N, ...), allocated once, filled step by step on the learner's device.

    Attributes:
        obs: as the policy takes it, in its own dtype; a dictionary for dictionary spaces.
        actions: int64 or, in `Box` spaces, float32; params: (T, N, P), what they were drawn from.
        masks: (T, N, P) bool, legal actions; None where all are.
        rewards, values, log_probs, advantages: (T, N) float32.
        columns: (T, N, 4), log-probability, advantage, return (what the critic learns) and value, side by side.
        bootstrap: (T, N), V(final observation) where an episode was truncated, else 0.
        dones: (T, N) float32, 1 where an episode ended with the step. There, truncated (bool) says whether it was cut off,
            episode_return and episode_length what it came to; elsewhere they say nothing.
        last_values: (N,), V of the observation after the last step.
        signs: (T, N) float32, -1 where the step gave the turn to the other player; None in games without turns.
        memory: (N, S), a recurrent policy's memory before the first step; starts: (T, N) float32, 1 where an episode
            starts with the step, but for the first, whose games are as `memory` says.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: Any,
        action_space: Any,
        device: Any = "cpu",
        n_envs: int = 1,
        **_: Any,
    ) -> None:
        super().__init__(buffer_size, observation_space, action_space, device, n_envs)
        self.allocated = self.learned = False  # the latter once an update has seen it

    def allocate(self, adapter: EnvAdapter, policy: ActorCritic) -> None:
        """Make the tensors, for observations and actions like these; nothing if they are there."""
        if self.allocated:
            return
        steps, games, device, head = self.buffer_size, self.n_envs, self.device, policy.head
        self.obs = each(lambda x: torch.zeros((steps, games, *x.shape[1:]), dtype=x.dtype, device=device), adapter.obs)
        self.actions = torch.zeros((steps, games, *head.action_shape), dtype=head.action_dtype, device=device)
        self.params = torch.zeros((steps, games, head.size), device=device)
        self.masks = (
            None if adapter.mask is None else torch.zeros((steps, games, head.size), dtype=torch.bool, device=device)
        )
        self.rewards, self.values, self.log_probs, self.advantages = (
            torch.zeros((steps, games), device=device) for _ in range(4)
        )
        self.bootstrap, self.dones, self.episode_return = (torch.zeros((steps, games), device=device) for _ in range(3))
        self.truncated = torch.zeros((steps, games), dtype=torch.bool, device=device)
        self.episode_length = torch.zeros((steps, games), dtype=torch.int32, device=device)
        self.columns = torch.zeros((steps, games, 4), device=device)
        self.signs = None if adapter.signs is None else torch.ones((steps, games), device=device)
        self.last_values, self.first_starts = torch.zeros(games, device=device), torch.ones(games, device=device)
        self.memory = None if policy.core is None else policy.core.initial_state(games, device)
        self.starts = torch.zeros((steps, games), device=device)
        self.allocated = True

    def begin(self, starts: Any) -> None:
        """A rollout is about to be played, from games (N,) of which some are at the start of an episode."""
        self.pos, self.full, self.learned = 0, False, False
        self.first_starts.copy_(torch.as_tensor(np.asarray(starts, np.float32)))

    def part(self, first: int, last: int) -> RolloutTensors:
        """Views of the tensors, of games first .. last-1."""
        twin = RolloutTensors(self.buffer_size, self.observation_space, self.action_space, self.device, last - first)
        for name, value in vars(self).items():
            if name == "obs":
                twin.obs = each(lambda x: x[:, first:last], value)
            elif name in ("last_values", "first_starts", "memory") and value is not None:
                setattr(twin, name, value[first:last])
            elif isinstance(value, Tensor):
                setattr(twin, name, value[:, first:last])
        twin.masks = None if self.masks is None else self.masks[:, first:last]
        twin.signs = None if self.signs is None else self.signs[:, first:last]
        twin.memory = None if self.memory is None else twin.memory
        twin.allocated = True
        return twin

    def fill_columns(self) -> None:
        """Put what a minibatch needs to know of each step side by side, so that gathering it costs one call."""
        self.columns[..., 0], self.columns[..., 1] = self.log_probs, self.advantages
        torch.add(self.advantages, self.values, out=self.columns[..., 2])
        self.columns[..., 3] = self.values

    def samples(self) -> dict[str, Any]:
        """All steps in one row, (T * N, ...), without a copy."""
        named = {"obs": self.obs, "actions": self.actions, "columns": self.columns, "masks": self.masks}
        return {name: each(lambda x: x.flatten(0, 1), value) for name, value in named.items() if value is not None}

    def sequences(self) -> dict[str, Any]:
        """For policies with memory: whole sequences, games first, (N, T, ...), so that rows are drawn like samples."""
        self.starts[1:] = self.dones[:-1]  # in place, where graphs read them
        named = {
            "obs": self.obs,
            "actions": self.actions,
            "columns": self.columns,
            "masks": self.masks,
            "starts": self.starts,
        }
        data = {name: each(lambda x: x.transpose(0, 1), value) for name, value in named.items() if value is not None}
        return {**data, "memory": self.memory}

    @property
    def episode_starts(self) -> np.ndarray:
        """(T, N) float32, 1 where the step is the first of an episode; in the first row, as far as this rollout knows."""
        return torch.cat([self.first_starts.unsqueeze(0), self.dones[:-1]]).cpu().numpy()

    def _get_samples(self, batch_inds: Any, env: Any = None) -> Any:
        raise NotImplementedError("`samples` is what Ludus uses; `sb3_buffer` is for others")


def bootstrap(data: RolloutTensors, t: int, adapter: EnvAdapter, policy: ActorCritic, memory: Tensor | None) -> None:
    """An episode that was cut off goes on in theory: note the value of where it would have gone on from.

    On a CPU only for those games; on a GPU for all, since to count them would be to wait for it.
    """
    if on_gpu(data.device):
        values = value_of(policy, adapter.final_obs, memory)
        data.bootstrap[t] = torch.where(adapter.truncated, values, 0.0)
        return
    data.bootstrap[t] = 0.0
    cut = adapter.truncated.nonzero().squeeze(-1)
    if len(cut):
        values = value_of(policy, each(lambda x: x[cut], adapter.final_obs), None if memory is None else memory[cut])
        data.bootstrap[t, cut] = values
