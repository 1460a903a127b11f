"""Picture encoders that are pretrained: a spatial map, and features of one layer on top of it.

Every one subtracts the mean picture of its training data and divides by a scale, which are part of it: what is left are
the few pixels that differ from picture to picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ...envs import OptionError
from .encoders import _impala_block, nature_padding

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True), "silu": lambda: nn.SiLU(inplace=True), "gelu": nn.GELU, "tanh": nn.Tanh,
}  # fmt: skip
NORMS = ("none", "batch", "layer")


@dataclass(frozen=True)
class EncoderConfig:
    """What a picture encoder is made of; plain numbers and words, as its file has them.

    Attributes:
        kind: of `BODIES`.
        shape: (H, W, C) of the pictures, as environments give them.
        grid: rows and columns of the spatial map of "grid".
        channels: of the spatial map; None: as published; of "grid", 32.
        depth: convolutions after the first, of "grid"; others are as published.
        activation: relu, silu, gelu or tanh.
        norm: none, batch or layer, after each convolution; "impala" has none.
        dropout: probability of zeroing a channel of the map while training.
        width: features of the output layer.
    """

    kind: str
    shape: tuple[int, int, int]
    grid: tuple[int, int] | None = None
    channels: int | None = None
    depth: int = 2
    activation: str = "relu"
    norm: str = "none"
    dropout: float = 0.0
    width: int = 512


class PictureEncoder(nn.Module):
    """Pictures (B, C, H, W), uint8 or floats from 0 to 1 -> features (B, width).

    Args:
        config: what it is made of.

    Attributes:
        mean: (C, H, W), the mean picture, from 0 to 1; `scale` (), the standard deviation around it.
        map_scale: (), root mean square of the spatial map, by which it is divided where another network learns from it.
        map_shape: (F, h, w) of the spatial map.
    """

    mean: Tensor
    scale: Tensor
    map_scale: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        _refuse_unused(config)
        height, width, channels = config.shape
        self.config = config
        self.register_buffer("mean", torch.zeros(channels, height, width))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("map_scale", torch.ones(()))
        self.body = BODIES[config.kind](config)
        self.padding = nature_padding(height, width) if config.kind == "nature" else ()
        self.dropout = nn.Dropout2d(config.dropout)
        with torch.no_grad():
            shape = self.eval().spatial(torch.zeros(1, channels, height, width)).shape[1:]
        self.train()
        self.map_shape = int(shape[0]), int(shape[1]), int(shape[2])
        self.layer = nn.Sequential(nn.Linear(shape.numel(), config.width), ACTIVATIONS[config.activation]())

    def fit_statistics(self, pictures: Tensor) -> None:
        """Take the mean picture and the scale from pictures (N, C, H, W) uint8."""
        x = pictures.float() / 255
        self.mean.copy_(x.mean(0))
        self.scale.copy_((x - self.mean).square().mean().sqrt().clamp(min=1e-3))

    @torch.no_grad()
    def fit_map_scale(self, pictures: Tensor) -> None:
        """Take the scale of the spatial map from pictures (N, C, H, W) uint8."""
        squares = [self.spatial(some).square().mean((1, 2, 3)) for some in pictures.split(256)]
        self.map_scale.copy_(torch.cat(squares).mean().sqrt().clamp(min=1e-6))

    def standardized(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W), uint8 or from 0 to 1 -> mean 0 at every pixel, standard deviation 1 over all."""
        if pictures.dtype != torch.uint8:
            return (pictures - self.mean) / self.scale
        x = pictures.to(
            torch.float32, memory_format=torch.contiguous_format
        )  # as the mean is: else it takes four times as long
        return x.sub_(255 * self.mean).div_(255 * self.scale)

    def spatial(self, pictures: Tensor) -> Tensor:
        """The spatial map (B, F, h, w)."""
        x = self.standardized(pictures)
        return self.dropout(self.body(F.pad(x, self.padding) if any(self.padding) else x))  # by the mean picture

    def forward(self, pictures: Tensor) -> Tensor:
        return self.layer(self.spatial(pictures).flatten(1))


