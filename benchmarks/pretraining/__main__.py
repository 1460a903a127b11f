"""What pretraining of encoders is worth; all times are process time on one core, collecting the data included.

    python benchmarks/pretraining [--parts planes,probes] [--games Asterix,Tetris] [--seeds 3] [--quick] [--write]

    planes     F1 of decoded planes on pictures never seen, after a minute, collecting included
    probes     what unsupervised encoders know, by linear classifiers on their embeddings, beside a random one
    scarce     F1 of planes by the number of labelled pictures: labels alone, with augmentation, after an autoencoder
    looks      F1 of planes where colours and sizes are other than those learned from, with and without augmentation
    levels     F1 of planes on other pictures of levels that were learned from, and on levels that were not
    agents     what PPO learns from pixels in a third of the time through encoders of every kind, beside true planes

Each measurement is a process of its own, one on each core. results/pretraining.json has each part once for every processor;
--write keeps each there as it comes and leaves others as they are, --missing makes only those that are not there yet: for
agents, those of games and seeds of which no processor has all, and for other parts those that this processor has not.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # what benchmarks share lies beside this folder

from pretraining.agents import VARIANTS
from pretraining.tables import TABLES, account
from processes import run_job
from report import all_cores, machine, read_figures, write_results
from rich.console import Console

PACKAGES = ("ludus", "torch", "numpy", "scikit-learn")
PLANES = {  # by game: frames to collect, share of shuffled ones
    "Asterix": (20_000, 0.0), "SpaceInvaders": (20_000, 0.0), "Breakout": (20_000, 0.5), "Muncher": (40_000, 0.0),
    "Tetris": (20_000, 0.0), "Seaquest": (40_000, 0.0), "Freeway": (20_000, 0.0), "Snake": (20_000, 0.0),
    "Sokoban": (20_000, 0.0), "Minesweeper": (20_000, 0.0),
}  # fmt: skip
PROBED = ("Asterix", "SpaceInvaders", "Breakout", "Muncher", "Seaquest")
METHODS = ("autoencoder", "st-dim", "latent", "vae")
SECONDS = 180  # of unsupervised training
LEARNED = ("SpaceInvaders", "Breakout", "Snake", "Muncher")  # which PPO learns from planes in 300,000 steps
console = Console()


def planes_jobs(games: list[str], seeds: int, quick: bool) -> list[dict[str, Any]]:
    chosen = {game: PLANES[game] for game in games or PLANES}
    return [
        {"game": game, "seed": seed, "seconds": 60 / (10 if quick else 1), "frames": frames, "shuffle": shuffle}
        for seed in range(seeds)
        for game, (frames, shuffle) in chosen.items()
    ]


def probes_jobs(games: list[str], seeds: int, quick: bool) -> list[dict[str, Any]]:
    return [
        {"game": game, "seed": seed, "seconds": SECONDS / (10 if quick else 1), "method": method}
        for seed in range(seeds)
        for game in games or PROBED
        for method in METHODS
    ]


def agents_jobs(games: list[str], seeds: int, quick: bool) -> list[dict[str, Any]]:
    return [
        {"game": game, "seed": seed, "seconds": how.seconds / (10 if quick else 1), "variant": variant}
        for seed in range(seeds)
        for game in games or LEARNED
        for variant, how in VARIANTS.items()
        if not how.few or (game == LEARNED[0] and seed < 2)
    ]


def shift_jobs(seconds: float, frames: dict[str, int]) -> Callable[[list[str], int, bool], list[dict[str, Any]]]:
    """Jobs of a game each, of so many frames."""
    return lambda games, seeds, quick: [
        {"game": game, "seed": seed, "seconds": seconds / (10 if quick else 1), "frames": frames[game]}
        for seed in range(seeds)
        for game in games or frames
    ]


JOBS: dict[str, Callable[[list[str], int, bool], list[dict[str, Any]]]] = {
    "planes": planes_jobs, "probes": probes_jobs, "agents": agents_jobs,
    "scarce": shift_jobs(30, {"Asterix": 160_000, "SpaceInvaders": 160_000}),
    "looks": shift_jobs(60, {"Asterix": 20_000, "SpaceInvaders": 20_000, "Tetris": 20_000}),
    "levels": shift_jobs(60, {"Muncher": 20_000, "Sokoban": 20_000, "Maze": 20_000}),
}  # fmt: skip


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What pretraining of encoders is worth.")
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list(JOBS))
    parser.add_argument("--games", type=lambda text: text.split(","), default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the time: rough")
    parser.add_argument("--write", action="store_true", help="keep results in RESULTS.md and results/pretraining.json")
    parser.add_argument("--missing", action="store_true", help="only what there are no results of")
    arguments = parser.parse_args()
    for name in arguments.parts:
        if name not in JOBS:
            raise SystemExit(f"there is no part {name}; there are {', '.join(JOBS)}")
    return arguments


def measure(part: str, jobs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The results of jobs, with what they were asked for, in their order and as many at once as there are cores."""

    def one(job: dict[str, Any]) -> dict[str, Any]:
        found = {**job, **run_job("pretraining.jobs", part, 1, **job)}
        which = ", ".join(str(value) for name, value in job.items() if name in ("game", "method", "variant"))
        console.print(f"{part}, {which}, seed {job['seed']}: {found['told']}")
        return found

    cores: SimpleQueue[int] = SimpleQueue()
    for core in sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(all_cores()):
        cores.put(core)
    with ThreadPoolExecutor(all_cores(), initializer=lambda: stay_on(cores.get())) as pool:
        yield from pool.map(one, jobs)


def stay_on(core: int) -> None:
    """Keep this thread, and the processes that it starts, on a core of their own."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    """What tells a measurement from the others of its part."""
    return tuple(row.get(name) for name in ("game", "seed", "method", "variant"))


def not_complete(jobs: list[dict[str, Any]], processors: dict[str, Any]) -> list[dict[str, Any]]:
    """Without games and seeds of which one processor has every job."""
    pairs: dict[tuple[str, int], set[Any]] = {}
    for job in jobs:
        pairs.setdefault((job["game"], job["seed"]), set()).add(key(job))
    known = [{key(row) for row in measured["rows"]} for measured in processors.values()]
    done = {pair for pair, wanted in pairs.items() if any(wanted <= rows for rows in known)}
    return [job for job in jobs if (job["game"], job["seed"]) not in done]


def main() -> None:
    """Measure, show, and with --write keep every measurement."""
    arguments, found = parse(), read_figures("pretraining")
    for part in arguments.parts:
        facts = machine(PACKAGES)
        measured = found.setdefault(part, {}).setdefault(facts["processor"], {"machine": facts, "rows": []})
        rows = {key(row): row for row in measured["rows"]}
        jobs = JOBS[part](arguments.games, arguments.seeds, arguments.quick)
        if part == "agents" and arguments.missing:
            jobs = not_complete(jobs, found[part])
        for row in measure(part, [job for job in jobs if not (arguments.missing and key(job) in rows)]):
            rows[key(row)] = row
            measured |= {"machine": facts, "rows": list(rows.values())}
            if arguments.write:
                write_results("pretraining", found, account(found))
        console.print(TABLES[part](measured).rich())


if __name__ == "__main__":
    main()
