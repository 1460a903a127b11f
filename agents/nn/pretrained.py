"""Pretrained encoders in policies: frozen in front of the network that learns, or its first layers, to be fine-tuned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, NatureCNN
from torch import Tensor, nn
from torch.random import fork_rng

from ...envs import OptionError
from .classifier import Classifier
from .text import TextConfig, TextEncoder
from .vision import ClonedPolicy, EncoderConfig, PictureEncoder, PlanesDecoder

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


class FrozenEncoder(nn.Module):
    """Pictures (B, K * C, H, W) uint8 -> what the network that learns sees in their place; it is never trained.

    Its weights are buffers, so that no optimizer has them and no gradient goes there.

    Args:
        pretrained: the encoder.
        decode: give planes, (B, rows, columns, K * P) uint8 of 0 and 1; else the spatial maps, flat, (B, K * F * h * w)
            float32.
        stacked: K, pictures in an observation, each of which is encoded by itself.

    Attributes:
        space: of what it gives.
        tells_planes: whether that is planes.
    """

    def __init__(self, pretrained: Pretrained, decode: bool, stacked: int = 1) -> None:
        super().__init__()
        if decode and not pretrained.planes:
            raise OptionError("decode needs an encoder that tells planes, of `ludus pretrain --method planes`")
        self.tells_planes, self.stacked = decode, stacked
        self.network: Any = pretrained.network() if decode else pretrained.encoder()
        for module in self.network.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, weight.detach())
        encoder = self.network.encoder if decode else self.network
        del encoder.layer  # of which neither makes use
        if decode:
            self.space = spaces.Box(0, 1, (*encoder.map_shape[1:], stacked * len(pretrained.planes)), np.uint8)
        else:
            self.space = spaces.Box(-np.inf, np.inf, (stacked * int(np.prod(encoder.map_shape)),), np.float32)
        self.eval()

    def train(self, mode: bool = True) -> FrozenEncoder:
        """It stays as it is: no dropout, no batch statistics."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        if not self.tells_planes:
            return self.features(pictures)
        planes = self.network.decode(one_by_one(pictures, self.stacked))  # (B * K, rows, columns, P)
        return planes.unflatten(0, (-1, self.stacked)).permute(0, 2, 3, 1, 4).flatten(3)

    def features(self, pictures: Tensor) -> Tensor:
        """The spatial maps, flat, through which gradients go back to pictures of floats from 0 to 1."""
        maps = self.network.spatial(one_by_one(pictures, self.stacked)) / self.network.map_scale
        return maps.reshape(len(pictures), -1)


def as_pictures(obs: Tensor) -> Tensor:
    """Observations from 0 to 255 as encoders take them: uint8 as they are, others from 0 to 1."""
    return obs if obs.dtype == torch.uint8 else obs.float() / 255


def one_by_one(pictures: Tensor, stacked: int) -> Tensor:
    """Stacks (B, K * C, H, W), the newest picture last -> their pictures (B * K, C, H, W)."""
    return pictures.unflatten(1, (stacked, -1)).flatten(0, 1) if stacked > 1 else pictures


