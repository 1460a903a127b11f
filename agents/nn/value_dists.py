"""Distributions of returns that a Q network's outputs describe: the mean alone, probabilities (C51), or quantiles.

A network has Z outputs for each action. `mean` makes action values of them, `target` is what those of an action are fitted
to, by `loss`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...envs import OptionError


class Distribution:
    """What all have in common."""

    atoms: int  # Z

    def mean(self, out: Tensor) -> Tensor:
        """Action values (..., A) of outputs (..., A, Z)."""
        raise NotImplementedError

    def target(self, returns: Tensor, discounts: Tensor, out: Tensor, policy: Tensor, bonus: Tensor | None) -> Tensor:
        """What the outputs for B actions are fitted to, (B, Z); here returns + discounts * the policy's mean of what follows.

        Args:
            returns: (B,), n-step returns.
            discounts: (B,), of the values after them; 0 where the episode terminated.
            out: (B, A, Z), the target network's outputs for the next observations.
            policy: (B, A), probabilities of actions there.
            bonus: (B, A), added to each action's returns (Munchausen's entropy), or None.
        """
        after = out if bonus is None else out + bonus.unsqueeze(-1)
        expected = (policy.unsqueeze(-1) * after).sum(1)  # atom by atom: (B, A, Z) -> (B, Z)
        return returns.unsqueeze(-1) + discounts.unsqueeze(-1) * expected

    def loss(self, out: Tensor, target: Tensor) -> Tensor:
        """Losses (B,) of the outputs (B, Z) for the actions taken; only `out` gets a gradient."""
        raise NotImplementedError


class Scalar(Distribution):
    """The expected return itself (Mnih et al. 2015).

    Args:
        huber: whether the loss is Huber's, as in Stable-Baselines3; else half the squared TD error.
    """

    atoms = 1

    def __init__(self, huber: bool = False) -> None:
        self.huber = huber

    def mean(self, out: Tensor) -> Tensor:
        return out.squeeze(-1)

    def loss(self, out: Tensor, target: Tensor) -> Tensor:
        if self.huber:
            return F.smooth_l1_loss(out, target, reduction="none").squeeze(-1)
        return 0.5 * (out - target).square().squeeze(-1)


class Categorical(Distribution):
    """Probabilities of `atoms` returns at equal distances, C51 (Bellemare et al. 2017); the outputs are logits.

    Args:
        v_min, v_max: the lowest and the highest return; returns beyond are clipped to them.
    """

    def __init__(self, v_min: float, v_max: float, atoms: int = 51) -> None:
        if not -math.inf < v_min < v_max < math.inf:
            raise OptionError(f"v_min must be below v_max, and both finite, got {v_min} and {v_max}")
        if atoms < 2:
            raise OptionError(f"atoms of c51 must be 2 or more, got {atoms}")
        self.v_min, self.v_max, self.atoms = v_min, v_max, atoms
        self.step = (v_max - v_min) / (atoms - 1)

    def support(self, like: Tensor) -> Tensor:
        """The returns (Z,)."""
        return torch.linspace(self.v_min, self.v_max, self.atoms, device=like.device)

    def mean(self, out: Tensor) -> Tensor:
        return (out.softmax(-1) * self.support(out)).sum(-1)

    def target(self, returns: Tensor, discounts: Tensor, out: Tensor, policy: Tensor, bonus: Tensor | None) -> Tensor:
        after = self.support(out) if bonus is None else self.support(out) + bonus.unsqueeze(-1)  # (Z,) or (B, A, Z)
        places = returns[:, None, None] + discounts[:, None, None] * after.expand_as(out)
        weights = policy.unsqueeze(-1) * out.softmax(-1)
        return self.project(places.flatten(1), weights.flatten(1))

    def project(self, places: Tensor, weights: Tensor) -> Tensor:
        """Probabilities `weights` of the returns `places`, both (B, M), divided between the nearest atoms: (B, Z)."""
        at = ((places - self.v_min) / self.step).clamp(0, self.atoms - 1)  # in atoms
        below = at.long().clamp(0, self.atoms - 2)  # an index even if it is not finite
        share = at - below  # of the upper one
        shared = torch.zeros(len(places), self.atoms, device=places.device)
        shared.scatter_add_(1, below, weights * (1 - share))
        return shared.scatter_add_(1, below + 1, weights * share)

    def loss(self, out: Tensor, target: Tensor) -> Tensor:
        return -(target * F.log_softmax(out, -1)).sum(-1)


class Quantile(Distribution):
    """Quantiles of the return at equal steps of probability, QR-DQN (Dabney et al. 2018).

    Args:
        kappa: size of the error up to which the loss is quadratic.
    """

    def __init__(self, atoms: int = 32, kappa: float = 1.0) -> None:
        if atoms < 1:
            raise OptionError(f"atoms must be 1 or more, got {atoms}")
        self.atoms, self.kappa = atoms, kappa

    def mean(self, out: Tensor) -> Tensor:
        return out.mean(-1)

    def fractions(self, out: Tensor) -> Tensor:
        """The probabilities (Z,) that the outputs (B, Z) are the quantiles of: the middle of each step."""
        count = out.shape[-1]
        return (torch.arange(count, device=out.device) + 0.5) / count

    def loss(self, out: Tensor, target: Tensor, fractions: Tensor | None = None) -> Tensor:
        """Quantile Huber loss (B,); `fractions` (B, Z) or (Z,) replace the middles."""
        fractions = self.fractions(out) if fractions is None else fractions
        error = target.unsqueeze(-2) - out.unsqueeze(-1)  # (B, Z, Z'), of each quantile to each target
        size = error.detach().abs()
        huber = torch.where(size <= self.kappa, 0.5 * error.square(), self.kappa * (error.abs() - 0.5 * self.kappa))
        weight = (fractions.unsqueeze(-1) - (error.detach() < 0).float()).abs()
        return (weight * huber / self.kappa).mean(-1).sum(-1)


def distribution_of(name: str | None, atoms: int | None, v_min: float, v_max: float, huber: bool) -> Distribution:
    """The distribution of a name in `DISTRIBUTIONS`, or of None; raises OptionError for other names."""
    if name is None:
        return Scalar(huber)
    if name not in DISTRIBUTIONS:
        raise OptionError(f"distribution must be None or one of {', '.join(DISTRIBUTIONS)}, got {name!r}")
    if name == "c51":
        return Categorical(v_min, v_max, 51 if atoms is None else atoms)
    return Quantile(32 if atoms is None else atoms)


DISTRIBUTIONS = ("c51", "qr", "iqn")
