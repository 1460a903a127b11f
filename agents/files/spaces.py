"""Gymnasium's spaces, told in JSON and made again from that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from .checks import full, json_object, number, one_of, several
from .safe_io import short

MAX_BYTES = 2**26  # of an observation
FLOAT_MAX = float(np.finfo(np.float64).max)
MAX_BOUNDS = 4096  # numbers of a Box whose elements have bounds of their own
DTYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
size, whole = number(int, 1, MAX_BYTES), number(int, -(2**62), 2**62)
shape = several(number(int, 0, MAX_BYTES), 8)


def space_facts(space: spaces.Space) -> dict[str, Any] | None:
    """A space as JSON; None where that has no words for it."""
    if isinstance(space, spaces.Dict):
        parts = {name: space_facts(part) for name, part in space.spaces.items()}
        return None if None in parts.values() else {"dict": parts}
    if type(space) is spaces.Box and space.dtype is not None and space.dtype.name in DTYPES:
        facts = {"low": bound_facts(space.low), "high": bound_facts(space.high)}
        facts |= {"shape": list(space.shape), "dtype": space.dtype.name}
        return None if None in facts.values() else {"box": facts}
    if type(space) is spaces.Discrete:
        return {"discrete": {"n": int(space.n), "start": int(space.start)}}
    if type(space) is spaces.MultiDiscrete and space.nvec.ndim == 1 and len(space.nvec) <= MAX_BOUNDS:
        return {"multi_discrete": {"n": space.nvec.tolist(), "start": space.start.tolist()}}
    if type(space) is spaces.MultiBinary:
        return {"multi_binary": {"shape": list(space.shape)}}
    return None


def bound_facts(bound: np.ndarray) -> Any:
    """A bound of all elements, or of each; None if those are too many."""
    if bound.size == 0 or (bound == bound.flat[0]).all():
        return number_facts(bound.flat[0].item() if bound.size else 0)
    return [number_facts(x) for x in bound.ravel().tolist()] if bound.size <= MAX_BOUNDS else None


def number_facts(x: Any) -> Any:
    """JSON has no infinity."""
    return x if math.isfinite(x) else str(x)


def read_space(name: str, facts: Any) -> spaces.Space:
    """A space of moderate size; raises ValueError."""
    if not isinstance(facts, dict) or len(facts) != 1:
        raise ValueError(f"{name} is no space: {short(repr(facts))}")
    kind, told = next(iter(facts.items()))
    return one_of(READERS)(f"{name}'s kind", kind)(name, told)


def read_dict(name: str, facts: Any) -> spaces.Space:
    return spaces.Dict({key: read_space(key, part) for key, part in json_object(name, facts).items()})


def read_box(name: str, facts: Any) -> spaces.Space:
    told = full({"low": read_bound, "high": read_bound, "shape": shape, "dtype": one_of(DTYPES)})(name, facts)
    dtype: Any = np.dtype(told["dtype"])
    check_bytes(name, math.prod(told["shape"]) * dtype.itemsize)
    low, high = (
        np.full(told["shape"], x, dtype) if not isinstance(x, list) else np.reshape(x, told["shape"]).astype(dtype)
        for x in (told["low"], told["high"])
    )
    return spaces.Box(low, high, dtype=dtype)


def read_bound(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [read_bound(name, x) for x in several(lambda name, x: x, MAX_BOUNDS)(name, value)]
    if value in ("inf", "-inf"):
        return float(value)
    if type(value) is int:
        return number(int, -(2**63), 2**64)(name, value)
    return number(float, -FLOAT_MAX, FLOAT_MAX)(name, value)


def read_discrete(name: str, facts: Any) -> spaces.Space:
    return spaces.Discrete(**full({"n": size, "start": whole})(name, facts))


def read_multi_discrete(name: str, facts: Any) -> spaces.Space:
    told = full({"n": several(size, MAX_BOUNDS), "start": several(whole, MAX_BOUNDS)})(name, facts)
    return spaces.MultiDiscrete(told["n"], start=told["start"])


def read_multi_binary(name: str, facts: Any) -> spaces.Space:
    told = full({"shape": shape})(name, facts)["shape"]
    check_bytes(name, math.prod(told))
    return spaces.MultiBinary(told if len(told) > 1 else told[0])


def check_bytes(name: str, count: int) -> None:
    if count > MAX_BYTES:
        raise ValueError(f"{name} is of {count} bytes, more than {MAX_BYTES}")


READERS = {
    "box": read_box,
    "dict": read_dict,
    "discrete": read_discrete,
    "multi_discrete": read_multi_discrete,
    "multi_binary": read_multi_binary,
}
