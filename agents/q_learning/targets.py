"""Targets of Q-learning, in PyTorch and as compiled loops over raw outputs (see `loss`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..compiled.kernel import Kernel
from ..compiled.network import Forward
from ..data.batch import Batch
from ..nn.action_dists import masked
from ..nn.q_network import QNet
from ..nn.value_dists import Distribution
from .compiled_q_network import CompiledQNetwork
from .loss import ALPHA, ATOMS, CHOICES, DUELING, LOWEST, TEMPERATURE, advantage_of, common_of, loop_settings

Outputs = Callable[[Any], Tensor]  # from observations (B, *shape) to (B, A, Z)


class TargetSettings(NamedTuple):
    """DQN's settings of the same names."""

    double: bool
    munchausen: bool
    temperature: float
    alpha: float
    lowest: float


@torch.no_grad()
def targets_of(
    batch: Batch,
    online: Outputs,
    target: Outputs,
    target_at_fractions: Outputs,
    distribution: Distribution,
    settings: TargetSettings,
) -> Tensor:
    """Targets (B, Z) in PyTorch: n-step returns and, discounted, the distribution of the next observation's value.

    Args:
        online, target: outputs of both networks.
        target_at_fractions: of the target network, for IQN at fractions that were drawn.
    """
    returns = batch.returns
    if settings.munchausen:  # before the other outputs, since loops overwrite theirs
        before = masked(distribution.mean(target(batch.obs)), batch.masks)
        coefficients = settings.temperature, settings.alpha, settings.lowest
        returns = returns + munchausen_bonus(before, batch.actions, *coefficients)
    after = target_at_fractions(batch.next_obs)  # (B, A, Z)
    choosing = online(batch.next_obs) if settings.double else after  # van Hasselt et al. 2016
    q = masked(distribution.mean(choosing), batch.next_masks)
    if settings.munchausen:
        policy, scaled = soft_policy(q, settings.temperature)
        return distribution.target(returns, batch.discounts, after, policy, -scaled)
    best = torch.zeros_like(q).scatter_(-1, q.argmax(-1, keepdim=True), 1.0)
    return distribution.target(returns, batch.discounts, after, best, None)


