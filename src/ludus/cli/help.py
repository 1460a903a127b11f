"""`ludus VERB --help`: a table of flags that fits the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .flags import Flag
from .terminal import console, say

if TYPE_CHECKING:
    from rich.table import Table

WIDEST = 100  # columns; longer lines are hard to read
WIDEST_CHOICES = 32
VALUES = {int: "N", float: "X", str: "NAME", Path: "PATH"}


def show_help(verb: str, config: Any, flags: Sequence[Flag], shown: Sequence[Flag]) -> None:
    """Print what a verb does and, of its flags, those to be shown: first the argument without a flag."""
    some = len(shown) < len(flags)
    required = "".join(f" {usage(flag)}" for flag in shown if flag.required or flag.positional)
    say("usage: ", (f"ludus {verb}", "bold"), required, " [flags]" if len(flags) > 0 else "")
    say()
    out = console()
    out.width = min(out.width, WIDEST)
    paragraphs = (type(config).__doc__ or "").split("\n\n")
    out.print("\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs))
    named = [flag for flag in shown if not flag.positional]
    groups = [[flag for flag in shown if flag.positional], *by_group(named, merged=some)]
    for group in filter(None, groups):
        out.print()
        if not some and group[0].group is not None:
            out.print(summary_of(group[0].group), style="italic")
        out.print(table_of(group))
    if some:
        say()
        say(f"All {len(flags)} flags: ", (f"ludus {verb} --help-all", "bold"))


def by_group(flags: Sequence[Flag], merged: bool) -> list[list[Flag]]:
    """Flags with their likes, or all together."""
    if merged:
        return [list(flags)]
    groups: dict[int, list[Flag]] = {}
    for flag in flags:
        groups.setdefault(id(flag.group), []).append(flag)
    return list(groups.values())


def summary_of(group: Any) -> str:
    """What a nested dataclass says of itself."""
    return " ".join((type(group).__doc__ or "").split())


def table_of(flags: Sequence[Flag]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for flag in flags:
        table.add_row(Text(f"  {usage(flag)}", "bold"), Text.assemble(flag.help, (default_of(flag), "dim")))
    return table


def usage(flag: Flag) -> str:
    """A flag with what comes after it."""
    if flag.positional:
        name = f"{flag.flag} ..." if flag.many else flag.flag
        return name if flag.required else f"[{name}]"
    if flag.kind is bool:
        return flag.flag.replace("--", "--[no-]", 1) if flag.default else flag.flag
    choices = "|".join(flag.choices)
    value = choices if 0 < len(choices) <= WIDEST_CHOICES else VALUES[flag.kind]
    return f"{flag.flag} {value}{' ...' if flag.many else ''}"


def default_of(flag: Flag) -> str:
    """What holds if the flag is not given, where its help does not say so."""
    if flag.required or flag.default is None or flag.default is False or flag.default == ():
        return ""
    values = flag.default if flag.many else [flag.default]
    return f" ({' '.join(in_words(value) for value in values)})"


def in_words(value: Any) -> str:
    """As people write it: on for True, 5_000_000 for five million."""
    return "on" if value is True else f"{value:_}" if isinstance(value, (int, float)) else str(value)
