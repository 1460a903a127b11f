"""Environments: games written as plain rules, the engine that plays them, and adapters for other libraries."""

if not __package__ or "." not in __package__:
    raise ImportError("this folder is the package ludus.envs: install Ludus (pip install .) and import ludus.envs")

from typing import TYPE_CHECKING, Any

from .adapters.gymnasium import GameEnv, GameVectorEnv
from .bots import Bot, Evaluation, Match, evaluate_player
from .check import GameReport, check_game
from .engine.observer import Observer
from .engine.options import Options
from .engine.simulator import Simulator
from .engine.tree_search import TreeSearch
from .errors import ActionError, GameError, LudusError, NotReset, OptionError, RuleError, UnknownGame, UnknownOption
from .game import Game, state
from .registry import all_games, find_game, register

if TYPE_CHECKING:
    from .adapters.pettingzoo import aec_env, parallel_env

__all__ = [
    "ActionError", "Bot", "Evaluation", "Game", "GameEnv", "GameError", "GameReport", "GameVectorEnv", "LudusError",
    "Match", "NotReset", "Observer", "OptionError", "Options", "RuleError", "Simulator", "TreeSearch", "UnknownGame",
    "UnknownOption", "aec_env", "all_games",
    "check_game", "evaluate_player", "find_game", "parallel_env", "register", "state",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """What needs PettingZoo is imported when it is asked for."""
    if name not in ("aec_env", "parallel_env"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .adapters import pettingzoo

    return getattr(pettingzoo, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
