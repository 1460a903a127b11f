"""What half precision costs PPO in score, on MinAtar's games under their own protocol.

    python benchmarks/precision.py [--steps 2e6] [--seeds 5] [--games Breakout,Asterix] [--write]

The zoo's recipes with both precisions and two networks. Every run is a process of its own on one core, as many at once as
there are cores; see `runs.py`. Each is kept in results/precision.json as soon as it ends, so that the same command goes on
where it was interrupted, and one with more seeds trains those alone.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from report import Table, describe, machine, read_figures, write_figures, write_results
from rich.console import Console
from runs import Case, comparison_parser, run_all

from ludus.agents.hardware import choose_precision
from ludus.envs.bots import interval

PACKAGES = ("ludus", "torch", "stable-baselines3", "numpy")
NAME = "precision"
NETWORKS, PRECISIONS = ("mlp", "cnn"), ("fp32", "bf16")
HOW = """{machine}

`ludus train GAME --recipe --policy NETWORK --precision ... --total-timesteps {steps} --num-threads 1`: sticky actions 0.1,
all six actions, no limit of steps, CPU only."""
NOTE = (
    "Of each precision: the mean return of the final agent as it explores, over 100 whole episodes and over the seeds, with "
    "a 95 % bootstrap interval over the seeds. Half precision is of gradients alone: decisions are in single precision. What "
    "it gains in speed is in the tables of training."
)


def cases_of(games: list[str], seeds: int, steps: int) -> list[Case]:
    """Both precisions of a seed side by side."""
    return [
        Case(game, seed, steps, changes={"policy": network, "precision": precision}, name=f"{network} in {precision}")
        for seed, network, game, precision in product(range(seeds), NETWORKS, games, PRECISIONS)
    ]


def as_kept(case: Case) -> tuple[Any, ...]:
    """What tells a run from others."""
    return (case.game, case.changes["policy"], case.changes["precision"], case.seed, case.steps)


def table_of(runs: list[dict[str, Any]]) -> Table:
    """A line for each network and game."""
    lines = []
    for network, game in product(NETWORKS, dict.fromkeys(run["game"] for run in runs)):
        both = [
            [run for run in runs if (run["policy"], run["game"], run["precision"]) == (network, game, precision)]
            for precision in PRECISIONS
        ]
        if not all(both):
            continue
        lines.append([f"{network}, {game}", str(len(both[0])), *map(mean_of, both)])
    return Table("PPO in single and half precision", NOTE, ["network, game", "seeds", *PRECISIONS], lines)


def mean_of(runs: list[dict[str, Any]]) -> str:
    """Over the seeds, with its interval."""
    returns = np.array([run["sampled"] for run in runs])
    low, high = interval(returns)
    return f"{returns.mean():.1f} ({low:.1f} to {high:.1f})"


def main() -> None:
    """Train what is missing, keep it, and show; with --write also in RESULTS.md."""
    arguments = comparison_parser("What half precision costs PPO in score.", steps=2_000_000, seeds=5).parse_args()
    seeds, steps, console = arguments.seeds, arguments.steps, Console()
    if choose_precision("auto", "cpu") != "bf16":
        raise SystemExit(
            "this processor has no instructions for bfloat16 (AVX512_BF16), so there is nothing to compare"
        )
    facts, cases = machine(PACKAGES), cases_of(arguments.games, seeds, steps)
    kept = {tuple(key): run for key, run in read_figures(NAME).get("runs", [])}
    missing = [case for case in cases if as_kept(case) not in kept]

    def keep(case: Case, found: dict[str, Any]) -> None:
        del found["curve"]
        kept[as_kept(case)] = {**case.changes, **found}
        write_figures(NAME, {"machine": facts, "runs": sorted(kept.items())})
        console.print(f"{case}: sampled {found['sampled']:.1f}, {found['seconds']:.0f} s", highlight=False)

    console.print(f"{len(missing)} of {len(cases)} trainings are to be done")
    run_all(missing, keep)
    table = table_of([run for (*_, seed, length), run in sorted(kept.items()) if seed < seeds and length == steps])
    console.print(table.rich())
    if arguments.write:
        how = HOW.format(machine=describe(facts), steps=steps)
        section = "\n\n".join(["## Precision", how, table.markdown()])
        write_results(NAME, {"machine": facts, "runs": sorted(kept.items())}, section)


if __name__ == "__main__":
    main()
