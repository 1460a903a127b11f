"""From a PyTorch network to the layers of a compiled one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space
from torch import Tensor, nn

from .branches import Branches
from .convolution_layers import Convolution, PlanesConvolution
from .layers import Activation, Dense, Layer, Norm, OnPlanes, Place, padded
from .network import Planes, Vectors
from .repeated_layers import RepeatedPatches
from .trace import NotCompiled, Operation, trace

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")  # of a module
WIDE = 5000  # weights of a convolution over another's numbers from which on PyTorch's is as fast or faster
EVEN = 8  # of whose multiple a convolution's channels have to be for loops over them to be fast
Stage = Sequence[Operation]  # one operation, or one each of an actor and a critic that are computed side by side


def build(
    network: nn.Module, space: spaces.Space, forward: Callable[[Any], Any], normalizer: Any = None
) -> tuple[Planes | Vectors, list[Layer], list[int]]:
    """The layers of a network; raises NotCompiled if there are no loops for it.

    Args:
        space: of its observations.
        forward: computes its last layer, or several that are side by side in the compiled network's last numbers.
        normalizer: of observations, see `Vectors`.

    Returns:
        how its first layer reads observations, the layers, and how many numbers each of the last ones has.
    """
    inputs = inputs_of(space, normalizer)
    _check_modules(network)
    outs = trace(network, space.shape or (), forward)
    _check_shared(outs)
    layers = Builder(inputs).build([list(out.path) for out in outs])
    weights, known = list(network.parameters()), {name for layer in layers for name in layer.gradients}
    if known != {id(weight) for weight in weights}:
        raise NotCompiled("weights of which forward makes no use")
    return inputs, layers, [out.path[-1].module.out_features for out in outs]


def inputs_of(space: spaces.Space, normalizer: Any = None) -> Planes | Vectors:
    """How a first layer reads observations of this space; raises NotCompiled for those that there are no loops for."""
    if not isinstance(space, spaces.Box):
        raise NotCompiled(f"observations in a {type(space).__name__} space")
    if is_image_space(space):
        raise NotCompiled("image observations")
    size = int(np.prod(space.shape))
    if space.dtype == np.uint8 and normalizer is None:
        return Planes(size)
    if space.dtype in (np.float32, np.float64):
        return Vectors(size, normalizer)
    raise NotCompiled(f"observations of {space.dtype}")


def _check_modules(network: nn.Module) -> None:
    """Raises NotCompiled for weights and hooks that loops would not respect."""
    if any(getattr(module, kind) for module in network.modules() for kind in HOOKS):
        raise NotCompiled("a hook on a layer")
    for weight in network.parameters():
        if weight.dtype != torch.float32:
            raise NotCompiled(f"{str(weight.dtype).removeprefix('torch.')} parameters")
        if not weight.requires_grad:
            raise NotCompiled("frozen parameters")
        if not weight.is_contiguous():
            raise NotCompiled("parameters that are not contiguous")
        if weight._backward_hooks or weight._post_accumulate_grad_hooks:
            raise NotCompiled("a hook on a parameter")


def _check_shared(outs: Sequence[Any]) -> None:
    """Raises NotCompiled if operations share weights: of the same layer after paths have parted, or of two layers."""
    operations = {id(operation): operation for out in outs for operation in out.path if operation.module}.values()
    weights = [id(weight) for operation in operations for weight in operation.module.parameters()]
    if len({*weights}) < len(weights):
        raise NotCompiled("a layer that is used twice")


class Builder:
    """Makes layers of operations, one after the other.

    Attributes:
        width: of the last layer's numbers; groups: how many operations side by side gave them.
    """

    def __init__(self, inputs: Planes | Vectors) -> None:
        self.inputs, self.layers = inputs, list[Layer]()
        self.width, self.groups = inputs.width, 1

    def build(self, paths: list[list[Operation]]) -> list[Layer]:
        """Of paths that begin with the same operations and end in layers of their own."""
        stages = zip(*(path[:-1] for path in paths), strict=False)
        shared = len([*takewhile(lambda stage: all(op is stage[0] for op in stage), stages)])
        trunk, tails = paths[0][:shared], [path[shared:] for path in paths]
        kinds = [[op.kind for op in tail] for tail in tails]
        side_by_side = all(kind == kinds[0] and "norm" not in kind and "convolution" not in kind for kind in kinds)
        after = [tail[0] for tail in tails]
        if side_by_side:
            self.add(
                [[op] for op in trunk] + [[*stage] for stage in zip(*(tail[:-1] for tail in tails), strict=True)], after
            )
            self.add_last([tail[-1] for tail in tails])
        else:
            self.add([[op] for op in trunk], after)
            self.add_branches(tails)
        self.join_repeated_patches(paths[0][0].columns)
        return self.layers

    def join_repeated_patches(self, columns: Tensor) -> None:
        """The first layers become one where that may compute what recurs once; columns (C, H, W) of the planes' cells."""
        match self.layers:
            case [PlanesConvolution(relu=True) as first, Dense(groups=1) as last, *_]:
                norm = None
            case [PlanesConvolution(relu=False) as first, Norm(relu=True) as norm, Dense(groups=1) as last, *_]:
                if norm.numbers.shape[1] != first.module.out_channels:  # it is not of each place by itself
                    return
            case _:
                return
        if type(last) is Dense and first.module.out_channels % EVEN == 0:
            self.layers[: 3 if norm else 2] = [RepeatedPatches(first, norm, last, columns)]

    def add(self, stages: Sequence[Stage], after: Stage = ()) -> None:
        """Layers of these stages; a ReLU becomes part of the layer before it if a layer that reads weights comes next."""
        rest = list(stages)
        while rest:
            stage, following = rest.pop(0), [*rest, after] if after else rest
            relu = bool(rest) and rest[0][0].kind == "relu" and stage[0].module is not None
            reading = following[1] if len(following) > 1 else ()
            relu = relu and all(op.kind in ("linear", "convolution") for op in reading)
            if relu:
                rest.pop(0)
            layer = self.layer_of(stage, relu)
            self.layers.append(layer)
            self.width, self.groups = layer.width, len(stage)

    def layer_of(self, stage: Stage, relu: bool) -> Layer:
        operation = stage[0]
        if operation.kind == "linear":
            outputs = padded(max(op.module.out_features for op in stage))
            if self.groups == len(stage) > 1:
                places = [Place(op.module, op.columns, group=g) for g, op in enumerate(stage)]
                return Dense(len(stage), self.width // len(stage), outputs, places, relu)
            return self.dense(
                len(stage) * outputs, [Place(op.module, op.columns, 0, k * outputs) for k, op in enumerate(stage)], relu
            )
        if operation.kind == "convolution":
            return self.convolution(operation, relu)
        if not self.layers:
            raise NotCompiled("observations that go through an activation or a normalisation first")
        if operation.kind == "norm":
            return self.norm(operation, relu)
        return Activation(operation.kind, self.width)

    def dense(self, outputs: int, places: Sequence[Place], relu: bool) -> Dense:
        """One matrix over all that comes in."""
        if not self.layers and isinstance(self.inputs, Planes):
            return OnPlanes(self.width, outputs, places, relu)
        return Dense(1, self.width, outputs, places, relu, first=not self.layers)

    def convolution(self, operation: Operation, relu: bool) -> Layer:
        module, columns = operation.module, operation.columns
        if not self.layers:
            if isinstance(self.inputs, Vectors):
                raise NotCompiled("a convolution over real numbers")
            if module.stride != (1, 1) or any(p >= k for p, k in zip(module.padding, module.kernel_size, strict=True)):
                raise NotCompiled("a first convolution with a stride")
            return PlanesConvolution(module, columns, relu)
        if module.weight.numel() > WIDE:
            raise NotCompiled("a wide convolution after another")
        channels, rows, width = columns.shape
        across = self.width // (rows * width)
        lie = torch.arange(rows * width).view(rows, width) * across + torch.arange(channels)[:, None, None]
        if not torch.equal(columns, lie):
            raise NotCompiled("a convolution over permuted numbers")
        return Convolution(module, (rows, width, across), relu)

    def norm(self, operation: Operation, relu: bool) -> Norm:
        columns = operation.columns.flatten(0, -2) if operation.columns.dim() > 1 else operation.columns[None]
        groups, size = columns.shape
        lie = torch.arange(groups)[:, None] * (self.width // groups) + torch.arange(size)
        if not torch.equal(columns, lie):
            raise NotCompiled("a normalisation over permuted numbers")
        return Norm(operation.module, groups, self.width // groups, relu)

    def add_last(self, last: Stage) -> None:
        """The last layers as one matrix, each of which reads its own part or all."""
        outputs, places = 0, []
        for k, op in enumerate(last):
            offset = k * (self.width // self.groups) if self.groups > 1 else 0
            places.append(Place(op.module, op.columns + offset, 0, outputs))
            outputs += op.module.out_features
        self.layers.append(self.dense(padded(outputs), places, relu=False))

    def add_branches(self, tails: list[list[Operation]]) -> None:
        """Chains of different lengths or kinds, each up to its last layer."""
        chains, before = [], self.layers[:1]
        for tail in tails:
            part = Builder(self.inputs)
            part.layers, part.width = [*before], self.width
            part.add([[op] for op in tail[:-1]], tail[-1:])
            part.add_last(tail[-1:])
            chains.append(part.layers[len(before) :])
        sizes = [tail[-1].module.out_features for tail in tails]
        self.layers.append(Branches(chains, sizes, padded(sum(sizes))))
