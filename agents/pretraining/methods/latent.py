"""Latent prediction: the next frame's features from this frame's and the action."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...nn.vision import PictureEncoder
from ..frames import Frames
from ..method import Pictures
from .pairs import PairMethod, View


class LatentPrediction(PairMethod):
    """Predicts the next spatial map and output by a transition model, as SPR does (Schwarzer et al. 2021).

    SPR predicts what a slowly moving copy of the encoder sees, lest all features become the same. Here variance and
    covariance terms keep them apart, as in VICReg (Bardes et al. 2022), and the encoder itself gives the targets.
    """

    judged_by = "explained"

    def __init__(self, encoder: PictureEncoder, frames: Frames, pictures: Pictures, **options: Any) -> None:
        super().__init__(encoder, frames, pictures, **options)
        self.action = torch.from_numpy(frames.action.ravel())
        (channels, _, _), width, self.actions = encoder.map_shape, encoder.config.width, len(frames.action_names)
        self.of_map = nn.Sequential(
            nn.Conv2d(channels + self.actions, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.of_output = nn.Linear(width + self.actions, width)

    def predicted(self, now: View, rows: Tensor) -> View:
        action = F.one_hot(self.action[rows], self.actions).float()  # (B, A)
        planes = action[:, :, None, None].expand(-1, -1, *now.map.shape[2:])
        return View(self.of_map(torch.cat([now.map, planes], 1)), self.of_output(torch.cat([now.output, action], 1)))

    def loss_of(self, now: View, later: View, rows: Tensor) -> Tensor:
        both = zip(self.predicted(now, rows), later, strict=True)
        return torch.stack([vicreg(positions(guess), positions(true)) for guess, true in both]).mean()

    def figures_of(self, now: View, later: View, rows: Tensor) -> dict[str, Tensor]:
        """The share of the variance that is predicted, in the map and in the output."""
        names = zip(("map", "output"), self.predicted(now, rows), later, strict=True)
        shares = {name: 1 - (guess - true).square().mean() / true.var(0).mean() for name, guess, true in names}
        return {"explained": (shares["map"] + shares["output"]) / 2, **shares}


def positions(features: Tensor) -> Tensor:
    """Maps (B, F, h, w) as (h * w, B, F), and features (B, F) as (1, B, F)."""
    return features.reshape(*features.shape[:2], -1).permute(2, 0, 1)


def vicreg(
    predicted: Tensor, true: Tensor, invariance: float = 25, variance: float = 25, covariance: float = 1
) -> Tensor:
    """The loss () of predictions (..., B, F), with the terms that keep true features from collapse, of VICReg's weights."""
    centred = true - true.mean(-2, keepdim=True)
    spread = (centred.square().sum(-2) / (true.shape[-2] - 1) + 1e-4).sqrt()  # (..., F)
    products = centred.transpose(-1, -2) @ centred / (true.shape[-2] - 1)  # (..., F, F)
    off_diagonal = products.square().sum((-1, -2)) - products.diagonal(0, -2, -1).square().sum(-1)
    return (
        invariance * F.mse_loss(predicted, true)
        + variance * F.relu(1 - spread).mean()
        + covariance * (off_diagonal / true.shape[-1]).mean()
    )
