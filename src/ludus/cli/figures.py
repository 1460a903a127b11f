"""Numbers and intervals as tables of results show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

NO_INTERVAL = "-: no interval, since resampling changes nothing, which is no certainty"
WIDTH = 80  # of tables of results, at least: numbers are never cut


def figure(number: float) -> str:
    """With decimals where they say something."""
    return f"{round(number, 2) + 0.0:.2f}" if abs(number) < 10_000 else f"{number:.0f}"  # + 0.0: none is -0.00


def span(interval: tuple[float, float] | None) -> str:
    """An interval as 1.20 to 3.40; a dash where there is none."""
    return "-" if interval is None else f"{figure(interval[0])} to {figure(interval[1])}"


def new_table(words: Sequence[str], numbers: Sequence[str]) -> Table:
    """One with columns of words, the first of which may take several lines, and then of numbers, which never do."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for k, column in enumerate(words):
        table.add_column(column, no_wrap=k > 0, overflow="fold")
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table
