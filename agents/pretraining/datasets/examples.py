"""Examples with labels, in one type whatever they show, and the checks that all of them pass."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ....envs import OptionError
from ...checkpoints.encoder_facts import MAX_LENGTH, MAX_NAME, MAX_NAMES, MAX_SIDE
from ...files.safe_io import short
from ...runtime.hardware import available_memory
from ..frames import PARTS, Frames, digest_of, part_of

MAX_NAMES_BYTES = 500_000  # of the names of all classes, which agents with the encoder have in their files, too
LEFT_OUT = len(PARTS)  # the part of an example that another part has, too


@dataclass(frozen=True)
class Examples:
    """N inputs and what they show.

    Attributes:
        name: of the data set.
        inputs: pictures (N, H, W, C) uint8, where spectrograms have one channel and videos those of all their frames; or
            texts (N, L) int32, numbers of tokens and 0 after the last.
        labels: one class each, (N,) int64; or any number of classes, (N, K) uint8 of 0 and 1; or classes at cells,
            (N, rows, columns, K) uint8 of 0 and 1.
        class_names: of the K classes.
        part: (N,) uint8, which of `PARTS`, or `LEFT_OUT`.
        words: the vocabulary of texts, see `ludus.agents.nn.text.Tokenizer`.
    """

    name: str
    inputs: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    part: np.ndarray
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        refuse_odd(self.name, self.inputs.shape[1:], self.class_names)
        for part in PARTS:
            if not len(self.rows(part)):
                few = f"{self.name} has {len(self):,} examples and none of them is of the {part} part"
                raise OptionError(f"{few}: give more, about a hundred or above")

    def __len__(self) -> int:
        return len(self.inputs)

    def rows(self, part: str) -> np.ndarray:
        """The examples of a part, by number, (K,) int64."""
        return np.flatnonzero(self.part == PARTS.index(part))

    def only(self, classes: Sequence[str]) -> Examples:
        """The examples of some of the classes, which are numbered as they are given here."""
        if self.labels.ndim != 1:
            raise OptionError(f"an example of {self.name} may have several classes: choose rows by its labels")
        unknown = [name for name in classes if name not in self.class_names]
        if unknown:
            raise OptionError(f"{self.name} has no class {unknown[0]!r}: choose from {', '.join(self.class_names)}")
        numbers = np.full(len(self.class_names), -1)
        numbers[[self.class_names.index(name) for name in classes]] = np.arange(len(classes))
        labels = numbers[self.labels]
        kept = labels >= 0
        names = tuple(classes)
        return replace(self, inputs=self.inputs[kept], labels=labels[kept], class_names=names, part=self.part[kept])

    def frames(self) -> Frames:
        """Pictures as methods take them that learn from frames of a game: one step each, none of which follows another.

        Classes at cells are planes, and `ludus.agents.pretraining.methods.planes` learns them.
        """
        if self.inputs.ndim != 4:
            raise OptionError(f"{self.name} has texts: only pictures can be frames")
        count = len(self)
        cells = self.labels if self.labels.ndim == 4 else np.zeros((count, 0, 0, 0), np.uint8)
        names = self.class_names if self.labels.ndim == 4 else ()
        step = np.zeros((1, count), np.int64)
        frames = Frames(
            self.name, {}, names, ("none",), self.inputs, cells, np.zeros((count, len(names)), np.bool_),
            np.ones(count, np.int64), digest_of(self.inputs), np.arange(count)[None], step, step - 1,
            step.astype(np.float32), np.ones((1, count), np.bool_),
        )  # fmt: skip
        frames.part = self.part
        return frames


def parts_of(inputs: np.ndarray, split: np.ndarray | None = None) -> np.ndarray:
    """Which part each example is of, (N,) uint8.

    By its content alone, as frames of games are, or as the data set says; what it has no validation part for is taken by
    content from its training part. An example that is in two parts stays in the one that is trained on less, so that what
    is measured is on examples that no training has seen.

    Args:
        inputs: (N, ...).
        split: (N,) uint8, numbers of `PARTS`; None: the data set does not say.
    """
    digests = digest_of(np.ascontiguousarray(inputs))
    by_content = part_of(digests)
    if split is None:
        return by_content
    train, validation = PARTS.index("train"), PARTS.index("validation")
    part = split.copy()
    if not (part == validation).any():
        part[(part == train) & (by_content == validation)] = validation
    _, same = np.unique(digests, return_inverse=True)
    last = np.zeros(same.max(initial=0) + 1, np.uint8)
    np.maximum.at(last, same, part)
    part[part < last[same]] = LEFT_OUT
    return part


def refuse_odd(name: str, shape: Sequence[int], class_names: Sequence[str]) -> None:
    """Raise OptionError for inputs (*shape) and classes of which no encoder can be kept."""
    if max(shape) > (most := MAX_SIDE if len(shape) == 3 else MAX_LENGTH):
        each = "x".join(map(str, shape))
        raise OptionError(
            f"{name} has inputs of {each}, and no side may be above {most:,}: give a smaller size (--size)"
        )
    count, size = len(class_names), len(json.dumps(class_names, ensure_ascii=False).encode(errors="replace"))
    if count < 2:
        classes = "one class" if count else "no class"
        raise OptionError(f"{name} has {classes}: there must be two or more to tell apart")
    longest = max(class_names, key=len)
    if len(longest) > MAX_NAME:
        raise OptionError(
            f"{name} has a class whose name has {len(longest):,} characters, at most {MAX_NAME:,} may be: "
            f"{short(repr(longest))[:60]}"
        )
    if count > MAX_NAMES or size > MAX_NAMES_BYTES:
        raise OptionError(
            f"{name} has {count:,} classes, whose names take {amount(size)}: at most {MAX_NAMES:,} and "
            f"{amount(MAX_NAMES_BYTES)} may be, choose another label (--label)"
        )


def amount(size: int) -> str:
    """Bytes, as people read them."""
    number, unit = (size / 1e9, "GB") if size >= 1e9 else (size / 1e6, "MB")
    return f"{number:,.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"


def allocate(name: str, shape: Sequence[int], dtype: type, tell: Callable[[str], Any]) -> np.ndarray:
    """An array for the inputs of a data set, whose size `tell` hears first; raises OptionError where it does not fit."""
    size, left = math.prod(shape) * np.dtype(dtype).itemsize, available_memory(torch.device("cpu"))
    each = f"pictures of {'x'.join(map(str, shape[1:]))}" if len(shape) == 4 else f"texts of up to {shape[-1]} tokens"
    tell(f"{name}: {shape[0]:,} {each}, {amount(size)}")
    if left is not None and size > left:
        fitting = max(1, int(shape[0] * left / size / 2))
        raise OptionError(
            f"{name} takes {amount(size)} of memory, and {amount(left)} is left: "
            f"give a limit (--limit {fitting}), or a smaller size or length"
        )
    return np.zeros(shape, dtype)
