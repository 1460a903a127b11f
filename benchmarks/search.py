"""How fast records are searched, on one core: simulations of tree search, steps of alpha-beta, and how strong the latter is.

python benchmarks/search.py                  # a minute
python benchmarks/search.py --games Hex,Go
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import process_time

import torch
from report import amount
from rich.console import Console
from rich.table import Table

import ludus
from ludus.agents import Search
from ludus.envs import Bot, Match, Simulator, TreeSearch, evaluate_player
from ludus.envs.sb3 import vec_env

BOARDS = (1, 64, 1000)
SIMULATIONS = 200
PLIES = 6  # random moves before boards are searched
EPISODES = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--games", default="ConnectFour,Othello", help="games of turns, without chance")
    parser.add_argument("--seconds", type=float, default=2.0, help="of processor time, for each rate")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for game in arguments.games.split(","):
        Console(width=80).print(rates(game, arguments.seconds), strength(game))
    return 0


def rates(game: str, seconds: float) -> Table:
    """Simulations or steps a second, by boards."""
    table = Table("boards", *map(str, BOARDS), title=f"{game}, a second of one core")
    agent = ludus.PPO("mlp", vec_env(game, 8), n_steps=8, batch_size=64, num_threads=1, seed=0)
    rows: dict[str, Callable[[Simulator], tuple[Callable[[], object], Callable[[], int]]]] = {
        f"simulations, {SIMULATIONS} a move, no network": lambda sim: (
            TreeSearch(sim, SIMULATIONS),
            lambda: SIMULATIONS * sim.num_envs,
        ),
        "simulations, network of 2 x 64": lambda sim: (
            Search(agent, sim, SIMULATIONS).decide,
            lambda: SIMULATIONS * sim.num_envs,
        ),
        **{f"steps of search-{depth}": lambda sim, depth=depth: bot_of(sim, depth) for depth in (4, 6)},
    }
    for name, make in rows.items():
        table.add_row(name, *(amount(rate(*make(boards(game, count)), seconds)) for count in BOARDS))
    return table


def bot_of(sim: Simulator, depth: int) -> tuple[Callable[[], object], Callable[[], int]]:
    bot = Bot(sim, f"search-{depth}")
    return bot.act, lambda: int(bot.nodes.sum())


def boards(game: str, count: int) -> Simulator:
    """Boards after some random moves."""
    sim = Simulator(game, count, seed=0)
    sim.reset()
    bot = Bot(sim, "random")
    for _ in range(PLIES):
        sim.step(bot.act())
    return sim


def rate(search: Callable[[], object], done: Callable[[], int], seconds: float) -> float:
    """What is done in a second of processor time, after a first call, which compiles."""
    search()
    total, began = 0, process_time()
    while process_time() - began < seconds:
        search()
        total += done()
    return total / (process_time() - began)


def strength(game: str) -> Table:
    """Games of search-4, half of them as the first player."""
    table = Table("search-4 against", "won", "drawn", "lost", title=f"{game}, {EPISODES} games")
    for other in ("random", "heuristic", "search-2"):
        scores = []
        for seat in (0, 1):
            sim = Simulator(game, EPISODES // 2, seed=seat)
            players = [Bot(sim, "search-4", 1), Bot(sim, other, 2)]
            scores += evaluate_player(Match(sim, players[:: 1 - 2 * seat]), sim).returns[:, seat].tolist()
        table.add_row(other, *(str(sum(score == result for score in scores)) for result in (1, 0, -1)))
    return table


if __name__ == "__main__":
    raise SystemExit(main())
