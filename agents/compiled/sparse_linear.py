"""Layers over planes as loops in plain Python, compiled like a game's rules.

Most cells are empty: a matrix product multiplies all the zeros, and these loops look at the others alone. (For what comes
out of a ReLU, which is zero as often as not, that was tried and does not pay.)

What a layer sees of N samples is (rows, planes, cells, counts): sample i is row rows[i] of planes (M, K) uint8, and the
counts[i] places in cells[i], of (N, K) int32, are those where it is not zero. Other numbers are float32. No two arguments
may share memory where one is written to.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .linear import ROWS
from .transpose import transpose_columns

STRIP = 64  # columns at most: what one thread takes of a weight matrix in `linear_backward`


def find_cells(rows, planes, cells, counts, first, last):
    """Note the places of the bytes that are not zero, in samples first .. last-1."""
    for i in range(first, last):
        row, n = rows[i], 0
        for k in range(planes.shape[1]):
            cells[i, n] = k  # written over by the next, unless this one counts: no branch to mispredict
            n += planes[row, k] != 0
        counts[i] = n
    return 0


def linear_forward(rows, planes, cells, counts, weights, bias, out, first, last):
    """out (N, H) = planes[rows] (N, K) @ weights (K, H) + bias (H,), for samples first .. last-1."""
    for i in range(first, last):
        _add_cells(rows, planes, cells, counts, weights, bias, out, i)
    return 0


def linear_forward_relu(rows, planes, cells, counts, weights, bias, out, first, last):
    """The same, and what is below zero becomes zero."""
    zero = np.float32(0)
    for i in range(first, last):
        _add_cells(rows, planes, cells, counts, weights, bias, out, i)
        for j in range(out.shape[1]):
            out[i, j] = zero if out[i, j] < zero else out[i, j]  # what is not a number stays so
    return 0


def _add_cells(rows, planes, cells, counts, weights, bias, out, i):
    """For sample i; four cells at a time, to load and store sums less often."""
    row, count = rows[i], counts[i]
    for j in range(out.shape[1]):
        out[i, j] = bias[j]
    for part in range(count // 4):
        m = 4 * part
        k0, k1, k2, k3 = cells[i, m], cells[i, m + 1], cells[i, m + 2], cells[i, m + 3]
        v0, v1 = np.float32(planes[row, k0]), np.float32(planes[row, k1])
        v2, v3 = np.float32(planes[row, k2]), np.float32(planes[row, k3])
        for j in range(out.shape[1]):
            out[i, j] += v0 * weights[k0, j] + v1 * weights[k1, j] + v2 * weights[k2, j] + v3 * weights[k3, j]
    for m in range(count - count % 4, count):
        k = cells[i, m]
        value = np.float32(planes[row, k])
        for j in range(out.shape[1]):
            out[i, j] += value * weights[k, j]


def linear_backward(rows, planes, cells, counts, grad, strips, change, bias_change, first, last):
    """change (H, K) = grad (N, H)^T @ planes[rows] (N, K) and bias_change (H,) = the sum of grad's rows.

    The sums are taken in strips (S, K, H / S), where they lie as they are needed; for strips first .. last-1.
    """
    width = strips.shape[2]
    for s in range(first, last):
        left = np.uint64(s * width)  # unsigned: else each index would be looked at, whether it counts from the end
        for j in range(width):
            bias_change[left + j] = 0
        for k in range(strips.shape[1]):
            for j in range(width):
                strips[s, k, j] = 0
        for i in range(grad.shape[0]):
            row = rows[i]
            for j in range(np.uint64(width)):
                bias_change[left + j] += grad[i, left + j]
            for m in range(counts[i]):
                k = cells[i, m]
                value = np.float32(planes[row, k])
                for j in range(np.uint64(width)):
                    strips[s, k, j] += value * grad[i, left + j]
        transpose_columns(strips[s], change, left, np.uint64(0), 0, width)
    return 0


# A convolution's weights are (C, h, w * O), turned by half a circle in h and w. Its outputs, with a border of h - 1 rows and
# w - 1 columns around them, are a grid in which each cell of the planes reaches h rows of w * O numbers that begin at the
# cell's own place: loops of one size that need not ask where the outputs end. Bias and grads are written and added up by
# whole rows of outputs, since of loops over a few channels the compiler makes slow ones that skip from place to place.


def convolution_forward(rows, planes, cells, counts, weights, bias, grids, out, first, last):
    """A convolution without padding and with steps of one, for pieces of `ROWS` samples.

    From planes (M, H * W * C), weights (1, C, h, w * O) and bias (1, (W' + 2w - 2) * O), the same for each place of a row,
    to out (N, H', W' * O); grids (N / ROWS, H' + 2h - 2, (W' + 2w - 2) * O) are scratch.
    """
    for piece in range(first, last):
        for i in range(ROWS * piece, min(ROWS * piece + ROWS, out.shape[0])):
            _convolve(rows, planes, cells, counts, weights[0], bias[0], grids[piece], i)
            _copy_inside(grids[piece], weights[0], out, i)
    return 0


def convolution_forward_relu(rows, planes, cells, counts, weights, bias, grids, out, first, last):
    """The same, and what is below zero becomes zero."""
    zero = np.float32(0)
    for piece in range(first, last):
        for i in range(ROWS * piece, min(ROWS * piece + ROWS, out.shape[0])):
            _convolve(rows, planes, cells, counts, weights[0], bias[0], grids[piece], i)
            _copy_inside(grids[piece], weights[0], out, i)
            for a in range(out.shape[1]):
                for j in range(out.shape[2]):
                    out[i, a, j] = zero if out[i, a, j] < zero else out[i, a, j]
    return 0


def _convolve(rows, planes, cells, counts, weights, bias, grid, i):
    """What sample i makes of the grid."""
    channels, width = weights.shape[0], np.uint64(weights.shape[2])
    columns, outputs = _places(planes, weights, grid)
    for a in range(grid.shape[0]):
        for j in range(np.uint64(grid.shape[1])):
            grid[a, j] = bias[j]
    for m in range(counts[i]):
        k = cells[i, m]
        value, c, place = np.float32(planes[rows[i], k]), k % channels, k // channels
        top, left = place // columns, np.uint64(place % columns * outputs)
        for a in range(weights.shape[1]):
            for j in range(width):
                grid[top + a, left + j] += value * weights[c, a, j]


def _copy_inside(grid, weights, out, i):
    """The grid without its border."""
    top, left = weights.shape[1] - 1, np.uint64((grid.shape[1] - out.shape[2]) // 2)
    for a in range(out.shape[1]):
        for j in range(np.uint64(out.shape[2])):
            out[i, a, j] = grid[top + a, left + j]


def convolution_backward(rows, planes, cells, counts, grad, grids, change, bias_change, first, last):
    """change (P, C, h, w * O) and bias_change (P, W' * O) of the P equal parts of the samples; for parts first .. last-1.

    grad (N, H', W' * O) is 0 where the ReLU gave 0; grids (P, ...) are scratch as above, and their borders 0.
    """
    for p in range(first, last):
        _change_part(rows, planes, cells, counts, grad, grids[p], change[p], bias_change[p], p, change.shape[0])
    return 0


def _change_part(rows, planes, cells, counts, grad, grid, change, bias_change, p, parts):
    """What the samples of part p, of so many, change."""
    channels, height, width = change.shape[0], change.shape[1], np.uint64(change.shape[2])
    samples, border = -(-grad.shape[0] // parts), np.uint64((grid.shape[1] - grad.shape[2]) // 2)
    columns, outputs = _places(planes, change, grid)
    for j in range(np.uint64(bias_change.shape[0])):
        bias_change[j] = 0
    for c in range(channels):
        for a in range(height):
            for j in range(width):
                change[c, a, j] = 0
    for i in range(p * samples, min((p + 1) * samples, grad.shape[0])):
        for a in range(grad.shape[1]):
            for j in range(np.uint64(grad.shape[2])):
                grid[height - 1 + a, border + j] = grad[i, a, j]
                bias_change[j] += grad[i, a, j]
        for m in range(counts[i]):
            k = cells[i, m]
            value, c, place = np.float32(planes[rows[i], k]), k % channels, k // channels
            top, left = place // columns, np.uint64(place % columns * outputs)
            for a in range(height):
                for j in range(width):
                    change[c, a, j] += value * grid[top + a, left + j]


def _places(planes, weights, grid):
    """W, how many cells a row of planes has, and O, how many numbers each place of the grid."""
    columns = planes.shape[1] // (weights.shape[0] * (grid.shape[0] - weights.shape[1] + 1))
    return columns, (grid.shape[1] - weights.shape[2]) // max(columns - 1, 1)


def strips_for(inputs: int, outputs: int) -> Tensor:
    """Scratch (S, K, H / S) for `linear_backward`."""
    width = max(size for size in range(1, STRIP + 1) if outputs % size == 0)
    return torch.zeros(outputs // width, inputs, width)
