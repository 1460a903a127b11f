"""Every game by its name: Ludus's own, found in the folder `games`, and those that other packages register.

A package registers its games when it is imported. One that is installed and names itself in the entry points
`ludus.games` is imported as soon as a game is asked for that is not known.
"""

from __future__ import annotations

import copyreg
import difflib
import importlib
import pkgutil
import re
import warnings
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from . import games
from .errors import GameError, UnknownGame
from .game import Game

_registered: dict[str, Game] = {}


def register(game: Game) -> Game:
    """Make a game known by its name, to Ludus and to `gymnasium.make` (as `ludus/<Name>-v<version>`); returns it."""
    if not isinstance(game, Game):
        raise GameError(f"register takes a Game, got {type(game).__name__}: end your file with GAME = Game(...)")
    known = _known_games().get(game.name)
    if known is not None and known.step.__module__ != game.step.__module__:
        raise GameError(
            f"a game named {game.name!r} is registered already (by {known.step.__module__}): choose another name"
        )
    _registered[game.name] = game
    _tell_gymnasium(game)
    return game


def find_game(name: str | Game) -> Game:
    """The game of that name, `CartPole`, or of its id, `ludus/CartPole-v1`; `CartPole-v1` is Gymnasium's.

    Raises UnknownGame with the nearest names.
    """
    if isinstance(name, Game):
        return name
    asked = str(name).lower()
    for look_up in (_known_games, all_games):
        for game in look_up().values():
            if asked in (game.name.lower(), game.id.lower()):
                return game
    if asked.endswith(".py"):
        raise UnknownGame(
            f"unknown game {name!r}: that is a file. Let it end with ludus.register(GAME), import it, and say the game's "
            f"name (on the command line: ludus --import {Path(str(name)).stem} ...)"
        )
    own = "one of your own must be imported and call ludus.register(GAME) (on the command line: ludus --import PACKAGE ...)"
    plain = re.sub(r"-v\d+$", "", asked.removeprefix("ludus/"))
    lower = {known.lower(): known for known in all_games()}
    near = difflib.get_close_matches(plain, lower, 2, 0.5)
    if near:
        raise UnknownGame(f"unknown game {name!r}: did you mean {' or '.join(lower[n] for n in near)}? If not, {own}")
    raise UnknownGame(f"unknown game {name!r}: {own}; games here are {', '.join(lower.values())}")


def registered() -> list[Game]:
    """The games that packages have registered."""
    return list(_registered.values())


def is_own(game: Game) -> bool:
    """Whether it is one of Ludus's own, as it stands there."""
    return _own_games().get(game.name) is game


def is_importable(game: Game) -> bool:
    """Whether another process can find the game by its name, once it has imported the module of its rules."""
    return _known_games().get(game.name) is game and game.step.__module__ != "__main__"


def import_game(name: str, version: int, module: str) -> Game:
    """The game that `is_importable` said yes of; raises UnknownGame if it is not there any more."""
    importlib.import_module(module)
    game = find_game(name)
    if game.version != version:
        raise UnknownGame(f"this was made with version {version} of {name}, here is version {game.version}")
    return game


def _reduce(game: Game) -> Any:
    """A registered game is pickled by name and is the same again, any other as the functions that it is made of."""
    if is_importable(game):
        return import_game, (game.name, game.version, game.step.__module__)
    return object.__reduce_ex__(game, 4)


copyreg.pickle(Game, _reduce)  # type: ignore[arg-type]


def all_games() -> dict[str, Game]:
    """All games by name, in alphabetical order."""
    _import_packages()
    return _known_games()


def _known_games() -> dict[str, Game]:
    return dict(sorted((_own_games() | _registered).items()))


@cache
def _import_packages() -> None:
    """Import what installed packages name in the entry points `ludus.games`; a broken one is warned of and left out."""
    for entry in entry_points(group="ludus.games"):
        try:
            entry.load()
        except Exception as error:
            message = f"the games of {entry.value!r} cannot be imported: {type(error).__name__}: {error}"
            warnings.warn(message, stacklevel=2)


@cache
def _own_games() -> dict[str, Game]:
    modules = (
        importlib.import_module(f"{games.__name__}.{info.name}") for info in pkgutil.iter_modules(games.__path__)
    )
    found = [module.GAME for module in modules if hasattr(module, "GAME")]
    return {game.name: game for game in found}


def _tell_gymnasium(game: Game) -> None:
    if game.players > 1:  # made by `multiagent` for PettingZoo: whatever is in Gymnasium's registry, Gymnasium can make
        return
    import gymnasium

    if game.id in gymnasium.registry:
        del gymnasium.registry[game.id]
    gymnasium.register(
        id=game.id,
        entry_point=f"ludus.envs.gym:{'GameEnv' if game.max_episode_steps is None else 'unlimited_env'}",
        vector_entry_point="ludus.envs.gym:GameVectorEnv",
        max_episode_steps=game.max_episode_steps,
        kwargs={"game": game.name},
    )


def register_own_games() -> None:
    """Tell Gymnasium of Ludus's own games; see `ludus.registration`."""
    for game in _own_games().values():
        _tell_gymnasium(game)
