"""A network on planes as loops that threads share: what it decides, and its gradients.

For networks of this size, PyTorch's operations are so short that most of the time goes by between them, and threads wait for
each other at the interpreter's lock. Here one minibatch is a dozen loops (`layers`), and every sum is taken in the same order
whoever computes it, so that results are the same to the last bit on any number of cores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..nn.encoders import MinAtarCnn, MlpEncoder
from ..nn.noisy import NoisyLinear
from .kernel import UNIT, Kernel, ThreadPool
from .layers import Convolution, Dense, Flow, Layer, Norm, OnPlanes, Place, looked_at, rows_of
from .linear import TILE
from .vectors import OnVectors, vectors_at


class CompiledNetwork:
    """What a network that consists of these layers makes of observations, and how that changes with its weights.

    Args:
        layers: from planes to the last layer's numbers.
        weights: of the network, in the order in which their gradients are wanted; none, if they never are.
        pool: who computes.
    """

    def __init__(self, layers: Sequence[Layer], weights: Sequence[Tensor], pool: ThreadPool) -> None:
        self.layers, self.pool = layers, pool
        found = {name: gradient for layer in layers for name, gradient in layer.gradients.items()}
        self.gradients = [found[id(weight)] for weight in weights]
        self._forwards: dict[int, Forward] = {}

    def read_weights(self) -> None:
        """Nothing is kept from the last time, since whoever owns the network may have changed its weights."""
        for layer in self.layers:
            layer.read()

    def forward(self, obs: Tensor) -> Tensor:
        """The last layer's numbers (B, W) for observations (B, *shape); they are written over at the next call."""
        forward = remembered(self._forwards, len(obs), lambda: Forward(self, torch.zeros_like(obs).flatten(1)))
        forward.planes.copy_(obs.flatten(1))
        self.pool.run(*forward.loops)
        return forward.out[: len(obs)]

    def forward_of(self, planes: Tensor) -> tuple[list[Kernel], Tensor]:
        """Loops from planes (N, K) in the caller's memory to the last layer's numbers (N', W)."""
        forward = Forward(self, planes)
        return forward.loops, forward.out

    def collect(self) -> None:
        """Bring the gradients to where they are looked for."""
        for layer in self.layers:
            layer.collect()


class Forward:
    """The loops from planes to the last layer's numbers, for one number of samples, and what they pass on to each other.

    Args:
        planes: (M, K) uint8 or, where the first layer is `OnVectors`, float, in memory of which the samples are rows.
        samples: how many; None: all rows, in order.
    """

    def __init__(self, owner: CompiledNetwork, planes: Tensor, samples: int | None = None) -> None:
        flow, self.loops = first_flow(planes, len(planes)) if samples is None else first_flow(planes, samples, UNIT)
        self.planes, self.rows, self.flows = planes, flow.numbers, [flow]
        if samples is None:
            torch.arange(len(planes), out=self.rows[: len(planes)])
        for layer in owner.layers:
            flow, loops = layer.forward(flow)
            self.flows.append(flow)
            self.loops += loops

    @property
    def out(self) -> Tensor:
        """(N, W), filled up to whole tiles of samples and of numbers."""
        return self.flows[-1].numbers


class Backward(Forward):
    """The same, and in `back` the loops from the grads of those numbers to the changes of weights.

    Attributes:
        grad: (N, W), to be written between the two.
    """

    def __init__(self, owner: CompiledNetwork, planes: Tensor, samples: int) -> None:
        super().__init__(owner, planes, samples)
        self.pool = owner.pool
        for flow in self.flows[1:]:
            flow.grad = rows_of(*flow.numbers.shape)
        self.grad: Tensor = self.flows[-1].grad  # type: ignore[assignment]
        self.back: list[Kernel] = []
        for layer, x, out in reversed([*zip(owner.layers, self.flows[:-1], self.flows[1:], strict=True)]):
            self.back += layer.backward(x, out)


