"""Encoders: networks from an observation to features, on top of which policies have an actor and a critic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import get_flattened_obs_dim, is_image_space
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn
from torch.nn import functional as F

from ...envs import OptionError


class MlpEncoder(BaseFeaturesExtractor):
    """Fully connected layers with ReLU over the flattened observation.

    Args:
        observation_space: any that Stable-Baselines3 has a policy for; numbers of `Discrete` and `MultiDiscrete` come in
            one-hot, as its preprocessing makes them, and the parts of a dictionary side by side.
        sizes: width of each layer.
    """

    def __init__(self, observation_space: spaces.Space, sizes: Sequence[int] = (128, 128)) -> None:
        super().__init__(observation_space, features_dim=sizes[-1])
        parts = observation_space.spaces if isinstance(observation_space, spaces.Dict) else {"": observation_space}
        self.parts, inputs = list(parts), sum(get_flattened_obs_dim(part) for part in parts.values())
        widths = [inputs, *sizes]
        pairs = zip(widths[:-1], widths[1:], strict=True)
        layers = [layer for a, b in pairs for layer in (nn.Linear(a, b), nn.ReLU(inplace=True))]
        self.layers = nn.Sequential(nn.Flatten(), *layers)

    def forward(self, obs: Any) -> Tensor:
        if isinstance(obs, dict):
            obs = torch.cat([obs[name].flatten(1) for name in self.parts], 1)
        return self.layers(obs)  # (B, *shape) -> (B, sizes[-1])


class ConvEncoder(BaseFeaturesExtractor):
    """A stack of convolutions and one fully connected layer with ReLU; the encoders below differ in the stack.

    Observations are planes as games give them, channels last, or images that Stable-Baselines3 transposed, channels first.

    Args:
        observation_space: a `Box` of three axes.
        convolution: from (B, C, H, W) to any (B, ...), which is flattened.
        width: of the layer after it.
        padding: zeros on the left, right, top and bottom.
    """

    def __init__(
        self,
        observation_space: spaces.Box,
        convolution: nn.Sequential,
        width: int,
        padding: Sequence[int] = (0, 0, 0, 0),
    ) -> None:
        super().__init__(observation_space, features_dim=width)
        self.channels_last = not is_image_space(observation_space)
        self.convolution, self.padding = convolution, tuple(padding)
        with torch.no_grad():
            flat = self._flat(torch.zeros(1, *observation_space.shape)).shape[1]
        self.layer = nn.Sequential(nn.Linear(flat, width), nn.ReLU(inplace=True))

    def _channels_first(self, obs: Tensor) -> Tensor:
        return obs.permute(0, 3, 1, 2) if self.channels_last else obs  # (B, H, W, C) -> (B, C, H, W), without a copy

    def _flat(self, obs: Tensor) -> Tensor:
        """(B, C', H', W') after the convolutions -> (B, H' W' C'): they are channels-last in memory, so nothing is copied."""
        x = self._channels_first(obs)
        x = F.pad(x, self.padding) if any(self.padding) else x
        return self.convolution(x).permute(0, 2, 3, 1).flatten(1)

    def forward(self, obs: Tensor) -> Tensor:
        return self.layer(self._flat(obs))  # (B, H, W, C) -> (B, width)


class MinAtarCnn(ConvEncoder):
    """One 3x3 convolution of 16 channels and one layer of 128, the network of Young & Tian 2019.

    Raises OptionError for observations smaller than 3x3.

    Args:
        observation_space: planes (H, W, C) or images (C, H, W).
        channels: of the convolution.
        width: of the layer after it.
    """

    def __init__(self, observation_space: spaces.Box, channels: int = 16, width: int = 128) -> None:
        planes = _planes(observation_space, "cnn", at_least=3)
        convolution = nn.Sequential(nn.Conv2d(planes, channels, 3), nn.ReLU(inplace=True))
        super().__init__(observation_space, convolution, width)


class NatureCnn(ConvEncoder):
    """The network of DQN for 84x84 pixels (Mnih et al. 2015): convolutions 8x8/4, 4x4/2 and 3x3/1, a layer of 512.

    Pictures whose sides its strides would not cover, such as 64x64, get zeros around them, see `nature_padding`.

    Raises OptionError for observations smaller than 36x36.

    Args:
        observation_space: planes (H, W, C) or images (C, H, W).
        width: of the layer after the convolutions.
    """

    def __init__(self, observation_space: spaces.Box, width: int = 512) -> None:
        planes = _planes(observation_space, "nature", at_least=36)
        convolution = nn.Sequential(
            nn.Conv2d(planes, 32, 8, stride=4),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(inplace=True),
        )
        shape = observation_space.shape
        sides = shape[1:] if is_image_space(observation_space) else shape[:2]
        super().__init__(observation_space, convolution, width, nature_padding(*sides))


def nature_padding(height: int, width: int) -> tuple[int, int, int, int]:
    """Columns on the left and right and rows above and below, with which the Nature network sees all of a picture.

    Its three convolutions look through windows of 36 pixels, each 8 after the last. What is left over, of 64 pixels the last
    4, would not be seen, and in Breakout that is where the paddle is. None are needed for 84, the size it was made for.
    """
    left_over = [-(side - 36) % 8 for side in (width, height)]
    return left_over[0] // 2, -(-left_over[0] // 2), left_over[1] // 2, -(-left_over[1] // 2)


class ImpalaCnn(ConvEncoder):
    """The residual tower of IMPALA (Espeholt et al. 2018, figure 3): 15 convolutions, for planes and pixels of any size.

    Args:
        observation_space: planes (H, W, C) or images (C, H, W).
        channels: of each of the blocks, which halve height and width.
        width: of the layer after them.
    """

    def __init__(self, observation_space: spaces.Box, channels: Sequence[int] = (16, 32, 32), width: int = 256) -> None:
        sizes = [_planes(observation_space, "impala"), *channels]
        blocks = [_impala_block(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
        super().__init__(observation_space, nn.Sequential(*blocks, nn.ReLU(inplace=True)), width)


def _impala_block(planes: int, channels: int) -> nn.Sequential:
    """(B, planes, H, W) -> (B, channels, H/2, W/2), rounded up."""
    return nn.Sequential(
        nn.Conv2d(planes, channels, 3, padding=1),
        nn.MaxPool2d(3, stride=2, padding=1),
        Residual(channels),
        Residual(channels),
    )


class Residual(nn.Module):
    """x + conv(relu(conv(relu(x)))), shape (B, channels, H, W) in and out (He et al. 2016, with pre-activation)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(),  # not in place: x is needed for the sum
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _planes(space: spaces.Box, encoder: str, at_least: int = 1) -> int:
    """The number of channels of `space`; raises OptionError if the encoder of this name cannot take it."""
    if not isinstance(space, spaces.Box) or len(space.shape) != 3:
        shape = f"of shape {space.shape}" if isinstance(space, spaces.Box) else str(space)
        raise OptionError(f"encoder {encoder!r} takes images or planes, got observations {shape}: use 'mlp'")
    channels, height, width = space.shape if is_image_space(space) else (space.shape[2], *space.shape[:2])
    if min(height, width) < at_least:
        raise OptionError(
            f"encoder {encoder!r} needs at least {at_least}x{at_least} pixels, got {height}x{width}: "
            "use 'impala', which takes any size"
        )
    return channels


ENCODERS: dict[str, type[BaseFeaturesExtractor]] = {
    "mlp": MlpEncoder,
    "cnn": MinAtarCnn,
    "nature": NatureCnn,
    "impala": ImpalaCnn,
}
