"""Command lines from dataclasses: a field is a flag, the text below it its help, and a nested dataclass more of them.
A field may also have its help, and the choices of its values, as `metadata`.

The first field, if it has no default, is the argument without a flag; others without a default must be given.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import difflib
import inspect
import math
import re
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..envs import OptionError

HELP, HELP_ALL = ("-h", "--help"), "--help-all"
LOWEST = {  # of numbers that no agent checks by itself
    "total_timesteps": 1, "time_limit": 0, "save_interval": 0, "keep": 1, "num_threads": 1, "seed": 0,
    "episodes": 1, "best_of": 1, "max_steps": 1, "fps": 1, "seat": 1,
}  # fmt: skip
ABOVE_0 = {"time_limit"}
HIGHEST = {"seed": 2**32 - 1}  # as NumPy and Stable-Baselines3 have it
BEYOND = 2**62  # of all others
CHOICES = {  # to be shown and completed; whether a value is one of them is checked where it is used
    "device": ("auto", "cpu", "cuda"), "format": ("sb3", "ludus"),
    "obs_type": ("planes", "features", "rgb", "grayscale"),
}  # fmt: skip
SYNONYMS = (  # words of other programs
    ("--lr", "--learning-rate"), ("--steps", "--total-timesteps"), ("--steps", "--max-steps"), ("--output", "--out"),
    ("--entropy", "--ent-coef"), ("--epsilon", "--exploration-final-eps"), ("--games", "--num-envs"),
    ("--greedy", "--deterministic"), ("--stochastic", "--sampled"), ("--opponent", "--against"),
    ("--heuristic", "--against heuristic"), ("--random", "--against random"),
)  # fmt: skip


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


def parse(
    kind: Any,
    argv: Sequence[str],
    verb: str,
    common: Sequence[str] = (),
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> Any:
    """A dataclass from the words after a verb; raises OptionError with one line, or SystemExit after help.

    Args:
        kind: the dataclass, or one of it that holds the defaults.
        common: the flags that `--help` shows; none: those that are not of a nested dataclass.
        elsewhere: flags that are not of this dataclass, and what there is to say of them.
    """
    default = blank(kind) if isinstance(kind, type) else kind
    flags = list(flags_of(default))
    if {*HELP, HELP_ALL} & {*argv}:
        from .help import show_help

        show_help(verb, default, flags, flags if HELP_ALL in argv else [f for f in flags if is_common(f, common)])
        raise SystemExit(0)
    given, strange = read(flags, argv)
    if strange:
        raise OptionError(f"{unexpected(strange[0], flags, elsewhere)}; see `ludus {verb} --help`")
    for flag in flags:
        if flag.required and given.get(flag.name, flag.default) is None:
            raise OptionError(f"ludus {verb} needs {flag.flag}: {first_sentence(flag.help)}; see `ludus {verb} --help`")
    return check(fill(default, settled(given)))


def is_common(flag: Flag, common: Sequence[str]) -> bool:
    """Whether `--help` shows it, which `--help-all` does of all."""
    return flag.positional or (flag.name in common if common else flag.group is None)


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
        yield Flag(
            field.name, typing.get_args(core)[0] if many else core, many, types.NoneType in choices, default,
            texts.get(field.name, ""), required, required and index == 0 and group is None, group,
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


class Parser(argparse.ArgumentParser):
    """One that raises OptionError."""

    def error(self, message: str) -> typing.NoReturn:
        raise OptionError(re.sub(r"^argument (--[\w-]+)[^:]*: ", r"\1 ", message))


def read(flags: Sequence[Flag], argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """What the words say, by name, and the words that no flag takes."""
    parser = Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for flag in flags:
        if flag.positional:
            parser.add_argument(flag.name, nargs="?", type=converter(flag), default=None)
        elif flag.kind is bool:
            parser.add_argument(*spellings(flag), dest=flag.name, action=argparse.BooleanOptionalAction)
        else:
            nargs = "+" if flag.many else None
            parser.add_argument(*spellings(flag), dest=flag.name, nargs=nargs, type=converter(flag))
    given, strange = parser.parse_known_args(list(argv))
    facts = vars(given)
    for name in (flag.name for flag in flags if flag.positional and facts[flag.name] is None):
        del facts[name]
    for name in (flag.name for flag in flags if flag.many and flag.name in facts):
        facts[name] = None if facts[name] == [None] else tuple(facts[name])
    return facts, strange


def spellings(flag: Flag) -> list[str]:
    """As help has it and, for those who are used to Python's, with underscores."""
    return list(dict.fromkeys((flag.flag, f"--{flag.name}")))


