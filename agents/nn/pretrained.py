"""A pretrained encoder, with what stands on it, as files and policies have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space
from torch import Tensor
from torch.random import fork_rng

from ...envs import OptionError
from .classifier import Classifier
from .text import TextConfig, TextEncoder
from .vision import ClonedPolicy, EncoderConfig, PictureEncoder, PlanesDecoder, without_batch_norm

TEXT = "text"  # the kind of encoder that reads texts, in files
UNLIKELY = 2.0  # logits of actions that a cloned policy does not know are so much below its bias for the rarest


@dataclass(frozen=True)
class Pretrained:
    """An encoder as policies take it.

    Attributes:
        config: what it is made of.
        planes: names of the planes that its decoder tells; empty if it has none.
        actions: names of the actions that its policy chooses from; empty if it has none.
        classes: names of those that its classifier tells; empty if it has none. `several`: an input may have several.
        weights: of `network()`, by name; None where they come later, as from an agent's file.
    """

    config: EncoderConfig | TextConfig
    planes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    several: bool = False
    weights: Mapping[str, Tensor] | None = field(default=None, compare=False, repr=False)

    def network(self) -> Any:
        """A copy of its own: the encoder, or a `PlanesDecoder`, `ClonedPolicy` or `Classifier` on it."""
        with fork_rng(devices=[]):  # what a policy draws next is the same with it and without
            network: Any = (
                TextEncoder(self.config) if isinstance(self.config, TextConfig) else PictureEncoder(self.config)
            )
            if self.planes:
                network = PlanesDecoder(network, self.planes)
            elif self.actions:
                network = ClonedPolicy(network, self.actions)
            elif self.classes:
                network = Classifier(network, self.classes, self.several)
        if self.weights is not None:
            network.load_state_dict(dict(self.weights))
        return network.eval()

    def for_actions(self, names: Sequence[str]) -> Pretrained:
        """The same, with its policy's outputs in the order of these actions; those it does not know are rarely chosen.

        Without a policy it is as it is; raises OptionError where no action has a name that it knows.
        """
        if not self.actions or self.weights is None or tuple(names) == self.actions:
            return self
        known = [self.actions.index(name) if name in self.actions else -1 for name in names]
        if max(known) < 0:
            raise OptionError(
                f"the encoder's policy chooses from {', '.join(self.actions)}, here are {', '.join(names)}: take an encoder "
                "that was cloned in this game"
            )
        weight, bias = self.weights["head.weight"], self.weights["head.bias"]
        there = torch.tensor(known) >= 0
        weight = torch.where(there[:, None], weight[known], 0.0)
        bias = torch.where(there, bias[known], bias.min() - UNLIKELY)
        return replace(self, actions=tuple(names), weights={**self.weights, "head.weight": weight, "head.bias": bias})

    def facts(self) -> dict[str, Any]:
        """What an agent's file says of it; the weights are among the agent's."""
        config = {**({"kind": TEXT} if isinstance(self.config, TextConfig) else {}), **asdict(self.config)}
        facts = {"config": config, "planes": list(self.planes), "actions": list(self.actions)}
        return facts if not self.classes else {**facts, "classes": list(self.classes), "several": self.several}

    def encoder(self) -> Any:
        """The same without what stands on it."""
        network = self.network()
        return getattr(network, "encoder", network)

    def for_agents(self) -> Pretrained:
        """The same as agents take it: without a classifier, and batch normalization in the weights of its convolutions."""
        if self.weights is None or not (self.classes or getattr(self.config, "norm", None) == "batch"):
            return self
        network = self.network().encoder if self.classes else self.network()
        encoder = getattr(network, "encoder", network)
        if isinstance(encoder, PictureEncoder):
            encoder = without_batch_norm(encoder)
        if hasattr(network, "encoder"):
            network.encoder = encoder
        else:
            network = encoder
        return replace(self, config=encoder.config, classes=(), several=False, weights=network.state_dict())

    def pictures_in(self, space: spaces.Space) -> int:
        """How many pictures of the encoder's size an observation is, as a stack; raises OptionError if it is none."""
        if isinstance(self.config, TextConfig):
            raise OptionError(f"the encoder reads texts, observations are {space}: give an encoder of pictures")
        height, width, channels = self.config.shape
        shape: Any = None
        if isinstance(space, spaces.Box) and len(space.shape) == 3 and space.dtype.kind == "f":
            raise OptionError(
                f"the encoder sees pictures of whole numbers from 0 to 255, observations are of {space.dtype}: leave their "
                "normalization out, as VecNormalize(norm_obs=False) does"
            )
        if isinstance(space, spaces.Box) and is_image_space(space):
            first = space.shape[1:] == (height, width)
            shape = (*space.shape[1:], space.shape[0]) if first else space.shape
        colours = (
            channels == 1 and shape is not None and shape[2] % 3 == 0
        )  # which might as well be three gray pictures
        if shape is None or shape[:2] != (height, width) or shape[2] % channels or colours:
            kind = {1: "grayscale", 3: "rgb"}.get(channels, f"{channels} channels")
            raise OptionError(
                f"the encoder sees {kind} pictures of {height}x{width}, observations are {space}: "
                f"give obs_type={kind!r} and size={height}"
            )
        return shape[2] // channels
