"""Folders with a description in JSON and files of numbers that it names: written whole or not at all, and known by digests.

Numbers are written under new names before the description that has their SHA-256, and what that does not name goes last: so a
folder holds whole things whenever the power goes. The description has a digest of itself, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .safe_io import CheckpointError, parse_json, sync_folder, to_json, turn_in, write_whole


def digest_of(facts: Mapping[str, Any]) -> str:
    """The SHA-256 of a description, which is part of it: of all else that it says, however it is laid out."""
    rest = {name: value for name, value in facts.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def check_digest(facts: Mapping[str, Any], path: Any) -> None:
    """Raise CheckpointError, which names `path`, for a description that says something else than when it was written."""
    if digest_of(facts) != facts.get("sha256"):
        raise CheckpointError(f"{path} is damaged or was edited: its SHA-256 is not that of what it says")


@contextmanager
def writing(folder: Path, what: str) -> Iterator[None]:
    """The folder, made if need be, is this thread's alone; raises CheckpointError where `what` cannot be saved in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with turn_in(folder):
            yield
    except OSError as error:
        raise CheckpointError(f"cannot save {what} in {folder}: {error.strerror or error}") from error


def write_numbers(folder: Path, name: str, content: bytes) -> dict[str, str]:
    """Write a safetensors file, NAME-<digest>.safetensors; returns what the description says of it."""
    digest = hashlib.sha256(content).hexdigest()
    file = f"{name}-{digest[:16]}.safetensors"
    write_whole(folder / file, content)
    return {"file": file, "sha256": digest}


def write_description(
    folder: Path, name: str, facts: Mapping[str, Any], files: re.Pattern[str], named: Collection[str]
) -> None:
    """Write the description, when its numbers are there, and remove others of `files` than those `named`."""
    facts = parse_json(to_json(facts), name)  # tuples become lists, as they will be read
    sync_folder(folder)
    write_whole(folder / name, to_json({**facts, "sha256": digest_of(facts)}))
    sync_folder(folder)
    for path in folder.iterdir():
        if files.fullmatch(path.name) and path.name not in named:
            with suppress(OSError):
                path.unlink()
