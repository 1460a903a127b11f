"""From frames to a pretrained encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...envs import OptionError
from ..nn.vision import PictureEncoder, for_pictures
from .frames import Frames
from .method import Method, Pictures
from .methods import method_class
from .resume import load_training, save_training
from .trainer import History, Trainer

STATISTICS = 10_000  # pictures that the mean picture is of, at most
DEFAULT_ENCODER = {"planes": "grid"}  # by method; of others, nature


@dataclass(frozen=True)
class Result:
    """A pretrained encoder and how it came about.

    Attributes:
        method: with the best weights; `network` is what is kept of it, an encoder or a decoder of planes.
        history: the looks at the validation part.
        figures: on the test part, whose pictures nothing was chosen by.
        interrupted: whether Ctrl-C ended it.
    """

    method: Method
    history: History
    figures: dict[str, float]
    interrupted: bool = False

    @property
    def network(self) -> nn.Module:
        return self.method.network


def pretrain(
    frames: Frames,
    method: str = "planes",
    encoder: str | None = None,
    tell: Callable[[Trainer], Any] = lambda _: None,
    settings: dict[str, Any] | None = None,
    folder: Path | None = None,
    resume: bool = False,
    **training: Any,
) -> Result:
    """Train an encoder on frames.

    Args:
        method: of `methods.METHODS`.
        encoder: grid, nature or impala; None: what suits the method.
        tell: called after each look at the validation part.
        settings: of the encoder, see `EncoderConfig`.
        folder: where the state of the training is kept after each look, so that it can go on; None: nowhere.
        resume: go on with the training in the folder.
        **training: see `Trainer`.
    """
    torch.manual_seed(int(training.get("seed", 0)))
    kind = method_class(method)
    shape, grid = frames.pictures.shape[1:], frames.planes.shape[1:3]
    config = for_pictures(encoder or DEFAULT_ENCODER.get(method, "nature"), shape, grid if all(grid) else None)
    network = PictureEncoder(_replaced(config, settings or {}))
    pictures = Pictures(frames)
    rows = torch.from_numpy(frames.rows("train"))
    if len(rows) < 2 or not len(frames.rows("validation")) or not len(frames.rows("test")):
        raise OptionError(
            f"{len(frames)} different pictures are too few to train, validate and test on: collect more frames, or let "
            "shuffle make more of them"
        )
    network.fit_statistics(pictures[rows[:STATISTICS]])
    learner = kind(network, frames, pictures)
    trainer = Trainer(learner, **training)
    if folder is not None and resume:
        load_training(folder, trainer)

    def keep(trainer: Trainer) -> None:
        if folder is not None:
            save_training(folder, trainer)
        tell(trainer)

    history = trainer.train(keep)
    network.fit_map_scale(pictures[rows[:STATISTICS:10]])
    return Result(learner, history, learner.figures("test"), trainer.interrupted)


def _replaced(config: Any, settings: dict[str, Any]) -> Any:
    return replace(config, **{name: value for name, value in settings.items() if value is not None})
