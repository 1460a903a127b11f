"""Adam (Kingma & Ba 2015) with a limit on the gradient's norm, as loops over the tensors that PyTorch's optimizer owns.

For small networks, PyTorch's own step spends most of its time in Python. Here it is two short loops for each weight, which
read and write the same state, so that saving, loading and schedules work as ever.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .kernel import Kernel

LANES = 64  # sums that are taken side by side


def add_squares(gradient, sums, first, last):
    """sums (LANES,) += the squares of gradient (N,)."""
    lanes = sums.shape[0]
    whole = (last - first) // lanes
    for block in range(whole):
        start = np.uint64(first + block * lanes)  # unsigned, so that no index can count from the end
        for k in range(np.uint64(lanes)):
            sums[k] += gradient[start + k] * gradient[start + k]
    for i in range(first + whole * lanes, last):
        sums[0] += gradient[i] * gradient[i]
    return 0


def adam_step(weight, gradient, mean, square, numbers, first, last):
    """One step on weight (N,), with the running means of its gradient and of its square.

    numbers (8,) float32: what gradients are multiplied by; beta1 and beta2 and what they lack to 1; the rate divided by
    1 - beta1^t; 1 divided by the root of 1 - beta2^t; epsilon.
    """
    scale, beta1, rest1, beta2, rest2 = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    rate, root, epsilon = numbers[5], numbers[6], numbers[7]
    for i in range(np.uint64(first), np.uint64(last)):  # unsigned, so that no index can count from the end
        g = scale * gradient[i]
        mean[i] = beta1 * mean[i] + rest1 * g
        square[i] = beta2 * square[i] + rest2 * g * g
        weight[i] -= rate * mean[i] / (math.sqrt(square[i]) * root + epsilon)
    return 0


class AdamLoops:
    """Steps of a `torch.optim.Adam` on these weights."""

    def __init__(self, optimizer: torch.optim.Adam, weights: Sequence[Tensor]) -> None:
        self.optimizer, self.weights = optimizer, weights
        self.sums, self.numbers = torch.zeros(LANES), torch.zeros(8)
        self._numbers = self.numbers.numpy()  # the same memory
        self._bound: Any = None
        self._loops: list[tuple[Kernel, Kernel]] = []
        self._steps: list[np.ndarray] = []  # of each weight, the optimizer's own count

    def norm(self, gradients: Sequence[Tensor]) -> float:
        """The length of all gradients together, contiguous ones; `step` is for the same."""
        self._bind(gradients)
        self.sums.zero_()
        for square, _ in self._loops:
            square()
        return math.sqrt(float(self.sums.sum()))

    def step(self, scale: float) -> None:
        """One step against the gradients times `scale`."""
        for steps in self._steps:
            steps += 1  # in place
        group, count = self.optimizer.param_groups[0], float(self._steps[0])
        beta1, beta2 = group["betas"]
        rate, root = group["lr"] / (1 - beta1**count), 1 / math.sqrt(1 - beta2**count)
        numbers = (scale, beta1, 1 - beta1, beta2, 1 - beta2, rate, root, group["eps"])
        self._numbers[:] = numbers
        for _, adam in self._loops:
            adam()

    def _bind(self, gradients: Sequence[Tensor]) -> None:
        """To the tensors as they are now: an agent that was loaded has others."""
        states = [self._state(weight) for weight in self.weights]
        places = [
            (weight.detach(), gradient, state["exp_avg"], state["exp_avg_sq"])
            for weight, gradient, state in zip(self.weights, gradients, states, strict=True)
        ]
        bound = [tensor.data_ptr() for four in places for tensor in four]
        if bound == self._bound:
            return
        self._bound, self._steps, self._loops = bound, [state["step"].numpy() for state in states], []
        for four in places:
            weight, gradient, mean, square = (tensor.view(-1) for tensor in four)
            self._loops.append(
                (
                    Kernel(add_squares, gradient, self.sums, units=len(gradient)),
                    Kernel(adam_step, weight, gradient, mean, square, self.numbers, units=len(weight)),
                )
            )

    def _state(self, weight: Tensor) -> dict[str, Tensor]:
        """As PyTorch's optimizer would begin it."""
        state = self.optimizer.state[weight]
        if not state:
            zeros = (torch.zeros_like(weight.detach()) for _ in range(2))
            state.update(zip(("step", "exp_avg", "exp_avg_sq"), (torch.zeros(()), *zeros), strict=True))
        return state


def adam_loops_of(optimizer: Any, weights: Sequence[Tensor]) -> AdamLoops | None:
    """For this optimizer of these weights; None if it is another, or does more than Adam, such as calling hooks."""
    if type(optimizer) is not torch.optim.Adam or len(optimizer.param_groups) != 1:
        return None
    if "step" in vars(optimizer) or optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks:
        return None
    group = optimizer.param_groups[0]
    if any(group[name] for name in ("weight_decay", "amsgrad", "maximize", "differentiable")):
        return None
    fit = all(weight.dtype == torch.float32 and weight.is_contiguous() and not weight.is_cuda for weight in weights)
    same = [id(weight) for weight in group["params"]] == [id(weight) for weight in weights]
    return AdamLoops(optimizer, weights) if fit and same else None


def laid_out_as(weight: Tensor, gradient: Tensor) -> Tensor:
    """The gradient, its numbers in the order that the weight's have in memory.

    `torch.autograd.grad` gives those of convolutions channels last. Loops cannot read them so, and PyTorch's fused Adam takes
    them as they lie: on a CPU it mixes them up, on a GPU it refuses. (`backward` would have brought them into order.)
    """
    return gradient if gradient.stride() == weight.stride() else torch.empty_like(weight).copy_(gradient)
