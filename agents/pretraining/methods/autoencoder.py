"""Reconstruction: what pictures show, above all where they differ, from the map and from the output."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....envs import OptionError
from ...nn.vision import PictureEncoder
from ...runtime.extras import need
from ..frames import Frames
from ..method import Method, Pictures
from .readout import Readout

SAME = 12  # of 255: what a pixel's colour may differ by and be the same


class Autoencoder(Method):
    """An autoencoder (Hinton & Salakhutdinov 2006) with a linear decoder, so that features must say plainly what there is.

    The targets are classes, of pictures at half size: 0 is what most pictures show there, the background, and others are the
    colours of a small palette (Chen et al. 2020, Image GPT) for what differs, the foreground. That weighs as much as the
    background, and rare colours more in it than frequent ones. Each position of the map describes its own square; the output
    has to describe the map.

    Args:
        mask: the share of squares that are hidden by the mean picture, as in a masked autoencoder (He et al. 2022). In games,
            where hidden objects cannot be guessed, encoders learn more without.
        colours: of the palette, at most.
    """

    judged_by = "probability"
    supervised = False

    def __init__(
        self, encoder: PictureEncoder, frames: Frames, pictures: Pictures, mask: float = 0.0, colours: int = 12
    ) -> None:
        super().__init__(encoder, frames, pictures)
        if not 0 <= mask <= 0.9:
            raise OptionError(f"mask must be from 0 to 0.9, got {mask}")
        (channels, rows, columns), (height, width, _) = encoder.map_shape, encoder.config.shape
        self.mask, self.size = mask, ((height + 1) // 2, (width + 1) // 2)
        train = self.rows("train")
        some = pictures[train[torch.linspace(0, len(train) - 1, min(len(train), 2000)).long()]]
        self.usual = usual_picture(some)
        self.palette, self.shades = palette(some, self.usual, colours)
        found, count = self.colours(some), len(self.shades)
        self.weights = weights_of(found, count)
        side = max(-(-self.size[0] // rows), -(-self.size[1] // columns))
        self.describe = nn.Sequential(Readout(channels, count * side * side), nn.PixelShuffle(side))
        self.expand = Readout(encoder.config.width, channels * rows * columns)

    def decoded(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of colours (B, K, H / 2, W / 2) from the map, and from the output."""
        if self.mask:
            shown = torch.rand(len(pictures), 1, 16, 16, device=pictures.device) >= self.mask
            hidden = F.interpolate(shown.float(), pictures.shape[2:]) == 0
            pictures = torch.where(hidden, self.encoder.mean, pictures.float() / 255)
        spatial = self.encoder.spatial(pictures)
        output = self.encoder.layer(spatial.flatten(1))
        maps = spatial, self.expand(output[..., None, None]).reshape(spatial.shape)
        first, second = (self.cropped(self.describe(each)) for each in maps)
        return first, second

    def cropped(self, logits: Tensor) -> Tensor:
        """The middle, as large as the pictures are: squares of the map's positions may cover more."""
        top, left = ((have - want) // 2 for have, want in zip(logits.shape[2:], self.size, strict=True))
        return logits[..., top : top + self.size[0], left : left + self.size[1]]

    def reconstruct(self, pictures: Tensor) -> Tensor:
        """What the map says that pictures (B, C, H, W) uint8 show, in colours of the palette, from 0 to 1; (B, C, H, W)."""
        found = self.decoded(pictures)[0].argmax(1)
        shades = F.interpolate(self.shades[found].permute(0, 3, 1, 2), pictures.shape[2:])
        same = F.interpolate((found == 0).float()[:, None], pictures.shape[2:]) > 0
        return torch.where(same, self.usual / 255, shades)

    def colours(self, pictures: Tensor) -> Tensor:
        """Classes (B, H / 2, W / 2) int64 of pictures (B, C, H, W) uint8: the rarest of four pixels', lest shots be lost."""
        found = torch.where(differs(pictures, self.usual), self.palette[coarse(pictures)], 0)
        return F.max_pool2d(found.float(), 2, ceil_mode=True).long()

    def losses(self, pictures: Tensor) -> Tensor:
        """Cross-entropy (2, 2) of the map and the output, in the foreground and in the background."""
        colours = self.colours(pictures)
        wrong = torch.stack([F.cross_entropy(each, colours, reduction="none") for each in self.decoded(pictures)])
        grounds = torch.stack([(colours > 0) * self.weights[colours], (colours == 0).float()])  # (2, B, H / 2, W / 2)
        return torch.einsum("lbhw,gbhw->lg", wrong, grounds) / grounds.sum((1, 2, 3)).clamp(min=1)

    def loss(self, rows: Tensor) -> Tensor:
        return self.losses(self.pictures[rows]).sum()

    @torch.no_grad()
    def figures(self, part: str) -> dict[str, Any]:
        """The probability of the right colour, as a geometric mean; also from the map and from the output alone."""
        found = torch.stack([self.losses(self.pictures[rows]) for rows in self.rows(part)[:2048].split(256)]).mean(0)
        spatial, output = (-found.mean(1)).exp().tolist()
        return {"probability": float((-found.mean()).exp()), "map": spatial, "output": output}


def usual_picture(pictures: Tensor) -> Tensor:
    """The colour that most of pictures (N, C, H, W) have, for each pixel: (C, H, W) uint8."""
    numbers = coarse(pictures)
    most = (numbers == numbers.mode(0).values)[:, None]  # (N, 1, H, W)
    return ((pictures * most).sum(0) / most.sum(0)).round().to(torch.uint8)


def differs(pictures: Tensor, usual: Tensor) -> Tensor:
    """Where pictures (B, C, H, W) have other colours than the usual one: (B, H, W) bool."""
    return ((pictures.short() - usual).abs() > SAME).any(1)


def weights_of(classes: Tensor, count: int) -> Tensor:
    """What each of `count` colours weighs in the foreground, (count,): one over the root of how often it is there.

    The mean over pixels is 1. Without weights, shots of two pixels would hardly count beside rows of invaders.
    """
    often = torch.bincount(classes[classes > 0], minlength=count).float()
    weights = often.clamp(min=0.01 * max(float(often.sum()), 1.0)) ** -0.5
    return weights * often.sum() / (weights * often).sum().clamp(min=1e-6)


def coarse(pictures: Tensor) -> Tensor:
    """Colours of pictures (B, C, H, W) uint8 as numbers (B, H, W) int32 of at most 15 bits, as many from every channel."""
    bits = bits_of(pictures.shape[1])
    found = torch.zeros_like(pictures[:, 0], dtype=torch.int32)
    for channel in range(pictures.shape[1]):
        found |= (pictures[:, channel] >> (8 - bits)).int() << bits * channel
    return found


def bits_of(channels: int) -> int:
    return min(8, 15 // channels)


def palette(pictures: Tensor, usual: Tensor, colours: int) -> tuple[Tensor, Tensor]:
    """The class, from 1, of each number of `coarse`, (2 ** bits,) int64, and colours of classes, (K, C), from 0 to 1.

    Classes are at most `colours` clusters by k-means of what differs from the usual picture, where a colour weighs the root
    of how often it is seen; the rarer a cluster, the higher its number. Class 0 is none of them, and black.
    """
    channels = pictures.shape[1]
    bits = bits_of(channels)
    counts = torch.bincount(coarse(pictures)[differs(pictures, usual)], minlength=2 ** (bits * channels)).numpy(
        force=True
    )
    counts[0] += counts.sum() == 0  # pictures that are all the same: one class, which is never seen
    numbers = np.arange(len(counts))[:, None]
    values = ((numbers >> bits * np.arange(channels)) % 2**bits + 0.5) / 2.0**bits  # (2 ** bits, C)
    there = counts > 0
    k_means = need("sklearn.cluster", "an autoencoder").KMeans(min(colours, int(there.sum())), n_init=4, random_state=0)
    k_means.fit(values[there], sample_weight=np.sqrt(counts[there]))
    clusters = k_means.predict(values)
    order = np.argsort(-np.bincount(clusters, weights=counts), kind="stable")
    shades = np.concatenate([np.zeros((1, channels)), k_means.cluster_centers_[order]])
    device = pictures.device
    classes = torch.from_numpy(1 + np.argsort(order)[clusters]).long()
    return classes.to(device), torch.from_numpy(shades).float().to(device)
