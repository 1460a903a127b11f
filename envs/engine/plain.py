"""Records for rules that run as plain Python, reading as Python's numbers do, so that compiled rules compute the same.

A whole number that does not fit the field it is stored in raises OverflowError, a float for a whole number TypeError, and
an index outside an array IndexError. So does a negative index that was computed: Python and compiled rules count it from
the end, which is hardly ever meant. One that is written out, as in `s.row[-1]`, is.
"""

from __future__ import annotations

import ast
import linecache
import re
import sys
import traceback
from bdb import BdbQuit
from collections.abc import Iterator
from itertools import takewhile
from types import FrameType
from typing import Any

import numpy as np

from .. import canvas, rng
from ..errors import RuleError
from ..game import Game
from .compile import link
from .rules import TOOLBOXES, argument_names, definition, place
from .watchdog import EndlessError, loop_around


class PlainRecords:
    """An array of records: `records[i].field` is a Python number, or an array of them."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __getitem__(self, index: int) -> PlainRecord:
        return PlainRecord(self.array[index])


class PlainRecord:
    """One record of a `PlainRecords`."""

    __slots__ = ("_row",)

    def __init__(self, row: np.void) -> None:
        object.__setattr__(self, "_row", row)

    def __getattr__(self, name: str) -> Any:
        try:
            value = self._row[name]
        except ValueError:
            raise AttributeError(
                f"the record has no field {name!r}; it has {', '.join(self._row.dtype.names)}"
            ) from None
        return value.view(PlainCells) if isinstance(value, np.ndarray) else value.item()

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._row.dtype.names:
            raise AttributeError(f"the record has no field {name!r}; it has {', '.join(self._row.dtype.names)}")
        kind = self._row.dtype[name]
        if kind.shape and np.shape(value) != kind.shape:
            raise TypeError(f"{name} is an array: write to its elements, {name}[...] = {value!r}")
        try:
            self._row[name] = plain(value, kind.base)
        except OverflowError as error:
            raise OverflowError(f"{error}{_wider(kind.base)}") from None


class PlainCells(np.ndarray):
    """An array field of a `PlainRecord`: elements read as Python numbers."""

    @property
    def flat(self) -> Any:
        """All elements in a row; NumPy's own would give NumPy's numbers."""
        return self.reshape(-1)

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        if _counts_from_end(index) and not _written_out(sys._getframe(1)):
            raise IndexError(f"index {index} counts from the end")
        value = super().__getitem__(index)
        return value.item() if isinstance(value, np.generic) else value

    def __setitem__(self, index: Any, value: Any) -> None:
        if _counts_from_end(index) and not _written_out(sys._getframe(1)):
            raise IndexError(f"index {index} counts from the end")
        try:
            super().__setitem__(index, plain(value, self.dtype))
        except OverflowError as error:
            raise OverflowError(f"{error}{_wider(self.dtype)}") from None


def _wider(dtype: np.dtype) -> str:
    """What would hold a number that does not fit."""
    wider = {1: "'i2'", 2: "'i4'", 4: "'i8'"}.get(dtype.itemsize)
    return f": declare the field {wider}" if dtype.kind == "i" and wider else ""


def _counts_from_end(index: Any) -> bool:
    if type(index) is int:  # a short way, since plain rules spend much of their time here
        return index < 0
    parts = index if type(index) is tuple else (index,)
    return any(isinstance(part, (int, np.integer)) and part < 0 for part in parts)


def _subscript(frame: FrameType) -> ast.Subscript | None:
    """What a frame's current instruction indexes, where its source is at hand."""
    tree = definition(frame.f_code)
    where = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Subscript):
            here = node.lineno, node.end_lineno, node.col_offset, node.end_col_offset
            if here == where:
                return node
    return None


def _written_out(frame: FrameType) -> bool:
    """Whether all that is negative in the index of a frame's current instruction is written as a number, as in `a[-1]`."""
    node = _subscript(frame)
    if node is None:
        return False
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return any(isinstance(part, ast.UnaryOp) and isinstance(part.operand, ast.Constant) for part in parts)


