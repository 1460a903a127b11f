"""From transitions to new weights: one update of DQN and its relatives; on a GPU as a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from stable_baselines3.common.utils import polyak_update
from torch import Tensor

from ..compiled.network import remembered
from ..data.replay_buffer import Batch
from ..data.returns import munchausen_bonus, soft_policy
from ..nn.action_dists import masked
from ..nn.noisy import draw_noise
from ..nn.q_network import ImplicitQNet
from ..runtime.cuda_graph import Graphed
from ..training.optimizer_step import check_update
from .compiled_q_network import compile_q_network
from .compiled_update import CompiledTargets
from .value_fit import ValueFit

if TYPE_CHECKING:
    from .dqn import DQN

PRIORITY_FLOOR = 1e-3  # so that what is known well is still drawn now and then


class QLearner(ValueFit):
    """The optimiser's side of an agent. What changes from update to update lies in tensors that stay where they are.

    Attributes:
        batch_size: of the next minibatches.
        beta: (1,), how far weights make up for what is drawn more often.
    """

    agent: DQN

    def __init__(self, agent: DQN) -> None:
        super().__init__(agent, agent.policy.q_net, agent.policy.optimizer)  # type: ignore[arg-type]
        self.target: Any = agent.policy.q_net_target
        self.target_loops = None if self.backprop is None else compile_q_network(self.target, agent.pool)
        self.beta = torch.zeros(1, dtype=torch.float64, device=agent.device)
        self._targets: dict[int, CompiledTargets] = {}
        self.batch_size = agent.batch_size
        self.update = self._graphed()

    def _graphed(self) -> Any:
        """`_update`, as a graph where that can be: of other games, the memory's tensors may have to move."""
        agent = self.agent
        if not (self.on_gpu and agent.simulator):
            return self._update
        return Graphed(self._update, agent.device, agent.constants, agent.generators[-1:])

    def learn(self, updates: int, batch_size: int) -> None:
        """That many minibatches; raises NotFinite."""
        agent = self.agent
        if batch_size != self.batch_size:
            self.batch_size, self.update = batch_size, self._graphed()
        for _ in range(updates):
            self.update()
            agent._n_updates += 1
        if self.on_gpu:
            check_update(float(self.loss), self.online, agent.num_timesteps, agent._n_updates)

    def draw_noise(self, generator: torch.Generator) -> None:
        """New noise in the online network, to act on or to learn with."""
        draw_noise(self.online, generator)
        self.refresh()

    def follow(self, tau: float) -> None:
        """The target network comes nearer to the online one by a share of tau."""
        polyak_update(self.online.parameters(), self.target.parameters(), tau)
        polyak_update(self.agent.batch_norm_stats, self.agent.batch_norm_stats_target, 1.0)
        self.refresh_target()

    def refresh_target(self) -> None:
        """The target network's weights may have changed: take them as they are."""
        if self.target_loops is not None:
            self.target_loops.read_weights()

    # -- one update ----------------------------------------------------------------------------------------------------

    def _update(self) -> None:
        agent = self.agent
        generator = agent.generators[-1]
        batch = agent.replay.sample(self.batch_size, generator, self.beta)
        if self.online.noisy:
            self.draw_noise(generator)
        fractions = self._fractions(len(batch.actions))
        errors = self.fit(batch.obs, batch.actions, self.targets(batch), batch.weights, fractions)
        if agent.prioritized:
            agent.replay.set_priorities(batch.indices, (errors + PRIORITY_FLOOR).pow(agent.priority_exponent))

    @torch.no_grad()
    def targets(self, batch: Batch) -> Tensor:
        """What the numbers of the actions taken are fitted to, (B, Z)."""
        agent, distribution, returns = self.agent, self.online.distribution, batch.returns
        if self.chained and self.backprop is not None and self.target_loops is not None:
            loops = self.backprop, self.target_loops
            chain = remembered(self._targets, len(batch.actions), lambda: CompiledTargets(agent, *loops, batch))
            return chain.run(batch)
        if agent.munchausen:  # before the other outputs, since loops write over theirs
            returns = returns + self._munchausen_bonus(batch)
        after = self._target_outputs(batch.next_obs, self._fractions(len(batch.actions)))  # (B, A, Z)
        judge = self.outputs(batch.next_obs) if agent.double else after  # van Hasselt et al. 2016
        q = masked(distribution.mean(judge), batch.next_masks)
        if agent.munchausen:
            policy, scaled = soft_policy(q, agent.munchausen_temperature)
            return distribution.target(returns, batch.discounts, after, policy, -scaled)
        best = torch.zeros_like(q).scatter_(-1, q.argmax(-1, keepdim=True), 1.0)
        return distribution.target(returns, batch.discounts, after, best, None)

    def _munchausen_bonus(self, batch: Batch) -> Tensor:
        """(B,), for what was done."""
        agent = self.agent
        before = masked(self.online.distribution.mean(self._target_outputs(batch.obs)), batch.masks)
        numbers = agent.munchausen_temperature, agent.munchausen_alpha, agent.munchausen_lowest
        return munchausen_bonus(before, batch.actions, *numbers)

    def _target_outputs(self, obs: Any, fractions: Tensor | None = None) -> Tensor:
        """The target network's numbers (B, A, Z)."""
        loops = self.target_loops
        return self.target.outputs(obs, fractions) if loops is None else self.target.assemble(loops.raw(obs))

    def _fractions(self, count: int) -> Tensor | None:
        """Fractions (B, K) of IQN, drawn."""
        if not isinstance(self.online, ImplicitQNet):
            return None
        shape = (count, self.online.distribution.atoms)
        return torch.empty(shape, device=self.loss.device).uniform_(generator=self.agent.generators[-1])
