"""How good an agent is, and those beside it: returns of whole episodes, in games for several from every seat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..agents.checkpoints.env_spec import make_environment
from ..agents.training.evaluation import Player
from ..envs import Bot, Evaluation, Simulator, evaluate_player, find_game
from ..envs.adapters.shared import seed_games
from ..envs.bots import BOTS, at_seat
from ..envs.statistics import interval

EPISODES, SEED = 100, 1_000_000  # of evaluations that cards have: games that no training has played


def returns_of(
    agent: Any, against: str | None = None, episodes: int = EPISODES, deterministic: bool = True, seed: int = SEED
) -> np.ndarray:
    """Returns (episodes,) of an agent in its own game.

    Args:
        against: the bot at all other seats; the agent has each seat in as many episodes. None: a game for one.
        seed: game k is seeded with seed + k; bots and drawn actions have it, too.
    """
    known = make_environment(agent.environment).simulator
    options = vars(known.options)

    def player(sim: Simulator, seat: int) -> Any:
        agent.set_random_seed(seed + seat)
        return Player(agent, sim)

    return _from_every_seat(known.game, options, player, against, episodes, deterministic, seed)


def returns_of_bot(
    kind: str,
    game: str,
    options: dict[str, Any],
    against: str | None = None,
    episodes: int = EPISODES,
    seed: int = SEED,
) -> np.ndarray:
    """Returns (episodes,) of a bot, as `returns_of` has them of an agent."""

    def player(sim: Simulator, seat: int) -> Any:
        return Bot(sim, kind, seed + 100)

    return _from_every_seat(find_game(game), options, player, against, episodes, True, seed)


def _from_every_seat(
    game: Any, options: dict[str, Any], player: Any, against: str | None, episodes: int, deterministic: bool, seed: int
) -> np.ndarray:
    found, seats = [], Simulator(game, 1, **options).num_players
    for seat, some in enumerate(np.array_split(np.arange(episodes), seats)):
        sim = Simulator(game, len(some), **options)
        seed_games(sim, seed + int(some[0]))
        own = player(sim, seat)
        who = own if against is None else at_seat(sim, own, seat, lambda k, sim=sim: Bot(sim, against, seed + k))
        played = evaluate_player(who, sim, deterministic)
        found.append(own_returns(played, seat))
    return np.concatenate(found)


def episodes_for(game: Any) -> int:
    """How many episodes cards are about: many hands of cards, each of which is short and mostly luck."""
    return 20 * EPISODES if game.hidden and game.players > 1 else EPISODES


def own_returns(played: Evaluation, seat: int) -> np.ndarray:
    return played.returns if played.returns.ndim == 1 else played.returns[:, seat]


def opponents_of(game: Any) -> Sequence[str | None]:
    """Whom agents of a game are judged against: the bots, or nobody in a game for one."""
    return [None] if game.players == 1 else [bot for bot in BOTS if bot == "random" or game.heuristic is not None]


def summary(returns: np.ndarray) -> dict[str, float]:
    """The mean, and its 95 % bootstrap interval; where resampling tells of none, that is the mean alone."""
    mean = float(returns.mean())
    low, high = interval(returns) or (mean, mean)
    return {"mean": mean, "low": low, "high": high}