def soft_policy(q: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Probabilities (B, A) proportional to exp(q / temperature), and temperature times their logarithms (B, A)."""
    log_policy = torch.log_softmax(q / temperature, -1)
    return log_policy.exp(), temperature * log_policy


def munchausen_bonus(q: Tensor, actions: Tensor, temperature: float, alpha: float, lowest: float) -> Tensor:
    """What is added to the reward (Vieillard et al. 2020): alpha times the scaled log-probability of the action taken.

    Args:
        q: (B, A), values by the target network.
        actions: (B,) int64.
        temperature: of the soft policy, in units of return.
        alpha: 0 to 1.
        lowest: below zero; the log-probability times the temperature is clipped to it.
    """
    _, scaled = soft_policy(q, temperature)
    return alpha * scaled.gather(-1, actions.unsqueeze(-1)).squeeze(-1).clamp(lowest, 0.0)


# -- compiled ----------------------------------------------------------------------------------------------------------


def _soft_policy(raw, i, settings, legal, policy, logs):
    """policy and logs (A,): probabilities proportional to exp(q / temperature), and temperature times their logarithms."""
    choices, atoms, temperature = int(settings[CHOICES]), int(settings[ATOMS]), settings[TEMPERATURE]
    highest = -math.inf
    for a in range(choices):
        logs[a] = advantage_of(raw, i, a, atoms) if legal[i % legal.shape[0], a] else -math.inf
        highest = max(highest, logs[a])
    total = 0.0
    for a in range(choices):
        policy[a] = math.exp((logs[a] - highest) / temperature)
        total += policy[a]
    for a in range(choices):
        policy[a] /= total
        logs[a] = logs[a] - highest - temperature * math.log(total)


def add_munchausen(raw, legal, actions, settings, policy, logs, returns, first, last):
    """returns (B,) += alpha * the scaled log-probability of actions (B,), clipped (Vieillard et al. 2020).

    legal (1 or B, A); policy and logs (B, A) are scratch.
    """
    for i in range(first, last):
        _soft_policy(raw, i, settings, legal, policy[i], logs[i])
        returns[i] += settings[ALPHA] * min(max(logs[i, actions[i]], settings[LOWEST]), 0.0)
    return 0


def soft_targets(after, choosing, legal, returns, discounts, settings, policy, logs, target, first, last):
    """target (B, Z): the mean of `after` by the soft policy of `choosing`, and its entropy."""
    choices, atoms, dueling = int(settings[CHOICES]), int(settings[ATOMS]), settings[DUELING] > 0
    for i in range(first, last):
        _soft_policy(choosing, i, settings, legal, policy[i], logs[i])
        for z in range(atoms):
            mean = common_of(after, i, z, choices, atoms, dueling)
            for a in range(choices):
                if policy[i, a] > 0.0:
                    mean += policy[i, a] * (after[i, a * atoms + z] - logs[i, a])
            target[i, z] = returns[i] + discounts[i] * mean
    return 0


def greedy_targets(after, choosing, legal, returns, discounts, settings, target, first, last):
    """target (B, Z): `after` for the legal action that is best by `choosing`."""
    choices, atoms, dueling = int(settings[CHOICES]), int(settings[ATOMS]), settings[DUELING] > 0
    for i in range(first, last):
        best, highest = 0, -math.inf
        for a in range(choices):
            if legal[i % legal.shape[0], a]:
                value = advantage_of(choosing, i, a, atoms)
                if value > highest:
                    best, highest = a, value
        for z in range(atoms):
            here = after[i, best * atoms + z] + common_of(after, i, z, choices, atoms, dueling)
            target[i, z] = returns[i] + discounts[i] * here
    return 0


class CompiledTargets:
    """`targets_of` as loops, for minibatches of B transitions like `batch`."""

    def __init__(
        self, online: CompiledQNetwork, target: CompiledQNetwork, network: QNet, settings: TargetSettings, batch: Batch
    ) -> None:
        self.pool, count = online.pool, len(batch.actions)
        planes = torch.zeros_like(batch.next_obs).flatten(1)
        after = Forward(target, planes)
        choosing = Forward(online, planes) if settings.double else after
        self.planes, self.loops = [planes], [*after.loops, *(choosing.loops if settings.double else ())]
        self.actions, self.returns = torch.zeros(count, dtype=torch.int64), torch.zeros(count)
        self.discounts, self.target = torch.zeros(count), torch.zeros(count, network.atoms)
        self.legal = torch.ones((1 if batch.next_masks is None else count, network.choices), dtype=torch.bool)
        self.legal_before = torch.ones_like(self.legal)
        munchausen = settings.temperature, settings.alpha, settings.lowest
        numbers = loop_settings(network.choices, network.distribution, network.dueling, 1.0, *munchausen)
        read: Any = (after.out, choosing.out, self.legal, self.returns, self.discounts, numbers)
        if not settings.munchausen:
            self.loops.append(Kernel(greedy_targets, *read, self.target, units=count))
            return
        scratch = [torch.zeros(count, network.choices) for _ in range(2)]
        self.planes.append(torch.zeros_like(planes))
        before = Forward(target, self.planes[1])
        bonus: Any = (before.out, self.legal_before, self.actions, numbers, *scratch, self.returns)
        self.loops += [*before.loops, Kernel(add_munchausen, *bonus, units=count)]
        self.loops.append(Kernel(soft_targets, *read, *scratch, self.target, units=count))

    @torch.no_grad()
    def run(self, batch: Batch) -> Tensor:
        """Targets (B, Z), overwritten by the next call."""
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
