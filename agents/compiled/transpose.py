"""Matrices with their axes swapped, as loops in plain Python, compiled like a game's rules.

Sixteen numbers are moved at a time, which the compiler turns into vectors; one by one takes twice as long. No two arguments
may share memory.
"""

from __future__ import annotations

import numpy as np

TILE = 4
SIDE = 16  # columns of a piece: a cache line, once they are rows


def transpose(x, place, out, first, last):
    """x (M, N) with its axes swapped, in out (G, N', M') from place (3,) on; for pieces of `SIDE` columns of x."""
    g, row, column = place[0], np.uint64(place[1]), np.uint64(place[2])
    for piece in range(first, last):
        transpose_columns(x, out[g], row, column, SIDE * piece, min(SIDE * piece + SIDE, x.shape[1]))
    return 0


def transpose_columns(x, out, row, column, left, right):
    """out (N', M')[row + j, column + i] = x (M, N)[i, j], for j from left to right-1. Row and column are unsigned."""
    height, width = x.shape[0] // TILE * TILE, left + (right - left) // TILE * TILE  # up to where tiles are whole
    for i in range(np.uint64(0), np.uint64(height), np.uint64(TILE)):
        for j in range(np.uint64(left), np.uint64(width), np.uint64(TILE)):
            _transpose_tile(x, out, i, j, row + j, column + i)
        for j in range(np.uint64(width), np.uint64(right)):
            for k in range(i, i + np.uint64(TILE)):
                out[row + j, column + k] = x[k, j]
    for i in range(np.uint64(height), np.uint64(x.shape[0])):
        for j in range(np.uint64(left), np.uint64(right)):
            out[row + j, column + i] = x[i, j]


def _transpose_tile(x, out, i, j, row, column):
    a0, a1, a2, a3 = x[i, j], x[i, j + 1], x[i, j + 2], x[i, j + 3]
    b0, b1, b2, b3 = x[i + 1, j], x[i + 1, j + 1], x[i + 1, j + 2], x[i + 1, j + 3]
    c0, c1, c2, c3 = x[i + 2, j], x[i + 2, j + 1], x[i + 2, j + 2], x[i + 2, j + 3]
    d0, d1, d2, d3 = x[i + 3, j], x[i + 3, j + 1], x[i + 3, j + 2], x[i + 3, j + 3]
    out[row, column], out[row, column + 1], out[row, column + 2], out[row, column + 3] = a0, b0, c0, d0
    out[row + 1, column], out[row + 1, column + 1], out[row + 1, column + 2], out[row + 1, column + 3] = a1, b1, c1, d1
    out[row + 2, column], out[row + 2, column + 1], out[row + 2, column + 2], out[row + 2, column + 3] = a2, b2, c2, d2
    out[row + 3, column], out[row + 3, column + 1], out[row + 3, column + 2], out[row + 3, column + 3] = a3, b3, c3, d3
