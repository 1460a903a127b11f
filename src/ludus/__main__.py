"""The command line: `ludus VERB ...`. Each verb is a module of `ludus.cli`, imported only when it is asked for.

`ludus VERB ... --import PACKAGE` imports a package from the current folder first, for the games that it registers.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from .cli.verbs import VERBS, split_imports

OUT_OF_MEMORY = re.compile("allocate memory|out of memory|start new thread")  # in PyTorch's and Python's own words
USAGE = """Ludus: reinforcement learning on games.

usage: ludus VERB [...] [--import PACKAGE]

{verbs}

`ludus VERB --help` explains a verb, `ludus VERB --help-all` each of its flags.
--import PACKAGE takes games of your own from a package in the current folder.
To begin: ludus train Breakout"""


def main(argv: list[str] | None = None) -> int:
    """Run one verb; returns the exit status: 0, 2 for bad input, 130 after Ctrl-C. Raises SystemExit after help.

    Args:
        argv: the words after `ludus`; None: the process's own, which ends with this.
    """
    from .cli.interrupts import INTERRUPTED, no_interrupt_lost
    from .cli.terminal import complain, steady_output

    with steady_output(), no_interrupt_lost(last=argv is None):
        try:
            return run(sys.argv[1:] if argv is None else argv)
        except KeyboardInterrupt:
            return INTERRUPTED
        except Exception as error:
            problem = explained(error)
            if problem is None:
                raise
            complain(in_flags(problem, sys.argv[1:] if argv is None else argv))
            return 2


def run(arguments: list[str]) -> int:
    """What `main` does, but for errors."""
    packages, arguments = split_imports(arguments)
    if arguments[:1] == ["help"]:
        arguments = arguments[1:] if "--help-all" in arguments else [*arguments[1:2], "--help"]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE.format(verbs="\n".join(f"  {verb:<12}{text}" for verb, text in VERBS.items())))
        return 0
    if arguments[0] in ("-V", "--version"):
        from . import __version__

        print(f"ludus {__version__}")
        return 0
    verb = arguments[0]
    if verb not in VERBS:
        from .envs import OptionError

        near = difflib.get_close_matches(verb, VERBS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"verbs are {', '.join(VERBS)}"
        raise OptionError(f"unknown verb {verb!r}: {hint}")
    from .cli.terminal import imported

    imported[:] = packages
    for package in packages:
        import_package(package)
    work = importlib.import_module(f"ludus.cli.{verb}").main
    return with_games_of(packages, work, arguments[1:]) if packages else work(arguments[1:])


def with_games_of(packages: list[str], work: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Do a verb's work; where its game is not known, say so if the packages that should have brought it have none."""
    from .envs import UnknownGame
    from .envs.registry import registered

    try:
        return work(arguments)
    except UnknownGame as error:
        if registered():
            raise
        names = ", ".join(packages)
        raise UnknownGame(f"{names} registered no game: let it end with ludus.register(GAME); {error}") from error


def explained(error: Exception) -> str | None:
    """One line of an error that is not the program's fault; None if it is."""
    from .envs.errors import LudusError

    if isinstance(error, LudusError):
        return str(error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(str(error))):
        return f"not enough memory ({str(error) or 'for anything more'}): fewer games (--num-envs) or smaller ones need less"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, (OSError, ImportError)):  # a library that is not there or does not fit into memory
        return f"cannot load what is needed: {error}"
    return None


def in_flags(problem: str, arguments: list[str]) -> str:
    """A line that begins with an argument's name, with the flag in its place that gave it."""
    name, space, rest = problem.partition(" ")
    flag = f"--{name.replace('_', '-')}"
    given = {word.partition("=")[0].replace("_", "-") for word in arguments if word.startswith("--")}
    return f"{flag}{space}{rest}" if flag in given else problem


def import_package(name: str) -> None:
    """Import a package, from the current folder if it is there; whatever goes wrong is one line.

    Only what the user types is ever imported, never what a file names.
    """
    from .envs import LudusError, OptionError

    if name.endswith(".py"):
        raise OptionError(f"--import takes a name without .py, from the current folder: --import {Path(name).stem}")
    if not all(part.isidentifier() for part in name.split(".")):
        raise OptionError(f"--import takes a package's name, such as mygames, got {name!r}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        importlib.import_module(name)
    except (LudusError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise OptionError(f"--import: there is no package {name}, neither in this folder nor installed") from error
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = "" if isinstance(error, SyntaxError) else f" ({os.path.basename(last.filename)}, line {last.lineno})"
        raise OptionError(f"--import {name}: {type(error).__name__}: {words_of(error)}{place}") from error


def words_of(error: BaseException) -> str:
    """What an error of any package says, if it can."""
    try:
        return str(error)
    except Exception:
        return "an error without words"


if __name__ == "__main__":
    sys.exit(main())
