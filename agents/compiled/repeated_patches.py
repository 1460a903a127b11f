"""A convolution over planes and the layers up to the next fully connected one, computed once for patches that are equal.

What a convolution gives at a place depends on the patch that it sees there, and what this adds to the next layer on the patch
and the place. On a board most patches recur: of the 65,536 of a minibatch of 1,024 in Breakout, some 1,600 differ at their
place. So the patches at each place are put into groups of equal ones, and the products are taken per group: forwards, a
sample adds up one row of a table for each place; backwards, the grads of a group's samples are added up first. The sums are
those of the two layers by themselves, in another order.

Samples are (rows, planes, cells, counts), see `sparse_linear`, N of them at P places, where a patch has K cells and the
convolution C channels. There is room for G groups at each place: group g at place p is row p * G + g of (P * G, ...), and
what sample i has at place p is number p * N + i of (P * N,). No two arguments may share memory where one is written to.
"""

from __future__ import annotations

import numpy as np

from .layer_norm import norm_backward_inputs, norm_forward
from .linear import ROWS, STRIP, TILE, add_inputs

PAIR = 2 * TILE  # groups at a time, where numbers are few
MOST = 0.25  # groups for each patch: with more, products over samples take no longer


def hash_patches(rows, planes, cells, counts, positions, cell_keys, keys, images, sums, hashes, first, last):
    """hashes (P * N,) int64 of the samples' patches, for pieces of `ROWS` samples.

    A hash is the sum of a patch's cells times random numbers, of their channels and of their places in it, keys (1, h, w):
    two patches that differ have the same with a chance of about 2^-60. positions (K',) and cell_keys (K',) are those of each
    cell of the planes, in an image with a border of padding. images (N / ROWS, H * W) and sums (N, H', W') are scratch.
    """
    for piece in range(first, last):
        start, stop = ROWS * piece, min(ROWS * piece + ROWS, counts.shape[0])
        for i in range(start, stop):
            _add_channels(rows, planes, cells, counts, positions, cell_keys, images[piece], i)
            _add_windows(images[piece], keys[0], sums[i])
        for a in range(sums.shape[1]):
            for b in range(sums.shape[2]):
                here = (a * sums.shape[2] + b) * counts.shape[0]
                # Side by side: one by one, far apart, they would push each other out of the cache.
                for i in range(np.uint64(start), np.uint64(stop)):
                    hashes[np.uint64(here) + i] = sums[i, a, b]
    return 0


def _add_channels(rows, planes, cells, counts, positions, cell_keys, image, i):
    """image (H * W,) = the sum of sample i's channels, each times its key."""
    for j in range(image.shape[0]):
        image[j] = 0
    for m in range(counts[i]):
        k = np.uint64(cells[i, m])
        image[np.uint64(positions[k])] += np.int64(planes[rows[i], k]) * cell_keys[k]


def _add_windows(image, keys, sums):
    """sums (H', W') of the image's windows, each number times its place's key (h, w)."""
    width = np.uint64(sums.shape[1] + keys.shape[1] - 1)
    for a in range(np.uint64(sums.shape[0])):
        for b in range(np.uint64(sums.shape[1])):
            total = np.int64(0)
            for y in range(np.uint64(keys.shape[0])):
                for x in range(np.uint64(keys.shape[1])):
                    total += keys[y, x] * image[(a + y) * width + b + x]
            sums[a, b] = total


