"""A network of action values at work: what it expects, and a step towards what it should have expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..compiled.network import remembered
from ..nn.q_network import QNet
from ..nn.value_dists import Quantile, Scalar
from ..runtime.hardware import on_gpu
from ..training.optimizer_step import OptimizerStep
from .compiled_loss import has_loops
from .compiled_q_network import compile_q_network
from .compiled_update import CompiledUpdate

if TYPE_CHECKING:
    from ..training.agent import Agent


class ValueFit:
    """Values and updates of an agent's network, by loops where there are some for it, else by PyTorch.

    Attributes:
        loss: of the last update, mean_value: what it expected of the actions that were taken, on average; both lie in tensors
            that stay where they are, for graphs.
    """

    def __init__(self, agent: Agent, network: QNet, optimizer: torch.optim.Optimizer) -> None:
        self.agent, self.online, self.on_gpu = agent, network, on_gpu(agent.device)
        self.backprop = None if self.on_gpu else compile_q_network(network, agent.pool)  # type: ignore[attr-defined]
        self.chained = self.backprop is not None and has_loops(network.distribution)
        self.optimizer_step = OptimizerStep(agent, network, optimizer, self.backprop is not None)
        self.loss, self.mean_value = (torch.zeros((), device=agent.device) for _ in range(2))
        self._chains: dict[int, CompiledUpdate] = {}

    def refresh(self) -> None:
        """The network's weights may have changed: take them as they are."""
        if self.backprop is not None:
            self.backprop.read_weights()

    def values(self, obs: Any) -> Tensor:
        """Values (N, A) to act on, with the weights as they were after the last update or `refresh`."""
        return self.online(obs) if self.backprop is None else self.online.distribution.mean(self.outputs(obs))

    def outputs(self, obs: Any) -> Tensor:
        """The network's numbers (B, A, Z), without a way back to its weights where loops compute them."""
        return self.online.outputs(obs) if self.backprop is None else self.online.assemble(self.backprop.raw(obs))

    def fit(
        self, obs: Any, actions: Tensor, target: Tensor, weights: Tensor | None = None, fractions: Tensor | None = None
    ) -> Tensor:
        """One update: the numbers of the actions that were taken move towards what they should have been.

        Args:
            obs: (B, *shape); actions: (B,) int64; target: (B, Z).
            weights: (B,), how much each sample counts; None: 1.
            fractions: (B, K), of quantiles; see `ImplicitQNet`.

        Returns:
            (B,), how far off each was: the size of the error or, for a distribution, the loss.
        """
        if self.chained and self.backprop is not None:
            backprop = self.backprop
            chain = remembered(self._chains, len(actions), lambda: CompiledUpdate(backprop, self.online, obs))
            chain.run(obs, actions, target, weights)
            backprop.collect()
            self.loss, self.mean_value, errors = chain.loss, chain.values.mean(), chain.errors
            gradients: Any = backprop.gradients
        elif self.backprop is not None:
            found: list[Tensor] = []
            gradients = self.backprop.differentiate(obs, lambda raw: self._grad(raw, actions, target, weights, found))
            errors = found[0]
        else:
            out = self.online.outputs(obs, fractions)
            loss, errors = self._judge(out, actions, target, weights, fractions)
            gradients = torch.autograd.grad(loss, self.optimizer_step.weights)
        self.optimizer_step.step(gradients, self.loss, self.agent.max_grad_norm)  # type: ignore[attr-defined]
        self.refresh()
        return errors

    def _grad(
        self, raw: Tensor, actions: Tensor, target: Tensor, weights: Tensor | None, found: list[Tensor]
    ) -> Tensor:
        """How the loss changes with raw numbers (B, P); errors are added to those found."""
        raw = raw.detach().requires_grad_()
        loss, errors = self._judge(self.online.assemble(raw), actions, target, weights, None)
        found.append(errors)
        return torch.autograd.grad(loss, raw)[0]

    def _judge(
        self, out: Tensor, actions: Tensor, target: Tensor, weights: Tensor | None, fractions: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The loss of the network's numbers (B, A, Z), which it notes, and how far off each sample was (B,)."""
        distribution = self.online.distribution
        chosen = out[torch.arange(len(out), device=out.device), actions]  # (B, A, Z) -> (B, Z)
        if fractions is not None and isinstance(distribution, Quantile):
            losses = distribution.loss(chosen, target, fractions)
        else:
            losses = distribution.loss(chosen, target)
        loss = losses.mean() if weights is None else (weights * losses).mean()
        with torch.no_grad():
            self.loss.copy_(loss)
            self.mean_value.copy_(distribution.mean(chosen.unsqueeze(1)).mean())
            errors = (chosen - target).abs().squeeze(-1) if isinstance(distribution, Scalar) else losses.detach()
        return loss, errors
