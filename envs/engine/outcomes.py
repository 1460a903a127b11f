"""Every way that a rule can go: its random numbers are gone through one by one, in place of being drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import rng
from ..errors import OptionError
from ..game import Game
from .compile import link
from .plain import PlainRecords, as_constant

MOST_WAYS = 100_000  # that one call of a rule may go


class Outcomes:
    """A game's rules in plain Python, with `below` and `chance` going through all that they can draw.

    >>> outcomes = Outcomes(find_game("KuhnPoker"))
    >>> for probability, record, _ in outcomes("reset", np.zeros((), game.State)):   # six deals, 1/6 each
    """

    def __init__(self, game: Game) -> None:
        self.game = game
        self._rules: dict[str, Callable[..., Any]] = {}
        self._path: list[_Draw] = []  # the draws of the way being gone
        self._at = 0  # how many of them the rule has asked for

    def __call__(self, rule: str, record: np.ndarray, *arguments: Any) -> Iterator[tuple[float, np.ndarray, Any]]:
        """For each way that a rule can go from a record (): its probability, the record after it, and what it returns.

        Args:
            rule: "reset", "step" or "heuristic".
            *arguments: those between the record and the random numbers, such as the action.

        Raises:
            OptionError: it draws from a continuum, or can go in too many ways.
        """
        if rule not in self._rules:
            self._rules[rule] = link(getattr(self.game, rule), {}, self._gone_through, as_constant)
        self._path = []
        for _ in range(MOST_WAYS):
            self._at, after = 0, record.reshape(1).copy()
            result = self._rules[rule](PlainRecords(after)[0], *arguments, None)
            yield math.prod(draw.probability for draw in self._path), after[0], result
            while self._path and not self._path[-1].next():
                self._path.pop()
            if not self._path:
                return
        raise OptionError(
            f"{self.game.name}: {rule} can go in more than {MOST_WAYS:,} ways, too many to go through all"
        )

    def _gone_through(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of the rules; in place of one that draws, one that goes through what it can draw."""
        if function.__module__ != rng.__name__:
            return function
        draws = {"below": self._below, "chance": self._chance, "uniform": self._refuse, "next_bits": self._refuse}
        return draws.get(function.__name__, function)

    def _below(self, random: Any, n: int) -> int:
        return self._draw([1 / n] * n)

    def _chance(self, random: Any, probability: float) -> bool:
        likely = min(max(float(probability), 0.0), 1.0)
        return self._draw([1 - likely, likely]) == 1

    def _refuse(self, *_: Any) -> Any:
        raise OptionError(
            f"{self.game.name} draws from a continuum: only what `below` and `chance` draw can be gone through"
        )

    def _draw(self, probabilities: list[float]) -> int:
        if self._at == len(self._path):
            self._path.append(_Draw(probabilities))
        self._at += 1
        return self._path[self._at - 1].value


class _Draw:
    """A random number that has been drawn, and what else it could have been."""

    def __init__(self, probabilities: list[float]) -> None:
        self.probabilities, self.value = probabilities, -1
        self.next()

    def next(self) -> bool:
        """Go on to the next value that is possible; False if there is none."""
        rest = range(self.value + 1, len(self.probabilities))
        self.value = next((k for k in rest if self.probabilities[k] > 0), len(self.probabilities))
        return self.value < len(self.probabilities)

    @property
    def probability(self) -> float:
        return self.probabilities[self.value]
