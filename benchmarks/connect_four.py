"""How often players of ConnectFour err, by a perfect solver.

    python benchmarks/connect_four.py runs/four runs/four:search-200 heuristic search-5
    python benchmarks/connect_four.py runs/four --sets Test_L1_R1 Test_L1_R2 Test_L1_R3 Test_L2_R1 Test_L2_R2 Test_L3_R1

Players are named as in `ludus rate`; all of them move greedily, in the same positions. A move is wrong if another is worth
more by the rules: a draw or a loss where there was a win, a loss where there was a draw. It is slow if it is not wrong, and
another wins sooner or loses later. Moves in lost positions are never wrong, and count among all.

Positions are of games in which each move is random or the heuristic's, one or the other by chance, one of each game. They
begin after FIRST discs: before, a solver without a book of openings takes seconds and more for a position. With --sets
they are those that Pascal Pons published with their scores, 1000 a file (blog.gamesolver.org, "Solving Connect Four", part 2;
they are not part of Ludus): there, what is counted as wrong is what AlphaZero.jl's tutorial counts for minimax of depth 5 and
for its agent with 600 simulations, which in the tutorial's figure errs in about 7 % of Beginning-Hard (Test_L1_R3) and 3 % of
Middle-Medium (Test_L2_R2) in the end. Give as many simulations to compare with it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from four_solver import Position, Solver, position, positions_of
from report import Table, describe, machine, write_results
from rich.console import Console
from scipy.stats import binomtest

from ludus.cli.players import load, seated, with_search
from ludus.envs import Bot, OptionError, Simulator
from ludus.envs.bots import is_bot_kind

PACKAGES = ("ludus", "numba", "torch")
FIRST = 8  # discs
PHASES = {"Beginning": range(FIRST, 15), "Middle": range(15, 29), "End": range(29, 42)}  # as Pons has them
SETS = {"L1": "Beginning", "L2": "Middle", "L3": "End", "R1": "Easy", "R2": "Medium", "R3": "Hard"}  # of Test_L1_R1
GAMES = 20  # played for each position that is wanted
SEED = 0
WIDTH = 100  # of the table, at least: names of players are long
RIGHT, SLOW, WRONG = range(3)
Known = tuple[str, int]  # columns played, from 1, and the score


def sampled(count: int, solver: Solver) -> dict[str, list[Known]]:
    """Different positions of each phase."""
    sim = Simulator("ConnectFour", GAMES * count, seed=SEED)
    bots, random = [Bot(sim, kind, SEED) for kind in ("random", "heuristic")], np.random.default_rng(SEED)
    games, running = [""] * sim.num_envs, np.ones(sim.num_envs, np.bool_)
    sim.reset()
    while running.any():
        moves = np.where(random.random(sim.num_envs) < 0.5, *(bot.decide() for bot in bots))
        for k in np.flatnonzero(running):
            games[k] += str(moves[k] + 1)
        sim.step(moves)
        running &= ~sim.terminated
    found = {}
    for phase, discs in PHASES.items():
        cut = [game[: int(random.choice(fit))] for game in games if (fit := [n for n in discs if n < len(game)])]
        columns = list({position(moves): moves for moves in cut}.values())[:count]
        found[phase] = [(moves, solver.score(position(moves))) for moves in columns]
    return found


def published(files: Iterable[Path], count: int) -> dict[str, list[Known]]:
    """The first positions of files of lines like "4455 18"."""
    found = {}
    for file in files:
        lines = [line.split() for line in file.read_text().splitlines()[:count]]
        name = "-".join(SETS.get(part, part) for part in file.stem.removeprefix("Test_").split("_"))
        found[name] = [(columns, int(score)) for columns, score in lines]
    return found


def player_of(who: str) -> tuple[Callable[[Simulator], Any], dict[str, Any]]:
    """What makes a player of a simulator's games, and the options of these."""
    if is_bot_kind(who):
        return lambda sim: Bot(sim, who, SEED), {}
    folder, simulations = with_search(who)
    agent, known = load(Path(folder), SEED, None)
    if known.game.name != "ConnectFour":
        raise OptionError(f"the agent in {folder} plays {known.game.name}, not ConnectFour")
    return lambda sim: seated(agent, sim, simulations, SEED), vars(known.options)


