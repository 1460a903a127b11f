"""The Muon optimizer (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks")."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum for hidden matrices, fused Adam for all other parameters.

    A network's parameters come in the order of its forward pass, so that of those with two axes or more, the first belongs
    to the input layer and the last ones to the heads; the matrices between them are hidden. Kernels of convolutions are
    matrices (out, in * height * width). An update is scaled to the size that Adam's has (Liu et al. 2025, "Muon is
    scalable for LLM training"), so one learning rate, tuned for Adam, serves both kinds.

    Args:
        params: what `parameters()` or `named_parameters()` of a network gives; or groups, where `"use_muon": True` marks
            those of hidden matrices.
        lr: learning rate, a float or (for a CUDA graph) a tensor; `param_groups` may change it at any time.
        momentum: of Muon.
        betas: of Adam.
        eps: of Adam.
        heads: how many of the last matrices are output layers: an actor's and a critic's.
        fused: whether Adam is one kernel.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-5,
        heads: int = 2,
        fused: bool = True,
    ) -> None:
        params = list(params)
        groups = params if params and isinstance(params[0], dict) else hidden_and_other(params, heads)
        of_adam = {"betas": betas, "eps": eps, "fused": fused}
        super().__init__(groups, {"lr": lr, "use_muon": False, "momentum": momentum, **of_adam})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure` does."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if group["use_muon"]:
                self._muon(group, params)
            else:
                self._adam(group, params)
        return loss

    def _muon(self, group: dict[str, Any], params: list[Tensor]) -> None:
        for p in params:
            assert p.grad is not None
            average = self._moment(p, "momentum")
            average.lerp_(p.grad, 1 - group["momentum"])
            update = orthogonalized(p.grad.lerp(average, group["momentum"]).flatten(1))  # Nesterov; (out, in)
            scale = 0.2 * max(update.shape) ** 0.5  # to a root mean square of 0.2, about that of Adam's updates
            p.sub_(update.view_as(p) * (group["lr"] * scale))

    def _adam(self, group: dict[str, Any], params: list[Tensor]) -> None:
        for p in params:
            if "step" not in self.state[p]:
                self.state[p]["step"] = torch.zeros((), device=p.device)
        adam(
            params,
            [p.grad for p in params if p.grad is not None],
            [self._moment(p, "exp_avg") for p in params],
            [self._moment(p, "exp_avg_sq") for p in params],
            [],
            [self.state[p]["step"] for p in params],
            fused=group["fused"],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=0.0,
            eps=group["eps"],
            maximize=False,
        )

    def _moment(self, p: Tensor, name: str) -> Tensor:
        """The running average of this name, zeros at first, in the shape of p."""
        if name not in self.state[p]:
            self.state[p][name] = torch.zeros_like(p)
        return self.state[p][name]


def orthogonalized(matrix: Tensor, steps: int = 5) -> Tensor:
    """U V^T of matrix = U S V^T, about: (R, C) with singular values near 1, by Newton-Schulz iteration.

    Jordan's coefficients raise small singular values fast and end between 0.7 and 1.2, which training does not mind; values
    below a thousandth of the largest stay small.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalized(matrix.t(), steps).t()  # the smaller Gram matrix
    x = matrix / matrix.norm().clamp_min(1e-7)  # largest singular value at most 1
    for _ in range(steps):
        gram = x @ x.t()  # (R, C) -> (R, R)
        polynomial = torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        x = torch.addmm(x, polynomial, x, beta=3.4445)
    return x


def hidden_and_other(params: list[Any], heads: int) -> list[dict[str, Any]]:
    """Two groups of parameters, or of pairs (name, parameter): the hidden matrices, and all else."""
    matrices = [i for i, p in enumerate(params) if (p[1] if isinstance(p, tuple) else p).ndim >= 2]
    hidden = set(matrices[1 : len(matrices) - heads])
    return [
        {"params": [p for i, p in enumerate(params) if (i in hidden) == use_muon], "use_muon": use_muon}
        for use_muon in (True, False)
    ]
