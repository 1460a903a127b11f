"""Fully connected layers as loops in plain Python, compiled like a game's rules.

PyTorch's matrix products are a little faster, but each is a call that takes the interpreter lock, and threads that learn
side by side wait for each other there. These loops take several samples and several inputs at a time, so that a number that
was read serves several multiplications, and run innermost along a row, which the compiler turns into vectors.

All matrices are float32, and their sizes multiples of `TILE`. Rows are samples, but in weights; `first` and `last` count
tiles of rows, and whoever computes some of them needs nothing from others. No two arguments may share memory.
"""

from __future__ import annotations

import numpy as np

TILE = 4


def dense_forward(x, weights, bias, out, first, last):
    """out (N, O) = x (N, I) @ weights (I, O) + bias (O,), for few outputs."""
    for tile in range(first, last):
        i = 4 * tile
        _spread(bias, out, i)
        for part in range(x.shape[1] // 4):
            k = 4 * part
            a0, a1, a2, a3 = x[i, k], x[i, k + 1], x[i, k + 2], x[i, k + 3]
            b0, b1, b2, b3 = x[i + 1, k], x[i + 1, k + 1], x[i + 1, k + 2], x[i + 1, k + 3]
            c0, c1, c2, c3 = x[i + 2, k], x[i + 2, k + 1], x[i + 2, k + 2], x[i + 2, k + 3]
            d0, d1, d2, d3 = x[i + 3, k], x[i + 3, k + 1], x[i + 3, k + 2], x[i + 3, k + 3]
            for j in range(out.shape[1]):
                w0, w1, w2, w3 = weights[k, j], weights[k + 1, j], weights[k + 2, j], weights[k + 3, j]
                out[i, j] += a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
                out[i + 1, j] += b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
                out[i + 2, j] += c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3
                out[i + 3, j] += d0 * w0 + d1 * w1 + d2 * w2 + d3 * w3
    return 0


def dense_forward_relu(x, weights, bias, out, first, last):
    """The same for many outputs, and what is below zero becomes zero."""
    zero = np.float32(0)
    for tile in range(first, last):
        i = 4 * tile
        _spread(bias, out, i)
        _add_product(x, weights, out, i)
        for r in range(i, i + 4):
            for j in range(out.shape[1]):
                out[r, j] = zero if out[r, j] < zero else out[r, j]  # what is not a number stays so
    return 0


def dense_backward_inputs(slope, weights, x, x_slope, first, last):
    """x_slope (N, I) = slope (N, O) @ weights (O, I) where x (N, I), which came out of a ReLU, is above zero; else 0."""
    zero = np.float32(0)
    for tile in range(first, last):
        i = 4 * tile
        for r in range(i, i + 4):
            for j in range(x_slope.shape[1]):
                x_slope[r, j] = zero
        _add_product(slope, weights, x_slope, i)
        for r in range(i, i + 4):
            for j in range(x_slope.shape[1]):
                x_slope[r, j] = x_slope[r, j] if x[r, j] > zero else zero
    return 0


def dense_backward_weights(slope, x, change, bias_change, first, last):
    """change (O, I) = slope (N, O)^T @ x (N, I) and bias_change (O,) = the sum of slope's rows, for tiles of outputs."""
    for o in range(4 * first, 4 * last):
        bias_change[o] = 0
        for j in range(change.shape[1]):
            change[o, j] = 0
    for start in range(0, slope.shape[0], 32):  # rows that stay in the nearest cache
        end = min(start + 32, slope.shape[0])
        for tile in range(first, last):
            o = 4 * tile
            for i in range(start, end, 2):
                a0, a1 = slope[i, o], slope[i + 1, o]
                b0, b1 = slope[i, o + 1], slope[i + 1, o + 1]
                c0, c1 = slope[i, o + 2], slope[i + 1, o + 2]
                d0, d1 = slope[i, o + 3], slope[i + 1, o + 3]
                bias_change[o] += a0 + a1
                bias_change[o + 1] += b0 + b1
                bias_change[o + 2] += c0 + c1
                bias_change[o + 3] += d0 + d1
                _add_two_rows(x, i, change, o, a0, a1, b0, b1, c0, c1, d0, d1)
    return 0


def _spread(bias, out, i):
    """Rows i .. i+3 of out (N, O) become bias (O,)."""
    for j in range(out.shape[1]):
        out[i, j] = out[i + 1, j] = out[i + 2, j] = out[i + 3, j] = bias[j]


def _add_product(x, weights, out, i):
    """out (N, O) += x (N, I) @ weights (I, O), for rows i .. i+3."""
    for pair in range(x.shape[1] // 2):
        k = 2 * pair
        a0, a1 = x[i, k], x[i, k + 1]
        b0, b1 = x[i + 1, k], x[i + 1, k + 1]
        c0, c1 = x[i + 2, k], x[i + 2, k + 1]
        d0, d1 = x[i + 3, k], x[i + 3, k + 1]
        _add_two_rows(weights, k, out, i, a0, a1, b0, b1, c0, c1, d0, d1)


def _add_two_rows(x, k, out, i, a0, a1, b0, b1, c0, c1, d0, d1):
    """Rows i .. i+3 of out each += rows k and k+1 of x, times two numbers."""
    for j in range(out.shape[1]):
        x0, x1 = x[k, j], x[k + 1, j]
        out[i, j] += a0 * x0 + a1 * x1
        out[i + 1, j] += b0 * x0 + b1 * x1
        out[i + 2, j] += c0 * x0 + c1 * x1
        out[i + 3, j] += d0 * x0 + d1 * x1
