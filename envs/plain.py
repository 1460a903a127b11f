"""Records for rules that run as plain Python, reading as Python's numbers do, so that compiled rules compute the same.

A whole number that does not fit the field it is stored in raises OverflowError, an index outside an array IndexError.
"""

from __future__ import annotations

import math
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from .errors import RuleError
from .game import Game


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
        self._row[name] = plain(value, self._row.dtype[name])


class PlainCells(np.ndarray):
    """An array field of a `PlainRecord`: elements read as Python numbers."""

    @property
    def flat(self) -> Any:
        """All elements in a row; NumPy's own would give NumPy's numbers."""
        return self.reshape(-1)

    def __getitem__(self, index: Any) -> Any:
        value = super().__getitem__(index)
        return value.item() if isinstance(value, np.generic) else value

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, plain(value, self.dtype))


def plain(value: Any, dtype: np.dtype) -> Any:
    """A NumPy number as Python's, so that NumPy checks that it fits; a float for an integer field is cut as compilers do."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and dtype.kind == "i" and math.isfinite(value):
        value = int(value)
    return value


def as_plain(name: str, array: np.ndarray) -> Any:
    """One of a simulator's arrays, by name, as rules may see it: records, actions and rewards are Python's numbers."""
    if array.dtype.names:
        return PlainRecords(array)
    return array.view(PlainCells) if name in ("actions", "reward") else array


def watched(game: Game, names: dict[str, Any]) -> dict[str, Any]:
    """The game's rules, each checked while it runs: what it raises and what it returns is reported by name."""
    return {
        **names,
        "reset": _watch(game, "reset"),
        "step": _watch(game, "step"),
        "observe": _watch(game, "observe"),
        "draw": _watch(game, "draw"),
        "draw_backdrop": _watch(game, "backdrop") if game.backdrop else names["draw_backdrop"],
        "legal_actions": _watch(game, "legal") if game.legal else names["legal_actions"],
    }


def _watch(game: Game, rule: str) -> Any:
    function = getattr(game, rule)

    def run(*given: Any) -> Any:
        try:
            result = function(*given)
        except (IndexError, OverflowError, AttributeError, ZeroDivisionError, ValueError, TypeError) as error:
            frames = traceback.extract_tb(error.__traceback__)
            line = [frame for frame in frames if frame.filename != __file__][-1]  # in the rules, not in this file
            what = "wrote or read outside its record: " if isinstance(error, IndexError) else ""
            place = f"{Path(line.filename).name}, line {line.lineno}: {line.line}"
            raise RuleError(f"{game.name}: {rule} {what}{error} ({place})") from error
        _check_result(game, rule, given, result)
        return result

    return _Opaque(run)


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
    if not np.all(np.isfinite(rewards)):
        raise RuleError(f"{game.name}: step returned the reward {rewards}, which is not finite")
    if terminated not in (True, False):
        raise RuleError(f"{game.name}: step must return terminated as a bool, got {terminated!r}")
