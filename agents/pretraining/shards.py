"""Frames on disk: a folder with a description in JSON, and shards, safetensors files that hold a stretch of time each.

    frames.json                    the game, its options and names, and of each shard its file, SHA-256 and sizes
    frames-<digest>.safetensors    a shard: frames of its own, with each of its pictures once

Shards are written and read one by one, so there may be more than fit into memory. As with agents, nothing in a folder is
executed, and it holds whole frames whenever the power goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch

from ...envs import OptionError
from ..checkpoints.encoder_facts import MAX_NAMES, anything
from ..files.checks import full, json_object, number, several, text, yes_or_no
from ..files.described import description_of, numbers_of, read_description, write_description, writing
from ..files.safe_io import CheckpointError, Folder, parse_json, path_of, read_tensors, short, to_json, write_whole
from ..runtime.hardware import available_memory
from .frames import Frames, digest_of
from .merge import cut, merged, pieces

NAME = "frames.json"
FORMAT = 1
SHARD = re.compile(r"frames-[0-9a-f]{16}\.safetensors")
SHARD_BYTES = 256_000_000  # of the pictures in one
MAX_SHARDS = 10_000
PICTURES = {"pictures": torch.uint8, "planes": torch.uint8, "ambiguous": torch.bool, "seen": torch.int64}
STEPS = {
    "index": torch.int64, "action": torch.int64, "advice": torch.int64, "reward": torch.float32, "done": torch.bool,
    "truncated": torch.bool, "level": torch.int64,
}  # fmt: skip


def word(name: str, value: Any) -> str:
    """A check for lines of text."""
    if value is None:
        raise ValueError(f"{name} must be one line of text, got null")
    return str(text(name, value))


count = number(int, 1, 2**31 - 1)
side = number(int, 0, 4096)
SHARD_FACTS = {"file": word, "sha256": word, "pictures": count, "steps": count, "continues": yes_or_no}
PLANNED = {"file": f"frames-{0:016}.safetensors", "sha256": "", "pictures": 1, "steps": 1, "continues": False}
FACTS = {
    "format": count,
    "ludus": word,
    "game": word,
    "options": json_object,
    "plane_names": several(anything, MAX_NAMES),
    "action_names": several(anything, MAX_NAMES),
    "picture": several(side, 3),  # (H, W, C)
    "grid": several(side, 2),  # (rows, columns)
    "games": count,
    "shards": several(full(SHARD_FACTS), MAX_SHARDS),
    "sha256": word,
}


@dataclass(frozen=True)
class Shards:
    """Frames in a folder; iterate to read one shard's after the other.

    Attributes:
        folder: where they are.
        facts: what the description says: `FACTS`.
    """

    folder: Path
    facts: dict[str, Any]

    @property
    def continues(self) -> list[bool]:
        """Which shards go on where the one before ended."""
        return [shard["continues"] for shard in self.facts["shards"]]

    @property
    def nbytes(self) -> int:
        """Of all arrays of all shards together."""
        return sum(tensor.nbytes for shard in self.facts["shards"] for tensor in self.expected(shard).values())

    def expected(self, shard: dict[str, Any]) -> dict[str, torch.Tensor]:
        """Tensors without memory, like those of a shard."""
        facts = self.facts
        planes = len(facts["plane_names"])
        shapes = {"pictures": facts["picture"], "planes": (*facts["grid"], planes), "ambiguous": (planes,), "seen": ()}
        sizes = {name: (shard["pictures"], *shapes[name]) for name in PICTURES}
        sizes |= dict.fromkeys(STEPS, (shard["steps"], facts["games"]))
        kinds = {**PICTURES, **STEPS}
        return {name: torch.empty(sizes[name], dtype=kinds[name], device="meta") for name in kinds}

    def __len__(self) -> int:
        return len(self.facts["shards"])

    def __iter__(self) -> Iterator[Frames]:
        for shard in self.facts["shards"]:
            tensors = read_tensors(Folder(self.folder), shard["file"], shard["sha256"], self.expected(shard))
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            facts = self.facts
            planes, actions = tuple(facts["plane_names"]), tuple(facts["action_names"])
            digests = digest_of(arrays["pictures"])
            frames = Frames(facts["game"], facts["options"], planes, actions, digests=digests, **arrays)
            check(str(self.folder / shard["file"]), frames)
            yield frames


def save_frames(frames: Frames, folder: Any) -> None:
    """Write frames into a folder, in place of those there; whole or not at all. Raises CheckpointError."""
    _write(frames, path_of(folder), False, False)


def add_frames(frames: Frames, folder: Any, continues: bool = False) -> None:
    """Write frames beside those in a folder, if there are any; whole or not at all.

    Args:
        continues: their first step follows the last one there, in every game; otherwise episodes are cut between them.

    Raises:
        CheckpointError: what is there cannot be read, or is of another game or of other options.
    """
    _write(frames, path_of(folder), True, continues)


def open_shards(folder: Any) -> Shards:
    """The frames in a folder, of which only the description is read yet; raises CheckpointError."""
    place = Folder(path_of(folder))
    name = place.name_of(NAME)
    if not (place.path / NAME).exists():
        raise CheckpointError(f"{place.path} has no {NAME}: give a folder that `save_frames` wrote")
    facts = read_description(place, NAME, FORMAT)
    try:
        return Shards(place.path, _described(facts))
    except ValueError as error:
        raise CheckpointError(f"{name} does not describe frames: {short(error)}") from error


def _described(facts: dict[str, Any]) -> dict[str, Any]:
    """What a description says, checked; raises ValueError."""
    facts = full(FACTS)("the description", facts)
    for shard in facts["shards"]:
        if not SHARD.fullmatch(shard["file"]):
            raise ValueError(f"frames cannot be in {short(repr(shard['file']))}")
    if not facts["shards"]:
        raise ValueError("it names no shards")
    return facts


def load_frames(folder: Any) -> Frames:
    """All frames of a folder in memory; raises CheckpointError, and OptionError if they are too many for that."""
    shards = open_shards(folder)
    there = available_memory(torch.device("cpu"))
    if there is not None and 2 * shards.nbytes > there:  # the shards, and what they become together
        raise OptionError(
            f"frames in {shards.folder} take {2 * shards.nbytes / 1e9:.1f} GB, {there / 1e9:.1f} GB are free: "
            "read them shard by shard, by open_shards"
        )
    return merged(list(shards), shards.continues)


def check(path: str, frames: Frames) -> None:
    """Raise CheckpointError at the first row with a value that cannot be; `path` is named then."""
    _, first = np.unique(frames.digests, return_index=True)
    again = np.ones(len(frames), np.bool_)
    again[first] = False
    pictures, actions = len(frames), len(frames.action_names)
    for name, wrong, right in (
        ("picture", again, "different from those before"),
        ("planes", (frames.planes > 1).any((1, 2, 3)), "of 0 and 1"),
        ("seen", frames.seen < 0, "0 or more"),
        ("index", (frames.index < 0) | (frames.index >= pictures), f"from 0 to {pictures - 1}"),
        ("action", (frames.action < 0) | (frames.action >= actions), f"from 0 to {actions - 1}"),
        ("advice", (frames.advice < -1) | (frames.advice >= actions), f"from -1 to {actions - 1}"),
        ("reward", ~np.isfinite(frames.reward), "finite"),
        ("level", frames.level < -1, "-1 or more"),
    ):
        if wrong.any():
            row = tuple(map(int, np.argwhere(wrong)[0]))
            where = f"picture {row[0]}" if len(row) == 1 else f"step {row[0]} of game {row[1]}"
            raise CheckpointError(f"{path}, {where}: {name} must be {right}")


def _write(frames: Frames, folder: Path, beside: bool, continues: bool) -> None:
    """Write shards, then the description that names them, and remove what it does not name."""
    if not len(frames) or not frames.index.size:
        raise OptionError("there are no frames to save: collect some first")
    check("frames to save", frames)
    facts = description(frames)
    with writing(folder, "frames"):
        shards = _shards_there(folder, facts) if beside and (folder / NAME).exists() else []
        most = max(1, SHARD_BYTES // frames.pictures[0].nbytes)
        if len(shards) + pieces(frames, most) > MAX_SHARDS:
            raise CheckpointError(f"{folder} would have more than {MAX_SHARDS:,} shards: give another folder")
        described(facts, [*shards, PLANNED])  # whose names may be odd, which is told before gigabytes are written
        for part in cut(frames, most):
            shards.append(_write_shard(part, folder, continues))
            continues = True
        write_description(folder, NAME, described(facts, shards), SHARD, {shard["file"] for shard in shards})


def described(facts: dict[str, Any], shards: list[dict[str, Any]]) -> bytes:
    """The description of these shards; raises CheckpointError where it could not be read again."""
    return description_of(NAME, {**facts, "shards": shards}, _described)


def _shards_there(folder: Path, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """What the description in a folder says of its shards; raises CheckpointError if others do not go with them."""
    there = open_shards(folder).facts
    for name in ("game", "options", "plane_names", "action_names", "picture", "grid", "games"):
        if there[name] != facts[name]:
            raise CheckpointError(
                f"{folder} has frames of {name} {short(there[name])}, not of {short(facts[name])}: give another folder"
            )
    return list(there["shards"])


def _write_shard(frames: Frames, folder: Path, continues: bool) -> dict[str, Any]:
    """Write one; returns what the description says of it."""
    arrays = {name: np.ascontiguousarray(getattr(frames, name)) for name in (*PICTURES, *STEPS)}
    content = safetensors.numpy.save(arrays)
    file = numbers_of("frames", content)
    write_whole(folder / file["file"], content)
    return {**file, "pictures": len(frames), "steps": len(frames.index), "continues": continues}


def description(frames: Frames) -> dict[str, Any]:
    """What frames are of, as it will be read."""
    facts = {
        "format": FORMAT,
        "ludus": version("ludus"),
        "game": frames.game,
        "options": frames.options,
        "plane_names": frames.plane_names,
        "action_names": frames.action_names,
        "picture": frames.pictures.shape[1:],
        "grid": frames.planes.shape[1:3],
        "games": frames.index.shape[1],
    }
    return parse_json(to_json(facts), NAME)  # tuples become lists
