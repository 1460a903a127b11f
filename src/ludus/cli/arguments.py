"""A dataclass from the words of a command line: what is parsed, and what is refused in one line."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import math
import re
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..envs import OptionError
from .flags import Flag, blank, flags_of
from .help import show_help

HELP, HELP_ALL = ("-h", "--help"), "--help-all"
LOWEST = {  # of numbers that no agent checks by itself
    "total_timesteps": 1, "time_limit": 0, "save_interval": 0, "keep": 1, "num_threads": 1, "seed": 0,
    "episodes": 1, "seeds": 1, "games": 2, "opening": 0, "best_of": 1, "max_steps": 1, "fps": 1, "seat": 1, "trials": 1,
    "jobs": 1,
}  # fmt: skip
ABOVE_0 = {"time_limit"}
HIGHEST = {"seed": 2**32 - 1}  # as NumPy and Stable-Baselines3 have it
BEYOND = 2**62  # of all others
SYNONYMS = (  # words of other programs
    ("--lr", "--learning-rate"), ("--steps", "--total-timesteps"), ("--steps", "--max-steps"), ("--output", "--out"),
    ("--entropy", "--ent-coef"), ("--epsilon", "--exploration-final-eps"), ("--games", "--num-envs"),
    ("--greedy", "--deterministic"), ("--stochastic", "--sampled"), ("--opponent", "--against"),
    ("--heuristic", "--against heuristic"), ("--random", "--against random"),
)  # fmt: skip


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


class Parser(argparse.ArgumentParser):
    """One that raises OptionError."""

    def error(self, message: str) -> typing.NoReturn:
        raise OptionError(re.sub(r"^argument (--[\w-]+)[^:]*: ", r"\1 ", message))


def read(flags: Sequence[Flag], argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """What the words say, by name, and the words that no flag takes."""
    parser = Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for flag in flags:
        if flag.positional:
            parser.add_argument(flag.name, nargs="*" if flag.many else "?", type=converter(flag), default=None)
        elif flag.kind is bool:
            parser.add_argument(*spellings(flag), dest=flag.name, action=argparse.BooleanOptionalAction)
        else:
            nargs = "+" if flag.many else None
            parser.add_argument(*spellings(flag), dest=flag.name, nargs=nargs, type=converter(flag))
    given, strange = parser.parse_known_intermixed_args(list(argv))
    facts = vars(given)
    for name in (flag.name for flag in flags if flag.positional and facts[flag.name] in (None, [])):
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
    """Complete flags by the opposite of `deterministic` or `sampled`; raises OptionError if they exclude each other."""
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
    """Return the dataclass of flags; raises OptionError for a number that is too low or too high."""
    for flag in flags_of(config):
        value, lowest = flag.default, LOWEST.get(flag.name)
        if lowest is None or value is None or flag.many:
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
