"""How fast the games run, side by side with other packages; see README.md beside this file.

    python benchmarks/environments.py [--quick] [--write]

What is compared runs interleaved, A B C A B C ..., and each figure is the median over the rounds. Compilation and a first
round are left out. Steps per second of processor time hardly depend on what else the computer does, steps per second by
the clock do; both are kept in results/environments.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from peers import MINATAR_GAMES, NUM_ENVS, PEERS, PERIOD, STICKY, Player, step_player
from rich.console import Console
from rich.table import Table as RichTable

import ludus
from ludus.envs import Simulator, all_games

HERE = Path(__file__).parent
PACKAGES = ("ludus", "numpy", "numba", "gymnasium", "torch", "jax", "minatar", "pgx", "gymnax")
THREADED = (1024, 8192, 65536)  # environments
ABSENT = "not installed"


class Effort(NamedTuple):
    """How much to measure."""

    rounds: int
    seconds: float  # of one measurement
    starts: int  # processes for a start-up time


FULL, QUICK = Effort(7, 0.4, 5), Effort(3, 0.1, 1)


class Rate(NamedTuple):
    """Steps per second of processor time, and by the clock."""

    cpu: float
    wall: float


@dataclass
class Table:
    """A table for the terminal and for RESULTS.md; the first column is text, the others are right-aligned."""

    title: str
    note: str
    columns: list[str]
    rows: list[list[str]]

    def rich(self) -> RichTable:
        table = RichTable(title=self.title, caption=self.note, title_justify="left", caption_justify="left")
        for k, column in enumerate(self.columns):
            table.add_column(column, justify="right" if k else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        lines = [self.columns, ["---"] + ["---:"] * (len(self.columns) - 1), *self.rows]
        return "\n".join([f"### {self.title}", "", self.note, "", *(f"| {' | '.join(line)} |" for line in lines)])


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
    wall, cpu = time.perf_counter(), time.process_time()
    player.play(count)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Rate(player.num_envs * count / cpu, player.num_envs * count / wall)


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread, and those that it starts, on one core; where the system has no such call, do nothing."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def simulator_player(game: str, num_envs: int = NUM_ENVS, num_threads: int = 1, **options: Any) -> Player:
    """The engine itself, under same-step autoreset."""
    sim = Simulator(game, num_envs, seed=0, num_threads=num_threads, **options)
    sim.reset()
    return step_player(num_envs, sim.step, random_actions(num_envs, len(sim.actions)))


def vector_player(game: str) -> Player:
    """Gymnasium's face of it, under its usual next-step autoreset."""
    env = ludus.make_vec(game, NUM_ENVS, copy=False, num_threads=1, repeat_action_probability=STICKY)
    env.reset(seed=0)
    return step_player(NUM_ENVS, env.step, random_actions(NUM_ENVS, len(env.simulator.actions)))


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
    return list(np.random.default_rng(0).integers(0, num_actions, (PERIOD, num_envs)))


# What is measured: each function returns results for the JSON file and a table


def one_core_rates(games: list[str], effort: Effort) -> tuple[dict[str, Any], Table]:
    """Ludus and its peers, game by game."""
    found: dict[str, Any] = {}
    rows = []
    for game in games:
        players = {"Simulator": simulator_player(game, repeat_action_probability=STICKY), "make_vec": vector_player(game)}
        players |= present_peers(game)
        rates = measure(players, effort)
        best = max((rates[peer].cpu for peer in PEERS if peer in rates), default=None)
        ratios = {face: rates[face].cpu / best if best else None for face in ("Simulator", "make_vec")}
        found[game] = {"steps per second": as_json(rates), "ratio to the fastest peer": ratios}
        peers = [amount(rates[peer].cpu) if peer in rates else ABSENT for peer in PEERS]
        rows.append([game, *peers, *(cell for f, r in ratios.items() for cell in (amount(rates[f].cpu), times(r)))])
    note = (
        "Steps per second of processor time, 1024 environments (minatar: one), observation written every step, finished "
        f"episodes started again, random minimal actions, sticky with {STICKY} (gymnax: never). The ratio is to the "
        "fastest of the three. `Simulator` is the engine, as bare as the peers' loops; `make_vec` is Gymnasium's face of "
        "it with `copy=False`. Goal: at least 5x."
    )
    columns = ["game", *PEERS, "Ludus Simulator", "ratio", "Ludus make_vec", "ratio"]
    return found, Table("One core, 1024 environments", note, columns, rows)


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
    return as_json(rates), Table("64 x 64 RGB, one core", note, ["game", "frames per CPU-second", "frames per second"], rows)


