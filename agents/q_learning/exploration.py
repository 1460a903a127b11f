"""Playing with exploration, into a replay memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..data.env_adapters import EnvAdapter
from ..data.replay_buffer import ReplayTensors

Valuer = Callable[[Any], Tensor]  # from observations (N, *shape) to values (N, A)


def spread(epsilon: float, power: float, out: Tensor) -> Tensor:
    """A chance of random actions for each of N games, (N,), written to `out`: epsilon^(1 + power * i / (N - 1)).

    As in Ape-X (Horgan et al. 2018). With a power of 0 all have epsilon; with 7, as published, the last games hardly explore.
    """
    if power == 0.0:
        return out.fill_(epsilon)
    place = torch.arange(len(out), device=out.device) / max(len(out) - 1, 1)
    return out.copy_(epsilon ** (1.0 + power * place))


def choose(values: Tensor, mask: Tensor | None, epsilon: Tensor, noise: Tensor) -> Tensor:
    """Actions (N,): a random legal one with a chance of epsilon (N,), else the best.

    Args:
        values: (N, A).
        mask: (N, A) bool, legal actions, or None where all are.
        noise: (N, A + 1), uniform from 0 to 1: the highest of A is the random action, the last decides.
    """
    chances = noise[:, :-1]
    if mask is not None:
        values, chances = values.masked_fill(~mask, -torch.inf), chances.masked_fill(~mask, -1.0)
    return torch.where(noise[:, -1] < epsilon, chances.argmax(1), values.argmax(1))


class Steps:
    """What the last F steps of N games came to, for callbacks and the log; see `rollout_buffer.RolloutTensors`."""

    def __init__(self, steps: int, games: int, device: torch.device) -> None:
        self.actions = torch.zeros((steps, games), dtype=torch.int64, device=device)
        self.rewards, self.dones, self.episode_return = (torch.zeros((steps, games), device=device) for _ in range(3))
        self.truncated = torch.zeros((steps, games), dtype=torch.bool, device=device)
        self.episode_length = torch.zeros((steps, games), dtype=torch.int32, device=device)

    def note(self, t: int, adapter: EnvAdapter, actions: Tensor) -> None:
        """Step t."""
        self.actions[t], self.rewards[t], self.truncated[t] = actions, adapter.reward, adapter.truncated
        torch.logical_or(adapter.terminated, adapter.truncated, out=self.dones[t])
        self.episode_return[t], self.episode_length[t] = adapter.episode_return, adapter.episode_length


@torch.no_grad()
def explore(
    adapter: EnvAdapter,
    values_of: Valuer,
    replay: ReplayTensors,
    steps: Steps,
    epsilon: Tensor,
    generator: torch.Generator,
    on_step: Callable[[int], bool] | None = None,
) -> bool:
    """Play F steps in every game and keep them; returns False if `on_step(t)` asked to stop."""
    count, games = steps.actions.shape
    noise = None
    for t in range(count):
        replay.begin(adapter)
        values = values_of(adapter.obs)
        if noise is None:
            noise = torch.empty((count, games, values.shape[1] + 1), device=values.device).uniform_(generator=generator)
        actions = steps.actions[t].copy_(choose(values, adapter.mask, epsilon, noise[t]))
        adapter.step(actions)
        replay.end(adapter, actions)
        steps.note(t, adapter, actions)
        if on_step is not None and not on_step(t):
            return False
    return True
