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


def linear_backward(rows, planes, cells, counts, slope, strips, change, bias_change, first, last):
    """change (H, K) = slope (N, H)^T @ planes[rows] (N, K) and bias_change (H,) = the sum of slope's rows.

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
        for i in range(slope.shape[0]):
            row = rows[i]
            for j in range(np.uint64(width)):
                bias_change[left + j] += slope[i, left + j]
            for m in range(counts[i]):
                k = cells[i, m]
                value = np.float32(planes[row, k])
                for j in range(np.uint64(width)):
                    strips[s, k, j] += value * slope[i, left + j]
        transpose_columns(strips[s], change, left, np.uint64(0), 0, width)
    return 0


# A convolution has weights (C, h, w * O), from right to left in w. So what a cell adds to a row of the outputs is one
# stretch of the weights, times the cell's value: those of a place between `_reach`'s answers.


def convolution_forward(rows, planes, cells, counts, weights, bias, out, first, last):
    """A convolution without padding and with steps of one, for samples first .. last-1.

    From planes (M, H * W * C), weights (C, h, w * O) and bias (1, O) to out (N, H', W' * O).
    """
    for i in range(first, last):
        _convolve(rows, planes, cells, counts, weights, bias, out, i)
    return 0


def convolution_forward_relu(rows, planes, cells, counts, weights, bias, out, first, last):
    """The same, and what is below zero becomes zero."""
    zero = np.float32(0)
    for i in range(first, last):
        _convolve(rows, planes, cells, counts, weights, bias, out, i)
        for a in range(out.shape[1]):
            for j in range(out.shape[2]):
                out[i, a, j] = zero if out[i, a, j] < zero else out[i, a, j]
    return 0


def _convolve(rows, planes, cells, counts, weights, bias, out, i):
    """Sample i."""
    outputs = bias.shape[1]
    height, across, columns = weights.shape[1], weights.shape[2] // outputs, out.shape[2] // outputs
    channels = planes.shape[1] // ((out.shape[1] + height - 1) * (columns + across - 1))
    for a in range(out.shape[1]):
        for b in range(columns):
            for o in range(np.uint64(outputs)):
                out[i, a, np.uint64(b * outputs) + o] = bias[0, o]
    for m in range(counts[i]):
        k = cells[i, m]
        value, c = np.float32(planes[rows[i], k]), k % channels
        row, left, start, size = _reach(k // channels, across, columns, outputs)
        for a in range(max(row - height + 1, 0), min(row + 1, out.shape[1])):
            for j in range(size):
                out[i, a, left + j] += value * weights[c, row - a, start + j]


def convolution_backward(rows, planes, cells, counts, slope, change, bias_change, first, last):
    """change (P, C, h, w * O) and bias_change (P, O) of the P equal parts of the samples; for parts first .. last-1.

    slope (N, H', W' * O) is 0 where the ReLU gave 0.
    """
    samples, outputs = -(-slope.shape[0] // change.shape[0]), bias_change.shape[1]
    channels, height, across = change.shape[1], change.shape[2], change.shape[3] // outputs
    columns = slope.shape[2] // outputs
    for p in range(first, last):
        for o in range(outputs):
            bias_change[p, o] = 0
        for c in range(channels):
            for a in range(height):
                for j in range(change.shape[3]):
                    change[p, c, a, j] = 0
        for i in range(p * samples, min((p + 1) * samples, slope.shape[0])):
            for a in range(slope.shape[1]):
                for b in range(columns):
                    for o in range(np.uint64(outputs)):
                        bias_change[p, o] += slope[i, a, np.uint64(b * outputs) + o]
            for m in range(counts[i]):
                k = cells[i, m]
                value, c = np.float32(planes[rows[i], k]), k % channels
                row, left, start, size = _reach(k // channels, across, columns, outputs)
                for a in range(max(row - height + 1, 0), min(row + 1, slope.shape[1])):
                    for j in range(size):
                        change[p, c, row - a, start + j] += value * slope[i, a, left + j]
    return 0


def _reach(place, across, columns, outputs):
    """A cell's row, and where a row of outputs and one of the weights begin that meet there, and how far they go.

    Unsigned: else each index would be looked at, whether it counts from the end.
    """
    row, column = place // (columns + across - 1), place % (columns + across - 1)
    leftmost = max(column - across + 1, 0)
    size = (min(column + 1, columns) - leftmost) * outputs
    start = (across - 1 - column + leftmost) * outputs
    return row, np.uint64(leftmost * outputs), np.uint64(start), np.uint64(size)


def strips_for(inputs: int, outputs: int) -> Tensor:
    """Scratch (S, K, H / S) for `linear_backward`."""
    width = max(size for size in range(1, STRIP + 1) if outputs % size == 0)
    return torch.zeros(outputs // width, inputs, width)