def decided(who: str, columns: Sequence[str]) -> list[tuple[Position, int]]:
    """What the records say of these positions, and which column a player takes there, from 0."""
    make, options = player_of(who)
    lengths, found = np.array([len(moves) for moves in columns]), {}
    for length in set(lengths.tolist()):
        some = np.flatnonzero(lengths == length)
        sim = Simulator("ConnectFour", len(some), seed=SEED, **options)
        sim.reset()
        for ply in range(length):
            sim.step(np.array([int(columns[k][ply]) - 1 for k in some.tolist()]))
        asked = positions_of(sim.records)
        found |= dict(zip(some.tolist(), zip(asked, make(sim).decide(True).tolist(), strict=True), strict=True))
    return [found[k] for k in range(len(columns))]


@cache  # several players may choose the same
def verdict(solver: Solver, asked: Position, col: int, score: int) -> int:
    """Of a move in a position with this score: RIGHT, SLOW or WRONG."""
    if score >= 0 and not solver.reaches(asked, col, min(score, 1)):
        return WRONG
    return RIGHT if solver.reaches(asked, col, score) else SLOW


def verdicts(solver: Solver, who: str, known: Sequence[Known]) -> list[int]:
    """Of a player's move in each position."""
    moves = decided(who, [columns for columns, _ in known])
    return [verdict(solver, *move, score) for move, (_, score) in zip(moves, known, strict=True)]


def table_of(found: dict[str, dict[str, list[int]]]) -> Table:
    """A row for each set and player, with Wilson's interval of the share of wrong moves."""
    rows = []
    for name, by in found.items():
        for who, each in by.items():
            total, wrong, slow = len(each), each.count(WRONG), each.count(SLOW)
            low, high = (100 * end for end in binomtest(wrong, total).proportion_ci(method="wilson"))
            shares = [f"{100 * wrong / total:.1f}", f"{low:.1f} to {high:.1f}", f"{100 * slow / total:.1f}"]
            rows.append([name, str(total), who, *shares])
    columns = ["positions", "number", "player", "wrong, %", "95 % interval", "slow, %"]
    return Table("Moves that a perfect solver finds wrong or slow", "", columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("players", nargs="+", help="folders of agents, FOLDER:search-200, heuristic, search-4, ...")
    parser.add_argument("--positions", type=int, default=100, help="of each set")
    parser.add_argument("--sets", nargs="+", type=Path, help="files of Pons's test sets")
    parser.add_argument("--write", action="store_true", help="keep the tables in RESULTS.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console, solver, began = Console(), Solver(), time.process_time()
    sets = published(arguments.sets, arguments.positions) if arguments.sets else sampled(arguments.positions, solver)
    console.print(f"positions: {time.process_time() - began:.0f} s")
    found: dict[str, dict[str, list[int]]] = {}
    for name, known in sets.items():
        began = time.process_time()
        found[name] = {who: verdicts(solver, who, known) for who in arguments.players}
        console.print(f"{name}: {time.process_time() - began:.0f} s")
    table = table_of(found)
    console.width = max(console.width, WIDTH)
    console.print(table.rich())
    if arguments.write:
        facts = machine(PACKAGES)
        source = "published by Pascal Pons" if arguments.sets else f"sampled, after {FIRST} discs or more"
        about = f"{describe(facts)} Positions are {source}; `connect_four.py` says how, and what is wrong or slow."
        text = ["## ConnectFour by a perfect solver", about, table.markdown()]
        write_results("connect_four", {"machine": facts, "verdicts": found}, "\n\n".join(text))


if __name__ == "__main__":
    main()
