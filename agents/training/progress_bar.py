"""A progress bar for training."""

from __future__ import annotations

import math
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from stable_baselines3.common.callbacks import BaseCallback

from .live import Live

LINE = "{percent:>5}  return {mean:>7}  {steps} steps  {rate}/s  left {left}"
HTML = """<div style="display:flex;flex-wrap:wrap;gap:2px 16px;align-items:center;font-size:13px">
<div style="width:220px;height:8px;border-radius:4px;overflow:hidden;background:rgba(128,128,128,.25)">
<div style="width:{done}%;height:100%;background:#4c7be0"></div></div>
<b>{percent}</b><span>return <b>{mean}</b></span><span>{steps} steps</span><span>{rate}/s</span>
<span>{elapsed}</span><span>left {left}</span></div>""".replace("\n", "")


class ProgressCallback(BaseCallback):
    """A progress bar with mean return, steps a second and time left, in a terminal or a notebook.

    Elsewhere it is a line every `interval` seconds.

    Args:
        interval: seconds between two lines where there is no terminal.
    """

    def __init__(self, console: Console | None = None, interval: float = 10.0) -> None:
        super().__init__()
        self.console = console or Console()
        self.interval = interval
        self.bar: Progress | None = None
        self.live: Live | None = None
        self.task = TaskID(0)
        self.started = self.last_line = 0.0

    def _on_training_start(self) -> None:
        self.started = self.last_line = time.monotonic()
        if self.console.is_jupyter:
            self.live = Live()
            self._show_live()
        elif self.console.is_terminal:
            self._show_bar()

    def _show_bar(self) -> None:
        self.bar = Progress(
            TextColumn("[bold]{task.fields[percent]}"),
            BarColumn(bar_width=28),
            TextColumn("return [bold green]{task.fields[mean]}[/]"),
            TextColumn("{task.fields[steps]} steps"),
            TextColumn("{task.fields[rate]}/s"),
            TimeElapsedColumn(),
            TextColumn("left {task.fields[left]}"),
            console=self.console,
        )
        self.task = self.bar.add_task("train", total=1.0, **self._fields())
        self.bar.start()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self.bar is not None:
            self.bar.update(self.task, completed=self._fraction(), **self._fields())
        elif self.live is not None:
            self._show_live()
        elif time.monotonic() - self.last_line > self.interval:
            self.last_line = time.monotonic()
            self.console.print(LINE.format(**self._fields()), highlight=False)

    def _on_training_end(self) -> None:
        self.close()

    def close(self) -> None:
        """Stop drawing; safe to call twice."""
        if self.bar is not None:
            self.bar.update(self.task, **self._fields())
            self.bar.stop()
            self.bar = None
        if self.live is not None:
            self._show_live()
            self.live.close()
            self.live = None

    def _show_live(self) -> None:
        assert self.live is not None
        fields = self._fields()
        self.live.show(LINE.format(**fields), HTML.format(done=round(100 * self._fraction()), **fields))

    def _fraction(self) -> float:
        """Part of the training that is done, from 0 to 1, by steps or by the time limit, whichever is ahead."""
        done = self.num_timesteps / max(self.model._total_timesteps, 1)
        limit = getattr(self.model, "time_limit", None)
        return min(1.0, max(done, self._seconds() / limit if limit else 0.0))

    def _seconds(self) -> float:
        """Seconds of training so far, those before a resume included."""
        return getattr(self.model, "elapsed_before", 0.0) + time.monotonic() - self.started

    def _fields(self) -> dict[str, Any]:
        seconds = time.monotonic() - self.started
        done, in_all = self._fraction(), self._seconds()
        episodes = [episode["r"] for episode in self.model.ep_info_buffer or ()]
        steps = self.num_timesteps - self.model._num_timesteps_at_start
        return {
            "percent": f"{100 * done:.0f} %",
            "mean": f"{sum(episodes) / len(episodes):.2f}" if episodes else "-",
            "steps": quantity(self.num_timesteps),
            "rate": quantity(steps / seconds) if seconds > 1 else "-",
            "elapsed": clock(in_all),
            "left": clock(in_all / done - in_all) if done > 0.01 else "-",
        }


def quantity(number: float) -> str:
    """A count in three digits: 950, 51.3 k, 4.10 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.{2 - int(math.log10(number / size))}f}{unit}"
    return f"{number:.0f}"


def clock(seconds: float) -> str:
    """Minutes and seconds, such as 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
