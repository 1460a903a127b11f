"""A network's layers as loops over one sample, with sizes left open: one WebAssembly module serves every network."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from ..envs.engine.compile_cpu import Buffer
from ..envs.engine.compile_wasm import Loop, compile_wasm


def dense(x, weights, bias, out, first, last):
    """`out` (O,) of `x` (I,), weights (I, O) and bias (O,)."""
    for o in range(out.shape[0]):
        out[o] = bias[o]
    for i in range(x.shape[0]):
        if x[i] != 0:  # most numbers are, in planes and after a ReLU
            for o in range(out.shape[0]):
                out[o] += x[i] * weights[i, o]
    return 0


def convolve(x, weights, bias, sizes, out, first, last):
    """A convolution over places, whose channels lie side by side.

    weights: (kernel rows * kernel columns * channels, O).
    sizes: rows, columns, numbers from one place to the next and channels of `x`; the same but channels of `out`; rows and
        columns of the kernel, of a stride and of padding.
    """
    rows, columns, across, channels = sizes[0], sizes[1], sizes[2], sizes[3]
    for row in range(sizes[4]):
        for column in range(sizes[5]):
            at = (row * sizes[5] + column) * sizes[6]
            for o in range(bias.shape[0]):
                out[at + o] = bias[o]
            for a in range(sizes[7]):
                for b in range(sizes[8]):
                    y, z = row * sizes[9] + a - sizes[11], column * sizes[10] + b - sizes[12]
                    if y < 0 or y >= rows or z < 0 or z >= columns:
                        continue
                    for c in range(channels):
                        number = x[(y * columns + z) * across + c]
                        if number != 0:
                            for o in range(bias.shape[0]):
                                out[at + o] += number * weights[(a * sizes[8] + b) * channels + c, o]
    return 0


def normalize(x, weights, bias, epsilon, sizes, out, first, last):
    """Layer normalisation; sizes: groups, numbers from one group to the next; `epsilon` (1,)."""
    count = weights.shape[0]
    for group in range(sizes[0]):
        at, mean, variance = group * sizes[1], 0.0, 0.0
        for k in range(count):
            mean += x[at + k] / count
        for k in range(count):
            variance += (x[at + k] - mean) ** 2 / count
        scale = 1 / math.sqrt(variance + epsilon[0])
        for k in range(count):
            out[at + k] = (x[at + k] - mean) * scale * weights[k] + bias[k]
    return 0


NUMBERS, MATRIX = Buffer(np.dtype(np.float32)), Buffer(np.dtype(np.float32), (None,))
SIZES = Buffer(np.dtype(np.int64))
LOOPS = {
    "dense": Loop(dense, {}, {"x": NUMBERS, "weights": MATRIX, "bias": NUMBERS, "out": NUMBERS}),
    "convolve": Loop(convolve, {}, {"x": NUMBERS, "weights": MATRIX, "bias": NUMBERS, "sizes": SIZES, "out": NUMBERS}),
    "normalize": Loop(
        normalize,
        {},
        {"x": NUMBERS, "weights": NUMBERS, "bias": NUMBERS, "epsilon": NUMBERS, "sizes": SIZES, "out": NUMBERS},
    ),
}


@cache
def network_module() -> bytes:
    """The module, the same for all networks; its tables have a buffer's address, its length and, of a matrix, its width."""
    return compile_wasm("network", LOOPS)