def thread_rates(games: list[str], effort: Effort) -> tuple[dict[str, Any], Table]:
    """Two threads against one, by the clock."""
    found: dict[str, Any] = {}
    rows = []
    for game in games:
        row = [game]
        for num_envs in THREADED:
            rates = measure({str(n): simulator_player(game, num_envs, n) for n in (1, 2)}, effort)
            ratio = rates["2"].wall / rates["1"].wall
            found.setdefault(game, {})[str(num_envs)] = {"threads": as_json(rates), "ratio": ratio}
            row += [amount(rates["2"].wall), times(ratio)]
        rows.append(row)
    note = "Steps per second by the clock with `num_threads=2`, and the ratio to `num_threads=1`. Goal: at least 1.7x."
    columns = ["game", *(cell for n in THREADED for cell in (f"{n} environments", "ratio"))]
    return found, Table("Two cores", note, columns, rows)


def single_rates(games: list[str], effort: Effort) -> tuple[dict[str, Any], Table]:
    """One environment through gymnasium.make, against CartPole."""
    yardstick = "CartPole-v1"
    ids = [yardstick, *(all_games()[game].id for game in games)]
    rates = measure({env_id: single_player(env_id) for env_id in ids}, effort)
    rows = [[env_id, amount(rate.cpu), times(rate.cpu / rates[yardstick].cpu)] for env_id, rate in rates.items()]
    note = f"`gymnasium.make(id)`, steps per CPU-second, one core. Goal: at least the rate of Gymnasium's own {yardstick}."
    return as_json(rates), Table("One environment through Gymnasium", note, ["id", "steps", "ratio"], rows)


def start_times(games: list[str], effort: Effort) -> tuple[dict[str, Any], Table]:
    """Seconds from the start of a process until it has done something for the first time."""
    first_step = "import ludus; env = ludus.make({!r}); env.reset(); env.step(0)"
    found = {
        "python": median(seconds_until("pass") for _ in range(effort.starts)),
        "import ludus": median(seconds_until("import ludus") for _ in range(effort.starts)),
        "ludus --help": median(seconds_until(HELP) for _ in range(effort.starts)),
    }
    for game in games:
        colds, warms = zip(*(cold_and_warm(first_step.format(game)) for _ in range(effort.starts)), strict=True)
        found |= {f"{game}, compiled for the first time": median(colds), f"{game}, in a later process": median(warms)}
    rows = [[what, f"{seconds:.2f}", start_goal(what)] for what, seconds in found.items()]
    note = "From the start of the interpreter until the import, the help text or the game's first step is done."
    return found, Table("Start-up", note, ["what", "seconds", "goal"], rows)


HELP = "import sys; from ludus.__main__ import main; sys.stdout = sys.stderr; main(['--help'])"


def cold_and_warm(code: str) -> tuple[float, float]:
    """The time with an empty cache of kernels, and the time after that."""
    with tempfile.TemporaryDirectory() as folder:
        return seconds_until(code, LUDUS_CACHE_DIR=folder), seconds_until(code, LUDUS_CACHE_DIR=folder)


def seconds_until(code: str, **environment: str) -> float:
    """How long a fresh interpreter takes to get through `code`."""
    command = [sys.executable, "-c", f"{code}\nimport time; print(time.time(), file=sys.__stdout__)"]
    command[-1] = "import sys\n" + command[-1]
    started = time.time()
    result = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return float(result.stdout) - started


def start_goal(what: str) -> str:
    goals = {"first time": "under 5", "later process": "under 0.5", "ludus": "under 0.3"}
    return next((goal for part, goal in goals.items() if part in what), "")
