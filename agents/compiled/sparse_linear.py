"""Layers over planes as loops in plain Python, compiled like a game's rules.

Most cells are empty: a matrix product multiplies all the zeros, and these loops read the other cells alone. (For what comes
out of a ReLU, which is zero as often as not, that was tried and does not pay.)

A layer reads N samples as (rows, planes, cells, counts): sample i is row rows[i] of planes (M, K) uint8, and cells[i], of
(N, K) int32, begins with the counts[i] cells that are not zero. Other numbers are float32. No two arguments may share memory
where one is written to.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .linear import ROWS
from .transpose import transpose_columns

BLOCK = 64  # outputs at most: what one thread takes of a weight matrix in `linear_backward`


def find_cells(rows, planes, cells, counts, first, last):
    """Write down which bytes are not zero, in samples first .. last-1."""
    for i in range(first, last):
        row, n = rows[i], 0
        for k in range(planes.shape[1]):
            cells[i, n] = k  # written over by the next, unless this one counts: no branch to mispredict
            n += planes[row, k] != 0
        counts[i] = n
    return 0


def linear_forward(rows, planes, cells, counts, weights, bias, relu, out, first, last):
    """out (N, H) = planes[rows] (N, K) @ weights (K, H) + bias (H,), for samples first .. last-1.

    relu (1,): whether a ReLU follows.
    """
    zero = np.float32(0)
    for i in range(first, last):
        _add_cells(rows, planes, cells, counts, weights, bias, out, i)
        if relu[0]:
            for j in range(out.shape[1]):
                out[i, j] = zero if out[i, j] < zero else out[i, j]  # NaN stays NaN
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


def linear_backward(rows, planes, cells, counts, grad, blocks, weights_grad, bias_grad, first, last):
    """weights_grad (H, K) = grad (N, H)^T @ planes[rows] (N, K) and bias_grad (H,) = the sum of grad's rows.

    The sums are taken in blocks (S, K, H / S) of outputs, whose numbers lie side by side; for blocks first .. last-1.
    """
    width = blocks.shape[2]
    for s in range(first, last):
        left = np.uint64(s * width)  # unsigned: else each index would be checked for counting from the end
        for j in range(width):
            bias_grad[left + j] = 0
        for k in range(blocks.shape[1]):
            for j in range(width):
                blocks[s, k, j] = 0
        for i in range(grad.shape[0]):
            row = rows[i]
            for j in range(np.uint64(width)):
                bias_grad[left + j] += grad[i, left + j]
            for m in range(counts[i]):
                k = cells[i, m]
                value = np.float32(planes[row, k])
                for j in range(np.uint64(width)):
                    blocks[s, k, j] += value * grad[i, left + j]
        transpose_columns(blocks[s], weights_grad, left, np.uint64(0), 0, width)
    return 0


# A convolution's weights are (C, h, w * O), turned by half a circle in h and w. Its outputs, with a border around them, are a
# grid of H + h - 1 rows and W + w - 1 columns in which each cell of the planes reaches h rows of w * O numbers that begin at
# the cell's own place: loops of one size that need not ask where the outputs end. Bias and grads are written and added up by
# whole rows of outputs, since of loops over a few channels the compiler makes slow ones that skip from place to place.
# `places` (K, 3) holds the channel of each cell, and the row and column of the grid from which on it reaches.


def convolution_forward(rows, planes, cells, counts, places, weights, bias, relu, grids, out, first, last):
    """A convolution with steps of one and less padding than its size, for pieces of `ROWS` samples.

    From planes (M, K), weights (1, C, h, w * O) and bias (1, (W + w - 1) * O), the same for each place of a row, to out
    (N, H', W' * O); grids (N / ROWS, H + h - 1, (W + w - 1) * O) are scratch. relu (1,): whether a ReLU follows.
    """
    zero = np.float32(0)
    for piece in range(first, last):
        for i in range(ROWS * piece, min(ROWS * piece + ROWS, out.shape[0])):
            _convolve(rows, planes, cells, counts, places, weights[0], bias[0], grids[piece], i)
            _copy_inside(grids[piece], out, i)
            if relu[0]:
                for a in range(out.shape[1]):
                    for j in range(out.shape[2]):
                        out[i, a, j] = zero if out[i, a, j] < zero else out[i, a, j]
    return 0


def _convolve(rows, planes, cells, counts, places, weights, bias, grid, i):
    """The grid of sample i."""
    width = np.uint64(weights.shape[2])
    for a in range(grid.shape[0]):
        for j in range(np.uint64(grid.shape[1])):
            grid[a, j] = bias[j]
    for m in range(counts[i]):
        k = cells[i, m]
        value = np.float32(planes[rows[i], k])
        c, top, left = np.uint64(places[k, 0]), np.uint64(places[k, 1]), np.uint64(places[k, 2])
        for a in range(np.uint64(weights.shape[1])):
            for j in range(width):
                grid[top + a, left + j] += value * weights[c, a, j]


def _copy_inside(grid, out, i):
    """The grid without its border."""
    top, left = (grid.shape[0] - out.shape[1]) // 2, np.uint64((grid.shape[1] - out.shape[2]) // 2)
    for a in range(out.shape[1]):
        for j in range(np.uint64(out.shape[2])):
            out[i, a, j] = grid[top + a, left + j]


def convolution_backward(rows, planes, cells, counts, places, grad, grids, weights_grad, bias_grad, first, last):
    """weights_grad (P, C, h, w * O) and bias_grad (P, W' * O) of the P equal parts of the samples, for parts first .. last-1.

    grad (N, H', W' * O) is 0 where the ReLU gave 0; grids (P, ...) are scratch as above, and their borders 0.
    """
    for p in range(first, last):
        parts = weights_grad.shape[0]
        _add_part(rows, planes, cells, counts, places, grad, grids[p], weights_grad[p], bias_grad[p], p, parts)
    return 0


def _add_part(rows, planes, cells, counts, places, grad, grid, weights_grad, bias_grad, p, parts):
    """The gradients of part p, of so many."""
    height, width = np.uint64(weights_grad.shape[1]), np.uint64(weights_grad.shape[2])
    samples, border = -(-grad.shape[0] // parts), np.uint64((grid.shape[1] - grad.shape[2]) // 2)
    above = (grid.shape[0] - grad.shape[1]) // 2
    for j in range(np.uint64(bias_grad.shape[0])):
        bias_grad[j] = 0
    for c in range(weights_grad.shape[0]):
        for a in range(height):
            for j in range(width):
                weights_grad[c, a, j] = 0
    for i in range(p * samples, min((p + 1) * samples, grad.shape[0])):
        for a in range(grad.shape[1]):
            for j in range(np.uint64(grad.shape[2])):
                grid[above + a, border + j] = grad[i, a, j]
                bias_grad[j] += grad[i, a, j]
        for m in range(counts[i]):
            k = cells[i, m]
            value = np.float32(planes[rows[i], k])
            c, top, left = np.uint64(places[k, 0]), np.uint64(places[k, 1]), np.uint64(places[k, 2])
            for a in range(height):
                for j in range(width):
                    weights_grad[c, a, j] += value * grid[top + a, left + j]


def blocks_for(inputs: int, outputs: int) -> Tensor:
    """Scratch (S, K, H / S) for `linear_backward`."""
    width = max(size for size in range(1, BLOCK + 1) if outputs % size == 0)
    return torch.zeros(outputs // width, inputs, width)
