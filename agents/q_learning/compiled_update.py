"""Targets and updates of action values as chains of loops, for networks and distributions that there are loops for.

Each class here is for one number of samples; what it reads and writes stays where it is from call to call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..compiled.kernel import Kernel
from ..compiled.network import Backward, Forward
from ..nn.q_network import QNet
from .compiled_loss import add_munchausen, greedy_targets, numbers_of, soft_targets, value_grads
from .compiled_q_network import CompiledQNetwork

if TYPE_CHECKING:
    from ..data.replay_buffer import Batch
    from .dqn import DQN


class CompiledUpdate(Backward):
    """From observations, actions and targets to gradients.

    Attributes:
        losses, errors, values: (B,), of each sample; see `compiled_loss.value_grads`.
    """

    def __init__(self, owner: CompiledQNetwork, network: QNet, obs: Tensor) -> None:
        count = len(obs)
        super().__init__(owner, torch.zeros_like(obs).flatten(1), count)
        torch.arange(count, out=self.rows[:count])
        self.actions, self.weights = torch.zeros(count, dtype=torch.int64), torch.ones(count)
        self.target = torch.zeros(count, network.atoms)
        self.losses, self.errors, self.values = (torch.zeros(count) for _ in range(3))
        numbers = numbers_of(network.choices, network.distribution, network.dueling, 1 / count, 1.0, 0.0, 0.0)
        judged = (self.out, self.actions, self.target, self.weights, numbers, torch.zeros_like(self.target), self.grad)
        self.judge = Kernel(value_grads, *judged, self.losses, self.errors, self.values, units=count)

    def run(self, obs: Tensor, actions: Tensor, target: Tensor, weights: Tensor | None) -> None:
        """The gradients lie with the layers."""
        self.planes.copy_(obs.flatten(1))
        self.actions.copy_(actions)
        self.target.copy_(target)
        if weights is not None:
            self.weights.copy_(weights)
        self.pool.run(*self.loops, self.judge, *self.back)

    @property
    def loss(self) -> Tensor:
        return (self.losses * self.weights).mean()


class CompiledTargets:
    """From transitions to targets; see `update.QLearner.targets`, which says the same in PyTorch's operations."""

    def __init__(self, agent: DQN, online: CompiledQNetwork, target: CompiledQNetwork, batch: Batch) -> None:
        network, count = agent.learner.online, len(batch.actions)
        self.pool, self.soft = online.pool, agent.munchausen
        planes = torch.zeros_like(batch.next_obs).flatten(1)
        after = Forward(target, planes)
        judge = Forward(online, planes) if agent.double else after
        self.planes, self.loops = [planes], [*after.loops, *(judge.loops if agent.double else ())]
        self.actions, self.returns = torch.zeros(count, dtype=torch.int64), torch.zeros(count)
        self.discounts, self.target = torch.zeros(count), torch.zeros(count, network.atoms)
        every = batch.next_masks is None  # action legal
        self.legal = torch.ones((1 if every else count, network.choices), dtype=torch.bool)
        self.legal_before = torch.ones_like(self.legal)
        munchausen = agent.munchausen_temperature, agent.munchausen_alpha, agent.munchausen_lowest
        numbers = numbers_of(network.choices, network.distribution, network.dueling, 1.0, *munchausen)
        follows: Any = (after.out, judge.out, self.legal, self.returns, self.discounts, numbers)
        if not self.soft:
            self.loops.append(Kernel(greedy_targets, *follows, self.target, units=count))
            return
        scratch = [torch.zeros(count, network.choices) for _ in range(2)]
        self.planes.append(torch.zeros_like(planes))
        before = Forward(target, self.planes[1])
        happened: Any = (before.out, self.legal_before, self.actions, numbers, *scratch, self.returns)
        self.loops += [*before.loops, Kernel(add_munchausen, *happened, units=count)]
        self.loops.append(Kernel(soft_targets, *follows, *scratch, self.target, units=count))

    def run(self, batch: Batch) -> Tensor:
        """(B, Z), written over at the next call."""
        for planes, obs in zip(self.planes, (batch.next_obs, batch.obs), strict=False):
            planes.copy_(obs.flatten(1))
        self.actions.copy_(batch.actions)
        self.returns.copy_(batch.returns)
        self.discounts.copy_(batch.discounts)
        if batch.masks is not None and batch.next_masks is not None:
            self.legal.copy_(batch.next_masks)
            self.legal_before.copy_(batch.masks)
        self.pool.run(*self.loops)
        return self.target
