"""The zoo's agents: every recipe trained with several seeds, the best of them kept with a card, and a table of all games.

    python benchmarks/zoo.py [--games Snake,Tetris] [--seeds 3] [--folder runs/zoo] [--write]

Every training is a process of its own on one core, as many at once as there are cores. With --write, each is kept as it comes
in results/zoo.json, where those by the same recipe are not made again, the best is put into zoo/agents with its card, and the
table into RESULTS.md. Which is the best is told by the last hundred episodes of training, while the evaluations on the card
are of other episodes; in games for several, by those evaluations, and in games with hidden cards by the exploitability.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipe_agent import agent_by_recipe
from report import Table, all_cores, amount, describe, machine, processor, read_figures, write_results
from rich.console import Console

from ludus import __version__
from ludus.agents import load_agent
from ludus.agents.files.curve import read_curve
from ludus.agents.training.curve_callback import CurveCallback
from ludus.envs import find_game
from ludus.zoo import recipe, recipe_names
from ludus.zoo.cards import AGENTS, CARD, FACTS, FORMAT, agent_names, read_card, write_sums
from ludus.zoo.exploitability import exploitabilities
from ludus.zoo.judging import SEED, episodes_for, opponents_of, returns_of, returns_of_bot, summary

PACKAGES = ("ludus", "torch", "numpy")
POINTS = 50  # of a curve
FOUND = "found.json"  # what is said of a training, beside its agent
console = Console()


def train_one(game: str, seed: int, folder: Path) -> None:
    """Train by the recipe on one core, keep the agent, and with it its curve and what it can do."""
    config, agent = agent_by_recipe(game, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.process_time()
    agent.elapsed = lambda: time.process_time() - began  # also on a busy machine
    agent.learn(config.total_timesteps, callback=CurveCallback(folder))
    agent.save(folder, resumable=False)
    curve = read_curve(folder).thinned(POINTS)
    points = zip(curve.steps.astype(int), curve.seconds.round(2), curve.returns.round(4), strict=True)
    found = {
        "game": game, "seed": seed, "recipe": plan(game), "algo": config.algo, "steps": agent.num_timesteps,
        "seconds": agent.elapsed(), "curve": [[x.item() for x in point] for point in points], "processor": processor(),
        "evaluation": list(evaluations(agent, find_game(game))), "exploitability": exploitabilities(agent),
    }  # fmt: skip
    (folder / FOUND).write_text(json.dumps(found))


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


Trainings = dict[str, list[dict[str, Any]]]


def plan(game: str) -> dict[str, Any]:
    """What of a recipe makes a training what it is."""
    facts = recipe(game)
    return {name: facts[name] for name in ("algo", "total_timesteps", "options", facts["algo"]) if name in facts}


def kept(figures: dict[str, Any]) -> Trainings:
    """The trainings by recipes as they are now."""
    return {
        game: [x for x in found if x["recipe"] == plan(game)]
        for game, found in figures.get("trainings", {}).items()
        if game in recipe_names()
    }


def train_all(games: list[str], seeds: int, folder: Path, known: Trainings) -> Iterator[dict[str, Any]]:
    """Train what is missing, as many at once as there are cores; each as it comes."""
    missing = [
        (game, seed)
        for seed in range(seeds)
        for game in games
        if not any(x["seed"] == seed for x in known.get(game, []))
    ]

    def one(job: tuple[str, int]) -> dict[str, Any] | None:
        game, seed = job
        place = folder / f"{game}-{seed}"
        command = [sys.executable, __file__, "--games", game, "--seeds", str(seed), "--folder", str(place), "--one"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        if found := found_in(place, game):
            return found
        shutil.rmtree(place, ignore_errors=True)
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            console.print(f"{game}, seed {seed} failed:\n{done.stderr[-2000:]}", style="red")
        return found_in(place, game)

    with ThreadPoolExecutor(all_cores()) as pool:
        for done in as_completed([pool.submit(one, job) for job in missing]):
            if found := done.result():
                yield found


def found_in(place: Path, game: str) -> dict[str, Any] | None:
    """What is said of the training in a folder, if there is one by the recipe as it is now."""
    if not (place / FOUND).exists():
        return None
    found = json.loads((place / FOUND).read_text())
    return found if found["recipe"] == plan(game) else None


def told(found: dict[str, Any]) -> str:
    results = ", ".join(
        f"{x['policy']}{' against ' + x['against'] if x['against'] else ''} {x['mean']:.2f}"
        for x in found["evaluation"]
    )
    return f"{found['game']}, seed {found['seed']}: {results} after {amount(found['steps'])} steps, {found['seconds']:.0f} s"


def goodness(found: dict[str, Any]) -> float:
    """By which trainings are compared: how little is won of the policy, where that is known, or returns."""
    if found.get("exploitability"):
        return -found["exploitability"]["sampled"]
    against = [x["mean"] for x in found["evaluation"] if x["against"] and x["policy"] == "greedy"]
    return sum(against) if against else found["curve"][-1][2]


def make_entry(game: str, trainings: list[dict[str, Any]], folder: Path) -> None:
    """Write the card of the best training, and put its agent into the zoo unless it is there already."""
    best = max(trainings, key=goodness)
    place, source = AGENTS / game, folder / f"{game}-{best['seed']}"
    if not found_in(source, game):
        source = place
        if not (place / CARD).exists() or read_card(place)["seed"] != best["seed"]:
            raise SystemExit(f"the agent of {game}, seed {best['seed']}, is neither in {folder} nor in the zoo")
    agent, card = load_agent(source), card_of(game, best, trainings)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    agent.save(place, resumable=False)
    FACTS("card", json.loads(json.dumps(card)))
    (place / CARD).write_text(json.dumps(card, indent=1) + "\n")


def card_of(game: str, best: dict[str, Any], trainings: list[dict[str, Any]]) -> dict[str, Any]:
    facts = recipe(game)
    options = facts.get("options", {})
    card = {
        "format": FORMAT, "game": game, "version": find_game(game).version, "algo": best["algo"], "about": facts["about"],
        "options": options, "settings": facts.get(best["algo"], {}), "seed": best["seed"], "steps": best["steps"],
        "seconds": round(best["seconds"], 1), "threads": 1, "machine": best["processor"],
        "versions": {"ludus": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "evaluation": best["evaluation"], "bots": bots_of(find_game(game), options),
        "seeds": [
            {"seed": x["seed"], **{name: x["evaluation"][0][name] for name in ("mean", "low", "high")}}
            for x in sorted(trainings, key=lambda x: x["seed"])
        ],
        "published": facts.get("published", []), "curve": best["curve"],
    }  # fmt: skip
    return card | ({"exploitability": best["exploitability"]} if best["exploitability"] else {})


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
            simple = [bots.get(kind, "-") if k == 0 else "" for kind in ("random", "heuristic")]
            rows.append([who, *spent, mean, seeds, *simple, published])
    note = (
        "Mean return over 100 episodes (2,000 hands of cards) that no training has played, greedy unless said otherwise, and "
        "its 95 % interval, of the agent in the zoo; of every seed, the greedy mean. Seconds are process time of training on "
        "one core. In games for several, bots are against random play, and every seat is had as often; among equals, "
        "everybody gets 0 in games for two and -0.5 in Bomber and Tron, in which one of four wins."
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
    figures = read_figures("zoo") if arguments.write else {}
    known = kept(figures)
    for found in train_all(arguments.games, arguments.seeds, arguments.folder, known):
        console.print(told(found))
        game = found["game"]
        known[game] = [*known.get(game, []), found]
        if arguments.write:
            make_entry(game, known[game], arguments.folder)
            keep(known)


def keep(known: Trainings) -> None:
    """Figures, checksums, and the table."""
    write_sums(AGENTS)
    facts, table = machine(PACKAGES), table_of([read_card(AGENTS / game) for game in agent_names()])
    figures = {"machine": facts, "trainings": dict(sorted(known.items()))}
    write_results("zoo", figures, "\n\n".join(["## The zoo", describe(facts), table.markdown()]))


if __name__ == "__main__":
    main()
