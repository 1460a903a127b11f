"""The settings of a training run as a file in its folder, `train.json`: dataclasses of plain values, and back."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..envs import OptionError, Options
from ..envs.arguments import describe

SETTINGS = "train.json"
T = TypeVar("T")


class Training(Protocol):
    """What is read of `train.Config`, the settings of a run, by the modules that `ludus train` uses."""

    game: str
    algo: str
    seed: int | None
    device: str
    total_timesteps: int
    time_limit: float | None
    tensorboard: bool
    out: Path | None
    overwrite: bool
    resume: bool
    options: Options
    settings: Any


def write_settings(folder: Path, config: Any) -> None:
    """Keep a dataclass; raises OptionError if the file cannot be written."""
    from ..agents.files.safe_io import to_json, write_whole

    try:
        write_whole(folder / SETTINGS, to_json(to_plain(config)))
    except OSError as error:
        raise OptionError(f"{folder / SETTINGS} cannot be written: {error.strerror or error}") from error


def read_settings(folder: Path, kind: type[T]) -> T:
    """What `write_settings` kept, every value checked against its type; raises OptionError."""
    from ..agents.files.safe_io import CheckpointError, read_json, short

    path = folder / SETTINGS
    if not path.exists():
        raise OptionError(
            f"{folder} has an agent but no {SETTINGS}, so that `ludus train` did not make it: go on in Python, with "
            f"ludus.{class_in(folder)}.load(folder, resume=True)"
        )
    try:
        return from_plain("settings", kind, read_json(path))
    except CheckpointError as error:
        raise OptionError(str(error)) from error
    except ValueError as error:
        raise OptionError(f"{path}: {short(error)}") from error


def class_in(folder: Path) -> str:
    """The name of the class that the agent in a folder is of; raises CheckpointError."""
    from ..agents.checkpoints.reader import read_description
    from ..agents.checkpoints.schema import SCHEMAS

    return SCHEMAS[read_description(folder / "agent.json")["algorithm"]].title


def read_json_settings(folder: Path) -> dict[str, Any]:
    """The file as it is, nothing checked."""
    from ..agents.files.safe_io import CheckpointError, read_json

    try:
        return read_json(folder / SETTINGS)
    except CheckpointError as error:
        raise OptionError(str(error)) from error


def to_plain(value: Any) -> Any:
    """As JSON can hold it."""
    if dataclasses.is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {name: to_plain(item) for name, item in value.items()}
    return list(value) if isinstance(value, (tuple, range)) else value


def from_plain(name: str, kind: Any, value: Any) -> Any:
    """A value of this kind: a dataclass, a number, bool, text, path or sequence, or a choice of them."""
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints = typing.get_type_hints(kind)
        strange = sorted(set(value) - set(hints))
        if strange:
            raise ValueError(f"there is no setting {strange[0]!r}")
        return kind(**{key: from_plain(key, hints[key], item) for key, item in value.items()})  # type: ignore[operator]
    choices = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    for choice in choices:
        if choice is types.NoneType and value is None:
            return None
        if choice is float and type(value) in (int, float):
            if type(value) is int and abs(value) > sys.float_info.max:
                raise ValueError(f"{name} is too large a number")
            return float(value)
        if choice in (int, bool, str) and type(value) is choice:
            return value
        if choice is Path and isinstance(value, str):
            return Path(value)
        if typing.get_origin(choice) in (Sequence, tuple) and isinstance(value, list):
            return tuple(from_plain(name, typing.get_args(choice)[0], item) for item in value)
    raise ValueError(f"{name} is {describe(value)}, which it cannot be")
