"""Putting a game's rules and the engine's loop together, for plain Python and for the compilers.

Rules stay ordinary functions. `link` makes copies of a function and of everything it calls in which names stand for what
the backend wants: the game's rules in place of the engine's `placeholders`, constants such as the frame stack, and, for
compiled backends, compiled functions. `fingerprint` is a hash of the same tree, down to bytecode and constants, so that an
edit of a rule, a helper, a sprite or the engine is always noticed by the cache on disk.
"""

from __future__ import annotations

import dis
import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from ..errors import GameError
from ..game import Game
from . import kernel, placeholders

Function = Callable[..., Any]
# the modules in which names are replaced
ENGINE = kernel.__name__, placeholders.__name__, *(f"{__package__}.{name}" for name in ("tree", "alpha_beta"))


def replacements(
    game: Game, obs_type: str = "planes", frame_stack: int = 1, num_players: int | None = None
) -> dict[str, Any]:
    """What stands in the place of the engine's placeholders for this game."""
    views = {"planes": kernel.see_planes, "features": kernel.see_features}
    channels = {"planes": len(game.planes), "features": len(game.features), "grayscale": 1}
    players = num_players or game.players
    return {
        "reset": game.reset,
        "step": game.step,
        "observe": game.observe,
        "legal_actions": game.legal or placeholders.legal_actions,
        "HAS_LEGAL": game.legal is not None,
        "heuristic": game.heuristic or placeholders.heuristic,
        "value_of": game.value or placeholders.value_of,
        "click": game.click or placeholders.click,
        "draw": game.draw,
        "draw_backdrop": game.backdrop or placeholders.draw_backdrop,
        "HAS_BACKDROP": game.backdrop is not None,
        **_of_players(game),
        "PLAYERS": players,
        "SEATS": players if game.together else 1,
        "see": views.get(obs_type, kernel.see_pixels),
        "FRAME_STACK": frame_stack,
        "CHANNELS": channels.get(obs_type, 3),
        "CANVAS": game.canvas,
    }


def _of_players(game: Game) -> dict[str, Function]:
    """What the engine does for one player, for two in turn, and for many at once."""
    if game.players == 1:
        return {
            "act": placeholders.act_alone,
            "show": placeholders.show_alone,
            "paint": placeholders.paint_alone,
            "advise": placeholders.advise_alone,
        }
    theirs: dict[str, Function] = {
        "show": placeholders.show_player,
        "paint": placeholders.paint_player,
        "advise": placeholders.advise_player,
    }
    if game.turns:
        return {**theirs, "act": placeholders.act_in_turn, "viewer": placeholders.viewer_in_turn}
    if game.may_leave:
        theirs["take_seats"] = placeholders.take_all_seats
    return {**theirs, "act": placeholders.act_together, "viewer": placeholders.viewer_at_seat}


def link(
    function: Function,
    names: Mapping[str, Any],
    wrap: Callable[[Function], Any] = lambda f: f,
    constant: Callable[[Any], Any] = lambda value: value,
) -> Any:
    """Copy `function` and all it calls, with `names` replaced in the engine's own modules and `wrap` around each copy.

    `constant` makes of each module constant what the copies read.
    """
    return _Linker(names, wrap, constant).copy(function)


class _Linker:
    def __init__(
        self, names: Mapping[str, Any], wrap: Callable[[Function], Any], constant: Callable[[Any], Any]
    ) -> None:
        self.names, self.wrap, self.constant = names, wrap, constant
        self.done: dict[Function, Any] = {}
        self.open: list[Function] = []

    def copy(self, function: Function) -> Any:
        if function in self.done:
            return self.done[function]
        if function in self.open:
            raise GameError(f"{function.__module__}.{function.__name__} calls itself; rules cannot be recursive")
        if function.__code__.co_kwonlyargcount:  # Numba leaves their values out
            raise GameError(f"{function.__module__}.{function.__name__} has parameters by name alone; rules cannot")
        self.open.append(function)
        scope = {"__name__": function.__module__, "__builtins__": __builtins__}
        scope |= {name: self.value(value) for name, value in global_values(function, self.names)}
        cells = tuple(CellType(self.value(cell.cell_contents)) for cell in function.__closure__ or ())
        twin = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, cells)
        twin.__qualname__, twin.__module__ = function.__qualname__, function.__module__
        self.open.pop()
        self.done[function] = self.wrap(twin)
        return self.done[function]

    def value(self, value: Any) -> Any:
        value = undecorated(value)
        if isinstance(value, np.ndarray):  # Numba reads the constants of a view from the wrong places
            value = np.ascontiguousarray(value)
        return self.copy(value) if isinstance(value, FunctionType) else self.constant(value)


def undecorated(value: Any) -> Any:
    """A function that was given to Numba already, as it was written: it is compiled anew, with those that call it."""
    return getattr(value, "py_func", value)


def global_values(function: Function, names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The global names that a function reads, with their values; builtins such as `min` left out."""
    engine = function.__module__ in ENGINE
    for name in sorted(global_names(function.__code__)):
        if engine and name in names:
            yield name, names[name]
        elif name in function.__globals__:
            yield name, function.__globals__[name]


@cache
def global_names(code: CodeType) -> frozenset[str]:
    """The global names that code reads; to look for them takes most of the time that a simulator is made in."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    return frozenset(names).union(*(global_names(const) for const in code.co_consts if isinstance(const, CodeType)))


def fingerprint(function: Function, names: Mapping[str, Any], *extra: Any) -> str:
    """A hash of everything that decides what the linked function computes."""
    digest = hashlib.sha256()
    seen: set[Function] = set()

    def add(value: Any) -> None:
        value = undecorated(value)
        if isinstance(value, FunctionType):
            if value not in seen:
                seen.add(value)
                add_code(value.__code__)
                add(value.__defaults__)
                for cell in value.__closure__ or ():
                    add(cell.cell_contents)
                for name, item in global_values(value, names):
                    digest.update(name.encode())
                    add(item)
            digest.update(value.__qualname__.encode())
        elif isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
        elif isinstance(value, (tuple, list)):
            digest.update(f"{type(value).__name__}{len(value)}".encode())
            for item in value:
                add(item)
        elif isinstance(value, (ModuleType, BuiltinFunctionType, type)):
            digest.update(value.__name__.encode())
        else:
            digest.update(f"{type(value).__name__}={value!r};".encode())

    def add_code(code: CodeType) -> None:
        digest.update(code.co_code)
        digest.update(repr((code.co_names, code.co_varnames, code.co_argcount)).encode())
        for const in code.co_consts:
            add_code(const) if isinstance(const, CodeType) else add(const)

    add(function)
    add(extra)
    return digest.hexdigest()
