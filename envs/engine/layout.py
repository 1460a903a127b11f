"""Which games a simulator plays and how many, and the buffers that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..game import Game
from . import kernel
from .compile import replacements
from .options import Options


@dataclass(frozen=True)
class Layout:
    """What a simulator's buffers and compiled loops depend on.

    Args:
        game, options: the game and its options, with defaults filled in.
        num_envs: how many games.
        autoreset: DISABLED, SAME_STEP or NEXT_STEP of `kernel`.
    """

    game: Game
    options: Options
    num_envs: int
    autoreset: int

    @cached_property
    def num_players(self) -> int:
        """Of each game."""
        return self.options.players or self.game.players

    @cached_property
    def num_seats(self) -> int:
        """Players who act in one step: all where they act together, else one."""
        return self.num_players if self.game.together else 1

    @cached_property
    def actions(self) -> tuple[str, ...]:
        """Names of the actions offered, in order."""
        return self.options.actions(self.game)

    @cached_property
    def observation(self) -> tuple[tuple[int, ...], np.dtype, float, float]:
        """Shape, dtype, lowest and highest value of one observation."""
        return self.options.observation(self.game)

    @property
    def obs_shape(self) -> tuple[int, ...]:
        return self.observation[0]

    @property
    def obs_bytes(self) -> int:
        """Of one observation."""
        return int(np.prod(self.obs_shape)) * self.observation[1].itemsize

    @cached_property
    def names(self) -> dict[str, Any]:
        """What `compile.link` puts in the place of the kernel's placeholders."""
        return replacements(self.game, self.options.obs_type or "", self.options.frame_stack, self.num_players)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """An observation as the kernel sees it; the same memory as `obs_shape`."""
        if self.options.obs_type == "features":
            return (1, 1, self.obs_shape[0])
        rows, columns, channels = self.obs_shape
        return (rows, columns, channels) if self.options.obs_type == "planes" else (1, rows, columns * channels)

    @property
    def backdrop_shape(self) -> tuple[int, int, int]:
        """One picture of those that are stacked, as the kernel sees it; (1, 1, 1) where none is needed."""
        if self.game.backdrop is None or self.options.obs_type not in ("rgb", "grayscale"):
            return (1, 1, 1)
        rows, columns, channels = self.obs_shape
        return (1, rows, columns * channels // self.options.frame_stack)


def allocate(layout: Layout) -> dict[str, np.ndarray]:
    """All buffers of the kernel, in the order of the arguments of `kernel.play_games`."""
    n, game, options = layout.num_envs, layout.game, layout.options
    players, seats = n * layout.num_players, n * layout.num_seats
    frames, dtype = (seats, *layout.frame_shape), layout.observation[1]
    mask = (n, len(layout.actions) if game.legal else 1)
    raw = np.zeros((n, game.State.itemsize), np.uint8)
    return {
        "records": raw.reshape(-1).view(game.State),
        "raw": raw,
        "clocks": np.zeros(n, kernel.CLOCK),
        "streams": np.zeros((n, 2), np.uint64),
        "totals": np.zeros(players, np.float64),
        "settings": options.settings(game, layout.autoreset),
        "levels": _levels(options.levels),
        "backdrop": np.zeros(layout.backdrop_shape, np.uint8),
        "mask": np.zeros(n, np.bool_),
        "actions": np.zeros(seats, np.int64),
        "obs": np.zeros(frames, dtype),
        "final_obs": np.zeros(frames, dtype),
        "legal": np.zeros(mask, np.bool_),
        "final_legal": np.zeros(mask, np.bool_),
        "reward": np.zeros(players, np.float32),
        "terminated": np.zeros(n, np.bool_),
        "truncated": np.zeros(n, np.bool_),
        "episode_return": np.zeros(players, np.float32),
        "episode_length": np.zeros(n, np.int32),
    }


def _levels(levels: Sequence[int] | None) -> np.ndarray:
    """Seeds of levels (L,); one, which is not used, where there is no limit."""
    if isinstance(levels, range):
        return np.arange(levels.start, levels.stop, levels.step, dtype=np.int64)
    return np.array([0] if levels is None else levels, np.int64)
