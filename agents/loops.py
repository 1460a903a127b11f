"""Loops over tensors in plain Python, compiled like a game's rules, where PyTorch would need many small operations."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..envs.compile_cpu import Buffer, compile_cpu
from ..envs.team import Team

NUMPY_TYPES = {
    torch.bool: "?",
    torch.uint8: "u1",
    torch.int32: "i4",
    torch.int64: "i8",
    torch.float32: "f4",
    torch.float64: "f8",
}


SHARED = 128  # units from which a loop is worth waking others


class Loop:
    """`function(*arrays, first, last)`, which returns 0, bound to contiguous CPU tensors that share no memory.

    Sizes but for the first axes are compiled in. The interpreter lock is free while it runs.

    Args:
        units: how many steps the whole loop has, which a crew may share in any order.
    """

    def __init__(self, function: Callable[..., int], *tensors: Tensor, units: int) -> None:
        self.units, self.tensors = units, tensors  # which live as long as this
        kinds = tuple((tensor.dtype, tuple(tensor.shape[1:])) for tensor in tensors)
        self.kernel, self.address = _compiled(function, kinds)
        words = [word for tensor in tensors for word in (tensor.data_ptr(), len(tensor))]
        self._table = (ctypes.c_int64 * len(words))(*words)
        self.table = ctypes.addressof(self._table)

    def __call__(self) -> None:
        self.kernel(self.table, 0, self.units)


class Crew:
    """Threads that share loops; what they compute does not depend on how many they are."""

    def __init__(self, num_threads: int) -> None:
        self._num_threads, self._team = num_threads, None

    def run(self, *loops: Loop) -> None:
        """One loop after the other; alone, if the first is short and the others likely are."""
        if self._num_threads == 1 or loops[0].units < SHARED:
            for loop in loops:
                loop()
            return
        for loop in loops:
            if self._team is None:
                self._team = Team(loop.kernel, loop.table, loop.units, self._num_threads)
            else:
                self._team.assign(loop.address, loop.table, loop.units)
            self._team.play()

    def close(self) -> None:
        """Send the threads home, until the next run."""
        if self._team is not None:
            self._team.close()
            self._team = None


@cache
def _compiled(loop: Callable[..., int], kinds: tuple[Any, ...]) -> tuple[Callable[[int, int, int], int], int]:
    """The loop as a function, and its address."""
    buffers = [Buffer(np.dtype(NUMPY_TYPES[dtype]), shape) for dtype, shape in kinds]
    kernel = compile_cpu("loop", loop, {}, buffers, loose=True)
    return kernel, ctypes.cast(kernel, ctypes.c_void_p).value  # type: ignore[arg-type,return-value]
