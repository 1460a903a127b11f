"""Folders with a description in JSON and files of numbers that it names: written whole or not at all, and known by digests.

Numbers are written under new names before the description that has their SHA-256, and what that does not name goes last: so a
folder holds whole things whenever the power goes. The description has a digest of itself, too. It is made, and checked as its
reader will check it, before anything is written: what could not be read again leaves a folder as it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .safe_io import (
    MAX_NUMBERS,
    CheckpointError,
    Folder,
    make_folder,
    parse_json,
    short,
    sync_folder,
    to_json,
    turn_in,
    write_whole,
)

MAX_DESCRIPTION = 20_000_000  # bytes; vocabularies and names of classes are a few million at most


def digest_of(facts: Mapping[str, Any]) -> str:
    """The SHA-256 of a description, which is part of it: of all else that it says, however it is laid out."""
    rest = {name: value for name, value in facts.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def check_digest(facts: Mapping[str, Any], path: Any) -> None:
    """Raise CheckpointError, which names `path`, for a description that says something else than when it was written."""
    if digest_of(facts) != facts.get("sha256"):
        raise CheckpointError(f"{path} is damaged or was edited: its SHA-256 is not that of what it says")


def read_description(place: Folder, name: str, form: int | None = None) -> dict[str, Any]:
    """What a description says, of this format if it has one; raises CheckpointError."""
    path = place.name_of(name)
    facts = parse_json(place.read(name, MAX_DESCRIPTION), path)
    if facts.get("format") != form:
        raise CheckpointError(f"{path} has format {short(facts.get('format'))}, this Ludus reads {form}")
    check_digest(facts, path)
    return facts


def description_of(name: str, facts: Mapping[str, Any], check: Callable[[dict[str, Any]], Any]) -> bytes:
    """A description as it is written; raises CheckpointError for what its reader would refuse.

    Args:
        name: of the file.
        facts: what it says.
        check: what its reader does with them, which raises whatever it likes.
    """
    facts = parse_json(to_json(facts), name)  # tuples become lists, as they will be read
    facts["sha256"] = digest_of(facts)
    content = to_json(facts)
    if len(content) > MAX_DESCRIPTION:
        size, most = (f"{n / 1e6:.3g} MB" for n in (len(content), MAX_DESCRIPTION))
        raise CheckpointError(f"{name} would have {size}, and {most} can be read again: give fewer or shorter names")
    try:
        check(facts)
    except Exception as error:
        raise CheckpointError(f"{name} could not be read again: {short(error)}") from error
    return content


@contextmanager
def writing(folder: Path, what: str) -> Iterator[None]:
    """The folder, made if need be, is this thread's alone; raises CheckpointError where `what` cannot be saved in it."""
    try:
        make_folder(folder)
        with turn_in(folder):
            yield
    except OSError as error:
        raise CheckpointError(f"cannot save {what} in {folder}: {error.strerror or error}") from error


def numbers_of(name: str, content: bytes) -> dict[str, str]:
    """What the description says of a safetensors file, NAME-<digest>.safetensors; raises CheckpointError if too large."""
    if len(content) > MAX_NUMBERS:
        size, most = (f"{n / 1e9:.3g} GB" for n in (len(content), MAX_NUMBERS))
        raise CheckpointError(f"the numbers of the {name} take {size}, and {most} can be read again: make it smaller")
    digest = hashlib.sha256(content).hexdigest()
    return {"file": f"{name}-{digest[:16]}.safetensors", "sha256": digest}


def write_description(folder: Path, name: str, content: bytes, files: re.Pattern[str], named: Collection[str]) -> None:
    """Write what `description_of` made, when its numbers are there, and remove others of `files` than those `named`."""
    sync_folder(folder)
    write_whole(folder / name, content)
    sync_folder(folder)
    for path in folder.iterdir():
        if files.fullmatch(path.name) and path.name not in named:
            with suppress(OSError):
                path.unlink()
