"""`ludus zoo`: the trained agents that come with Ludus.

`ludus zoo list` shows them, `ludus zoo verify` plays their evaluations again, `ludus zoo reproduce GAME` trains one anew.
"""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..envs import OptionError, Options, find_game
from .arguments import parse
from .figures import figure, new_table, span
from .interrupts import ENDING, import_agents
from .run_folder import new_folder
from .settings_file import from_plain
from .terminal import console, say

STEPS = ("list", "verify", "reproduce")


@dataclass
class Config:
    """The trained agents that come with Ludus: `ludus zoo list`, `ludus zoo verify`, `ludus zoo reproduce GAME`."""

    step: str = field(metadata={"choices": STEPS})
    """list, verify or reproduce."""
    games: tuple[str, ...] = field(default=(), metadata={"positional": True})
    """Of these games alone; none: of all."""
    out: Path | None = None
    """Of reproduce, the folder for the training; None: runs/GAME-ALGO-DATE-TIME."""
    seed: int | None = None
    """Of reproduce, the training's seed; None: the card's, which gives the same agent on the same processor."""
    num_threads: int | None = None
    """Of reproduce; None: as many as the card says."""


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "zoo")
    if config.step not in WORK:
        raise OptionError(f"ludus zoo {config.step}: choose from {', '.join(STEPS)}")
    unused = [name for name in ("out", "seed", "num_threads") if getattr(config, name) is not None]
    if unused and config.step != "reproduce":
        raise OptionError(f"--{unused[0].replace('_', '-')} is for `ludus zoo reproduce`: leave it out")
    import_agents()
    return WORK[config.step](config, chosen(config.games))


def chosen(games: Sequence[str]) -> list[str]:
    """Games with agents, all if none are named; raises OptionError where one has none."""
    from ..zoo.cards import agent_names

    known = agent_names()
    if not games:
        return known
    names = list(dict.fromkeys(find_game(name).name for name in games))
    for name in names:
        if name not in known:
            raise OptionError(f"the zoo has no agent for {name}: `ludus train {name}` makes one")
    return names


def cards_of(games: Sequence[str]) -> list[dict[str, Any]]:
    from ..zoo.cards import agent_folder, read_card

    return [read_card(folder) for game in games if (folder := agent_folder(game)) is not None]


def show(config: Config, games: list[str]) -> int:
    """A table of the agents."""
    from ..agents.training.progress_bar import quantity

    table = new_table(["game", "by"], ["steps", "return", "95 %", "random", "heuristic"])
    cards = cards_of(games)
    for card in cards:
        bots = [
            {bot["who"]: figure(bot["mean"]) for bot in card["bots"]}.get(who, "-") for who in ("random", "heuristic")
        ]
        trained = [card["game"], card["algo"].upper(), quantity(card["steps"])]
        for found in (found for found in card["evaluation"] if found["policy"] == "greedy"):
            if found["against"]:
                table.add_row(*trained) if trained[0] else None
                trained = [f" against {found['against']}", "", ""]
            table.add_row(*trained, figure(found["mean"]), within(found), *bots)
            trained, bots = ["", "", ""], ["", ""]
    out = console()
    out.print(table)
    say("Mean returns over 100 episodes (2,000 hands of cards), greedy, from every seat;")
    say("random and heuristic in the same games, if for several against random players.")
    if below := [card["game"] for card in cards if not above_bots(card)]:
        out.print(f"Not clearly better than the simple players: {', '.join(below)}.", highlight=False)
    say("Watch one: ", ("ludus watch GAME", "bold"))
    return 0


def above_bots(card: dict[str, Any]) -> bool:
    """Whether an agent's interval is above what bots get in its game and, against the heuristic, what equals get."""
    bots = max(bot["mean"] for bot in card["bots"])
    greedy = [found for found in card["evaluation"] if found["policy"] == "greedy"]
    against = next((found for found in greedy if found["against"] == "heuristic"), None)
    if against is None:
        return bool(greedy) and greedy[0]["low"] > bots
    players = find_game(card["game"]).players
    return against["low"] > (0.0 if players == 2 else 2 / players - 1)  # one of them wins 1, the others lose 1


