"""The folder of a training run: chosen, and this process's alone while it trains."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..envs import OptionError
from ..envs.engine.files import lock, make_folder
from .settings_file import SETTINGS, Training

LOCK = ".lock"


@contextmanager
def run_folder(config: Training) -> Iterator[Path]:
    """The folder, made and held; raises OptionError if it is taken or cannot be written. An empty one goes in the end."""
    if config.resume and config.out is None:
        raise OptionError("--resume needs --out, the folder of the run to go on with")
    if config.resume and config.overwrite:
        raise OptionError("--resume or --overwrite, not both: one goes on with what is there, the other replaces it")
    folder = config.out or new_folder(config.game, config.algo)
    check_name(folder)
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--out {folder} is a file: give a folder")
    try:
        with held(folder):
            check_free(folder, config)
            yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()


def new_folder(game: str, algo: str) -> Path:
    """Where a run goes that was given no folder."""
    return Path("runs") / f"{game.replace('/', '-')}-{algo}-{time.strftime('%Y%m%d-%H%M%S')}"


def check_name(folder: Path) -> None:
    """Raise OptionError for a name that the agent's own file could not tell of its logs."""
    from ..agents.files.checks import text

    try:
        text("--out", str(folder))
    except ValueError as error:
        raise OptionError(str(error)) from error


def check_free(folder: Path, config: Training) -> None:
    """Raise OptionError if something is there that this run must not touch."""
    taken = any(path.name != LOCK for path in folder.iterdir())
    ours = config.overwrite or (config.resume and any((folder / file).exists() for file in ("agent.json", SETTINGS)))
    if taken and not ours:
        raise OptionError(f"--out {folder} exists and is not empty: give another folder, --resume or --overwrite")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other trainings out of a folder, made if need be; raises OptionError if one is there already.

    The lock is the operating system's, so that it goes with the process, however that ends. Where a file system has none,
    nobody is kept out.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        make_folder(folder)
        handle = os.open(folder / LOCK, flags, 0o644)
    except OSError as error:
        raise OptionError(f"--out {folder} cannot be written: {error.strerror}") from error
    try:
        if not lock(handle):
            raise OptionError(
                f"--out {folder}: another training is under way there; wait for it, or give another folder"
            )
        try:
            yield
        finally:
            with suppress(OSError):
                (folder / LOCK).unlink()
    finally:
        os.close(handle)
