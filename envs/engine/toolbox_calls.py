"""Checks of arguments in calls of the toolboxes: those that a compiler refuses with a long message, or not at all."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import NoReturn

import numpy as np

from .. import canvas, rng
from ..canvas import COLOR, is_color
from .inference import UNKNOWN, Knowledge

Refuse = Callable[[ast.AST, str, str], NoReturn]
SIGN = "write its number: 0 to 9 for digits, 10 for A to 35 for Z"


def check_call(
    node: ast.Call, callee: FunctionType, given: Mapping[str, ast.expr], known: Knowledge, random: str, refuse: Refuse
) -> None:
    """Refuse a call of a function of the toolboxes, if what it is given for some parameter is surely wrong."""
    if callee.__module__ == rng.__name__:
        _check_random(node, given, random, refuse)
        if "n" in given:
            _check_limit(node, given["n"], known, refuse)
    if callee.__module__ == canvas.__name__:
        if "color" in given:
            _check_color(given["color"], known, refuse)
        if "index" in given and _is_text(given["index"]):
            refuse(node, f"{ast.unparse(given['index'])} to be written", SIGN)


def _check_random(node: ast.Call, given: Mapping[str, ast.expr], random: str, refuse: Refuse) -> None:
    """The random numbers come first."""
    late = [one for name, one in given.items() if name != "random" and isinstance(one, ast.Name) and one.id == random]
    if late:
        others = [random, *(ast.unparse(one) for one in given.values() if one not in late)]
        refuse(node, ast.unparse(node), f"write {ast.unparse(node.func)}({', '.join(others)})")


def _check_limit(node: ast.Call, limit: ast.expr, known: Knowledge, refuse: Refuse) -> None:
    """A number to stay below is whole, and there are some below it."""
    if known.is_float(limit):
        refuse(node, f"{ast.unparse(node)}, with a float", "divide by // or write int(...)")
    number = known.constant(limit)
    if isinstance(number, int) and number < 1:
        refuse(node, ast.unparse(node), "nothing from 0 is below that: take a number from 1")


def _check_color(color: ast.expr, known: Knowledge, refuse: Refuse) -> None:
    """A colour is three whole numbers; those that are computed may be right."""
    if isinstance(color, ast.Tuple):
        parts = (0.5 if known.is_float(one) else known.constant(one) for one in color.elts)
        value = tuple(0 if part is UNKNOWN else part for part in parts)
    else:
        value = known.constant(color)
    if isinstance(value, (tuple, int, float, str, np.ndarray)) and not is_color(value):
        refuse(color, f"{ast.unparse(color)} as a colour", COLOR)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
