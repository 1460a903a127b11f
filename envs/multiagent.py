"""Games for several players by the module names that PettingZoo's own environments have.

    from ludus.envs.multiagent import connect_four_v1
    env = connect_four_v1.env()

Each has `env()`, `raw_env()` and, where players act together, `parallel_env()`.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

from .adapters.pettingzoo import aec_env, module_name, parallel_env, raw_env
from .registry import all_games


def __getattr__(name: str) -> Any:
    game = next((game for game in all_games().values() if game.players > 1 and module_name(game) == name), None)
    if game is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    factory = SimpleNamespace(env=partial(aec_env, game), raw_env=partial(raw_env, game))
    if game.together:
        factory.parallel_env = partial(parallel_env, game)
    return factory


def __dir__() -> list[str]:
    return sorted({*globals(), *(module_name(game) for game in all_games().values() if game.players > 1)})
