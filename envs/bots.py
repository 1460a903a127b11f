"""Random and heuristic players, matches of several players, and the evaluation of any of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from .arguments import describe, one_of, seed_of, whole
from .engine import alpha_beta, kernel
from .engine.compile_cpu import Buffer, Table, compile_cpu
from .engine.look_ahead import check_searchable, has_chance
from .engine.rendering import run
from .engine.simulator import Simulator
from .engine.threads import once
from .errors import GameError, OptionError
from .game import Game
from .registry import is_own
from .rng import players_streams
from .statistics import interval

BOTS = ("random", "heuristic")
SEARCH = re.compile(r"search-([1-9]|10)")  # and its depth
STEP_LIMIT = 100_000  # of an episode that is evaluated
BUILT = {"_checked", "_compile", "_play", "_lay_out", "_table", "_levels"}  # attributes that `Bot._build` makes anew


class Bot:
    """A player for all games of a simulator, compiled like the games.

    Args:
        sim: where it plays; it reads the records, also of a simulator on a GPU.
        kind: "random", any allowed action with equal probability; "heuristic", the simple player that the game's file
            describes; or "search-4", the best action by alpha-beta search four steps deep (1 to 10), where the game's rule
            `value`, if it has one, judges the last position; of equals any one. For two who take turns, without chance.
        seed: of its own random numbers; those of the games are not touched.
        plain: decide in plain Python, like the rules of a simulator whose mode is "python" or "debug".

    Raises:
        OptionError: there is no such bot, or the game describes no simple player, or it cannot be searched.

    Attributes:
        nodes: (N,) int64, steps that a search took for the last actions.
    """

    def __init__(self, sim: Simulator, kind: str = "heuristic", seed: int = 0, plain: bool = False) -> None:
        if not isinstance(sim, Simulator):
            raise OptionError(f"a Bot plays in a Simulator, got {describe(sim)}: give Bot(sim)")
        check_bot(sim.game, kind)
        self.sim, self.kind, self.plain = sim, kind, plain
        self._streams = np.zeros((sim.num_envs, 2), np.uint64)
        self.seed(seed_of("seed", seed))
        self._actions = np.zeros((sim.num_envs, sim.num_seats), np.int64)
        self._depth = depth_of(kind)
        self._wanted, self.nodes = np.ones(sim.num_envs, np.bool_), np.zeros(sim.num_envs, np.int64)
        self._number = np.full(1, len(sim.actions), np.int64)
        self._offered = np.zeros(len(sim.game.actions), np.int64)  # the game's action -> its number in the chosen set
        self._offered[[sim.game.actions.index(name) for name in sim.actions]] = np.arange(len(sim.actions))
        self._build()

    def seed(self, seed: int) -> None:
        """Begin its random numbers anew, from a whole number from 0 to 2**64 - 1."""
        games = np.arange(self.sim.num_envs, dtype=np.uint64)
        self._streams[...] = np.stack(
            players_streams(np.full_like(games, seed), games), axis=1
        )  # where loops read them

    def _build(self) -> None:
        """The compiled loop, and the table of its buffers."""
        arrays = self._read()
        twins = arrays[1:3] if self._depth else []  # records and the same as bytes
        buffers = [Buffer.of(array, any(array is twin for twin in twins)) for array in arrays]
        loops = {"heuristic": kernel.advise_games, "random": kernel.pick_games}
        loop = loops.get(self.kind, alpha_beta.search_games)
        self._checked = self.kind != "random" and not self.plain and not is_own(self.sim.game)
        if self.plain:
            self._play = self.sim._backend.plain_loop(loop, arrays)
        else:
            self._compile = once(partial(compile_cpu, self.sim.game.name, loop, self.sim._layout.names, buffers))
            self._play = self._compile(checked=self._checked)
        self._lay_out = lambda arrays: Table(arrays, buffers)
        self._table = self._lay_out(arrays)

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles are made of; they play in a copy of the simulator."""
        return {name: value for name, value in self.__dict__.items() if name not in BUILT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._build()

    def _read(self) -> list[np.ndarray]:
        """The arrays that the compiled loop takes."""
        if self.kind == "heuristic":
            return [self.sim.records, self._streams, self._actions]
        if self._depth:
            games = np.ascontiguousarray(self.sim._backend.read("raw"))
            return [*self._levels, games, self._wanted, self._streams, self._actions, self.nodes]
        return [self.sim._backend.read("legal"), self._streams, self._actions, self._number]

    @cached_property
    def _levels(self) -> list[np.ndarray]:
        """Room for a search, see `alpha_beta`."""
        n, choices, size = self.sim.num_envs, len(self.sim.actions), self.sim.game.State.itemsize
        room = n * (self._depth + 1)
        raw = np.zeros((room, size), np.uint8)
        records = raw.reshape(-1).view(self.sim.game.State)
        moves, history = np.zeros((room, choices), np.int64), np.zeros((2 * n, choices), np.int64)
        return [np.zeros(room, alpha_beta.LEVEL), records, raw, moves, history, np.zeros((n, choices), np.bool_)]

    def act(self, wanted: np.ndarray | None = None) -> np.ndarray:
        """What it does now: (N,) int64, or (N, P) where players act together; overwritten by the next call.

        A search leaves out games in which no answer is `wanted`, (N,) bool, and those that are over: it takes the first
        legal action there.
        """
        if self._depth:
            self._wanted[...] = ~self.sim._backend.read("clocks")["over"] & (True if wanted is None else wanted)
        if not isinstance(self.sim.obs, np.ndarray):  # on a GPU; on the CPU the arrays are the simulator's own
            self._table = self._lay_out(self._read())
        with self.sim._turns:
            unverified = self.sim._unverified.whole.some and not self.plain
            play = self._compile(checked=True) if unverified else self._play
            run(self.sim.game, play, self._table, self.sim.num_envs, unverified or self._checked, unverified)
        if self.kind == "heuristic":
            if unverified:
                np.clip(self._actions, 0, len(self._offered) - 1, out=self._actions)
            elif self._checked and (wrong := (self._actions < 0) | (self._actions >= len(self._offered))).any():
                raise GameError(
                    f"{self.sim.game.name}: heuristic must return a whole number from 0 to {len(self._offered) - 1}, "
                    f"got {self._actions[wrong][0]}"
                )
            self._actions[...] = self._offered[self._actions]
        if self._depth:
            self._actions[~self._wanted, 0] = host(self.sim.legal)[~self._wanted].argmax(1)
        return self._actions[:, 0] if self.sim.num_seats == 1 else self._actions

    # what trained players have too, see `ludus.agents.training.evaluation.Player`

    def restart(self) -> None:
        """The games begin anew."""

    @property
    def searches(self) -> bool:
        """Whether it is worth telling `decide` where an answer is wanted."""
        return self._depth > 0

    def decide(self, deterministic: bool = True, wanted: np.ndarray | None = None) -> np.ndarray:
        """Actions for what the games show; see `act`."""
        return self.act(wanted).copy()

    def explain(self) -> None:
        """A bot has no probabilities or values to tell of."""

    def sight(self, actions: np.ndarray) -> None:
        """Nor does it look at pictures."""

    def went_on(self) -> None:
        """The step decided on was taken."""

    def step(self, actions: np.ndarray) -> int:
        """Take the step decided on; returns how many episodes ended."""
        return self.sim.step(actions)


def depth_of(kind: str) -> int:
    """How deep a bot of this name searches; 0: not at all."""
    match = SEARCH.fullmatch(kind)
    return int(match[1]) if match else 0


def is_bot_kind(kind: str) -> bool:
    """Whether a bot has this name, in one game or another."""
    return kind in BOTS or depth_of(kind) > 0


def check_bot(game: Game, kind: str) -> None:
    """Raise OptionError if a game has no bot of this name."""
    if not isinstance(kind, str) or not is_bot_kind(kind):
        one_of("kind", kind, (*BOTS, "search-4"))
    if kind == "heuristic" and game.heuristic is None:
        raise OptionError(f"{game.name} has no heuristic player: use 'random'")
    if depth_of(kind):
        check_searchable(game)
        if not game.turns:
            raise OptionError(f"{kind} is for two who take turns, and {game.name} is for one player")
        if has_chance(game):
            raise OptionError(f"{kind} does not know of chance, which {game.name} has: use 'heuristic' or 'random'")


def bots_of(game: Game) -> list[str]:
    """The bots that a game has; those that search are as deep as their names say, and one stands for all."""
    found = ["heuristic"] * (game.heuristic is not None) + ["random"]
    with suppress(OptionError):
        check_bot(game, "search-4")
        found.append("search-4")
    return found


def ask(player: Any, wanted: np.ndarray, deterministic: bool) -> np.ndarray:
    """What a player does; one that searches does so only where it is wanted, (N,) bool, and else takes any legal action."""
    return player.decide(deterministic, wanted) if getattr(player, "searches", False) else player.decide(deterministic)


class Match:
    """Several players at the seats of a simulator's games: player k has seat k in all of them."""

    def __init__(self, sim: Simulator, players: Sequence[Any]) -> None:
        if len(players) != sim.num_players:
            raise OptionError(f"{sim.game.name} needs {sim.num_players} players here, got {len(players)}")
        self.sim, self.players = sim, list(players)

    def restart(self) -> None:
        """The games begin anew."""
        for player in self.players:
            player.restart()

    @property
    def searches(self) -> bool:
        """Whether one of the players does, see `ask`."""
        return any(getattr(player, "searches", False) for player in self.players)

    def decide(self, deterministic: bool = True, wanted: np.ndarray | None = None) -> np.ndarray:
        """Actions, each by who has the seat: (N,), or (N, P) where players act together; `wanted` is for `ask`."""
        if self.sim.game.turns:
            movers = host(self.sim.player)  # (N,)
            theirs = [(movers == seat) & (True if wanted is None else wanted) for seat in range(2)]
            return np.choose(movers, [ask(*pair, deterministic) for pair in zip(self.players, theirs, strict=True)])
        chosen = [player.decide(deterministic) for player in self.players]
        return np.stack([actions[:, seat] for seat, actions in enumerate(chosen)], axis=1)

    def explain(self) -> Any:
        """What the player to move makes of the state, where players take turns; see its own `explain`."""
        return self.players[int(self.sim.player[0])].explain() if self.sim.game.turns else None

    def sight(self, actions: np.ndarray) -> Any:
        """What the player to move sees, where players take turns; see its own `sight`."""
        return self.players[int(self.sim.player[0])].sight(actions) if self.sim.game.turns else None

    def step(self, actions: np.ndarray) -> int:
        """Take the step decided on; returns how many episodes ended."""
        for player in self.players:
            player.went_on()
        return self.sim.step(actions)


def at_seat(sim: Simulator, player: Any, seat: int, other: Callable[[int], Any]) -> Match:
    """A match in which a player has one seat, and what `other(k)` makes has each other seat k."""
    return Match(sim, [player if k == seat else other(k) for k in range(sim.num_players)])


@dataclass(frozen=True)
class Evaluation:
    """Returns and lengths of the episodes played, in the order of the games' seeds."""

    returns: np.ndarray  # (episodes,) float64, or (episodes, players)
    lengths: np.ndarray  # (episodes,) int64, in steps
    deterministic: bool
    unfinished: int = 0  # episodes cut off by `step_limit` or `tell`; their return so far is counted
    alike: bool = False  # whether several episodes were seen to be the same, state for state: no chance came into them

    @property
    def scores(self) -> np.ndarray:
        """(episodes,) returns of the first player."""
        return self.returns.reshape(len(self.returns), -1)[:, 0]

    @property
    def mean(self) -> float:
        """Of the first player."""
        return float(self.scores.mean())

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % bootstrap interval of the mean; None where the episodes tell of none, see `statistics.interval`."""
        return interval(self.scores)


def evaluate_player(
    player: Any,
    sim: Simulator,
    deterministic: bool = True,
    step_limit: int = STEP_LIMIT,
    tell: Callable[[int, int], bool | None] | None = None,
) -> Evaluation:
    """Let a player, or a match of several, play the first episode of each of a simulator's games.

    Each game counts one episode, so that short ones are not counted more often. It ends here after `step_limit` steps, so
    that one who never loses does not play for ever. After each step, `tell(steps, episodes that ended)` is called, and if
    it returns False, all end here.
    """
    step_limit = whole("step_limit", step_limit, 1)
    sim.reset()
    player.restart()
    returns, lengths = np.zeros(sim.reward.shape), np.zeros(sim.num_envs, np.int64)
    running, alike = np.ones(sim.num_envs, np.bool_), sim.num_envs > 1 and same(sim.records)
    for steps in range(1, step_limit + 1):
        finished = player.step(ask(player, running, deterministic))
        returns[running] += host(sim.reward)[running]
        lengths[running] += 1
        if finished:
            running &= ~(host(sim.terminated) | host(sim.truncated))
            if not running.any():
                break
        alike = alike and bool(running.all()) and same(sim.records)
        if tell is not None and tell(steps, len(running) - int(running.sum())) is False:
            break
    alike = alike and bool((returns == returns[0]).all() and (lengths == lengths[0]).all())
    return Evaluation(returns, lengths, deterministic, int(running.sum()), alike)


def same(records: np.ndarray) -> bool:
    """Whether (N,) records are equal, to the last byte."""
    rows = np.ascontiguousarray(records).view(np.uint8).reshape(len(records), -1)
    return bool((rows == rows[0]).all())


def host(array: Any) -> np.ndarray:
    """An array of a simulator as NumPy, wherever it lives."""
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()
