"""Contrastive: which of the minibatch's frames comes next?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...nn.vision import PictureEncoder
from ..frames import Frames
from ..method import Pictures
from .pairs import PairMethod, View
from .readout import Readout


class STDIM(PairMethod):
    """Spatiotemporal Deep Infomax (Anand et al. 2019).

    At every position of the map, bilinear scores tell the position in the next frame from that in other frames of the
    minibatch: from the features of the whole picture (global to local), and from the same position (local to local).
    """

    judged_by = "accuracy"

    def __init__(self, encoder: PictureEncoder, frames: Frames, pictures: Pictures, **options: Any) -> None:
        super().__init__(encoder, frames, pictures, **options)
        channels = encoder.map_shape[0]
        self.from_global, self.from_local = Readout(encoder.config.width, channels), Readout(channels, channels)
        self.norm = nn.BatchNorm2d(channels, affine=False)

    def scores(self, now: View, later: View) -> Tensor:
        """(2, h * w, B, B): from global and local features at every position, of each frame being the next of each."""
        queries = self.from_global(now.output[..., None, None]).expand_as(now.map), self.from_local(now.map)
        keys = self.norm(later.map).flatten(2).permute(2, 0, 1)  # (h * w, B, F)
        return torch.stack(queries).flatten(3).permute(0, 3, 1, 2) @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5

    def loss_of(self, now: View, later: View, rows: Tensor) -> Tensor:
        return info_nce(self.scores(now, later))

    def figures_of(self, now: View, later: View, rows: Tensor) -> dict[str, Tensor]:
        """How often all positions together find the next frame."""
        found = self.scores(now, later).mean((0, 1)).argmax(1)
        return {"accuracy": (found == torch.arange(len(found), device=found.device)).float().mean()}


def info_nce(scores: Tensor) -> Tensor:
    """Cross-entropy () of scores (..., B, B) whose right answers are on the diagonal (van den Oord et al. 2018)."""
    return -scores.log_softmax(-1).diagonal(0, -2, -1).mean()
