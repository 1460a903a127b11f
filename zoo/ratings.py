"""Ratings of players from games that they won, drew and lost against each other, on the scale of Elo.

The model is Bradley and Terry's (1952) and, where games can be drawn, Davidson's (1970): of two players whose ratings differ
by d, the first wins, draws and loses with probabilities in the proportion of

    10^(d/800) : nu : 10^(-d/800)

so that a player 400 points ahead wins ten games for each that it loses. `nu` is fitted along with the ratings; without draws
it is 0, and a rating is Elo's. Who began a game does not enter: let players alternate. Nor does it matter by how much a game
was won; of poker, mean returns tell more.

The prior is Jeffreys's, as Firth (1993) has it: to two players it adds half a game won by each. So a player that won all its
games has a rating, too, an interval that is long upwards, and a bias that is small. Intervals are of differences, where twice
the logarithm of the profile likelihood falls by the quantile of chi squared (Heinze & Schemper 2002).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..envs import OptionError

POINTS = 400 / math.log(10)  # of Elo's scale, for a factor of e in wins over losses
CONFIDENCE = 0.95
RESULTS = np.array([[0.5, 0.0], [-0.5, 0.0], [0.0, 1.0]])  # won, lost, drawn: the score above a half, and whether drawn


@dataclass(frozen=True)
class Estimate:
    """A difference of two ratings in points, and its 95 % interval."""

    value: float
    low: float
    high: float


class Ratings:
    """Ratings of P players, fitted to the games between them.

    Args:
        wins: (P, P) whole numbers, the games that the player of a row won against that of a column.
        draws: (P, P) whole numbers, symmetric, the games that they drew; None: none.

    Attributes:
        points: (P,) float64, with a mean of 0.

    Raises:
        OptionError: these are no counts of games, or some players have not met, not even by way of others.
    """

    def __init__(self, wins: Sequence[Sequence[int]] | np.ndarray, draws: np.ndarray | None = None) -> None:
        wins = np.asarray(wins)
        draws = np.zeros_like(wins) if draws is None else np.asarray(draws)
        check_counts(wins, draws)
        self._fit = Likelihood(wins, draws)
        strengths = self._fit.best[: len(wins)]
        self.points = POINTS * (strengths - strengths.mean())

    def over(self, player: int, other: int) -> Estimate:
        """How far a player is ahead of another."""
        if player == other:
            return Estimate(0.0, 0.0, 0.0)
        low, high = (POINTS * self._fit.end(player, other, sign) for sign in (-1, 1))
        return Estimate(float(self.points[player] - self.points[other]), low, high)


def check_counts(wins: np.ndarray, draws: np.ndarray) -> None:
    """Raise OptionError for what no games can have led to, and for players that cannot be compared."""
    from scipy.sparse.csgraph import connected_components

    square = wins.ndim == 2 and wins.shape[0] == wins.shape[1] > 1 and draws.shape == wins.shape
    if not square:
        raise OptionError(f"wins and draws must be (P, P) with two players or more, got {wins.shape} and {draws.shape}")
    if (wins < 0).any() or (draws < 0).any() or np.diag(wins).any() or np.diag(draws).any() or (draws != draws.T).any():
        raise OptionError("wins and draws must be 0 or more, 0 on the diagonal, and draws symmetric")
    groups, group = connected_components(wins + wins.T + draws)
    if groups > 1:
        apart = int(np.argmax(group != group[0]))
        raise OptionError(f"players 0 and {apart} have not met, not even by way of others: they cannot be compared")


class Likelihood:
    """The logarithm of the likelihood times Jeffreys's prior, with natural parameters: a strength for each of P players and,
    if there were draws, log(nu)."""

    def __init__(self, wins: np.ndarray, draws: np.ndarray) -> None:
        first, second = np.nonzero(np.triu(wins + wins.T + draws))  # of each pair that met
        kinds = 3 if draws.any() else 2  # of results
        counts = np.stack([wins[first, second], wins[second, first], draws[first, second]], axis=1)
        pairs, self.players = np.arange(len(first)), len(wins)
        self.counts = counts[:, :kinds].astype(np.float64)  # (pairs, K)
        self.results = RESULTS[:kinds, : kinds - 1]  # (K, T)
        self.design = np.zeros((len(pairs), kinds - 1, self.players + kinds - 2))  # (pairs, T, parameters)
        self.design[pairs, 0, first], self.design[pairs, 0, second] = 1.0, -1.0
        self.design[:, 1:, self.players :] = 1.0

    def __call__(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The logarithm, and its gradient; both are the same if all strengths are shifted."""
        from scipy.special import log_softmax

        logs = log_softmax(self.design @ parameters @ self.results.T, axis=1)  # (pairs, K)
        expected = np.exp(logs) * self.counts.sum(1, keepdims=True)
        deviations = self.results - (np.exp(logs) @ self.results)[:, None]  # (pairs, K, T)
        covariance = np.einsum("pk,pks,pkt->pst", expected, deviations, deviations)
        free = self.design[:, :, 1:]  # the first strength is the others' origin
        information = np.einsum("psf,pst,ptg->fg", free, covariance, free)
        variance = np.einsum("psf,fg,ptg->pst", free, np.linalg.inv(information), free)
        leverage = np.einsum("pks,pst,pkt->pk", deviations, variance, deviations)
        surplus = (self.counts - expected) @ self.results + np.einsum(
            "pk,pk,pkt->pt", expected, leverage, deviations
        ) / 2
        value = (self.counts * logs).sum() + np.linalg.slogdet(information)[1] / 2
        return float(value), np.einsum("pt,ptf->f", surplus, self.design)

    def maximized(self, start: np.ndarray, fixed: Sequence[int]) -> np.ndarray:
        """The best parameters, of which some stay as they are."""
        from scipy.optimize import minimize

        free = np.setdiff1d(np.arange(len(start)), fixed)

        def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = self(filled(values))
            return -value, -gradient[free]

        def filled(values: np.ndarray) -> np.ndarray:
            parameters = start.copy()
            parameters[free] = values
            return parameters

        return filled(minimize(loss, start[free], jac=True, method="BFGS").x) if len(free) else start

    @cached_property
    def best(self) -> np.ndarray:
        return self.maximized(np.zeros(self.design.shape[-1]), fixed=[0])

    def end(self, player: int, other: int, sign: int) -> float:
        """Where the interval of a player's strength above another's ends: below (sign -1) or above (1)."""
        from scipy.optimize import root_scalar
        from scipy.stats import chi2

        origin = np.where(np.arange(len(self.best)) < self.players, self.best[other], 0.0)
        best, highest = self.best - origin, self(self.best)[0]
        most = float(chi2.ppf(CONFIDENCE, 1)) / 2

        def drop(distance: float) -> float:
            start = best.copy()
            start[player] += sign * distance
            return highest - self(self.maximized(start, fixed=[player, other]))[0] - most

        far = 0.5
        while drop(far) < 0:
            far *= 2
        return float(best[player]) + sign * root_scalar(drop, bracket=(0.0, far), xtol=1e-3).root
