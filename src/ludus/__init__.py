"""Ludus: reinforcement learning on games, each game one file of plain Python rules."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .registration import register_with_gymnasium

if TYPE_CHECKING:
    from . import agents as agents
    from . import envs as envs
    from . import zoo as zoo
    from .agents.ppo.ppo import PPO
    from .agents.q_learning.dqn import DQN
    from .agents.q_learning.pqn import PQN
    from .envs.game import Game
    from .envs.gym import GameEnv, GameVectorEnv
    from .envs.registry import register
    from .envs.sb3 import LudusVecEnv
    from .notebook import show

__version__ = "0.1.0"
__all__ = ["DQN", "PPO", "PQN", "Game", "make", "make_sb3", "make_vec", "register", "show"]

# Imported when asked for, as the classes of `agents` are: torch takes seconds, Gymnasium a quarter of one.
_ROOMS = ("agents", "envs", "zoo")
_LAZY = {
    "Game": ".envs.game",
    "register": ".envs.registry",
    "show": ".notebook",
}

register_with_gymnasium()


def make(game: str | Game, **options: Any) -> GameEnv:
    """One game as a `gymnasium.Env`: `ludus.make("Breakout", obs_type="rgb")`; see `ludus.envs.gym.GameEnv`."""
    from .envs.gym import GameEnv

    return GameEnv(game, **options)


def make_vec(
    game: str | Game, num_envs: int = 1024, *, device: str = "cpu", seed: int | None = 0, **options: Any
) -> GameVectorEnv:
    """Many games as a `gymnasium.vector.VectorEnv`; see `ludus.envs.gym.GameVectorEnv`.

    `seed` is for the first `reset` that is given none; None takes a new one from the operating system.
    """
    from .envs.gym import GameVectorEnv

    return GameVectorEnv(game, num_envs, device=device, seed=seed, **options)


def make_sb3(game: str | Game, num_envs: int = 8, *, seed: int | None = 0, **options: Any) -> LudusVecEnv:
    """Many games as a Stable-Baselines3 `VecEnv`; see `ludus.envs.sb3.LudusVecEnv`."""
    from .envs.sb3 import LudusVecEnv

    return LudusVecEnv(game, num_envs, seed=seed, **options)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name in _LAZY:
        return getattr(import_module(_LAZY[name], __name__), name)
    agents = import_module(".agents", __name__)
    if name not in agents.CLASSES:
        raise AttributeError(f"module 'ludus' has no attribute {name!r}")
    return getattr(agents, name)


def __dir__() -> list[str]:
    """What there is for users, which the Tab key offers; nothing is imported for it."""
    return sorted({*__all__, *_ROOMS, *(name for name in globals() if name.startswith("__"))})
