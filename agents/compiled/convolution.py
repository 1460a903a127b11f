"""Convolutions over float32 numbers as loops in plain Python, compiled like a game's rules.

For convolutions over planes, see `sparse_linear`. Images are (N, H, W, C), channels last, C a multiple of `TILE`. The loops
are for convolutions without padding: `pad` makes a copy with zeros around it. The grad by the inputs is itself such a
convolution: of the outputs' grads, padded, with zeros between them where there is a stride, by the kernel turned by half a
circle. Four places at a time share what is read of the kernel. No two arguments may share memory.
"""

from __future__ import annotations

import numpy as np

from .linear import STRIP, TILE


def pad(x, corner, out, first, last):
    """out (N, H', W', C') at corner + stride * (y, x) = x (N, H, W, C), for samples first .. last-1.

    corner (4,): the first row and column, and the strides. What else out holds stays as it is: zero. What does not fit
    into out is left away.
    """
    top, left, down, across = corner[0], corner[1], corner[2], corner[3]
    height, width = min(x.shape[1], out.shape[1] - top), min(x.shape[2], out.shape[2] - left)
    for n in range(first, last):
        for y in range(height):
            for z in range(width):
                for c in range(x.shape[3]):
                    out[n, top + y * down, left + z * across, c] = x[n, y, z, c]
    return 0


def crop(padded, corner, x, first, last):
    """x (N, H, W, C), as far as padded reaches, = padded (N, H', W', C') from corner (2,) on, for samples first .. last-1."""
    height, width = min(x.shape[1], padded.shape[1] - corner[0]), min(x.shape[2], padded.shape[2] - corner[1])
    for n in range(first, last):
        for y in range(height):
            for z in range(width):
                for c in range(x.shape[3]):
                    x[n, y, z, c] = padded[n, corner[0] + y, corner[1] + z, c]
    return 0


def crop_above_zero(padded, corner, numbers, x, first, last):
    """x as `crop` gives it where numbers (N, H, W, C), which came out of a ReLU, are above zero; else 0."""
    zero = np.float32(0)
    height, width = min(x.shape[1], padded.shape[1] - corner[0]), min(x.shape[2], padded.shape[2] - corner[1])
    for n in range(first, last):
        for y in range(height):
            for z in range(width):
                for c in range(x.shape[3]):
                    here = padded[n, corner[0] + y, corner[1] + z, c]
                    x[n, y, z, c] = here if numbers[n, y, z, c] > zero else zero
    return 0


def convolve(x, weights, bias, out, first, last):
    """out (N, H', W', O) of x (N, H, W, C), weights (h, w, C, O) and bias (1, O), for samples first .. last-1."""
    for n in range(first, last):
        _convolve(x, weights, bias, out, n)
    return 0


def convolve_relu(x, weights, bias, out, first, last):
    """As `convolve`, with a ReLU."""
    zero = np.float32(0)
    for n in range(first, last):
        _convolve(x, weights, bias, out, n)
        for y in range(out.shape[1]):
            for z in range(out.shape[2]):
                for o in range(out.shape[3]):
                    out[n, y, z, o] = zero if out[n, y, z, o] < zero else out[n, y, z, o]  # NaN stays NaN
    return 0


