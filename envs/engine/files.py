"""Files that other users may have put there are read with checks; files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO


class OddFile(ValueError):
    """Something that is no file to be read: a link, a pipe, a device, or one that is far too long."""


def open_file(path: Path, flags: int = 0) -> IO[bytes]:
    """Open an ordinary file, or a link to one; raises OddFile for pipes and devices, which may never end, and OSError.

    Args:
        flags: more of `os.open`'s, such as `os.O_NOFOLLOW`.
    """
    flags |= getattr(os, "O_NONBLOCK", 0)  # a pipe is not waited for
    file = open(path, "rb", opener=lambda name, more: os.open(name, flags | more))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OddFile(f"{path} is not an ordinary file")
    return file


def read_file(path: Path, limit: int, own: bool = False) -> bytes:
    """An ordinary file's content.

    Args:
        limit: bytes, at most.
        own: refuse what others could have written, see `foreign`.

    Raises:
        OddFile: it is not such a file; nothing was read.
        OSError: it is not there, or cannot be read.
    """
    if path.is_symlink():
        raise OddFile(f"{path} is a link: give a folder that has the file itself")
    with open_file(path, getattr(os, "O_NOFOLLOW", 0)) as file:
        facts = os.fstat(file.fileno())
        if facts.st_size > limit:
            raise OddFile(f"{path} is {facts.st_size} bytes, far too long: expected at most {limit}")
        if own and (why := foreign(facts)):
            raise OddFile(f"{path}: {why}")
        return file.read(facts.st_size)


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it is in, where there is none; raises OSError, also where a file has its name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, "it is a file, not a folder", str(folder)) from error


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write under another name, push to disk, rename: `path` has its old content or all of the new.

    `mode` is that of a new file, less what the user's umask takes away. Raises OSError, and then leaves nothing behind.
    """
    temporary = path.with_name(f".{path.name}.{threading.get_native_id()}.tmp")  # no other thread's nor process's
    with suppress(FileNotFoundError):
        temporary.unlink()
    try:
        with open(
            temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)
        ) as file:  # x: not through a link
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def lock(handle: int) -> bool:
    """Lock an open file, or a folder where the system opens those, until it is closed; False if somebody else has it."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True


def unlock(handle: int) -> None:
    """Give a lock back before the file is closed, since child processes may have it open, too."""
    if os.name != "nt":
        import fcntl

        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)


def foreign(facts: os.stat_result) -> str:
    """Why others than this user and the system's could have written there, in a few words; empty if they could not."""
    if not hasattr(os, "geteuid"):  # Windows: folders of a user's profile are closed to others
        return ""
    if facts.st_uid not in (os.geteuid(), 0):
        return f"it belongs to another user ({facts.st_uid})"
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write there (chmod go-w)"
    return ""
