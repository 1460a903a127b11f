"""Supervised: the game's planes at every cell, from the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ....envs import OptionError
from ...nn.vision import PictureEncoder, PlanesDecoder
from ..frames import Frames
from ..method import Method, Pictures
from ..metrics import Counts, means

CALIBRATION = 2000  # pictures, at most


class Planes(Method):
    """Logits of every plane at every cell, by binary cross-entropy.

    Most cells of most planes are empty. So the output begins at the labels' frequency in place of one half, and what is
    there weighs the square root of how much rarer it is: by either alone, the first minute finds nothing.
    """

    learning_rate = (
        4e-3  # ten seconds of Space Invaders, Snake, Muncher: F1 0.9985, 0.93, 0.98; of 2e-3 and 64 pictures
    )
    batch_size = 32  # 0.994, 0.90, 0.88

    def __init__(self, encoder: PictureEncoder, frames: Frames, pictures: Pictures) -> None:
        super().__init__(encoder, frames, pictures)
        if not frames.plane_names:
            raise OptionError(f"{frames.game} shows no planes to learn from: choose another method")
        if encoder.map_shape[1:] != frames.planes.shape[1:3]:
            theirs, ours = ("x".join(map(str, shape)) for shape in (encoder.map_shape[1:], frames.planes.shape[1:3]))
            raise OptionError(
                f"the method planes needs an encoder whose map has the game's {ours} rows and columns, as that of grid has; "
                f"this one's has {theirs}"
            )
        self.decoder = PlanesDecoder(encoder, frames.plane_names)
        self.labels = torch.from_numpy(frames.planes).permute(0, 3, 1, 2)  # (U, P, rows, columns)
        share = self.labels[self.rows("train")].float().mean((0, 2, 3)).clamp(1e-6, 1 - 1e-6)  # (P,)
        self.weight = ((1 - share) / share).sqrt().clamp(max=100).reshape(-1, 1, 1)
        odds = share / (1 - share) * self.weight.flatten()
        with torch.no_grad():
            self.decoder.head.weight.mul_(0.1)
            self.decoder.head.bias.copy_(odds.log())  # type: ignore[union-attr]
        self.visible = visible_planes(frames)

    @property
    def network(self) -> PlanesDecoder:
        return self.decoder

    def loss(self, rows: Tensor) -> Tensor:
        logits = self.decoder(self.pictures[rows])
        return F.binary_cross_entropy_with_logits(logits, self.labels[rows].float(), pos_weight=self.weight)

    @torch.no_grad()
    def finish(self) -> None:
        """Move each plane's bias to where F1 on the validation part is the highest.

        With its weight, what is rare is found too often; the best threshold is lower than one half, too (Lipton et al. 2014).
        """
        rows = self.rows("validation")[:CALIBRATION]
        logits = torch.cat([self.decoder(self.pictures[some]) for some in rows.split(256)]).transpose(0, 1).flatten(1)
        labels = self.labels[rows].transpose(0, 1).flatten(1)  # (P, N * rows * columns), as are the logits
        bias = self.decoder.head.bias
        assert bias is not None
        for plane, (values, there) in enumerate(zip(logits, labels, strict=True)):
            if there.any():
                bias[plane] -= best_threshold(values, there)

    def figures(self, part: str) -> dict[str, Any]:
        counts = self.counts(part)
        whole = {name: getattr(counts, name)[self.visible].tolist() for name in ("f1", "precision", "recall")}
        single = {f"f1/{name}": [f1] for name, f1 in zip(self.decoder.planes, counts.f1.tolist(), strict=True)}
        return means({**whole, **single})

    @torch.no_grad()
    def counts(self, part: str) -> Counts:
        """Of each plane, over all cells of all pictures of a part."""
        total = None
        for rows in self.rows(part).split(512):
            predicted = self.decoder.decode(self.pictures[rows]).flatten(0, 2).numpy()  # (B * rows * columns, P)
            true = self.labels[rows].permute(0, 2, 3, 1).flatten(0, 2).numpy()
            found = Counts.of(predicted, true)
            total = found if total is None else total + found
        assert total is not None
        return total


def best_threshold(values: Tensor, there: Tensor) -> float:
    """The number above which `values` (N,) have to be for the highest F1 of what is `there` (N,) of 0 and 1."""
    ordered, places = values.sort(descending=True)
    found = there[places].cumsum(0).double()  # true positives among the first 1, 2, .. N
    f1 = 2 * found / (torch.arange(1, len(values) + 1) + found[-1])
    ends = torch.ones(len(values), dtype=torch.bool)
    ends[:-1] = ordered[:-1] > ordered[1:]  # equal values are on one side
    best = int(torch.where(ends, f1, -1.0).argmax())
    last = len(values) - 1
    return float(ordered[best] + ordered[best + 1]) / 2 if best < last else float(ordered[last]) - 1.0


def visible_planes(frames: Frames, most: float = 0.01) -> np.ndarray:
    """(P,) bool: planes that pictures show. Others took two values under more than `most` of the pictures seen twice."""
    again = frames.seen > 1
    if not again.any():
        return np.ones(len(frames.plane_names), np.bool_)
    return frames.ambiguous[again].mean(0) <= most
