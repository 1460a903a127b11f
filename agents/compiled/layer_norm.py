"""Layer normalisation (Ba et al. 2016) as loops in plain Python, compiled like a game's rules.

N samples are (N, G, W): G groups, each brought to mean 0 and variance 1 over its first w numbers; the rest is
padding and stays 0. All groups share gain and shift (2, w). Numbers are float32. No two arguments may share memory.
"""

from __future__ import annotations

import math

import numpy as np


def norm_forward(x, numbers, epsilon, relu, scaled, inverse, out, first, last):
    """out (N, G, W) = gain * scaled + shift, for samples first .. last-1; relu (1,): whether a ReLU follows.

    numbers (2, w) are gain and shift, epsilon (1,) is added to the variance; scaled (N, G, W), the normalised x, and inverse
    (N, G), 1 / its standard deviation, are stored for the gradients.
    """
    zero, width = np.float32(0), numbers.shape[1]
    for i in range(first, last):
        for g in range(x.shape[1]):
            mean, square = np.float32(0), np.float32(0)
            for j in range(width):
                mean += x[i, g, j]
            mean /= np.float32(width)
            for j in range(width):
                square += (x[i, g, j] - mean) * (x[i, g, j] - mean)
            inverse[i, g] = np.float32(1) / np.float32(math.sqrt(square / np.float32(width) + epsilon[0]))
            for j in range(width):
                scaled[i, g, j] = (x[i, g, j] - mean) * inverse[i, g]
                y = scaled[i, g, j] * numbers[0, j] + numbers[1, j]
                out[i, g, j] = zero if relu[0] and y < zero else y  # NaN stays NaN
    return 0


def norm_backward_inputs(grad, numbers, scaled, inverse, x_grad, first, last):
    """x_grad (N, G, W) from grad (N, G, W), which is 0 where the ReLU gave 0; for samples first .. last-1."""
    width = numbers.shape[1]
    for i in range(first, last):
        for g in range(grad.shape[1]):
            mean, along = np.float32(0), np.float32(0)
            for j in range(width):
                part = grad[i, g, j] * numbers[0, j]
                mean += part
                along += part * scaled[i, g, j]
            mean /= np.float32(width)
            along /= np.float32(width)
            for j in range(width):
                x_grad[i, g, j] = inverse[i, g] * (grad[i, g, j] * numbers[0, j] - mean - scaled[i, g, j] * along)
    return 0


def norm_backward_weights(grad, scaled, weights_grads, first, last):
    """weights_grads (P, 2, w) of gain and shift, of the P equal parts of the samples; for parts first .. last-1."""
    samples, width = -(-grad.shape[0] // weights_grads.shape[0]), weights_grads.shape[2]
    for p in range(first, last):
        for j in range(width):
            weights_grads[p, 0, j] = weights_grads[p, 1, j] = 0
        for i in range(p * samples, min((p + 1) * samples, grad.shape[0])):
            for g in range(grad.shape[1]):
                for j in range(width):
                    weights_grads[p, 0, j] += grad[i, g, j] * scaled[i, g, j]
                    weights_grads[p, 1, j] += grad[i, g, j]
    return 0