def plain(value: Any, dtype: np.dtype) -> Any:
    """A number as Python's, so that NumPy checks that it fits where it is stored; a float for a whole number is refused."""
    if type(value) is int or type(value) is bool:
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and dtype.kind in "iu":
        raise TypeError(f"the float {value} is stored in a whole number ({dtype}), which would cut it: write int(...)")
    return value


def as_constant(value: Any) -> Any:
    """A constant of a game's file as compiled rules read it: elements of arrays are as wide as Python's numbers.

    The 64-bit counters of random numbers stay what they are: they wrap around.
    """
    if isinstance(value, np.ndarray) and not value.dtype.names:
        return value.view(PlainCells)
    return value.item() if isinstance(value, np.generic) and value.dtype != np.uint64 else value


def as_plain(name: str, array: np.ndarray) -> Any:
    """One of a simulator's arrays, by name, as rules may see it: records, actions and rewards are Python's numbers."""
    if array.dtype.names:
        return PlainRecords(array)
    return array.view(PlainCells) if name in ("actions", "reward") else array


def watched(game: Game, names: dict[str, Any]) -> dict[str, Any]:
    """The game's rules, each checked while it runs: what it raises and what it returns is reported by name."""
    return {
        **names,
        "reset": watch(game, "reset"),
        "step": watch(game, "step"),
        "observe": watch(game, "observe"),
        "draw": watch(game, "draw"),
        "draw_backdrop": watch(game, "backdrop") if game.backdrop else names["draw_backdrop"],
        "legal_actions": watch(game, "legal") if game.legal else names["legal_actions"],
        "value_of": watch(game, "value") if game.value else names["value_of"],
        "heuristic": watch(game, "heuristic") if game.heuristic else names["heuristic"],
    }


def watch(game: Game, rule: str) -> Any:
    """A rule, checked while it runs: raises RuleError, in one line, with the line that did it."""
    function = link(getattr(game, rule), {}, _careful, as_constant)

    def run(*given: Any) -> Any:
        if rule in ("observe", "legal"):  # what they write is checked as it is in records
            given = (*given[:-1], given[-1].view(PlainCells))
        try:
            result = function(*given)
        except BdbQuit:  # somebody leaves the debugger
            raise
        except Exception as error:
            raise RuleError(f"{game.name}: {rule}: {_words(error)} ({_place(error)})") from error
        _check_result(game, rule, given, result)
        return result

    return _Opaque(run)


def _words(error: Exception) -> str:
    """What an exception says, in one line; Python and NumPy leave some of it out, or say it in words of their own."""
    words = " ".join(str(error.args[-1] if error.args else error).split()) or type(error).__name__
    outside = re.fullmatch(r"index (.+) is out of bounds for axis (\d+) with size (\d+)", words)
    if outside:
        index, axis, size = outside.groups()
        return f"index {index} is outside an array of length {size}" + (f" along axis {axis}" if axis != "0" else "")
    if words == "tuple index out of range":
        return _outside_tuple([frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1]) or words
    return "float modulo by zero" if words == "float modulo" else words


def _outside_tuple(frame: FrameType) -> str:
    """What index of which tuple a frame failed at; "" if its source does not tell, or would have to be run for it."""
    node = _subscript(frame)
    if node is None or any(isinstance(part, ast.Call) for part in ast.walk(node)):
        return ""
    parts = (compile(ast.Expression(part), "", "eval") for part in (node.slice, node.value))
    index, values = (eval(part, frame.f_globals, frame.f_locals) for part in parts)
    return f"index {index} is outside a tuple of length {len(values)}"


def _place(error: Exception) -> str:
    """The line of the game's file that an exception came from: before it went into this file or a toolbox."""
    frames = list(traceback.walk_tb(error.__traceback__))[1:]
    inside = takewhile(lambda pair: pair[0].f_globals.get("__name__") not in (__name__, *TOOLBOXES), frames)
    frame, line = list(inside)[-1]
    if isinstance(error, EndlessError):
        line = loop_around(frame.f_code, line)
    return f"{place(frame.f_code, line)}: {linecache.getline(frame.f_code.co_filename, line).strip()}"


