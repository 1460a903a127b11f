"""`ludus runs`: the agents in a folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..envs import LudusError, OptionError
from .arguments import parse
from .figures import WIDTH, figure, new_table
from .interrupts import import_agents
from .run_facts import Run, read_run
from .settings_file import SETTINGS
from .terminal import complain, console, say, shown

AGES = ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
DEPTHS = ("*", "*/*")  # at which runs are looked for


@dataclass
class Config:
    """List the agents in a folder, the newest first. Return is the mean of the last hundred episodes of training."""

    folder: Path = field(default=Path("runs"), metadata={"positional": True})
    """Where to look, and in the folders in it and in those."""


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "runs")
    if not config.folder.is_dir():
        raise OptionError(f"there is no folder {config.folder}; `ludus train GAME` makes runs/GAME-ALGO-DATE-TIME")
    import_agents()
    damaged: list[Exception] = []
    rows = [row for folder in folders(config.folder) if (row := row_of(folder, config.folder, damaged)) is not None]
    if rows:
        table = new_table(["run", "game", "algo"], ["steps", "return", "age"])
        for seconds, row in sorted(rows):
            table.add_row(*row, age(seconds))
        wide = console()
        wide.width = max(wide.width, WIDTH)
        wide.print(table)
    elif not damaged:
        say(f"no agents in {config.folder}; `ludus train GAME` makes one")
    for error in damaged:
        complain(str(error))
    return 0


def folders(folder: Path) -> Iterator[Path]:
    """Those of runs: with an agent, or with settings of a training that has not saved one."""
    found = [folder, *(path for depth in DEPTHS for path in sorted(folder.glob(depth)))]
    return (path for path in found if any((path / name).is_file() for name in ("agent.json", SETTINGS)))


def row_of(folder: Path, above: Path, damaged: list[Exception]) -> tuple[float, list[str]] | None:
    """Seconds since an agent was saved, and what there is to say of it; None, and why in `damaged`, if it cannot be read."""
    from ..agents.training.progress_bar import quantity

    try:
        run, seconds = read_run(folder), time.time() - (folder / "agent.json").stat().st_mtime
    except (LudusError, OSError) as error:
        damaged.append(error)
        return None
    name = str(folder if folder == above else folder.relative_to(above))
    words = shown(name), shown(run.game), run.algorithm
    return seconds, [*words, quantity(run.steps), last_return(run, damaged)]


def last_return(run: Run, damaged: list[Exception]) -> str:
    """What the curve ends with; a dash without one, or, with why in `damaged`, for one that cannot be read."""
    from ..agents.files.curve import CURVE, read_curve

    try:
        curve = read_curve(run.path).until(run.steps) if (run.path / CURVE).exists() else None
    except LudusError as error:
        damaged.append(error)
        curve = None
    return figure(curve.returns[-1]) if curve is not None and len(curve.returns) else "-"


def age(seconds: float) -> str:
    """In its largest unit: 5 min, 3 h."""
    size, unit = next((pair for pair in AGES if seconds >= pair[0]), AGES[-1])
    return f"{max(seconds, 0) // size:.0f} {unit}"
