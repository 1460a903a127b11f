"""Players that nobody trained: to measure agents against, to play against, and to try games with."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import kernel
from .errors import OptionError
from .rng import start_streams
from .simulator import Simulator

BOTS = ("random", "heuristic")


class Bot:
    """A player for all games of a simulator, compiled like the games.

    Args:
        sim: where it plays; it reads the records, also of a simulator on a GPU.
        kind: "random", any allowed action with equal probability, or "heuristic", the simple player that the game's file
            describes.
        seed: of its own random numbers; those of the games are not touched.

    Raises:
        OptionError: there is no such bot, or the game describes no simple player.
    """

    def __init__(self, sim: Simulator, kind: str = "heuristic", seed: int = 0) -> None:
        if kind not in BOTS:
            raise OptionError(f"a bot is one of {', '.join(BOTS)}, got {kind!r}")
        if kind == "heuristic" and sim.game.heuristic is None:
            raise OptionError(f"{sim.game.name} has no heuristic player: use 'random'")
        from .compile_cpu import Buffer, compile_cpu, table_of

        self.sim, self.kind = sim, kind
        indices = np.arange(sim.num_envs, dtype=np.uint64)
        streams = start_streams(np.full(sim.num_envs, seed % 2**64, np.uint64), indices)
        self._streams = np.ascontiguousarray(np.stack(streams, axis=1))
        self._actions = np.zeros((sim.num_envs, sim.num_seats), np.int64)
        self._number = np.full(1, len(sim.actions), np.int64)
        self._offered = np.zeros(len(sim.game.actions), np.int64)  # the game's action -> its number in the chosen set
        self._offered[[sim.game.actions.index(name) for name in sim.actions]] = np.arange(len(sim.actions))
        arrays = self._read()
        buffers = [Buffer.of(array) for array in arrays]
        loop = kernel.advise_games if kind == "heuristic" else kernel.pick_games
        self._play = compile_cpu(sim.game.name, loop, sim._names, buffers)
        self._table = lambda arrays: table_of(arrays, buffers)

    def _read(self) -> list[np.ndarray]:
        """The arrays that the compiled loop takes."""
        if self.kind == "heuristic":
            return [self.sim.records, self._streams, self._actions]
        return [self.sim._backend.read("legal"), self._streams, self._actions, self._number]

    def act(self) -> np.ndarray:
        """What it does now: (N,) int64, or (N, P) where players act together; overwritten by the next call."""
        arrays = self._read()
        table = self._table(arrays)
        self._play(table.ctypes.data, 0, self.sim.num_envs)
        if self.kind == "heuristic":
            self._actions[...] = self._offered[self._actions]
        return self._actions[:, 0] if self.sim.num_seats == 1 else self._actions


def play_out(sim: Simulator, bot: Any, episodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Let a bot play until so many episodes of each game have ended; returns their returns and lengths.

    Every game counts its first `episodes // num_envs` episodes (at least one), so that short ones are not favoured.
    """
    share = max(episodes // sim.num_envs, 1)
    counts = np.zeros(sim.num_envs, np.int64)
    returns, lengths = [], []
    sim.reset()
    while counts.min() < share:
        sim.step(bot.act())
        ended = (sim.terminated | sim.truncated) & (counts < share)
        returns.append(sim.episode_return[ended].copy())
        lengths.append(sim.episode_length[ended].copy())
        counts += sim.terminated | sim.truncated
    return np.concatenate(returns), np.concatenate(lengths)
