"""What every method of pretraining has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...envs import OptionError
from ..nn.vision import PictureEncoder
from .frames import Frames

# What methods may need of frames, whether it is there, and what it is.
NEEDS: dict[str, tuple[Callable[[Frames], Any], str]] = {
    "pairs": (
        lambda frames: all(len(frames.pairs(part)[0]) for part in ("train", "validation")),
        "two frames in a row of the training part, and of the validation part, and there are none: collect more",
    ),
    "advice": (lambda frames: (frames.advice >= 0).any(), "a heuristic's actions, and the game has no heuristic"),
}


class Pictures:
    """The pictures of frames as a tensor; `pictures[rows]` are (B, C, H, W) uint8 on the device."""

    def __init__(self, frames: Frames, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.store = torch.from_numpy(frames.pictures)  # (U, H, W, C)

    def __getitem__(self, rows: Tensor) -> Tensor:
        return self.store[rows].to(self.device).permute(0, 3, 1, 2)


class Method(nn.Module):
    """An encoder and what it is trained to do; a method is a subclass with `loss` and `figures`.

    Args:
        encoder: is trained.
        frames: what there is to learn from.
        pictures: those of the frames, as tensors.

    Attributes:
        judged_by: the figure by which the best weights are told, the higher the better.
        supervised: whether it learns from more than what players see, do and get.
        needs: of `NEEDS`.
        learning_rate, batch_size: that suit it.

    Raises:
        OptionError: the frames lack what it needs.
    """

    judged_by = "f1"
    supervised = True
    needs: tuple[str, ...] = ()
    learning_rate = 1e-3
    batch_size = 64

    def __init__(self, encoder: PictureEncoder, frames: Frames, pictures: Pictures) -> None:
        super().__init__()
        for need in self.needs:
            there, what = NEEDS[need]
            if not there(frames):
                raise OptionError(f"{frames.game}: {type(self).__name__} learns from {what}")
        self.encoder, self.frames, self.pictures = encoder, frames, pictures

    @property
    def network(self) -> nn.Module:
        """What is kept when training is over: the encoder, or a `PlanesDecoder` with it."""
        return self.encoder

    def rows(self, part: str) -> Tensor:
        """What minibatches are drawn from: the numbers of a part's pictures, (K,) int64."""
        return torch.from_numpy(self.frames.rows(part))

    def loss(self, rows: Tensor) -> Tensor:
        """The loss () of a minibatch (B,) of `rows`."""
        raise NotImplementedError

    def finish(self) -> None:
        """When training is over, with the best weights: what is fitted to the validation part in one go."""

    def figures(self, part: str) -> dict[str, Any]:
        """How good it is on a part, by name, `judged_by` among them; what is not a number is left out."""
        raise NotImplementedError
