"""The command line: `ludus VERB ...`. Each verb is a module of `ludus.cli`, imported only when it is asked for.

`ludus --import PACKAGE VERB ...` imports a package from the current folder first, for the games that it registers.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback

VERBS = {
    "train": "train PPO, DQN or PQN on a game, or on any Gymnasium environment",
    "evaluate": "play an agent's whole episodes and report its returns",
    "watch": "watch an agent play in a window",
    "play": "play a game yourself",
    "record": "write an agent's play to a GIF or MP4",
    "export": "write an agent for Stable-Baselines3, or one of its agents for Ludus",
    "games": "list the games",
}
USAGE = """Ludus: reinforcement learning on games.

usage: ludus [--import PACKAGE] VERB [...]

{verbs}

--import PACKAGE takes games of your own from a package in the current folder; any VERB then knows them.
`ludus VERB --help` explains each setting. To begin: ludus train Breakout"""


def main(argv: list[str] | None = None) -> int:
    """Run one verb; returns the exit status: 0, 1 if a test of the user's fails, 2 for bad input."""
    arguments = sys.argv[1:] if argv is None else argv
    packages, arguments = split_imports(arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE.format(verbs="\n".join(f"  {verb:<10}{text}" for verb, text in VERBS.items())))
        return 0
    if arguments[0] in ("-V", "--version"):
        from . import __version__

        print(f"ludus {__version__}")
        return 0
    verb = arguments[0]
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"verbs are {', '.join(VERBS)}"
        return complain(f"unknown verb {verb!r}: {hint}")
    from .envs import LudusError

    try:
        for package in packages:
            import_package(package)
        module = importlib.import_module(f"ludus.cli.{verb}")
        return module.main(arguments[1:])
    except LudusError as error:
        return complain(str(error))
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130


def split_imports(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The packages that leading `--import PACKAGE` or `--import=PACKAGE` name, and the other arguments."""
    packages: list[str] = []
    while arguments and arguments[0].split("=")[0] == "--import":
        _, equals, name = arguments[0].partition("=")
        packages.append(name if equals else "".join(arguments[1:2]))
        arguments = arguments[1 if equals else 2 :]
    return packages, arguments


def import_package(name: str) -> None:
    """Import a package, from the current folder if it is there; whatever goes wrong is one line.

    Only what the user types is ever imported, never what a file names.
    """
    from .envs import LudusError, OptionError

    if not all(part.isidentifier() for part in name.split(".")):
        raise OptionError(f"--import takes a package's name, such as mygames, got {name!r}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        importlib.import_module(name)
    except LudusError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise OptionError(f"--import: there is no package {name}, neither in this folder nor installed") from error
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = "" if isinstance(error, SyntaxError) else f" ({os.path.basename(last.filename)}, line {last.lineno})"
        raise OptionError(f"--import {name}: {type(error).__name__}: {error}{place}") from error


def complain(message: str) -> int:
    """One line on standard error; exit status 2."""
    print(f"ludus: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
