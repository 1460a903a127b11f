"""Activations as loops in plain Python, compiled like a game's rules; a ReLU after a layer is part of the layer's own loop.

Samples are rows of float32 numbers (N, W). No two arguments may share memory.
"""

from __future__ import annotations

import numpy as np


def relu_forward(x, out, first, last):
    """out = max(0, x), for samples first .. last-1; NaN stays NaN."""
    zero = np.float32(0)
    for i in range(first, last):
        for j in range(x.shape[1]):
            out[i, j] = zero if x[i, j] < zero else x[i, j]
    return 0


def relu_backward(grad, x, out, x_grad, first, last):
    """x_grad = grad where x is above 0, else 0."""
    zero = np.float32(0)
    for i in range(first, last):
        for j in range(x.shape[1]):
            x_grad[i, j] = grad[i, j] if x[i, j] > zero else zero
    return 0


def tanh_forward(x, out, first, last):
    """out = tanh(x), for samples first .. last-1."""
    for i in range(first, last):
        for j in range(x.shape[1]):
            out[i, j] = tanh(x[i, j])
    return 0


def tanh_backward(grad, x, out, x_grad, first, last):
    """x_grad = grad * (1 - tanh(x)^2)."""
    for i in range(first, last):
        for j in range(x.shape[1]):
            x_grad[i, j] = grad[i, j] * (np.float32(1) - out[i, j] * out[i, j])
    return 0


def silu_forward(x, out, first, last):
    """out = x * sigmoid(x), for samples first .. last-1."""
    for i in range(first, last):
        for j in range(x.shape[1]):
            out[i, j] = x[i, j] * sigmoid(x[i, j])
    return 0


def silu_backward(grad, x, out, x_grad, first, last):
    """x_grad = grad * s * (1 + x * (1 - s)) with s = sigmoid(x)."""
    one = np.float32(1)
    for i in range(first, last):
        for j in range(x.shape[1]):
            s = sigmoid(x[i, j])
            x_grad[i, j] = grad[i, j] * s * (one + x[i, j] * (one - s))
    return 0


def sigmoid(x):
    half = np.float32(0.5)
    return np.float32(0) if x < np.float32(-15.8) else half + half * tanh(half * x)  # there it is below 2e-7


def tanh(x):
    """To a few units in the last place: the rational approximation of Eigen (`generic_fast_tanh_float`), which compilers turn
    into vectors, unlike the C library's function."""
    limit = np.float32(7.90531110763549805)  # from where on it is 1 in float32
    x = limit if x > limit else x
    x = -limit if x < -limit else x  # NaN stays NaN
    s = x * x
    p = np.float32(2.00018790482477e-13) - s * np.float32(2.76076847742355e-16)
    p = np.float32(-8.60467152213735e-11) + s * p
    p = np.float32(5.12229709037114e-08) + s * p
    p = np.float32(1.48572235717979e-05) + s * p
    p = np.float32(6.37261928875436e-04) + s * p
    p = np.float32(4.89352455891786e-03) + s * p
    q = np.float32(1.18534705686654e-04) + s * np.float32(1.19825839466702e-06)
    q = np.float32(2.26843463243900e-03) + s * q
    q = np.float32(4.89352518554385e-03) + s * q
    return x * p / q


ACTIVATIONS = {
    "relu": (relu_forward, relu_backward),
    "tanh": (tanh_forward, tanh_backward),
    "silu": (silu_forward, silu_backward),
}
