"""Targets and losses of action values as loops; `value_dists` says the same in PyTorch's operations.

Raw numbers (N, W) of a network are Z for each of A actions and, in a dueling network, Z more of the observation itself, then
what fills them up. Z is 1 for a value, or the number of its quantiles. `numbers` are those of `numbers_of`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..nn.value_dists import Distribution, Quantile, Scalar

CHOICES, ATOMS, DUELING, HUBER, QUANTILES, SHARE, TEMPERATURE, ALPHA, LOWEST = range(9)


def advantage_of(raw, i, a, atoms):
    """Of action a in row i, up to what is the same for all actions: the mean of its numbers."""
    total = 0.0
    for z in range(atoms):
        total += raw[i, a * atoms + z]
    return total / atoms


def common_of(raw, i, z, choices, atoms, dueling):
    """What a dueling network adds to number z of every action: the observation's value without the mean advantage."""
    if not dueling:
        return 0.0
    total = 0.0
    for a in range(choices):
        total += raw[i, a * atoms + z]
    return raw[i, choices * atoms + z] - total / choices


def _soft_policy(raw, i, numbers, legal, policy, logs):
    """policy and logs (A,): probabilities proportional to exp(q / temperature), and temperature times their logarithms."""
    choices, atoms, temperature = int(numbers[CHOICES]), int(numbers[ATOMS]), numbers[TEMPERATURE]
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


def add_munchausen(raw, legal, actions, numbers, policy, logs, returns, first, last):
    """returns (B,) += alpha * the scaled log-probability of actions (B,), cut off (Vieillard et al. 2020).

    legal (1 or B, A); policy and logs (B, A) are scratch.
    """
    for i in range(first, last):
        _soft_policy(raw, i, numbers, legal, policy[i], logs[i])
        returns[i] += numbers[ALPHA] * min(max(logs[i, actions[i]], numbers[LOWEST]), 0.0)
    return 0


def soft_targets(after, judge, legal, returns, discounts, numbers, policy, logs, target, first, last):
    """target (B, Z) of a soft policy by `judge`: the mean of `after` and of its entropy."""
    choices, atoms, dueling = int(numbers[CHOICES]), int(numbers[ATOMS]), numbers[DUELING] > 0
    for i in range(first, last):
        _soft_policy(judge, i, numbers, legal, policy[i], logs[i])
        for z in range(atoms):
            mean = common_of(after, i, z, choices, atoms, dueling)
            for a in range(choices):
                if policy[i, a] > 0.0:
                    mean += policy[i, a] * (after[i, a * atoms + z] - logs[i, a])
            target[i, z] = returns[i] + discounts[i] * mean
    return 0


def greedy_targets(after, judge, legal, returns, discounts, numbers, target, first, last):
    """target (B, Z): what `after` says of the legal action that is best by `judge`."""
    choices, atoms, dueling = int(numbers[CHOICES]), int(numbers[ATOMS]), numbers[DUELING] > 0
    for i in range(first, last):
        best, highest = 0, -math.inf
        for a in range(choices):
            if legal[i % legal.shape[0], a]:
                value = advantage_of(judge, i, a, atoms)
                if value > highest:
                    best, highest = a, value
        for z in range(atoms):
            here = after[i, best * atoms + z] + common_of(after, i, z, choices, atoms, dueling)
            target[i, z] = returns[i] + discounts[i] * here
    return 0


def value_grads(raw, actions, target, weights, numbers, change, grad, losses, errors, values, first, last):
    """How the loss changes with raw numbers, grad (N, W), for samples first .. last-1.

    change (B, Z) is scratch. Written, too: losses, errors (what is to be drawn more often) and values (of the action taken).
    """
    choices, atoms, dueling = int(numbers[CHOICES]), int(numbers[ATOMS]), numbers[DUELING] > 0
    for i in range(first, last):
        start, mean = actions[i] * atoms, 0.0
        for z in range(atoms):
            change[i, z] = raw[i, start + z] + common_of(raw, i, z, choices, atoms, dueling)  # what it expected, so far
            mean += change[i, z]
        values[i] = mean / atoms
        if numbers[QUANTILES] > 0:
            losses[i] = errors[i] = _quantile_change(change[i], target[i])
        else:
            losses[i], errors[i] = _scalar_change(change[i], target[i], numbers[HUBER] > 0)
        for j in range(grad.shape[1]):
            grad[i, j] = 0.0
        for z in range(atoms):
            push = change[i, z] * weights[i] * numbers[SHARE]
            if dueling:
                grad[i, choices * atoms + z] = push
                for a in range(choices):
                    grad[i, a * atoms + z] = -push / choices
            grad[i, start + z] += push
    return 0


def _scalar_change(change, target, huber):
    """From what was expected to how the loss changes with it, in place; the loss, and the error's size."""
    error = change[0] - target[0]
    size = abs(error)
    if huber and size > 1.0:
        change[0] = 1.0 if error > 0.0 else -1.0
        return size - 0.5, size
    change[0] = error
    return 0.5 * error * error, size


def _quantile_change(change, target):
    """The same for quantiles (Dabney et al. 2018, with kappa 1); the loss."""
    atoms, loss = change.shape[0], 0.0
    for z in range(atoms):
        fraction, push = (z + 0.5) / atoms, 0.0
        for j in range(atoms):
            error = target[j] - change[z]
            weight = fraction if error >= 0.0 else 1.0 - fraction
            if abs(error) <= 1.0:
                loss += weight * 0.5 * error * error
                push -= weight * error
            else:
                loss += weight * (abs(error) - 0.5)
                push -= weight if error > 0.0 else -weight
        change[z] = push / atoms
    return loss / atoms


def numbers_of(
    choices: int,
    distribution: Distribution,
    dueling: bool,
    share: float,
    temperature: float,
    alpha: float,
    lowest: float,
) -> Tensor:
    """The loops' numbers (9,) float64; `share` is each sample's in the loss."""
    huber, quantiles = isinstance(distribution, Scalar) and distribution.huber, isinstance(distribution, Quantile)
    numbers: list[Any] = [choices, distribution.atoms, dueling, huber, quantiles, share, temperature, alpha, lowest]
    return torch.tensor([float(number) for number in numbers], dtype=torch.float64)


def has_loops(distribution: Distribution) -> bool:
    """Whether the loops know it."""
    return isinstance(distribution, Scalar) or (isinstance(distribution, Quantile) and distribution.kappa == 1.0)
