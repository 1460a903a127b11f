"""PPO's loss (Schulman et al. 2017): in PyTorch, for any policy, and as a compiled loop with its gradient.

`loss_of` is fifty small operations forwards and backwards. On a CPU they cost as much as a small network, and threads that
compute parts of a minibatch would wait for each other at each of them; `categorical_grads` is one loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..compiled.kernel import UNIT, Kernel
from ..nn.actor_critic import ActorCritic, forward_batch
from ..nn.overridden import OverriddenHead

Data = dict[str, Any]  # of a rollout by name, as `RolloutTensors.samples` or `sequences` gives it
Gradients = tuple[Sequence[Tensor], Tensor]  # one for each trainable parameter, and the parts (6,) of the loss

PARTS = ("policy_gradient_loss", "value_loss", "entropy_loss", "loss", "approx_kl", "clip_fraction")


@dataclass
class Settings:
    """Coefficients of the loss; clip ranges are tensors on a GPU, since a number would be a constant of the CUDA graph."""

    clip_range: float | Tensor
    clip_range_vf: float | Tensor | None
    ent_coef: float
    vf_coef: float


def loss_of(policy: ActorCritic, batch: Data, settings: Settings) -> tuple[Tensor, Tensor]:
    """The clipped surrogate loss of a minibatch, and its parts (6,) in the order of `PARTS`, detached.

    Args:
        batch: obs, actions and columns (see `RolloutTensors`) of B samples, with advantages as the loss takes them.
    """
    actions = batch["actions"].flatten(0, batch["actions"].dim() - 1 - len(policy.head.action_shape))
    if isinstance(policy.head, OverriddenHead):
        log_probs, entropies, values = policy.head.evaluate(policy, batch["obs"], actions)
    else:
        params, values = forward_batch(policy, batch)
        log_probs, entropies = policy.head.log_prob_and_entropy(params, actions)
    old_log_probs, advantages, returns, old_values = batch["columns"].reshape(-1, 4).unbind(-1)
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


def grads_of(
    logits: Tensor, values: Tensor, actions: Tensor, columns: Tensor, settings: Settings, share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the loss by logits (B, A) and values (B,), and its parts (6,), all times `share`; on the CPU."""
    choices, units = logits.shape[1], -(-len(logits) // UNIT)
    outputs = torch.cat([logits.detach(), values.detach().unsqueeze(1)], 1)  # (B, A + 1)
    grads, sums = torch.empty_like(outputs), torch.empty(units, len(PARTS), dtype=torch.float64)
    numbers = numbers_of(choices, settings, share / len(values))
    given = (outputs, actions.contiguous(), columns.contiguous(), numbers, grads, sums)
    Kernel(categorical_grads, *given, units=units)()
    return grads[:, :choices], grads[:, choices], sums.sum(0).float()


def numbers_of(choices: int, settings: Settings, weight: float) -> Tensor:
    """The numbers (6,) that `categorical_grads` takes."""
    clip_vf = -1.0 if settings.clip_range_vf is None else settings.clip_range_vf
    numbers = [choices, settings.clip_range, clip_vf, settings.ent_coef, settings.vf_coef, weight]
    return torch.tensor(numbers, dtype=torch.float64)


def categorical_grads(outputs, actions, columns, numbers, grads, sums, first, last):
    """Gradients of the loss for categorical actions, and its parts, for units first .. last-1 of `UNIT` samples each.

    Args:
        outputs: (N', W), with N' >= N and W > A: logits of A actions, then the value.
        actions: (N,), and columns: (N, 4), as in `RolloutTensors`.
        numbers: A, clip_range, clip_range_vf (below 0: None), ent_coef, vf_coef, and the weight of each sample.
        grads: (N', W), written; 0 where there is no sample or no output.
        sums: (N' / UNIT, 6), written: each unit's share of the loss's parts.
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

    action, advantage = actions[i], columns[i, 1]
    log_ratio = outputs[i, action] - log_total - columns[i, 0]
    ratio = math.exp(log_ratio)
    free, clipped = advantage * ratio, advantage * min(max(ratio, 1.0 - clip), 1.0 + clip)
    by_log_prob = -free if free <= clipped else 0.0  # gradient of the policy loss by the action's log-probability
    for a in range(choices):
        p = grads[i, a]
        grad = ent_coef * p * (outputs[i, a] - log_total + entropy) - by_log_prob * p
        if a == action:
            grad += by_log_prob
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
    sums[unit, 3] += weight * (vf_coef * error * error - min(free, clipped) - ent_coef * entropy)
    sums[unit, 4] += weight * (ratio - 1.0 - log_ratio)
    sums[unit, 5] += weight if abs(ratio - 1.0) > clip else 0.0
