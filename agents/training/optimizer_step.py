"""From gradients to new weights: the norm's limit, the optimiser's step, and a look at whether all are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...envs import OptionError
from ..compiled.adam import adam_loops_of, laid_out_as
from ..runtime.hardware import on_gpu
from .finite_checks import check_gradients

if TYPE_CHECKING:
    from .agent import Agent


class OptimizerStep:
    """An agent's optimiser at work.

    Args:
        network: whose weights learn.
        optimizer: of those weights.
        loops: whether gradients come from loops, so that their memory stays where it is; then Adam's step is loops, too.
    """

    def __init__(self, agent: Agent, network: torch.nn.Module, optimizer: torch.optim.Optimizer, loops: bool) -> None:
        self.agent, self.optimizer = agent, optimizer
        optimizer.zero_grad()  # what is frozen now must not move by a gradient that it had before
        self.named = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
        self.weights = [weight for _, weight in self.named]
        self.adam = adam_loops_of(optimizer, self.weights) if loops else None
        self.on_gpu = on_gpu(agent.device)
        if self.on_gpu:
            for group in optimizer.param_groups:  # a graph reads the learning rate from memory
                group["lr"], group["capturable"] = torch.tensor(float(group["lr"]), device=agent.device), True

    def check(self) -> None:
        """Raise OptionError if there is nothing to learn, or if the optimiser has other weights than the network."""
        agent: Any = self.agent
        if not self.weights:
            raise OptionError("there is nothing to learn: all weights are frozen, requires_grad_(True) frees them")
        known = {id(weight) for weight in agent.policy.parameters()}
        if any(id(weight) not in known for group in self.optimizer.param_groups for weight in group["params"]):
            raise OptionError(
                "policy.optimizer has weights that are not the policy's, as after a layer was replaced: make it anew, "
                "such as policy.optimizer = torch.optim.Adam(policy.parameters())"
            )

    def set_learning_rate(self, rate: float) -> None:
        """In place, where it is a tensor."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def step(self, gradients: Sequence[Tensor], loss: Tensor, max_norm: float) -> None:
        """One step against the gradients, cut to the norm; on a CPU, raises NotFinite if one is not a number."""
        agent: Any = self.agent
        gradients = [laid_out_as(weight, gradient) for weight, gradient in zip(self.weights, gradients, strict=True)]
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.grad = gradient
        if self.adam is not None:
            norm = self.adam.norm(gradients)
            check_gradients(self.named, loss, norm, agent.num_timesteps, agent._n_updates)
            self.adam.step(min(1.0, max_norm / (norm + 1e-6)))
            return
        norm = torch.nn.utils.clip_grad_norm_(self.weights, max_norm)
        if not self.on_gpu:
            check_gradients(self.named, loss, float(norm), agent.num_timesteps, agent._n_updates)
        self.optimizer.step()
