"""How soon agents of MinAtar's games have the scores that Pgx's PPO has: all cores, starting and compiling included.

    python benchmarks/time_to_score.py [--seconds 20,60] [--seeds 3] [--games Asterix] [--write]

Each training is what `ludus train GAME --time-limit S` does, in a process of its own that has the machine to itself; its
time counts from the moment at which the process is started, and epsilon and the learning rate are annealed over what is left
of it. The score is the mean return of the final agent, greedy, over 100 whole episodes, played after the time is up.
Every time is thus a training of its own, not a point on the curve of a longer one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from statistics import fmean
from typing import Any

from processes import answer, run_job
from report import Table, all_cores, describe, machine, read_figures, write_results
from rich.console import Console

PACKAGES = ("ludus", "torch", "numba", "numpy")
PGX = {"Asterix": 22.0, "Breakout": 50.0, "Freeway": 63.5, "Seaquest": 54.0, "SpaceInvaders": 145.0}
EPISODES, GAMES_SEED = 100, 1_000_000
console = Console()


def train(game: str, seed: int, seconds: float, began: float, threads: int, **_: Any) -> dict[str, Any]:
    """Train until so many seconds after `began`, a time of `time.time`; then see what came of it."""
    from recipe_agent import agent_by_recipe

    from ludus.zoo.judging import returns_of

    about = {"seed": seed, "total_timesteps": 10**9, "time_limit": seconds}
    config, agent = agent_by_recipe(game, num_threads=threads, **about)
    agent.elapsed = lambda: time.time() - began  # so that starting and compiling count
    agent.learn(config.total_timesteps)
    spent = time.time() - began
    score = float(returns_of(agent, None, EPISODES, True, GAMES_SEED).mean())
    return {"spent": spent, "steps": agent.num_timesteps, "score": score}


def measure(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for seconds in arguments.seconds:
        for seed in range(arguments.seeds):
            for game in arguments.games:
                job = {"game": game, "seed": seed, "seconds": seconds}
                found = run_job("time_to_score", "train", all_cores(), began=time.time(), **job)
                found |= {**job, "times": found["score"] / PGX[game]}
                console.print(f"{game}, seed {seed}: {found['score']:.1f} after {found['spent']:.1f} s")
                yield found


def account(found: dict[str, Any]) -> str:
    """The section of RESULTS.md, with a table for each processor."""
    parts = ["## Time to a score"]
    for measured in found.values():
        parts += [describe(measured["machine"]), table_of(measured["rows"]).markdown()]
    return "\n\n".join(parts)


def table_of(rows: list[dict[str, Any]]) -> Table:
    """A row for each time, with every seed's score."""
    found = []
    for seconds in sorted({row["seconds"] for row in rows}):
        some = [row for row in rows if row["seconds"] == seconds]
        cells = [", ".join(f"{row['score']:.1f}" for row in some if row["game"] == game) or "-" for game in PGX]
        longest = max(row["spent"] for row in some)
        found.append([f"{seconds:g} s", f"{longest:.1f}", *cells, f"{fmean(row['times'] for row in some):.2f}"])
    pgx = ["Pgx's PPO", "-", *(f"{score:g}" for score in PGX.values()), "1.00"]
    note = (
        "PQN by the zoo's recipe on all cores of the machine: greedy mean returns over 100 episodes of each seed's agent, "
        "after a time that counts from the start of the process, importing and compiling included. Longest: of the trainings "
        "of a row, until the last update. Mean: of scores divided by those of Pgx's PPO after 20 M steps (Koyama et al. "
        "2023, read off plots; 18 to 54 s on a data-centre GPU), which has the minimal action sets, the easier protocol."
    )
    return Table("Scores by time", note, ["time", "longest, s", *PGX, "mean"], [*found, pgx])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How soon agents of MinAtar's games have Pgx's scores.")
    parser.add_argument("--seconds", type=lambda text: [float(x) for x in text.split(",")], default=[20.0, 60.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--games", type=lambda text: text.split(","), default=list(PGX))
    parser.add_argument("--write", action="store_true", help="keep the results in RESULTS.md")
    return parser.parse_args()


def main() -> None:
    arguments, facts, rows = parse(), machine(PACKAGES), []
    found = read_figures("time_to_score")
    for row in measure(arguments):
        rows.append(row)
        found[facts["processor"]] = {"machine": facts, "rows": rows}
        if arguments.write:
            write_results("time_to_score", found, account(found))
    console.print(table_of(rows).rich())


if __name__ == "__main__":
    import sys

    answer({"train": train}) if len(sys.argv) > 1 and sys.argv[1] == "train" else main()
