"""A network of action values at work: what it expects, and a step towards what it should have expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .descent import Descent
from .q_backprop import q_backprop_of
from .q_networks import QNet

if TYPE_CHECKING:
    from .agent import Agent


class ValueFit:
    """Values and updates of an agent's network, by loops where there are some for it, else by PyTorch.

    Attributes:
        loss: of the last update, mean_value: what it expected of the actions that were taken, on average; both lie in tensors
            that stay where they are, for graphs.
    """

    def __init__(self, agent: Agent, network: QNet, optimizer: torch.optim.Optimizer) -> None:
        self.agent, self.online, self.on_gpu = agent, network, agent.device.type != "cpu"
        self.backprop = None if self.on_gpu else q_backprop_of(network, agent.crew)  # type: ignore[attr-defined]
        self.descent = Descent(agent, network, optimizer, self.backprop is not None)
        self.loss, self.mean_value = (torch.zeros((), device=agent.device) for _ in range(2))

    def refresh(self) -> None:
        """The network's weights may have changed: take them as they are."""
        if self.backprop is not None:
            self.backprop.read_weights()

    def values(self, obs: Any) -> Tensor:
        """Values (N, A) to act on, with the weights as they were after the last update or `refresh`."""
        return self.online.distribution.mean(self.outputs(obs))

    def outputs(self, obs: Any) -> Tensor:
        """The network's numbers (B, A, Z), without a way back to its weights where loops compute them."""
        return self.online.outputs(obs) if self.backprop is None else self.online.assemble(self.backprop.raw(obs))

    def fit(self, obs: Any, judge: Callable[[Tensor], Tensor], fractions: Tensor | None = None) -> None:
        """One update; `judge` makes a loss of the network's numbers (B, A, Z) for observations (B, *shape).

        Args:
            fractions: (B, K), of quantiles; see `ImplicitQNet`.
        """
        if self.backprop is not None:
            gradients: Any = self.backprop.differentiate(obs, lambda raw: self._slope(raw, judge))
        else:
            loss = judge(self.online.outputs(obs, fractions))
            self.loss.copy_(loss.detach())
            gradients = torch.autograd.grad(loss, self.descent.weights)
        self.descent.step(gradients, self.loss, self.agent.max_grad_norm)  # type: ignore[attr-defined]
        self.refresh()

    def _slope(self, raw: Tensor, judge: Callable[[Tensor], Tensor]) -> Tensor:
        """How the loss changes with raw numbers (B, P)."""
        raw = raw.detach().requires_grad_()
        loss = judge(self.online.assemble(raw))
        self.loss.copy_(loss.detach())
        return torch.autograd.grad(loss, raw)[0]

    def taken(self, out: Tensor, actions: Tensor) -> Tensor:
        """The numbers (B, Z) of the actions (B,) that were taken; notes their values' mean."""
        rows = torch.arange(len(out), device=out.device)
        chosen = out[rows, actions]  # (B, A, Z) -> (B, Z)
        with torch.no_grad():
            self.mean_value.copy_(self.online.distribution.mean(chosen.unsqueeze(1)).mean())
        return chosen
