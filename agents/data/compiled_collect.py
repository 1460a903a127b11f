"""Steps in all environments of an adapter on a CPU as loops: observe, forward, choose, step, store.

In PyTorch they are a dozen small operations, which for a few environments take longer than steps and network together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..compiled.actor_critic import CompiledActorCritic
from ..compiled.kernel import Kernel, ThreadPool
from ..nn.action_dists import FORBIDDEN
from ..nn.actor_critic import value_of
from .env_adapters import EnvAdapter
from .final_obs import write_rows
from .rollout_buffer import RolloutTensors, bootstrap


def store_obs(obs, stored, clock, first, last):
    """stored (T, N, K) at the clock's step = obs (N, K), for environments first .. last-1."""
    for n in range(first, last):
        for k in range(obs.shape[1]):
            stored[clock[0], n, k] = obs[n, k]
    return 0


def store_step(
    reward, terminated, truncated, episode_return, episode_length, clock, rewards, dones, truncations, returns, lengths,
    first, last,
):  # fmt: skip
    """What a step returned, from (N,) to (T, N) at the clock's step, for environments first .. last-1."""
    t = clock[0]
    for n in range(first, last):
        rewards[t, n] = reward[n]
        dones[t, n] = 1 if terminated[n] or truncated[n] else 0
        truncations[t, n], returns[t, n], lengths[t, n] = truncated[n], episode_return[n], episode_length[n]
    return 0


class StepLoops:
    """Collects T steps of N environments; algorithms add how actions are chosen, `forward` and `choose`.

    Args:
        adapter: environments, whose tensors stay where they are.
        data: has rewards, dones, truncated, episode_return and episode_length, (T, N) each.
        pool: threads that share the loops.

    Attributes:
        clock: (1,) int64, the step, 0 .. T-1.
        chosen: (N,) int64, the actions that `choose` writes.
        masks: (1 or N, A) bool, action masks; all true where all actions are legal.
    """

    choose: Kernel

    def __init__(self, adapter: EnvAdapter, data: Any, pool: ThreadPool, choices: int) -> None:
        self.adapter, self.pool = adapter, pool
        self.count, games = data.rewards.shape
        self.clock, self.chosen = torch.zeros(1, dtype=torch.int64), torch.zeros(games, dtype=torch.int64)
        self.masks = torch.ones((1, choices), dtype=torch.bool) if adapter.mask is None else adapter.mask
        self._time = self.clock.numpy()
        returned = adapter.reward, adapter.terminated, adapter.truncated, adapter.episode_return, adapter.episode_length
        stored = data.rewards, data.dones, data.truncated, data.episode_return, data.episode_length
        self._store = Kernel(store_step, *returned, self.clock, *stored, units=games)

    def forward(self) -> None:
        """What `choose` reads, for the environments' observations as they are now."""
        raise NotImplementedError

    @torch.no_grad()
    def run(
        self,
        before: Callable[[int], Any],
        after: Callable[[int, int], bool],
        forward_needed: Sequence[bool] | None = None,
    ) -> bool:
        """T steps; returns False if `after` asked to stop.

        Args:
            before: called before the actions of step t are chosen, with t.
            after: called after step t, with t and 0 only if no episode ended; returns False to stop.
            forward_needed: for each step, whether `choose` reads what `forward` writes; None: always.
        """
        for t in range(self.count):
            self._time[0] = t
            before(t)
            if forward_needed is None or forward_needed[t]:
                self.forward()
            self.pool.run(self.choose)
            ended = self.adapter.step(self.chosen)
            self.pool.run(self._store)
            if not after(t, ended):
                return False
        return True

    def row_writer(self, stored: Any, row: Tensor, compiled: bool) -> Callable[[int], None]:
        """A function that writes observations (N, *shape) to a row of (T, N, *shape), as a loop or by PyTorch.

        The row is `row` (1,) int64, not the function's argument, which is the step.
        """
        obs = self.adapter.obs
        if not compiled:
            return lambda _: write_rows(stored, row, obs)
        loop = Kernel(store_obs, obs.flatten(1), stored.flatten(2), row, units=len(obs))
        return lambda _: self.pool.run(loop)


def sample_actions(outputs, masks, noise, clock, params, values, actions, chosen, first, last):
    """Draw actions from logits, and store both, and the values.

    outputs (N, W) are the logits of A actions, a value, and padding; masks (1 or N, A) are true for legal actions; noise
    (T, N, A) is Gumbel's: the largest sum of both is a draw. Written: params (T, N, A), values and actions (T, N), chosen
    (N,); for games first .. last-1.
    """
    t, choices = clock[0], noise.shape[2]
    for n in range(first, last):
        best = 0
        for a in range(choices):
            params[t, n, a] = outputs[n, a] if masks[n % masks.shape[0], a] else FORBIDDEN
            if params[t, n, a] + noise[t, n, a] > params[t, n, best] + noise[t, n, best]:
                best = a
        values[t, n] = outputs[n, choices]
        actions[t, n] = chosen[n] = best
    return 0


class CompiledCollector(StepLoops):
    """Collects rollouts of a simulator's games into `data`, with actions and values of a compiled actor-critic."""

    def __init__(self, loops: CompiledActorCritic, adapter: EnvAdapter, data: RolloutTensors) -> None:
        super().__init__(adapter, data, loops.pool, loops.choices)
        self.loops, self.data, self.noise = loops, data, torch.zeros_like(data.params)
        # (N, *shape) -> (N, K), the adapter's own memory
        self._forward, self.outputs = loops.forward_of(adapter.obs.flatten(1))
        self._write_obs = self.row_writer(data.obs, self.clock, compiled=True)
        read, written = (self.outputs, self.masks, self.noise, self.clock), (data.params, data.values, data.actions)
        self.choose = Kernel(sample_actions, *read, *written, self.chosen, units=adapter.num_envs)

    @torch.no_grad()
    def collect(self, policy: Any, generator: torch.Generator) -> None:
        """One rollout, as `rollout_buffer.collect` does in PyTorch, with the parameters as they are now."""
        data, adapter, head = self.data, self.adapter, policy.head
        self.loops.read_weights()
        self.noise.copy_(head.noise(self.noise.shape[:2], generator))
        data.bootstrap.zero_()

        def before(t: int) -> None:
            self._write_obs(t)
            data.keep_choices(t, adapter)

        def after(t: int, ended: int) -> bool:
            if ended and adapter.can_truncate:
                bootstrap(data.bootstrap, t, adapter, lambda obs, _: value_of(policy, obs))
            return True

        self.run(before, after)
        self.forward()
        data.last_values.copy_(self.outputs[: adapter.num_envs, head.size])
        data.log_probs.copy_(head.log_prob(data.params, data.actions))

    def forward(self) -> None:
        """Logits and values of all games' observations."""
        self.pool.run(*self._forward)
