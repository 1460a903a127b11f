"""An optimizer's state, such as Adam's moments: as tensors by name, and restored from them."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..files.safe_io import CheckpointError

MOST_STEPS = 2.0**62


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """By number of the weight and name, on the CPU; zeros where the optimizer has not begun."""
    tensors = {}
    for number, weight, slots in _weights(optimizer):
        for name, example in slots.items():
            value = optimizer.state[weight].get(name) if weight in optimizer.state else None
            kept = _blank(weight, example) if value is None else torch.as_tensor(value)
            tensors[f"{number}.{name}"] = kept.detach().cpu().contiguous()
    return tensors


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave; raises CheckpointError for a number of steps that no optimizer has taken."""
    for name, tensor in tensors.items():
        if name.endswith(".step") and not 0 <= float(tensor) <= MOST_STEPS:
            raise CheckpointError(f"the optimizer's {name} is {float(tensor):g}, expected 0 to {MOST_STEPS:g}")
    state = optimizer.state_dict()
    state["state"] = {
        number: {name: _as(example, tensors[f"{number}.{name}"]) for name, example in slots.items()}
        for number, _, slots in _weights(optimizer)
        if slots
    }
    optimizer.load_state_dict(state)


def _weights(optimizer: Optimizer) -> Iterator[tuple[int, Tensor, dict[str, Any]]]:
    """The weights in the optimizer's own order, each with its number and examples of its state, by name."""
    number = 0
    for group in optimizer.param_groups:
        examples = _try(optimizer, group) if group["params"] else {}
        for weight in group["params"]:
            yield number, weight, examples
            number += 1


def _try(optimizer: Optimizer, group: Mapping[str, Any]) -> dict[str, Any]:
    """The optimizer's state of a weight (2, 2) after one step; empty where that cannot be seen."""
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    weight.grad = torch.zeros(2, 2)
    options = {**group, "params": [weight], "lr": 0.0, **({"capturable": False} if "capturable" in group else {})}
    try:
        twin = copy.copy(optimizer)
        twin.state, twin.param_groups = defaultdict(dict), []
        twin.add_param_group(options)
        _begin(optimizer, group, twin, weight)
        twin.step()
    except Exception:  # of an optimizer of the user's, anything
        return {}
    known = twin.state[weight].items()
    return {name: x for name, x in known if isinstance(x, (int, float)) or getattr(x, "shape", None) in ((), (2, 2))}


def _begin(optimizer: Optimizer, group: Mapping[str, Any], twin: Optimizer, weight: Tensor) -> None:
    """Some optimizers, such as Adagrad, make their state before the first step."""
    first = group["params"][0]
    for name, x in optimizer.state.get(first, {}).items():
        like = isinstance(x, Tensor) and x.shape == first.shape
        twin.state[weight][name] = torch.zeros(2, 2) if like else copy.deepcopy(x)


def _blank(weight: Tensor, example: Any) -> Tensor:
    """What an optimizer begins with."""
    if not isinstance(example, Tensor):
        return torch.zeros((), dtype=torch.float64 if isinstance(example, float) else torch.int64)
    return torch.zeros_like(weight) if example.ndim else torch.zeros((), dtype=example.dtype)


def _as(example: Any, tensor: Tensor) -> Any:
    return tensor if isinstance(example, Tensor) else type(example)(tensor.item())
