"""The contract of a game: a record that is the whole state, and a few plain functions over it.

    reset(s, random)            fill the record (it arrives zeroed) with the start of an episode
    step(s, action, random)     advance one step -> (reward, terminated)
    observe(s, planes)          write the observation (it arrives zeroed)
    draw(s, canvas)             paint the state, at any resolution

and, where a game has more to say:

    backdrop(canvas)            paint what is the same in every picture, before draw
    legal(s, allowed)           mark the actions that are allowed now (`allowed` arrives all False)
    heuristic(s, random)        the action of a simple player, to be measured against -> action
    click(s, x, y)              the action that a click at that place of the picture stands for; -1: none -> action
    value(s, player)            where players take turns: what the position is worth to a player, at a glance -> float

Games for several `players` are of two kinds; in both, `observe`, `draw` and `heuristic` are told whose view is wanted, as in
`observe(s, player, planes)`. (`draw` gets the player -1 for a spectator, who may see everything.)

    in turn     The record has a field `player` ("i1"): whose turn it is, 0 or 1. `step(s, action, random)` is the mover's
                and returns the mover's reward; the other player loses as much. An action that `legal` does not allow is
                an error and never reaches `step`.
    together    `step(s, actions, rewards, random) -> terminated` gets the actions of all players and writes the rewards of
                each (they arrive zeroed). If the record has a field `active` ("(4,)i1", one for each player), players may
                leave before the others: the engine sets it to 1 for those who take part before `reset`, the rules clear it.

A game for one player has to take any action at any time: agents that know no masks play it too. `legal` then only tells
those who ask which actions make sense.

Rules are ordinary Python: `if`, `for`, helpers in the same file, and the toolboxes `ludus.envs.rng`, `ludus.envs.exact`,
`ludus.envs.canvas` and `ludus.envs.cards`. They touch nothing but their arguments and module constants. The engine runs the
same functions as plain Python, compiled over many games on CPU cores, and as a CUDA kernel.

Numbers in rules behave as Python's: reading a field gives a whole number (int64), a float (float64) or a bool, whatever
width the record stores. A record therefore has signed integers, floats and bools only; unsigned fields would make the
compiled arithmetic differ from Python's.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from .errors import GameError

Rule = Callable[..., Any]

MOST_ACTIONS = 256
LETTERS = 200  # of a name, at most
LONGEST = 100  # times its shorter side: the longer side of a canvas
FIELD_TYPES = ("?", "i1", "i2", "i4", "i8", "f8")


def state(**fields: str) -> np.dtype:
    """Declare a game's record: `state(paddle="i1", bricks="(3,10)i1")`, each field in NumPy's notation.

    Allowed types are `?` (bool, not in arrays), `i1` `i2` `i4` `i8` (signed integers by bytes) and `f8` (float).
    """
    if not fields:
        raise GameError("state() needs at least one field, such as state(x='i1')")
    for name, declared in fields.items():
        kind = _field_type(declared)
        if kind is None or (kind.base.str[1:] not in FIELD_TYPES and kind.base.str not in ("|b1", "|i1")):
            raise GameError(f"state field {name}={declared!r}: use one of {', '.join(FIELD_TYPES)}, as in '(3,10)i1'")
        if kind.base == np.bool_ and kind.shape:
            raise GameError(f"state field {name}={declared!r}: an array holds no bools, use i1 with 0 and 1")
    return np.dtype(list(fields.items()), align=True)


def _field_type(declared: str) -> np.dtype | None:
    """What a field is declared as; None if it is not text that NumPy can read."""
    try:
        return np.dtype(declared) if isinstance(declared, str) else None
    except (TypeError, ValueError, SyntaxError):
        return None


@dataclass(frozen=True, eq=False)  # a game is itself, and can be a key
class Game:
    """One game: its rules and what the engine must know to serve them.

    Give `planes` (names of 0/1 grids) with their `shape` (rows, columns), or `features` (names of numbers) for games that
    are not grids; `observe` then receives a uint8 array of shape (rows, columns, planes) or a float32 array of shape
    (features,).
    """

    name: str
    version: int
    State: np.dtype
    reset: Rule
    step: Rule
    observe: Rule
    draw: Rule
    actions: tuple[str, ...]
    shape: tuple[int, int] = (0, 0)
    planes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    minimal_actions: tuple[str, ...] = ()  # actions that do something in this game; empty: all of them
    players: int = 1  # at most
    min_players: int = 0  # 0: as many as `players`
    player_names: tuple[str, ...] = ()  # who is who in the picture, as in ("black", "white"); empty: "player 1", ...
    legal: Rule | None = None  # legal(s, allowed): the actions allowed now
    heuristic: Rule | None = None  # heuristic(s, random): what a simple player would do
    value: Rule | None = None  # value(s, player): what a simple player thinks that a position is worth, in rewards
    click: Rule | None = None  # click(s, x, y): the action that a person means who points there
    keys: Mapping[str, str] = field(default_factory=dict)  # pygame's key name -> action; not those of `scene.RESERVED`
    second_keys: Mapping[str, str] = field(default_factory=dict)  # those of a second person at the same keyboard
    hidden: bool = False  # the record holds what players are not to know, such as cards or mines; no search looks there
    waits: bool = False  # no time passes while a person thinks; so it is wherever players take turns
    backdrop: Rule | None = None  # backdrop(canvas): what is always there, painted once; draw() paints over it
    canvas: tuple[float, float] = (0.0, 0.0)  # width and height that draw() works in; (0, 0): columns and rows
    fps: int = 10  # steps per second at a person's pace
    max_episode_steps: int | None = None  # truncate episodes after this many steps, unless the caller says otherwise

    def __new__(cls, *given: Any, **named: Any) -> Game:
        known = [one.name for one in fields(cls)]
        for name in named:
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
                raise GameError(f"Game has no field {name}: {hint}")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        _check_declaration(self)
        if not self.minimal_actions:
            object.__setattr__(self, "minimal_actions", self.actions)
        if self.turns:
            object.__setattr__(self, "waits", True)
        if not self.min_players:
            object.__setattr__(self, "min_players", self.players)
        if not self.player_names:
            object.__setattr__(self, "player_names", tuple(f"player {k + 1}" for k in range(self.players)))
        if self.canvas == (0.0, 0.0):
            rows, columns = self.shape if self.planes else (1, 1)
            object.__setattr__(self, "canvas", (float(columns), float(rows)))

    def __copy__(self) -> Game:
        return self  # a game does not change

    def __deepcopy__(self, memo: dict[int, Any]) -> Game:
        return self

    @property
    def id(self) -> str:
        """The Gymnasium id, such as `ludus/Breakout-v1`."""
        return f"ludus/{self.name}-v{self.version}"

    @property
    def turns(self) -> bool:
        """Whether players take turns."""
        return self.players > 1 and "player" in (self.State.names or ())

    @property
    def together(self) -> bool:
        """Whether several players act in the same step."""
        return self.players > 1 and not self.turns

    @property
    def may_leave(self) -> bool:
        """Whether players may leave before the others."""
        return self.together and "active" in (self.State.names or ())

    @property
    def doc(self) -> str:
        """The docstring of the file that holds the rules, or of the notebook's cell."""
        module, code = sys.modules.get(self.step.__module__), getattr(self.step, "__code__", None)
        if hasattr(module, "__file__") or (code and Path(code.co_filename).is_file()):
            return (module.__doc__ if module else "") or ""
        return _docstring("".join(linecache.getlines(code.co_filename))) if code else ""

    @property
    def sections(self) -> dict[str, str]:
        """The docstring's headings, such as "Reward", and the text under each."""
        blocks = re.split(r"^(?=[A-Z][a-z ]+$)", self.doc, flags=re.MULTILINE)
        found = (block.split("\n", 1) for block in blocks[1:] if "\n" in block)
        return {heading: inspect.cleandoc(text) for heading, text in found}

    @property
    def summary(self) -> str:
        """The first line of the docstring, without the game's name."""
        first = self.doc.strip().split("\n")[0]
        return first.split(": ", 1)[-1].rstrip(".")


