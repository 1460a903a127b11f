"""Whether a change made anything slower: two checkouts of Ludus, measured side by side in one run.

    python benchmarks/before_after.py --before OLD/.venv/bin/python --after NEW/.venv/bin/python [--parts agents,games]

Each interpreter has one of the checkouts installed, best in editable mode. Every measurement is a process of its own under
one of them, in the order A B B A ...; figures are medians over the rounds, by the clock and per second of processor time,
which depends less on what else the computer does. Three rounds take about twelve minutes on two cores.

    agents    steps per second of learning, with the settings of `training --parts speed`, and of `ludus train`'s defaults
    games     steps per second of random play: the engine, Gymnasium's and Stable-Baselines3's interfaces, on one core
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from processes import run_job
from report import Table, all_cores, amount, machine, write_figures
from rich.console import Console
from training.ppo_peers import SHAPES

PACKAGES = ("torch", "numba", "numpy", "stable-baselines3")
GAMES = ("Breakout", "Seaquest", "Snake", "Tetris", "Muncher", "Wilds", "CartPole", "Lander")
NETWORKS = {"mlp": "mlp", "cnn": "cnn", "towers": "MlpPolicy"}
SLOWER = 0.95  # a ratio below it is pointed out
NOTE = "Steps per second by the clock; after / before by the clock and by processor time."
COMMIT = """
import pathlib, subprocess, ludus
folder = pathlib.Path(ludus.__file__).parent
print(subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True).stdout.strip())
"""
console = Console(width=80)


class Case(NamedTuple):
    """A measurement: a job of a module, which gives one rate, or several by name."""

    name: str
    module: str
    job: str
    threads: int
    arguments: dict[str, Any]

    def rates(self, python: str, seconds: float) -> dict[str, dict[str, float]]:
        """Steps per second, `wall` and `cpu`, by the names of rows."""
        found = run_job(self.module, self.job, self.threads, python=python, seconds=seconds, **self.arguments)
        if "steps" not in found:
            return {f"{self.name}, {name}": rate for name, rate in found.items()}
        return {self.name: {"wall": found["steps"] / found["seconds"], "cpu": found["steps"] / found["cpu_seconds"]}}


def agents() -> Iterator[Case]:
    """PPO with each network, and what else learns."""
    many = all_cores()

    def speed(name: str, threads: int, settings: Any, algo: str = "ppo") -> Case:
        arguments = {"algo": algo, "side": "Ludus", "settings": settings}
        return Case(f"{name}, {threads} thread" + "s" * (threads > 1), "training.jobs", "speed", threads, arguments)

    for (network, name), shape, threads in product(NETWORKS.items(), SHAPES, sorted({1, many})):
        sizes = f"{shape.num_envs} x {shape.n_steps}"
        yield speed(f"PPO {name}, {sizes}", threads, shape._replace(network=network))
    for shape in SHAPES:
        yield speed(f"PPO user's CNN, {shape.num_envs} x {shape.n_steps}", many, shape._replace(network="own"))
    yield speed(f"PPO LSTM, {SHAPES[0].num_envs} x {SHAPES[0].n_steps}", 1, SHAPES[0]._replace(network="lstm"))
    for algo in ("PPO", "DQN"):
        yield speed(f"{algo} CartPole-v1", 1, [algo, 8], "others")
    for algo in ("dqn", "pqn"):
        yield Case(f"ludus train --algo {algo}", "training.jobs", "command_line", many, {"algo": algo})


def games() -> Iterator[Case]:
    for game in GAMES:
        yield Case(game, "game_rates", "rates", 1, {"game": game})


PARTS = {"agents": agents, "games": games}
SECONDS = {"agents": 1.0, "games": 0.3}  # of each measurement


def measure(parts: list[str], sides: dict[str, str], rounds: int, only: str) -> dict[str, dict[str, list[Any]]]:
    """Rates of each row and side, a list over the rounds; sides are names of interpreters."""
    samples: dict[str, dict[str, list[Any]]] = {}
    cases = [(case, SECONDS[part]) for part in parts for case in PARTS[part]() if only.lower() in case.name.lower()]
    for number in range(rounds):
        for position, (case, seconds) in enumerate(cases):
            console.print(f"round {number + 1} of {rounds}: {case.name}", highlight=False)
            order = list(sides) if (number + position) % 2 == 0 else [*reversed(sides)]
            for side in order:
                for row, rate in case.rates(sides[side], seconds).items():
                    samples.setdefault(row, {name: [] for name in sides})[side].append(rate)
    return samples


def summary(samples: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians of a row, and ratios of after to before."""
    found = {
        kind: {side: median(rate[kind] for rate in rates) for side, rates in samples.items()}
        for kind in ("wall", "cpu")
    }
    return {**found, "ratio": {kind: found[kind]["after"] / found[kind]["before"] for kind in found}, "rounds": samples}


def table(rows: dict[str, dict[str, Any]]) -> Table:
    lines = [
        [name, *(amount(row["wall"][side]) for side in ("before", "after")), *(f"{row['ratio'][kind]:.2f}"
         for kind in ("wall", "cpu"))] for name, row in rows.items()
    ]  # fmt: skip
    return Table("Before and after", NOTE, ["", "before", "after", "ratio", "by CPU"], lines)


def commit_of(python: str) -> str:
    """Of the checkout that an interpreter has installed; empty where that is no checkout."""
    return subprocess.run([python, "-c", COMMIT], capture_output=True, text=True).stdout.strip()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Two checkouts of Ludus, measured side by side in one run.")
    parser.add_argument("--before", required=True, metavar="PYTHON", help="interpreter with the earlier checkout")
    parser.add_argument("--after", default=sys.executable, metavar="PYTHON", help="with the later one (default: this)")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}, divided by commas")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows with this in their name")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="keep results in results/before_after.json")
    arguments = parser.parse_args()
    arguments.parts = arguments.parts.split(",")
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"parts are {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    return arguments


def main() -> None:
    """Measure, show, and with --write keep."""
    arguments = parse()
    sides = {name: str(Path(getattr(arguments, name)).absolute()) for name in ("before", "after")}
    found = measure(arguments.parts, sides, arguments.rounds, arguments.only)
    if not found:
        raise SystemExit(f"--only {arguments.only}: no row has this in its name")
    rows = {name: summary(samples) for name, samples in found.items()}
    console.print(table(rows).rich())
    slower = [name for name, row in rows.items() if row["ratio"]["wall"] < SLOWER]
    console.print(f"Below {SLOWER}: {'; '.join(slower) or 'none'}", highlight=False)
    if arguments.write:
        commits = {name: commit_of(python) for name, python in sides.items()}
        write_figures("before_after", {"machine": machine(PACKAGES), "commits": commits, "rows": rows})


if __name__ == "__main__":
    main()
