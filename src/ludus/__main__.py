"""The command line: `ludus VERB ...`. Each verb is a module of `ludus.cli`, imported only when it is asked for."""

from __future__ import annotations

import difflib
import importlib
import sys

VERBS = {
    "train": "train PPO on a game, or on any Gymnasium environment",
    "evaluate": "play an agent's whole episodes and report its returns",
    "watch": "watch an agent play in a window",
    "play": "play a game yourself",
    "record": "write an agent's play to a GIF or MP4",
    "games": "list the games",
}
USAGE = """Ludus: reinforcement learning on games.

usage: ludus VERB [...]

{verbs}

`ludus VERB --help` explains each setting. To begin: ludus train Breakout"""


def main(argv: list[str] | None = None) -> int:
    """Run one verb; returns the exit status: 0, 1 if a test of the user's fails, 2 for bad input."""
    arguments = sys.argv[1:] if argv is None else argv
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

    module = importlib.import_module(f"ludus.cli.{verb}")
    try:
        return module.main(arguments[1:])
    except LudusError as error:
        return complain(str(error))
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130


def complain(message: str) -> int:
    """One line on standard error; exit status 2."""
    print(f"ludus: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
