"""Reading a checkpoint's files, see `checkpoint`: nothing is believed before it was checked, and nothing is unpickled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..files.archive import NEWEST, Archive
from ..files.described import check_digest
from ..files.described import digest_of as digest_of
from ..files.safe_io import MAX_JSON, CheckpointError, Folder, NoAgent, parse_json, read_tensors, short
from .schema import SCHEMAS

FORMAT = 2
NUMBERS = re.compile(r"(?:weights|optimizer|training)-[0-9a-f]{16}\.safetensors")
Place = Folder | Archive


def read_description(path: Path) -> dict[str, Any]:
    """The content of an `agent.json`, a format known here; its facts are not checked yet."""
    return read_facts(Folder(path.parent), path.name)


def read_facts(place: Place, name: str) -> dict[str, Any]:
    """A description in a folder or archive, whose digest is right; its facts are not checked yet. Raises CheckpointError."""
    path = place.name_of(name)
    if isinstance(place, Folder) and not place.path.exists():
        raise NoAgent(
            f"there is no folder {place.path}, nor a .zip of that name: give what `save` or `ludus train` wrote"
        )
    if isinstance(place, Folder) and not (place.path / name).exists():
        raise NoAgent(f"{place.path} has no {name}: give what `save` or `ludus train` wrote")
    facts = parse_json(place.read(name, MAX_JSON), path)
    if "format" not in facts:
        raise CheckpointError(f"{path} is not an agent's description: it has no format number")
    if facts["format"] != FORMAT:
        number = facts["format"]
        advice = "train the agent again, or play it with Ludus 0.1" if number == 1 else "update Ludus"
        raise CheckpointError(f"{path} has format {short(number)}, this Ludus reads {FORMAT}: {advice}")
    if not isinstance(facts.get("algorithm"), str) or facts["algorithm"] not in SCHEMAS:
        name = short(repr(facts.get("algorithm")))
        raise CheckpointError(f"{path} is an agent of algorithm {name}, this Ludus knows {', '.join(SCHEMAS)}")
    check_digest(facts, path)
    return facts


def numbers_name(place: Place, facts: Mapping[str, Any], part: str) -> str:
    """The file of weights, averages or the training's state that a description names."""
    if part not in facts:
        where = place.name_of(NEWEST)
        raise CheckpointError(f"{where} has no {part} file: the agent was saved to be played, not to be trained on")
    name = facts[part].get("file") if isinstance(facts[part], dict) else None
    if not (isinstance(name, str) and NUMBERS.fullmatch(name) and name.startswith(part)):
        said = short(repr(name))
        raise CheckpointError(f"{place.name_of(NEWEST)} has {said} as its {part} file, expected {part}-....safetensors")
    return name


def read_numbers(
    place: Place, facts: Mapping[str, Any], part: str, expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    return read_tensors(place, numbers_name(place, facts, part), facts[part].get("sha256"), expected)


def of_stable(place: Place, name: str) -> bool:
    """Whether it is a file that Stable-Baselines3 saved."""
    return isinstance(place, Archive) and "data" in place.names and name not in place.names
