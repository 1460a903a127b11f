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

    The targets are colours, as classes of a small palette (Chen et al. 2020, Image GPT). The foreground, pixels of another
    colour than most pictures have there, weighs as much as the background. Each position of the map describes its own square;
    the output has to describe the map.

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
        some = pictures[train[torch.linspace(0, len(train) - 1, min(len(train), 2000)).long()]][..., ::2, ::2]
        self.palette = palette(some, colours)
        count = int(self.palette.max()) + 1
        found = self.palette[coarse(some)]
        self.usual = torch.stack([(found == colour).sum(0) for colour in range(count)]).argmax(0)  # (H / 2, W / 2)
        pixels = some.permute(0, 2, 3, 1).float() / 255
        self.shades = torch.stack([pixels[found == colour].mean(0) for colour in range(count)]).nan_to_num()  # (K, C)
        side = max(-(-self.size[0] // rows), -(-self.size[1] // columns))
        self.describe = nn.Sequential(Readout(channels, count * side * side), nn.PixelShuffle(side))
        self.expand = Readout(encoder.config.width, channels * rows * columns)

    def decoded(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of colours (B, K, H / 2, W / 2) from the map, and from the output."""
        x = pictures.float() / 255
        if self.mask:
            shown = torch.rand(len(x), 1, 16, 16, device=x.device) >= self.mask
            x = torch.where(F.interpolate(shown.float(), x.shape[2:]) > 0, x, self.encoder.mean)
        spatial = self.encoder.spatial(x)
        output = self.encoder.layer(spatial.flatten(1))
        maps = spatial, self.expand(output[..., None, None]).reshape(spatial.shape)
        logits = [self.describe(each) for each in maps]
        if logits[0].shape[2:] != self.size:
            logits = [F.interpolate(each, self.size, mode="bilinear") for each in logits]
        return logits[0], logits[1]

    def reconstruct(self, pictures: Tensor) -> Tensor:
        """What the map says that pictures (B, C, H, W) uint8 show, in colours of the palette, from 0 to 1; (B, C, H, W)."""
        shades = self.shades[self.decoded(pictures)[0].argmax(1)].permute(0, 3, 1, 2)
        return F.interpolate(shades, pictures.shape[2:])

    def colours(self, pictures: Tensor) -> Tensor:
        """Of pictures (B, C, H, W) uint8, (B, H / 2, W / 2) int64: of every second pixel in every second row."""
        return self.palette[coarse(pictures[..., ::2, ::2])]

    def losses(self, pictures: Tensor) -> Tensor:
        """Cross-entropy (2, 2) of the map and the output, in the foreground and in the background."""
        colours = self.colours(pictures)
        wrong = torch.stack([F.cross_entropy(each, colours, reduction="none") for each in self.decoded(pictures)])
        grounds = torch.stack([colours != self.usual, colours == self.usual]).float()  # (2, B, H / 2, W / 2)
        return torch.einsum("lbhw,gbhw->lg", wrong, grounds) / grounds.sum((1, 2, 3)).clamp(min=1)

    def loss(self, rows: Tensor) -> Tensor:
        return self.losses(self.pictures[rows]).sum()

    @torch.no_grad()
    def figures(self, part: str) -> dict[str, Any]:
        """The probability of the right colour, as a geometric mean; also from the map and from the output alone."""
        found = torch.stack([self.losses(self.pictures[rows]) for rows in self.rows(part)[:2048].split(256)]).mean(0)
        spatial, output = (-found.mean(1)).exp().tolist()
        return {"probability": float((-found.mean()).exp()), "map": spatial, "output": output}


def coarse(pictures: Tensor) -> Tensor:
    """Colours of pictures (B, C, H, W) uint8 as numbers (B, H, W) int64 of at most 15 bits, as many from every channel."""
    bits = min(8, 15 // pictures.shape[1])
    places = 2 ** (bits * torch.arange(pictures.shape[1]))
    return ((pictures.long() >> (8 - bits)) * places[:, None, None].to(pictures.device)).sum(1)


def palette(pictures: Tensor, colours: int) -> Tensor:
    """Which of at most `colours` clusters each number of `coarse` is of, (2 ** bits,) int64.

    They are k-means' clusters of the colours of pictures (N, C, H, W), where a colour weighs the root of how often it is.
    """
    channels = pictures.shape[1]
    bits = min(8, 15 // channels)
    counts = torch.bincount(coarse(pictures).flatten(), minlength=2 ** (bits * channels)).numpy(force=True)
    numbers = np.arange(len(counts))[:, None]
    values = (numbers >> bits * np.arange(channels)) % 2**bits / 2.0**bits  # (2 ** bits, C)
    there = counts > 0
    k_means = need("sklearn.cluster", "the masked autoencoder").KMeans(
        min(colours, int(there.sum())), n_init=4, random_state=0
    )
    k_means.fit(values[there], sample_weight=np.sqrt(counts[there]))
    return torch.from_numpy(k_means.predict(values)).long().to(pictures.device)
