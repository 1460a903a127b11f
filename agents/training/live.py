"""What is written again and again while an agent learns, in one place of a notebook's output instead of hundreds of lines."""

from __future__ import annotations

import io
import sys
import time
from typing import Any

from rich.console import Console
from stable_baselines3.common.logger import HumanOutputFormat, Logger


def in_notebook() -> bool:
    """Whether this runs in the kernel of a notebook."""
    return Console().is_jupyter


class Live:
    """A place in the output of a notebook's cell that shows the latest of what it is given.

    Args:
        interval: seconds between two of them; more would be hard on browsers.
    """

    def __init__(self, interval: float = 0.25) -> None:
        self.interval, self.due = interval, 0.0
        self.waiting: dict[str, str] | None = None
        self.handle: Any = None

    def show(self, text: str, html: str | None = None) -> None:
        self.waiting = {"text/plain": text} if html is None else {"text/plain": text, "text/html": html}
        if time.monotonic() >= self.due:
            self.close()

    def close(self) -> None:
        """Show what waits; safe to call twice."""
        if self.waiting is None:
            return
        if self.handle is None:
            from IPython.display import display

            self.handle = display(self.waiting, raw=True, display_id=True)
        else:
            self.handle.update(self.waiting, raw=True)
        self.waiting, self.due = None, time.monotonic() + self.interval


class LiveTable(HumanOutputFormat):
    """Stable-Baselines3's table of what is logged, the latest in the place of those before."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self.live = Live()

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        text = io.StringIO()
        HumanOutputFormat(text, self.max_length).write(key_values, key_excluded, step)
        self.live.show(text.getvalue())


def put_live_table(logger: Logger) -> None:
    """Let a logger that prints tables show the latest only, in a notebook."""
    if in_notebook():
        logger.output_formats = [
            LiveTable() if type(one) is HumanOutputFormat and one.file is sys.stdout else one
            for one in logger.output_formats
        ]


def finish_live_tables(logger: Logger) -> None:
    """Show the last table."""
    for one in logger.output_formats:
        if isinstance(one, LiveTable):
            one.live.close()
