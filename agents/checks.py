"""Checks of values that a file names: each returns the value as it is to be used, or raises ValueError with one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .files import short

Check = Callable[[str, Any], Any]  # (name, value as JSON has it) -> value, or ValueError


def number(kind: type, low: float, high: float, optional: bool = False) -> Check:
    """A check for numbers of a kind (int, float or bool) from low to high; `optional` ones may be null."""

    def check(name: str, value: Any) -> Any:
        if optional and value is None:
            return None
        if type(value) not in ((int, float) if kind is float else (kind,)) or not low <= value <= high:
            raise ValueError(f"{name} must be {kind.__name__} from {low:g} to {high:g}, got {short(repr(value))}")
        return kind(value)

    return check


def one_of(choices: Mapping[Any, Any] | Sequence[Any]) -> Check:
    """A check for names in a table, which become what it has for them; names in a list stay names."""

    def check(name: str, value: Any) -> Any:
        if not isinstance(value, (str, type(None))) or value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(map(str, choices))}, got {short(repr(value))}")
        return choices[value] if isinstance(choices, Mapping) else value

    return check


def several(check_one: Check, most: int = 32) -> Check:
    """A check for lists."""

    def check(name: str, value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"{name} must be a list of at most {most}, got {short(repr(value))}")
        return [check_one(name, item) for item in value]

    return check


def table(checks: Mapping[str, Check], whole: bool = False) -> Check:
    """A check for objects with these names, all of them if `whole`."""

    def check(name: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError(f"{name} must be an object, got {short(repr(value))}")
        for odd in sorted(set(checks) ^ set(value) if whole else set(value) - set(checks)):
            raise ValueError(f"{name} {'has' if odd in value else 'lacks'} {short(repr(odd))}")
        return {key: checks[key](key, item) for key, item in value.items()}

    return check


def either(first: Check, kind: type, other: Check) -> Check:
    """A check by `first` for values of a kind, by `other` for all else."""
    return lambda name, value: (first if isinstance(value, kind) else other)(name, value)


yes_or_no, width = number(bool, 0, 1), number(int, 1, 65_536)
sizes, rate = several(width), number(float, -1e9, 1e9)
