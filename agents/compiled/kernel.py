"""Loops over tensors in plain Python, compiled like a game's rules, where PyTorch would need many small operations."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...envs.engine.compile_cpu import Buffer, compile_cpu
from ...envs.engine.thread_pool import Loop, LoopThreads
from ...envs.engine.threads import Turns, once
from ..runtime.hardware import threads_worth

NUMPY_TYPES = {
    torch.bool: "?",
    torch.uint8: "u1",
    torch.int32: "i4",
    torch.int64: "i8",
    torch.float32: "f4",
    torch.float64: "f8",
}

UNIT = 16  # samples: minibatches are filled up to whole units with samples that do not count
SHARED = 128  # units of work from which a loop is worth waking other threads
ROWS_PER_THREAD = 64  # of environments or samples; fewer are not worth another thread


class Kernel(Loop):
    """`function(*arrays, first, last)`, which returns 0, bound to CPU tensors that share no memory.

    They are contiguous but for the first axis, along which there may be gaps. Sizes but for the first axes are compiled
    in. The interpreter lock is free while it runs.

    Args:
        units: how many steps the whole loop has, which a pool may share in any order.

    Attributes:
        only_if: an array (1,) of bool; a pool leaves the loop out where that is false when its turn comes.
    """

    only_if: np.ndarray | None = None

    def __init__(self, function: Callable[..., int], *tensors: Tensor, units: int) -> None:
        kinds = tuple((tensor.dtype, tuple(tensor.shape[1:]), _row_of(tensor)) for tensor in tensors)
        words = [word for tensor in tensors for word in (tensor.data_ptr(), len(tensor))]
        table = (ctypes.c_int64 * len(words))(*words)
        super().__init__(_compiled(function, kinds), ctypes.addressof(table), units, table)
        self.tensors = tensors

    @property
    def wanted(self) -> bool:
        return self.only_if is None or bool(self.only_if[0])

    def __call__(self) -> None:
        self.kernel(self.table, 0, self.num_games)


class ThreadPool:
    """Threads that share loops; what they compute does not depend on how many they are."""

    def __init__(self, num_threads: int) -> None:
        self._num_threads, self._threads, self._turns = num_threads, None, Turns()

    @classmethod
    def for_rows(cls, num_threads: int, rows: int) -> ThreadPool:
        """As many threads as loops over so many rows are worth, `num_threads` at most."""
        return cls(threads_worth(num_threads, rows // ROWS_PER_THREAD))

    def run(self, *loops: Kernel) -> None:
        """One loop after the other; alone, if the first is short and the others likely are."""
        if self._num_threads == 1 or loops[0].num_games < SHARED:
            for loop in loops:
                if loop.wanted:
                    loop()
            return
        with self._turns:
            for loop in loops:
                if not loop.wanted:
                    continue
                if self._threads is None:
                    self._threads = LoopThreads(loop, self._num_threads)
                else:
                    self._threads.assign(loop)
                self._threads.play()

    def close(self) -> None:
        """Send the threads home, until the next run."""
        if self._threads is not None:
            self._threads.close()
            self._threads = None


@once
def _compiled(loop: Callable[..., int], kinds: tuple[Any, ...]) -> Callable[[int, int, int], int]:
    """The loop as a function."""
    buffers = [Buffer(np.dtype(NUMPY_TYPES[dtype]), shape, row=row) for dtype, shape, row in kinds]
    return compile_cpu("loop", loop, {}, buffers, loose=True)


def _row_of(tensor: Tensor) -> int | None:
    """The distance between neighbours on the first axis, where there are gaps between them."""
    if tensor.is_contiguous():
        return None
    assert tensor[0].is_contiguous(), f"a loop cannot read a tensor of shape {tensor.shape}, strides {tensor.stride()}"
    return tensor.stride(0)
