"""Checks of arguments: each returns the value, or raises OptionError with one line that says what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import OptionError


def whole(name: str, value: Any, low: int, high: int | None = None, also: str = "") -> int:
    """The value as Python's whole number, if it is one of `low` to `high` (None: without end).

    `also` says what else the caller takes.
    """
    wrong = isinstance(value, bool) or not isinstance(value, (int, np.integer))
    if wrong or value < low or (high is not None and value > high):
        span = f"from {low}" if high is None else f"from {low} to {high}"
        raise OptionError(f"{name} must be a whole number {span}{also}, got {describe(value)}")
    return int(value)


def seed_of(name: str, value: Any) -> int:
    """The value as Python's whole number, if it is a seed: random streams have 64 bits."""
    return whole(name, value, 0, 2**64 - 1)


def number(name: str, value: Any, low: float, high: float) -> float:
    """The value as Python's float, if it is a number from `low` to `high`."""
    wrong = isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating))
    if wrong or not low <= value <= high:
        raise OptionError(f"{name} must be from {low:g} to {high:g}, got {describe(value)}")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """The value, if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise OptionError(f"{name} must be True or False, got {describe(value)}")
    return bool(value)


def one_of(name: str, value: Any, valid: Sequence[Any]) -> Any:
    """The value, if it is valid."""
    if not any(isinstance(value, type(other)) and value == other for other in valid):
        raise OptionError(f"{name} must be one of {', '.join(map(repr, valid))}; got {describe(value)}")
    return value


def describe(value: Any) -> str:
    """A value in a few words on one line."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and value.shape != ():
        return f"an array of shape {tuple(value.shape)} and {value.dtype}"
    return " ".join(repr(value).split())[:80]
