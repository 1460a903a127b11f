"""Two simulators step by step: what must be equal to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from ludus.envs import Simulator, find_game
from ludus.envs.bots import Bot

RESULTS = ("records", "obs", "legal", "reward", "terminated", "truncated")


def snapshot(sim: Simulator) -> dict[str, bytes]:
    """Records and everything that a step writes, as bytes."""
    return {name: sim._backend.read(name).tobytes() for name in RESULTS}


def random_actions(sim: Simulator, steps: int, seed: int = 0) -> np.ndarray:
    """Actions (steps, N), each equally likely; for games in which all are allowed."""
    return np.random.default_rng(seed).integers(0, len(sim.actions), (steps, sim.num_envs))


def suited(game: str, options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that a game takes."""
    found = find_game(game)
    left_out = {"repeat_action_probability"} if found.players > 1 else set()
    left_out |= {"frame_stack"} if found.turns else set()
    return {name: value for name, value in options.items() if name not in left_out}


def assert_same(a: Simulator, b: Simulator, steps: int, seed: int = 0) -> int:
    """Reset and step both with the same random actions; returns how many episodes ended, in all games."""
    a.reset()
    b.reset()
    player, ended = Bot(b, "random", seed), 0
    for t in range(steps):
        actions = player.act().copy()
        here, there = snapshot(a), snapshot(b)
        different = [name for name in RESULTS if here[name] != there[name]]
        assert not different, f"after {t} steps: {different}"
        a.step(actions)
        b.step(actions)
        over = np.asarray(a.terminated) | np.asarray(a.truncated)
        ended += int(over.sum())
        assert np.asarray(a.final_obs)[over].tobytes() == np.asarray(b.final_obs)[over].tobytes()
    assert snapshot(a) == snapshot(b)
    return ended


def play_out(sim: Simulator, player: Any, episodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns and lengths of about so many episodes, as many of each game, so that short ones are not favoured."""
    share, counts = max(episodes // sim.num_envs, 1), np.zeros(sim.num_envs, np.int64)
    returns, lengths = [], []
    sim.reset()
    while counts.min() < share:
        sim.step(player.act())
        over = sim.terminated | sim.truncated
        counted = over & (counts < share)
        returns.append(sim.episode_return[counted].copy())
        lengths.append(sim.episode_length[counted].copy())
        counts += over
    return np.concatenate(returns), np.concatenate(lengths)


class Against:
    """One bot as the first player, another as the second."""

    def __init__(self, sim, *bots):
        self.sim, self.bots = sim, bots

    def act(self):
        one, other = (bot.act() for bot in self.bots)
        return np.where(self.sim.player == 0, one, other)
