"""PPO's loss (Schulman et al. 2017): in PyTorch, for any policy, and as a compiled loop with its gradient.

`clipped_surrogate` is fifty small operations forwards and backwards. On a CPU they cost as much as a small network, and
threads that compute parts of a minibatch would wait for each other at each of them; `categorical_grads` is one loop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..compiled.actor_critic import Loss
from ..compiled.kernel import UNIT

PARTS = ("policy_gradient_loss", "value_loss", "entropy_loss", "loss", "approx_kl", "clip_fraction")


@dataclass
class Settings:
    """Coefficients of the loss; clip ranges are tensors on a GPU, since a number would be a constant of the CUDA graph."""

    clip_range: float | Tensor
    clip_range_vf: float | Tensor | None
    ent_coef: float
    vf_coef: float
    kickstart_coef: float = 0.0


def clipped_surrogate(
    log_probs: Tensor, entropies: Tensor, values: Tensor, columns: Tensor, settings: Settings
) -> tuple[Tensor, Tensor]:
    """The loss of a minibatch, and its parts (6,) in the order of `PARTS`, detached; see `Loss.function`."""
    old_log_probs, advantages, returns, old_values = columns.unbind(-1)
    log_ratio = log_probs - old_log_probs
    ratio = log_ratio.exp()
    clip = settings.clip_range
    clipped = ratio.clamp(1 - clip, 1 + clip)  # type: ignore[operator]
    policy_loss = -torch.min(advantages * ratio, advantages * clipped).mean()
    if settings.clip_range_vf is not None:
        clip_vf = settings.clip_range_vf
        values = old_values + (values - old_values).clamp(-clip_vf, clip_vf)  # type: ignore[operator]
    value_loss = (values - returns).square().mean()
    entropy = entropies.mean()
    loss = policy_loss - settings.ent_coef * entropy + settings.vf_coef * value_loss
    with torch.no_grad():
        approx_kl = ((ratio - 1) - log_ratio).mean()  # Schulman 2020, "Approximating KL divergence"
        clip_fraction = ((ratio - 1).abs() > clip).float().mean()
        parts = torch.stack([policy_loss, value_loss, -entropy, loss, approx_kl, clip_fraction])
    return loss, parts


def numbers_of(choices: int, settings: Settings, weight: float) -> Tensor:
    """The numbers (7,) that `categorical_grads` takes; `weight` is that of each sample."""
    clip_vf = -1.0 if settings.clip_range_vf is None else settings.clip_range_vf
    coefs = settings.ent_coef, settings.vf_coef, weight, settings.kickstart_coef
    numbers = [choices, settings.clip_range, clip_vf, *coefs]
    return torch.tensor(numbers, dtype=torch.float64)


def categorical_grads(outputs, actions, columns, numbers, grads, sums, first, last):
    """`clipped_surrogate` for categorical actions, with its gradient; see `Loss.kernel`, and `numbers_of` for the numbers.

    Where a fifth column has the number of an action, the loss is larger by `kickstart_coef` times minus the action's
    log-probability.
    """
    for unit in range(first, last):
        for part in range(sums.shape[1]):
            sums[unit, part] = 0.0
        for i in range(UNIT * unit, min(UNIT * unit + UNIT, grads.shape[0])):
            for a in range(grads.shape[1]):
                grads[i, a] = 0.0
            if i < actions.shape[0]:
                _sample_grads(outputs, actions, columns, numbers, grads, sums, unit, i)
    return 0


def _sample_grads(outputs, actions, columns, numbers, grads, sums, unit, i):
    """Those of sample i."""
    choices, clip, clip_vf = int(numbers[0]), numbers[1], numbers[2]
    ent_coef, vf_coef, weight = numbers[3], numbers[4], numbers[5]
    highest = outputs[i, 0]
    for a in range(1, choices):
        highest = max(highest, outputs[i, a])
    total = 0.0
    for a in range(choices):
        grads[i, a] = math.exp(outputs[i, a] - highest)  # becomes the probability, then the gradient
        total += grads[i, a]
    log_total = math.log(total) + highest
    entropy = 0.0
    for a in range(choices):
        grads[i, a] /= total
        entropy -= grads[i, a] * (outputs[i, a] - log_total)

    advised = int(columns[i, 4]) if columns.shape[1] > 4 else -1
    kickstart_coef = numbers[6] if advised >= 0 else 0.0
    kickstart_loss = kickstart_coef * (log_total - outputs[i, advised]) if advised >= 0 else 0.0
    action, advantage = actions[i], columns[i, 1]
    log_ratio = outputs[i, action] - log_total - columns[i, 0]
    ratio = math.exp(log_ratio)
    free, clipped = advantage * ratio, advantage * min(max(ratio, 1.0 - clip), 1.0 + clip)
    by_log_prob = -free if free <= clipped else 0.0  # gradient of the policy loss by the action's log-probability
    for a in range(choices):
        p = grads[i, a]
        grad = ent_coef * p * (outputs[i, a] - log_total + entropy) + (kickstart_coef - by_log_prob) * p
        if a == action:
            grad += by_log_prob
        if a == advised:
            grad -= kickstart_coef
        grads[i, a] = weight * grad

    change = outputs[i, choices] - columns[i, 3]
    cut = clip_vf >= 0.0 and abs(change) > clip_vf
    if cut:
        change = clip_vf if change > 0.0 else -clip_vf
    error = columns[i, 3] + change - columns[i, 2]
    grads[i, choices] = 0.0 if cut else 2.0 * weight * vf_coef * error
    sums[unit, 0] -= weight * min(free, clipped)
    sums[unit, 1] += weight * error * error
    sums[unit, 2] -= weight * entropy
    sums[unit, 3] += weight * (vf_coef * error * error - min(free, clipped) - ent_coef * entropy + kickstart_loss)
    sums[unit, 4] += weight * (ratio - 1.0 - log_ratio)
    sums[unit, 5] += weight if abs(ratio - 1.0) > clip else 0.0


PPO_LOSS = Loss(PARTS, clipped_surrogate, categorical_grads, numbers_of)
