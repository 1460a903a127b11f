"""From gradients to new parameters: clipping of the gradient's norm, the optimizer's step, and checks that all is finite."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from ...envs import OptionError
from ..compiled.adam import adam_loops_of, laid_out_as
from ..data.finite_checks import NotFinite
from ..runtime.hardware import on_gpu


class OptimizerStep:
    """The optimizer of an agent's network.

    Args:
        agent: whose policy, device and counters are read.
        network: whose parameters are trained.
        optimizer: of those parameters.
        fixed_gradients: whether gradients come in the same memory each time; then Adam's step is compiled loops, too.
    """

    def __init__(
        self, agent: BaseAlgorithm, network: torch.nn.Module, optimizer: torch.optim.Optimizer, fixed_gradients: bool
    ) -> None:
        self.agent, self.optimizer = agent, optimizer
        optimizer.zero_grad()  # parameters that are frozen now must not move by a gradient that they had before
        self.named = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
        self.weights = [weight for _, weight in self.named]
        self.adam = adam_loops_of(optimizer, self.weights) if fixed_gradients else None
        self.on_gpu = on_gpu(agent.device)
        self.rates: list[Tensor] = []  # of the groups, in a GPU's memory
        if self.on_gpu:
            for group in optimizer.param_groups:  # a CUDA graph reads the learning rate from memory
                group["lr"], group["capturable"] = torch.tensor(float(group["lr"]), device=agent.device), True
                self.rates.append(group["lr"])

    def check(self) -> None:
        """Raise OptionError for what cannot be trained: frozen or foreign parameters, and hooks that would not be called."""
        if not self.weights:
            raise OptionError("there is nothing to learn: all weights are frozen, requires_grad_(True) frees them")
        known = {id(weight) for weight in self.agent.policy.parameters()}
        if any(id(weight) not in known for group in self.optimizer.param_groups for weight in group["params"]):
            raise OptionError(
                "policy.optimizer has weights that are not the policy's, as after a layer was replaced: make it anew, "
                "such as policy.optimizer = torch.optim.Adam(policy.parameters())"
            )
        if any(weight._post_accumulate_grad_hooks for weight in self.weights):  # type: ignore[attr-defined]
            raise OptionError(
                "hooks of register_post_accumulate_grad_hook would not be called, gradients are not accumulated here: use "
                "policy.optimizer.register_step_pre_hook"
            )

    def keep_learning_rates(self) -> None:
        """Where a CUDA graph reads them, put learning rates that were set since into its memory."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=False):
            if group["lr"] is not rate:
                group["lr"] = rate.fill_(group["lr"])

    def step(self, gradients: Sequence[Tensor | None], loss: Tensor, max_norm: float) -> None:
        """One step with gradients clipped to `max_norm`; raises NotFinite, but on a GPU, which is not waited for.

        Weights whose gradient is None stay as they are, also with weight decay.
        """
        pairs = list(zip(self.weights, gradients, strict=True))
        gradients = [None if gradient is None else laid_out_as(weight, gradient) for weight, gradient in pairs]
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.grad = gradient
        counters = self.agent.num_timesteps, self.agent._n_updates
        if self.adam is not None:
            norm = self.adam.norm([gradient for gradient in gradients if gradient is not None])
            check_gradients(self.named, loss, norm, *counters)
            self.adam.step(min(1.0, max_norm / (norm + 1e-6)))
            return
        norm = torch.nn.utils.clip_grad_norm_(self.weights, max_norm)
        if not self.on_gpu:
            check_gradients(self.named, loss, float(norm), *counters)
        self.optimizer.step()


def check_gradients(
    named: Sequence[tuple[str, Tensor]], loss: Tensor, norm: float, timesteps: int, update: int
) -> None:
    """Raise NotFinite if the loss or a gradient is not finite, naming the loss or the first such parameter.

    The loss is checked by itself, since a Huber loss of any size has a gradient of at most 1.

    Args:
        named: parameters with their names.
        norm: of all their gradients together.
        timesteps: done before this update, and `update`, its number, for the message.
    """
    if math.isfinite(norm) and math.isfinite(float(loss)):
        return
    where = f"in update {update} after step {timesteps}: training stopped, the last checkpoint is as it was"
    if not loss.isfinite():
        raise NotFinite(f"the loss is {float(loss)} {where}")
    for name, weight in named:
        if weight.grad is not None and not weight.grad.isfinite().all():
            raise NotFinite(f"the gradient of {name} is not finite {where}")
    raise NotFinite(f"the norm of the gradient is {norm} {where}")


def check_update(loss: float, policy: torch.nn.Module, timesteps: int, update: int) -> None:
    """Raise NotFinite if parameters or the loss are not finite after a whole update; for GPUs, where steps do not wait."""
    broken = [name for name, weight in policy.named_parameters() if not weight.isfinite().all()]
    if broken or not math.isfinite(loss):
        what = f"{broken[0]} is" if broken else f"the loss is {loss},"
        raise NotFinite(
            f"{what} not finite after update {update} at step {timesteps}: training stopped, the last checkpoint is as it was"
        )
