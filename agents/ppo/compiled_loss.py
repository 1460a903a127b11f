"""PPO's loss for one choice among actions, with its grads, as one loop.

`loss.loss_of` says the same in PyTorch's operations, fifty small ones forwards and backwards. On a CPU they cost as much
as a small network, and threads that learn side by side would wait for each other at each of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..compiled.kernel import UNIT, Kernel

if TYPE_CHECKING:
    from .loss import Settings


def categorical_grads(decisions, actions, columns, numbers, grads, sums, first, last):
    """For N samples: what the loss is made of, and how it changes with each logit and value.

    decisions (N', W), logits of the A actions and then the value, at least; actions (N,); columns (N, 4) as in
    `RolloutTensors`; numbers: A, clip_range, clip_range_vf (below 0: none), ent_coef, vf_coef, and each sample's weight.
    Written: grads (N', W), 0 where there is nothing to learn, and sums (N / UNIT, 6) of `loss.PARTS`. Units first ..
    last-1 of `UNIT` samples each.
    """
    for unit in range(first, last):
        for part in range(sums.shape[1]):
            sums[unit, part] = 0.0
        for i in range(UNIT * unit, min(UNIT * unit + UNIT, grads.shape[0])):
            for a in range(grads.shape[1]):
                grads[i, a] = 0.0
            if i < actions.shape[0]:
                _categorical_grads(decisions, actions, columns, numbers, grads, sums, unit, i)
    return 0


def _categorical_grads(decisions, actions, columns, numbers, grads, sums, unit, i):
    """Those of sample i."""
    choices, clip, reach, ent_coef, vf_coef, weight = (
        int(numbers[0]),
        numbers[1],
        numbers[2],
        numbers[3],
        numbers[4],
        numbers[5],
    )
    highest = decisions[i, 0]
    for a in range(1, choices):
        highest = max(highest, decisions[i, a])
    total = 0.0
    for a in range(choices):
        grads[i, a] = math.exp(decisions[i, a] - highest)  # becomes the probability, then the grad
        total += grads[i, a]
    log_total = math.log(total) + highest
    entropy = 0.0
    for a in range(choices):
        grads[i, a] /= total
        entropy -= grads[i, a] * (decisions[i, a] - log_total)

    chosen, advantage = actions[i], columns[i, 1]
    log_ratio = decisions[i, chosen] - log_total - columns[i, 0]
    ratio = math.exp(log_ratio)
    free, clipped = advantage * ratio, advantage * min(max(ratio, 1.0 - clip), 1.0 + clip)
    push = -free if free <= clipped else 0.0  # grad of the policy's loss by the log-probability of the action
    for a in range(choices):
        p = grads[i, a]
        grad = ent_coef * p * (decisions[i, a] - log_total + entropy) - push * p
        if a == chosen:
            grad += push
        grads[i, a] = weight * grad

    away = decisions[i, choices] - columns[i, 3]
    bounded = reach >= 0.0 and abs(away) > reach
    if bounded:
        away = reach if away > 0.0 else -reach
    error = columns[i, 3] + away - columns[i, 2]
    grads[i, choices] = 0.0 if bounded else 2.0 * weight * vf_coef * error
    sums[unit, 0] -= weight * min(free, clipped)
    sums[unit, 1] += weight * error * error
    sums[unit, 2] -= weight * entropy
    sums[unit, 3] += weight * (vf_coef * error * error - min(free, clipped) - ent_coef * entropy)
    sums[unit, 4] += weight * (ratio - 1.0 - log_ratio)
    sums[unit, 5] += weight if abs(ratio - 1.0) > clip else 0.0


def numbers_of(choices: int, settings: Settings, weight: float) -> Tensor:
    """The loop's numbers (6,)."""
    reach = -1.0 if settings.clip_range_vf is None else settings.clip_range_vf
    numbers = [choices, settings.clip_range, reach, settings.ent_coef, settings.vf_coef, weight]
    return torch.tensor(numbers, dtype=torch.float64)


def grads_of(
    logits: Tensor, values: Tensor, actions: Tensor, columns: Tensor, settings: Settings, share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes of the loss by logits (B, A) and values (B,), and its parts (6,), all times `share`; on the CPU."""
    choices, units = logits.shape[1], -(-len(logits) // UNIT)
    decisions = torch.cat([logits.detach(), values.detach().unsqueeze(1)], 1)  # (B, A + 1)
    grads, sums = torch.empty_like(decisions), torch.empty(units, 6, dtype=torch.float64)
    numbers = numbers_of(choices, settings, share / len(values))
    Kernel(
        categorical_grads,
        *(decisions, actions.contiguous(), columns.contiguous(), numbers, grads, sums),
        units=units,
    )()
    return grads[:, :choices], grads[:, choices], sums.sum(0).float()
