"""The contract of a game: a record that is the whole state, and a few plain functions over it.

    reset(s, random)            fill the record (it arrives zeroed) with the start of an episode
    step(s, action, random)     advance one step -> (reward, terminated)
    observe(s, planes)          write the observation (it arrives zeroed)
    draw(s, canvas)             paint the state, at any resolution
    backdrop(canvas)            if there is one: paint what is the same in every picture, before draw

Rules are ordinary Python: `if`, `for`, helpers in the same file, and the toolboxes `ludus.envs.rng` and
`ludus.envs.canvas`. They touch nothing but their arguments and module constants. The engine runs the same functions as
plain Python, compiled over many games on CPU cores, and as a CUDA kernel.

Numbers in rules behave as Python's: reading a field gives a whole number (int64), a float (float64) or a bool, whatever
width the record stores. A record therefore has signed integers, floats and bools only; unsigned fields would make the
compiled arithmetic differ from Python's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import GameError

Rule = Callable[..., Any]

FIELD_TYPES = ("?", "i1", "i2", "i4", "i8", "f8")


def state(**fields: str) -> np.dtype:
    """Declare a game's record: `state(paddle="i1", bricks="(3,10)i1")`, each field in NumPy's notation.

    Allowed types are `?` (bool), `i1` `i2` `i4` `i8` (signed integers by bytes) and `f8` (float).
    """
    if not fields:
        raise GameError("state() needs at least one field, such as state(x='i1')")
    record = np.dtype(list(fields.items()), align=True)
    for name, declared in fields.items():
        base = record[name].base
        if base.str[1:] not in FIELD_TYPES and base.str not in ("|b1", "|i1"):
            raise GameError(f"state field {name}={declared!r}: use one of {', '.join(FIELD_TYPES)}, as in '(3,10)i1'")
    return record


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
    keys: Mapping[str, str] = field(default_factory=dict)  # pygame's key name -> action
    backdrop: Rule | None = None  # backdrop(canvas): what is always there, painted once; draw() paints over it
    canvas: tuple[float, float] = (0.0, 0.0)  # width and height that draw() works in; (0, 0): columns and rows
    fps: int = 10  # steps per second at a person's pace

    def __post_init__(self) -> None:
        _check_declaration(self)
        if not self.minimal_actions:
            object.__setattr__(self, "minimal_actions", self.actions)
        if self.canvas == (0.0, 0.0):
            rows, columns = self.shape if self.planes else (1, 1)
            object.__setattr__(self, "canvas", (float(columns), float(rows)))

    @property
    def id(self) -> str:
        """The Gymnasium id, such as `ludus/Breakout-v1`."""
        return f"ludus/{self.name}-v{self.version}"

    @property
    def doc(self) -> str:
        """The docstring of the file that holds the rules."""
        module = sys.modules.get(self.step.__module__)
        return (module.__doc__ or "") if module else ""

    @property
    def summary(self) -> str:
        """The first line of the docstring, without the game's name."""
        first = self.doc.strip().split("\n")[0]
        return first.split(": ", 1)[-1].rstrip(".")


def _check_declaration(game: Game) -> None:
    def must(condition: bool, message: str) -> None:
        if not condition:
            raise GameError(f"{game.name}: {message}")

    must(bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", game.name)), "name must be letters and digits, such as 'Breakout'")
    must(isinstance(game.version, int) and game.version >= 0, "version must be a whole number from 0")
    must(isinstance(game.State, np.dtype) and game.State.names is not None, "State must come from state(...)")
    for rule in ("reset", "step", "observe", "draw"):
        must(callable(getattr(game, rule)), f"{rule} must be a function")
    must(game.backdrop is None or callable(game.backdrop), "backdrop must be a function")
    must(1 <= len(game.actions) <= 32, "actions must name 1 to 32 actions")
    must(len(set(game.actions)) == len(game.actions), "actions must differ from each other")
    must(bool(game.planes) != bool(game.features), "give either planes (with shape) or features")
    must(not game.planes or min(game.shape) >= 1, "planes need shape=(rows, columns)")
    unknown = [a for a in (*game.minimal_actions, *game.keys.values()) if a not in game.actions]
    must(not unknown, f"{', '.join(map(repr, unknown))} is not among actions {game.actions}")
