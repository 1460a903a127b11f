"""PPO's update: what one minibatch asks of the weights (Schulman et al. 2017), and the passes over a rollout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..data.rollout_buffer import Autocast
from ..nn.action_dists import CategoricalHead
from ..nn.actor_critic import ActorCritic, each, forward_batch
from ..nn.overridden import AskedPolicy
from ..runtime.hardware import on_gpu
from ..runtime.threads import WorkerThreads
from .compiled_loss import grads_of

Data = dict[str, Any]  # of a rollout, as `RolloutTensors.samples` or `sequences` gives it
Gradients = tuple[Sequence[Tensor], Tensor]  # one for each weight, and the parts of the loss

PARTS = ("policy_gradient_loss", "value_loss", "entropy_loss", "loss", "approx_kl", "clip_fraction")


@dataclass
class Settings:
    """What the loss is made of; numbers are tensors where a CUDA graph must see them change."""

    clip_range: float | Tensor
    clip_range_vf: float | Tensor | None
    ent_coef: float
    vf_coef: float
    normalize_advantage: bool = True
    autocast: Autocast = nullcontext


def loss_of(policy: ActorCritic, batch: dict[str, Any], settings: Settings) -> tuple[Tensor, Tensor]:
    """The clipped surrogate objective on one minibatch, and its parts (6,) in the order of `PARTS`, detached.

    Args:
        batch: obs, actions and columns (see `RolloutTensors.flat`), of B samples; advantages as they shall be used.
    """
    actions = batch["actions"].flatten(0, batch["actions"].dim() - 1 - len(policy.head.action_shape))
    if isinstance(policy.head, AskedPolicy):
        chances, entropies, values = policy.head.judge_batch(policy, batch["obs"], actions)
    else:
        params, values = forward_batch(policy, batch)
        chances, entropies = policy.head.judge(params, actions)
    log_probs, advantages, returns, old_values = batch["columns"].reshape(-1, 4).unbind(-1)
    log_ratio = chances - log_probs
    ratio = log_ratio.exp()
    clip = settings.clip_range
    clipped = ratio.clamp(1 - clip, 1 + clip)  # type: ignore[operator]
    policy_loss = -torch.min(advantages * ratio, advantages * clipped).mean()
    if settings.clip_range_vf is not None:
        reach = settings.clip_range_vf
        values = old_values + (values - old_values).clamp(-reach, reach)  # type: ignore[operator]
    value_loss = (values - returns).square().mean()
    entropy = entropies.mean()
    loss = policy_loss - settings.ent_coef * entropy + settings.vf_coef * value_loss
    with torch.no_grad():
        kl = ((ratio - 1) - log_ratio).mean()  # Schulman 2020, "Approximating KL divergence"
        cut = ((ratio - 1).abs() > clip).float().mean()
        parts = torch.stack([policy_loss, value_loss, -entropy, loss, kl, cut])
    return loss, parts


class Autograd:
    """Gradients of the loss by PyTorch's means, for any policy; its threads share the rows."""

    def __init__(self, policy: ActorCritic, weights: Sequence[Tensor], workers: WorkerThreads) -> None:
        self.policy, self.weights, self.workers = policy, weights, workers

    def __call__(self, data: Data, rows: Tensor, columns: Tensor, settings: Settings) -> Gradients:
        """Gradients of the loss over `rows` of the data, and the loss's parts (6,)."""
        lots = min(self.workers.count, len(rows))
        jobs = [
            partial(self.part, data, part, numbers, settings, len(part) / len(rows))
            for part, numbers in zip(rows.chunk(lots), columns.chunk(lots), strict=True)
        ]
        return added(self.workers.run(jobs) if lots > 1 else [jobs[0]()])

    def part(self, data: Data, rows: Tensor, columns: Tensor, settings: Settings, share: float) -> Gradients:
        """The same as `share` of a minibatch. Threads may do this at once: nothing is accumulated in the policy."""
        policy, batch = self.policy, take(data, rows, columns)
        with settings.autocast():
            if isinstance(policy.head, CategoricalHead) and not on_gpu(columns.device):
                params, values = forward_batch(policy, batch)
                numbers = batch["columns"].reshape(-1, 4)
                *grads, parts = grads_of(params, values, batch["actions"].flatten(), numbers, settings, share)
                outputs = [pair for pair in zip((params, values), grads, strict=True) if pair[0].requires_grad]
                outs, grads = zip(*outputs, strict=True)  # all but those whose weights are frozen
                return torch.autograd.grad(outs, self.weights, grads, materialize_grads=True), parts
            loss, parts = loss_of(policy, batch, settings)
        return torch.autograd.grad(share * loss, self.weights, materialize_grads=True), share * parts


def take(data: dict[str, Any], rows: Tensor, columns: Tensor) -> dict[str, Any]:
    """These rows of everything. Sequences (games first) come out steps first, as memory reads them."""
    batch = {name: each(lambda x: x.index_select(0, rows), value) for name, value in data.items()}
    batch["columns"] = columns
    if "starts" not in batch:
        return batch
    memory = batch.pop("memory")
    return {**{name: each(lambda x: x.transpose(0, 1), value) for name, value in batch.items()}, "memory": memory}


def normalized(columns: Tensor) -> Tensor:
    """Columns (B, ..., 4) with advantages of mean 0 and standard deviation 1; changed in place."""
    advantages = columns[..., 1]
    if advantages.numel() > 1:
        advantages.sub_(advantages.mean()).div_(advantages.std() + 1e-8)
    return columns


def epoch(
    data: Data,
    order: Tensor,
    rows_per_batch: int,
    settings: Settings,
    gradients_of: Callable[[Data, Tensor, Tensor, Settings], Gradients],
    apply: Callable[[Sequence[Tensor], Tensor], None],
) -> None:
    """One pass over the data, in minibatches of `order`; `apply(gradients, parts)` is called for each."""
    rest = {name: value for name, value in data.items() if name != "columns"}
    for rows in order.split(rows_per_batch):
        columns = data["columns"].index_select(0, rows)
        if settings.normalize_advantage:
            columns = normalized(columns)
        apply(*gradients_of(rest, rows, columns, settings))


def added(answers: Sequence[Gradients]) -> Gradients:
    """The sum of gradients and of parts, in the order of the lots."""
    total, parts = list(answers[0][0]), answers[0][1]
    for gradients, more in answers[1:]:
        torch._foreach_add_(total, list(gradients))
        parts = parts + more
    return total, parts
