"""Random numbers that a reference drew, recorded there and drawn again by our rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ludus.envs.rng import SHIFT_27, SHIFT_30, SHIFT_31


@dataclass(frozen=True)
class Draw:
    """One draw: a whole number from 0 to `below` - 1, or, with `below` 0, a number from [0, 1)."""

    value: float
    below: int = 0

    def bits(self) -> int:
        """64 random bits from which `ludus.envs.rng` makes this value."""
        if self.below:
            return -(-(int(self.value) << 32) // self.below) << 32  # the first that `scale` maps to the value
        return int(self.value * 2**53) << 11


class RecordedRandom:
    """The part of `numpy.random.RandomState` that MinAtar uses, keeping a list of what was drawn."""

    def __init__(self, seed: int) -> None:
        self.source = np.random.RandomState(seed)
        self.draws: list[Draw] = []

    def rand(self, *shape: int) -> Any:
        values = self.source.rand(*shape)
        self.draws += [Draw(value) for value in np.ravel(values).tolist()]
        return values

    def randint(self, low: int, high: int | None = None, size: int | None = None) -> Any:
        first, last = (0, low) if high is None else (low, high)
        values = self.source.randint(first, last, size)
        self.draws += [Draw(value - first, last - first) for value in np.ravel(values).tolist()]
        return values

    def take(self) -> list[Draw]:
        """What was drawn since the last call."""
        taken, self.draws = self.draws, []
        return taken


class ScriptedRandom:
    """Random streams for plain rules that yield the given draws, one after the other, and no more."""

    def __init__(self, draws: list[Draw]) -> None:
        self.left = [unmix(np.uint64(draw.bits())) for draw in draws]
        self.current = np.uint64(0)

    def __getitem__(self, stream: int) -> np.uint64:
        return self.current

    def __setitem__(self, stream: int, counter: np.uint64) -> None:
        """The rules advance a counter for every draw; whatever it is, the next one of the script follows."""
        assert self.left, "our rules draw more random numbers than the reference"
        self.current = self.left.pop(0)


def unmix(x: np.uint64) -> np.uint64:
    """The counter that `ludus.envs.rng.mix` hashes to `x`."""
    with np.errstate(over="ignore"):
        x = undo_shift(x, SHIFT_31) * np.uint64(pow(0x94D049BB133111EB, -1, 2**64))
        x = undo_shift(x, SHIFT_27) * np.uint64(pow(0xBF58476D1CE4E5B9, -1, 2**64))
        return undo_shift(x, SHIFT_30)


def undo_shift(x: np.uint64, shift: np.uint64) -> np.uint64:
    """The y with y ^ (y >> shift) == x, for shifts of at least 22."""
    return x ^ (x >> shift) ^ (x >> (shift + shift))
