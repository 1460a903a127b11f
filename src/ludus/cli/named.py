"""Agents by name: a folder, or a game, of which the zoo's agent is meant."""

from __future__ import annotations

import difflib
from pathlib import Path

from ..envs import OptionError, find_game
from ..envs.bots import bots_of
from .interrupts import import_agents
from .making import is_game


def place_of(who: Path) -> Path:
    """Where an agent is: the folder or file as it was given or, for a game's name, the folder of the zoo's agent.

    Raises:
        OptionError: the zoo has none, or the name is close to a game's.
        CheckpointError: the zoo's is not as it was made.
    """
    if is_of_zoo(who):
        import_agents()
        from ..zoo.cards import agent_folder

        game = find_game(str(who))
        folder = agent_folder(game.name)
        if folder is None:
            raise OptionError(
                f"{who} is a game, and the zoo has no agent for it: give {' or '.join(simple_players(game.name))}, its "
                f"simple players; `ludus train {game.name}` makes an agent"
            )
        return folder
    if not is_there(who):
        from ..zoo.cards import agent_names

        near = difflib.get_close_matches(str(who).lower(), {name.lower(): name for name in agent_names()}, 1, 0.75)
        if near:
            name = find_game(near[0]).name
            raise OptionError(f"there is no folder {who}: did you mean {name}, the game, whose agent is in the zoo?")
    return who


def called(who: Path) -> str:
    """What to call a player: as on the command line, or that it is the zoo's agent."""
    return "the zoo's agent" if is_of_zoo(who) else str(who)


def is_of_zoo(who: Path) -> bool:
    return not is_there(who) and is_game(str(who))


def is_there(who: Path) -> bool:
    """Whether it is a folder or a file; the end `.zip` of a file may be left out."""
    return who.exists() or Path(f"{who}.zip").exists()


def simple_players(name: str) -> list[str]:
    """A game's bots, as the command line names them."""
    game = find_game(name)
    return [f"{game.name}:{bot}" for bot in bots_of(game)]
