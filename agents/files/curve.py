"""How a training went, as `curve.csv` beside the agent: a row now and then, which a spreadsheet reads as well.

    steps,seconds,return,length
    16384,1.204,0.52,31.4

Return and length are means of the last hundred episodes, as in Stable-Baselines3's logs; seconds are of training alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .safe_io import CheckpointError, read_bytes, short, write_whole

CURVE = "curve.csv"
COLUMNS = ("steps", "seconds", "return", "length")
MAX_CURVE = 50_000_000  # bytes


@dataclass(frozen=True)
class Curve:
    """K points of a training, arrays (K,) float64, in the order of steps."""

    steps: np.ndarray
    seconds: np.ndarray
    returns: np.ndarray
    lengths: np.ndarray

    def until(self, steps: int) -> Curve:
        """The points of the first so many steps."""
        count = int(np.searchsorted(self.steps, steps, "right"))
        return Curve(*(column[:count] for column in vars(self).values()))

    def thinned(self, points: int) -> Curve:
        """At most so many points, evenly spread in steps; the last one is among them."""
        ends = np.linspace(0, self.steps.max(initial=0), points + 1)[1:]
        kept = np.unique(np.searchsorted(self.steps, ends))
        return Curve(*(column[kept[: len(column)]] for column in vars(self).values()))


def read_curve(folder: Path) -> Curve:
    """The curve in a run's folder; raises CheckpointError if there is none, or none that can be read.

    A last line without an end, which a crash leaves, is left out.
    """
    path = folder / CURVE
    if not path.exists():
        raise CheckpointError(f"{folder} has no {CURVE}, which `ludus train` writes")
    head, *lines = read_bytes(path, MAX_CURVE).decode("utf-8", "replace").split("\n")
    if head != ",".join(COLUMNS):
        raise CheckpointError(f"{path} is no curve of a training: it begins with {short(repr(head))}")
    rows = []
    for number, line in enumerate(lines[:-1], 2):
        try:
            row = [float(word) for word in line.split(",")]
        except ValueError:
            row = []
        if len(row) != len(COLUMNS) or not np.isfinite(row).all() or (rows and row[0] < rows[-1][0]):
            raise CheckpointError(f"{path}, line {number}: {short(repr(line))} is no point of a curve")
        rows.append(row)
    return Curve(*np.array(rows).reshape(-1, len(COLUMNS)).T)


def write_curve(folder: Path, curve: Curve | None = None) -> None:
    """Begin a file, with the points of a curve if there is one already; raises OSError."""
    rows = [] if curve is None else zip(*vars(curve).values(), strict=True)
    text = "".join([f"{','.join(COLUMNS)}\n", *map(line_of, rows)])
    write_whole(folder / CURVE, text.encode())


def add_point(folder: Path, *point: float) -> None:
    """Add steps, seconds, return and length at the end, in one piece; raises OSError."""
    with open(folder / CURVE, "ab", buffering=0) as file:
        file.write(line_of(point).encode())


def line_of(point: tuple[float, ...]) -> str:
    """A point as a line of the file."""
    steps, seconds, mean, length = point
    return f"{steps:.0f},{seconds:.3f},{mean:.6g},{length:.6g}\n"
