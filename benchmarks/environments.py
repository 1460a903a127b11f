"""How fast the games run, side by side with other packages.

    python benchmarks/environments.py [--quick] [--write]

What is compared runs interleaved, A B C A B C ..., and each figure is the median over the rounds; compilation and a first
round are left out. Rates are counted per second of processor time, which depends little on what else the computer does,
and per second by the clock. Both are kept in results/environments-PROCESSOR.json; tables of one core show the first.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from peers import MINATAR_GAMES, NUM_ENVS, PEERS, PERIOD, STICKY, Player, step_player
from processes import one_core
from report import ABSENT, Table, amount, describe, machine, times, write_results
from rich.console import Console

import ludus
from ludus.envs import Simulator, all_games

PACKAGES = ("ludus", "numpy", "numba", "gymnasium", "jax", "minatar", "pgx", "gymnax")
THREADED = (1024, 8192, 65536)  # environments
APART = 8192  # environments, half of them in each of two processes
SHORTER = 8  # times as many rounds, each as much shorter, so that threads meet the same speed of the computer


class Effort(NamedTuple):
    """How much to measure."""

    rounds: int
    seconds: float  # of one measurement
    starts: int  # processes for a start-up time


HOW = (
    "{} Made by `python benchmarks/environments.py --write`: medians of {rounds} interleaved rounds of {seconds} s; for "
    "start-up times, of {starts} rounds of processes."
)
FULL, QUICK = Effort(5, 0.4, 3), Effort(3, 0.1, 1)


class Rate(NamedTuple):
    """Steps per second of processor time, and by the clock."""

    cpu: float
    wall: float


# Measuring


def measure(players: dict[str, Player], effort: Effort) -> dict[str, Rate]:
    """The players' median rates, taken in turns."""
    counts = {name: calibrate(player, effort.seconds) for name, player in players.items()}
    samples: dict[str, list[Rate]] = {name: [] for name in players}
    for _ in range(effort.rounds + 1):
        for name, player in players.items():
            samples[name].append(rate_of(player, counts[name]))
    return {name: Rate(*map(median, zip(*rates[1:], strict=True))) for name, rates in samples.items()}


def calibrate(player: Player, seconds: float) -> int:
    """The number of steps that take about that long."""
    player.play(1)
    player.play(1)  # JAX compiles a second time if the first step changed a type
    count = 1
    while True:
        started = time.perf_counter()
        player.play(count)
        took = time.perf_counter() - started
        if took >= seconds / 4:
            return max(round(count * seconds / took), 1)
        count *= 2


def rate_of(player: Player, count: int) -> Rate:
    """One measurement."""
    wall, cpu = time.perf_counter(), time.process_time()
    player.play(count)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Rate(player.num_envs * count / cpu, player.num_envs * count / wall)


def simulator_player(game: str, num_envs: int = NUM_ENVS, num_threads: int = 1, **options: Any) -> Player:
    """The engine itself, under same-step autoreset."""
    sim = Simulator(game, num_envs, seed=0, num_threads=num_threads, **options)
    sim.reset()
    return step_player(num_envs, sim.step, random_actions(num_envs, len(sim.actions)))


def single_player(env_id: str) -> Player:
    """One environment through `gymnasium.make`, with the wrappers that it adds."""
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    count = int(getattr(env.action_space, "n", 0))

    def step(action: int) -> None:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()

    return step_player(1, step, np.random.default_rng(0).integers(0, count, 10_000).tolist())


def random_actions(num_envs: int, num_actions: int) -> list[np.ndarray]:
    """Actions of one step each, (num_envs,) int64."""
    return list(np.random.default_rng(0).integers(0, num_actions, (PERIOD, num_envs)))


# What is measured: each function returns results for the JSON file and a table


