"""`ludus plot`: how agents learned, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..envs import OptionError
from .arguments import parse
from .named import is_of_zoo, place_of
from .out_file import check_figure, save_figure
from .run_facts import Run, grouped, labels, read_run
from .terminal import say

if TYPE_CHECKING:
    from ..agents.files.curve import Curve


@dataclass
class Config:
    """Draw return against steps and against time of training. Runs of one setting are one line with a band."""

    run: tuple[Path, ...]
    """Folders that `ludus train` wrote, of any games, algorithms and settings; or games, for the zoo's agents."""
    out: Path = Path("curves.png")
    """The file to write; its name ends in .png or .svg."""
    force: bool = False
    """Replace that file."""


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "plot")
    check_figure(config.out, config.force)
    curves = by_environment([read_run(path) for path in dict.fromkeys(config.run)])
    from ..zoo.plots import learning_curves

    figure = learning_curves(curves)
    for title, settings in curves.items():
        for label, seeds in settings.items():
            say(f"{title}: {label}{f' ({len(seeds)} runs)' if len(seeds) > 1 else ''}")
    save_figure(config.out, figure)
    return 0


def by_environment(runs: Sequence[Run]) -> dict[str, dict[str, list[Curve]]]:
    """Curves by environment and setting, in words; raises LudusError for a run that has none."""
    found: dict[str, dict[str, list[Curve]]] = {}
    for title in dict.fromkeys(run.title for run in runs):
        groups = grouped(run for run in runs if run.title == title)
        named = zip(labels([group[0] for group in groups]), groups, strict=True)
        found[title] = {label: [curve_of(run) for run in group] for label, group in named}
    return found


def curve_of(run: Run) -> Curve:
    """The curve of a run, of two points or more."""
    from ..agents.files.curve import Curve, read_curve
    from ..zoo.cards import read_card

    if is_of_zoo(run.path):
        points = read_card(place_of(run.path))["curve"]
        curve = Curve(*np.array(points).T, np.full(len(points), np.nan))
    else:
        curve = read_curve(run.path)
    if len(curve.steps) < 2:
        raise OptionError(f"{run.path}: its curve has fewer than two points: train for longer")
    return curve
