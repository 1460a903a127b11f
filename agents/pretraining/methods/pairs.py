"""What methods have in common that learn from a frame and the next, and parts that can be added to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....envs import OptionError
from ...nn.vision import PictureEncoder
from ..frames import Frames
from ..method import Method, Pictures


class View(NamedTuple):
    """What the encoder makes of frames: spatial maps (B, F, h, w), and features (B, width)."""

    map: Tensor
    output: Tensor


class PairMethod(Method):
    """Learns from a step and the one after it in the same episode; minibatches are of steps.

    Args:
        parts: of `PARTS`, which are added to the loss.
    """

    supervised = False
    needs = ("pairs",)

    def __init__(self, encoder: PictureEncoder, frames: Frames, pictures: Pictures, parts: Sequence[str] = ()) -> None:
        super().__init__(encoder, frames, pictures)
        if wrong := sorted(set(parts) - set(PARTS)):
            raise OptionError(f"parts must be of {', '.join(PARTS)}, got {', '.join(wrong)}")
        self.picture = torch.from_numpy(frames.index.ravel())  # (T * N,), of each step
        self.parts = nn.ModuleDict({part: PARTS[part](encoder, frames) for part in parts})

    def rows(self, part: str) -> Tensor:
        """The steps of a part that are followed by one of it, (K,) int64."""
        return torch.from_numpy(self.frames.pairs(part)[0])

    def loss(self, rows: Tensor) -> Tensor:
        now, later = self.views(rows)
        return torch.stack(
            [self.loss_of(now, later, rows), *(part(now, later, rows) for part in self.parts.values())]
        ).sum()

    def views(self, rows: Tensor) -> tuple[View, View]:
        """Steps (B,) and those after them, as the encoder sees them."""
        numbers = torch.cat([self.picture[rows], self.picture[rows + self.frames.index.shape[1]]])
        maps = self.encoder.spatial(self.pictures[numbers])
        (map_now, map_later), (out_now, out_later) = maps.chunk(2), self.encoder.layer(maps.flatten(1)).chunk(2)
        return View(map_now, out_now), View(map_later, out_later)

    @torch.no_grad()
    def figures(self, part: str) -> dict[str, Any]:
        rows = self.rows(part)[:2048]
        found = [self.figures_of(*self.views(some), some) for some in rows.split(256)]
        return {name: float(torch.stack([each[name] for each in found]).mean()) for name in found[0]}

    def loss_of(self, now: View, later: View, rows: Tensor) -> Tensor:
        """The loss () of a minibatch, without parts."""
        raise NotImplementedError

    def figures_of(self, now: View, later: View, rows: Tensor) -> dict[str, Tensor]:
        """How good it is on a minibatch, by name."""
        raise NotImplementedError


class InverseDynamics(nn.Module):
    """Which action led from a frame to the next (Pathak et al. 2017), by cross-entropy."""

    def __init__(self, encoder: PictureEncoder, frames: Frames) -> None:
        super().__init__()
        self.action = torch.from_numpy(frames.action.ravel())
        hidden = nn.Linear(2 * encoder.config.width, 128)
        self.head = nn.Sequential(hidden, nn.ReLU(), nn.Linear(128, len(frames.action_names)))

    def forward(self, now: View, later: View, rows: Tensor) -> Tensor:
        return F.cross_entropy(self.head(torch.cat([now.output, later.output], 1)), self.action[rows])


class RewardPrediction(nn.Module):
    """The sign of a step's reward, from both frames, rare ones weighing more (Jaderberg et al. 2017)."""

    def __init__(self, encoder: PictureEncoder, frames: Frames) -> None:
        super().__init__()
        self.sign = torch.from_numpy(np.sign(frames.reward).ravel().astype(np.int64) + 1)
        often = torch.bincount(self.sign, minlength=3)
        # Square roots, since the few rewards of most games would drown all else by their full weight.
        self.weight = (often.sum() / often.clamp(min=1)).sqrt() * (often > 0)
        self.head = nn.Linear(2 * encoder.config.width, 3)

    def forward(self, now: View, later: View, rows: Tensor) -> Tensor:
        return F.cross_entropy(self.head(torch.cat([now.output, later.output], 1)), self.sign[rows], self.weight)


PARTS: dict[str, Any] = {"inverse": InverseDynamics, "reward": RewardPrediction}
