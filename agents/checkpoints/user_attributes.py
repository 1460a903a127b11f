"""Attributes that users set on an agent, beyond those that it has: files keep what JSON has words for."""

from __future__ import annotations

import dis
import json
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from types import FunctionType
from typing import Any

from ..files.checks import json_object, plain
from ..files.config import arguments_of
from ..files.safe_io import short

MAX_ATTRIBUTE = 100_000  # characters of one


@cache
def library_names(kind: Any) -> frozenset[str]:
    """Of attributes that the methods of a class and of those it derives from set, and of what else these have."""
    methods = [x for base in kind.__mro__ for x in vars(base).values() if isinstance(x, FunctionType)]
    codes = [x.__code__ for x in methods]
    codes += [inner for code in codes for inner in code.co_consts if hasattr(inner, "co_code")]
    pairs = [pair for code in codes for pair in pairwise(dis.get_instructions(code))]
    stored = {i.argval for before, i in pairs if i.opname == "STORE_ATTR" and _loads_self(before)}
    options = arguments_of(kind.config) if hasattr(kind, "config") else ()  # which the constructor sets by name
    return frozenset({*stored, *dir(kind), *options})


def _loads_self(instruction: dis.Instruction) -> bool:
    """Whether `self` is what it loads, or the last that it loads, in newer versions of Python."""
    loaded = instruction.argval
    return (loaded[-1:] if isinstance(loaded, tuple) else (loaded,)) == ("self",)


def algorithm_class(agent_class: type) -> type:
    """The class of the algorithm itself, of which users may have derived others."""
    return next(base for base in agent_class.__mro__ if "algorithm" in vars(base))


def own_attributes(agent: Any) -> dict[str, Any]:
    """Those of an agent that its algorithm's class does not have, by name."""
    known = library_names(algorithm_class(type(agent)))
    return {name: value for name, value in vars(agent).items() if name not in known}


def as_json(value: Any) -> Any:
    """A value as JSON holds it, tuples as lists; where it has no words for it, our own."""
    try:
        said = plain(value)
        if len(json.dumps(said)) <= MAX_ATTRIBUTE:
            return said
    except (TypeError, ValueError, RecursionError):
        pass
    return {"not_kept": short(value)}


def kept_and_lost(facts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What a file holds, by name, and the words that it has for what JSON cannot hold: `{"not_kept": "<words>"}`."""
    lost = {name for name, value in facts.items() if isinstance(value, dict) and set(value) == {"not_kept"}}
    kept = {name: value for name, value in facts.items() if name not in lost}
    return kept, {name: short(value["not_kept"]) for name, value in facts.items() if name in lost}


def read_attributes(facts: Any, agent_class: type) -> dict[str, Any]:
    """What a file says of them; raises ValueError for a name that is not for users."""
    known = library_names(algorithm_class(agent_class))
    for name in json_object("attributes", facts):
        if not name.isidentifier() or name in known:
            raise ValueError(f"attributes has {short(repr(name))}, which is not for users to set")
    return kept_and_lost(facts)[0]
