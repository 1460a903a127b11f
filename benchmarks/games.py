"""How fast all the other games run, next to every package that has them, and what untrained players reach in them.

    python benchmarks/games.py [--games NAME,...] [--parts speed,baselines] [--quick] [--write]

MinAtar's five games have a benchmark of their own, environments.py; here they are only in the baselines. How the other
packages are driven stands at the head of game_peers.py. Parts and games that were not asked for keep their results, if
they were measured on the same machine with the same packages and effort.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from environments import FULL, HOW, QUICK, Effort, as_json, measure, simulator_player
from game_peers import C_RATES, GAMES_OF, PLAYERS, RULES, NoSuchPackage
from peers import MINATAR_GAMES, NUM_ENVS, PERIOD, Player, step_player
from processes import one_core
from report import ABSENT, FOLDER, Table, amount, describe, machine, times, write_results
from rich.console import Console

from ludus.envs import Bot, Match, Simulator, all_games, evaluate_player, find_game
from ludus.envs.game import Game

PACKAGES = ("ludus", "numpy", "numba", "gymnasium", "jax", "pgx", "gymnax", "jumanji", "envpool")
PARTS = ("speed", "baselines")
EPISODES, STEP_LIMIT = 1000, 2000
FLOOR, LOWER_FLOOR = 1e6, 3e5
SLOW_GAMES = ("Backgammon", "Go", "Wilds")  # those of the lower floor
FAILED = "does not run"

console = Console()


# Speed


def measure_speed(game: Game, effort: Effort) -> dict[str, Any]:
    """The game's rate, and those of the packages that have it."""
    masked = chooses_allowed(game)
    ours = allowed_player(game.name) if masked else drawn_player(game)
    peers = present_peers(game.name, masked)
    players = {name: peer for name, peer in peers.items() if isinstance(peer, Player)}
    rates = measure({**players, "ludus": ours}, effort)
    fastest = max(players, key=lambda name: rates[name].cpu, default=None)
    return {
        "steps per second": as_json(rates),
        "fastest peer": fastest,
        "ratio to the fastest peer": rates["ludus"].cpu / rates[fastest].cpu if fastest else None,
        "missing": {name: peer for name, peer in peers.items() if isinstance(peer, str)},
        "allowed actions only": masked,
        "players in a step": Simulator(game).num_seats,
    }


def chooses_allowed(game: Game) -> bool:
    """Whether everybody keeps to allowed actions: where there are rules for it, and in 2048, where Pgx's must."""
    return game.legal is not None and (game.players > 1 or game.name in GAMES_OF["pgx"])


def allowed_player(game: str) -> Player:
    """The engine; a compiled bot chooses among the allowed actions in every step."""
    sim = Simulator(game, NUM_ENVS, seed=0, num_threads=1)
    sim.reset()
    bot = Bot(sim, "random")
    return step_player(NUM_ENVS, lambda _: sim.step(bot.act()), [None])


def drawn_player(game: Game) -> Player:
    """The engine with actions drawn beforehand."""
    if not game.together:
        return simulator_player(game.name)
    sim = Simulator(game, NUM_ENVS, seed=0, num_threads=1)
    sim.reset()
    actions = np.random.default_rng(0).integers(0, len(sim.actions), (PERIOD, NUM_ENVS, sim.num_seats))
    return step_player(NUM_ENVS, sim.step, list(actions))


def present_peers(game: str, masked: bool) -> dict[str, Player | str]:
    """The packages that have the game: ready to play, or why not."""
    return {name: try_peer(name, game, masked) for name in PLAYERS if game in GAMES_OF[name]}


def try_peer(name: str, game: str, masked: bool) -> Player | str:
    """The package's player after a first step, or why there is none."""
    started = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of precisions that are lowered, and versions that will be outdated
            player = PLAYERS[name](game, masked)
            player.play(1)
    except (ImportError, NoSuchPackage):
        return ABSENT
    except Exception as error:  # whatever is wrong with it, the others can be measured
        console.print(f"{game}: {name} {FAILED}: {type(error).__name__}: {error}", markup=False)
        return FAILED
    console.print(f"{game}: {name} is ready after {time.perf_counter() - started:.1f} s")
    return player


