"""A file that a verb writes: looked at before the work, and whole afterwards or as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..envs import LudusError, OptionError
from .terminal import say

PIXELS = 200  # an inch


class NotWritten(LudusError, RuntimeError):
    """A file could not be written."""


def check_out(flag: str, out: Path, suffixes: tuple[str, ...], force: bool) -> None:
    """Raise OptionError unless the file can be written: a known format, a folder, nothing in the way but with `force`."""
    if out.suffix.lower() not in suffixes:
        raise OptionError(f"{flag} must end in {' or '.join(suffixes)}, got {str(out)!r}")
    try:
        beside(out).touch()
        beside(out).unlink()
    except OSError as error:
        raise OptionError(f"{flag}: the folder {out.parent} cannot be written: {error.strerror}") from error
    if out.is_dir() or (out.exists() and not force):
        raise OptionError(f"{flag} {out} exists: give another name" + ("" if out.is_dir() else ", or --force"))


def check_figure(out: Path, force: bool) -> None:
    """The same of a figure, which Matplotlib draws."""
    from ..agents.runtime.extras import need

    check_out("--out", out, (".png", ".svg"), force)
    need("matplotlib.figure", "a figure", "plot")


def write_out(out: Path, write: Callable[[Path], object]) -> None:
    """Write under a temporary name beside `out`, then rename; raises NotWritten."""
    temporary = beside(out)
    try:
        write(temporary)
        os.replace(temporary, out)
    except OSError as error:
        raise NotWritten(f"cannot write {out}: {error.strerror or str(error).splitlines()[0]}") from error
    finally:
        temporary.unlink(missing_ok=True)


def beside(out: Path) -> Path:
    """A temporary name in the same folder."""
    return out.with_name(f".{out.stem}-{os.getpid()}{out.suffix}")


def save_figure(out: Path, figure: Any) -> None:
    """Write a figure of Matplotlib's, fine enough for print, and say so; raises NotWritten."""
    write_out(out, lambda path: figure.savefig(path, dpi=PIXELS))
    say(f"saved in {out}")
