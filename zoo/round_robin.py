"""A round robin: everybody plays everybody, in turns at each seat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ..agents.runtime.threads import undivided
from ..envs import Bot, Match, OptionError, Simulator, evaluate_player
from ..envs.bots import host


@dataclass(frozen=True)
class RoundRobin:
    """What came of the games between P players.

    Attributes:
        wins: (P, P) int64, the games that the player of a row won against that of a column.
        draws: (P, P) int64, symmetric.
        unfinished: games that were left at the limit of steps; their return until then decided.
        in_opening: games that had ended within the opening, and tell nothing of the players; they are left out.
        repeated: pairs (first, second) whose games in these seats were all the same, and count as one.
    """

    wins: np.ndarray
    draws: np.ndarray
    unfinished: int
    in_opening: int
    repeated: tuple[tuple[int, int], ...]


def round_robin(
    sim: Simulator,
    players: Sequence[Any],
    seed: int = 0,
    deterministic: bool = False,
    opening: int = 0,
    tell: Callable[[int, int, int], None] = lambda number, first, second: None,
) -> RoundRobin:
    """Let each pair play `2 * sim.num_envs` games: as many with the first to begin as with the second, of the same seeds.

    In games for more than two, one of the pair has the first, third, ... seat and the other those between; a game is won by
    whose seats have the higher mean return.

    Args:
        sim: the games, of several players; all of them restart.
        players: who plays, each for all games of `sim`, such as `Bot` and `ludus.agents.training.evaluation.Player`.
        seed: of the games and openings; what players draw is their own.
        deterministic: take the most likely actions, else sample.
        opening: steps at the start of each game that are random, the same ones for both orders of seats.
        tell: called before two players play, with the number of the pair, from 0, and their own.

    Raises:
        OptionError: the game is for one, or rewards everybody alike, or no game of two players outlasts the opening.
    """
    if sim.num_players == 1:
        raise OptionError(f"{sim.game.name} is for one player, whose returns tell who is better: use `ludus evaluate`")
    wins, draws = np.zeros((2, len(players), len(players)), np.int64)
    unfinished, in_opening, repeated, everything = 0, 0, [], []
    for number, pair in enumerate(combinations(range(len(players)), 2)):
        tell(number, *pair)
        for first, second in (pair, pair[::-1]):
            sim.seed(seed + number)
            seats = [players[(first, second)[seat % 2]] for seat in range(sim.num_players)]
            match = OpenedMatch(sim, seats, opening, seed + number)
            with undivided():
                found = evaluate_player(match, sim, deterministic)
            in_opening += int(match.in_opening.sum())
            margins, same = margins_of(found.returns, match)
            if same:
                repeated.append((first, second))
            wins[first, second] += (margins > 0).sum()
            wins[second, first] += (margins < 0).sum()
            draws[pair] += (margins == 0).sum()
            unfinished += found.unfinished
            everything.append(found.returns)
        if not (wins[pair] + wins[pair[::-1]] + draws[pair]):
            raise OptionError(f"all games ended within an opening of {opening} steps: make it shorter")
    if alike(np.concatenate(everything)):
        raise OptionError(f"{sim.game.name} rewards all players alike: nobody wins, so that there is nothing to rate")
    return RoundRobin(wins, draws + draws.T, unfinished, in_opening, tuple(repeated))


def margins_of(returns: np.ndarray, match: OpenedMatch) -> tuple[np.ndarray, bool]:
    """By how much the first player's seats have more than the second's, in each game that outlasted the opening.

    Args:
        returns: (N, P) of games.

    Returns:
        (K,) margins, and whether all games were the same one, of which there is one margin then.
    """
    margins = returns[:, ::2].mean(1) - returns[:, 1::2].mean(1)  # (N,)
    games = np.flatnonzero(~match.in_opening)
    same = len(games) > 1 and len({(match.seen[game], margins[game]) for game in games}) == 1
    return margins[games[:1] if same else games], same


def alike(returns: np.ndarray) -> bool:
    """Whether all players got the same in each of the games, (games, seats), and not nothing in all."""
    return bool(returns.any()) and not np.ptp(returns, axis=1).any()


class OpenedMatch(Match):
    """A match that begins with random steps, and knows which of its games are the same.

    Attributes:
        seen: (N,) a number for all that was observed in each game.
        in_opening: (N,) bool, games that had ended before the players' turn came.
    """

    def __init__(self, sim: Simulator, players: Sequence[Any], opening: int, seed: int) -> None:
        super().__init__(sim, players)
        self.opening, self.opener = opening, Bot(sim, "random", seed)
        self.seen, self.over = [0] * sim.num_envs, np.zeros(sim.num_envs, np.bool_)
        self.in_opening, self.opens = self.over.copy(), False

    def decide(self, deterministic: bool = True, wanted: np.ndarray | None = None) -> np.ndarray:
        shown = host(self.sim.obs)
        for game in np.flatnonzero(~self.over):
            self.seen[game] = hash((self.seen[game], shown[game].tobytes()))
        self.opens = self.opening > 0
        if self.opens:
            self.opening -= 1
            return self.opener.decide()
        return super().decide(deterministic, wanted)

    def step(self, actions: np.ndarray) -> int:
        ended = super().step(actions)
        now_over = host(self.sim.terminated) | host(self.sim.truncated)
        if self.opens:
            self.in_opening |= now_over
        self.over |= now_over
        return ended
