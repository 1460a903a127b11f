"""Frames put together from several, and taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...envs import OptionError
from .frames import Frames

ALIKE = ("game", "options", "plane_names", "action_names")


def merged(parts: Sequence[Frames], continues: Sequence[bool] = ()) -> Frames:
    """All frames in one, each picture once, with the steps of each after those of the one before.

    Args:
        parts: of one game, with the same options and the same number of games.
        continues: which parts go on where the one before ended; elsewhere episodes are cut, as if they ended there. Left
            out: none does.
    """
    if not parts:
        raise OptionError("there are no frames to put together")
    first = parts[0]
    for other in parts:
        for name in ALIKE:
            if getattr(first, name) != getattr(other, name):
                raise OptionError(f"frames of {name} {getattr(first, name)} do not go with {getattr(other, name)}")
        if first.index.shape[1] != other.index.shape[1]:
            raise OptionError(f"frames of {first.index.shape[1]} games at once do not go with {other.index.shape[1]}")
    _, found, number = np.unique(
        np.concatenate([part.digests for part in parts]), return_index=True, return_inverse=True
    )
    order = np.argsort(found)  # as they were first seen
    numbers = np.split(np.argsort(order)[number], np.cumsum([len(part) for part in parts])[:-1])
    total = {
        name: np.zeros((len(found), *getattr(first, name).shape[1:]), getattr(first, name).dtype)
        for name in ("pictures", "planes", "ambiguous", "seen", "digests")
    }
    for part, new in zip(reversed(parts), reversed(numbers), strict=True):  # the first one's stay
        for name in ("pictures", "planes", "digests"):
            total[name][new] = getattr(part, name)
    for part, new in zip(parts, numbers, strict=True):
        total["seen"][new] += part.seen
        total["ambiguous"][new] |= part.ambiguous | (total["planes"][new] != part.planes).any((1, 2))
    done = [part.done.copy() for part in parts]
    for ended, goes_on in zip(done[:-1], continues[1:] or [False] * len(done[:-1]), strict=True):
        ended[-1] |= not goes_on
    steps = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("action", "advice", "reward", "truncated", "level")
    }
    index = np.concatenate([new[part.index] for part, new in zip(parts, numbers, strict=True)])
    return replace(first, **total, **steps, index=index, done=np.concatenate(done))


def pieces(frames: Frames, most: int) -> int:
    """How many `cut` makes of frames."""
    return min(len(frames.index), -(-len(frames) // most))


def cut(frames: Frames, most: int) -> Iterator[Frames]:
    """The frames as several of about `most` pictures each, which `merged` puts together again.

    Each has the steps of a stretch of time and the pictures seen in them; what no step has seen is spread over all.
    """
    steps, pictures = len(frames.index), len(frames)
    count = pieces(frames, most)
    edges = np.arange(count + 1) * steps // count
    home = np.arange(pictures) * count // pictures  # the stretch that a picture was first seen in
    for k in reversed(range(count)):
        home[frames.index[edges[k] : edges[k + 1]]] = k
    apart = frames.seen - np.bincount(frames.index.ravel(), minlength=pictures)  # seen in no step
    for k, (begin, end) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        index = frames.index[begin:end]
        seen = np.bincount(index.ravel(), minlength=pictures) + np.where(home == k, apart, 0)
        rows = np.flatnonzero((seen > 0) | (home == k))
        number = np.zeros(pictures, np.int64)
        number[rows] = np.arange(len(rows))
        columns = ("action", "advice", "reward", "done", "truncated", "level")
        kept = {name: getattr(frames, name)[rows] for name in ("pictures", "planes", "ambiguous", "digests")}
        taken = {name: getattr(frames, name)[begin:end] for name in columns}
        yield replace(frames, **kept, **taken, seen=seen[rows], index=number[index])
