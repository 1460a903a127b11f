"""The classical baseline: a variational autoencoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...nn.vision import PictureEncoder
from ..frames import Frames
from ..method import Method, Pictures


class VAE(Method):
    """A variational autoencoder (Kingma & Welling 2014) of pictures at half size, standardized, with Gaussian noise.

    The mean and the log variance of the latents are linear in the encoder's output.
    """

    judged_by = "evidence"
    supervised = False

    def __init__(self, encoder: PictureEncoder, frames: Frames, pictures: Pictures, latents: int = 64) -> None:
        super().__init__(encoder, frames, pictures)
        height, width, channels = encoder.config.shape
        self.posterior = nn.Linear(encoder.config.width, 2 * latents)
        self.start = height // 8, width // 8
        self.decoder = nn.Sequential(
            nn.Linear(latents, 64 * self.start[0] * self.start[1]), nn.ReLU(), nn.Unflatten(1, (64, *self.start)),
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, channels, 4, 2, 1),
        )  # fmt: skip

    def loss(self, rows: Tensor) -> Tensor:
        """The negative evidence lower bound, in nats a picture, without constants."""
        pictures = self.pictures[rows]
        mean, log_variance = self.posterior(self.encoder(pictures)).chunk(2, 1)
        decoded = self.decoder(mean + torch.randn_like(mean) * (log_variance / 2).exp())
        target = F.interpolate(self.encoder.standardized(pictures), decoded.shape[2:], mode="area")
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return (0.5 * (decoded - target).square().flatten(1).sum(1) + divergence).mean()

    def reconstruct(self, pictures: Tensor) -> Tensor:
        """What is decoded of the mean latents of pictures (B, C, H, W) uint8, from 0 to 1; (B, C, H, W)."""
        mean, _ = self.posterior(self.encoder(pictures)).chunk(2, 1)
        decoded = F.interpolate(self.decoder(mean), pictures.shape[2:])
        return (decoded * self.encoder.scale + self.encoder.mean).clamp(0, 1)

    @torch.no_grad()
    def figures(self, part: str) -> dict[str, Any]:
        """The evidence lower bound, on some pictures."""
        rows = self.rows(part)[:2048]
        return {"evidence": -float(sum(self.loss(some) * len(some) for some in rows.split(256)) / len(rows))}