def one_core_rates(games: list[str], effort: Effort) -> tuple[dict[str, Any], Table]:
    """Ludus and its peers, game by game."""
    found: dict[str, Any] = {}
    rows = []
    for game in games:
        players = {**ludus_players(game), **present_peers(game)}
        rates = measure(players, effort)
        complete = all(peer in rates for peer in PEERS)  # else the fastest may be missing
        best = max(rates[peer].cpu for peer in PEERS) if complete else None
        ratios = {face: rates[face].cpu / best if best else None for face in ("Simulator", "make_vec")}
        found[game] = {"steps per second": as_json(rates), "ratio to the fastest peer": ratios}
        peers = [amount(rates[peer].cpu) if peer in rates else ABSENT for peer in PEERS]
        rows.append([game, *peers, *(cell for f, r in ratios.items() for cell in (amount(rates[f].cpu), times(r)))])
    note = (
        f"Steps per second of processor time, {NUM_ENVS} environments (minatar: one), observation written every step, "
        f"finished episodes started again, random minimal actions, sticky with {STICKY} (gymnax: never). `Simulator` is the "
        "engine, as bare as the peers' loops; `make_vec` is Gymnasium's face of it, with `copy=False`. Ratios are to the "
        "fastest of the three peers. Goal: at least 5x."
    )
    columns = ["game", *PEERS, "Ludus Simulator", "ratio", "Ludus make_vec", "ratio"]
    return found, Table("One core, 1024 environments", note, columns, rows)


def ludus_players(game: str) -> dict[str, Player]:
    """The engine, and Gymnasium's face of it under its usual next-step autoreset."""
    env = ludus.make_vec(game, NUM_ENVS, copy=False, num_threads=1, repeat_action_probability=STICKY)
    env.reset(seed=0)
    return {
        "Simulator": simulator_player(game, repeat_action_probability=STICKY),
        "make_vec": step_player(NUM_ENVS, env.step, random_actions(NUM_ENVS, len(env.simulator.actions))),
    }


def present_peers(game: str) -> dict[str, Player]:
    """The peers that are installed, ready to play."""
    players = {}
    for name, make in PEERS.items():
        try:
            players[name] = make(game)
        except ImportError:
            continue
    return players


def pixel_rates(games: list[str], effort: Effort) -> tuple[dict[str, Any], Table]:
    """Frames of 64 x 64 in RGB."""
    rates = measure({game: simulator_player(game, obs_type="rgb", size=64) for game in games}, effort)
    rows = [[game, amount(rate.cpu), amount(rate.wall)] for game, rate in rates.items()]
    note = "`obs_type='rgb', size=64`, 1024 environments, a frame drawn every step. Goal: at least 300 k."
    columns = ["game", "frames per CPU-second", "frames per second"]
    return as_json(rates), Table("64 x 64 RGB, one core", note, columns, rows)


def thread_rates(games: list[str], effort: Effort) -> tuple[dict[str, Any], Table]:
    """Two threads against one, by the clock."""
    found: dict[str, Any] = {}
    rows = []
    effort = effort._replace(rounds=effort.rounds * SHORTER, seconds=effort.seconds / SHORTER)
    for game in games:
        row = [game]
        for num_envs in THREADED:
            rates = measure({str(n): simulator_player(game, num_envs, n) for n in (1, 2)}, effort)
            ratio = rates["2"].wall / rates["1"].wall
            found.setdefault(game, {})[str(num_envs)] = {"threads": as_json(rates), "ratio": ratio}
            row += [amount(rates["2"].wall), times(ratio)]
        found[game]["apart"] = apart_ratio(game, effort)
        rows.append([*row, times(found[game]["apart"])])
    note = (
        "Steps per second by the clock with `num_threads=2`, and the ratio to `num_threads=1`, in "
        f"{effort.rounds} rounds of {effort.seconds:g} s. Goal: at least 1.7x. The last column is what the computer itself "
        f"has to give: how much two processes that share nothing, with {APART // 2} environments each, do together, to what "
        "one of them does while the other rests. Processors that are two halves of one core give less than 2x."
    )
    columns = ["game", *(cell for n in THREADED for cell in (f"{n} environments", "ratio")), "two processes"]
    return found, Table("Two cores", note, columns, rows)


def apart_ratio(game: str, effort: Effort) -> float:
    """How much two processes do at once, to what one does alone; the median."""
    context = get_context("spawn")
    pipes = [context.Pipe() for _ in range(2)]
    workers = [context.Process(target=play_on_demand, args=(far, game, core)) for core, (_, far) in enumerate(pipes)]
    for worker in workers:
        worker.start()
    ends = [near for near, _ in pipes]

    def seconds_of(*ends: Connection, count: int) -> float:
        started = time.perf_counter()
        for end in ends:
            end.send(count)
        for end in ends:
            end.recv()
        return time.perf_counter() - started

    counts = [end.recv() for end in ends]  # of steps that take about a hundredth of a second
    steps = max(round(100 * effort.seconds * min(counts)), 1)
    ratios = []
    for _ in range(effort.rounds + 1):
        alone, together = seconds_of(ends[0], count=steps), seconds_of(*ends, count=steps)
        ratios.append(2 * alone / together)
    for end, worker in zip(ends, workers, strict=True):
        end.send(0)
        worker.join()
    return median(ratios[1:])


