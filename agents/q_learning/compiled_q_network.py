"""Values of actions as loops that threads share, and their gradients; see `compiled.network`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..compiled.build import build
from ..compiled.kernel import ThreadPool
from ..compiled.layers import Layer
from ..compiled.network import Backward, CompiledNetwork, Planes, Vectors, cached
from ..compiled.trace import NotCompiled
from ..nn.q_network import Duel, ImplicitQNet, QNet


class CompiledQNetwork(CompiledNetwork):
    """Raw numbers of a `QNet`, and gradients of what is made of them.

    Args:
        size: how many raw numbers there are.
    """

    def __init__(
        self, inputs: Planes | Vectors, layers: Sequence[Layer], weights: Sequence[Tensor], size: int, pool: ThreadPool
    ) -> None:
        super().__init__(inputs, layers, weights, pool)
        self.size = size
        self._backwards: dict[int, Backward] = {}

    def raw(self, obs: Tensor) -> Tensor:
        """Raw numbers (B, P) of observations (B, *shape); they are written over at the next call."""
        return self.forward(obs)[:, : self.size]

    def differentiate(self, obs: Tensor, grad_of: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """Gradients by the weights, if `grad_of` gives the grad of raw numbers (B, P)."""
        count = len(obs)
        backward = cached(self._backwards, count, lambda: Backward(self, torch.zeros_like(obs).flatten(1), count))
        backward.planes.copy_(obs.flatten(1))
        torch.arange(count, out=backward.rows[:count])
        self.pool.run(*backward.loops)
        backward.grad[:count, : self.size] = grad_of(backward.out[:count, : self.size])
        self.pool.run(*backward.back)
        self.collect()
        return self.gradients


def compile_q_network(network: QNet, pool: ThreadPool) -> CompiledQNetwork:
    """For this network; raises NotCompiled with the reason if there are no loops for it."""
    inputs, layers, sizes = build(network, network.observation_space, raw_numbers_of(network))
    return CompiledQNetwork(inputs, layers, list(network.parameters()), sum(sizes), pool)


def raw_numbers_of(network: QNet) -> Callable[[Any], Any]:
    """What computes raw numbers of observations, for `trace`: all, or advantages and values; raises NotCompiled."""
    if isinstance(network, ImplicitQNet):
        raise NotCompiled("implicit quantiles")
    *hidden, last = network.q_net

    def forward(obs: Any) -> Any:
        x = network.features_extractor(obs)
        for layer in hidden:
            x = layer(x)
        if not isinstance(last, Duel):
            return last(x)
        left, right = x.tensor_split([last.in_features // 2], -1)
        return last.advantage(left), last.value(right)

    return forward
