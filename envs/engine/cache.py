"""Compiled kernels on disk. They are machine code, so only what this user wrote there is run.

A cache that is missing, full or not to be trusted costs the time to compile again, and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

from .files import OddFile, foreign, read_file, write_whole
from .threads import once

MAX_KERNEL = 64_000_000  # bytes; the largest is a few hundred thousand


def cache_folder() -> Path:
    """Where compiled kernels are kept: `$LUDUS_CACHE_DIR`, else `ludus` in the user's cache folder.

    On Linux that is `$XDG_CACHE_HOME`, which counts if it is absolute, as its specification says, or `~/.cache`. Where a
    user has no home, as in containers, it is a folder of the user's own among the temporary ones.
    """
    if chosen := os.environ.get("LUDUS_CACHE_DIR"):
        return Path(chosen)
    given = os.environ.get({"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_CACHE_HOME"), "")
    if os.path.isabs(given):
        return Path(given) / "ludus"
    home = os.path.expanduser("~")  # itself, if there is none
    if os.path.isabs(home):
        return Path(home, *(("Library", "Caches") if sys.platform == "darwin" else (".cache",)), "ludus")
    return Path(tempfile.gettempdir()) / f"ludus-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"


def read_kernel(name: str, key: str) -> bytes | None:
    """The machine code kept for this key, if it is there and whole, and nobody else could have written it.

    Args:
        name: a beginning of the file's name, for people.
        key: all that the code depends on, as hexadecimal digits.
    """
    folder = cache_folder()
    if not _trusted(folder):
        return None
    try:
        content = read_file(_path(folder, name, key), MAX_KERNEL, own=True)
    except (OSError, OddFile):
        return None
    return content[32:] if content[:32] == _seal(key, content[32:]) else None


def write_kernel(name: str, key: str, code: bytes) -> None:
    """Keep machine code, if there is room for it in a folder of the user's own."""
    folder = cache_folder()
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _trusted(folder):
            write_whole(_path(folder, name, key), _seal(key, code) + code)


@once
def secret() -> bytes:
    """32 random bytes that this user's processes share, so that they know again what one of them made.

    Where no file can be kept from others, they are this process's own.
    """
    path = cache_folder() / "secret"
    if _trusted(path.parent):
        with suppress(OSError, OddFile):
            known = read_file(path, 32, own=True)
            if len(known) == 32 and not (hasattr(os, "geteuid") and path.stat().st_mode & 0o077):
                return known
    new = os.urandom(32)
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _trusted(path.parent):
            write_whole(path, new, mode=0o600)
    return new


def _path(folder: Path, name: str, key: str) -> Path:
    return folder / f"{name}-{key[:32]}.o"


def _seal(key: str, code: bytes) -> bytes:
    """What a file begins with: a hash of what it is the code of, and of the code."""
    return hashlib.sha256(key.encode() + code).digest()


def _trusted(folder: Path) -> bool:
    """Whether the folder is there and nobody else may put files into it; says so, once, if somebody may."""
    try:
        why = foreign(os.stat(folder))
    except OSError:
        return False
    if why:
        _tell(f"compiled kernels are not kept in {folder}: {why}. Every process compiles anew.")
    return not why


@once
def _tell(message: str) -> None:
    warnings.warn(message, stacklevel=2)
