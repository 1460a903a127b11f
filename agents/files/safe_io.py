"""Files of an agent: written whole or not at all, and read without trust."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO, Any

from torch import Tensor

from ...envs import LudusError
from ...envs.engine.files import OddFile, lock, open_file, read_file, unlock
from ...envs.engine.files import make_folder as make_folder
from ...envs.engine.files import write_whole as write_whole
from ...envs.engine.threads import once
from ...envs.errors import printable

PATIENCE = 300.0  # seconds; a replay buffer of gigabytes is written for minutes
MAX_JSON = 1_000_000  # bytes; a description is a few thousand
MAX_HEADER = 1_000_000  # bytes of a safetensors file that are not numbers
MAX_NUMBERS = 4_000_000_000  # bytes of one


class CheckpointError(LudusError, ValueError):
    """A folder does not hold a readable agent, or cannot be written."""


class NoAgent(CheckpointError, FileNotFoundError):
    """There is none, which programs that go on from what they find ask for as a missing file."""


def short(thing: Any) -> str:
    """A thing or an error in one line of at most 200 characters, none of which steers a terminal."""
    text = printable(" ".join(str(thing)[:1000].split())) or type(thing).__name__
    return text if len(text) <= 200 else text[:197] + "..."


def path_of(thing: Any) -> Path:
    """A file's or folder's name as a path; raises CheckpointError."""
    if not isinstance(thing, (str, os.PathLike)) or not os.fspath(thing):
        name = short(repr(thing))
        raise CheckpointError(f"an agent is kept in a folder, a file or an open file, got {name} for its name")
    return Path(thing)


# -- writing -----------------------------------------------------------------------------------------------------------


def sync_folder(folder: Path) -> None:
    """Push renames in a folder to disk, where the system knows how."""
    with _open_folder(folder) as handle:
        if handle is not None:
            os.fsync(handle)


@contextmanager
def turn_in(folder: Path) -> Iterator[None]:
    """Wait until no other thread or process writes an agent in a folder; raises CheckpointError if that takes too long.

    Processes know by a lock on the folder itself, which leaves no file behind. Where a file system has none, only threads
    wait for each other.
    """
    deadline, busy = time.monotonic() + PATIENCE, f"cannot save the agent in {folder}: another save is under way there"
    turn = _turn_of(os.path.realpath(folder), os.getpid())
    if not turn.acquire(timeout=PATIENCE):
        raise CheckpointError(busy)
    try:
        with _open_folder(folder) as handle:
            while not (handle is None or lock(handle)):
                if time.monotonic() > deadline:
                    raise CheckpointError(busy)
                time.sleep(0.01)
            try:
                yield
            finally:
                if handle is not None:
                    unlock(handle)
    finally:
        turn.release()


@once
def _turn_of(folder: str, process: int) -> Any:
    """Of the threads of a process; after a fork, the holder of the parent's would never give it back."""
    return Lock()


@contextmanager
def _open_folder(folder: Path) -> Iterator[int | None]:
    """A handle of the folder; None where the system has none."""
    if not hasattr(os, "O_DIRECTORY"):
        yield None
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


def to_json(facts: Any) -> bytes:
    """As people like to read it, in UTF-8; half a character, as names of files may have, is escaped."""
    return json.dumps(facts, indent=2, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Folder:
    """Where an agent's files lie: a folder, read as `Archive` of `archive` reads a zip file."""

    path: Path

    @property
    def label(self) -> str:
        """As messages name it."""
        return str(self.path)

    def read(self, name: str, limit: int) -> bytes:
        """A file's content; raises CheckpointError as `read_bytes`."""
        return read_bytes(self.path / name, limit)

    def size(self, name: str) -> int:
        """In bytes; 0 where there is none."""
        with suppress(OSError):
            return (self.path / name).stat().st_size
        return 0

    def name_of(self, name: str) -> str:
        """The file, as messages name it."""
        return str(self.path / name)


def read_bytes(path: Path, limit: int) -> bytes:
    """An ordinary file's content; raises CheckpointError for links, pipes, and files of more than `limit` bytes."""
    with _explained(path):
        return read_file(path, limit)


@contextmanager
def open_ordinary(path: Path) -> Iterator[IO[bytes]]:
    """The file itself, open."""
    with _explained(path), open_file(path) as file:
        yield file


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OddFile as error:
        raise CheckpointError(str(error)) from error
    except (OSError, MemoryError) as error:
        raise CheckpointError(f"{path} cannot be read: {short(getattr(error, 'strerror', None) or error)}") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, strictly: no name twice, no NaN; raises CheckpointError."""
    return parse_json(read_bytes(path, MAX_JSON), str(path))


def parse_json(content: bytes, path: str) -> dict[str, Any]:
    """A JSON object from a file's content, strictly: no name twice, no NaN; raises CheckpointError that names `path`."""
    try:
        facts = json.loads(content, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {short(error)}") from error
    if not isinstance(facts, dict):
        raise CheckpointError(f"{path} is not a JSON object, but {short(type(facts).__name__)}")
    return facts


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    facts = dict(pairs)
    if len(facts) < len(pairs):
        raise ValueError("a name is there twice")
    return facts


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def read_tensors(place: Any, name: str, digest: str, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a safetensors file of this SHA-256; raises CheckpointError unless they are like those expected.

    Args:
        place: where the file is, a `Folder` or an `archive.Archive`.
        expected: tensors of the names, shapes and dtypes that should be there; they may be on the meta device.
    """
    path, size = place.name_of(name), sum(tensor.nbytes for tensor in expected.values())
    content = place.read(name, min(size + MAX_HEADER, MAX_NUMBERS))
    if hashlib.sha256(content).hexdigest() != digest:
        raise CheckpointError(f"{path} is damaged or of another agent: its SHA-256 is not the one in its description")
    tensors = parse_tensors(content, path)
    check_tensors(path, tensors, expected)
    return tensors


def parse_tensors(content: bytes, path: str) -> dict[str, Tensor]:
    """What a safetensors file holds; raises CheckpointError."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path} is not a safetensors file: {short(error)}") from error


def make_writable(folder: Path) -> None:
    """Make a folder, and see whether files can be made in it; raises OSError."""
    make_folder(folder)
    trial = folder / ".writable"
    trial.touch()
    trial.unlink()


def check_tensors(path: str, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError unless the tensors are finite, and of the names, shapes and dtypes expected."""
    odd = sorted(set(tensors) ^ set(expected))
    if odd:
        raise CheckpointError(f"{path} is of another network or game: {short(odd[0])} is only in one of them")
    for name, tensor in tensors.items():
        here = expected[name]
        if tensor.shape != here.shape or tensor.dtype != here.dtype:
            raise CheckpointError(
                f"{path} is of another network or game: {name} is {short(tuple(tensor.shape))} of {tensor.dtype}, "
                f"expected {tuple(here.shape)} of {here.dtype}"
            )
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise CheckpointError(f"{path} is broken: {name} has numbers that are not finite")
