"""People's play on disk, and frames made of it.

Games are deterministic: the game, its options, the seed and the actions of every game played are all there is to keep. A file
is JSON; nothing in it is executed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ...envs import LudusError, OptionError, Simulator, find_game
from ..checkpoints.env_spec import option_facts, read_options
from ..files.checks import Check, full, json_object, number, several
from ..files.described import check_digest, digest_of
from ..files.safe_io import (
    CheckpointError,
    make_folder,
    make_writable,
    parse_json,
    path_of,
    read_bytes,
    short,
    sync_folder,
    write_whole,
)
from .collect import Collector
from .frames import Frames
from .merge import merged
from .shards import word

FORMAT = 1
MOST_BYTES = 100_000_000  # of a file
MOST_STEPS = 10_000_000
action: Check = number(int, 0, 255)


def actions(name: str, value: Any) -> Any:
    """A check for what everybody does in a step: one action, or a list of one for each player."""
    return (several(action) if isinstance(value, list) else action)(name, value)


FACTS = {
    "format": number(int, FORMAT, FORMAT),
    "ludus": word,
    "game": word,
    "version": number(int, 0, 2**31),
    "options": json_object,
    "seed": number(int, 0, 2**64 - 1),
    "games": several(several(actions, MOST_STEPS), MOST_STEPS),
    "sha256": word,
}


def prepare_folder(folder: Path) -> None:
    """Make a folder, and see whether it can be written, before anybody plays for it; raises OptionError."""
    try:
        make_writable(folder)
    except OSError as error:
        raise OptionError(f"--save {folder} cannot be written: {error.strerror}") from error


def write_demonstration(folder: Any, sim: Simulator, games: Sequence[Sequence[Any]]) -> Path | None:
    """Write what was played to a new file in a folder, GAME-1.json or the next number; None if no step was taken.

    Args:
        sim: of one game with `autoreset="disabled"`, seeded once and reset before each of the games.
        games: actions of each, for every step a number, or a list of one for each player.
    """
    last = max((k for k, game in enumerate(games) if game), default=-1)
    if last < 0:
        return None
    facts = {
        "format": FORMAT,
        "ludus": version("ludus"),
        "game": sim.game.name,
        "version": sim.game.version,
        "options": option_facts(sim.options),
        "seed": sim.seed_used,
        "games": [list(game) for game in games[: last + 1]],
    }
    content = json.dumps({**facts, "sha256": digest_of(facts)}, separators=(",", ":")).encode() + b"\n"
    place, k = path_of(folder), 1
    try:
        make_folder(place)
        while True:
            file = place / f"{sim.game.name}-{k}.json"
            try:
                file.touch(exist_ok=False)  # nobody else's then
                break
            except FileExistsError:
                k += 1
        write_whole(file, content)
        sync_folder(place)
    except OSError as error:
        raise CheckpointError(f"cannot save what was played in {place}: {error.strerror or error}") from error
    return file


def frames_from_play(path: Any, obs_type: str = "rgb", size: int = 64) -> Frames:
    """Frames of what people played, with the planes under them; games that were left in between are cut there.

    Args:
        path: a file that `ludus play --save` wrote, or a folder of such files, all of one game.
        obs_type, size: of the pictures.

    Raises:
        CheckpointError: a file is damaged, or its actions are not those of the game as it is now.
    """
    place = path_of(path)
    files = sorted(place.glob("*.json")) if place.is_dir() else [place]
    if not files:
        raise CheckpointError(f"{place} has no games that people played: give a folder that `ludus play --save` wrote")
    return merged([_replayed(file, obs_type, size) for file in files])


def _replayed(file: Path, obs_type: str, size: int) -> Frames:
    """The frames of a file; raises CheckpointError."""
    facts = _read(file)
    try:
        game = find_game(facts["game"])
        if facts["version"] != game.version:
            raise OptionError(f"it was played in version {facts['version']} of {game.name}, here it is {game.version}")
        options = read_options(facts["options"])
        sim = Simulator(game, seed=facts["seed"], autoreset="disabled", **options)
    except (LudusError, ValueError) as error:
        raise CheckpointError(f"{file}: {short(error)}") from error
    collector = Collector(sim, sim, obs_type, size)  # nobody decides: the actions are known
    for k, actions_taken in enumerate(facts["games"]):
        sim.reset()
        for step, what in enumerate(actions_taken):
            try:
                collector.step(np.array([what]))
            except LudusError as error:
                raise CheckpointError(f"{file}, game {k}, step {step}: {short(error)}") from error
        collector.cut()
    return collector.frames()


def _read(file: Path) -> dict[str, Any]:
    """What a file says, checked; raises CheckpointError."""
    facts = parse_json(read_bytes(file, MOST_BYTES), str(file))
    if facts.get("format") != FORMAT:
        raise CheckpointError(f"{file} has format {short(facts.get('format'))}, this Ludus reads {FORMAT}")
    check_digest(facts, file)
    try:
        return full(FACTS)("the file", facts)
    except ValueError as error:
        raise CheckpointError(f"{file} is not what `ludus play --save` writes: {short(error)}") from error
