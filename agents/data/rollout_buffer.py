"""Rollouts of on-policy actor-critics: tensors of T steps of N games, and how they are collected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import BaseBuffer
from torch import Tensor

from ...envs import OptionError
from ..nn.actor_critic import ActorCritic, each, keep_obs, value_of
from ..nn.normalize import RewardNormalizer
from ..nn.overridden import OverriddenHead
from ..runtime.hardware import on_gpu
from ..runtime.threads import WorkerThreads
from .env_adapters import EnvAdapter
from .returns import generalized_advantages

Autocast = Callable[[], AbstractContextManager[Any]]
OnStep = Callable[[int], bool]  # is called after step t; False: end the rollout


class RolloutTensors(BaseBuffer):
    """Tensors (T, N, ...), allocated once, filled step by step on the learner's device.

    Attributes:
        obs: as the policy takes it, in its own dtype; a dictionary for dictionary spaces.
        actions: int64 or, in `Box` spaces, float32; params: (T, N, P), what they were drawn from.
        masks: (T, N, P) bool, legal actions; None where all are.
        rewards, values, log_probs, advantages: (T, N) float32.
        columns: (T, N, 4), log-probability, advantage, return (what the critic learns) and value, side by side; where the
            environments advise, (T, N, 5), and the fifth is the number of the action that they would take, -1 for none.
        bootstrap: (T, N), V(final observation) where an episode was truncated, else 0.
        dones: (T, N) float32, 1 where an episode ended with the step. There, truncated (bool) says whether it was cut off,
            episode_return and episode_length what it came to; elsewhere they say nothing.
        last_values: (N,), V of the observation after the last step.
        signs: (T, N) float32, -1 where the step gave the turn to the other player; None in games without turns.
        memory: (N, S), a recurrent policy's state before the first step; starts: (T, N) float32, 1 where an episode
            starts with the step, but for the first, whose games are as `memory` says.
    """

    def __init__(self, buffer_size: int, observation_space: Any, action_space: Any, device: Any, n_envs: int) -> None:
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
        self.columns = torch.zeros((steps, games, 4 if adapter.advice is None else 5), device=device)
        self.signs = None if adapter.signs is None else torch.ones((steps, games), device=device)
        self.last_values, self.first_starts = torch.zeros(games, device=device), torch.ones(games, device=device)
        self.memory = None if policy.core is None else policy.core.initial_state(games, device)
        self.starts = torch.zeros((steps, games), device=device)
        self.allocated = True

    def begin(self, starts: Any) -> None:
        """A rollout is about to be collected, from games (N,) of which some are at the start of an episode."""
        self.pos, self.full, self.learned = 0, False, False
        self.first_starts.copy_(torch.as_tensor(np.asarray(starts, np.float32)))

    def keep_choices(self, t: int, adapter: EnvAdapter) -> None:
        """Store what is legal at step t, and what is advised."""
        if self.masks is not None and adapter.mask is not None:
            self.masks[t] = adapter.mask
        if adapter.advice is not None:
            self.columns[t, :, 4] = adapter.advice.actions()

    def part(self, first: int, last: int) -> RolloutTensors:
        """Views of the tensors, of games first .. last-1."""
        twin = RolloutTensors(self.buffer_size, self.observation_space, self.action_space, self.device, last - first)
        twin.masks = twin.signs = twin.memory = None
        for name, value in vars(self).items():
            if name == "obs":
                twin.obs = each(lambda x: x[:, first:last], value)
            elif isinstance(value, Tensor):
                of_games = name in ("last_values", "first_starts", "memory")  # (N, ...); others are (T, N, ...)
                setattr(twin, name, value[first:last] if of_games else value[:, first:last])
        twin.allocated = True
        return twin

    @torch.no_grad()
    def compute_advantages(
        self, can_truncate: bool, normalizer: RewardNormalizer | None, gamma: float, gae_lambda: float
    ) -> None:
        """Fill in advantages and columns; rewards are normalised first, if there is a normalizer."""
        rewards = self.rewards if normalizer is None else normalizer(self.rewards, self.dones, gamma)
        if can_truncate:
            rewards = rewards + gamma * self.bootstrap
        going_on = 1.0 - self.dones
        if self.signs is not None:
            going_on *= self.signs
        given = (rewards, self.values, going_on, self.last_values)
        self.advantages.copy_(generalized_advantages(*given, gamma, gae_lambda))
        # What a minibatch needs to know of each step lies side by side, so that gathering it costs one call.
        self.columns[..., 0], self.columns[..., 1] = self.log_probs, self.advantages
        torch.add(self.advantages, self.values, out=self.columns[..., 2])
        self.columns[..., 3] = self.values

    def samples(self) -> dict[str, Any]:
        """All steps in one row, (T * N, ...), without a copy."""
        named = {"obs": self.obs, "actions": self.actions, "columns": self.columns, "masks": self.masks}
        return {name: each(lambda x: x.flatten(0, 1), value) for name, value in named.items() if value is not None}

    def sequences(self) -> dict[str, Any]:
        """For recurrent policies: whole sequences, games first, (N, T, ...), so that rows are drawn like samples."""
        self.starts[1:] = self.dones[:-1]  # in place, where graphs read them
        samples, shape = {**self.samples(), "starts": self.starts.flatten()}, self.starts.shape
        data = {name: each(lambda x: x.unflatten(0, shape).transpose(0, 1), value) for name, value in samples.items()}
        return {**data, "memory": self.memory}

    @property
    def episode_starts(self) -> np.ndarray:
        """(T, N) float32, 1 where the step is the first of an episode; in the first row, as far as this rollout knows."""
        return torch.cat([self.first_starts.unsqueeze(0), self.dones[:-1]]).cpu().numpy()

    def _get_samples(self, batch_inds: Any, env: Any = None) -> Any:
        raise NotImplementedError("`samples` is what Ludus uses; `sb3_buffer` is for others")


def bootstrap(stored: Tensor, t: int, adapter: EnvAdapter, values_of: Callable[[Any, Any], Tensor]) -> None:
    """Store in `stored` (T, N) the values of the final observations of episodes that step t truncated, and 0 elsewhere.

    On a CPU they are computed for those games alone; on a GPU for all, since to count them would be to wait for it.

    Args:
        values_of: returns values (B,) of observations (B, *shape) of games, which are a slice or their numbers (B,).
    """
    if on_gpu(stored.device):
        stored[t] = torch.where(adapter.truncated, values_of(adapter.final_obs, slice(None)), 0.0)
        return
    stored[t] = 0.0
    games = adapter.truncated.nonzero().squeeze(-1)
    if len(games):
        stored[t, games] = values_of(each(lambda x: x[games], adapter.final_obs), games)


class Collector:
    """Collects rollouts, on CPUs by several threads, if the games are divided.

    Args:
        network: chooses actions, see `training.network.TorchNetwork`.
        adapters: the games, or as many parts of them as threads play.
        data: is filled; its tensors are allocated here.
        generators: random generators for actions, one for each adapter at least.
        recurrent_state: (N, S), of a recurrent policy before the next step, updated in place; else None.

    Raises OptionError for action masks with a policy that chooses actions by methods of its own.
    """

    def __init__(
        self,
        network: Any,
        adapters: Sequence[EnvAdapter],
        data: RolloutTensors,
        generators: Sequence[torch.Generator],
        workers: WorkerThreads,
        recurrent_state: Tensor | None,
    ) -> None:
        if adapters[0].mask is not None and isinstance(network.policy.head, OverriddenHead):
            raise OptionError("action masks need Ludus's own way to decide: leave out use_sde and methods of your own")
        self.adapters, self.workers = adapters, workers
        data.allocate(adapters[0], network.policy)
        self.can_truncate = any(adapter.can_truncate for adapter in adapters)
        edges = [data.n_envs * k // len(adapters) for k in range(len(adapters) + 1)]
        games = list(zip(edges[:-1], edges[1:], strict=True))  # of each adapter, first to last-1
        parts = [data.part(*some) for some in games] if len(adapters) > 1 else [data]
        states = [None if recurrent_state is None else recurrent_state[slice(*some)] for some in games]
        self.compiled = network.compiled_collector(adapters[0], data) if len(adapters) == 1 else None
        self.policy, self.generators = network.policy, generators[: len(adapters)]
        given = zip(adapters, parts, self.generators, states, strict=True)
        self.parts = [partial(collect, network, *part) for part in given]

    def collect(self, on_step: OnStep | None = None) -> bool:
        """Collect one rollout; returns False if `on_step(t)` asked to stop, which only one thread may call."""
        if self.compiled is not None:
            self.compiled.collect(self.policy, self.generators[0])
            return True
        if len(self.parts) == 1:
            return self.parts[0](on_step)
        return all(self.workers.run(self.parts))


@torch.no_grad()
def collect(
    network: Any,
    adapter: EnvAdapter,
    data: RolloutTensors,
    generator: torch.Generator,
    state: Tensor | None,
    on_step: OnStep | None = None,
) -> bool:
    """Take T steps in every game of an adapter and store them; returns False if `on_step(t)` asked to stop.

    No Python runs for a single game, and nothing waits for the device. The recurrent state (N, S) is updated in place.
    """
    head, steps = network.policy.head, data.buffer_size
    network.refresh()
    noise = head.noise((steps, adapter.num_envs), generator)
    if state is not None:
        data.memory.copy_(state)  # type: ignore[union-attr]
    with network.autocast():
        for t in range(steps):
            _step(network, adapter, data, t, noise[t], state)
            if on_step is not None and not on_step(t):
                return False
        data.last_values.copy_(network.values(adapter.obs, state))
    data.log_probs.copy_(head.log_prob(data.params, data.actions))
    return True


def _step(network: Any, adapter: EnvAdapter, data: RolloutTensors, t: int, noise: Tensor, state: Tensor | None) -> None:
    """Choose actions for step t, take it in every game, and store it."""
    policy, obs = network.policy, keep_obs(data.obs, t, adapter.obs)
    data.keep_choices(t, adapter)
    data.params[t], data.values[t], next_state = network.forward(obs, state, adapter.mask)
    data.actions[t] = policy.head.sample(data.params[t], noise)
    actions = data.actions[t]
    if policy.squash_output:  # from -1 to 1
        actions = torch.as_tensor(policy.unscale_action(actions.cpu().numpy()), device=data.device)
    ended = adapter.step(actions)
    data.rewards[t] = adapter.reward
    if data.signs is not None and adapter.signs is not None:
        data.signs[t] = adapter.signs
    torch.logical_or(adapter.terminated, adapter.truncated, out=data.dones[t])
    if ended:  # the following is read only where an episode ended
        data.truncated[t] = adapter.truncated
        data.episode_return[t], data.episode_length[t] = adapter.episode_return, adapter.episode_length
    if adapter.can_truncate:

        def values_of(obs: Any, games: Any) -> Tensor:
            return value_of(policy, obs, None if next_state is None else next_state[games])

        bootstrap(data.bootstrap, t, adapter, values_of)
    if state is not None:
        assert next_state is not None
        state.copy_(next_state * (1.0 - data.dones[t]).unsqueeze(-1))  # zeros at the start of episodes
