"""What `ludus pretrain` refuses before it reads or collects anything, in the words of its flags."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..envs import OptionError, UnknownGame, find_game
from .flags import flags_of
from .making import is_game

SHEETS = (".png", ".jpg", ".jpeg", ".webp")  # of --preview


@contextmanager
def in_flags(config: Any) -> Iterator[None]:
    """Errors that begin with an argument's name begin with its flag instead."""
    try:
        yield
    except OptionError as error:
        name, _, rest = str(error).partition(" ")
        flags = {flag.name: flag.flag for flag in flags_of(config)}
        if name not in flags:
            raise
        raise OptionError(f"{flags[name]} {rest}") from error


def check_settings(config: Any) -> None:
    """Raise OptionError for numbers that no training can have."""
    from ..agents.pretraining.trainer import check_settings

    names = ("batch_size", "learning_rate", "weight_decay", "time_limit", "epochs", "patience")
    with in_flags(config):
        check_settings(**{name: getattr(config, name) for name in names})


def check_out(config: Any, method: str | None) -> None:
    """Raise OptionError where the encoder cannot be kept, or there is none to go on with; `method` None: not known yet."""
    from ..agents.checkpoints.encoder_file import NAME

    if config.resume and config.overwrite:
        raise OptionError("--resume or --overwrite, not both: one goes on with what is there, the other replaces it")
    if config.out is None and method is None:
        check_place(folder_of(config, "").parent)
        return
    folder = folder_of(config, method)
    check_place(folder, config.resume)
    if (folder / NAME).exists() and not (config.overwrite or config.resume):
        raise OptionError(f"--out {folder} has an encoder: give another folder, --overwrite or --resume")


def check_place(folder: Path, resume: bool = False) -> None:
    """Raise OptionError for a folder of --out that cannot be written, or has no training to resume."""
    from ..agents.pretraining.resume import check_folder

    try:
        check_folder(folder, resume)
    except OptionError as error:
        raise OptionError(f"--out {error}") from error


def folder_of(config: Any, method: str | None) -> Path:
    """Where the encoder is kept."""
    return config.out or Path("encoders") / f"{Path(config.source).name}-{method}"


def known_method(config: Any) -> str | None:
    """The method, where it is known before data are read."""
    if config.method is None and is_game(config.source):
        return "planes" if find_game(config.source).planes else "st-dim"
    return config.method


def game_of(data: Any) -> str | None:
    """The name of the game that frames are of; None where it is not known here, or data are of none."""
    try:
        return find_game(data.game).name if hasattr(data, "game") else None
    except UnknownGame:
        return None


def check_start(config: Any, start: Any) -> None:
    """Raise OptionError for what cannot go together with an encoder to start from, as far as that is known before data."""
    settings = {"encoder": config.encoder, **vars(config.network)}
    given = ", ".join(f"--{name}" for name, value in settings.items() if value is not None)
    if given:
        raise OptionError(f"--start brings its own encoder: leave out {given}")
    if is_game(config.source):
        check_sees(
            config,
            start,
            (config.play.picture_size, config.play.picture_size, 3 if config.play.obs_type == "rgb" else 1),
        )


def check_sees(config: Any, start: Any, inputs: tuple[int, ...]) -> None:
    """Raise OptionError where an encoder to start from is not for inputs of this shape: (H, W, C), or (L,) of texts."""
    shape = tuple(getattr(getattr(start, "encoder", start).config, "shape", ()))
    if bool(shape) != (len(inputs) == 3):
        kinds = ("pictures", "texts") if shape else ("texts", "pictures")
        raise OptionError(f"--start {config.start} has an encoder of {kinds[0]}, and {config.source} has {kinds[1]}")
    if shape and shape != inputs:
        theirs, ours = ("x".join(map(str, sides)) for sides in (shape, inputs))
        change = "change --size or --obs-type" if is_game(config.source) else "choose other data"
        raise OptionError(f"--start {config.start} sees pictures of {theirs}, these are of {ours}: {change}")


def check_preview(path: Path, augmentation: Any) -> None:
    """Raise OptionError where the sheet of random changes would show none, or could not be written."""
    if not augmentation.switches:
        raise OptionError("--preview shows random changes: switch some on, such as --shift 4 --noise 0.1")
    if path.is_dir():
        raise OptionError(f"--preview {path} is a folder: give a file, such as {path / 'sheet.png'}")
    if path.suffix.lower() not in SHEETS:
        raise OptionError(f"--preview {path} must end in {', '.join(SHEETS[:-1])} or {SHEETS[-1]}")
    if not path.parent.is_dir():
        raise OptionError(f"--preview {path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OptionError(f"--preview {path} cannot be written")
