"""Collecting steps with epsilon-greedy actions, in PyTorch's operations and as compiled loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..compiled.kernel import Kernel, ThreadPool
from ..data.compiled_collect import StepLoops
from ..data.env_adapters import EnvAdapter
from ..data.replay_buffer import ReplayTensors
from ..nn.actor_critic import keep_obs
from .loss import ATOMS, CHOICES, DUELING, advantage_of, common_of
from .network import TorchQ

Before = Callable[[int], Any]  # before step t
After = Callable[[int, int], bool]  # after step t; see `StepLoops.run`


def epsilon_per_game(epsilon: float | Tensor, power: float, out: Tensor) -> Tensor:
    """Probabilities of random actions in N games, written to `out`: epsilon^(1 + power * i / (N - 1)).

    As in Ape-X (Horgan et al. 2018). With a power of 0 all have epsilon; with 7, as published, the last games hardly explore.

    Args:
        epsilon: of all steps, or (T, 1), of each.
        out: (N,) or (T, N).
    """
    if power == 0.0:
        return out.copy_(epsilon) if isinstance(epsilon, Tensor) else out.fill_(epsilon)
    games = out.shape[-1]
    place = torch.arange(games, device=out.device) / max(games - 1, 1)
    return out.copy_(epsilon ** (1.0 + power * place))


def epsilon_greedy(values: Tensor, mask: Tensor | None, epsilon: Tensor, noise: Tensor) -> Tensor:
    """Actions (N,): with probability epsilon (N,) a random legal one, else the best.

    Args:
        values: (N, A).
        mask: (N, A) bool, action masks, or None where all are legal.
        noise: (N, A + 1), uniform from 0 to 1: the highest of A is the random action, the last decides.
    """
    random = noise[:, :-1]
    if mask is not None:
        values, random = values.masked_fill(~mask, -torch.inf), random.masked_fill(~mask, -1.0)
    return torch.where(noise[:, -1] < epsilon, random.argmax(1), values.argmax(1))


def best_values(values: Tensor, mask: Tensor | None) -> Tensor:
    """The highest value (N,) of a legal action, of values (N, A)."""
    return (values if mask is None else values.masked_fill(~mask, -torch.inf)).max(1).values


class Steps:
    """The last T steps of N games, (T, N) each, for callbacks and the log; see `rollout_buffer.RolloutTensors`."""

    def __init__(self, steps: int, games: int, device: torch.device) -> None:
        self.actions = torch.zeros((steps, games), dtype=torch.int64, device=device)
        self.rewards, self.dones, self.episode_return = (torch.zeros((steps, games), device=device) for _ in range(3))
        self.truncated = torch.zeros((steps, games), dtype=torch.bool, device=device)
        self.episode_length = torch.zeros((steps, games), dtype=torch.int32, device=device)

    def store(self, t: int, adapter: EnvAdapter) -> None:
        """What step t returned."""
        self.rewards[t], self.truncated[t] = adapter.reward, adapter.truncated
        torch.logical_or(adapter.terminated, adapter.truncated, out=self.dones[t])
        self.episode_return[t], self.episode_length[t] = adapter.episode_return, adapter.episode_length


class Collector:
    """Collects T steps of N games, in PyTorch's operations.

    Args:
        network: of action values.
        adapter: of the games.
        steps: written to.
        epsilon: (N,) or (T, N), probabilities of random actions in all steps or each, read at each `collect`.
        values: (T, N) and (T + 1, N), written to: values of the actions chosen, and of the best ones, also after the last
            step; None if they are not needed.

    Attributes:
        chosen: (N,) int64, actions of the last step.
    """

    def __init__(
        self,
        network: TorchQ,
        adapter: EnvAdapter,
        steps: Steps,
        epsilon: Tensor,
        values: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.network, self.adapter, self.steps, self.values = network, adapter, steps, values
        self.epsilon = epsilon.view(-1, adapter.num_envs)  # (1 or T, N)
        self.chosen = steps.actions[0]

    def obs_writer(self, stored: Any) -> Before:
        """A function that writes the observations of step t to `stored` (T, N, *shape)."""
        return lambda t: keep_obs(stored, t, self.adapter.obs)

    def store_in(self, replay: Any) -> None:
        """Let `store_obs(t)` and `store_step(ended)` write to a replay buffer."""
        self.store_obs: Before = lambda _: replay.store_obs(self.adapter)
        self.store_step: Callable[[int], Any] = lambda _: replay.store_step(self.adapter, self.chosen)

    @torch.no_grad()
    def collect(self, generator: torch.Generator, before: Before, after: After) -> bool:
        """T steps in every game; see `StepLoops.run` for `before` and `after`, which may end it, and the result."""
        network, adapter, steps = self.network, self.adapter, self.steps
        shape = (*steps.actions.shape, network.network.choices + 1)
        noise = torch.empty(shape, device=steps.actions.device).uniform_(generator=generator)
        for t in range(shape[0]):
            before(t)
            values = network.values(adapter.obs)
            epsilon = self.epsilon[t % len(self.epsilon)]
            self.chosen = steps.actions[t].copy_(epsilon_greedy(values, adapter.mask, epsilon, noise[t]))
            if self.values is not None:
                self.values[0][t] = values.gather(1, self.chosen.unsqueeze(1)).squeeze(1)
                self.values[1][t] = best_values(values, adapter.mask)
            ended = adapter.step(self.chosen)
            steps.store(t, adapter)
            if not after(t, ended):
                return False
        if self.values is not None:
            self.values[1][-1] = best_values(network.values(adapter.obs), adapter.mask)
        return True


# -- compiled ----------------------------------------------------------------------------------------------------------


def choose_actions(out, legal, epsilon, noise, clock, settings, actions, chosen, values, bests, first, last):
    """`epsilon_greedy` for games first .. last-1 of step `clock`, and values of the actions.

    out (N', W) are raw outputs, legal (1 or N, A), epsilon (1 or T, N), noise (T, N, A + 1). Written: actions (T, N) and
    chosen (N,), values (T, N) of the actions chosen and bests (T + 1, N) of the best.
    """
    choices, atoms, t = int(settings[CHOICES]), int(settings[ATOMS]), clock[0]
    for n in range(first, last):
        best, random, highest, luck = 0, 0, -math.inf, -1.0
        for a in range(choices):
            if legal[n % legal.shape[0], a]:
                value = advantage_of(out, n, a, atoms)
                if value > highest:
                    best, highest = a, value
                if noise[t, n, a] > luck:
                    random, luck = a, noise[t, n, a]
        action = random if noise[t, n, choices] < epsilon[t % epsilon.shape[0], n] else best
        common = 0.0
        for z in range(atoms):
            common += common_of(out, n, z, choices, atoms, settings[DUELING] > 0) / atoms
        actions[t, n] = chosen[n] = action
        values[t, n] = advantage_of(out, n, action, atoms) + common
        bests[t, n] = highest + common
    return 0


def store_transition(reward, terminated, truncated, chosen, row, rewards, ends, truncations, actions, first, last):
    """What a step returned, from (N,) to (T, N) at `row` of a replay buffer, for games first .. last-1."""
    t = row[0]
    for n in range(first, last):
        rewards[t, n], ends[t, n], truncations[t, n] = reward[n], terminated[n], truncated[n]
        actions[t, n] = chosen[n]
    return 0


class CompiledCollector(StepLoops, Collector):
    """A `Collector` of loops, on a CPU, for adapters whose tensors stay where they are."""

    def __init__(
        self,
        network: TorchQ,
        adapter: EnvAdapter,
        steps: Steps,
        epsilon: Tensor,
        values: tuple[Tensor, Tensor] | None,
        pool: ThreadPool,
    ) -> None:
        (count, games), choices = steps.actions.shape, network.network.choices
        super().__init__(adapter, steps, pool, choices)
        self.network, self.steps, self.values = network, steps, values
        self.epsilon = epsilon.view(-1, games)  # (1 or T, N)
        self.noise = torch.zeros(count, games, choices + 1)
        self.compute, out, settings = network.choice_inputs(adapter.obs)
        read = (out, self.masks, self.epsilon, self.noise, self.clock, settings)
        written = values or (torch.zeros(count, games), torch.zeros(count + 1, games))
        self.choose = Kernel(choose_actions, *read, steps.actions, self.chosen, *written, units=games)

    def forward(self) -> None:
        self.compute()

    def obs_writer(self, stored: Any, row: Tensor | None = None) -> Before:
        return self.row_writer(stored, self.clock if row is None else row, self.network.compiled_loss)

    def store_in(self, replay: Any) -> None:
        """Let `store_obs(t)` and `store_step(ended)` write to a replay buffer, as loops if it is one of tensors."""
        adapter = self.adapter
        if not isinstance(replay, ReplayTensors) or replay.frame_stack > 1:
            return super().store_in(replay)
        write_obs = self.obs_writer(replay.frames, replay.row)
        read = (adapter.reward, adapter.terminated, adapter.truncated, self.chosen, replay.row)
        written = (replay.rewards, replay.terminated, replay.truncated, replay.actions)
        loop = Kernel(store_transition, *read, *written, units=len(self.chosen))

        def store_obs(t: int) -> None:
            write_obs(t)
            replay.store_masks(adapter)

        def store_step(ended: int) -> None:
            self.pool.run(loop)
            replay.advance(adapter, ended)

        self.store_obs, self.store_step = store_obs, store_step

    @torch.no_grad()
    def collect(self, generator: torch.Generator, before: Before, after: After) -> bool:
        """T steps in every game; see `StepLoops.run` for `before` and `after`, which may end it, and the result."""
        self.noise.uniform_(generator=generator)
        # Without values, the network is asked only where an action is not random.
        greedy = np.any(self.noise.numpy()[:, :, -1] >= self.epsilon.numpy(), axis=1).tolist()
        if not self.run(before, after, greedy if self.values is None else None):
            return False
        if self.values is not None:
            self.values[1][-1] = best_values(self.network.values(self.adapter.obs), self.adapter.mask)
        return True