def modules_outside(network: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    """All modules of a network but those of this kind, and what is in them."""
    inside = {id(part) for module in network.modules() if isinstance(module, kind) for part in module.modules()}
    return [module for module in network.modules() if id(module) not in inside]


class PretrainedExtractor(BaseFeaturesExtractor):
    """A pretrained encoder as `features_extractor_class`, also in Stable-Baselines3's own agents.

    Args:
        observation_space: pictures of the encoder's size, or stacks of them, whose features come one after the other.
        encoder: a `Pretrained`, as `ludus.agents.load_encoder` gives it.
        trainable: whether it learns along; else it stays as it is, in evaluation mode.

    The encoder divides by 255 what is uint8 and takes floats from 0 to 1, as policies with `normalize_images` give them.
    """

    def __init__(self, observation_space: spaces.Space, encoder: Pretrained, trainable: bool = True) -> None:
        if not isinstance(encoder, Pretrained):
            raise OptionError(
                f"encoder must be what ludus.agents.load_encoder(FOLDER) gives, got {type(encoder).__name__}"
            )
        stacked = encoder.pictures_in(observation_space)
        super().__init__(observation_space, features_dim=stacked * encoder.config.width)
        self.encoder, self.stacked = encoder.encoder(), stacked
        config: Any = encoder.config
        shape: Any = observation_space.shape
        self.channels_last = shape[:2] == config.shape[:2]
        self.encoder.requires_grad_(trainable)
        self.trainable = trainable

    def train(self, mode: bool = True) -> PretrainedExtractor:
        """One that is frozen has no dropout and keeps its statistics."""
        super().train(mode)
        if not self.trainable:
            self.encoder.train(False)
        return self

    def apply(self, fn: Callable[[nn.Module], None]) -> PretrainedExtractor:
        """As PyTorch's; but Stable-Baselines3's orthogonal initialization, which comes by it, leaves the weights alone."""
        return self if getattr(fn, "func", fn) is BasePolicy.init_weights else super().apply(fn)

    def forward(self, obs: Tensor) -> Tensor:
        pictures = one_by_one(obs.permute(0, 3, 1, 2) if self.channels_last else obs, self.stacked)
        return self.encoder(pictures).reshape(len(obs), -1)


class OnPretrained:
    """Mixin for policies, to be put before Stable-Baselines3's: arguments that are for a pretrained encoder.

    Args:
        encoder: a `Pretrained`; None: none.
        freeze: keep it as it is and learn from its spatial map; each picture goes through it once.
        decode: learn from the planes that it tells, as if the game showed them.
        finetune_lr: learning rate of the encoder where that of the rest is at its highest, if it is to be another; they are
            annealed alike.

    Attributes:
        frozen: the encoder in front of the network, or None. The policy's `observation_space` is then that of what it
            gives, which rollouts hold; `predict` takes pictures.
        seen_space: of observations as the environment gives them.
    """

    frozen: FrozenEncoder | None

    def __init__(
        self,
        observation_space: spaces.Space,
        *args: Any,
        encoder: Pretrained | None = None,
        freeze: bool = False,
        decode: bool = False,
        finetune_lr: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.seen_space, frozen = observation_space, None
        told = {"freeze": freeze, "decode": decode, "finetune_lr": finetune_lr is not None}
        chosen = [name for name, given in told.items() if given]
        if chosen and encoder is None:
            raise OptionError(f"{chosen[0]} needs an encoder: give encoder, the folder that `ludus pretrain` wrote")
        if len(chosen) > 1:
            raise OptionError(f"{' and '.join(chosen)} exclude each other: give one of them")
        if encoder is not None:
            stacked = encoder.pictures_in(observation_space)
            if freeze or decode:
                frozen = FrozenEncoder(encoder, decode, stacked)
                observation_space = frozen.space
                if kwargs.get("features_extractor_class", getattr(self, "extractor", None)) is NatureCNN:
                    raise OptionError(
                        f"CnnPolicy is for pictures, and with {'decode' if decode else 'freeze'} the network sees what the "
                        f"encoder gives: use {'cnn' if decode else 'mlp'!r}"
                    )
            else:
                kwargs["features_extractor_class"] = PretrainedExtractor
                kwargs["features_extractor_kwargs"] = {"encoder": encoder}
        super().__init__(observation_space, *args, **kwargs)  # type: ignore[call-arg]
        self.frozen = frozen
        self._told = {"encoder": encoder, "freeze": freeze, "decode": decode, "finetune_lr": finetune_lr}
        if finetune_lr is not None:
            schedule = args[1] if len(args) > 1 else kwargs["lr_schedule"]
            self._split_optimizer(finetune_lr, max(map(schedule, np.linspace(0, 1, 101).tolist())))
        if encoder is not None and encoder.actions and frozen is None and hasattr(self, "action_net"):
            self._begin_as(encoder)

    def _begin_as(self, cloned: Pretrained) -> None:
        """Act at first as the policy that was cloned; raises OptionError if this one is made otherwise."""
        policy: Any = self
        layer = policy.action_net
        if tuple(layer.weight.shape) != (len(cloned.actions), cloned.config.width):
            raise OptionError(
                f"the encoder's policy chooses from {len(cloned.actions)} actions by {cloned.config.width} features, this "
                f"one from {layer.out_features} by {layer.in_features}: take the policy 'nature' and the same actions"
            )
        if cloned.weights is not None:
            with torch.no_grad():
                layer.weight.copy_(cloned.weights["head.weight"])
                layer.bias.copy_(cloned.weights["head.bias"])

    def _split_optimizer(self, finetune_lr: float, peak: float) -> None:
        """Two groups of parameters: the encoder's, whose learning rate is `lr_scale` times the other's, at most `peak`."""
        policy: Any = self
        base = policy.optimizer.param_groups[0]["lr"]
        if finetune_lr <= 0:
            raise OptionError(f"finetune_lr must be above 0, got {finetune_lr}: freeze keeps the encoder as it is")
        weights = [weight for group in policy.optimizer.param_groups for weight in group["params"]]
        own = {id(x) for m in policy.modules() if isinstance(m, PretrainedExtractor) for x in m.encoder.parameters()}
        groups = [
            {"params": [weight for weight in weights if id(weight) not in own]},
            {
                "params": [weight for weight in weights if id(weight) in own],
                "lr_scale": finetune_lr / peak if peak > 0 else 1.0,  # nothing learns at a rate of 0
            },
        ]
        policy.optimizer = policy.optimizer_class(groups, lr=base, **policy.optimizer_kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        told = {name: value for name, value in self._told.items() if value} if self._told["encoder"] else {}
        found = super()._get_constructor_parameters()  # type: ignore[misc]
        if not told:
            return found
        return {**found, **told, "observation_space": self.seen_space}

    def obs_to_tensor(self, observation: Any) -> tuple[Any, bool]:
        """Observations as the network takes them, and whether there were several; see Stable-Baselines3."""
        if self.frozen is None:
            return super().obs_to_tensor(observation)  # type: ignore[misc]
        pictures, several = self.pictures_to_tensor(observation)
        return self.frozen(pictures), several

    def pictures_to_tensor(self, observation: Any) -> tuple[Tensor, bool]:
        """Observations as the frozen encoder takes them, (N, C, H, W), and whether there were several."""
        assert self.frozen is not None
        shape: Any = self.seen_space.shape
        pictures = np.asarray(observation)
        several = pictures.ndim == len(shape) + 1
        if (
            pictures.ndim >= len(shape) and pictures.shape[-3:] != shape
        ):  # channels last, of an environment not transposed
            pictures = np.moveaxis(pictures, -1, -3)
        if pictures.shape[-3:] != shape or not (several or pictures.ndim == len(shape)):
            raise ValueError(f"observations must be {shape} or (N, {', '.join(map(str, shape))}), got {pictures.shape}")
        device = next(self.frozen.buffers()).device
        return as_pictures(torch.as_tensor(pictures.reshape(-1, *shape), device=device)), several

    def encoded(self, obs: Any) -> Any:
        """Pictures as the frozen encoder gives them; what it gave is left as it is.

        Ludus's agents encode pictures once, Stable-Baselines3's own give them to the policy again and again.
        """
        if self.frozen is None or not isinstance(obs, Tensor) or obs.shape[1:] != self.seen_space.shape:
            return obs
        return self.frozen(as_pictures(obs))
