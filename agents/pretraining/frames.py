"""Frames of a game: different pictures with the planes that they show, and the steps in which they were seen.

Pictures are kept once each. A picture is of the training, validation or test part by its own content, a hash of it, so
that no two parts share a picture, however often it was seen and in whatever order; or by the levels that it was seen in,
see `Frames.split_by_level`.
"""

from __future__ import annotations

import hashlib
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...envs import OptionError

PARTS = ("train", "validation", "test")
SHARES = (0.8, 0.1, 0.1)


@dataclass
class Frames:
    """U different pictures, and T steps of N games.

    Attributes:
        game: its id, name and version; `options` are those of the pictures.
        pictures: (U, H, W, C) uint8.
        planes: (U, rows, columns, P) uint8, what the record had under it when the picture was first seen.
        ambiguous: (U, P) bool, where the picture was seen again with other values in that plane.
        seen: (U,) int64, how often the picture was seen.
        digests: (U,) uint64, hashes of the pictures.
        part: (U,) uint8, which of `PARTS` it is of; 3: of none, see `Frames.labelled`.
        index: (T, N) int64, the picture of each step.
        action, advice: (T, N) int64, what was done then, and what the game's heuristic would have done (-1: it has none).
        reward: (T, N) float32; done: (T, N) bool, whether the episode ended with the step.
        truncated: (T, N) bool, whether it was a step limit, not the rules, that ended it; None: nowhere.
        level: (T, N) int64, the level's seed, see `Options.levels`; None: -1 everywhere, every episode was new.
    """

    game: str
    options: dict[str, Any]
    plane_names: tuple[str, ...]
    action_names: tuple[str, ...]
    pictures: np.ndarray
    planes: np.ndarray
    ambiguous: np.ndarray
    seen: np.ndarray
    digests: np.ndarray
    index: np.ndarray
    action: np.ndarray
    advice: np.ndarray
    reward: np.ndarray
    done: np.ndarray
    truncated: np.ndarray = None  # type: ignore[assignment]
    level: np.ndarray = None  # type: ignore[assignment]
    part: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.part = part_of(self.digests)
        self.truncated = np.zeros_like(self.done) if self.truncated is None else self.truncated
        self.level = np.full_like(self.index, -1) if self.level is None else self.level

    def __len__(self) -> int:
        return len(self.pictures)

    def rows(self, part: str) -> np.ndarray:
        """The pictures of a part, by number, (K,) int64."""
        return np.flatnonzero(self.part == PARTS.index(part))

    def pairs(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps (K,) and those after them in the same episode (K,), flat in (T, N); both pictures are of the part."""
        t, n = self.index.shape
        steps = np.arange(t * n).reshape(t, n)
        here = self.part[self.index] == PARTS.index(part)
        follows = here[:-1] & here[1:] & ~self.done[:-1]
        return steps[:-1][follows], steps[1:][follows]

    def split_by_level(self) -> Frames:
        """The same frames with whole levels in one part each, 80 %, 10 % and 10 % of them at random.

        A picture that levels of several parts show is of the first of these parts, so that no two parts share one; one that
        no step has seen is of the training part. Raises OptionError for frames without levels.
        """
        levels, number = np.unique(self.level, return_inverse=True)
        if levels[0] < 0 or len(levels) < 10:
            raise OptionError(f"a split by level needs 10 levels, there are {(levels >= 0).sum()}: collect with more")
        ends = np.cumsum(SHARES)[:-1] * len(levels)
        place = np.argsort(np.argsort(digest_of(levels[:, None])))  # at random, but the same whenever it is asked for
        of_level = np.searchsorted(ends, place, "right")
        part = np.full(len(self), len(PARTS))
        np.minimum.at(part, self.index, of_level[number.reshape(self.index.shape)])
        split = copy(self)
        split.part = np.where(part == len(PARTS), 0, part).astype(np.uint8)
        return split

    def labelled(self, count: int, seed: int = 0) -> Frames:
        """The same frames with so many pictures to learn from, a fifth of them for validation; the test part stays.

        The others, whose labels are taken to be unknown, are of no part. Raises OptionError for less than 10, or more than
        there are.
        """
        known = np.flatnonzero(self.part != PARTS.index("test"))
        if not 10 <= count <= len(known):
            raise OptionError(f"labels must be from 10 to {len(known)}, the pictures to learn from, got {count}")
        chosen = np.random.default_rng(seed).permutation(known)[:count]
        some = copy(self)
        some.part = np.where(self.part == PARTS.index("test"), self.part, len(PARTS)).astype(np.uint8)
        some.part[chosen] = PARTS.index("train")
        some.part[chosen[: count // 5]] = PARTS.index("validation")
        return some


def digest_of(pictures: np.ndarray) -> np.ndarray:
    """Hashes (N,) uint64 of pictures (N, ...)."""
    rows = pictures.reshape(len(pictures), -1)
    digests = b"".join(hashlib.blake2b(row.data, digest_size=8).digest() for row in rows)
    return np.frombuffer(digests, np.uint64)


def part_of(digests: np.ndarray) -> np.ndarray:
    """Which of `PARTS` pictures are of, (U,) uint8: the digest decides alone."""
    edges = np.cumsum(SHARES)[:-1] * 2.0**64
    return np.searchsorted(edges, digests.astype(np.float64), "right").astype(np.uint8)


class Gallery:
    """Different pictures as they come, and the planes under them."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}  # of pictures, by digest
        self.pictures: list[np.ndarray] = []
        self.planes: list[np.ndarray] = []
        self.ambiguous: list[np.ndarray] = []
        self.digests: list[int] = []
        self.seen: list[int] = []

    def add(self, pictures: np.ndarray, planes: np.ndarray) -> np.ndarray:
        """The numbers (N,) of pictures (N, ...), kept if they are new; planes (N, rows, columns, P) are under them."""
        numbers = np.empty(len(pictures), np.int64)
        for k, digest in enumerate(digest_of(pictures).tolist()):
            number = self.numbers.setdefault(digest, len(self.pictures))
            numbers[k] = number
            if number == len(self.pictures):
                self.digests.append(digest)
                self.seen.append(0)
                self.pictures.append(pictures[k].copy())  # a view would keep all of them
                self.planes.append(planes[k].copy())
                self.ambiguous.append(np.zeros(planes.shape[-1], np.bool_))
            elif planes.size:
                differs = self.planes[number] != planes[k]
                if differs.any():
                    self.ambiguous[number] |= differs.any((0, 1))
            self.seen[number] += 1
        return numbers

    def arrays(self) -> dict[str, np.ndarray]:
        """All that there is, as `Frames` has it."""
        return {
            "pictures": np.stack(self.pictures),
            "planes": np.stack(self.planes),
            "ambiguous": np.stack(self.ambiguous),
            "seen": np.array(self.seen, np.int64),
            "digests": np.array(self.digests, np.uint64),
        }
