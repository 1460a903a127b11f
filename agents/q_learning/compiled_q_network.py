"""Values of actions on planes as loops that threads share, and their gradients; see `network`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from stable_baselines3.common.torch_layers import FlattenExtractor
from torch import Tensor, nn

from ..compiled.kernel import ThreadPool
from ..compiled.layers import Dense, Layer, OnPlanes, Place
from ..compiled.network import (
    Backward,
    CompiledNetwork,
    activated,
    all_of,
    dense_layers,
    encoder_layers,
    filled_up,
    is_hooked,
    remembered,
)
from ..compiled.planes import sees_planes
from ..compiled.vectors import OnVectors, sees_vectors
from ..nn.noisy import NoisyLinear
from ..nn.q_network import Duel, QNet


class CompiledQNetwork(CompiledNetwork):
    """Raw numbers of a `QNet`, and gradients of what is made of them.

    Args:
        size: how many raw numbers there are.
    """

    def __init__(self, layers: Sequence[Layer], weights: Sequence[Tensor], size: int, pool: ThreadPool) -> None:
        super().__init__(layers, weights, pool)
        self.size = size
        self._backwards: dict[int, Backward] = {}

    def raw(self, obs: Tensor) -> Tensor:
        """Raw numbers (B, P) of observations (B, *shape); they are written over at the next call."""
        return self.forward(obs)[:, : self.size]

    def differentiate(self, obs: Tensor, judge: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """Gradients by the weights, if `judge` tells from raw numbers (B, P) how what counts changes with each of them."""
        count = len(obs)
        backward = remembered(self._backwards, count, lambda: Backward(self, torch.zeros_like(obs).flatten(1), count))
        backward.planes.copy_(obs.flatten(1))
        torch.arange(count, out=backward.rows[:count])
        self.pool.run(*backward.loops)
        backward.grad[:count, : self.size] = judge(backward.out[:count, : self.size])
        self.pool.run(*backward.back)
        self.collect()
        return self.gradients


def compile_q_network(network: QNet, pool: ThreadPool) -> CompiledQNetwork | None:
    """For this network; None if its layers are not of the kinds that there are loops for."""
    if not sees_planes(network) and not sees_vectors(network):
        return None
    layers, weights = layers_of(network), list(network.parameters())
    if layers is None or is_hooked(network) or not all_of(layers, weights):
        return None
    last: Any = network.q_net[-1]
    size = last.out_features if isinstance(last, nn.Linear) else last.advantage.out_features + last.value.out_features
    return CompiledQNetwork(layers, weights, size, pool)


def layers_of(network: QNet) -> list[Layer] | None:
    """From observations to raw numbers: an encoder, hidden layers, and the last one; None if there are others."""
    kind = OnPlanes if sees_planes(network) else OnVectors
    *between, last = network.q_net
    hidden = activated(between)
    if hidden is None or type(last) not in (nn.Linear, NoisyLinear, Duel):
        return None
    if type(network.features_extractor) is FlattenExtractor and hidden:
        (first, norm), *hidden = hidden
        layers: list[Layer] | None = dense_layers(first, norm, None, kind)
    else:
        layers = encoder_layers(network.features_extractor, network.observation_space.shape or (), kind)
    if layers is None:
        return None
    for module, norm in hidden:
        layers += dense_layers(module, norm, layers[-1].width)
    return [*layers, _decision(last, layers[-1].width)]


def _decision(last: Any, width: int) -> Dense:
    """The last layer; values beside advantages, each of which reads its half."""
    if isinstance(last, nn.Linear):
        return Dense(1, width, filled_up(last.out_features), [Place(last)], relu=False)
    advantages = last.advantage.out_features
    places = [Place(last.advantage), Place(last.value, 0, last.advantage.in_features, advantages)]
    return Dense(1, width, filled_up(advantages + last.value.out_features), places, relu=False)
