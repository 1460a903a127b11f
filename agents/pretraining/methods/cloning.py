"""Behaviour cloning: the action from the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ....envs import OptionError
from ...nn.vision import ClonedPolicy, PictureEncoder
from ..frames import Frames
from ..method import Method, Pictures
from ..metrics import Counts, means


class BehaviourCloning(Method):
    """The action by cross-entropy (Pomerleau 1989), as a linear layer on the output.

    Args:
        of: whose: "advice" is what the game's heuristic would do, "action" what was done.
    """

    learning_rate = 2e-3

    def __init__(self, encoder: PictureEncoder, frames: Frames, pictures: Pictures, of: str = "advice") -> None:
        if of not in ("advice", "action"):
            raise OptionError(f"of must be 'advice' or 'action', got {of!r}")
        self.needs = ("advice",) if of == "advice" else ()
        super().__init__(encoder, frames, pictures)
        self.picture, self.target = (torch.from_numpy(column.ravel()) for column in (frames.index, getattr(frames, of)))
        self.policy = ClonedPolicy(encoder, frames.action_names)

    @property
    def network(self) -> ClonedPolicy:
        return self.policy

    def rows(self, part: str) -> Tensor:
        """The steps whose pictures are of a part, (K,) int64."""
        numbers = torch.from_numpy(self.frames.rows(part))
        return torch.isin(self.picture, numbers).nonzero()[:, 0]

    def loss(self, rows: Tensor) -> Tensor:
        return F.cross_entropy(self.policy(self.pictures[self.picture[rows]]), self.target[rows])

    @torch.no_grad()
    def figures(self, part: str) -> dict[str, Any]:
        rows = self.rows(part)
        predicted = torch.cat([self.policy(self.pictures[self.picture[some]]).argmax(1) for some in rows.split(512)])
        kinds = np.arange(len(self.policy.actions))
        counts = Counts.of(*(values.numpy()[:, None] == kinds for values in (predicted, self.target[rows])))
        single = {f"f1/{name}": [f1] for name, f1 in zip(self.policy.actions, counts.f1.tolist(), strict=True)}
        accuracy = float((predicted == self.target[rows]).float().mean())
        return means({"f1": counts.f1.tolist(), "accuracy": [accuracy], **single})
