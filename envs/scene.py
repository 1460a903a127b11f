"""What a window on a game tells and hears: plain data, without pygame. `ludus watch` and `play` fill it in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .simulator import Simulator

CLOSED = "window closed"  # the key that a session gets when someone closes the window
ALIASES = {"=": "+", "[+]": "+", "_": "-", "[-]": "-", "escape": "esc", "return": "enter"}


@dataclass(frozen=True)
class Thoughts:
    """What an agent makes of the state in the picture."""

    actions: tuple[str, ...]
    numbers: tuple[float, ...]  # of the actions: probabilities, 0 to 1, or what each is worth; -inf: not allowed
    chosen: int  # index of the action that it takes next
    values: tuple[float, ...]  # return expected at each step of the episode so far; the last is of this state
    worth: bool = False  # whether the numbers are what actions are worth


@dataclass(frozen=True)
class Card:
    """Words over the picture."""

    title: str
    text: str = ""
    keys: dict[str, str] = field(default_factory=dict)  # key -> what it does
    prompt: str = ""


@dataclass(frozen=True)
class Scene:
    """What the window tells about the game."""

    title: str
    subtitle: str
    score: float
    facts: dict[str, str]  # what is counted -> the count
    status: str
    live: bool  # time is passing
    keys: dict[str, str]  # keys, with spaces between them -> what they do
    thoughts: Thoughts | None = None
    card: Card | None = None
    viewer: int = -1  # the player whose view the picture is; -1: a spectator's


class Session(Protocol):
    """Somebody in a game: the window hands it keys and time, and paints its scene."""

    sim: Simulator
    closed: bool  # it wants the window closed

    def press(self, key: str) -> None:
        """A key was pressed (pygame's name of it), or CLOSED."""

    def click(self, x: float, y: float) -> None:
        """Somebody pointed at a place of the picture, in the game's own units."""

    def advance(self, seconds: float, held: list[str]) -> None:
        """Time passed; `held` are the keys that are down, the last pressed at the end."""

    def scene(self) -> Scene:
        """What to paint now."""
        ...


def command(key: str) -> str:
    """One name for keys that mean the same: `=` is the key of `+`, `escape` is `esc`."""
    return ALIASES.get(key, key)


def number(value: float, digits: int = 2) -> str:
    """A number for people: 3, 3.25, -1."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
    return "0" if text == "-0" else text