def remembered(kept: dict[Any, Any], key: Any, make: Any) -> Any:
    """The loops for this key; only a few are kept, since they hold on to memory."""
    if key not in kept:
        if len(kept) >= 64:
            kept.clear()
        kept[key] = make()
    return kept[key]


def first_flow(planes: Tensor, samples: int, unit: int = TILE) -> tuple[Flow, list[Kernel]]:
    """What the first layer sees of (M, K), bytes or real numbers."""
    if planes.dtype == torch.uint8:
        return looked_at(planes, samples, unit)
    return vectors_at(planes, samples, filled_up(planes.shape[1]), unit)


def encoder_layers(encoder: nn.Module, shape: tuple[int, ...], first: Any = OnPlanes) -> list[Layer] | None:
    """From planes (H, W, C) to features, for an encoder of the kinds that there are loops for; None for others.

    `first` is the class of a fully connected layer that comes first.
    """
    if type(encoder) is MinAtarCnn and first is OnPlanes:
        found, hidden = activated(encoder.convolution), activated(encoder.layer)
        if not found or hidden is None:
            return None
        convolution, norm = found[0]
        layers: list[Layer] = [Convolution(convolution, shape, relu=norm is None)]  # type: ignore[arg-type]
        if norm is not None:
            layers.append(Norm(norm, layers[0].width // convolution.out_channels, convolution.out_channels))
    elif type(encoder) is MlpEncoder:
        hidden = activated(list(encoder.layers)[1:])
        if not hidden:
            return None
        (module, norm), *hidden = hidden
        layers = dense_layers(module, norm, None, first)
    else:
        return None
    for module, norm in hidden:
        layers += dense_layers(module, norm, layers[-1].width)
    return layers


def activated(modules: Iterable[nn.Module]) -> list[tuple[Any, Any]] | None:
    """Layers that a ReLU follows, each with the normalisation that may come between, or None; None for anything else."""
    found: list[tuple[Any, Any]] = []
    rest = list(modules)
    while rest:
        layer = rest.pop(0)
        norm = rest.pop(0) if rest and isinstance(rest[0], nn.LayerNorm) else None
        if type(layer) not in (nn.Linear, NoisyLinear, nn.Conv2d) or not rest or type(rest.pop(0)) is not nn.ReLU:
            return None
        found.append((layer, norm))
    return found


def dense_layers(module: nn.Linear, norm: Any, inputs: int | None, first: Any = OnPlanes) -> list[Layer]:
    """A fully connected layer after one of so many numbers, None if it is the `first`, and what normalises it."""
    outputs, places = filled_up(module.out_features), [Place(module)]
    if inputs is None and first is OnPlanes:
        layer: Layer = OnPlanes(module.in_features, outputs, places, relu=norm is None)
    elif inputs is None:
        layer = OnVectors(1, filled_up(module.in_features), outputs, places, relu=norm is None)
    else:
        layer = Dense(1, inputs, outputs, places, relu=norm is None)
    return [layer] if norm is None else [layer, Norm(norm, 1, outputs)]


def linear_layers(network: nn.Sequential) -> list[nn.Linear] | None:
    """Of a network in which a ReLU follows each; None if it is another."""
    found = activated(network)
    if found is None or any(norm is not None or type(layer) is not nn.Linear for layer, norm in found):
        return None
    return [layer for layer, _ in found]


def filled_up(size: int) -> int:
    """Processors take up to sixteen numbers at once."""
    return -(-size // 16) * 16


def is_hooked(network: nn.Module) -> bool:
    """Whether it has layers that tell others when PyTorch calls them."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, kind) for module in network.modules() for kind in kinds)


def all_of(layers: Sequence[Layer], weights: Sequence[Tensor]) -> bool:
    """Whether these weights are those of the layers, all learn, and are as loops take them."""
    own = {name for layer in layers for name in layer.gradients}
    plain = all(weight.dtype == torch.float32 and weight.is_contiguous() for weight in weights)
    return plain and own == {id(weight) for weight in weights} and all(weight.requires_grad for weight in weights)