def play_on_demand(pipe: Connection, game: str, core: int) -> None:
    """In a process of its own, on a core of its own: play as many steps as asked for, until it is none."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})
    player = simulator_player(game, APART // 2)
    pipe.send(calibrate(player, 0.01))
    while count := pipe.recv():
        player.play(count)
        pipe.send(True)


def single_rates(games: list[str], effort: Effort) -> tuple[dict[str, Any], Table]:
    """One environment through gymnasium.make, against CartPole."""
    yardstick = "CartPole-v1"
    ids = [yardstick, *(all_games()[game].id for game in games)]
    rates = measure({env_id: single_player(env_id) for env_id in ids}, effort)
    rows = [[env_id, amount(rate.cpu), times(rate.cpu / rates[yardstick].cpu)] for env_id, rate in rates.items()]
    note = f"`gymnasium.make(id)`, one core, steps per second of processor time. Goal: at least {yardstick}'s."
    return as_json(rates), Table("One environment through Gymnasium", note, ["id", "steps", "ratio"], rows)


def start_times(games: list[str], effort: Effort) -> tuple[dict[str, Any], Table]:
    """Seconds that whole processes take; each round begins with an empty cache of kernels."""
    processes = [
        ("python, nothing else", "", ["-c", "pass"]),
        ("import ludus", "under 0.3", ["-c", "import ludus"]),
        ("ludus --help", "under 0.3", ["-m", "ludus", "--help"]),
    ]
    for game in games:
        first_step = ["-c", f"import ludus; env = ludus.make({game!r}); env.reset(); env.step(0)"]
        processes.append((f"{game}, compiled for the first time", "under 5", first_step))
        processes.append((f"{game}, in a later process", "under 0.5", first_step))
    samples: dict[str, list[float]] = {what: [] for what, *_ in processes}
    for _ in range(effort.starts):
        with tempfile.TemporaryDirectory() as cache:
            for what, _, arguments in processes:
                samples[what].append(seconds_of_process(arguments, cache))
    found = {what: median(seconds) for what, seconds in samples.items()}
    rows = [[what, f"{found[what]:.2f}", goal] for what, goal, _ in processes]
    note = (
        "Seconds from the start of the interpreter to its end. Processes with a game's name import Ludus, make the game, "
        "reset it and take a step."
    )
    return found, Table("Start-up", note, ["process", "seconds", "goal"], rows)


def seconds_of_process(arguments: list[str], cache: str) -> float:
    """How long a fresh interpreter takes, with kernels kept in the folder `cache`."""
    environment = {**os.environ, "LUDUS_CACHE_DIR": cache}
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def as_json(rates: dict[str, Rate]) -> dict[str, dict[str, float]]:
    return {name: rate._asdict() for name, rate in rates.items()}


def main() -> None:
    """Measure, show, and with --write keep."""
    parser = argparse.ArgumentParser(description="How fast the games run, side by side with other packages.")
    parser.add_argument("--quick", action="store_true", help="short and rough")
    parser.add_argument("--write", action="store_true", help="keep results, of each processor its own")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    games = [game for game in MINATAR_GAMES if game in all_games()]
    console, facts = Console(), machine(PACKAGES)
    found: dict[str, Any] = {"machine": facts, "effort": effort._asdict()}
    account = [f"## Environments, {facts['processor']}", HOW.format(describe(facts), **effort._asdict())]
    console.print(account[1])

    def run(name: str, part: Callable[[list[str], Effort], tuple[dict[str, Any], Table]]) -> None:
        found[name], table = part(games, effort)
        account.append(table.markdown())
        console.print(table.rich())

    with one_core():
        run("one core", one_core_rates)
        run("pixels", pixel_rates)
        run("single", single_rates)
    run("threads", thread_rates)
    run("start-up", start_times)
    if arguments.write:
        name = "-".join(["environments", *re.findall(r"[a-z0-9]+", facts["processor"].lower())])
        write_results(name, found, "\n\n".join(account))


if __name__ == "__main__":
    main()
