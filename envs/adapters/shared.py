"""What the adapters share: seeds, spaces and copies of a simulator's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete

from ..arguments import seed_of
from ..engine.simulator import Simulator
from ..errors import OptionError
from ..game import Game

RENDER_SIZE = 480  # pixels of the longer side


def seed_games(simulator: Simulator, seed: int | Sequence[int | None], mask: np.ndarray | None = None) -> None:
    """Seed as Gymnasium does: game k by `seed + k`, or each by its own; None leaves a game's stream as it is."""
    count = simulator.num_envs
    if isinstance(seed, (list, tuple)) or (isinstance(seed, np.ndarray) and seed.ndim):
        if len(seed) != count:
            raise OptionError(f"give one seed a game: expected {count}, got {len(seed)}")
        seeds = [None if one is None else seed_of(f"seed of environment {k}", one) for k, one in enumerate(seed)]
    else:
        first = seed_of("seed", seed)
        seeds = [first + k for k in range(count)]
    chosen = np.array([one is not None for one in seeds])
    numbers = np.array([(one or 0) % 2**64 for one in seeds], np.uint64)
    simulator.seed_each(numbers, np.zeros(count, np.uint64), chosen if mask is None else chosen & mask)


def spaces_of(simulator: Simulator) -> tuple[Box, Discrete]:
    """The observation and the action space of one game."""
    low, high = simulator.obs_low, simulator.obs_high
    return Box(low, high, simulator.obs_shape, simulator.obs_dtype.type), Discrete(len(simulator.actions))


def for_one(game: Game) -> Game:
    """The game, if it is for one player."""
    if game.players > 1:
        face = "aec_env" if game.turns else "parallel_env"
        raise OptionError(
            f"{game.name} is for {game.players} players: use ludus.envs.{face}({game.name!r}) or ludus.envs.Simulator"
        )
    return game


def to_numpy(array: Any) -> np.ndarray:
    """A copy of one of the simulator's arrays in the computer's main memory, as NumPy's."""
    return array.copy() if isinstance(array, np.ndarray) else array.to("cpu", copy=True).numpy()
