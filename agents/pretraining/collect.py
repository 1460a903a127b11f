"""Frames from play: what players see in a game, with the planes under it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ...envs import Bot, Observer, OptionError, Options, Simulator
from ...envs.rng import GAME, STRIDE, level_stream
from ..runtime.hardware import available_memory
from .frames import Frames, Gallery

COLUMNS = ("index", "action", "advice", "reward", "done", "truncated", "level")  # of a step
STEP_BYTES = 38  # of these

Player = Any  # has `decide` and `step`, as `ludus.envs.Bot` and `training.evaluation.Player`


class Collector:
    """Plays games and keeps what is seen.

    Args:
        sim: the games; of any `obs_type`, for one player each or in turns.
        player: decides the actions and takes the steps.
        obs_type, size: of the pictures.
        shuffle: the share of frames whose record is put together from several games' (see `shuffled`), where a game reaches
            few states by itself.
        seed: of that.
    """

    def __init__(
        self, sim: Simulator, player: Player, obs_type: str = "rgb", size: int = 64, shuffle: float = 0.0, seed: int = 0
    ) -> None:
        game = sim.game
        if game.together:
            raise OptionError(f"{game.name} shows every player another picture: choose a game for one, or in turns")
        self.sim, self.player, self.shuffle = sim, player, shuffle
        self.options = {"obs_type": obs_type, "size": size}
        self.see = Observer(game, "checked" if shuffle else "compiled", **self.options)
        self.label = Observer(game, "checked" if shuffle else "compiled") if game.planes else None
        self.adviser = Bot(sim, "heuristic", seed) if game.heuristic else None
        self.rng = np.random.default_rng(seed)
        self._forget()

    def _forget(self) -> None:
        self.gallery = Gallery()
        self.steps: list[list[np.ndarray]] = []

    def collect(self, steps: int, tell: Callable[[int], Any] = lambda _: None) -> None:
        """Take steps in every game, and keep what is seen before each; `tell` is called with the number of frames so far."""
        sim = self.sim
        if not sim._ready:
            sim.reset()
        for _ in range(steps):
            self.step(np.array(self.player.decide(False)))
            tell(len(self.steps) * sim.num_envs)

    def step(self, action: np.ndarray) -> None:
        """Keep what is seen, and take one step in every game; action (N,)."""
        sim = self.sim
        seen = self._look(sim.records)
        advice = self.adviser.act().copy() if self.adviser else np.full(sim.num_envs, -1)
        level = self._levels()
        self.player.step(action)
        reward = sim.reward if sim.num_players == 1 else sim.reward[:, 0]
        ended, late = sim.terminated | sim.truncated, sim.truncated
        self.steps.append([seen, action, advice, reward.copy(), ended, late.copy(), level])

    def _levels(self) -> np.ndarray:
        """The level that each game is in, (N,) int64; -1 where every episode is new."""
        if self.sim.options.levels is None:
            return np.full(self.sim.num_envs, -1)
        began = self.steps[-1][COLUMNS.index("done")] if self.steps else np.ones(self.sim.num_envs, np.bool_)
        level = self.steps[-1][COLUMNS.index("level")].copy() if self.steps else np.empty(self.sim.num_envs, np.int64)
        streams = self.sim._backend.read("streams")
        for k in np.flatnonzero(began):
            level[k] = level_of(streams[k], self.sim.options.levels)
        return level

    def _look(self, records: np.ndarray) -> np.ndarray:
        """The numbers of the pictures of records (N,); of shuffled ones, the pictures are kept, but no step has seen them."""
        if self.shuffle:
            count = round(self.shuffle * len(records))
            self._keep(shuffled(records, count, self.rng))
        return self._keep(records)

    def _keep(self, records: np.ndarray) -> np.ndarray:
        pictures = self.see(records)
        planes = self.label(records) if self.label else np.zeros((len(records), 0, 0, 0), np.uint8)
        return self.gallery.add(pictures, planes)

    def cut(self) -> None:
        """The next step does not follow the last one, as after a reset."""
        if self.steps:
            self.steps[-1][COLUMNS.index("done")] = np.ones(self.sim.num_envs, np.bool_)

    def frames(self) -> Frames:
        """All that was collected; raises OptionError if that is nothing."""
        if not self.steps:
            raise OptionError("there are no frames: collect some steps first")
        columns = {name: np.stack(rows) for name, rows in zip(COLUMNS, zip(*self.steps, strict=True), strict=True)}
        game = self.sim.game
        return Frames(game.id, self.options, game.planes, self.sim.actions, **self.gallery.arrays(), **columns)

    def take(self) -> Frames:
        """All that was collected, which is forgotten here: what comes next goes on from there."""
        frames = self.frames()
        self._forget()
        return frames


def check_room(sim: Simulator, frames: int, obs_type: str = "rgb", size: int = 64, shuffle: float = 0.0) -> None:
    """Raise OptionError where frames could not be kept in memory if each were a picture of its own."""
    shape, dtype, _, _ = Options(obs_type=obs_type, size=size).resolved(sim.game).observation(sim.game)
    planes = math.prod(sim.game.shape) * len(sim.game.planes)
    each = round((1 + shuffle) * (math.prod(shape) * dtype.itemsize + planes)) + STEP_BYTES
    left = available_memory(torch.device("cpu"))
    if left is not None and frames * each > left:
        raise OptionError(
            f"frames must be at most {left // each:,} of this size, got {frames:,}: they take {frames * each / 1e9:,.1f} GB, "
            f"and {left / 1e9:,.1f} GB are left"
        )


def level_of(streams: np.ndarray, levels: Sequence[int]) -> int:
    """The level that an episode is of, by its random streams (2,) uint64.

    Each level starts the game's stream at a number of its own, and each draw adds the same to it: the level is the one from
    whose start it took the fewest draws.
    """
    seeds = np.array(levels, np.uint64)
    draws = (streams[GAME] - level_stream(seeds)) * np.uint64(pow(int(STRIDE), -1, 2**64))
    return int(seeds[draws.argmin()])


def shuffled(records: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Records (count,) each of whose fields is that of a game drawn at random: states that play comes to too seldom.

    Whatever they are, their pictures and planes agree, since both are drawn from the record.
    """
    mixed = records[rng.integers(len(records), size=count)]
    for name in records.dtype.names or ():
        mixed[name] = records[name][rng.integers(len(records), size=count)]
    return mixed
