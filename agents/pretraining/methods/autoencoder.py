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


class Autoencoder(Method):
    """An autoencoder (Hinton & Salakhutdinov 2006) with a linear decoder, so that features must say plainly what there is.

    The targets are colours, as classes of a small palette (Chen et al. 2020, Image GPT), of pictures at half size. The
    foreground, pixels of another colour than most pictures have there, weighs as much as the background, and rare colours
    more in it than frequent ones. Each position of the map describes its own square; the output has to describe the map.

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
        self.palette = palette(some, colours)
        found, count = self.colours(some), int(self.palette.max()) + 1
        self.usual = torch.stack([(found == colour).sum(0) for colour in range(count)]).argmax(0)  # (H / 2, W / 2)
        self.weights = weights_of(found[found != self.usual], count)
        self.shades = shades_of(some, self.palette)
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
        shades = self.shades[self.decoded(pictures)[0].argmax(1)].permute(0, 3, 1, 2)
        return F.interpolate(shades, pictures.shape[2:])

    def colours(self, pictures: Tensor) -> Tensor:
        """Of pictures (B, C, H, W) uint8, (B, H / 2, W / 2) int64: the rarest of four pixels', so that no shot is lost."""
        return F.max_pool2d(self.palette[coarse(pictures)].float(), 2, ceil_mode=True).long()

    def losses(self, pictures: Tensor) -> Tensor:
        """Cross-entropy (2, 2) of the map and the output, in the foreground and in the background."""
        colours = self.colours(pictures)
        wrong = torch.stack([F.cross_entropy(each, colours, reduction="none") for each in self.decoded(pictures)])
        foreground = colours != self.usual
        grounds = torch.stack([foreground * self.weights[colours], (~foreground).float()])  # (2, B, H / 2, W / 2)
        return torch.einsum("lbhw,gbhw->lg", wrong, grounds) / grounds.sum((1, 2, 3)).clamp(min=1)

    def loss(self, rows: Tensor) -> Tensor:
        return self.losses(self.pictures[rows]).sum()

    @torch.no_grad()
    def figures(self, part: str) -> dict[str, Any]:
        """The probability of the right colour, as a geometric mean; also from the map and from the output alone."""
        found = torch.stack([self.losses(self.pictures[rows]) for rows in self.rows(part)[:2048].split(256)]).mean(0)
        spatial, output = (-found.mean(1)).exp().tolist()
        return {"probability": float((-found.mean()).exp()), "map": spatial, "output": output}


def weights_of(foreground: Tensor, count: int) -> Tensor:
    """What each of `count` colours weighs, (count,): one over the root of how often it is there, 1 in the mean over pixels.

    Without, shots of two pixels would hardly count beside rows of invaders.
    """
    often = torch.bincount(foreground, minlength=count).float()
    weights = often.clamp(min=0.01 * max(len(foreground), 1)) ** -0.5
    return weights * often.sum() / (weights * often).sum().clamp(min=1e-6)


def shades_of(pictures: Tensor, palette: Tensor) -> Tensor:
    """The mean colour, from 0 to 1, of each of the palette's, (K, C)."""
    pixels, found = pictures.permute(0, 2, 3, 1).float() / 255, palette[coarse(pictures)]
    return torch.stack([pixels[found == colour].mean(0) for colour in range(int(palette.max()) + 1)]).nan_to_num()


def coarse(pictures: Tensor) -> Tensor:
    """Colours of pictures (B, C, H, W) uint8 as numbers (B, H, W) int32 of at most 15 bits, as many from every channel."""
    bits = min(8, 15 // pictures.shape[1])
    found = torch.zeros_like(pictures[:, 0], dtype=torch.int32)
    for channel in range(pictures.shape[1]):
        found |= (pictures[:, channel] >> (8 - bits)).int() << bits * channel
    return found


def palette(pictures: Tensor, colours: int) -> Tensor:
    """Which of at most `colours` clusters each number of `coarse` is of, (2 ** bits,) int64; rare clusters come last.

    They are k-means' clusters of the colours of pictures (N, C, H, W), where a colour weighs the root of how often it is seen
    where most pictures have another: of the sky, nobody needs every shade.
    """
    channels = pictures.shape[1]
    bits = min(8, 15 // channels)
    found = coarse(pictures).long()
    counts, moving = (
        torch.bincount(some.flatten(), minlength=2 ** (bits * channels)).numpy(force=True)
        for some in (found, found[found != found.mode(0).values])
    )
    numbers = np.arange(len(counts))[:, None]
    values = (numbers >> bits * np.arange(channels)) % 2**bits / 2.0**bits  # (2 ** bits, C)
    there = counts > 0
    k_means = need("sklearn.cluster", "the masked autoencoder").KMeans(
        min(colours, int(there.sum())), n_init=4, random_state=0
    )
    k_means.fit(values[there], sample_weight=np.sqrt(1 + moving[there]))
    clusters = k_means.predict(values)
    often = np.bincount(clusters, weights=counts)
    ranks = np.argsort(np.argsort(-often, kind="stable"))  # the rarer, the higher
    return torch.from_numpy(ranks[clusters]).long().to(pictures.device)
