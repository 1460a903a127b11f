"""One step in all games as a chain of loops: look, decide, choose, play, note.

`rollout_buffer.collect` is the same in PyTorch's operations, a dozen small ones, which for a few games take longer than
the games and the network together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ..compiled.kernel import Kernel
from ..data.env_adapters import SimulatorAdapter
from ..data.rollout_buffer import RolloutTensors, bootstrap

if TYPE_CHECKING:
    from .compiled_policy import CompiledActorCritic


def keep(obs, kept, clock, first, last):
    """kept (T, N, K) at the clock's step = obs (N, K), for games first .. last-1."""
    for n in range(first, last):
        for k in range(obs.shape[1]):
            kept[clock[0], n, k] = obs[n, k]
    return 0


def choose(decisions, noise, clock, params, values, actions, chosen, first, last):
    """Draw actions from logits and note both, and the values.

    decisions (N, W) are the logits of A actions, a value, and what fills them up; noise (T, N, A) is Gumbel's: the largest
    sum of both is a draw. Written: params (T, N, A), values and actions (T, N), chosen (N,); for games first .. last-1.
    """
    t, choices = clock[0], noise.shape[2]
    for n in range(first, last):
        best = 0
        for a in range(choices):
            params[t, n, a] = decisions[n, a]
            if decisions[n, a] + noise[t, n, a] > decisions[n, best] + noise[t, n, best]:
                best = a
        values[t, n] = decisions[n, choices]
        actions[t, n] = chosen[n] = best
    return 0


def note(
    reward, terminated, truncated, episode_return, episode_length, clock, rewards, dones, cuts, returns, lengths, first,
    last,
):  # fmt: skip
    """What came of a step: from (N,) to (T, N) at the clock's step, for games first .. last-1."""
    t = clock[0]
    for n in range(first, last):
        rewards[t, n] = reward[n]
        dones[t, n] = 1 if terminated[n] or truncated[n] else 0
        cuts[t, n], returns[t, n], lengths[t, n] = truncated[n], episode_return[n], episode_length[n]
    return 0


class CompiledCollector:
    """Plays rollouts of a simulator's games into `data`, with `backprop`'s decisions."""

    def __init__(self, backprop: CompiledActorCritic, adapter: SimulatorAdapter, data: RolloutTensors) -> None:
        n, self.adapter, self.data = adapter.num_envs, adapter, data
        self.backprop, self.pool = backprop, backprop.pool
        self.clock, self.noise = torch.zeros(1, dtype=torch.int64), torch.zeros_like(data.params)
        self.chosen, self._time = torch.zeros(n, dtype=torch.int64), self.clock.numpy()
        planes = adapter.obs.flatten(1)  # (N, *shape) -> (N, K), the simulator's own memory
        look, decisions = backprop.forward_of(planes)
        self.decisions = decisions[:n]
        written = (data.params, data.values, data.actions, self.chosen)
        self._keep = Kernel(keep, planes, data.obs.flatten(2), self.clock, units=n)
        self._look = look
        self._choose = Kernel(choose, decisions, self.noise, self.clock, *written, units=n)
        happened = (
            adapter.reward,
            adapter.terminated,
            adapter.truncated,
            adapter.episode_return,
            adapter.episode_length,
        )
        noted = (data.rewards, data.dones, data.truncated, data.episode_return, data.episode_length)
        self._note = Kernel(note, *happened, self.clock, *noted, units=n)

    @torch.no_grad()
    def play(self, policy: Any, generator: torch.Generator) -> None:
        """One rollout, as `rollout_buffer.collect`, with the weights as they are now."""
        data, adapter, head = self.data, self.adapter, policy.head
        self.backprop.read_weights()
        self.noise.copy_(head.noise(self.noise.shape[:2], generator))
        data.bootstrap.zero_()
        for t in range(data.buffer_size):
            self._time[0] = t
            self.pool.run(self._keep)
            self.decide()
            self.pool.run(self._choose)
            ended = adapter.step(self.chosen)
            self.pool.run(self._note)
            if ended and adapter.can_truncate:
                bootstrap(data, t, adapter, policy, None)
        self.decide()
        data.last_values.copy_(self.decisions[:, head.size])
        data.log_probs.copy_(head.log_prob(data.params, data.actions))

    def decide(self) -> None:
        """Logits and values of all games as they are."""
        self.pool.run(*self._look)
