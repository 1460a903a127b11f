"""What each part of DQN adds: the defaults with one setting changed at a time, on MinAtar's games under their own protocol.

    python benchmarks/ablation.py [--steps 1e6] [--seeds 3] [--games Breakout,Asterix] [--only double,qr] [--write]

Every run is a process of its own on one core, as many at once as there are cores; see `runs.py`. Each is kept in
results/ablation.json as soon as it ends, so that the same command goes on where it was interrupted; runs with settings that
are no longer those of their row are done again. The table has all that is kept; --write puts it into RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from report import Table, amount, between, describe, machine, read_figures, write_figures, write_results
from rich.console import Console
from runs import Case, comparison_parser, cut_off, run_all

from ludus.cli.settings import PRESETS, SETTINGS
from ludus.envs.statistics import interval

PACKAGES = ("ludus", "torch", "stable-baselines3", "numpy")
SWITCHES = ("double", "dueling", "prioritized", "noisy", "munchausen", "huber", "layer_norm")
LENGTHS, DISTRIBUTIONS = (1, 3, 5), (None, "c51", "qr", "iqn")
NAME = "ablation"
HOW = """{machine}

`ludus train GAME --recipe --algo dqn --total-timesteps {steps} --num-threads 1`, with one setting changed: sticky actions
0.1, all six actions, no limit of steps, CPU only. The defaults are {defaults}."""
NOTE = (
    "Of each game: the mean return of the final agent, greedy, over 100 whole episodes and over the seeds; that of each "
    "seed; and a 95 % bootstrap interval over the seeds. Steps per second are rough: of one core, with as many trainings at "
    "once as there are cores, one after another. Presets are those of `ludus train --preset`."
)


class Row(NamedTuple):
    """One of the agents compared.

    Attributes:
        name: as --only has it.
        label: as the table has it.
        settings: all of them, in place of the recipe's.
    """

    name: str
    label: str
    settings: Any

    def cases(self, games: list[str], seeds: int, steps: int) -> list[Case]:
        """Its trainings, first those of the first seed."""
        pairs = product(range(seeds), games)
        return [Case(game, seed, steps, "dqn", asdict(self.settings), self.name) for seed, game in pairs]


def all_rows(base: Any) -> list[Row]:
    """The defaults, each change of them, and the presets."""
    rows = [Row("default", "the defaults", base)]
    for name in SWITCHES:
        on = not getattr(base, name)
        rows.append(Row(name, f"{name} {'on' if on else 'off'}", replace(base, **{name: on})))
    for count in LENGTHS:
        if count != base.n_steps:
            rows.append(Row(f"n_steps={count}", f"n_steps {count}", replace(base, n_steps=count)))
    for kind in DISTRIBUTIONS:
        if kind != base.distribution:
            rows.append(Row(kind or "mean", f"distribution {kind}", replace(base, distribution=kind)))
    rows.append(Row("mlp", "policy mlp, no net_arch", replace(base, policy="mlp", net_arch=None)))
    return rows + [Row(name, f"preset {name}", replace(base, **preset)) for name, preset in PRESETS["dqn"].items()]


def chosen(rows: list[Row], only: str | None) -> list[Row]:
    """Rows by name; all if none is given."""
    names = [row.name for row in rows]
    wanted = only.split(",") if only else names
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise SystemExit(f"there is no row {unknown[0]}; there are {', '.join(names)}")
    return [row for row in rows if row.name in wanted]


class Kept:
    """Runs that ended, as results/ablation.json has them."""

    def __init__(self) -> None:
        found = read_figures(NAME)
        self.machine = found.get("machine") or machine(PACKAGES)
        self.runs = {(run["row"], run["game"], run["seed"], run["asked"]): run for run in found.get("runs", [])}

    def find(self, case: Case) -> dict[str, Any] | None:
        """The run, if it ended and its settings are still those of its row."""
        run = self.runs.get((case.name, case.game, case.seed, case.steps))
        return run if run is not None and run["settings"] == as_kept(case.changes) else None

    def keep(self, case: Case, found: dict[str, Any]) -> None:
        del found["curve"]
        run = {"row": case.name, **found, "asked": case.steps, "settings": as_kept(case.changes)}
        self.runs[case.name, case.game, case.seed, case.steps] = run
        self.machine = machine(PACKAGES)
        write_figures(NAME, self.figures())

    def figures(self) -> dict[str, Any]:
        return {"machine": self.machine, "runs": [self.runs[key] for key in sorted(self.runs)]}


def as_kept(settings: dict[str, Any]) -> dict[str, Any]:
    """As a file has them: JSON knows no tuples."""
    return json.loads(json.dumps(settings))


def table_of(rows: list[Row], games: list[str], seeds: int, steps: int, kept: Kept) -> Table:
    """A line for each row that has runs."""
    lines, unfinished, means = [], 0, {}
    for row in rows:
        runs = [run for case in row.cases(games, seeds, steps) if (run := kept.find(case))]
        unfinished += sum(run["unfinished"] for run in runs)
        if runs:
            of_games = [[run for run in runs if run["game"] == game] for game in games]
            cells = [cell for found in of_games for cell in cells_of(found)]
            if all(of_games):
                means[row.label] = [returns_of(found).mean() for found in of_games]
            rate = sum(run["steps"] for run in runs) / sum(run["seconds"] for run in runs)
            lines.append([row.label, *cells, amount(rate)])
    columns = [column for game in games for column in (game, "seeds", "95 %")]
    note = f"{NOTE}{cut_off(unfinished)} {above(means, rows[0].label)}"
    return Table("DQN with one setting changed", note, ["agent", *columns, "steps/s"], lines)


def above(means: dict[str, list[float]], base: str) -> str:
    """Which agents have higher means than the base, game by game, in a sentence; nothing without the base's."""
    if base not in means:
        return ""
    better = [name for name, of in means.items() if all(x > y for x, y in zip(of, means[base], strict=True))]
    return f"Above {base} on every game: {', '.join(better) or 'none'}."


