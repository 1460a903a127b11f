"""Which games can be searched: what look-ahead may know, and what it may not."""

from __future__ import annotations

from .. import rng
from ..errors import OptionError
from ..game import Game
from .compile import undecorated
from .rules import reached


def has_chance(game: Game) -> bool:
    """Whether a step may draw random numbers: whether its rules reach a function that does."""
    return any(function.__module__ == rng.__name__ for function in reached([undecorated(game.step)]))


def check_searchable(game: Game) -> None:
    """Raise OptionError for a game that a search cannot play, or would cheat in."""
    if game.together:
        raise OptionError(
            f"{game.name} cannot be searched: its players act together, and search needs them to take turns"
        )
    if game.hidden:
        raise OptionError(f"{game.name} cannot be searched: its record holds what players are not to know")
