"""Who plays while frames are collected, and how frames of a game are made in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...envs import Bot, Game, OptionError, Simulator
from .collect import Collector, check_room
from .frames import Frames

NUM_ENVS = 64
STEPS = 64  # of each game at least, before more games are played: all begin alike
POLICIES = ("random", "heuristic", "both")


class Mixed:
    """Several players, each of whom decides for its share of the games.

    Args:
        sim: the games.
        players: of the same simulator.
    """

    def __init__(self, sim: Simulator, players: Sequence[Any]) -> None:
        self.sim, self.players = sim, list(players)
        self.edges = [sim.num_envs * k // len(players) for k in range(1, len(players))]

    def decide(self, deterministic: bool = False) -> np.ndarray:
        """Actions (N,)."""
        chosen = [np.split(player.decide(deterministic), self.edges) for player in self.players]
        return np.concatenate([parts[k] for k, parts in enumerate(chosen)])

    def step(self, actions: np.ndarray) -> int:
        """Take the step decided on; returns how many episodes ended."""
        return self.sim.step(actions)


def bots_of(sim: Simulator, policy: str, seed: int) -> Any:
    """Who plays by name: random, heuristic, or both, half of the games each (random alone where there is no heuristic)."""
    if policy not in POLICIES:
        raise OptionError(f"policy must be {', '.join(POLICIES[:-1])} or {POLICIES[-1]}, got {policy!r}")
    if policy != "both":
        return Bot(sim, policy, seed)
    kinds = POLICIES[:2] if sim.game.heuristic is not None else POLICIES[:1]
    return Mixed(sim, [Bot(sim, kind, seed + k) for k, kind in enumerate(kinds)])


def games_for(frames: int) -> int:
    """How many games to play for so many frames; raises OptionError for too few frames."""
    if frames < STEPS:
        raise OptionError(f"frames must be {STEPS} or more, got {frames}")
    return min(NUM_ENVS, max(2, frames // STEPS))  # two, so that both bots play


def collect_frames(
    game: str | Game | Simulator,
    frames: int,
    policy: Any = "both",
    obs_type: str = "rgb",
    size: int = 64,
    shuffle: float = 0.0,
    seed: int = 0,
    tell: Callable[[int], Any] = lambda _: None,
    **options: Any,
) -> Frames:
    """Play a game and keep what is seen: the same frames from the same arguments.

    Args:
        game: its name, or a simulator, whatever that shows.
        frames: steps to play, over all games at once: 64, or fewer where there are fewer frames than 64 steps of each.
        policy: random, heuristic or both (half of the games each); or a player of the simulator.
        shuffle: share of further frames from records put together from several games', see `collect.shuffled`.
        tell: called with the number of frames so far.
        **options: of the game, see `ludus.envs.Options`.
    """
    sim = game if isinstance(game, Simulator) else Simulator(game, games_for(frames), seed=seed, **options)
    if frames < sim.num_envs:
        raise OptionError(f"frames must be {sim.num_envs} or more, one of each game, got {frames}")
    player = bots_of(sim, policy, seed) if isinstance(policy, str) else policy
    check_room(sim, frames, obs_type, size, shuffle)
    collector = Collector(sim, player, obs_type, size, shuffle, seed)
    collector.collect(frames // sim.num_envs, tell)
    return collector.frames()
