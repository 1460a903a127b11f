"""What half precision costs PPO in score, and what it gains in speed, on MinAtar's games under their own protocol.

    python benchmarks/precision.py [--steps 2e6] [--seeds 5] [--games Breakout,Asterix] [--write]

The zoo's recipes with both precisions and two networks. Every run is a process of its own on one core, as many at once as
there are cores; see `runs.py`.
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import Any

import numpy as np
from report import Table, amount, describe, machine, times, write_results
from rich.console import Console
from runs import Case, run_all

from ludus.agents.hardware import choose_precision
from ludus.envs.bots import interval

PACKAGES = ("ludus", "torch", "stable-baselines3", "numpy")
NAME = "precision"
NETWORKS, PRECISIONS = ("mlp", "cnn"), ("fp32", "bf16")
HOW = """{machine}

`ludus train GAME --recipe --policy NETWORK --precision ... --total-timesteps {steps} --num-threads 1`: sticky actions 0.1,
all six actions, no limit of steps, CPU only."""
NOTE = (
    "Of each precision: the mean return of the final agent as it explores, over 100 whole episodes and over {seeds} seeds, "
    "with a 95 % bootstrap interval over the seeds; and steps per second, roughly: of one core, while other trainings keep "
    "the other cores busy."
)


def cases_of(games: list[str], seeds: int, steps: int) -> list[Case]:
    """Both precisions of a seed side by side."""
    return [
        Case(game, seed, steps, changes={"policy": network, "precision": precision}, name=f"{network} in {precision}")
        for seed, network, game, precision in product(range(seeds), NETWORKS, games, PRECISIONS)
    ]


def table_of(runs: list[dict[str, Any]], seeds: int) -> Table:
    """A line for each network and game."""
    lines = []
    for network, game in dict.fromkeys((run["policy"], run["game"]) for run in runs):
        both = [
            [run for run in runs if (run["policy"], run["game"], run["precision"]) == (network, game, precision)]
            for precision in PRECISIONS
        ]
        rates = [sum(run["steps"] for run in of) / sum(run["seconds"] for run in of) for of in both]
        lines.append([f"{network}, {game}", *map(mean_of, both), *map(amount, rates), times(rates[1] / rates[0])])
    columns = ["network, game", *PRECISIONS, *(f"{name}, steps/s" for name in PRECISIONS), "ratio"]
    return Table("PPO in single and half precision", NOTE.format(seeds=seeds), columns, lines)


def mean_of(runs: list[dict[str, Any]]) -> str:
    """Over the seeds, with its interval."""
    returns = np.array([run["sampled"] for run in runs])
    low, high = interval(returns)
    return f"{returns.mean():.1f} ({low:.1f} to {high:.1f})"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What half precision costs PPO in score, and what it gains in speed.")
    parser.add_argument("--steps", type=lambda text: int(float(text)), default=2_000_000, help="of each training")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--games", type=lambda text: text.split(","), default=["Breakout", "Asterix"])
    parser.add_argument("--write", action="store_true", help="keep results in RESULTS.md and results/precision.json")
    return parser.parse_args()


def main() -> None:
    """Train all, and show; with --write also in RESULTS.md."""
    arguments, console = parse(), Console()
    if choose_precision("auto") != "bf16":
        raise SystemExit(
            "this processor has no instructions for bfloat16 (AVX512_BF16), so there is nothing to compare"
        )
    runs: list[dict[str, Any]] = []

    def keep(case: Case, found: dict[str, Any]) -> None:
        del found["curve"]
        runs.append({**case.changes, **found})
        console.print(f"{case}: sampled {found['sampled']:.1f}, {found['seconds']:.0f} s", highlight=False)

    run_all(cases_of(arguments.games, arguments.seeds, arguments.steps), keep)
    runs.sort(key=lambda run: (NETWORKS.index(run["policy"]), arguments.games.index(run["game"]), run["seed"]))
    table, facts = table_of(runs, arguments.seeds), machine(PACKAGES)
    console.print(table.rich())
    if arguments.write:
        how = HOW.format(machine=describe(facts), steps=arguments.steps)
        section = "\n\n".join(["## Precision", how, table.markdown()])
        write_results(NAME, {"machine": facts, "runs": runs}, section)


if __name__ == "__main__":
    main()
