"""An agent on disk: a folder with descriptions in JSON and numbers in safetensors files.

    agent.json                      the newest description: what the agent is, and the files that it names
    agent-<timesteps>.json          older ones
    weights-<digest>.safetensors    what playing needs
    optimizer-<digest>.safetensors  the optimizer's state
    training-<digest>.safetensors   what going on with the training needs beyond that; see `training.training_state`

Or one zip file with the newest of these in it.

Loading parses JSON and copies numbers. It never unpickles, evaluates or imports what a file names, so a file from a stranger
can be wrong but cannot run code. Saving writes numbers under new names and then replaces `agent.json`, which holds their
SHA-256; what no description names any more goes last. Whenever the power goes, the folder holds whole agents.
"""

from __future__ import annotations

import errno
import hashlib
import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from ..files.archive import NEWEST, is_open_file, write_archive
from ..files.described import digest_of
from ..files.safe_io import (
    MAX_JSON,
    CheckpointError,
    make_folder,
    path_of,
    read_bytes,
    sync_folder,
    to_json,
    turn_in,
    write_whole,
)
from .reader import FORMAT, NUMBERS, read_description

OLDER = re.compile(r"agent-(\d{1,20})\.json")
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # a disk, or the user's share of it
TEMPORARY = re.compile(r"\.(?:agent|weights|optimizer|training|train)[\w-]*\.\w+\.\d+\.tmp")


@dataclass(frozen=True)
class Snapshot:
    """What a checkpoint holds of an agent.

    Attributes:
        facts: the description, but for the names of files.
        tensors: of the parts "weights" and, if training is to go on, "optimizer" and "training", by name.
    """

    facts: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]


def write_checkpoint(path: Any, snapshot: Snapshot, keep: int = 1) -> None:
    """Write it, whole or not at all; raises CheckpointError, and then all is as it was.

    Args:
        path: a folder, made if need be; a zip file, if it ends in .zip; or an open file.
        keep: how many checkpoints a folder keeps, this one included.
    """
    archive, members = is_open_file(path) or path_of(path).suffix == ".zip", members_of(snapshot)
    if archive and keep > 1:
        raise CheckpointError(f"a zip file keeps one checkpoint, not {keep}: give a folder's name")
    try:
        if archive:
            write_archive(path, {name: to_json(x) if name == NEWEST else x for name, x in members.items()})
        else:
            write_folder(Path(path), members, keep)
    except OSError as error:
        raise CheckpointError(f"cannot save the agent in {path}: {error.strerror or error}") from error


def members_of(snapshot: Snapshot) -> dict[str, Any]:
    """The files of a checkpoint by name, the description last and not yet as bytes."""
    facts: dict[str, Any] = {"format": FORMAT, "ludus": version("ludus"), **snapshot.facts}
    members: dict[str, Any] = {}
    for part, tensors in snapshot.tensors.items():
        content = safetensors.torch.save(tensors)
        digest = hashlib.sha256(content).hexdigest()
        facts[part] = {"file": f"{part}-{digest[:16]}.safetensors", "sha256": digest}
        members[facts[part]["file"]] = content
    if (size := len(to_json(facts))) > MAX_JSON - 100:  # of the digest
        raise CheckpointError(
            f"{NEWEST} would have {size:,} bytes, and {MAX_JSON:,} can be read again: give shorter settings"
        )
    return {**members, NEWEST: {**facts, "sha256": digest_of(facts)}}


def write_folder(folder: Path, members: Mapping[str, Any], keep: int) -> None:
    """One save after the other; on a full disk, the oldest checkpoints make room. Raises OSError."""
    make_folder(folder)
    with turn_in(folder):
        newest = newest_in(folder)
        while True:
            try:
                return write_members(folder, members, keep)
            except OSError as error:
                spare = {steps: path for steps, path in older_in(folder).items() if steps != newest}
                if error.errno not in FULL or not spare:
                    raise
                oldest = spare[min(spare)]
                warnings.warn(f"{error.strerror}: {oldest} makes room for the new one", stacklevel=4)
                oldest.unlink()
                drop_unnamed(folder)


def write_members(folder: Path, members: Mapping[str, Any], keep: int) -> None:
    """Numbers under new names, then the description in place of the last one."""
    facts = members[NEWEST]
    try:
        for name, content in members.items():
            if name != NEWEST:
                write_whole(folder / name, content)
        sync_folder(folder)
        if keep > 1:
            keep_older(folder, facts["timesteps"])
        write_whole(folder / NEWEST, to_json(facts))
        sync_folder(folder)
        drop_older(folder, facts["timesteps"], keep - 1)
    finally:
        drop_unnamed(folder)


def keep_older(folder: Path, timesteps: int) -> None:
    """Give the newest description, if it is of fewer timesteps, a second name."""
    with suppress(CheckpointError, RecursionError):
        facts = read_description(folder / NEWEST)
        if isinstance(facts.get("timesteps"), int) and 0 <= facts["timesteps"] < timesteps:
            write_whole(folder / f"agent-{facts['timesteps']}.json", to_json(facts))


def older_in(folder: Path) -> dict[int, Path]:
    """Older descriptions by their timesteps."""
    return {int(match[1]): path for path in folder.iterdir() if (match := OLDER.fullmatch(path.name))}


def newest_in(folder: Path) -> int | None:
    """Timesteps of the newest whole checkpoint."""
    try:
        return read_description(folder / NEWEST).get("timesteps")
    except (CheckpointError, RecursionError):
        return max(older_in(folder), default=None)


def drop_older(folder: Path, timesteps: int, keep: int) -> None:
    """Remove older descriptions but for the last `keep` of fewer timesteps."""
    found = older_in(folder)
    past = sorted(steps for steps in found if steps < timesteps)
    for steps in set(found) - set(past[len(past) - keep :] if keep > 0 else ()):
        found[steps].unlink()


def drop_unnamed(folder: Path) -> None:
    """Remove files of numbers that no description names, and what a killed process left half written."""
    with suppress(OSError, CheckpointError):
        paths = list(folder.iterdir())
        descriptions = [path for path in paths if path.name == NEWEST or OLDER.fullmatch(path.name)]
        named = {
            name
            for path in descriptions
            for name in NUMBERS.findall(read_bytes(path, MAX_JSON).decode(errors="replace"))
        }
        for path in paths:
            if (NUMBERS.fullmatch(path.name) and path.name not in named) or TEMPORARY.fullmatch(path.name):
                path.unlink()
