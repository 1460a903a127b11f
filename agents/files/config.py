"""The config of an algorithm: a frozen dataclass with one field for each option.

Constructors, flags of `ludus train`, checks of checkpoints and the tables of docs/reference.md are made from these fields.
Nothing here imports torch, since the command line explains its flags without it.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any

CONFIGS: dict[str, type] = {}  # by name of the algorithm; filled by the package's `__init__`
UNBOUNDED = 1e9  # limits from here on only keep out nonsense, and are not worth showing
SAME = object()


@dataclass(frozen=True)
class Range:
    """Numbers from low to high that tuning tries, evenly or, with `log`, evenly by their logarithm."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Layers:
    """Hidden layers that tuning tries: so many, all of one of these widths."""

    counts: tuple[int, ...]
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Option:
    """One option of an algorithm.

    Attributes:
        type: of its values, None included where it may be None.
        default: of the constructor.
        train: default of `ludus train`.
        help: one line on what it means.
        low, high: limits of a number.
        choices: all values of a text.
        use: what takes it: "agent" (an argument of the constructor), "policy" (an entry of its `policy_kwargs`) or "train"
            (`ludus train` alone).
        flag: whether `ludus train` has a flag for it.
        schedule: whether it may also be a function of the remaining progress, from 1 to 0.
        recorded: whether checkpoints have it.
        tune: what `ludus tune` tries: a `Range`, `Layers`, or a tuple of values; None: it is left as it is.
    """

    name: str
    type: Any
    default: Any
    train: Any
    help: str
    low: Any = None
    high: Any = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    use: str = "agent"
    flag: bool = True
    schedule: bool = False
    recorded: bool = True
    tune: Range | Layers | tuple[Any, ...] | None = None

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types of its values other than None."""
        kinds = typing.get_args(self.type) if isinstance(self.type, types.UnionType) else (self.type,)
        return tuple(kind for kind in kinds if kind is not types.NoneType)

    @property
    def optional(self) -> bool:
        return types.NoneType in typing.get_args(self.type)

    @property
    def bounds(self) -> str:
        """Its choices or limits in words; nothing where any value of its type will do."""
        if self.choices:
            return ", ".join(self.choices)
        low = "" if self.low is None or self.low <= -UNBOUNDED else f"{self.low:,g}"
        high = "" if self.high is None or self.high >= UNBOUNDED else f"{self.high:,.0f}"
        if low == "1e-09":
            return f"above 0, at most {high}" if high else "above 0"
        return f"{low} to {high}" if low and high else f"{low} or more" if low else f"at most {high}" if high else ""


def option(default: Any, help: str, low: Any = None, high: Any = None, *, train: Any = SAME, **more: Any) -> Any:
    """The dataclass field of an option; see `Option` for the arguments. Without `train`, its default is the constructor's."""
    about = Option("", None, default, default if train is SAME else train, help, low, high, **more)
    return dataclasses.field(default=default, metadata={"option": about})


@cache
def options_of(config: Any) -> tuple[Option, ...]:
    """The options of a config, in the order of its fields."""
    kinds = typing.get_type_hints(config)
    return tuple(
        dataclasses.replace(field.metadata["option"], name=field.name, type=kinds[field.name])
        for field in dataclasses.fields(config)
    )


def arguments_of(config: Any) -> dict[str, Option]:
    """The options that the constructor takes, by name."""
    return {option.name: option for option in options_of(config) if option.use == "agent"}
