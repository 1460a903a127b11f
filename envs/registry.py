"""Every game by its name: Ludus's own, found in the folder `games`, and those that other packages register."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache

from . import games
from .errors import GameError, UnknownGame
from .game import Game

_registered: dict[str, Game] = {}


def register(game: Game) -> Game:
    """Make a game known by its name, to Ludus and to `gymnasium.make` (as `ludus/<Name>-v<version>`); returns it."""
    if not isinstance(game, Game):
        raise GameError(f"register takes a Game, got {type(game).__name__}: end your file with GAME = Game(...)")
    known = all_games().get(game.name)
    if known is not None and known.step.__module__ != game.step.__module__:
        raise GameError(f"a game named {game.name!r} is registered already (by {known.step.__module__}): choose another name")
    _registered[game.name] = game
    _tell_gymnasium(game)
    return game


def find_game(name: str | Game) -> Game:
    """The game of that name (`Breakout`, or its id `ludus/Breakout-v1`); raises UnknownGame with the nearest names."""
    if isinstance(name, Game):
        return name
    known = all_games()
    plain = str(name).removeprefix("ludus/")
    for game in known.values():
        if plain.lower() in (game.name.lower(), game.id.removeprefix("ludus/").lower()):
            return game
    lower = {key.lower(): key for key in known}
    near = difflib.get_close_matches(plain.lower(), lower, 2, 0.5)
    hint = f"did you mean {' or '.join(lower[n] for n in near)}?" if near else f"games are {', '.join(sorted(known))}"
    raise UnknownGame(f"unknown game {name!r}: {hint}")


def all_games() -> dict[str, Game]:
    """All games by name, in alphabetical order."""
    return dict(sorted((_own_games() | _registered).items()))


@cache
def _own_games() -> dict[str, Game]:
    modules = (importlib.import_module(f"{games.__name__}.{info.name}") for info in pkgutil.iter_modules(games.__path__))
    return {module.GAME.name: module.GAME for module in modules}


def _tell_gymnasium(game: Game) -> None:
    import gymnasium

    if game.id in gymnasium.registry:
        del gymnasium.registry[game.id]
    gymnasium.register(
        id=game.id,
        entry_point="ludus.envs.gym:GameEnv",
        vector_entry_point="ludus.envs.gym:GameVectorEnv",
        kwargs={"game": game.name},
    )


def register_own_games() -> None:
    """Tell Gymnasium of Ludus's own games; `import ludus` does this."""
    for game in _own_games().values():
        _tell_gymnasium(game)
