"""Attributes that users set on an agent, beyond those that it has: files keep what JSON has words for."""

from __future__ import annotations

import dis
import json
from functools import cache
from types import FunctionType
from typing import Any

from ..files.checks import json_object, plain
from ..files.safe_io import short

MAX_ATTRIBUTE = 100_000  # characters of one


@cache
def library_names(kind: type) -> frozenset[str]:
    """Of attributes that the methods of a class and of those it derives from set, and of what else these have."""
    methods = [x for base in kind.__mro__ for x in vars(base).values() if isinstance(x, FunctionType)]
    codes = [
        code for x in methods for code in (x.__code__, *(c for c in x.__code__.co_consts if hasattr(c, "co_code")))
    ]
    stored = {i.argval for code in codes for i in dis.get_instructions(code) if i.opname == "STORE_ATTR"}
    return frozenset({*stored, *dir(kind)})


def own_attributes(agent: Any, kind: type) -> dict[str, Any]:
    """Those of an agent of a kind that the kind itself does not have, by name."""
    return {name: value for name, value in vars(agent).items() if name not in library_names(kind)}


def as_json(value: Any) -> Any:
    """A value as JSON holds it, tuples as lists; where it has no words for it, our own."""
    try:
        said = plain(value)
        if len(json.dumps(said)) <= MAX_ATTRIBUTE:
            return said
    except (TypeError, ValueError, RecursionError):
        pass
    return {"not_kept": short(value)}


def read_attributes(facts: Any, kind: type) -> dict[str, Any]:
    """What a file says of them; raises ValueError for a name that is not for users."""
    for name in json_object("attributes", facts):
        if not name.isidentifier() or name in library_names(kind):
            raise ValueError(f"attributes has {short(repr(name))}, which is not for users to set")
    return {name: value for name, value in facts.items() if not (isinstance(value, dict) and "not_kept" in value)}