class PlanesDecoder(nn.Module):
    """A game's 0/1 planes from its pictures: a map of the grid's size, and a 1x1 convolution.

    Args:
        encoder: whose map has the grid's rows and columns, as that of "grid" has.
        planes: names of the planes, in the order of `observe`.
    """

    def __init__(self, encoder: PictureEncoder, planes: Sequence[str]) -> None:
        super().__init__()
        self.encoder, self.planes = encoder, tuple(planes)
        self.head = nn.Conv2d(encoder.map_shape[0], len(planes), 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (B, P, rows, columns)."""
        return self.head(self.encoder.spatial(pictures))

    @torch.no_grad()
    def decode(self, pictures: Tensor) -> Tensor:
        """Planes (B, rows, columns, P) uint8 of 0 and 1."""
        return (self(pictures) > 0).to(torch.uint8).permute(0, 2, 3, 1)


class ClonedPolicy(nn.Module):
    """Another player's actions from what it saw: an encoder and a layer, as PPO's policies on an encoder have them.

    Args:
        encoder: of pictures.
        actions: their names, in order.
    """

    def __init__(self, encoder: PictureEncoder, actions: Sequence[str]) -> None:
        super().__init__()
        self.encoder, self.actions = encoder, tuple(actions)
        self.head = nn.Linear(encoder.config.width, len(actions))

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (B, A)."""
        return self.head(self.encoder(pictures))


def _conv(config: EncoderConfig, inputs: int, outputs: int, size: int, stride: int = 1, padding: int = 0) -> list[Any]:
    """A convolution with normalization and activation, as layers."""
    norm = {"none": [], "batch": [nn.BatchNorm2d(outputs)], "layer": [nn.GroupNorm(1, outputs)]}[config.norm]
    return [nn.Conv2d(inputs, outputs, size, stride, padding), *norm, ACTIVATIONS[config.activation]()]


class Align(nn.Module):
    """(B, F, h, w) -> (B, F, rows, columns) by a weighted sum of rows, and one of columns, both learned.

    It begins as bilinear resizing. A board that does not fill the picture needs other weights, which 3x3 convolutions
    could not make up for.
    """

    def __init__(self, shape: tuple[int, int], grid: tuple[int, int]) -> None:
        super().__init__()
        self.rows, self.columns = (nn.Parameter(_bilinear(a, b)) for a, b in zip(shape, grid, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        return self.rows @ x @ self.columns.T


def _bilinear(inputs: int, outputs: int) -> Tensor:
    """The matrix (outputs, inputs) of resizing a line."""
    lines = torch.eye(inputs).unsqueeze(0)  # (1, inputs, inputs): a channel for each input
    return F.interpolate(lines, outputs, mode="linear")[0].T.contiguous()


def grid_body(config: EncoderConfig) -> nn.Sequential:
    """A convolution with a stride of two thirds of a cell, aligned to the game's rows and columns, and 3x3 convolutions."""
    if config.grid is None:
        raise OptionError("encoder 'grid' needs a game with planes: its map has their rows and columns")
    height, width, channels = config.shape
    cell = min(height / config.grid[0], width / config.grid[1])
    stride = max(1, round(cell / 1.6))  # 4 for the 6.4 pixels of a 10x10 game on 64x64, 2 for the 3 of Tetris
    if min(height, width) < 2 * stride:
        raise OptionError(f"encoder 'grid' needs at least {2 * stride}x{2 * stride} pixels, got {height}x{width}")
    n = config.channels or 32
    stem = _conv(config, channels, n // 2, 2 * stride, stride, stride)
    reached = height // stride + 1, width // stride + 1
    layers = [layer for k in range(config.depth) for layer in _conv(config, n if k else n // 2, n, 3, padding=1)]
    return nn.Sequential(*stem, Align(reached, config.grid), *layers)


def nature_body(config: EncoderConfig) -> nn.Sequential:
    """The convolutions of DQN (Mnih et al. 2015), for pictures with `nature_padding`."""
    height, width, channels = config.shape
    if min(height, width) < 36:
        raise OptionError(f"encoder 'nature' needs at least 36x36 pixels, got {height}x{width}")
    n = config.channels or 64
    sizes = (channels, 32, 8, 4), (32, 64, 4, 2), (64, n, 3, 1)
    return nn.Sequential(*(layer for size in sizes for layer in _conv(config, *size)))


def small_body(config: EncoderConfig) -> nn.Sequential:
    """Three 3x3 convolutions and one halving of the size, for pictures of some 8x8 to 32x32 pixels."""
    height, width, _ = config.shape
    if min(height, width) < 2:
        raise OptionError(f"encoder 'small' needs at least 2x2 pixels, got {height}x{width}")
    n = config.channels or 64
    first, second = _conv(config, config.shape[2], n // 2, 3, padding=1), _conv(config, n // 2, n // 2, 3, padding=1)
    return nn.Sequential(*first, *second, nn.MaxPool2d(2), *_conv(config, n // 2, n, 3, padding=1))


def impala_body(config: EncoderConfig) -> nn.Sequential:
    """The residual tower of IMPALA (Espeholt et al. 2018)."""
    n = config.channels or 32
    sizes = (config.shape[2], 16, 32, n)
    blocks = [_impala_block(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
    return nn.Sequential(*blocks, nn.ReLU(inplace=True))


BODIES: dict[str, Callable[[EncoderConfig], nn.Sequential]] = {
    "grid": grid_body, "nature": nature_body, "small": small_body, "impala": impala_body,
}  # fmt: skip


UNUSED = {"nature": {"depth"}, "small": {"depth"}, "impala": {"depth", "activation", "norm"}}  # settings, by kind


def _refuse_unused(config: EncoderConfig) -> None:
    """Raise OptionError for a kind that there is not, or a setting that it makes no use of."""
    if config.kind not in BODIES:
        raise OptionError(f"unknown encoder {config.kind!r}: choose from {', '.join(BODIES)}")
    usual = EncoderConfig(config.kind, config.shape)
    for name in sorted(UNUSED.get(config.kind, ())):
        if getattr(config, name) != getattr(usual, name):
            raise OptionError(f"{name} is nothing that encoder {config.kind!r} can choose: leave it out")


def without_batch_norm(encoder: PictureEncoder) -> PictureEncoder:
    """The same function, of an encoder in evaluation mode, with batch normalization in the weights of the convolutions.

    An agent's training must not change what normalizes: rollouts and updates would see different networks.
    """
    if encoder.config.norm != "batch":
        return encoder
    found = PictureEncoder(replace(encoder.config, norm="none"))
    layers: list[Any] = []
    for layer in encoder.body:
        if isinstance(layer, nn.BatchNorm2d):
            layer = fuse_conv_bn_eval(layers.pop(), layer)
        layers.append(layer)
    found.body = nn.Sequential(*layers)
    found.layer = encoder.layer
    for name, value in encoder.named_buffers(recurse=False):
        getattr(found, name).copy_(value)
    return found.eval()


def for_pictures(kind: str, shape: Sequence[int], grid: Sequence[int] | None, **settings: Any) -> EncoderConfig:
    """A config for pictures of a shape (H, W, C), and perhaps a game's grid."""
    height, width, channels = (int(n) for n in shape)
    config = EncoderConfig(kind, (height, width, channels), None if not grid else (int(grid[0]), int(grid[1])))
    return replace(config, **settings)
