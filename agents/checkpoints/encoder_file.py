"""A pretrained encoder on disk: a folder with its description in JSON and its weights in a safetensors file.

    encoder.json                    what it is made of, what it was trained on, and how good it is
    encoder-<digest>.safetensors    its weights

As with agents, nothing in it is executed, and a folder holds a whole encoder whenever the power goes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ...envs import Simulator
from ..files.described import description_of, numbers_of, read_description, write_description, writing
from ..files.safe_io import CheckpointError, Folder, path_of, read_tensors, short, write_whole
from ..nn.pretrained import Pretrained
from .encoder_facts import PARTS, read_pretrained

NAME = "encoder.json"
FORMAT = 1
WEIGHTS = re.compile(r"encoder-[0-9a-f]{16}\.safetensors")


@dataclass(frozen=True)
class EncoderFile:
    """What a folder says of an encoder.

    Attributes:
        encoder: itself, with its weights.
        about: what it was trained on and how good it is, for people: numbers, words, and tables of them.
    """

    encoder: Pretrained
    about: dict[str, Any]


def save_encoder(path: Any, network: nn.Module, about: Mapping[str, Any]) -> None:
    """Write a network that was pretrained, of `Pretrained.network`, whole or not at all; raises CheckpointError."""
    tensors = {name: x.detach().cpu().contiguous() for name, x in network.state_dict().items()}
    folder, weights = path_of(path), safetensors.torch.save(tensors)
    said = numbers_of("encoder", weights)
    content = _description(network, about, said)
    with writing(folder, "the encoder"):
        write_whole(folder / said["file"], weights)
        write_description(folder, NAME, content, WEIGHTS, {said["file"]})


def check_can_be_kept(network: nn.Module) -> None:
    """Raise CheckpointError for a network that `save_encoder` will refuse; it is for asking before a long training."""
    _description(network, {}, {"file": f"encoder-{0:016}.safetensors", "sha256": ""})


def _description(network: nn.Module, about: Mapping[str, Any], weights: Mapping[str, str]) -> bytes:
    facts = {"format": FORMAT, "ludus": version("ludus"), **pretrained_of(network).facts(), "about": dict(about)}
    return description_of(NAME, {**facts, "weights": weights}, _described)


def pretrained_of(network: nn.Module) -> Pretrained:
    """A network that was pretrained as policies take it; the weights are its own."""
    encoder: Any = getattr(network, "encoder", network)
    names = {name: getattr(network, name, ()) for name in ("planes", "actions", "classes")}
    return Pretrained(encoder.config, **names, several=getattr(network, "several", False), weights=network.state_dict())


def load_encoder(path: Any) -> Pretrained:
    """The encoder in a folder that `ludus pretrain` wrote; nothing in it is executed. Raises CheckpointError."""
    return read_encoder(path).encoder


def read_encoder(path: Any) -> EncoderFile:
    """The encoder in a folder, and what its description says; raises CheckpointError."""
    place = Folder(path_of(path))
    name = place.name_of(NAME)
    if not (place.path / NAME).exists():
        raise CheckpointError(f"{place.path} has no {NAME}: give what `ludus pretrain` wrote")
    facts = read_description(place, NAME, FORMAT)
    try:
        encoder, (file, digest), expected = _described(facts)
        about = dict(facts["about"])
    except Exception as error:  # whatever a stranger's file may bring about
        raise CheckpointError(f"{name} does not describe an encoder: {short(error)}") from error
    return EncoderFile(replace(encoder, weights=read_tensors(place, file, digest, expected)), about)


def _described(facts: Mapping[str, Any]) -> tuple[Pretrained, tuple[str, str], dict[str, Tensor]]:
    """The encoder without its weights, their file and its SHA-256, and tensors like them; raises what comes about."""
    encoder = read_pretrained("encoder", {part: facts[part] for part in PARTS if part in facts})
    file, digest = facts["weights"]["file"], facts["weights"]["sha256"]
    if not WEIGHTS.fullmatch(file):
        raise ValueError(f"its weights cannot be in {short(repr(file))}")
    with torch.device("meta"):  # memory is taken only for a file that is as large as it should be
        return encoder, (file, digest), dict(encoder.network().state_dict())


def with_encoder(policy_kwargs: Any) -> Any:
    """Arguments of a policy with the encoder itself, as agents take it, in the place of its folder's name.

    Raises CheckpointError.
    """
    encoder = policy_kwargs.get("encoder") if isinstance(policy_kwargs, Mapping) else None
    if encoder is None:
        return policy_kwargs
    encoder = encoder if isinstance(encoder, Pretrained) else load_encoder(encoder)
    return {**policy_kwargs, "encoder": encoder.for_agents()}


def for_game(policy_kwargs: Any, sim: Simulator) -> Any:
    """Arguments of a policy whose encoder, if it has one, chooses from the actions of a game; see `Pretrained.for_actions`.

    Warns where planes are decoded that the game does not have.
    """
    encoder = (policy_kwargs or {}).get("encoder")
    if encoder is None:
        return policy_kwargs
    if policy_kwargs.get("decode") and encoder.planes not in ((), sim.game.planes):
        theirs, ours = (short(", ".join(planes) or "none") for planes in (encoder.planes, sim.game.planes))
        warnings.warn(
            f"the encoder is of another game: it tells {theirs}; planes of {sim.game.name}: {ours}", stacklevel=4
        )
    return {**policy_kwargs, "encoder": encoder.for_actions(sim.actions)}
