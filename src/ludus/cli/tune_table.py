"""What `ludus tune` shows while its trials run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .terminal import console
from .trials import POINTS

if TYPE_CHECKING:
    from optuna import Study
    from rich.table import Table

ROWS = 6  # of trials that have ended, the best first
FIRST = ("learning_rate", "batch_size", "layers", "width")  # settings that a row begins with, as far as there is room


class TuneTable:
    """A table on standard error that changes with its study or, where that is no terminal, a line now and then.

    Args:
        interval: seconds between two lines.
    """

    def __init__(self, study: Study, trials: int, what: str, interval: float = 10.0) -> None:
        from rich.live import Live

        self.study, self.trials, self.what, self.interval = study, trials, what, interval
        self.console = console(stderr=True)
        self.live = Live(console=self.console, auto_refresh=False, transient=False)
        self.due = 0.0

    def __enter__(self) -> TuneTable:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.show(last=True)
        self.live.stop()

    def show(self, last: bool = False) -> None:
        """Draw, or print the line if it is time."""
        trials = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.name != "FAIL"]
        if self.console.is_terminal:
            self.live.update(self.table(trials), refresh=True)
        elif last or time.monotonic() >= self.due:
            self.due = time.monotonic() + self.interval
            self.console.print(self.summary(trials), soft_wrap=True)

    def summary(self, trials: list[Any]) -> str:
        """How far it is, in a line."""
        number = {
            state: sum(trial.state.name == state for trial in trials) for state in ("COMPLETE", "PRUNED", "RUNNING")
        }
        ended = number["COMPLETE"] + number["PRUNED"]
        pruned = f", {number['PRUNED']} of them pruned" if number["PRUNED"] else ""
        best = max((trial.value for trial in trials if trial.state.name == "COMPLETE"), default=None)
        score = "" if best is None else f", best score {best:.2f}"
        return f"{self.what}: {ended} of {self.trials} ended{pruned}, {number['RUNNING']} running{score}"

    def table(self, trials: list[Any]) -> Table:
        """Trials that run, and the best of those that have ended."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, title=self.summary(trials), title_justify="left", expand=True
        )
        table.add_column("trial", justify="right", width=5)
        table.add_column("score", justify="right", width=8)
        table.add_column("curve", width=POINTS)
        table.add_column("settings")  # whose texts, not the column, are cut: it gives way to others
        running = [trial for trial in trials if trial.state.name == "RUNNING"]
        complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
        for trial in [*running, *sorted(complete, key=lambda trial: -trial.value)[:ROWS]]:
            settings = Text(in_words(trial.params), no_wrap=True, overflow="ellipsis")
            score = "" if trial.value is None else f"{trial.value:.2f}"
            table.add_row(str(trial.number), score, curve(trial), settings)
        return table


def curve(trial: Any) -> str:
    """The learning curve as bars of eight heights."""
    values = [trial.intermediate_values[point] for point in sorted(trial.intermediate_values)]
    if not values:
        return "." * POINTS if trial.state.name == "RUNNING" else ""
    low, high = min(*values, 0.0), max(*values, 0.0)
    bars = "".join("▁▂▃▄▅▆▇█"[round(7 * (value - low) / (high - low or 1.0))] for value in values)
    return bars + "." * (POINTS - len(bars) if trial.state.name == "RUNNING" else 0)


def in_words(parameters: dict[str, Any]) -> str:
    """Settings in a line, those first that matter most."""
    names = sorted(parameters, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    values = {name: f"{x:.2g}" if isinstance(x, float) else str(x) for name, x in parameters.items()}
    return ", ".join(f"{name} {values[name]}" for name in names)
