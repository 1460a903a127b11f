"""Fully connected layers as loops in plain Python, compiled like a game's rules.

PyTorch's matrix products are a little faster, but each is a call that takes the interpreter lock, and threads that learn
side by side wait for each other there. These loops take four samples and four inputs at a time, so that a number that was
read serves several multiplications, and run innermost along a row, which the compiler turns into vectors.

Matrices are float32, and all sizes but G multiples of `TILE`. A layer is G layers of equal size side by side, each with
inputs of its own: N samples are (N, G, I) or (N, G, O), weights (G, I, O). `first` and `last` count pieces or tiles, and
whoever computes some of them needs nothing from others. No two arguments may share memory.
"""

from __future__ import annotations

import numpy as np

TILE = 4
ROWS = 16  # of a piece of a product, whose numbers stay in the nearest cache
SAMPLES, STRIP = 32, 64  # samples and inputs of a piece of the weights' change


def dense_forward(x, weights, bias, out, first, last):
    """out (N, G, O) = x (N, G, I) @ weights (G, I, O) + bias (G, O), for pieces of `ROWS` samples."""
    for piece in range(first, last):
        _spread(bias, out, piece)
        _add_product(x, weights, out, piece)
    return 0


def dense_forward_relu(x, weights, bias, out, first, last):
    """The same, and what is below zero becomes zero."""
    zero = np.float32(0)
    for piece in range(first, last):
        _spread(bias, out, piece)
        _add_product(x, weights, out, piece)
        for r in range(ROWS * piece, min(ROWS * piece + ROWS, out.shape[0])):
            for g in range(out.shape[1]):
                for j in range(out.shape[2]):
                    out[r, g, j] = zero if out[r, g, j] < zero else out[r, g, j]  # what is not a number stays so
    return 0


def dense_backward_inputs(slope, weights, x, x_slope, first, last):
    """x_slope (N, G, I) = slope (N, G, O) @ weights (G, O, I) where x, which came out of a ReLU, is above zero; else 0.

    For pieces of `ROWS` samples.
    """
    zero = np.float32(0)
    for piece in range(first, last):
        for r in range(ROWS * piece, min(ROWS * piece + ROWS, x_slope.shape[0])):
            for g in range(x_slope.shape[1]):
                for j in range(x_slope.shape[2]):
                    x_slope[r, g, j] = zero
        _add_product(slope, weights, x_slope, piece)
        for r in range(ROWS * piece, min(ROWS * piece + ROWS, x_slope.shape[0])):
            for g in range(x_slope.shape[1]):
                for j in range(x_slope.shape[2]):
                    x_slope[r, g, j] = x_slope[r, g, j] if x[r, g, j] > zero else zero
    return 0


def dense_backward_weights(slope, x, change, bias_change, first, last):
    """change (G, O, I) = slope (N, G, O)^T @ x (N, G, I) and bias_change (G, O) = the sums of slope, for tiles of G * O."""
    tiles = change.shape[1] // TILE
    for tile in range(first, last):
        g, o = tile // tiles, TILE * (tile % tiles)
        _sum_slopes(slope, bias_change, g, o)
        for r in range(o, o + TILE):
            for j in range(change.shape[2]):
                change[g, r, j] = 0
    for left in range(0, change.shape[2], STRIP):
        right = min(left + STRIP, change.shape[2])
        for start in range(0, slope.shape[0], SAMPLES):
            for tile in range(first, last):
                g, o = tile // tiles, TILE * (tile % tiles)
                for i in range(start, min(start + SAMPLES, slope.shape[0]), TILE):
                    _add_samples(slope, x, change, g, o, i, left, right)
    return 0


def _spread(bias, out, piece):
    """The piece's rows become the bias."""
    for r in range(ROWS * piece, min(ROWS * piece + ROWS, out.shape[0])):
        for g in range(out.shape[1]):
            for j in range(out.shape[2]):
                out[r, g, j] = bias[g, j]


def _add_product(x, weights, out, piece):
    """out (N, G, O) += x (N, G, I) @ weights (G, I, O), for the piece's rows."""
    for g in range(out.shape[1]):
        for k in range(0, x.shape[2], TILE):
            for i in range(ROWS * piece, min(ROWS * piece + ROWS, out.shape[0]), TILE):
                _add_tile(x, weights, out, g, i, k)


def _add_tile(x, weights, out, g, i, k):
    """What inputs k .. k+3 add to rows i .. i+3 of group g."""
    a0, a1, a2, a3 = x[i, g, k], x[i, g, k + 1], x[i, g, k + 2], x[i, g, k + 3]
    b0, b1, b2, b3 = x[i + 1, g, k], x[i + 1, g, k + 1], x[i + 1, g, k + 2], x[i + 1, g, k + 3]
    c0, c1, c2, c3 = x[i + 2, g, k], x[i + 2, g, k + 1], x[i + 2, g, k + 2], x[i + 2, g, k + 3]
    d0, d1, d2, d3 = x[i + 3, g, k], x[i + 3, g, k + 1], x[i + 3, g, k + 2], x[i + 3, g, k + 3]
    for j in range(out.shape[2]):
        w0, w1, w2, w3 = weights[g, k, j], weights[g, k + 1, j], weights[g, k + 2, j], weights[g, k + 3, j]
        out[i, g, j] += a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
        out[i + 1, g, j] += b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
        out[i + 2, g, j] += c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3
        out[i + 3, g, j] += d0 * w0 + d1 * w1 + d2 * w2 + d3 * w3


def _sum_slopes(slope, bias_change, g, o):
    """Of outputs o .. o+3 of group g."""
    for r in range(o, o + TILE):
        bias_change[g, r] = 0
    for i in range(slope.shape[0]):
        for r in range(o, o + TILE):
            bias_change[g, r] += slope[i, g, r]


def _add_samples(slope, x, change, g, o, i, left, right):
    """What samples i .. i+3 add to the changes of outputs o .. o+3 of group g by inputs left .. right-1."""
    a0, a1, a2, a3 = slope[i, g, o], slope[i + 1, g, o], slope[i + 2, g, o], slope[i + 3, g, o]
    b0, b1, b2, b3 = slope[i, g, o + 1], slope[i + 1, g, o + 1], slope[i + 2, g, o + 1], slope[i + 3, g, o + 1]
    c0, c1, c2, c3 = slope[i, g, o + 2], slope[i + 1, g, o + 2], slope[i + 2, g, o + 2], slope[i + 3, g, o + 2]
    d0, d1, d2, d3 = slope[i, g, o + 3], slope[i + 1, g, o + 3], slope[i + 2, g, o + 3], slope[i + 3, g, o + 3]
    for j in range(np.uint64(left), np.uint64(right)):  # unsigned, so that no index can count from the end
        x0, x1, x2, x3 = x[i, g, j], x[i + 1, g, j], x[i + 2, g, j], x[i + 3, g, j]
        change[g, o, j] += a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
        change[g, o + 1, j] += b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
        change[g, o + 2, j] += c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
        change[g, o + 3, j] += d0 * x0 + d1 * x1 + d2 * x2 + d3 * x3
