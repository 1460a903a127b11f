"""A training that was cut off goes on where it was: its state in the encoder's folder, beside the encoder.

    training.json                    how far it has come, and the looks at the validation part
    training-<digest>.safetensors    weights of now and of the best look, the optimizer, random generators, the order of rows

Where epochs decide when training ends, it goes on to the very weights that it would have come to; where a time limit does,
the learning rate depends on the clock.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from ..checkpoints.optimizer_state import optimizer_tensors, restore_optimizer
from ..files.checks import full, number, several
from ..files.described import (
    MAX_DESCRIPTION,
    description_of,
    numbers_of,
    read_description,
    write_description,
    write_numbers,
    writing,
)
from ..files.safe_io import CheckpointError, Folder, read_tensors, short
from .trainer import History, Trainer

NAME = "training.json"
NUMBERS = re.compile(r"training-[0-9a-f]{16}\.safetensors")
FIGURE = 40  # bytes that a figure takes in JSON beside its name
count, real = number(int, 0, 2**53), number(float, -1e300, 1e300)


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


def save_training(folder: Path, trainer: Trainer) -> None:
    """Write the state of a training, whole or not at all; raises CheckpointError."""
    facts = {
        "steps": trainer.steps, "spent": trainer.spent, "history": _kept(trainer.history),
        "rows": len(trainer.rows), "order": len(trainer.order),
    }  # fmt: skip
    numbers = safetensors.torch.save(state_of(trainer))
    said = numbers_of("training", numbers)
    content = description_of(NAME, {**facts, "weights": said}, _described)
    with writing(folder, "the training"):
        write_numbers(folder, "training", numbers)
        write_description(folder, NAME, content, NUMBERS, {said["file"]})


def _kept(history: History) -> dict[str, Any]:
    """What came of a training, without the figures of single classes where these are too many for a file."""
    facts = asdict(history)
    if sum(len(name) + FIGURE for row in history.figures for name in row) > MAX_DESCRIPTION // 2:
        facts["figures"] = [{name: x for name, x in row.items() if "/" not in name} for row in history.figures]
    return facts


def load_training(folder: Path, trainer: Trainer) -> None:
    """Let a trainer of the same method, data and settings go on; raises CheckpointError, and then nothing has changed."""
    place = Folder(folder)
    path = place.name_of(NAME)
    facts = read_description(place, NAME)
    try:
        history, (steps, rows, order), spent, (file, digest) = _described(facts)
    except Exception as error:  # whatever a stranger's file may bring about
        raise CheckpointError(f"{path} does not describe a training: {short(error)}") from error
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


def _described(facts: dict[str, Any]) -> tuple[History, list[int], float, tuple[str, str]]:
    """The looks; steps, rows and how many are left of their order; seconds; the file of numbers and its SHA-256.

    Raises what comes about.
    """
    file, digest = facts["weights"]["file"], facts["weights"]["sha256"]
    if not NUMBERS.fullmatch(file):
        raise ValueError(f"its numbers cannot be in {short(repr(file))}")
    counts = [count(name, facts[name]) for name in ("steps", "rows", "order")]
    return _history(facts["history"]), counts, real("spent", facts["spent"]), (file, digest)


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
    checks = {name: several(real, 100_000) for name in ("seconds", "loss", "validation_loss", "score")}
    kept = {name: value for name, value in facts.items() if name != "figures"}
    found = full({"steps": several(count, 100_000), **checks})("history", kept)
    figures = [{str(name): real(name, value) for name, value in row.items()} for row in facts["figures"]]
    if any(len(column) != len(figures) for column in found.values()):
        raise ValueError("history has columns of different lengths")
    return History(**found, figures=figures)