def _careful(function: Any) -> Any:
    """A function of the rules; in place of `below` and of what paints, one that looks at what it is given."""
    if function.__module__ == canvas.__name__ and "color" in argument_names(function):
        return _careful_painter(function)
    if (function.__module__, function.__name__) != (rng.__name__, rng.below.__name__):
        return function

    def below(random: Any, n: Any) -> Any:
        if not isinstance(n, (int, np.integer)) or not 1 <= n < 2**31:
            raise ValueError(f"below(random, n) takes a whole number from 1 as n, got {n!r}")
        return function(random, n)

    return below


def _careful_painter(function: Any) -> Any:
    """A function of the canvas that looks at the colour it is given, unless it is called by another one."""
    at = argument_names(function).index("color")

    def paint(*given: Any, **named: Any) -> Any:
        if sys._getframe(1).f_globals["__name__"] != canvas.__name__:
            for color in (named["color"],) if "color" in named else given[at : at + 1]:
                if not canvas.is_color(color):
                    raise ValueError(f"{color!r} as a colour: {canvas.COLOR}")
        return function(*given, **named)

    return paint


class _Opaque:
    """A callable that the linker leaves alone."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


def _check_result(game: Game, rule: str, given: tuple[Any, ...], result: Any) -> None:
    if rule == "backdrop":
        return
    s, *rest = given
    for name in game.State.names or ():
        if game.State[name].base.kind == "f" and not np.all(np.isfinite(s._row[name])):
            raise RuleError(f"{game.name}: {rule} left {name} = {s._row[name]} in the record, which is not finite")
    if rule == "step":
        _check_step(game, rest, result)
    if rule == "value" and not (isinstance(result, (float, int, np.generic)) and np.isfinite(result)):
        raise RuleError(f"{game.name}: value must return a finite number, got {result!r}")
    if rule == "heuristic":
        check_action(game, rule, result)
    if rule == "observe":
        if game.planes and np.any(rest[-1] > 1):
            raise RuleError(f"{game.name}: observe wrote {rest[-1].max()} to a plane; planes hold 0 and 1")
        if not np.all(np.isfinite(rest[-1])):
            raise RuleError(f"{game.name}: observe wrote a feature that is not finite")


def _check_step(game: Game, given: list[Any], result: Any) -> None:
    if game.together:
        rewards, terminated = given[1], result
    elif isinstance(result, tuple) and len(result) == 2:
        rewards, terminated = result
    else:
        raise RuleError(f"{game.name}: step must return (reward, terminated), got {result!r}")
    if not isinstance(rewards, (int, float, np.generic, np.ndarray)):
        raise RuleError(f"{game.name}: step returned {rewards!r} as the reward: write return reward, terminated")
    with np.errstate(over="ignore"):
        finite = np.all(np.isfinite(np.float32(rewards)))
    if not finite:
        what = "too large for float32" if np.all(np.isfinite(rewards)) else "not finite"
        raise RuleError(f"{game.name}: step returned the reward {rewards}, which is {what}")
    if not isinstance(terminated, (int, np.integer, np.bool_)) or terminated not in (True, False):
        right = "terminated" if game.together else "reward, terminated"
        raise RuleError(f"{game.name}: step must return terminated as a bool, got {terminated!r}: write return {right}")


def check_action(game: Game, rule: str, action: Any, none: bool = False) -> None:
    """Raise RuleError unless it is the number of an action; or -1, where `none` may be meant."""
    low = -1 if none else 0
    if not isinstance(action, (int, np.integer)) or not low <= action < len(game.actions):
        raise RuleError(
            f"{game.name}: {rule} must return a whole number from {low} to {len(game.actions) - 1}, got {action!r}"
        )
