"""How PPO's compiled collector chooses actions; see `data.compiled_collect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ..compiled.kernel import Kernel
from ..data.compiled_collect import StepLoops
from ..data.env_adapters import SimulatorAdapter
from ..data.rollout_buffer import RolloutTensors, bootstrap
from ..nn.action_dists import FORBIDDEN

if TYPE_CHECKING:
    from .compiled_policy import CompiledActorCritic


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
    """Collects rollouts of a simulator's games into `data`, with actions and values of `backprop`."""

    def __init__(self, backprop: CompiledActorCritic, adapter: SimulatorAdapter, data: RolloutTensors) -> None:
        super().__init__(adapter, data, backprop.pool, backprop.choices)
        self.backprop, self.data, self.noise = backprop, data, torch.zeros_like(data.params)
        # (N, *shape) -> (N, K), the simulator's own memory
        self._forward, self.outputs = backprop.forward_of(adapter.obs.flatten(1))
        self._write_obs = self.row_writer(data.obs, self.clock, compiled=True)
        read, written = (self.outputs, self.masks, self.noise, self.clock), (data.params, data.values, data.actions)
        self.choose = Kernel(sample_actions, *read, *written, self.chosen, units=adapter.num_envs)

    @torch.no_grad()
    def play(self, policy: Any, generator: torch.Generator) -> None:
        """One rollout, as `rollout_buffer.collect` does it in PyTorch, with the parameters as they are now."""
        data, adapter, head = self.data, self.adapter, policy.head
        self.backprop.read_weights()
        self.noise.copy_(head.noise(self.noise.shape[:2], generator))
        data.bootstrap.zero_()

        def before(t: int) -> None:
            self._write_obs(t)
            if data.masks is not None:
                data.masks[t] = self.masks

        def after(t: int, ended: int) -> bool:
            if ended and adapter.can_truncate:
                bootstrap(data, t, adapter, policy, None)
            return True

        self.run(before, after)
        self.forward()
        data.last_values.copy_(self.outputs[: adapter.num_envs, head.size])
        data.log_probs.copy_(head.log_prob(data.params, data.actions))

    def forward(self) -> None:
        """Logits and values of all games' observations."""
        self.pool.run(*self._forward)
