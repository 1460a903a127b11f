"""Flags from dataclasses: a field is a flag, the text below it its help, and a nested dataclass more of them.

A field may also have its help, and the choices of its values, as `metadata`.

The first field, if it has no default, is an argument without a flag, as is one that says `positional` in its metadata; others
without a default must be given.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator
from dataclasses import MISSING, dataclass
from functools import cache
from typing import Any

CHOICES = {  # to be shown and completed; whether a value is one of them is checked where it is used
    "device": ("auto", "cpu", "cuda"), "format": ("sb3", "ludus", "web"),
    "obs_type": ("planes", "features", "rgb", "grayscale"),
}  # fmt: skip


@dataclass(frozen=True)
class Flag:
    """A field as the command line knows it.

    Attributes:
        kind: of one value: int, float, bool, str or Path.
        many: whether it takes several.
        optional: whether it may be None.
        group: the dataclass that it is of, if that is nested.
        choices: its values, if there are few.
    """

    name: str
    kind: type
    many: bool
    optional: bool
    default: Any
    help: str
    required: bool
    positional: bool
    group: Any
    choices: tuple[str, ...]

    @property
    def flag(self) -> str:
        return self.name.upper() if self.positional else f"--{self.name.replace('_', '-')}"


def blank(kind: Any) -> Any:
    """A dataclass with its defaults, None where there are none."""
    return kind(**{field.name: None for field in dataclasses.fields(kind) if is_required(field)})


def is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def flags_of(config: Any, group: Any = None) -> Iterator[Flag]:
    """The flags of a dataclass, those of nested ones last."""
    kind = type(config)
    hints, texts, nested = typing.get_type_hints(kind), explanations(kind), []
    for index, field in enumerate(dataclasses.fields(config)):
        default = getattr(config, field.name)
        if dataclasses.is_dataclass(default):
            nested.append(default)
            continue
        hint = hints[field.name]
        choices = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        core = next(choice for choice in choices if choice is not types.NoneType)
        many = typing.get_origin(core) is not None
        required = is_required(field)
        positional = field.metadata.get("positional", required and index == 0) and group is None
        yield Flag(
            field.name, typing.get_args(core)[0] if many else core, many, types.NoneType in choices, default,
            texts.get(field.name, ""), required, positional, group,
            field.metadata.get("choices", CHOICES.get(field.name, ())),
        )  # fmt: skip
    for inner in nested:
        yield from flags_of(inner, inner)


@cache
def explanations(kind: type) -> dict[str, str]:
    """The texts below the fields of a dataclass and of those that it is derived from."""
    found = {field.name: field.metadata["help"] for field in dataclasses.fields(kind) if "help" in field.metadata}
    for base in reversed([base for base in kind.__mro__ if dataclasses.is_dataclass(base)]):
        try:
            (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        except OSError:  # of a class that `make_dataclass` made
            continue
        assert isinstance(tree, ast.ClassDef)
        for field, text in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                match text:
                    case ast.Expr(value=ast.Constant(value=str(words))):
                        found[field.target.id] = " ".join(words.split())
    return found