def speed_table(found: dict[str, Any]) -> Table:
    rows = [speed_row(game, facts) for game, facts in sorted(found.items())]
    together = {game: facts["players in a step"] for game, facts in found.items() if facts["players in a step"] > 1}
    note = (
        f"Steps per second of processor time, {NUM_ENVS} environments, one thread, observation written every step, finished "
        "episodes started again. Actions are random and drawn beforehand; in games for two who take turns, and in 2048, "
        "all choose among the allowed ones within the measured time. "
    )
    if together:
        note += "Where players act together, a step is one of the game: " + ", ".join(
            f"in {game} {number} players' steps" for game, number in sorted(together.items())
        )
        note += ". "
    note += (
        "JAX packages run a compiled loop. EnvPool is C++ with `num_envs=1024, num_threads=1`, stepped from Python, and "
        "Gymnasium is its own NumPy vector for CartPole and `SyncVectorEnv` for others. Ratios are to the fastest of them "
        f"that ran; 'at most' where one is missing; '-' where a package does not have the game. Floors: {amount(FLOOR)}, "
        f"for {', '.join(SLOW_GAMES)} {amount(LOWER_FLOOR)}. The column in brackets is for reference only: PufferLib 3, in "
        "C, with its own rules, measured at another time on one core of an AMD EPYC (Zen 4); figures from two machines "
        "cannot be compared."
    )
    if rules := [f"{game}: {rule}" for game, rule in sorted(RULES.items()) if game in found]:
        note += f" Rules differ, among others so. {'; '.join(rules)}."
    return Table("All other games, one core", note, [*SPEED_COLUMNS], rows)


SPEED_COLUMNS = ("game", *PLAYERS, "(PufferLib 3, C)", "Ludus", "ratio", "floor", "")


def speed_row(game: str, facts: dict[str, Any]) -> list[str]:
    rates, missing = facts["steps per second"], facts["missing"]
    peers = [amount(rates[name]["cpu"]) if name in rates else missing.get(name, "-") for name in PLAYERS]
    reference = f"({amount(C_RATES[game])})" if game in C_RATES else "-"
    own, floor = rates["ludus"]["cpu"], LOWER_FLOOR if game in SLOW_GAMES else FLOOR
    ratio = times(facts["ratio to the fastest peer"])
    at_most = "at most " if missing and ratio != "-" else ""
    return [game, *peers, reference, amount(own), at_most + ratio, amount(floor), "met" if own >= floor else "missed"]


# Baselines


def measure_baselines(game: Game, effort: Effort) -> dict[str, Any]:
    """What the random and the simple player reach in the first seat, against random ones."""
    kinds = ("random", "heuristic") if game.heuristic else ("random",)
    return {kind: evaluate_bot(game, kind) for kind in kinds}


def evaluate_bot(game: Game, kind: str) -> dict[str, Any]:
    """Return, standard deviation and length of one episode in each of a thousand games."""
    sim = Simulator(game, EPISODES, seed=0, num_threads=1)
    seats = [Bot(sim, kind if seat == 0 else "random", seed=1 + seat) for seat in range(sim.num_players)]
    player = Match(sim, seats) if len(seats) > 1 else seats[0]
    result = evaluate_player(player, sim, step_limit=STEP_LIMIT)
    returns = result.returns.reshape(EPISODES, -1)[:, 0]
    return {
        "mean": float(returns.mean()),
        "standard deviation": float(returns.std(ddof=1)),
        "length": float(result.lengths.mean()),
        "cut": result.unfinished,
        "players": sim.num_players,
    }


def baselines_table(found: dict[str, Any]) -> Table:
    rows = [baselines_row(game, facts) for game, facts in sorted(found.items())]
    note = (
        f"Mean return, its standard deviation over episodes, and mean length in steps of the game, over {EPISODES} "
        "episodes, one in each of as many games. Random takes any allowed action, the heuristic is the simple player of "
        f"the game's own file. Episodes are cut after {STEP_LIMIT} steps, with their return so far; 'cut' says how many "
        "were. In games of several players they have the first seat, all others are random, and the return is the first "
        "seat's."
    )
    each = ("mean", "sd", "length", "cut")
    columns = ["game", "players", *(f"{kind} {what}" for kind in ("random:", "heuristic:") for what in each)]
    return Table("Players that nobody trained", note, columns, rows)


