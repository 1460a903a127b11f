"""The whole tree of a small game for two who take turns: every deal, every move, and what the movers know there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..envs import Game, Observer, OptionError, Options, find_game
from ..envs.engine.compile import link
from ..envs.engine.outcomes import Outcomes
from ..envs.engine.plain import PlainRecords, as_constant

AT_ONCE = 256  # observations: pictures of all positions would take gigabytes
Moves = tuple[Any, Any]  # of both players, the last information set and the action there; None: not moved yet


class Edges(NamedTuple):
    """The ways on from the positions of a level, E in number: a move, and one outcome of the chance that follows it."""

    parent: np.ndarray  # (E,) int64, a position of the level
    action: np.ndarray  # (E,) int64
    probability: np.ndarray  # (E,) float64, of the outcome
    reward: np.ndarray  # (E,) float64, the first player's
    child: np.ndarray  # (E,) int64, a position of the next level; -1: the game is over


@dataclass(frozen=True)
class Level:
    """The positions after so many moves, N in number, each of which is reached in one way."""

    records: np.ndarray  # (N,)
    player: np.ndarray  # (N,) int64, whose turn it is
    view: np.ndarray  # (N,) int64, what the mover sees, a row of the tree's `views`
    infoset: np.ndarray  # (N,) int64, the information set: which positions the mover cannot tell apart
    edges: Edges


class GameTree:
    """Every position of a game, level by level, from its rules alone.

    Chance is gone through instead of drawn. Two positions are in one information set if the mover sees the same in them, and
    saw and did the same at the same moves before: perfect recall, whether or not observations tell what was before.

    Args:
        game: a name such as "KuhnPoker", or a `Game`.
        most_positions: that the tree may have; each takes about half a millisecond to find.
        **options: what is seen, such as `obs_type`; see `ludus.envs.Options`.

    Raises:
        OptionError: the game is not for two who take turns, has too many positions, or draws from a continuum.

    Attributes:
        start: (N,) float64, the probability of each position of the first level.
        levels: the positions, by the number of moves before.
        views: (K, *shape), every observation that a mover can have, one for each set of allowed actions.
        legal: (K, A) bool, the actions that are allowed then.
        view_of: (I,) int64, of each information set, the row of `views`.
    """

    def __init__(self, game: str | Game, most_positions: int = 30_000, **options: Any) -> None:
        self.game, self.most_positions = find_game(game), most_positions
        if not self.game.turns or self.game.legal is None:  # which all games of turns have
            raise OptionError(f"{self.game.name} has no tree of positions: that is for games of two who take turns")
        self.options = Options.of(self.game, options)
        if self.options.levels is not None or self.options.step_limit is not None:
            name = "levels" if self.options.levels is not None else "max_episode_steps"
            raise OptionError(f"{name} must be left out: the tree has all there is, to its end")
        self._observer = Observer(self.game, obs_type=self.options.obs_type, size=self.options.size)
        self._outcomes, self._views, self._infosets = Outcomes(self.game), _Numbers(), _Numbers()
        self._actions = [self.game.actions.index(name) for name in self.options.actions(self.game)]
        self._legal = link(self.game.legal, {}, constant=as_constant)
        self.levels: list[Level] = []
        self.start = self._grow()
        seen, allowed = zip(*self._views, strict=True)
        self.views = np.stack([np.frombuffer(view, self._observer.dtype) for view in seen])
        self.views = self.views.reshape(-1, *self._observer.shape)  # (K, *shape)
        self.legal = np.stack([np.frombuffer(row, np.bool_) for row in allowed])  # (K, A)
        self.view_of = np.array([view for *_, view in self._infosets])

    def _grow(self) -> np.ndarray:
        """Make all levels; returns the probabilities of the first positions."""
        deals = list(self._outcomes("reset", np.zeros((), self.game.State)))
        records, moves = [record for _, record, _ in deals], [(None, None) for _ in deals]
        while records:
            records, moves = self._add_level(np.stack(records), moves)
        return np.array([probability for probability, *_ in deals])

    def _add_level(self, records: np.ndarray, moves: Sequence[Moves]) -> tuple[list[np.ndarray], list[Moves]]:
        """The level of these positions; returns the positions after it, and the moves that led there."""
        time, legal = len(self.levels), self._legal_in(records)
        player = records["player"].astype(np.int64)
        seen = (view for k in range(0, len(records), AT_ONCE) for view in self._observer(records[k : k + AT_ONCE]))
        view = [self._views[one.tobytes(), allowed.tobytes()] for one, allowed in zip(seen, legal, strict=True)]
        infoset = [self._infosets[time, mover, moves[k][mover], view[k]] for k, mover in enumerate(player.tolist())]
        edges, after, led_there = [], [], []
        for k, action in np.argwhere(legal).tolist():
            mover, known = int(player[k]), (infoset[k], action)
            both = (known, moves[k][1]) if mover == 0 else (moves[k][0], known)
            for probability, record, (reward, over) in self._outcomes("step", records[k], self._actions[action]):
                edges.append((k, action, probability, reward if mover == 0 else -reward, -1 if over else len(after)))
                if not over:
                    after.append(record)
                    led_there.append(both)
            self._check_size(len(records) + len(after))
        columns = Edges(*map(np.array, zip(*edges, strict=True)))
        self.levels.append(Level(records, player, np.array(view), np.array(infoset), columns))
        return after, led_there

    def _check_size(self, more: int) -> None:
        if sum(len(level.records) for level in self.levels) + more > self.most_positions:
            raise OptionError(
                f"{self.game.name} has more than {self.most_positions:,} positions, too many to go through all"
            )

    def _legal_in(self, records: np.ndarray) -> np.ndarray:
        """(N, A) bool, what is allowed."""
        allowed, plain = np.zeros((len(records), len(self.game.actions)), np.bool_), PlainRecords(records)
        for k, row in enumerate(allowed):
            self._legal(plain[k], row)
        return allowed[:, self._actions]

    def heuristic(self) -> np.ndarray:
        """How likely each action of the game's simple player is, (K, A) float64, where it sees what `views` are.

        Raises:
            OptionError: there is no such player, or it looks at what the mover does not see.
        """
        if self.game.heuristic is None:
            raise OptionError(f"{self.game.name} has no heuristic")
        found = np.full(self.legal.shape, np.nan)
        for level in self.levels:
            for record, player, view in zip(level.records, level.player.tolist(), level.view, strict=True):
                likely = np.zeros(len(self.game.actions))
                for probability, _, action in self._outcomes("heuristic", record, player):
                    likely[action] += probability
                likely = likely[self._actions]
                if not np.isnan(found[view, 0]) and not np.allclose(found[view], likely, rtol=0, atol=1e-12):
                    raise OptionError(f"{self.game.name}:heuristic looks at more than the mover sees")
                found[view] = likely
        return found


class _Numbers(dict):
    """Numbers from 0 for things, in the order in which they are first asked for."""

    def __missing__(self, key: Any) -> int:
        self[key] = len(self)
        return self[key]
