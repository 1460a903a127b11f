"""Fully connected layers as loops in plain Python, compiled like a game's rules.

PyTorch's matrix products are as fast, but each is a call that takes the interpreter lock, and threads that learn side by
side wait for each other there. What these loops write at a time, four rows of `STRIP` numbers, the compiler turns into
vectors and, since its size is known when they are compiled, keeps in the processor's registers until all is added up.

Matrices are float32, N and O multiples of `TILE`. A layer is G layers of equal size side by side, each with inputs of its
own: N samples are (N, G, I) or (N, G, O), weights (G, I, O). `first` and `last` count pieces or tiles, and whoever computes
some of them needs nothing from others. No two arguments may share memory.
"""

from __future__ import annotations

import numpy as np
import torch

TILE = 4
STRIP = 64 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 16  # four rows take half of the registers
ROWS = 16  # of a piece of a product
SAMPLES = 128  # whose part of the weights' gradient is added up at a time


def dense_forward(x, weights, bias, relu, out, first, last):
    """out (N, G, O) = x (N, G, I) @ weights (G, I, O) + bias (G, O), for pieces of `ROWS` samples.

    relu (1,): whether a ReLU follows.
    """
    for piece in range(first, last):
        spread(bias, out, piece)
        add_product(x, weights, out, piece)
        if relu[0]:
            cut_below_zero(out, piece)
    return 0


def dense_backward_inputs(grad, weights, x, relu, x_grad, first, last):
    """x_grad (N, G, I) = grad (N, G, O) @ weights (G, O, I), for pieces of `ROWS` samples; weights' rows may be longer.

    relu (1,): whether x came out of a ReLU; then the grads are 0 where it is not above zero.
    """
    for piece in range(first, last):
        clear(x_grad, piece)
        add_product(grad, weights, x_grad, piece)
        if relu[0]:
            keep_above_zero(x, x_grad, piece)
    return 0


def dense_backward_weights(grad, x, weights_grad, bias_grad, first, last):
    """weights_grad (G, O, I) = grad (N, G, O)^T @ x (N, G, I) and bias_grad (G, O) = the sums of grad, for tiles of G * O."""
    tiles = weights_grad.shape[1] // TILE
    for tile in range(first, last):
        g, o = tile // tiles, TILE * (tile % tiles)
        sum_grads(grad, bias_grad, g, o)
        for r in range(o, o + TILE):
            for j in range(weights_grad.shape[2]):
                weights_grad[g, r, j] = 0
    whole = weights_grad.shape[2] // STRIP * STRIP
    for start in range(0, grad.shape[0], SAMPLES):
        stop = min(start + SAMPLES, grad.shape[0])
        for left in range(0, whole, STRIP):
            for tile in range(first, last):
                g, o = tile // tiles, TILE * (tile % tiles)
                add_samples(grad[:, g], x[:, g], weights_grad[g], o, start, stop, left, STRIP)
        for tile in range(first, last):
            g, o = tile // tiles, TILE * (tile % tiles)
            rest = weights_grad.shape[2] - whole
            add_samples(grad[:, g], x[:, g], weights_grad[g], o, start, stop, whole, rest)
    return 0


# Of pieces of `ROWS` samples, (N, G, W)


def spread(bias, out, piece):
    """The piece's rows become the bias."""
    for r in range(ROWS * piece, min(ROWS * piece + ROWS, out.shape[0])):
        for g in range(out.shape[1]):
            for j in range(out.shape[2]):
                out[r, g, j] = bias[g, j]


def clear(out, piece):
    """The piece's rows become zero."""
    for r in range(ROWS * piece, min(ROWS * piece + ROWS, out.shape[0])):
        for g in range(out.shape[1]):
            for j in range(out.shape[2]):
                out[r, g, j] = 0


def cut_below_zero(out, piece):
    """What is below zero becomes zero."""
    zero = np.float32(0)
    for r in range(ROWS * piece, min(ROWS * piece + ROWS, out.shape[0])):
        for g in range(out.shape[1]):
            for j in range(out.shape[2]):
                out[r, g, j] = zero if out[r, g, j] < zero else out[r, g, j]  # NaN stays NaN


def keep_above_zero(x, x_grad, piece):
    """Grads where x is not above zero become zero."""
    zero = np.float32(0)
    for r in range(ROWS * piece, min(ROWS * piece + ROWS, x_grad.shape[0])):
        for g in range(x_grad.shape[1]):
            for j in range(x_grad.shape[2]):
                x_grad[r, g, j] = x_grad[r, g, j] if x[r, g, j] > zero else zero


def add_product(x, weights, out, piece):
    """out (N, G, O) += x (N, G, I) @ weights (G, I, O), for the piece's rows."""
    whole = out.shape[2] // STRIP * STRIP
    for g in range(out.shape[1]):
        for left in range(0, whole, STRIP):
            for i in range(ROWS * piece, min(ROWS * piece + ROWS, out.shape[0]), TILE):
                add_inputs(x[:, g], weights[g], out[:, g], i, left, STRIP)
        for i in range(ROWS * piece, min(ROWS * piece + ROWS, out.shape[0]), TILE):
            add_inputs(x[:, g], weights[g], out[:, g], i, whole, out.shape[2] - whole)


def add_inputs(x, weights, out, i, left, width):
    """out (N, O) += x (N, I) @ weights (I, O), for rows i .. i+3 and outputs left .. left+width-1."""
    i, left, width = np.uint64(i), np.uint64(left), np.uint64(width)  # so that no index can count from the end
    i1, i2, i3 = i + np.uint64(1), i + np.uint64(2), i + np.uint64(3)
    for k in range(np.uint64(x.shape[1])):
        a, b, c, d = x[i, k], x[i1, k], x[i2, k], x[i3, k]
        for j in range(left, left + width):
            weight = weights[k, j]
            out[i, j] += a * weight
            out[i1, j] += b * weight
            out[i2, j] += c * weight
            out[i3, j] += d * weight


def sum_grads(grad, bias_grad, g, o):
    """Of outputs o .. o+3 of group g."""
    for r in range(o, o + TILE):
        bias_grad[g, r] = 0
    for i in range(grad.shape[0]):
        for r in range(o, o + TILE):
            bias_grad[g, r] += grad[i, g, r]


def add_samples(grad, x, weights_grad, o, start, stop, left, width):
    """weights_grad (O, I) += grad (N, O)^T @ x (N, I), of samples start .. stop-1, for outputs o .. o+3."""
    o, left, width = np.uint64(o), np.uint64(left), np.uint64(width)
    o1, o2, o3 = o + np.uint64(1), o + np.uint64(2), o + np.uint64(3)
    for i in range(np.uint64(start), np.uint64(stop)):
        a, b, c, d = grad[i, o], grad[i, o1], grad[i, o2], grad[i, o3]
        for j in range(left, left + width):
            value = x[i, j]
            weights_grad[o, j] += a * value
            weights_grad[o1, j] += b * value
            weights_grad[o2, j] += c * value
            weights_grad[o3, j] += d * value
