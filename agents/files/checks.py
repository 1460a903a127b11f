"""Checks of values that a file names: each returns the value as it is to be used, or raises ValueError with one line."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .safe_io import short

WORDS = {int: "a whole number", float: "a number"}
Check = Callable[[str, Any], Any]  # (name, value as JSON has it) -> value, or ValueError


def number(kind: type, low: float, high: float) -> Check:
    """A check for numbers of a kind (int, float or bool) from low to high."""

    def check(name: str, value: Any) -> Any:
        if type(value) not in ((int, float) if kind is float else (kind,)) or not low <= value <= high:
            span = "True or False" if kind is bool else f"{WORDS[kind]} from {low:g} to {high:g}"
            raise ValueError(f"{name} must be {span}, got {short(repr(value))}")
        return kind(value)

    return check


def one_of(choices: Mapping[Any, Any] | Sequence[Any]) -> Check:
    """A check for names in a table, which become what it has for them; names in a list stay names."""

    def check(name: str, value: Any) -> Any:
        if not isinstance(value, (str, type(None))) or value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(map(str, choices))}, got {short(repr(value))}")
        return choices[value] if isinstance(choices, Mapping) else value

    return check


def text(name: str, value: Any) -> str | None:
    """A check for lines of text, or null."""
    if value is not None and not (isinstance(value, str) and len(value) <= 1000 and value.isprintable()):
        raise ValueError(f"{name} must be one line of at most 1000 characters, got {short(repr(value))}")
    return value


def line(name: str, value: Any) -> str:
    """A check for lines of text."""
    if text(name, value) is None:
        raise ValueError(f"{name} must be one line of text, got null")
    return value


def hex_text(name: str, value: Any) -> str:
    """A check for bytes as hexadecimal digits."""
    if not isinstance(value, str) or not re.fullmatch("(?:[0-9a-f]{2})*", value):
        raise ValueError(f"{name} must be hexadecimal digits, got {short(repr(value))}")
    return value


def json_object(name: str, value: Any) -> dict[str, Any]:
    """A check for objects of any names."""
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, got {short(repr(value))}")
    return value


def several(check_one: Check, most: int = 32) -> Check:
    """A check for lists."""

    def check(name: str, value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"{name} must be a list of at most {most}, got {short(repr(value))}")
        return [check_one(name, item) for item in value]

    return check


def table(checks: Mapping[str, Check], needed: Iterable[str] = ()) -> Check:
    """A check for objects with these names, of which those needed must be there."""
    needed = set(needed)

    def check(name: str, value: Any) -> dict[str, Any]:
        for odd in sorted((needed - set(json_object(name, value))) | (set(value) - set(checks))):
            raise ValueError(f"{name} {'has' if odd in value else 'lacks'} {short(repr(odd))}")
        return {key: checks[key](key, item) for key, item in value.items()}

    return check


def full(checks: Mapping[str, Check]) -> Check:
    """A check for objects with all of these names and no others."""
    return table(checks, needed=checks)


def either(first: Check, kind: type, other: Check) -> Check:
    """A check by `first` for values of a kind, by `other` for all else."""
    return lambda name, value: (first if isinstance(value, kind) else other)(name, value)


def optional(check_one: Check) -> Check:
    """A check for what may be null."""
    return lambda name, value: None if value is None else check_one(name, value)


yes_or_no, width = number(bool, 0, 1), number(int, 1, 65_536)
sizes, rate = several(width), number(float, -1e9, 1e9)


def plain(value: Any, names: Mapping[type, str] | None = None) -> Any:
    """As JSON can hold it, classes by their `names`; raises TypeError for what it has no word for."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int, str, type(None))) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if not isinstance(value, type) and (facts := getattr(value, "facts", None)):  # it says itself what it is made of
        return plain(facts(), names)
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: plain(item, names) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, names) for item in value]
    if names and isinstance(value, type) and value in names:
        return names[value]
    raise TypeError(f"JSON has no word for {short(value)}")


def meant(name: str, known: Iterable[str]) -> str:
    """The nearest other name as the end of a sentence, or nothing."""
    lower = {other.lower(): other for other in known if other != name}
    near = difflib.get_close_matches(name.lower(), lower, 1)
    return f": did you mean {lower[near[0]]!r}?" if near else ""
