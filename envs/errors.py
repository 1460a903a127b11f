"""Exceptions. Every message is one line that says what was wrong and what would be right."""


def printable(text: str) -> str:
    """Text such that it does not steer a terminal: control characters and their like become escapes, such as \\x1b."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


class LudusError(Exception):
    """The base of all errors that Ludus raises on purpose; the command line prints them and exits with 2.

    Messages often quote what a file says, so they are `printable`.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class GameError(LudusError, ValueError):
    """A game's declaration or its rules break the contract."""


class RuleError(LudusError, RuntimeError):
    """A rule misbehaved while it ran: it wrote outside an array, divided by zero, or returned no number."""


class UnknownGame(LudusError, LookupError):
    """No game has that name."""


class OptionError(LudusError, ValueError):
    """An argument of `make_vec`, `make_sb3` or `Simulator` is out of range."""


class UnknownOption(OptionError, TypeError):
    """An argument of a name that is not known; to be caught as Python's own error of that kind, too."""


class ActionError(LudusError, ValueError):
    """Actions of the wrong shape, kind or range."""


class NotReset(LudusError, RuntimeError):
    """A step where a reset was due."""