def converter(flag: Flag) -> Any:
    """A function from a word to a value, whose errors `argparse` puts after the flag."""

    def convert(word: str) -> Any:
        if flag.optional and word.lower() == "none":
            return None
        if not word and issubclass(flag.kind, Path):
            raise argparse.ArgumentTypeError("must not be empty")
        try:
            value = flag.kind(word)
        except ValueError:
            what = {int: "a whole number", float: "a number"}[flag.kind]
            raise argparse.ArgumentTypeError(f"must be {what}, got {word!r}") from None
        if flag.kind is float and not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"must be a finite number, got {word!r}")
        return value

    return convert


def unexpected(word: str, flags: Sequence[Flag], elsewhere: Mapping[str, str]) -> str:
    """What there is to say of a word that no flag takes."""
    if not word.startswith("-"):
        return f"unexpected {word!r}"
    name = word.split("=")[0].replace("_", "-")
    if name in elsewhere:
        return f"{name} {elsewhere[name]}"
    own = [flag.flag for flag in flags if not flag.positional]
    meant = nearest(name, own) or nearest(name, list(elsewhere))
    if meant is not None and meant in elsewhere:
        return f"unknown flag {name}: did you mean {meant}, which {elsewhere[meant]}?"
    return f"unknown flag {name}" + (f": did you mean {meant}?" if meant else "")


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The flag that somebody meant, by another word for it, its beginning, or one that looks alike."""
    meant = {word: flag for word, flag in SYNONYMS if flag.split()[0] in known} | {flag: flag for flag in known}
    begun = [word for word in meant if word.startswith(name) and len(name) > 4]
    near = [name] if name in meant else begun or difflib.get_close_matches(name, meant, 1, 0.7)
    return meant[near[0]] if near else None


def settled(given: dict[str, Any]) -> dict[str, Any]:
    """The same, of `deterministic` and its opposite `sampled` both or none; raises OptionError if they are at odds."""
    if {"deterministic", "sampled"} & {*given}:
        greedy = given.setdefault("deterministic", not given.get("sampled"))
        if given.setdefault("sampled", not greedy) == greedy:
            raise OptionError("--deterministic and --sampled exclude each other: give one of them")
    return given


def fill(default: Any, given: dict[str, Any]) -> Any:
    """The dataclass with what was given, in nested ones, too."""
    changes = {}
    for field in dataclasses.fields(default):
        value = getattr(default, field.name)
        changes[field.name] = fill(value, given) if dataclasses.is_dataclass(value) else given.get(field.name, value)
    return dataclasses.replace(default, **changes)


def check(config: Any) -> Any:
    """The same dataclass; raises OptionError for a number that is too low or too high."""
    for flag in flags_of(config):
        value, lowest = flag.default, LOWEST.get(flag.name)
        if lowest is None or value is None:
            continue
        if flag.name in ABOVE_0 and value <= 0:
            raise OptionError(f"{flag.flag} must be above 0, got {value}")
        if not lowest <= value <= HIGHEST.get(flag.name, BEYOND):
            span = f"from {lowest} to {HIGHEST[flag.name]}" if flag.name in HIGHEST else f"{lowest} or more"
            span = span if value < lowest or flag.name in HIGHEST else "at most 2**62"
            raise OptionError(f"{flag.flag} must be {span}, got {value}")
    return config


def first_sentence(text: str) -> str:
    """The help up to where details begin, as it stands within a sentence."""
    text = text.split(". ")[0].rstrip(".")
    return text[:1].lower() + text[1:]
