"""An agent in one zip file, or in an open file: what a folder would hold, side by side and not compressed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .safe_io import CheckpointError, Folder, make_folder, open_ordinary, path_of, write_whole
from .untrusted_zip import explained, open_archive, read_member

NEWEST = "agent.json"


class Archive:
    """The members of a zip file, read as `safe_io.Folder` reads the files of a folder; raises CheckpointError."""

    def __init__(self, file: IO[bytes], label: str) -> None:
        self.file, self.label = file, label
        with self._explained():
            self.zip = open_archive(file)
        self.names = set(self.zip.namelist())

    def read(self, name: str, limit: int) -> bytes:
        """A member's content, of at most `limit` bytes."""
        if name not in self.names:
            raise CheckpointError(f"{self.label} has no {name}")
        with self._explained():
            return read_member(self.zip, name, limit)

    def size(self, name: str) -> int:
        """In bytes; 0 where there is none."""
        return self.zip.getinfo(name).file_size if name in self.names else 0

    def name_of(self, name: str) -> str:
        """The member, as messages name it."""
        return f"{self.label}: {name}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with explained("it is not a whole zip file"):
                yield
        except CheckpointError as error:
            raise CheckpointError(f"{self.label}: {error}") from error


def write_archive(target: Any, members: Mapping[str, bytes]) -> None:
    """Write a zip to a path, whole or not at all, or into an open file; raises OSError."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    if is_open_file(target):
        target.write(content.getvalue())
        return
    path = Path(target)
    make_folder(path.parent)
    write_whole(path, content.getvalue())


def is_open_file(thing: Any) -> bool:
    """Whether it is a file object rather than a path."""
    return hasattr(thing, "read") or hasattr(thing, "write")


@contextmanager
def opened(path: Any) -> Iterator[tuple[Folder | Archive, str]]:
    """Where an agent's files are, and its description's name there.

    As in Stable-Baselines3, `m` finds `m.zip`; and `m.zip` finds the folder `m`.

    Args:
        path: a folder, one of the descriptions in it, a zip file, or an open file, which stays open.
    """
    if is_open_file(path):
        yield Archive(path, "the open file"), NEWEST
        return
    place = find(path_of(path))
    if place.suffix == ".json" and not place.is_dir():
        yield Folder(place.parent), place.name
    elif place.is_file():
        with open_ordinary(place) as file:
            yield Archive(file, str(place)), NEWEST
    else:
        yield Folder(place), NEWEST


def is_archive(path: Any) -> bool:
    """Whether it is a zip file with an agent of Ludus in it."""
    try:
        with opened(path) as (place, name):
            return isinstance(place, Archive) and name in place.names
    except CheckpointError:
        return False


def find(path: Path) -> Path:
    """The path, or the zip file or the folder that is meant by it."""
    if path.exists() or path.is_symlink():
        return path
    archive, folder = path.with_name(f"{path.name}.zip"), path.with_suffix("")
    if archive.is_file():
        return archive
    return folder if path.suffix == ".zip" and folder.is_dir() else path
