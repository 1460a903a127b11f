"""Layers one after the other, and chains of them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from .kernel import Kernel
from .layers import Layer, LayerOutput, rows_of


def forward_through(layers: Sequence[Layer], x: LayerOutput, loops: list[Kernel]) -> list[LayerOutput]:
    """x and the output of each layer; their loops are added to those given."""
    outputs = [x]
    for layer in layers:
        out, more = layer.forward(outputs[-1])
        outputs.append(out)
        loops += more
    return outputs


def backward_through(layers: Sequence[Layer], outputs: Sequence[LayerOutput]) -> list[Kernel]:
    """The loops from the last output's grad to all gradients; the outputs get grads where they have none."""
    loops: list[Kernel] = []
    for out in outputs[1:]:
        contiguous = out.numbers.is_contiguous()  # of a convolution, whose places are rows
        if out.grad is None:
            out.grad = torch.zeros_like(out.numbers) if contiguous else rows_of(*out.numbers.shape)
    for layer, x, out in reversed([*zip(layers, outputs[:-1], outputs[1:], strict=True)]):
        loops += layer.backward(x, out)
    return loops


class Branches(Layer):
    """Two chains of layers over the same numbers, such as an actor and a critic of different depth.

    Args:
        chains: the layers of each.
        sizes: how many numbers of each chain's last layer count; the output has them side by side, padded.
    """

    def __init__(self, chains: Sequence[Sequence[Layer]], sizes: Sequence[int], width: int) -> None:
        super().__init__()
        self.chains, self.sizes, self.width = chains, torch.tensor(sizes), width
        for layer in (layer for chain in chains for layer in chain):
            self.gradients |= layer.gradients

    def read(self) -> None:
        for layer in (layer for chain in self.chains for layer in chain):
            layer.read()

    def collect(self) -> None:
        for layer in (layer for chain in self.chains for layer in chain):
            layer.collect()

    def forward(self, x: LayerOutput) -> tuple[LayerOutput, list[Kernel]]:
        out, loops = LayerOutput(rows_of(len(x.numbers), self.width)), []
        out.saved = [forward_through(chain, replace(x), loops) for chain in self.chains]
        left, right = (outputs[-1].numbers for outputs in out.saved)
        return out, [*loops, Kernel(join, left, right, self.sizes, out.numbers, units=len(out.numbers))]

    def backward(self, x: LayerOutput, out: LayerOutput) -> list[Kernel]:
        assert out.grad is not None
        for outputs in out.saved:
            outputs[0].grad = None if x.grad is None else rows_of(*x.grad.shape)
        loops = [
            back
            for outputs, chain in zip(out.saved, self.chains, strict=True)
            for back in backward_through(chain, outputs)
        ]
        left, right = (outputs[-1].grad for outputs in out.saved)
        loops.insert(0, Kernel(split, out.grad, self.sizes, left, right, units=len(out.numbers)))
        if x.grad is not None:
            loops.append(Kernel(add, *(outputs[0].grad for outputs in out.saved), x.grad, units=len(x.numbers)))
        return loops


def join(left, right, sizes, out, first, last):
    """out (N, W) = left and right (N, ...) side by side, of each its first numbers by sizes (2,)."""
    for i in range(first, last):
        for j in range(sizes[0]):
            out[i, j] = left[i, j]
        for j in range(sizes[1]):
            out[i, sizes[0] + j] = right[i, j]
    return 0


def split(grad, sizes, left, right, first, last):
    """The grads of `join`."""
    for i in range(first, last):
        for j in range(sizes[0]):
            left[i, j] = grad[i, j]
        for j in range(sizes[1]):
            right[i, j] = grad[i, sizes[0] + j]
    return 0


def add(left, right, out, first, last):
    """out (N, W) = left + right."""
    for i in range(first, last):
        for j in range(out.shape[1]):
            out[i, j] = left[i, j] + right[i, j]
    return 0
