"""How good agents are that search, by the temperature of their priors.

    python benchmarks/prior_temperature.py runs/four runs/othello runs/snake --write

In a game for two, what counts is the score against a bot, a draw for a half, over games that begin with OPENING random steps,
half of them in each order of seats; in a game for one, the mean return of episodes. All play greedily. At the highest
temperature priors are as good as uniform, and what is left of the network is its values.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import Table, amount, describe, machine, write_results
from rich.console import Console

from ludus.agents import Search
from ludus.agents.training.evaluation import Player
from ludus.cli.players import load, make
from ludus.envs import Bot, Simulator, evaluate_player
from ludus.envs.statistics import interval
from ludus.zoo.round_robin import round_robin

PACKAGES = ("ludus", "numba", "torch")
TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 100.0)
OPENING = 4
STEPS = 1000  # of an episode for one player, at most
SEED = 0


def players(simulations: int) -> dict[str, Callable[[Any, Simulator], Any]]:
    """What makes a player of an agent and games: without a search, and with one for each temperature."""
    searches = {f"{t:g}": partial(Search, simulations=simulations, prior_temperature=t) for t in TEMPERATURES}
    return {"no search": Player, **searches}


def results_of(who: Any, sim: Simulator, against: str) -> np.ndarray:
    """A number for each game that was played: 1, 0.5 or 0 against a bot, or a return."""
    if sim.num_players == 1:
        return evaluate_player(who, sim, True, STEPS).returns
    found = round_robin(sim, [who, Bot(sim, against, SEED)], SEED, deterministic=True, opening=OPENING)
    return np.repeat([1.0, 0.5, 0.0], [found.wins[0, 1], found.draws[0, 1], found.wins[1, 0]])


def compared(folder: Path, arguments: argparse.Namespace) -> tuple[Table, dict[str, list[float]]]:
    """A table of one agent, and all results by temperature."""
    agent, known = load(folder, SEED, None)
    one = known.num_players == 1
    found = {}
    for name, player in players(arguments.simulations).items():
        sim = make(known.game, SEED, arguments.episodes if one else arguments.games // 2, vars(known.options))
        found[name] = results_of(player(agent, sim), sim, arguments.against).tolist()
    measure = f"mean return of {arguments.episodes}" if one else f"score against {arguments.against}"
    about = f"{type(agent).__name__}, {amount(agent.num_timesteps)} steps; {arguments.simulations} simulations a move"
    rows = [[name, *shown(np.array(results))] for name, results in found.items()]
    return Table(known.game.name, f"{about}.", ["temperature", measure, "95 % interval"], rows), found


def shown(results: np.ndarray) -> list[str]:
    """The mean and its interval."""
    digits = 3 if results.max() <= 1 else 1
    ends = interval(results)
    return [f"{results.mean():.{digits}f}", "-" if ends is None else " to ".join(f"{end:.{digits}f}" for end in ends)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("agents", nargs="+", type=Path, help="folders of agents of PPO, each of another game")
    parser.add_argument("--simulations", type=int, default=100, help="before each move")
    parser.add_argument("--games", type=int, default=400, help="against the bot, in a game for two")
    parser.add_argument("--episodes", type=int, default=50, help="of a game for one")
    parser.add_argument("--against", default="search-4", help="the bot")
    parser.add_argument("--write", action="store_true", help="keep the tables in RESULTS.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tables, found = [], {}
    for folder in arguments.agents:
        table, found[table.title] = compared(folder, arguments)
        tables.append(table)
        Console(width=80).print(table.rich())
    if arguments.write:
        facts = machine(PACKAGES)
        about = f"{describe(facts)} `prior_temperature.py` says how these are counted."
        text = ["## Temperature of a search's priors", about, *(table.markdown() for table in tables)]
        write_results("prior_temperature", {"machine": facts, "results": found}, "\n\n".join(text))


if __name__ == "__main__":
    main()
