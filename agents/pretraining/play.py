"""Who plays while frames are collected, and how frames of a game are made in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...envs import Bot, Game, OptionError, Simulator, find_game
from .collect import Collector
from .frames import Frames

NUM_ENVS = 64


class Mixed:
    """Several players, each of whom decides for its share of the games.

    Args:
        players: of the same simulator.
    """

    def __init__(self, players: Sequence[Any], num_envs: int) -> None:
        self.players = list(players)
        self.edges = [num_envs * k // len(players) for k in range(1, len(players))]

    def decide(self, deterministic: bool = False) -> np.ndarray:
        """Actions (N,)."""
        chosen = [player.decide(deterministic) for player in self.players]
        shares = zip(*(np.split(actions, self.edges) for actions in chosen), strict=True)
        return np.concatenate([share[k] for k, share in enumerate(shares)])


def player_of(policy: str, sim: Simulator, seed: int, agent: Callable[[str, Simulator], Any] | None = None) -> Any:
    """A player by name.

    Args:
        policy: random, heuristic, both (half of the games each; random where there is no heuristic), or what `agent` knows.
        agent: makes a player of any other name, such as an agent's folder.
    """
    if policy == "both":
        kinds = ["random", "heuristic"] if sim.game.heuristic is not None else ["random"]
        return Mixed([Bot(sim, kind, seed + k) for k, kind in enumerate(kinds)], sim.num_envs)
    if policy in ("random", "heuristic"):
        return Bot(sim, policy, seed)
    if agent is None:
        raise OptionError(f"policy must be random, heuristic or both, got {policy!r}")
    return agent(policy, sim)


def collect_frames(
    game: str | Game,
    frames: int,
    policy: str = "both",
    obs_type: str = "rgb",
    size: int = 64,
    shuffle: float = 0.0,
    seed: int = 0,
    agent: Callable[[str, Simulator], Any] | None = None,
    tell: Callable[[int], Any] = lambda _: None,
    **options: Any,
) -> Frames:
    """Play a game and keep what is seen: the same frames from the same arguments.

    Args:
        game: its name.
        frames: steps to play, over `NUM_ENVS` games.
        policy: see `player_of`.
        shuffle: share of further frames from records put together from several games', see `collect.shuffled`.
        tell: called with the number of frames so far.
        **options: of the game, see `ludus.envs.Options`.
    """
    if frames < NUM_ENVS:
        raise OptionError(f"frames must be {NUM_ENVS} or more, one of each game, got {frames}")
    sim = Simulator(find_game(game), NUM_ENVS, seed=seed, **options)
    collector = Collector(sim, player_of(policy, sim, seed, agent), obs_type, size, shuffle, seed)
    collector.collect(frames // NUM_ENVS, tell)
    return collector.frames()
