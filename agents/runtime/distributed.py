"""Several processes that learn one policy, each from games of its own; `torchrun -m ludus train ...` starts them.

Gradients are averaged in every minibatch, so that all weights stay the same. Whatever decides how training goes on (the
clock, a callback that says stop, how far the policy moved) is agreed upon, since one process that stops alone would leave
the others waiting.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist

# Optimizers import this, and it keeps the group that it finds for ever: its threads would outlive `leave_group`, and one
# that frees a tensor while Python ends aborts the process. So it is imported before there is a group.
import torch.distributed.nn
from torch import Tensor


class Group:
    """The processes of this training. All of them must call its methods, in the same order."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace float32 tensors by their means over the processes, in one message."""
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def add(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over the processes, in place."""
        dist.all_reduce(tensor)
        return tensor

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Give the first process's tensors to all."""
        for tensor in tensors:
            dist.broadcast(tensor.detach(), 0)

    def first(self, number: float) -> float:
        """The first process's number."""
        told = torch.tensor(number, dtype=torch.float64, device=self.device)
        dist.broadcast(told, 0)
        return float(told)

    def any(self, flag: bool) -> bool:
        """Whether it is true in any process."""
        told = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return bool(told)

    def gather(self, thing: Any) -> list[Any] | None:
        """What all processes gave, by rank, in the first; None in the others. Only plain data of this program."""
        things: list[Any] | None = [None] * self.size if self.rank == 0 else None
        dist.gather_object(thing, things)
        return things


def join_group(device: torch.device | str) -> Group | None:
    """The group that torchrun started this process in; None if it did not. CUDA devices talk by NCCL, others by gloo."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        return None
    device = torch.device(device)
    if not dist.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Group(device)


def leave_group() -> None:
    """Say goodbye; safe without a group."""
    if dist.is_initialized():
        dist.destroy_process_group()
