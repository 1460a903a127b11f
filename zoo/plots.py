"""Figures of how agents learn and compare, as `matplotlib.figure.Figure`; colours as in `agents.pretraining.plots`.

Line styles change along with colours, so that figures can be read in black and white.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..agents.files.curve import Curve
from ..agents.pretraining.plots import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    figure_of,
    legend_below,
    plain_axes,
)
from ..envs.errors import printable
from ..envs.statistics import bands, iqm, performance_profile

COLORS, DASHES = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, BLACK), ("-", "--", "-.", ":")
POINTS = 200  # along a curve
UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
LEAST = 3  # of a unit, for an axis to be in it


def learning_curves(runs: Mapping[str, Mapping[str, Sequence[Curve]]]) -> Any:
    """Return against steps and against time: a row for each environment, a line for each setting of `runs`.

    Of several runs of a setting the line is the interquartile mean, with a band of its 95 % bootstrap interval, as far as all
    of them go.

    Args:
        runs: curves by environment and setting, in words.

    Raises:
        OptionError: Matplotlib is not installed.
    """
    figure = figure_of(9, 0.7 + 2.8 * len(runs), "plot")
    styles = styles_of(label for settings in runs.values() for label in settings)
    rows = figure.subplots(len(runs), 2, sharey="row", squeeze=False)
    for (title, settings), (by_steps, by_time) in zip(runs.items(), rows, strict=True):
        last = max((curve.seconds[-1] for curves in settings.values() for curve in curves), default=0.0)
        scale, unit = next((scale, unit) for scale, unit in UNITS if last >= LEAST * scale or scale == 1)
        plain_axes(by_steps, letters(title), "steps", "mean return of 100 episodes")
        plain_axes(by_time, "", unit)
        by_steps.xaxis.set_major_formatter(engineering())
        for label, curves in settings.items():
            draw(by_steps, [(curve.steps, curve.returns) for curve in curves], styles[label])
            draw(by_time, [(curve.seconds / scale, curve.returns) for curve in curves], styles[label])
        for axes in (by_steps, by_time):
            axes.set_xlim(left=0)  # not before there are lines, which then would not count
    counts = {label: {len(settings[label]) for settings in runs.values() if label in settings} for label in styles}
    several = any(max(found) > 1 for found in counts.values())
    names = {f"{label}{of_runs(counts[label])}": style for label, style in styles.items()}
    add_legend(figure, names, "interquartile mean of runs, and its 95 % interval" if several else None)
    return figure


def performance_profiles(scores: Mapping[str, Sequence[np.ndarray]], of: str) -> Any:
    """The share of scores above each threshold (Agarwal et al. 2021), with pointwise 95 % bands.

    Args:
        scores: for each agent an array (K,) for each game.
        of: what the scores are, in words.
    """
    figure = figure_of(6, 4.2, "plot")
    axes = plain_axes(figure.subplots(), "Performance profiles", letters(of), "share of scores above")
    everything = np.concatenate([stratum for strata in scores.values() for stratum in strata])
    margin = 0.03 * (everything.max() - everything.min() or 1.0)  # so that lines begin at 100 % and end at 0
    thresholds = np.linspace(everything.min() - margin, everything.max() + margin, 2 * POINTS + 1)
    styles = styles_of(scores)
    for label, strata in scores.items():
        share, low, high = performance_profile(strata, thresholds)
        axes.plot(thresholds, share, **styles[label])
        axes.fill_between(thresholds, low, high, color=styles[label]["color"], alpha=0.2, linewidth=0)
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter("{x:.0%}")
    add_legend(figure, styles, "bands: 95 % intervals at each threshold")
    return figure


def of_runs(counts: set[int]) -> str:
    """How many runs lines are of, in words; none where each is of one."""
    if max(counts) == 1:
        return ""
    return f" ({' or '.join(map(str, sorted(counts)))} runs)"


def styles_of(labels: Any) -> dict[str, dict[str, Any]]:
    """A colour and a line style for each label."""
    return {
        label: {"color": COLORS[k % len(COLORS)], "linestyle": DASHES[k % len(DASHES)], "linewidth": 1.7}
        for k, label in enumerate(dict.fromkeys(labels))
    }


def draw(axes: Any, lines: Sequence[tuple[np.ndarray, np.ndarray]], style: dict[str, Any]) -> None:
    """One line (K,), (K,) as it is; of several the interquartile mean and its interval, where all of them are."""
    (x, returns), *others = lines
    if others:
        x = np.linspace(max(x[0] for x, _ in lines), min(x[-1] for x, _ in lines), POINTS)
        every = np.stack([np.interp(x, *line) for line in lines], 1)  # (POINTS, runs)
        returns = iqm(every)
        axes.fill_between(x, *bands(every, iqm), color=style["color"], alpha=0.2, linewidth=0)
    axes.plot(x, returns, **style)


def add_legend(figure: Any, styles: Mapping[str, dict[str, Any]], note: str | None) -> None:
    """What each line is, below all axes, and a note on lines and bands."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], label=letters(label), **style) for label, style in styles.items()]
    legend_below(figure, lines, note)


def letters(text: str) -> str:
    """A text that Matplotlib writes letter by letter."""
    return printable(text).replace("$", r"\$")


def engineering() -> Any:
    """Numbers such as 500 k and 2 M."""
    from matplotlib.ticker import EngFormatter

    return EngFormatter(sep=" ")
