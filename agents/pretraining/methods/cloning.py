"""Behaviour cloning: the action from the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....envs import OptionError
from ...nn.vision import PictureEncoder
from ..frames import Frames
from ..method import Method, Pictures
from ..metrics import Counts


class BehaviourCloning(Method):
    """The action by cross-entropy (Pomerleau 1989), as a linear layer on the output.

    Args:
        of: whose: "advice" is what the game's heuristic would do, "action" what was done.
    """

    def __init__(self, encoder: PictureEncoder, frames: Frames, pictures: Pictures, of: str = "advice") -> None:
        if of not in ("advice", "action"):
            raise OptionError(f"of must be 'advice' or 'action', got {of!r}")
        self.needs = ("advice",) if of == "advice" else ()
        super().__init__(encoder, frames, pictures)
        self.picture, self.target = (torch.from_numpy(column.ravel()) for column in (frames.index, getattr(frames, of)))
        self.head = nn.Linear(encoder.config.width, len(frames.action_names))

    def rows(self, part: str) -> Tensor:
        """The steps whose pictures are of a part, (K,) int64."""
        numbers = torch.from_numpy(self.frames.rows(part))
        return torch.isin(self.picture, numbers).nonzero()[:, 0]

    def loss(self, rows: Tensor) -> Tensor:
        return F.cross_entropy(self.head(self.encoder(self.pictures[self.picture[rows]])), self.target[rows])

    @torch.no_grad()
    def figures(self, part: str) -> dict[str, Any]:
        rows = self.rows(part)
        predicted = torch.cat(
            [self.head(self.encoder(self.pictures[self.picture[some]])).argmax(1) for some in rows.split(512)]
        )
        kinds = np.arange(self.head.out_features)
        counts = Counts.of(*(values.numpy()[:, None] == kinds for values in (predicted, self.target[rows])))
        return {"f1": float(np.nanmean(counts.f1)), "accuracy": float((predicted == self.target[rows]).float().mean())}