def verify(config: Config, games: list[str]) -> int:
    """Play every evaluation of the cards again; the status is 1 where one does not come out as the card says."""
    from ..agents import load_agent
    from ..zoo.cards import agent_folder, read_card

    wrong = 0
    for game in games:
        folder = agent_folder(game)
        assert folder is not None
        agent, card = load_agent(folder), read_card(folder)
        check_game(agent, card)
        for words, fits in verified(agent, card):
            wrong += not fits
            say(f"{game}{words}: ", ("as it says" if fits else "NOT as it says", "bold"))
    say(f"{counted(len(games), 'agent')}, {counted(wrong, 'evaluation')} not as the card says")
    return 1 if wrong else 0


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def check_game(agent: Any, card: dict[str, Any]) -> None:
    """Raise OptionError where an agent plays something else than its card says."""
    from ..agents.checkpoints.env_spec import make_environment

    sim, game = make_environment(agent.environment).simulator, card["game"]
    if sim.game.name != game:
        raise OptionError(f"the agent of {game} plays {sim.game.name}")
    if card["version"] != sim.game.version:
        raise OptionError(
            f"the agent of {game} is of version {card['version']} of the game, which is {sim.game.version}"
        )
    if sim.options != Options.of(sim.game, vars(from_plain("options", Options, card["options"]))):
        raise OptionError(f"the agent of {game} was trained with other options than its card says")
    if any((found["against"] is None) != (sim.num_players == 1) for found in card["evaluation"]):
        raise OptionError(f"the card of {game} has evaluations that are not for {sim.num_players} players")


def verified(agent: Any, card: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Each figure of a card beside what an agent gets, in words, and whether they agree."""
    from ..zoo.exploitability import exploitabilities

    for told, now in evaluated(agent, card):
        against = f" against {told['against']}" if told["against"] else ""
        words = f"{figure(now['mean'])}, card {figure(told['mean'])}{in_brackets(told)}"
        yield f"{against}, {told['policy']}: {words}", now["low"] <= told["high"] and told["low"] <= now["high"]
    found = exploitabilities(agent) if "exploitability" in card else {}
    for name, told in card.get("exploitability", {}).items():
        now = found.get(name, math.nan)  # in a game that has none
        yield f", exploitability, {name}: {now:.4f}, card {told:.4f}", abs(now - told) < 1e-3


def reproduce(config: Config, games: list[str]) -> int:
    """Train an agent as its card says, and compare; the status is 1 where it does not reach the card's interval."""
    if len(config.games) != 1:
        raise OptionError("ludus zoo reproduce needs one GAME")
    (card,) = cards_of(games)
    folder = config.out or new_folder(card["game"], card["algo"])
    command = ["train", card["game"], "--algo", card["algo"], "--total-timesteps", card["steps"], "--out", folder]
    command += ["--seed", card["seed"] if config.seed is None else config.seed]
    command += ["--num-threads", config.num_threads or card["threads"], "--device", "cpu"]
    return finished([sys.executable, "-m", "ludus", *map(str, command)]) or compare(folder, card)


def finished(command: list[str]) -> int:
    """The exit status of a command that ends by itself when a signal comes, and saves first."""
    child = subprocess.Popen(command)
    for number in ENDING:  # Ctrl-C reaches all processes of a terminal, others only this one
        signal.signal(number, lambda number, _: child.send_signal(number) if number != signal.SIGINT else None)
    return child.wait()


def compare(folder: Path, card: dict[str, Any]) -> int:
    """Evaluate an agent as another's card says, show both; 0 if it is as good or better."""
    from ..agents import load_agent

    below = 0
    for told, now in evaluated(load_agent(folder), card):
        below += now["high"] < told["low"]
        against = f" against {told['against']}" if told["against"] else ""
        say(
            f"{told['policy']}{against}: {figure(now['mean'])}{in_brackets(now)}, "
            f"the card's {figure(told['mean'])}{in_brackets(told)}"
        )
    seeds = ", ".join(figure(seed["mean"]) for seed in card["seeds"])
    say(f"trainings by this recipe had {seeds}; the card is of the best of them")
    return 1 if below else 0


def evaluated(agent: Any, card: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """Every evaluation of a card, and what an agent gets in the same episodes."""
    from ..zoo.judging import returns_of, summary

    for told in card["evaluation"]:
        found = returns_of(agent, told["against"], told["episodes"], told["policy"] == "greedy", told["seed"])
        yield told, summary(found)


def within(found: dict[str, Any]) -> str:
    """The interval of an evaluation; a dash where all its episodes came out alike, of which resampling tells nothing."""
    return span((found["low"], found["high"])) if found["low"] < found["high"] else "-"


def in_brackets(found: dict[str, Any]) -> str:
    return f" ({within(found)})" if found["low"] < found["high"] else ""


WORK: dict[str, Callable[[Config, list[str]], int]] = {"list": show, "verify": verify, "reproduce": reproduce}