def _convolve(x, weights, bias, out, n):
    """For sample n."""
    places, outputs = out.shape[1] * out.shape[2], out.shape[3]
    whole = outputs // STRIP * STRIP
    for y in range(out.shape[1]):
        for z in range(out.shape[2]):
            for o in range(outputs):
                out[n, y, z, o] = bias[0, o]
    for p in range(0, places // TILE * TILE, TILE):
        for left in range(0, whole, STRIP):
            _add_four(x, weights, out, n, p, left, STRIP)
        _add_four(x, weights, out, n, p, whole, outputs - whole)
    for p in range(places // TILE * TILE, places):
        _add_one(x, weights, out, n, p, outputs)


def _add_four(x, weights, out, n, p, left, width):
    """What the kernel adds to outputs left .. left+width-1 of places p .. p+3 of sample n, counted along the rows."""
    n, p, left, width = np.uint64(n), np.uint64(p), np.uint64(left), np.uint64(width)  # no index counts from the end
    columns, down, across = _steps(x, weights, out)
    p1, p2, p3 = p + np.uint64(1), p + np.uint64(2), p + np.uint64(3)
    y0, y1, y2, y3 = p // columns, p1 // columns, p2 // columns, p3 // columns
    z0, z1, z2, z3 = p % columns, p1 % columns, p2 % columns, p3 % columns
    for a in range(np.uint64(weights.shape[0])):
        for b in range(np.uint64(weights.shape[1])):
            for c in range(np.uint64(weights.shape[2])):
                v0, v1 = x[n, y0 * down + a, z0 * across + b, c], x[n, y1 * down + a, z1 * across + b, c]
                v2, v3 = x[n, y2 * down + a, z2 * across + b, c], x[n, y3 * down + a, z3 * across + b, c]
                for o in range(left, left + width):
                    weight = weights[a, b, c, o]
                    out[n, y0, z0, o] += v0 * weight
                    out[n, y1, z1, o] += v1 * weight
                    out[n, y2, z2, o] += v2 * weight
                    out[n, y3, z3, o] += v3 * weight


def _add_one(x, weights, out, n, p, outputs):
    """What the kernel adds to all outputs of place p of sample n."""
    n, p = np.uint64(n), np.uint64(p)
    columns, down, across = _steps(x, weights, out)
    y, z = p // columns, p % columns
    for a in range(np.uint64(weights.shape[0])):
        for b in range(np.uint64(weights.shape[1])):
            for c in range(np.uint64(weights.shape[2])):
                value = x[n, y * down + a, z * across + b, c]
                for o in range(np.uint64(outputs)):
                    out[n, y, z, o] += value * weights[a, b, c, o]


def convolve_backward_weights(x, grad, weights_grad, bias_grad, first, last):
    """weights_grad (P, h, w, C, O) and bias_grad (P, O) of the P equal parts of the samples, for parts first .. last-1.

    From x (N, H, W, C) and grad (N, H', W', O), which is 0 where a ReLU gave 0.
    """
    samples = -(-grad.shape[0] // weights_grad.shape[0])
    for p in range(first, last):
        for o in range(grad.shape[3]):
            bias_grad[p, o] = 0
        for a in range(weights_grad.shape[1]):
            for b in range(weights_grad.shape[2]):
                for c in range(weights_grad.shape[3]):
                    for o in range(grad.shape[3]):
                        weights_grad[p, a, b, c, o] = 0
        for n in range(p * samples, min((p + 1) * samples, grad.shape[0])):
            for y in range(grad.shape[1]):
                for z in range(grad.shape[2]):
                    for o in range(grad.shape[3]):
                        bias_grad[p, o] += grad[n, y, z, o]
            for a in range(weights_grad.shape[1]):
                for b in range(weights_grad.shape[2]):
                    for c in range(0, weights_grad.shape[3], TILE):
                        _add_places(x, weights_grad[p], grad, n, a, b, c)
    return 0


def _add_places(x, weights, grad, n, a, b, c):
    """What all places of sample n add to the gradient of weights (h, w, C, O) at a, b, c .. c+3."""
    n, a, b, c = np.uint64(n), np.uint64(a), np.uint64(b), np.uint64(c)
    c1, c2, c3 = c + np.uint64(1), c + np.uint64(2), c + np.uint64(3)
    _, down, across = _steps(x, weights, grad)
    for y in range(np.uint64(grad.shape[1])):
        for z in range(np.uint64(grad.shape[2])):
            row, column = y * down + a, z * across + b
            v0, v1, v2, v3 = x[n, row, column, c], x[n, row, column, c1], x[n, row, column, c2], x[n, row, column, c3]
            for o in range(np.uint64(grad.shape[3])):
                g = grad[n, y, z, o]
                weights[a, b, c, o] += v0 * g
                weights[a, b, c1, o] += v1 * g
                weights[a, b, c2, o] += v2 * g
                weights[a, b, c3, o] += v3 * g


def _steps(x, weights, out):
    """Columns of the outputs, and the strides downwards and across: x is just as large as they need."""
    down = (x.shape[1] - weights.shape[0]) // max(out.shape[1] - 1, 1)
    across = (x.shape[2] - weights.shape[1]) // max(out.shape[2] - 1, 1)
    return np.uint64(out.shape[2]), np.uint64(max(down, 1)), np.uint64(max(across, 1))
