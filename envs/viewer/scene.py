"""What a window shows, as plain data without pygame, and the session that makes it: see `ludus watch` and `play`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..engine.simulator import Simulator

CLOSED = "window closed"  # the key that a session gets when someone closes the window
ALIASES = {"=": "+", "[+]": "+", "_": "-", "[-]": "-", "escape": "esc", "return": "enter"}
RESERVED = {"p": "pause", "r": "restart", "h": "rules", "f11": "full screen", "q": "quit", "escape": "quit"}
"""What pygame's names of keys stand for in every window; no game may take them."""


@dataclass(frozen=True)
class Decision:
    """An agent's decision in the state that the picture shows: its numbers for each action, and the action chosen."""

    actions: tuple[str, ...]
    numbers: tuple[float, ...]  # of the actions: probabilities, 0 to 1, or Q-values; -inf: not allowed
    chosen: int  # index of the action that it takes next
    values: tuple[float, ...]  # return expected at each step of the episode so far; the last is of this state
    worth: bool = False  # whether the numbers are Q-values

    def share(self, k: int) -> float:
        """An action's probability, or how near its value is to the greatest: 0 to 1."""
        if not self.worth:
            return self.numbers[k]
        allowed = [value for value in self.numbers if value > -math.inf]
        if self.numbers[k] == -math.inf or not allowed:
            return 0.0
        best, least = max(allowed), min(allowed)
        span = max(best - least, 0.1 * max(abs(best), abs(least)), 1e-6)  # so that trifles look like it
        return 1 - 0.92 * (best - self.numbers[k]) / span


@dataclass(frozen=True)
class Sight:
    """What an agent sees, or looks at: a picture to be shown beside the game's."""

    title: str
    note: str  # a line on the picture
    width: int  # pixels
    height: int
    rgb: bytes = field(repr=False)  # (height, width, 3)
    cell: int = 0  # pixels of a square's side, if the picture is made of squares with lines between; else 0
    legend: tuple[tuple[str, tuple[int, int, int]], ...] = ()  # what its colours stand for


@dataclass(frozen=True)
class Card:
    """Words over the picture."""

    title: str
    text: str = ""
    keys: dict[str, str] = field(default_factory=dict)  # key -> what it does
    prompt: str = ""


@dataclass(frozen=True)
class Mark:
    """A dot on the picture, where an action is."""

    x: float  # in the game's units
    y: float
    share: float = 0.0  # of its size, 0 to 1
    chosen: bool = False


@dataclass(frozen=True)
class Scene:
    """All that a window shows beside the game's picture."""

    title: str
    subtitle: str
    score: float
    facts: dict[str, str]  # what is counted -> the count
    status: str
    live: bool  # time is passing
    keys: dict[str, str]  # the window's own: keys, with spaces between them -> what they do
    controls: dict[str, str] = field(default_factory=dict)  # the game's keys -> what they do
    asleep: frozenset[str] = frozenset()  # those of them that do nothing now
    whose: str = "score"  # the heading over the score
    decision: Decision | None = None
    sight: Sight | None = None  # goes where there is no room for it
    card: Card | None = None  # over the picture, which it hides
    result: Card | None = None  # beside the picture, which it leaves as it is
    marks: tuple[Mark, ...] = ()
    viewer: int = -1  # the player whose view the picture is; -1: a spectator's


class Session(Protocol):
    """Somebody in a game: the window hands it keys and time, and paints its scene."""

    sim: Simulator
    closed: bool  # it wants the window closed

    def press(self, key: str) -> None:
        """A key was pressed (pygame's name of it), or CLOSED."""

    def click(self, x: float, y: float) -> None:
        """Somebody clicked at a place of the picture, in the game's own units."""

    def point(self, place: tuple[float, float] | None) -> None:
        """Where the pointer is, in the game's own units; None: not on the picture."""

    def advance(self, seconds: float, held: list[str]) -> None:
        """Time passed; `held` are the keys that are down, the last pressed at the end."""

    def scene(self) -> Scene:
        """What to paint now."""
        ...


def command(key: str) -> str:
    """One name for keys that mean the same: `=` is the key of `+`, `escape` is `esc`."""
    return ALIASES.get(key, key)


def readable(name: str) -> str:
    """An action's name for people: "make_wood_pickaxe" is "make wood pickaxe"."""
    return name.replace("_", " ")


def number(value: float, digits: int = 2) -> str:
    """A number for people: 3, 3.25, -1."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
    return "0" if text == "-0" else text