def baselines_row(game: str, facts: dict[str, Any]) -> list[str]:
    row = [game, str(facts["random"]["players"])]
    for kind in ("random", "heuristic"):
        if kind not in facts:
            row += ["-"] * 4
            continue
        result = facts[kind]
        row += [f"{result[what]:.2f}" for what in ("mean", "standard deviation")]
        row += [f"{result['length']:.1f}", str(result["cut"] or "")]
    return row


# Both


MEASURES: dict[str, Callable[[Game, Effort], dict[str, Any]]] = {
    "speed": measure_speed,
    "baselines": measure_baselines,
}
TABLES: dict[str, Callable[[dict[str, Any]], Table]] = {"speed": speed_table, "baselines": baselines_table}
SOURCES = {
    "speed": HOW.split(";")[0].replace("environments.py", "games.py --parts speed") + ".",
    "baselines": "{} Made by `python benchmarks/games.py --parts baselines --write`.",
}


def run_part(part: str, games: list[Game], effort: Effort, kept: dict[str, Any]) -> dict[str, Any]:
    """Measure games, one line each; what was found before of others is kept if it was found in the same way."""
    facts = machine(PACKAGES)
    found: dict[str, Any] = {"machine": facts, "effort": effort._asdict(), "games": {}}
    if same_way(kept, found):
        found["games"] = dict(kept["games"])
    for game in games:
        result = {**MEASURES[part](game, effort), "date": facts["date"]}
        found["games"][game.name] = result
        console.print(summary(part, game.name, result), markup=False)
    return found


def same_way(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two parts come from the same machine, packages and effort, on whatever day."""
    if not one:
        return False
    machines = [{**part["machine"], "date": None} for part in (one, other)]
    return machines[0] == machines[1] and one["effort"] == other["effort"]


def summary(part: str, game: str, result: dict[str, Any]) -> str:
    table = TABLES[part]({game: result})
    cells = zip(table.columns[1:], table.rows[0][1:], strict=True)
    return f"{game}: " + ", ".join(f"{name} {cell}".strip() for name, cell in cells if cell not in ("", "-"))


def account(found: dict[str, Any]) -> str:
    """The section of the page: each part with the machine that it was measured on."""
    blocks = ["## All games"]
    for part in PARTS:
        if part in found:
            table = TABLES[part](found[part]["games"])
            made = SOURCES[part].format(describe(found[part]["machine"]), **found[part]["effort"])
            table.note = f"{made} {table.note}"
            blocks.append(table.markdown())
    return "\n\n".join(blocks)


def games_of(part: str, names: str | None) -> list[Game]:
    """The games asked for, else all that the part is about."""
    asked = [find_game(name) for name in names.split(",")] if names else list(all_games().values())
    return [game for game in asked if part == "baselines" or game.name not in MINATAR_GAMES]


def previous_results() -> dict[str, Any]:
    file = FOLDER / "results" / "games.json"
    return json.loads(file.read_text()) if file.exists() else {}


def main() -> None:
    """Measure, show, and with --write keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--games", help="only these, divided by commas")
    parser.add_argument("--parts", default=",".join(PARTS), help="speed, baselines or both, divided by commas")
    parser.add_argument("--quick", action="store_true", help="short and rough")
    parser.add_argument("--write", action="store_true", help="keep results in RESULTS.md and results/games.json")
    arguments = parser.parse_args()
    effort, parts = QUICK if arguments.quick else FULL, arguments.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"parts are {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    found = previous_results() if arguments.write else {}
    for part in parts:
        with one_core():  # from the start, since JAX makes its threads at once
            found[part] = run_part(part, games_of(part, arguments.games), effort, found.get(part, {}))
        console.print(TABLES[part](found[part]["games"]).rich())
        if arguments.write:
            write_results("games", found, account(found))


if __name__ == "__main__":
    main()
