"""Patches of images, over which a convolution is a fully connected layer, as loops in plain Python.

Images are float32 (N, H * W, C), channels last, and patches (N, P, h * w, C) of the P places of the outputs. `places`
(P, h * w) holds the place in the image of each in a patch, or -1 where that is padding.
"""

from __future__ import annotations

import numpy as np


def unfold(x, places, patches, first, last):
    """patches = the image at places, for samples first .. last-1; padding stays as it is: zero."""
    for n in range(first, last):
        for p in range(places.shape[0]):
            for k in range(places.shape[1]):
                place = places[p, k]
                if place >= 0:
                    for c in range(x.shape[2]):
                        patches[n, p, k, c] = x[n, place, c]
    return 0


def fold(patches_grad, places, x, relu, x_grad, first, last):
    """x_grad (N, H * W, C) = the sums of patches' grads, for samples first .. last-1.

    relu (1,): whether x came out of a ReLU; then the grads are 0 where it is not above zero.
    """
    zero = np.float32(0)
    for n in range(first, last):
        for q in range(x_grad.shape[1]):
            for c in range(x_grad.shape[2]):
                x_grad[n, q, c] = zero
        for p in range(places.shape[0]):
            for k in range(places.shape[1]):
                place = places[p, k]
                if place >= 0:
                    for c in range(x_grad.shape[2]):
                        x_grad[n, place, c] += patches_grad[n, p, k, c]
        if relu[0]:
            for q in range(x_grad.shape[1]):
                for c in range(x_grad.shape[2]):
                    x_grad[n, q, c] = x_grad[n, q, c] if x[n, q, c] > zero else zero
    return 0
