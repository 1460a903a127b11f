"""Policies on pretrained encoders: frozen in front of the network that learns, or its first layers, to be fine-tuned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, NatureCNN
from torch import Tensor, nn

from ...envs import OptionError
from .frozen import FrozenEncoder, as_pictures, one_by_one
from .pretrained import Pretrained


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
        encoder, stacked = encoder.for_agents(), encoder.pictures_in(observation_space)
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
