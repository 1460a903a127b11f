"""PPO's loss for one choice among actions, with its slopes, as one loop.

`update.loss_of` says the same in PyTorch's operations, fifty small ones forwards and backwards. On a CPU they cost as much
as a small network, and threads that learn side by side would wait for each other at each of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .loops import run

if TYPE_CHECKING:
    from .update import Settings


def categorical_slopes(logits, values, actions, columns, numbers, slopes, value_slopes, sums, first, last):
    """For N samples: what the loss is made of, and how it changes with each logit and value.

    logits (N, A), values (N,), actions (N,); columns (N, 4) as in `RolloutTensors`; numbers: clip_range, clip_range_vf
    (below 0: none), ent_coef, vf_coef, and each sample's weight. Written: slopes (N, A), value_slopes (N,), and sums (6,)
    of `update.PARTS`.
    """
    clip, reach, ent_coef, vf_coef, weight = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    for i in range(first, last):
        highest = logits[i, 0]
        for a in range(1, logits.shape[1]):
            highest = max(highest, logits[i, a])
        total = 0.0
        for a in range(logits.shape[1]):
            slopes[i, a] = math.exp(logits[i, a] - highest)  # becomes the probability, then the slope
            total += slopes[i, a]
        log_total = math.log(total) + highest
        entropy = 0.0
        for a in range(logits.shape[1]):
            slopes[i, a] /= total
            entropy -= slopes[i, a] * (logits[i, a] - log_total)

        chosen, advantage = actions[i], columns[i, 1]
        log_ratio = logits[i, chosen] - log_total - columns[i, 0]
        ratio = math.exp(log_ratio)
        free, clipped = advantage * ratio, advantage * min(max(ratio, 1.0 - clip), 1.0 + clip)
        push = -free if free <= clipped else 0.0  # slope of the policy's loss by the log-probability of the action
        for a in range(logits.shape[1]):
            p = slopes[i, a]
            slope = ent_coef * p * (logits[i, a] - log_total + entropy) - push * p
            if a == chosen:
                slope += push
            slopes[i, a] = weight * slope

        away = values[i] - columns[i, 3]
        bounded = reach >= 0.0 and abs(away) > reach
        if bounded:
            away = reach if away > 0.0 else -reach
        error = columns[i, 3] + away - columns[i, 2]
        value_slopes[i] = 0.0 if bounded else 2.0 * weight * vf_coef * error
        sums[0] -= weight * min(free, clipped)
        sums[1] += weight * error * error
        sums[2] -= weight * entropy
        sums[3] += weight * (vf_coef * error * error - min(free, clipped) - ent_coef * entropy)
        sums[4] += weight * (ratio - 1.0 - log_ratio)
        sums[5] += weight if abs(ratio - 1.0) > clip else 0.0
    return 0


def slopes_of(
    logits: Tensor, values: Tensor, actions: Tensor, columns: Tensor, settings: Settings, share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes of the loss by logits (B, A) and values (B,), and its parts (6,), all times `share`; on the CPU."""
    logits, values = logits.detach().contiguous(), values.detach().contiguous()
    reach = -1.0 if settings.clip_range_vf is None else settings.clip_range_vf
    numbers = torch.tensor(
        [settings.clip_range, reach, settings.ent_coef, settings.vf_coef, share / len(values)], dtype=torch.float64
    )
    slopes, value_slopes, sums = torch.empty_like(logits), torch.empty_like(values), torch.zeros(6, dtype=torch.float64)
    run(
        categorical_slopes,
        logits,
        values,
        actions.contiguous(),
        columns.contiguous(),
        numbers,
        slopes,
        value_slopes,
        sums,
    )
    return slopes, value_slopes, sums.float()
