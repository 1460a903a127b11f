"""Rollouts of PPO: steps in all games, and generalized advantage estimation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...envs import OptionError
from ..compiled.kernel import Kernel
from ..data.env_adapters import EnvAdapter
from ..data.rollout_buffer import RolloutTensors, bootstrap
from ..nn.actor_critic import keep_obs
from ..nn.normalize import RewardNormalizer
from ..nn.overridden import OverriddenHead
from ..runtime.hardware import on_gpu
from ..runtime.threads import WorkerThreads
from .network import Network

OnStep = Callable[[int], bool]  # is called after step t; False: end the rollout


class Collector:
    """Collects rollouts, on CPUs by several threads, if the games are divided.

    Args:
        network: chooses actions.
        adapters: the games, or as many parts of them as threads play.
        data: is filled; its tensors are allocated here.
        generators: random generators for actions, one for each adapter at least.
        recurrent_state: (N, S), of a recurrent policy before the next step, updated in place; else None.

    Raises OptionError for action masks with a policy that chooses actions by methods of its own.
    """

    def __init__(
        self,
        network: Network,
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
            self.compiled.play(self.policy, self.generators[0])
            return True
        if len(self.parts) == 1:
            return self.parts[0](on_step)
        return all(self.workers.run(self.parts))


@torch.no_grad()
def collect(
    network: Network,
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


def _step(
    network: Network, adapter: EnvAdapter, data: RolloutTensors, t: int, noise: Tensor, state: Tensor | None
) -> None:
    """Choose actions for step t, take it in every game, and store it."""
    policy, obs = network.policy, keep_obs(data.obs, t, adapter.obs)
    if data.masks is not None and adapter.mask is not None:
        data.masks[t] = adapter.mask
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
        bootstrap(data, t, adapter, policy, next_state)
    if state is not None:
        assert next_state is not None
        state.copy_(next_state * (1.0 - data.dones[t]).unsqueeze(-1))  # zeros at the start of episodes


@torch.no_grad()
def compute_advantages(
    data: RolloutTensors, can_truncate: bool, normalizer: RewardNormalizer | None, gamma: float, gae_lambda: float
) -> None:
    """Fill in a rollout's advantages and columns; rewards are normalised first, if there is a normalizer."""
    rewards = data.rewards if normalizer is None else normalizer(data.rewards, data.dones, gamma)
    if can_truncate:
        rewards = rewards + gamma * data.bootstrap
    going_on = 1.0 - data.dones
    if data.signs is not None:
        going_on *= data.signs
    given = (rewards, data.values, going_on, data.last_values)
    data.advantages.copy_(generalized_advantages(*given, gamma, gae_lambda))
    data.fill_columns()


def generalized_advantages(
    rewards: Tensor, values: Tensor, going_on: Tensor, last_values: Tensor, gamma: float, gae_lambda: float
) -> Tensor:
    """Generalized advantage estimation (Schulman et al. 2016), for T steps of N games.

    Args:
        rewards: (T, N) float32; for a truncated episode, with gamma * V(final observation) added already.
        values: (T, N) float32, V of the observation that the action was chosen from.
        going_on: (T, N) float32, the factor of what follows: 1, or 0 where the episode ended with this step, or -1 where it
            is the other player's turn next, who wins what this one loses (Littman 1994).
        last_values: (N,) float32, V of the observation after the last step.

    Returns:
        (T, N) advantages; advantages + values are the returns that the critic learns.
    """
    advantages = torch.empty_like(rewards)
    if not on_gpu(rewards.device):
        numbers = torch.tensor([gamma, gamma * gae_lambda], dtype=rewards.dtype)
        given = (x.contiguous() for x in (rewards, values, going_on, last_values))
        Kernel(gae_loop, *given, numbers, advantages, units=len(last_values))()
        return advantages
    following, next_values = torch.zeros_like(last_values), last_values
    for t in range(rewards.shape[0] - 1, -1, -1):
        delta = rewards[t] + gamma * next_values * going_on[t] - values[t]
        following = delta + gamma * gae_lambda * going_on[t] * following
        advantages[t] = following
        next_values = values[t]
    return advantages


def gae_loop(rewards, values, going_on, last_values, numbers, advantages, first, last):
    """`generalized_advantages` as a loop, for games first .. last-1; numbers are gamma and gamma * gae_lambda."""
    gamma, decay = numbers[0], numbers[1]
    end = rewards.shape[0] - 1
    for n in range(first, last):
        advantages[end, n] = rewards[end, n] + gamma * last_values[n] * going_on[end, n] - values[end, n]
    for back in range(end):
        t = end - 1 - back
        for n in range(np.uint64(first), np.uint64(last)):  # unsigned, so that no index can count from the end
            to_come = gamma * values[t + 1, n] + decay * advantages[t + 1, n]
            advantages[t, n] = rewards[t, n] - values[t, n] + going_on[t, n] * to_come
    return 0