def group_patches(hashes, slots, groups, samples, sizes, first, last):
    """Put the patches at places first .. last-1 into groups of equal hashes, and write down each group's first sample.

    groups (P * N,), samples (P * G,), sizes (P,), slots (P * S,) are scratch, S a power of two. The size of a place whose
    groups are more than G is that of all places together with no patch that recurs.
    """
    places, mask = np.uint64(sizes.shape[0]), np.uint64(slots.shape[0] // sizes.shape[0] - 1)
    count, room = np.uint64(hashes.shape[0]) // places, np.uint64(samples.shape[0]) // places
    for p in range(np.uint64(first), np.uint64(last)):
        here, there, table, size = p * count, p * room, p * (mask + np.uint64(1)), np.uint64(0)
        for s in range(table, table + mask + np.uint64(1)):
            slots[s] = -1
        for i in range(count):
            value = hashes[here + i]
            slot = np.uint64(value >> 32) & mask
            while (
                slots[table + slot] >= 0
                and hashes[here + np.uint64(samples[there + np.uint64(slots[table + slot])])] != value
            ):
                slot = (slot + np.uint64(1)) & mask
            if slots[table + slot] < 0:
                if size == room:
                    size = places * count
                    break
                slots[table + slot] = size
                samples[there + size] = i
                size += np.uint64(1)
            groups[here + i] = slots[table + slot]
        sizes[p] = size
    return 0


def count_groups(sizes, groups, few, first, last):
    """few (2,) = whether products over so few groups take less time than over samples, and its opposite."""
    total = 0
    for p in range(sizes.shape[0]):
        total += sizes[p]
    few[0] = total <= MOST * groups.shape[0]
    few[1] = not few[0]
    return 0


def patches_forward(rows, planes, cells, samples, sizes, kernel, bias, relu, patches, out, first, last):
    """out (P * G, C) = the convolution of the groups' patches (P * G, K), which are written, too, for places first .. last-1.

    cells (P, K) are a patch's in a row of the planes, or -1 for padding; kernel (K, C) and bias (1, C) the convolution's.
    relu (1,): whether a ReLU follows.
    """
    room = samples.shape[0] // sizes.shape[0]
    for p in range(first, last):
        here, stop = p * room, p * room + sizes[p]
        for r in range(here, stop):
            row = rows[samples[r]]
            for k in range(np.uint64(cells.shape[1])):
                patches[r, k] = planes[row, np.uint64(cells[p, k])] if cells[p, k] >= 0 else 0
        for r in range(here, stop, PAIR):
            _start(out, bias[0], r, r + PAIR)
            add_to_few(patches, kernel, out, r, 0)
        if relu[0]:
            _cut_below_zero(out, here, stop)
    return 0


def patches_norm(x, numbers, epsilon, relu, scaled, inverse, out, sizes, first, last):
    """`norm_forward` of the groups, (P * G, 1, C), at places first .. last-1."""
    room = x.shape[0] // sizes.shape[0]
    for p in range(first, last):
        norm_forward(x, numbers, epsilon, relu, scaled, inverse, out, p * room, p * room + sizes[p])
    return 0


def table_forward(features, weights, sizes, table, first, last):
    """table (P * G, O) = what groups with these features (P * G, C) add to the next layer, for places first .. last-1.

    weights (P, C, O) are that layer's.
    """
    room, whole = table.shape[0] // sizes.shape[0], table.shape[1] // STRIP * STRIP
    for p in range(first, last):
        for r in range(p * room, p * room + sizes[p], TILE):
            _clear(table, r, r + TILE, 0, table.shape[1])
            for left in range(0, whole, STRIP):
                add_inputs(features, weights[p], table, r, left, STRIP)
            add_inputs(features, weights[p], table, r, whole, table.shape[1] - whole)
    return 0


def add_patches(groups, table, bias, relu, sizes, out, first, last):
    """out (N, O) = bias (1, O) + for each place the row of the sample's group; relu (1,): cut below zero."""
    count, room = groups.shape[0] // sizes.shape[0], table.shape[0] // sizes.shape[0]
    for i in range(first, last):
        _start(out, bias[0], i, i + 1)
        for p in range(sizes.shape[0]):
            r = np.uint64(p * room + groups[p * count + i])
            for j in range(out.shape[1]):
                out[i, j] += table[r, j]
        if relu[0]:
            _cut_below_zero(out, i, i + 1)
    return 0


def table_backward(groups, sizes, grad, weights, table, features, features_grad, weights_grad, bias_grad, first, last):
    """From grad (N, O) to the grads of features (P * G, C), weights (O, P * C) and bias (1, O), for places first .. last-1.

    The table's rows become sums of the grads of a group's samples.
    """
    count, room, channels = groups.shape[0] // sizes.shape[0], table.shape[0] // sizes.shape[0], features.shape[1]
    for p in range(first, last):
        here, stop = p * room, p * room + sizes[p]
        if p == 0:
            _sum_rows(grad, bias_grad)
        _clear(table, here, stop, 0, table.shape[1])
        for i in range(count):
            r = np.uint64(here + groups[p * count + i])
            for j in range(table.shape[1]):
                table[r, j] += grad[i, j]
        for o in range(0, table.shape[1], PAIR):
            _clear(weights_grad, o, o + PAIR, p * channels, channels)
            add_samples_of_few(table, features, weights_grad, o, here, stop, p * channels)
        for r in range(here, stop, PAIR):
            _clear(features_grad, r, r + PAIR, 0, channels)
            add_to_few(table, weights, features_grad, r, p * channels)
            _keep_above_zero(features, features_grad, r, r + PAIR)
    return 0


def _sum_rows(grad, bias_grad):
    _clear(bias_grad, 0, 1, 0, bias_grad.shape[1])
    for i in range(grad.shape[0]):
        for j in range(grad.shape[1]):
            bias_grad[0, j] += grad[i, j]


def patches_norm_backward(grad, numbers, scaled, inverse, x_grad, sizes, first, last):
    """`norm_backward_inputs` of the groups, (P * G, 1, C), at places first .. last-1."""
    room = grad.shape[0] // sizes.shape[0]
    for p in range(first, last):
        norm_backward_inputs(grad, numbers, scaled, inverse, x_grad, p * room, p * room + sizes[p])
    return 0


def patches_norm_weights(grad, scaled, sizes, weights_grads, first, last):
    """weights_grads (S, 2, C) of gain and shift, of S equal parts of the places, for parts first .. last-1."""
    room, share = grad.shape[0] // sizes.shape[0], -(-sizes.shape[0] // weights_grads.shape[0])
    for s in range(first, last):
        _clear(weights_grads[s], 0, 2, 0, weights_grads.shape[2])
        for p in range(s * share, min(s * share + share, sizes.shape[0])):
            for r in range(p * room, p * room + sizes[p]):
                for c in range(weights_grads.shape[2]):
                    weights_grads[s, 0, c] += grad[r, 0, c] * scaled[r, 0, c]
                    weights_grads[s, 1, c] += grad[r, 0, c]
    return 0


def kernel_backward(patches, grad, sizes, kernel_grad, bias_grad, first, last):
    """kernel_grad (S, K, C), and bias_grad (S, W * C) in W parts, from grad (P * G, C), of S equal parts of the places."""
    room, share = patches.shape[0] // sizes.shape[0], -(-sizes.shape[0] // kernel_grad.shape[0])
    for s in range(first, last):
        _clear(kernel_grad[s], 0, kernel_grad.shape[1], 0, kernel_grad.shape[2])
        for c in range(bias_grad.shape[1]):
            bias_grad[s, c] = 0
        for p in range(s * share, min(s * share + share, sizes.shape[0])):
            here, stop = p * room, p * room + sizes[p]
            for k in range(0, kernel_grad.shape[1], PAIR):
                add_samples_of_few(patches, grad, kernel_grad[s], k, here, stop, 0)
            for r in range(here, stop):
                for c in range(grad.shape[1]):
                    bias_grad[s, c] += grad[r, c]
    return 0


def add_to_few(x, weights, out, i, left):
    """out (N, O) += x (N, I) @ weights (I, ...) from column left on, for rows i .. i+7.

    As `add_inputs`, for few outputs: of twice as many rows, since the sums of four would wait for each other.
    """
    i, left = np.uint64(i), np.uint64(left)
    i1, i2, i3, i4 = i + np.uint64(1), i + np.uint64(2), i + np.uint64(3), i + np.uint64(4)
    i5, i6, i7 = i + np.uint64(5), i + np.uint64(6), i + np.uint64(7)
    for k in range(np.uint64(x.shape[1])):
        a, b, c, d, e, f, g, h = x[i, k], x[i1, k], x[i2, k], x[i3, k], x[i4, k], x[i5, k], x[i6, k], x[i7, k]
        for j in range(np.uint64(out.shape[1])):
            weight = weights[k, left + j]
            out[i, j] += a * weight
            out[i1, j] += b * weight
            out[i2, j] += c * weight
            out[i3, j] += d * weight
            out[i4, j] += e * weight
            out[i5, j] += f * weight
            out[i6, j] += g * weight
            out[i7, j] += h * weight


def add_samples_of_few(grad, x, weights_grad, o, start, stop, left):
    """weights_grad (O, ...) from column left on += grad (N, O)^T @ x (N, I), of samples start .. stop-1,
    for outputs o .. o+7: as `add_samples`, for few inputs.
    """
    o, left = np.uint64(o), np.uint64(left)
    o1, o2, o3, o4 = o + np.uint64(1), o + np.uint64(2), o + np.uint64(3), o + np.uint64(4)
    o5, o6, o7 = o + np.uint64(5), o + np.uint64(6), o + np.uint64(7)
    for i in range(np.uint64(start), np.uint64(stop)):
        a, b, c, d, e = grad[i, o], grad[i, o1], grad[i, o2], grad[i, o3], grad[i, o4]
        f, g, h = grad[i, o5], grad[i, o6], grad[i, o7]
        for j in range(np.uint64(x.shape[1])):
            value = x[i, j]
            weights_grad[o, left + j] += a * value
            weights_grad[o1, left + j] += b * value
            weights_grad[o2, left + j] += c * value
            weights_grad[o3, left + j] += d * value
            weights_grad[o4, left + j] += e * value
            weights_grad[o5, left + j] += f * value
            weights_grad[o6, left + j] += g * value
            weights_grad[o7, left + j] += h * value


# Of rows start .. stop-1


def _start(out, bias, start, stop):
    for r in range(start, stop):
        for j in range(out.shape[1]):
            out[r, j] = bias[j]


def _clear(out, start, stop, left, width):
    for r in range(np.uint64(start), np.uint64(stop)):
        for j in range(np.uint64(width)):
            out[r, np.uint64(left) + j] = 0


def _cut_below_zero(out, start, stop):
    zero = np.float32(0)
    for r in range(start, stop):
        for j in range(out.shape[1]):
            out[r, j] = zero if out[r, j] < zero else out[r, j]  # NaN stays NaN


def _keep_above_zero(x, x_grad, start, stop):
    zero = np.float32(0)
    for r in range(start, stop):
        for j in range(x.shape[1]):
            x_grad[r, j] = x_grad[r, j] if x[r, j] > zero else zero
