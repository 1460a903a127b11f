"""Saved states: which are trusted, which are refused, and which are played with every index checked.

Compiled rules index with what the record holds and check nothing, so a record that no rule has made can make them write
anywhere. A range for each field would not keep them from it: two numbers may each be in range and yet not go together. So:

- `state_dict` seals what this user's Ludus has played with the same rules. Where the seal fits, the state is trusted.
- Else what can be seen at once is looked at: numbers that are not finite, bools that are neither 0 nor 1, players who are
  not there. Such a state is refused and nothing has changed.
- The rest is played by checked kernels, which give the same results more slowly, or an error, until the episodes that came
  from outside have ended. A GPU has no such kernels: there new episodes begin.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import OptionError
from ..game import Game
from . import kernel
from .cache import secret
from .compile import fingerprint, replacements
from .layout import Layout
from .threads import once

STATE = ("records", "clocks", "streams", "totals", "obs", "legal")  # what a trajectory depends on
SEALED = ("records", "clocks", "legal")  # what kernels index with


class Unverified:
    """Which games play on from a state that came from outside, and that their rules may never reach.

    Attributes:
        games: (N,) bool.
        whole: that of all games, of which this may be a part; `whole.some`, whether there is any, is looked at in
            every step.
    """

    def __init__(self, games: np.ndarray, whole: Unverified | None = None) -> None:
        self.games, self.some, self.whole = games, False, whole or self

    def part(self, first: int, last: int) -> Unverified:
        """Of games first .. last-1, in the same memory."""
        return Unverified(self.games[first:last], self.whole)

    def put(self, games: np.ndarray | bool) -> None:
        """These are unverified, (N,) bool, and no others."""
        self.games[...] = games
        self.whole.some = bool(self.whole.games.any())

    def settle(self, begun: np.ndarray) -> None:
        """Games that have begun an episode, (N,), are not any more: what they play now is the rules' own."""
        self.put(self.games & ~begun)


def seal(game: Game, num_players: int, state: Mapping[str, Any]) -> bytes:
    """A code that only this user can make, of these records and the rules that made them."""
    code = hashlib.blake2b(_rules(game, num_players).encode(), key=secret(), digest_size=32)
    for name in SEALED:
        code.update(np.ascontiguousarray(state[name]).reshape(-1).view(np.uint8).data)
    return code.digest()


def is_sealed(game: Game, num_players: int, state: Mapping[str, Any]) -> bool:
    """Whether this user's Ludus made this state by these rules."""
    given = state.get("seal")
    return isinstance(given, bytes) and hmac.compare_digest(given, seal(game, num_players, state))


@once
def _rules(game: Game, num_players: int) -> str:
    """A hash of all that decides what a record may hold."""
    return fingerprint(kernel.play_game, replacements(game, num_players=num_players))


def check_layout(layout: Layout, read: Callable[[str], np.ndarray], state: Mapping[str, Any]) -> None:
    """Raise OptionError unless these are arrays of the shapes and dtypes that the simulator has.

    `read` gives the simulator's buffer of a name.
    """
    if not isinstance(state, Mapping):
        raise OptionError(f"a state is what state_dict() returned, got {type(state).__name__}")
    if state.get("game") != layout.game.id:
        raise OptionError(f"this state is of {state.get('game')}, not of {layout.game.id}")
    for name in STATE:
        here, given = read(name), state.get(name)
        if not isinstance(given, np.ndarray):
            raise OptionError(f"this state's {name} must be a NumPy array, got {type(given).__name__}")
        if given.shape != here.shape or given.dtype != here.dtype:
            raise OptionError(
                f"this state's {name} is {given.shape} of {given.dtype}, here it is {here.shape} of {here.dtype}: make the "
                "simulator with the same num_envs and options"
            )
    clocks, most = state["clocks"], layout.options.step_limit
    if most is not None and (late := clocks["elapsed"][~clocks["over"] & (clocks["elapsed"] >= most)]).size:
        raise OptionError(f"an episode of this state has gone on for {late[0]} steps, here max_episode_steps is {most}")


def check_values(layout: Layout, state: Mapping[str, Any]) -> None:
    """Raise OptionError for a state that no rules can have made, whatever they are."""
    game, records, clocks = layout.game, state["records"], state["clocks"]
    _, _, obs_low, obs_high = layout.observation
    for name in records.dtype.names:
        _check(f"{name} in its records", *_range_of(game, records, name))
    _check("elapsed in its clocks", clocks["elapsed"], 0, np.inf)
    _check("last_action in its clocks", clocks["last_action"], 0, len(game.actions) - 1)
    _check("over in its clocks", _bytes_of(clocks, "over"), 0, 1)
    _check("totals", state["totals"], -np.inf, np.inf)
    _check("obs", state["obs"], obs_low, obs_high)
    _check("legal", state["legal"].view(np.uint8), 0, 1)


def check_players(game: Game, records: np.ndarray) -> None:
    """Raise OptionError if a record names players who are not there: not only kernels index by these."""
    for name in ("player",) if game.turns else ("active",) if game.may_leave else ():
        _check(f"{name} in its records", *_range_of(game, records, name))


def _range_of(game: Game, records: np.ndarray, name: str) -> tuple[np.ndarray, float, float]:
    """A field's numbers, and the lowest and highest that it may have."""
    if records.dtype[name] == np.bool_:
        return _bytes_of(records, name), 0, 1
    if (name == "player" and game.turns) or (name == "active" and game.may_leave):
        return records[name], 0, 1
    return records[name], -np.inf, np.inf


def _bytes_of(records: np.ndarray, name: str) -> np.ndarray:
    """A field of bools as the bytes that it is."""
    offset = records.dtype.fields[name][1]  # type: ignore[index]
    return np.ascontiguousarray(records).view(np.uint8).reshape(len(records), -1)[:, offset]


def _check(what: str, numbers: np.ndarray, low: float, high: float) -> None:
    wrong = ~((numbers >= low) & (numbers <= high))
    if numbers.dtype.kind == "f":
        wrong |= ~np.isfinite(numbers)
    if wrong.any():
        bounds = "finite" if np.isinf(low) else f"from {low:g} to {high:g}"
        raise OptionError(
            f"this state is none that a game can be in: {what} must be {bounds}, got {numbers[wrong][0]} "
            f"in row {np.argwhere(wrong)[0][0]}"
        )
