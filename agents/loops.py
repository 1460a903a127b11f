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

NUMPY_TYPES = {torch.uint8: "u1", torch.int32: "i4", torch.int64: "i8", torch.float32: "f4", torch.float64: "f8"}


def run(loop: Callable[..., int], *tensors: Tensor) -> None:
    """Run `loop(*arrays, first, last)` over contiguous CPU tensors, for all rows of the first of them.

    Sizes but for the first axes are compiled in. The interpreter lock is free meanwhile.
    """
    kinds = tuple((tensor.dtype, tuple(tensor.shape[1:])) for tensor in tensors)
    words = [word for tensor in tensors for word in (tensor.data_ptr(), len(tensor))]
    table = (ctypes.c_int64 * len(words))(*words)
    _compiled(loop, kinds)(ctypes.addressof(table), 0, len(tensors[0]))


@cache
def _compiled(loop: Callable[..., int], kinds: tuple[Any, ...]) -> Callable[[int, int, int], int]:
    return compile_cpu("loop", loop, {}, [Buffer(np.dtype(NUMPY_TYPES[dtype]), shape) for dtype, shape in kinds])
