"""What a network does, found by running its own `forward` on tensors that record operations.

The modules alone do not tell what a user's `forward` does with them. Here it is called with a batch of two observations whose
numbers are their own positions: operations that move numbers (permute, flatten, ...) are run, so that where each number came
from can be read off; the operations that there are loops for are recorded; anything else ends the trace with a reason. What
comes through is proven to be a chain of those operations and of nothing else, whatever classes it is written in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..nn.frozen import FrozenEncoder, modules_outside
from ..nn.noisy import NoisyLinear
from ..nn.q_network import ChannelNorm, Duel
from .layers import padded

SECOND = 1 << 22  # added to the positions of the second observation of the batch; float32 holds integers up to 1 << 24

MOVES = {  # functions that move numbers or look at shapes, and change no number
    getattr(owner, name)
    for owner in (torch, Tensor)
    for name in (
        "flatten",
        "movedim",
        "permute",
        "reshape",
        "squeeze",
        "swapaxes",
        "tensor_split",
        "transpose",
        "unsqueeze",
    )
} | {
    getattr(Tensor, name)
    for name in ("contiguous", "dim", "float", "is_contiguous", "numel", "size", "unflatten", "view")
}
MOVES |= {getattr(Tensor, name).__get__ for name in ("shape", "ndim", "dtype", "device")} | {Tensor.__len__}
SPLITS = (torch.tensor_split, Tensor.tensor_split)
ACTIVATIONS = {
    **dict.fromkeys((F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), "relu"),
    **dict.fromkeys((torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_), "tanh"),
    F.silu: "silu",
}
LAYERS = (nn.Linear, NoisyLinear, nn.Conv2d, nn.LayerNorm, ChannelNorm)
KNOWN = (*LAYERS, Duel, nn.ReLU, nn.Tanh, nn.SiLU, nn.Flatten, nn.Identity, nn.Sequential, nn.ModuleList, nn.ModuleDict)


class NotCompiled(Exception):
    """There are no loops for a network; its text is the reason, a short phrase for users."""


@dataclass(eq=False)
class Operation:
    """One step of a chain.

    Attributes:
        kind: "linear", "convolution", "norm", "relu", "tanh" or "silu".
        columns: of each number that it reads, (F,), (C, H, W) or (..., F), its column in the row of numbers of a sample.
        module: the layer that owns its weights; None for activations.
        outputs: the columns of what it gives, of the shape that PyTorch gives it.
    """

    kind: str
    columns: Tensor
    outputs: Tensor
    module: Any = None


class Traced(Tensor):
    """Numbers of two samples during a trace: each is its column in the row of numbers that the last operation gave.

    Attributes:
        path: the operations so far.
        stale: [whether an operation in place has changed it], a list shared by all that may be views of the same memory.
        owners: which module each weight belongs to, by the weights' ids.
    """

    path: tuple[Operation, ...]
    stale: list[bool]
    owners: dict[int, nn.Module]

    @classmethod
    def of(cls, columns: Tensor, path: tuple[Operation, ...], owners: dict[int, nn.Module]) -> Traced:
        if columns.numel() >= SECOND:
            raise NotCompiled("observations of millions of numbers")
        traced: Traced = torch.stack([columns, columns + SECOND]).float().as_subclass(cls)  # type: ignore[assignment]
        traced.path, traced.stale, traced.owners = path, [False], owners
        return traced

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, x = kwargs or {}, args[0] if args else None
        if not isinstance(x, Traced) or x.stale[0] or any(isinstance(y, Traced) for y in (*args[1:], *kwargs.values())):
            raise NotCompiled(_name(func))
        if not torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
            raise NotCompiled("a forward without gradients, or in another precision")
        if func in MOVES:
            with torch._C.DisableTorchFunctionSubclass():
                moved = func(*args, **kwargs)
            if isinstance(moved, Tensor):
                return x.moved(moved)
            return tuple(map(x.moved, moved)) if func in SPLITS else moved
        if func in ACTIVATIONS:
            x.stale[0] = bool(kwargs.get("inplace")) or func.__name__.endswith("_")
            return x.after(ACTIVATIONS[func], x.columns())
        if func is F.linear:
            return x.linear(*args[1:], **kwargs)
        if func is F.conv2d:
            return x.convolution(*args[1:], **kwargs)
        if func is F.layer_norm:
            return x.layer_norm(*args[1:], **kwargs)
        raise NotCompiled(_name(func))

    def moved(self, numbers: Tensor) -> Traced:
        """The same numbers in another shape or order."""
        moved: Traced = numbers.as_subclass(Traced)  # type: ignore[assignment]
        moved.path, moved.stale, moved.owners = self.path, self.stale, self.owners
        return moved

    def columns(self) -> Tensor:
        """Of one sample's numbers; raises NotCompiled if the samples of the batch were mixed."""
        with torch._C.DisableTorchFunctionSubclass():
            pair = self.as_subclass(Tensor).to(torch.int64)
            if len(pair) != 2 or pair.dim() < 2 or not torch.equal(pair[1], pair[0] + SECOND):
                raise NotCompiled("operations across the batch")
            return pair[0]

    def after(self, kind: str, outputs: Tensor, module: Any = None) -> Traced:
        """What an operation gives of these numbers."""
        operation = Operation(kind, self.columns(), outputs, module)
        return Traced.of(outputs, (*self.path, operation), self.owners)

    def linear(self, weight: Tensor, bias: Tensor | None = None) -> Traced:
        module = self._owner(weight, bias)
        if self.columns().dim() != 1:
            raise NotCompiled("a fully connected layer over several axes")
        _check_sizes(self.columns().shape, weight.shape[1:])
        return self.after("linear", torch.arange(module.out_features), module)

    def convolution(
        self, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Traced:
        module, columns = self._owner(weight, bias), self.columns()
        given = stride, padding, dilation, groups
        if given != (module.stride, module.padding, (1, 1), 1) or isinstance(padding, str) or columns.dim() != 3:
            raise NotCompiled("a convolution with dilation, groups or named padding")
        _check_sizes(columns.shape[:1], weight.shape[1:2])
        height, width = (
            (size + 2 * p - k) // s + 1
            for size, p, k, s in zip(columns.shape[1:], padding, module.kernel_size, stride, strict=True)
        )
        if height < 1 or width < 1:
            raise NotCompiled("a convolution larger than what it reads")
        first = not any(operation.module for operation in self.path)
        channels = module.out_channels if first else padded(module.out_channels)
        places = torch.arange(height * width).view(height, width) * channels
        return self.after("convolution", torch.arange(module.out_channels)[:, None, None] + places, module)

    def layer_norm(self, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Traced:
        module = self._owner(weight, bias)
        if len(shape) != 1 or eps != module.eps:
            raise NotCompiled("a normalisation over several axes")
        _check_sizes(self.columns().shape[-1:], shape)
        return self.after("norm", self.columns(), module)

    def _owner(self, weight: Any, bias: Any) -> Any:
        """The module that these are the weights of."""
        module = self.owners.get(id(weight))
        if module is None:
            raise NotCompiled("a layer whose weights are computed" if weight is not None else "a layer without weights")
        if bias is None:
            raise NotCompiled("a layer without a bias")
        if module.weight is not weight or module.bias is not bias or type(module) not in LAYERS:
            raise NotCompiled("a layer of a class of the user's")
        if any(module is operation.module for operation in self.path):
            raise NotCompiled("a layer that is used twice")
        return module


def trace(network: nn.Module, shape: tuple[int, ...], forward: Callable[[Any], Any]) -> Any:
    """Call `forward` with a `Traced` of observations of this shape; raises NotCompiled.

    Args:
        forward: returns one `Traced` or several. It is run in training and in evaluation, and must do the same in both;
            but noisy layers are taken without their noise.
    """
    owners = {id(weight): module for module in network.modules() for weight in module.parameters(recurse=False)}
    modules = modules_outside(network, FrozenEncoder)  # which is done when the network begins
    for module in modules:
        if type(module).__module__.startswith("torch.") and not isinstance(module, KNOWN):
            raise NotCompiled(type(module).__name__)
    columns, found = torch.arange(int(torch.Size(shape).numel())).view(shape), []
    with _unchanged(network):
        for training in (True, False):
            network.train(training)
            for module in modules:
                module.training = training and not isinstance(module, NoisyLinear)
            found.append(_run(forward, Traced.of(columns, (), owners)))
    if _shape_of(found[0]) != _shape_of(found[1]):
        raise NotCompiled("a network that differs between training and evaluation")
    return found[0]


def _run(forward: Callable[[Any], Any], traced: Traced) -> tuple[Traced, ...]:
    try:
        with torch.enable_grad(), torch.autocast("cpu", enabled=False):
            out = forward(traced)
    except NotCompiled as error:
        raise NotCompiled(str(error)) from None
    except Exception as error:  # of a user's code, which may do anything with what it is given
        raise NotCompiled(f"custom features extractor ({type(error).__name__})") from error
    outs = out if isinstance(out, tuple) else (out,)
    for x in outs:
        if not isinstance(x, Traced) or x.stale[0] or not x.path or not torch.equal(x.columns(), x.path[-1].outputs):
            raise NotCompiled("custom features extractor")
        if x.path[-1].kind != "linear":
            raise NotCompiled("a network that does not end in a fully connected layer")
    return outs


def _check_sizes(given: Any, wanted: Any) -> None:
    """Raises NotCompiled where a layer does not fit what it reads: PyTorch, which is left then, says so in its own words."""
    if tuple(given) != tuple(wanted):
        raise NotCompiled("a layer that does not fit what it reads")


def _shape_of(outs: tuple[Traced, ...]) -> Any:
    """What can be compared of two traces."""
    return [[(op.kind, id(op.module), op.columns.tolist()) for op in out.path] for out in outs]


@contextmanager
def _unchanged(network: nn.Module) -> Iterator[None]:
    """Bring modules back to how they were; raises NotCompiled if attributes changed: a trace must have no effects."""
    before = [(module, dict(vars(module))) for module in network.modules()]
    changed = False
    try:
        yield
    finally:
        for module, attributes in before:
            module.training = attributes["training"]
            if list(map(id, vars(module).values())) != list(map(id, attributes.values())):
                changed = True
                vars(module).clear()
                vars(module).update(attributes)
    if changed:
        raise NotCompiled("a forward that stores what it computes")


def _name(func: Any) -> str:
    return f"custom features extractor ({getattr(func, '__name__', str(func)).strip('_')})"
