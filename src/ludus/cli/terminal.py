"""Output to the terminal: control characters are escaped, and a closed pipe does not end the work."""

from __future__ import annotations

import os
import re
import shlex
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


imported: list[str] = []  # packages that this command was told to import
COLORS = re.compile(r"\x1b\[[\d;]*m")


class Steady:
    """A stream that outlives its reader: what cannot be written is dropped, and `lost` says why.

    From then on the system's own stream goes nowhere, so that nothing fails a second time, not even when Python ends.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        try:
            self.stream.write(text)
        except OSError as error:
            self._leave(error)
        return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError as error:
            self._leave(error)

    def _leave(self, error: OSError) -> None:
        self.lost = error
        with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), self.stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def steady_output() -> Iterator[None]:
    """Within, losing standard output or error stops nothing, and warnings are one line each.

    A reader who had enough (`| head`) is no error; a full disk is, once all is done: raises SystemExit. One that stops a
    thread of TensorBoard's is said by who next writes there.
    """
    before, hook = (sys.stdout, sys.stderr, warnings.showwarning), threading.excepthook
    for stream in before[:2]:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the encoding lacks is no reason to stop, either
    out, err = sys.stdout, sys.stderr = [Steady(stream or open(os.devnull, "w")) for stream in before[:2]]  # noqa: SIM115
    warnings.showwarning = lambda message, *_: complain(f"warning: {COLORS.sub('', str(message))}")
    threading.excepthook = lambda lost: None if isinstance(lost.exc_value, OSError) else hook(lost)
    try:
        yield
    finally:
        threading.excepthook = hook
        out.flush()
        lost = None if isinstance(out.lost, BrokenPipeError) else out.lost
        if lost is not None:
            complain(f"standard output cannot be written: {lost.strerror}")
        err.flush()
        sys.stdout, sys.stderr, warnings.showwarning = before
        if lost is not None:
            raise SystemExit(1)


def complain(message: str) -> None:
    """One line on standard error."""
    print(f"ludus: {shown(' '.join(message.split()))}", file=sys.stderr)


def shown(text: str) -> str:
    """`errors.printable`; the front door opens without what else is there."""
    from ..envs.errors import printable

    return printable(text)


def console(stderr: bool = False) -> Console:
    """A console on which brackets are brackets: styles are given beside texts, never within them."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, stderr=stderr)


def say(*parts: str | tuple[str, str]) -> None:
    """Print a line of texts and of (text, style) pairs; the terminal wraps it, so that it can be copied."""
    from rich.text import Text

    texts = [(shown(part), "") if isinstance(part, str) else (shown(part[0]), part[1]) for part in parts]
    console().print(Text.assemble(*texts), soft_wrap=True)


def next_command(verb: str, path: Path) -> str:
    """A command on an agent, to be pasted: with the packages of its games, if there are any."""
    return " ".join(["ludus", *(f"--import {name}" for name in imported), verb, quoted(path)])


def quoted(path: Path | str) -> str:
    """A path as a shell takes it, and no verb for a flag."""
    text = f"./{path}" if str(path).startswith("-") else str(path)
    if shown(text) == text:
        return shlex.quote(text)
    escapes = [chr(c) if 32 <= c < 127 and chr(c) not in "'\\" else f"\\x{c:02x}" for c in os.fsencode(text)]
    return f"$'{''.join(escapes)}'"
