"""Environments: games written as plain rules, and the faces that other libraries know them by."""

if not __package__ or "." not in __package__:
    raise ImportError("this folder is the package ludus.envs: install Ludus (pip install .) and import ludus.envs")

from .bots import Bot, play_out
from .check import GameReport, check_game
from .errors import ActionError, GameError, LudusError, NotReset, OptionError, RuleError, UnknownGame
from .game import Game, state
from .gym import GameEnv, GameVectorEnv
from .options import Options
from .registry import all_games, find_game, register
from .simulator import Simulator

__all__ = [
    "ActionError", "Bot", "Game", "GameEnv", "GameError", "GameReport", "GameVectorEnv", "LudusError", "NotReset",
    "OptionError", "Options", "RuleError", "Simulator", "UnknownGame", "all_games", "check_game", "find_game",
    "play_out", "register", "state",
]  # fmt: skip
