"""PPO, DQN or PQN on MinAtar's five games under their own protocol, several seeds each: final returns and curves.

    python benchmarks/minatar_learning.py [--algo ppo] [--steps 1e7] [--seeds 3] [--write]

Every run is a process of its own on one core, as many at once as there are cores, and is what `ludus train GAME --recipe`
does; see `runs.py`. What DQN and PQN come to is kept apart from PPO's, in results/minatar-dqn.json and minatar-pqn.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from report import FOLDER, Table, describe, machine, sampled_as, write_results
from rich.console import Console
from runs import Case, cut_off, run_all

PACKAGES = ("ludus", "torch", "stable-baselines3", "numpy")
ALGORITHMS = ("ppo", "dqn", "pqn")
PUBLISHED = {  # mean returns, read off plots by their citers: see the note under the table
    "DQN, 5 M frames": {"Asterix": "17", "Breakout": "10", "Freeway": "50", "Seaquest": "20", "SpaceInvaders": "44"},
    "AC(λ), 5 M": {"Asterix": "19", "Breakout": "17.5", "Freeway": "47.5", "Seaquest": "16", "SpaceInvaders": "185"},
    "PPO of Pgx, 20 M": {
        "Asterix": "22-25", "Breakout": "50", "Freeway": "63.5", "Seaquest": "54", "SpaceInvaders": "145-153"
    },
}  # fmt: skip
GAMES = tuple(PUBLISHED["DQN, 5 M frames"])
HOW = """{machine}

`ludus train GAME --recipe{flag} --total-timesteps {steps} --num-threads 1`: sticky actions 0.1, all six actions, no limit of
steps (Freeway ends after 2500 by its own rules), CPU only. Mean return of the final agent over 100 whole episodes."""
NOTE = (
    "Published: DQN and AC(λ) of Young & Tian 2019 under the same protocol, read off plots; PPO of Pgx (Koyama et al. 2023) "
    "with the minimal action sets, which is easier. Seeds are 0, 1, 2 and so on."
)


def table_of(runs: list[dict[str, Any]], algo: str) -> Table:
    """One row a game."""
    rows = []
    for game in GAMES:
        mine = sorted((run for run in runs if run["game"] == game), key=lambda run: run["seed"])
        if not mine:
            continue
        cells = [[run[how] for run in mine] for how in ("greedy", "sampled")]
        rows.append(
            [
                game, *(f"{np.mean(values):.1f} ({', '.join(f'{value:.1f}' for value in values)})" for values in cells),
                *(row[game] for row in PUBLISHED.values()),
            ]
        )  # fmt: skip
    unfinished = sum(run["unfinished"] for run in runs)
    note = NOTE + cut_off(unfinished)
    title = "Mean returns" if algo == "ppo" else f"Mean returns of {algo.upper()}"
    return Table(title, note, ["game", "greedy (seeds)", f"{sampled_as(algo)} (seeds)", *PUBLISHED], rows)


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """Curves, a panel a game and a line a seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(GAMES), figsize=(3.2 * len(GAMES), 2.9), layout="constrained")
    for panel, game in zip(panels, GAMES, strict=True):
        for line in (run for run in runs if run["game"] == game and run["curve"]):
            steps, returns = zip(*line["curve"], strict=True)
            panel.plot(np.array(steps) / 1e6, returns, linewidth=1.2, label=f"seed {line['seed']}")
        panel.set_title(game, fontsize=10)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_xlabel("million steps")
    panels[0].set_ylabel("mean return, last 100 episodes")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What agents learn on MinAtar's games under their own protocol.")
    parser.add_argument("--algo", default="ppo", choices=ALGORITHMS)
    parser.add_argument("--steps", type=lambda text: int(float(text)), help="of each training; ppo: 1e7, others: 5e6")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--games", nargs="+", default=list(GAMES), choices=GAMES)
    parser.add_argument("--more", action="store_true", help="keep the runs that are in the results; do the others")
    parser.add_argument("--write", action="store_true", help="keep results in RESULTS.md and results/minatar*.json")
    arguments = parser.parse_args()
    arguments.steps = arguments.steps or (10_000_000 if arguments.algo == "ppo" else 5_000_000)
    return arguments


def settled(algo: str, steps: int) -> list[dict[str, Any]]:
    """Runs of so many steps that are in the results already."""
    path = FOLDER / "results" / f"{name_of(algo)}.json"
    runs = json.loads(path.read_text())["runs"] if path.exists() else []
    return [run for run in runs if steps <= run["steps"] < 1.1 * steps]


def name_of(algo: str) -> str:
    """Of the results: PPO's came first."""
    return "minatar" if algo == "ppo" else f"minatar-{algo}"


def write(runs: list[dict[str, Any]], algo: str, steps: int) -> None:
    """Keep the runs, their table and their curves."""
    name, title, flag = name_of(algo), f"MinAtar, {algo.upper()}", f" --algo {algo}"
    if algo == "ppo":
        title, flag = "MinAtar", ""
    draw(runs, FOLDER / "results" / f"{name}.png")
    facts = machine(PACKAGES)
    how = HOW.format(machine=describe(facts), flag=flag, steps=steps)
    found = {"machine": facts, "runs": sorted(runs, key=lambda run: (run["game"], run["seed"]))}
    curves = f"![Curves of every seed](results/{name}.png)"
    write_results(name, found, "\n\n".join([f"## {title}", how, table_of(runs, algo).markdown(), curves]))


def main() -> None:
    """Train, evaluate, show, and with --write keep after every run."""
    arguments = parse()
    algo, steps, console = arguments.algo, arguments.steps, Console()
    runs = settled(algo, steps) if arguments.more else []
    done = {(run["game"], run["seed"]) for run in runs}

    def keep(case: Case, found: dict[str, Any]) -> None:
        runs.append(found)
        console.print({name: value for name, value in found.items() if name != "curve"}, highlight=False)
        sys.stdout.flush()
        if arguments.write:
            write(runs, algo, steps)

    cases = [Case(game, seed, steps, algo) for seed in range(arguments.seeds) for game in arguments.games]
    run_all([case for case in cases if (case.game, case.seed) not in done], keep)
    console.print(table_of(runs, algo).rich())


if __name__ == "__main__":
    main()
