"""The zoo's agents: every recipe trained with several seeds, the best of them kept with a card, and a table of all games.

    python benchmarks/zoo.py [--games Snake,Tetris] [--seeds 3] [--folder runs/zoo] [--write]

Every training is a process of its own on one core, as many at once as there are cores; those that --folder has already are
kept. Which is the best is told by the last hundred episodes of training, while the evaluations on the card are of other
episodes; in games for several, by those evaluations, and in games with hidden cards by the exploitability.
--write makes cards and agents in zoo/agents, and the table in RESULTS.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import Table, all_cores, amount, describe, machine, processor, write_results
from rich.console import Console

from ludus import __version__
from ludus.agents import load_agent
from ludus.agents.files.curve import read_curve
from ludus.agents.training.curve_callback import CurveCallback
from ludus.cli import train
from ludus.cli.making import make_agent, make_env
from ludus.envs import find_game
from ludus.zoo import recipe, recipe_names
from ludus.zoo.cards import AGENTS, CARD, FACTS, FORMAT, agent_names, read_card, write_sums
from ludus.zoo.exploitability import exploitabilities
from ludus.zoo.judging import SEED, episodes_for, opponents_of, returns_of, returns_of_bot, summary

PACKAGES = ("ludus", "torch", "numpy")
POINTS = 100
console = Console()


def train_one(game: str, seed: int, folder: Path) -> None:
    """Train by the recipe on one core, keep the agent, and with it its curve and what it can do."""
    config = train.from_recipe(game, seed=seed, device="cpu", tensorboard=False)
    config.settings = dataclasses.replace(config.settings, num_threads=1)
    agent = make_agent(config, make_env(config), None)
    folder.mkdir(parents=True, exist_ok=True)
    agent.learn(config.total_timesteps, callback=CurveCallback(folder))
    agent.save(folder, resumable=False)
    curve = read_curve(folder).thinned(POINTS)
    points = zip(curve.steps.astype(int).tolist(), curve.seconds.tolist(), curve.returns.tolist(), strict=True)
    found = {
        "game": game, "seed": seed, "algo": config.algo, "steps": agent.num_timesteps, "seconds": agent.elapsed(),
        "curve": list(points), "processor": processor(), "evaluation": list(evaluations(agent, find_game(game))),
        "exploitability": exploitabilities(agent),
    }  # fmt: skip
    (folder / "found.json").write_text(json.dumps(found))


def evaluations(agent: Any, game: Any) -> Iterator[dict[str, Any]]:
    """As cards have them."""
    for against in opponents_of(game):
        for policy in ("greedy", "sampled"):
            episodes = episodes_for(game)
            found = returns_of(agent, against, episodes, policy == "greedy", SEED)
            told = {"policy": policy, "against": against, "episodes": episodes, "seed": SEED}
            yield {**told, "median": float(np.median(found)), **summary(found)}


def bots_of(game: Any, options: dict[str, Any]) -> list[dict[str, Any]]:
    """What the simple players get where agents are judged; in games for several, against a random one."""
    against = None if game.players == 1 else "random"
    kinds = ["random", "heuristic"] if game.heuristic is not None else ["random"]
    return [
        {"who": kind, **summary(returns_of_bot(kind, game.name, options, against, episodes_for(game)))}
        for kind in kinds
    ]


def train_all(games: list[str], seeds: int, folder: Path) -> None:
    """Train what is missing."""
    missing = [
        (game, seed, place)
        for seed in range(seeds)
        for game in games
        if not ((place := folder / f"{game}-{seed}") / "found.json").exists()
    ]

    def one(job: tuple[str, int, Path]) -> None:
        game, seed, place = job
        command = [sys.executable, __file__, "--games", game, "--seeds", str(seed), "--folder", str(place), "--one"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            console.print(f"{game}, seed {seed} failed:\n{done.stderr[-2000:]}", style="red")
            return
        found = json.loads((place / "found.json").read_text())
        told = ", ".join(
            f"{x['policy']}{' against ' + x['against'] if x['against'] else ''} {x['mean']:.2f}"
            for x in found["evaluation"]
        )
        console.print(f"{game}, seed {seed}: {told} after {amount(found['steps'])} steps, {found['seconds']:.0f} s")

    with ThreadPoolExecutor(all_cores()) as pool:
        list(pool.map(one, missing))


def found_in(folder: Path, game: str) -> dict[Path, dict[str, Any]]:
    """The trainings of a game by folder."""
    places = sorted(folder.glob(f"{game}-*/found.json"), key=lambda path: int(path.parent.name.rpartition("-")[2]))
    return {path.parent: json.loads(path.read_text()) for path in places}


def goodness(found: dict[str, Any]) -> float:
    """By which trainings are compared: how little is won of the policy, where that is known, or returns."""
    if found.get("exploitability"):
        return -found["exploitability"]["sampled"]
    against = [x["mean"] for x in found["evaluation"] if x["against"] and x["policy"] == "greedy"]
    return sum(against) if against else found["curve"][-1][2]


def make_entry(game: str, trainings: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    """Put the best training into the zoo with its card, which is returned."""
    best = max(trainings, key=lambda place: goodness(trainings[place]))
    found, facts, agent = trainings[best], recipe(game), load_agent(best)
    options = facts.get("options", {})
    card = {
        "format": FORMAT, "game": game, "version": find_game(game).version, "algo": found["algo"], "about": facts["about"],
        "options": options, "settings": facts.get(found["algo"], {}), "seed": found["seed"], "steps": found["steps"],
        "seconds": round(found["seconds"], 1), "threads": 1, "machine": found["processor"],
        "versions": {"ludus": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "evaluation": found["evaluation"], "bots": bots_of(find_game(game), options),
        "seeds": [
            {"seed": x["seed"], **{name: x["evaluation"][0][name] for name in ("mean", "low", "high")}}
            for x in trainings.values()
        ],
        "published": facts.get("published", []), "curve": [list(point) for point in found["curve"]],
    }  # fmt: skip
    if found.get("exploitability"):
        card["exploitability"] = found["exploitability"]
    place = AGENTS / game
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    agent.save(place, resumable=False)
    FACTS("card", json.loads(json.dumps(card)))
    (place / CARD).write_text(json.dumps(card, indent=1) + "\n")
    return card


def table_of(cards: list[dict[str, Any]]) -> Table:
    """A row for each game, or one for each opponent."""
    rows = []
    for card in cards:
        bots = {bot["who"]: f"{bot['mean']:.2f}" for bot in card["bots"]}
        exploited = card.get("exploitability")
        policy = "sampled" if exploited else "greedy"
        for k, x in enumerate(x for x in card["evaluation"] if x["policy"] == policy):
            seeds = ", ".join(f"{seed['mean']:.1f}" for seed in card["seeds"]) if k == 0 else ""
            who = f"{card['game']}{' against ' + x['against'] if x['against'] else ''}"
            who += f" (sampled; exploitability {exploited['sampled']:.3f})" if exploited and k == 0 else ""
            mean = f"{x['mean']:.2f} ({x['low']:.2f} to {x['high']:.2f})"
            published = "; ".join(f"{p['score']:g} {p['who']}" for p in card["published"]) if k == 0 else ""
            spent = [card["algo"], amount(card["steps"]), f"{card['seconds']:.0f}"] if k == 0 else ["", "", ""]
            rows.append([who, *spent, mean, seeds, bots.get("random", "-"), bots.get("heuristic", "-"), published])
    note = (
        "Mean return over 100 episodes (2,000 hands of cards) that no training has played, greedy unless said otherwise, and "
        "its 95 % interval, of the agent in the zoo; of every seed, the greedy mean. Seconds are of training on one core. In "
        "games for several, bots are against random play, and every seat is had as often; among equals, everybody gets 0 in "
        "games for two and -0.5 in Bomber and Tron, in which one of four wins."
    )
    columns = ["game", "by", "steps", "s", "return", "seeds", "random", "heuristic", "published"]
    return Table("Every game", note, columns, rows)


def main() -> None:
    """Train, show, and with --write keep."""
    parser = argparse.ArgumentParser(description="Train the zoo's agents.")
    parser.add_argument("--games", type=lambda text: text.split(","), default=recipe_names())
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("runs/zoo"))
    parser.add_argument("--write", action="store_true", help="make cards, agents and the table")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        train_one(arguments.games[0], arguments.seeds, arguments.folder)
        return
    train_all(arguments.games, arguments.seeds, arguments.folder)
    if not arguments.write:
        return
    for game in arguments.games:
        if trainings := found_in(arguments.folder, game):
            make_entry(game, trainings)
    write_sums(AGENTS)
    cards = [read_card(AGENTS / game) for game in agent_names()]
    facts = machine(PACKAGES)
    table = table_of(cards)
    write_results("zoo", {"machine": facts}, "\n\n".join(["## The zoo", describe(facts), table.markdown()]))
    console.print(table.rich())


if __name__ == "__main__":
    main()