def cells_of(runs: list[dict[str, Any]]) -> list[str]:
    """Mean, seeds and interval of one agent on one game."""
    if not runs:
        return ["-", "-", "-"]
    returns = returns_of(runs)
    return [f"{returns.mean():.1f}", ", ".join(f"{value:.1f}" for value in returns), between(interval(returns))]


def returns_of(runs: list[dict[str, Any]]) -> np.ndarray:
    """Mean returns of the final agents, greedy, one a run."""
    return np.array([run["greedy"] for run in runs])


def account(table: Table, steps: int, facts: dict[str, Any]) -> str:
    """The section of RESULTS.md."""
    settings = {name: value for name, value in asdict(SETTINGS["dqn"]()).items() if name != "num_threads"}
    defaults = ", ".join(f"{name} {value}" for name, value in settings.items())
    how = HOW.format(machine=describe(facts), steps=steps, defaults=defaults)
    return "\n\n".join(["## Ablation", how, table.markdown()])


def parse() -> argparse.Namespace:
    parser = comparison_parser("What each part of DQN adds, on MinAtar's games.", steps=1_000_000, seeds=3)
    parser.add_argument("--only", metavar="ROW,ROW", help="train these alone")
    return parser.parse_args()


def main() -> None:
    """Train what is missing, keep it, and show; with --write also in RESULTS.md."""
    arguments, rows, kept, console = parse(), all_rows(SETTINGS["dqn"]()), Kept(), Console()
    extent = arguments.games, arguments.seeds, arguments.steps
    cases = [case for row in chosen(rows, arguments.only) for case in row.cases(*extent)]
    missing = [case for case in sorted(cases, key=lambda case: case.seed) if kept.find(case) is None]

    def keep(case: Case, found: dict[str, Any]) -> None:
        kept.keep(case, found)
        console.print(f"{case}: greedy {found['greedy']:.1f}, {found['seconds']:.0f} s", highlight=False)

    console.print(f"{len(missing)} of {len(cases)} trainings are to be done")
    run_all(missing, keep)
    table = table_of(rows, *extent, kept)
    console.print(table.rich())
    if arguments.write:
        write_results(NAME, kept.figures(), account(table, arguments.steps, kept.machine))


if __name__ == "__main__":
    main()
