"""What sees: networks from an observation to features. Policies put an actor and a critic on top of one of these."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn


class MlpEncoder(BaseFeaturesExtractor):
    """Fully connected layers with ReLU over the flattened observation.

    Args:
        observation_space: any `Box`.
        sizes: width of each layer.
    """

    def __init__(self, observation_space: spaces.Box, sizes: Sequence[int] = (128, 128)) -> None:
        super().__init__(observation_space, features_dim=sizes[-1])
        widths = [int(np.prod(observation_space.shape)), *sizes]
        layers = [layer for a, b in zip(widths[:-1], widths[1:], strict=True) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.layers = nn.Sequential(nn.Flatten(), *layers)

    def forward(self, obs: Tensor) -> Tensor:
        return self.layers(obs)  # (B, *shape) -> (B, sizes[-1])


class MinAtarCnn(BaseFeaturesExtractor):
    """One 3x3 convolution of 16 channels and one layer of 128, the network of Young & Tian 2019.

    Takes planes as the games give them, channels last; images that Stable-Baselines3 transposed are taken as they are.

    Args:
        observation_space: a `Box` of three axes.
        channels: of the convolution.
        width: of the layer after it.
    """

    def __init__(self, observation_space: spaces.Box, channels: int = 16, width: int = 128) -> None:
        super().__init__(observation_space, features_dim=width)
        self.channels_last = not is_image_space(observation_space)
        planes = observation_space.shape[-1 if self.channels_last else 0]
        self.convolution = nn.Sequential(nn.Conv2d(planes, channels, 3), nn.ReLU(), nn.Flatten())
        with torch.no_grad():
            flat = self.convolution(self._channels_first(torch.zeros(1, *observation_space.shape))).shape[1]
        self.layer = nn.Sequential(nn.Linear(flat, width), nn.ReLU())

    def _channels_first(self, obs: Tensor) -> Tensor:
        return (
            obs.permute(0, 3, 1, 2) if self.channels_last else obs
        )  # (B, H, W, C) -> (B, C, H, W), channels_last memory

    def forward(self, obs: Tensor) -> Tensor:
        return self.layer(self.convolution(self._channels_first(obs)))  # (B, H, W, C) -> (B, width)


class MlpActorCritic(ActorCriticPolicy):
    """Policy `mlp`: one MLP shared by actor and critic."""

    def __init__(self, *args, features_extractor_class: type[BaseFeaturesExtractor] = MlpEncoder, **kwargs) -> None:
        kwargs.setdefault("net_arch", [])
        kwargs.setdefault("optimizer_kwargs", {"eps": 1e-5, "fused": True})
        super().__init__(*args, features_extractor_class=features_extractor_class, **kwargs)


class CnnActorCritic(MlpActorCritic):
    """Policy `cnn`: the MinAtar network, shared by actor and critic."""

    def __init__(self, *args, features_extractor_class: type[BaseFeaturesExtractor] = MinAtarCnn, **kwargs) -> None:
        super().__init__(*args, features_extractor_class=features_extractor_class, **kwargs)
