"""A training that was cut off goes on where it was: its state in the encoder's folder, beside the encoder.

    training.json                    how far it has come, the looks at the validation part, and what it is a training of
    training-<digest>.safetensors    weights of now and of the best look, the optimizer, random generators, the order of rows

Where epochs decide when training ends, it goes on to the very weights that it would have come to; where a time limit does,
the learning rate depends on the clock.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from ...envs import OptionError
from ..checkpoints.optimizer_state import optimizer_tensors, restore_optimizer
from ..files.checks import full, json_object, number, several
from ..files.described import (
    MAX_DESCRIPTION,
    description_of,
    numbers_of,
    read_description,
    write_description,
    writing,
)
from ..files.safe_io import (
    CheckpointError,
    Folder,
    make_writable,
    parse_json,
    read_tensors,
    short,
    to_json,
    write_whole,
)  # fmt: skip
from .trainer import History, Trainer

NAME = "training.json"
NUMBERS = re.compile(r"training-[0-9a-f]{16}\.safetensors")
FIGURE = 40  # bytes that a figure takes in JSON beside its name
count, real = number(int, 0, 2**53), number(float, -1e300, 1e300)


def digest_of_data(data: Any) -> str:
    """Of all that a training may take from frames or examples; pictures by their own digests, where they have some."""
    facts = {name: value for name, value in vars(data).items() if name not in ("name", "game", "options")}
    if "digests" in facts:
        del facts["pictures"]
    return digest_of_arrays(facts)


def digest_of_arrays(values: Mapping[str, Any]) -> str:
    """Of arrays, and of names in tuples."""
    digest = hashlib.sha256()
    for name, value in sorted(values.items()):
        array = np.ascontiguousarray(value)
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def check_folder(folder: Path, resume: bool = False) -> None:
    """Make a folder, and see whether a training can be kept there or go on; raises OptionError. An empty one goes again."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if there.exists() and not there.is_dir():
        below = "" if there == folder else f" cannot be made: {there}"
        raise OptionError(f"{folder}{below} is not a folder")
    if resume and not (folder / NAME).exists():
        raise OptionError(f"{folder} has no {NAME}: there is no training to go on with")
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        make_writable(folder)
    except OSError as error:
        raise OptionError(f"{folder} cannot be written: {error.strerror}") from error
    finally:
        for path in new:  # the folder itself comes first
            with suppress(OSError):
                path.rmdir()


def state_of(trainer: Trainer) -> dict[str, Tensor]:
    """All tensors that the rest of a training depends on, by name."""
    best = trainer.best or {}
    tensors = {
        **{f"now.{name}": x for name, x in trainer.method.state_dict().items()},
        **{f"best.{name}": x for name, x in best.items()},
        **{f"optimizer.{name}": x for name, x in optimizer_tensors(trainer.optimizer).items()},
        "order": trainer.order,
        "generator": trainer.generator.get_state(),
        "dropout": torch.get_rng_state(),
    }
    return {name: x.detach().cpu().contiguous().clone() for name, x in tensors.items()}


def save_training(folder: Path, trainer: Trainer, origin: Mapping[str, Any]) -> None:
    """Write the state of a training, whole or not at all; raises CheckpointError.

    Args:
        origin: what decides the result, by name: the settings, and `digest_of_data` as "data".
    """
    facts = {
        "steps": trainer.steps, "spent": trainer.spent, "history": _kept(trainer.history), "origin": origin,
        "rows": len(trainer.rows), "order": len(trainer.order),
    }  # fmt: skip
    numbers = safetensors.torch.save(state_of(trainer))
    said = numbers_of("training", numbers)
    content = description_of(NAME, {**facts, "weights": said}, _described)
    with writing(folder, "the training"):
        write_whole(folder / said["file"], numbers)
        write_description(folder, NAME, content, NUMBERS, {said["file"]})


