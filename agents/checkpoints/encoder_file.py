"""A pretrained encoder on disk: a folder with its description in JSON and its weights in a safetensors file.

    encoder.json                    what it is made of, what it was trained on, and how good it is
    encoder-<digest>.safetensors    its weights

As with agents, nothing in it is executed, and a folder holds a whole encoder whenever the power goes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ..files.checks import number, one_of, optional, several, table, text, width
from ..files.safe_io import (
    MAX_JSON,
    CheckpointError,
    Folder,
    parse_json,
    path_of,
    read_tensors,
    short,
    sync_folder,
    to_json,
    turn_in,
    write_whole,
)  # fmt: skip
from ..nn.vision import ACTIVATIONS, BODIES, NORMS, EncoderConfig, PictureEncoder, PlanesDecoder
from .reader import digest_of

NAME = "encoder.json"
FORMAT = 1
WEIGHTS = re.compile(r"encoder-[0-9a-f]{16}\.safetensors")
side = number(int, 1, 4096)
CONFIG = {
    "kind": one_of(list(BODIES)),
    "shape": several(side, 3),
    "grid": optional(several(side, 2)),
    "channels": optional(width),
    "depth": number(int, 0, 64),
    "activation": one_of(list(ACTIVATIONS)),
    "norm": one_of(list(NORMS)),
    "dropout": number(float, 0, 1),
    "width": width,
}


@dataclass(frozen=True)
class EncoderFile:
    """What a folder says of an encoder.

    Attributes:
        config: what it is made of.
        planes: names of the planes that its decoder tells; empty if it has none.
        about: what it was trained on and how good it is, for people: numbers, words, and tables of them.
    """

    config: EncoderConfig
    planes: tuple[str, ...]
    about: dict[str, Any]


def write_encoder(path: Any, network: nn.Module, about: Mapping[str, Any]) -> None:
    """Write a `PictureEncoder` or `PlanesDecoder`, whole or not at all; raises CheckpointError."""
    encoder = network.encoder if isinstance(network, PlanesDecoder) else network
    assert isinstance(encoder, PictureEncoder)
    tensors = {name: x.detach().cpu().contiguous() for name, x in network.state_dict().items()}
    content = safetensors.torch.save(tensors)
    digest = hashlib.sha256(content).hexdigest()
    name = f"encoder-{digest[:16]}.safetensors"
    facts = {
        "format": FORMAT,
        "ludus": version("ludus"),
        "config": asdict(encoder.config),
        "planes": list(network.planes) if isinstance(network, PlanesDecoder) else [],
        "about": dict(about),
        "weights": {"file": name, "sha256": digest},
    }
    facts = parse_json(to_json(facts), NAME)  # tuples become lists, as they will be read
    folder = path_of(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with turn_in(folder):
            write_whole(folder / name, content)
            sync_folder(folder)
            write_whole(folder / NAME, to_json({**facts, "sha256": digest_of(facts)}))
            sync_folder(folder)
            for other in folder.iterdir():
                if WEIGHTS.fullmatch(other.name) and other.name != name:
                    with suppress(OSError):
                        other.unlink()
    except OSError as error:
        raise CheckpointError(f"cannot save the encoder in {folder}: {error.strerror or error}") from error


def read_encoder(path: Any) -> tuple[nn.Module, EncoderFile]:
    """The `PlanesDecoder`, or the `PictureEncoder` of a folder without one, and what it says; raises CheckpointError."""
    place = Folder(path_of(path))
    name = place.name_of(NAME)
    if not (place.path / NAME).exists():
        raise CheckpointError(f"{place.path} has no {NAME}: give what `ludus pretrain` wrote")
    facts = parse_json(place.read(NAME, MAX_JSON), name)
    if facts.get("format") != FORMAT:
        raise CheckpointError(f"{name} has format {short(facts.get('format'))}, this Ludus reads {FORMAT}")
    if digest_of(facts) != facts.get("sha256"):
        raise CheckpointError(f"{name} is damaged or was edited: its SHA-256 is not that of what it says")
    try:
        about = described(facts)
        file = facts["weights"]["file"]
        if not WEIGHTS.fullmatch(file):
            raise ValueError(f"its weights cannot be in {short(repr(file))}")
        with torch.device("meta"):  # memory is taken only for a file that is as large as it should be
            network = make_network(about.config, about.planes)
        digest = facts["weights"]["sha256"]
    except CheckpointError:
        raise
    except Exception as error:  # whatever a stranger's file may bring about
        raise CheckpointError(f"{name} does not describe an encoder: {short(error)}") from error
    expected: dict[str, Tensor] = dict(network.state_dict())
    network.load_state_dict(read_tensors(place, file, digest, expected), assign=True)
    return network.eval(), about


def described(facts: Mapping[str, Any]) -> EncoderFile:
    """What a description says, checked; raises ValueError."""
    planes = several(text, 256)("planes", facts["planes"])
    return EncoderFile(encoder_config(facts["config"]), tuple(map(str, planes)), dict(facts["about"]))


def encoder_config(facts: Any) -> EncoderConfig:
    """A config from what JSON has of it; raises ValueError."""
    found = table(CONFIG, needed=("kind", "shape"))("config", facts)
    for name in ("shape", "grid"):
        if found.get(name) is not None:
            found[name] = tuple(found[name])
    return EncoderConfig(**found)


def make_network(config: EncoderConfig, planes: tuple[str, ...]) -> nn.Module:
    """With weights as they begin."""
    encoder = PictureEncoder(config)
    return PlanesDecoder(encoder, planes) if planes else encoder