def _docstring(source: str) -> str:
    """What a source begins with; nothing where it cannot be read, as a cell with IPython's own commands in it."""
    try:
        return ast.get_docstring(ast.parse(source)) or ""
    except SyntaxError:
        return ""


def _check_declaration(game: Game) -> None:
    def must(condition: bool, message: str) -> None:
        if not condition:
            raise GameError(f"{game.name}: {message}")

    _check_kinds(game, must)
    must(bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", game.name)), "name must be letters and digits, such as 'Breakout'")
    must(game.State.names is not None, "State must come from state(...)")
    must(1 <= len(game.actions) <= MOST_ACTIONS, f"actions must name 1 to {MOST_ACTIONS} actions")
    for names in ("actions", "planes", "features"):
        must(len(set(getattr(game, names))) == len(getattr(game, names)), f"{names} must differ from each other")
    must(bool(game.planes) != bool(game.features), "give either planes (with shape) or features")
    must(not game.planes or min(game.shape) >= 1, "planes need shape=(rows, columns)")
    drawn = game.canvas == (0, 0) or (
        min(game.canvas) > 0 and max(game.canvas) <= LONGEST * min(game.canvas) < math.inf
    )
    must(drawn, f"canvas must be (width, height) above 0, neither over {LONGEST} times the other, got {game.canvas}")
    unknown = [
        a for a in (*game.minimal_actions, *game.keys.values(), *game.second_keys.values()) if a not in game.actions
    ]
    must(not unknown, f"{', '.join(map(repr, unknown))} is not among actions {game.actions}")
    _check_players(game, must)


def is_label(text: str) -> bool:
    """Whether it can be shown as a name."""
    return 0 < len(text.strip()) <= len(text) <= LETTERS and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _check_kinds(game: Game, must: Callable[[bool, str], None]) -> None:
    """What is given is of the right kind."""

    def is_whole(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    must(isinstance(game.name, str), "name must be letters and digits, such as 'Breakout'")
    must(isinstance(game.State, np.dtype), "State must come from state(...)")
    for rule in ("reset", "step", "observe", "draw"):
        must(callable(getattr(game, rule)), f"{rule} must be a function")
    for rule in ("backdrop", "legal", "click", "heuristic", "value"):
        must(getattr(game, rule) is None or callable(getattr(game, rule)), f"{rule} must be a function")
    for name, least in (("version", 0), ("players", 1), ("min_players", 0), ("fps", 1)):
        value = getattr(game, name)
        must(is_whole(value) and value >= least, f"{name} must be a whole number from {least}, got {value!r}")
    limit = game.max_episode_steps
    right = limit is None or (is_whole(limit) and limit >= 1)
    must(right, f"max_episode_steps must be a whole number from 1, or None, got {limit!r}")
    for name in ("actions", "minimal_actions", "planes", "features", "player_names"):
        names = getattr(game, name)
        many = isinstance(names, (tuple, list)) and all(isinstance(one, str) for one in names)
        must(many, f"{name} must be a tuple of names, such as ('left', 'right') or, of one, ('lit',); got {names!r}")
        odd = [one for one in names if not is_label(one)]
        must(
            not odd, f"{name} must be of 1 to {LETTERS} characters that can be shown, got {odd[0]!r:.80}" if odd else ""
        )
        object.__setattr__(game, name, tuple(names))
    for name, sides, kinds in (("shape", "(rows, columns)", int), ("canvas", "(width, height)", (int, float))):
        pair = getattr(game, name)
        two = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(side, kinds) for side in pair)
        must(two, f"{name} must be {sides}, got {pair!r}")
        object.__setattr__(game, name, tuple(pair))
    for name in ("keys", "second_keys"):
        keys = getattr(game, name)
        must(isinstance(keys, Mapping), f"{name} must be a dictionary such as {{'left': 'left'}}, got {keys!r}")
        must(
            all(isinstance(key, str) and is_label(key) for key in keys),
            f"{name} must be names of keys, such as 'left', got {keys!r}",
        )
    for name in ("hidden", "waits"):
        must(isinstance(getattr(game, name), bool), f"{name} must be True or False, got {getattr(game, name)!r}")


def _check_players(game: Game, must: Callable[[bool, str], None]) -> None:
    whole = not game.minimal_actions or game.minimal_actions == game.actions
    must(game.min_players <= game.players, "min_players must be from 1 to players")
    names = game.player_names
    right = len(names) in (0, game.players) and len(set(names)) == len(names)
    must(right, f"player_names must be {game.players} different names, as in ('black', 'white'); got {names!r}")
    must(game.min_players in (0, game.players) or game.may_leave, "a record without a field active needs all players")
    must(whole or (game.players == 1 and game.legal is None), "only a game for one without legal has minimal_actions")
    must(game.value is None or game.turns, "value is for two players who take turns")
    if game.turns:
        must(game.players == 2, "players who take turns must be two: what one gains, the other loses")
        must(game.State["player"] == np.dtype("i1"), "the field player must be one 'i1'")
        must(game.legal is not None, "players who take turns need legal(s, allowed)")
    if game.together:
        must(game.legal is None, "legal is for games in which one player acts at a time")
    if game.may_leave:
        right = np.dtype(("i1", (game.players,)))
        must(game.State["active"] == right, f"the field active must be '({game.players},)i1', 1 for who still plays")