def _kept(history: History) -> dict[str, Any]:
    """What came of a training, without the figures of single classes where these are too many for a file."""
    facts = {name: column for name, column in asdict(history).items() if name != "diverged"}
    if sum(len(name) + FIGURE for row in history.figures for name in row) > MAX_DESCRIPTION // 2:
        facts["figures"] = [{name: x for name, x in row.items() if "/" not in name} for row in history.figures]
    return facts


def load_training(folder: Path, trainer: Trainer, origin: Mapping[str, Any]) -> None:
    """Let a trainer of the same method, data and settings go on.

    Raises CheckpointError, or OptionError where `origin` differs (see `save_training`), and then nothing has changed.
    """
    place = Folder(folder)
    path = place.name_of(NAME)
    facts = read_description(place, NAME)
    try:
        history, before, (steps, rows, order), spent, (file, digest) = _described(facts)
    except Exception as error:  # whatever a stranger's file may bring about
        raise CheckpointError(f"{path} does not describe a training: {short(error)}") from error
    _check_origin(folder, before, parse_json(to_json(origin), NAME))
    if rows != len(trainer.rows):
        raise CheckpointError(
            f"{path} was trained on {rows} rows, here are {len(trainer.rows)}: collect the same frames"
        )
    expected = {**state_of(trainer), "order": torch.zeros(order, *trainer.rows.shape[1:], dtype=torch.int64)}
    if history.steps:
        expected |= {f"best.{name}": x for name, x in trainer.method.state_dict().items()}
    tensors = read_tensors(place, file, digest, expected)
    flat = tensors["order"].flatten()
    if len(flat) and not (int(flat.min()) >= 0 and int(flat.max()) <= int(trainer.rows.max())):
        raise CheckpointError(f"{path}: the order of rows names some that are not there")
    _restore(trainer, tensors)
    trainer.steps, trainer.spent, trainer.history = steps, spent, history


def _described(facts: dict[str, Any]) -> tuple[History, dict[str, Any], list[int], float, tuple[str, str]]:
    """The looks; the origin; steps, rows and how many are left of their order; seconds; the file of numbers and its digest.

    Raises what comes about.
    """
    file, digest = facts["weights"]["file"], facts["weights"]["sha256"]
    if not NUMBERS.fullmatch(file):
        raise ValueError(f"its numbers cannot be in {short(repr(file))}")
    counts = [count(name, facts[name]) for name in ("steps", "rows", "order")]
    before = json_object("origin", facts["origin"])
    return _history(facts["history"]), before, counts, real("spent", facts["spent"]), (file, digest)


def _check_origin(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise OptionError, which begins with the name of what differs."""
    for name in (*now, *sorted({*before} - {*now})):  # method and encoder come first, data last
        was, is_now = before.get(name), now.get(name)
        if was != is_now and name in ("data", "start"):
            raise OptionError(f"{name} must be what the training in {folder} began with, to go on: these are others")
        if was != is_now:
            raise OptionError(
                f"{name} must be {short(was)}, as in the training in {folder} that is to go on, got {short(is_now)}"
            )


def _restore(trainer: Trainer, tensors: dict[str, Tensor]) -> None:
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    trainer.method.load_state_dict(parts["now"])
    trainer.best = parts.get("best")
    restore_optimizer(trainer.optimizer, parts.get("optimizer", {}))
    trainer.order = tensors["order"]
    trainer.generator.set_state(tensors["generator"])
    torch.set_rng_state(tensors["dropout"])


def _history(facts: Any) -> History:
    """Checked; raises ValueError."""
    checks = {name: several(real, 100_000) for name in ("seconds", "loss", "validation_loss", "score", "progress")}
    kept = {name: value for name, value in facts.items() if name != "figures"}
    found = full({"steps": several(count, 100_000), **checks})("history", kept)
    figures = [{str(name): real(name, value) for name, value in row.items()} for row in facts["figures"]]
    if any(len(column) != len(figures) for column in found.values()):
        raise ValueError("history has columns of different lengths")
    return History(**found, figures=figures)
