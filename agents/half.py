"""Gradients of fully connected layers as loops in plain Python, in half precision: `dense`, with products of bfloat16.

What comes and goes is float32, and so are the sums: numbers, slopes and weights are rounded on their way into a product.
Layers decide in single precision: what is rounded on the way back is noise in a gradient that has far more of it, but a
rounded decision is another function, with another gradient.

Pairs (see `envs.bfloat16`) lie along the axis over which is summed. No two arguments may share memory.
"""

from __future__ import annotations

import numpy as np

from ..envs.bfloat16 import add_products, pair_of
from .dense import ROWS, SAMPLES, STRIP, TILE, clear, keep_above_zero, product_with, sum_slopes

add_product = product_with(add_products)


def half_backward_inputs(slope, weights, x, pairs, x_slope, first, last):
    """x_slope (N, G, I) = slope (N, G, O) @ weights (G, O / 2, I) where x, which came out of a ReLU, is above zero; else 0.

    For pieces of `ROWS` samples; pairs (N, G, O / 2) are scratch. The weights' rows may be longer than I.
    """
    for piece in range(first, last):
        clear(x_slope, piece)
        _pair_up(slope, pairs, piece)
        add_product(pairs, weights, x_slope, piece)
        keep_above_zero(x, x_slope, piece)
    return 0


def half_backward_weights(slopes, x, strips, change, first, last):
    """change (G, O, I) = slopes (N / 2, G, O)^T @ x (N, G, I), where slopes are pairs of two samples each.

    For strips of `STRIP` inputs; strips (S, SAMPLES / 2, STRIP), for x in pairs, are scratch.
    """
    in_row = -(-change.shape[2] // STRIP)
    for strip in range(first, last):
        g, left = strip // in_row, strip % in_row * STRIP
        for o in range(change.shape[1]):
            for j in range(np.uint64(left), np.uint64(min(left + STRIP, change.shape[2]))):
                change[g, o, j] = 0
        for start in range(0, slopes.shape[0], SAMPLES // 2):
            if left + STRIP <= change.shape[2]:
                _add_samples(slopes, x, strips[strip], change, g, start, left, STRIP)
            else:
                _add_samples(slopes, x, strips[strip], change, g, start, left, change.shape[2] - left)
    return 0


def half_backward_bias(slope, bias_change, first, last):
    """bias_change (G, O) = the sums of slope (N, G, O), for tiles of G * O."""
    tiles = bias_change.shape[1] // TILE
    for tile in range(first, last):
        sum_slopes(slope, bias_change, tile // tiles, TILE * (tile % tiles))
    return 0


def pair_rows(x, pairs, first, last):
    """pairs (M / 2, W), of rows 2i and 2i + 1 of x (M, W); for pieces of `ROWS` rows of pairs. Those of x may be shorter."""
    for piece in range(first, last):
        for i in range(ROWS * piece, min(ROWS * piece + ROWS, pairs.shape[0])):
            for j in range(x.shape[1]):
                pairs[i, j] = pair_of(x[2 * i, j], x[2 * i + 1, j])
    return 0


def _pair_up(x, pairs, piece):
    """pairs (N, G, W / 2), of neighbours in x (N, G, W); for the piece's rows."""
    for r in range(ROWS * piece, min(ROWS * piece + ROWS, x.shape[0])):
        for g in range(x.shape[1]):
            for k in range(np.uint64(pairs.shape[2])):
                pairs[r, g, k] = pair_of(x[r, g, np.uint64(2) * k], x[r, g, np.uint64(2) * k + np.uint64(1)])


def _add_samples(slopes, x, strip, change, g, start, left, width):
    """What pairs start, ... of at most `SAMPLES` samples add to the changes by inputs left .. left+width-1 of group g."""
    left, width = np.uint64(left), np.uint64(width)
    count = min(np.uint64(SAMPLES // 2), np.uint64(slopes.shape[0] - start))
    start = np.uint64(start)
    for k in range(count):
        even = np.uint64(2) * (start + k)
        for j in range(width):
            strip[k, j] = pair_of(x[even, g, left + j], x[even + np.uint64(1), g, left + j])
    for o in range(np.uint64(0), np.uint64(change.shape[1]), np.uint64(TILE)):
        o1, o2, o3 = o + np.uint64(1), o + np.uint64(2), o + np.uint64(3)
        for k in range(count):
            i = start + k
            a, b, c, d = slopes[i, g, o], slopes[i, g, o1], slopes[i, g, o2], slopes[i, g, o3]
            for j in range(width):
                value = strip[k, j]
                change[g, o, left + j] = add_products(change[g, o, left + j], a, value)
                change[g, o1, left + j] = add_products(change[g, o1, left + j], b, value)
                change[g, o2, left + j] = add_products(change[g, o2, left + j], c, value)
                change[g, o3, left + j] = add_products(change[g, o3, left + j], d, value)
