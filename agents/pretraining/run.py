"""From data to a pretrained encoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...envs import OptionError
from ..checkpoints.encoder_file import check_can_be_kept
from ..files.safe_io import path_of
from ..nn.text import TextConfig, TextEncoder
from ..nn.vision import PictureEncoder, for_pictures
from .augment import Augmentation, augment
from .datasets.examples import Examples
from .frames import PARTS, Frames
from .method import Method, Pictures
from .methods import method_class
from .methods.classify import Classify, Inputs
from .resume import check_folder, digest_of_arrays, digest_of_data, load_training, save_training
from .trainer import History, Trainer, check_settings, diverged

STATISTICS = 10_000  # pictures that the mean picture is of, at most
NATURE_FROM = 36  # pixels


@dataclass(frozen=True)
class Result:
    """A pretrained encoder and how it came about.

    Attributes:
        method: with the best weights; `network` is what is kept of it: an encoder, with a decoder of planes or a policy if
            it learned one.
        history: the looks at the validation part.
        figures: on the test part, by which nothing was chosen.
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
    data: Frames | Examples,
    method: str | None = None,
    encoder: str | None = None,
    tell: Callable[[Trainer], Any] = lambda _: None,
    settings: dict[str, Any] | None = None,
    augmentation: Augmentation | None = None,
    class_weight: str | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    start: nn.Module | None = None,
    **training: Any,
) -> Result:
    """Train an encoder.

    Args:
        data: frames of a game, or examples with labels.
        method: of `methods.METHODS`; None: "planes" where there are such, "st-dim" for other games, "classify" for examples.
        encoder: of `nn.vision.BODIES`; None: what suits the method and the pictures.
        tell: called after each look at the validation part.
        settings: of the encoder, see `EncoderConfig`; what is None is left as it is.
        class_weight: "balanced", or None, of the method classify; see there.
        augmentation: random changes of the pictures that are trained on.
        folder: where the state of the training is kept after each look, so that it can go on; None: nowhere.
        resume: go on with the training in the folder.
        start: a network that was pretrained before, on other data or by another method, to begin from: an encoder, or a
            decoder of planes or a policy on one, whose last layer is taken, too, where it is for the same planes or actions.
            It brings its own mean picture, scale and settings.
        **training: see `Trainer`.
    """
    check_settings(**training)
    place = _place_of(folder, resume)
    torch.manual_seed(int(training.get("seed", 0)))
    _refuse_too_few(data)
    method, augmentation = method or default_method(data), augmentation or Augmentation()
    learner = method_of(data, method, encoder, settings or {}, class_weight, start)
    if place is not None:
        check_can_be_kept(learner.network)
    if augmentation.switches:
        augment(learner, augmentation)
    trainer = Trainer(learner, **training)
    if place is not None:
        origin = {"method": method, "class_weight": class_weight, **_origin_of(data, trainer, augmentation, start)}
        if resume:
            load_training(place, trainer, origin)
        told, tell = tell, lambda trainer: (save_training(place, trainer, origin), told(trainer))
    return _result(trainer, trainer.train(tell))


def _place_of(folder: str | Path | None, resume: bool) -> Path | None:
    """The folder for the state of a training; raises OptionError where that cannot be written, or be gone on with."""
    if folder is not None:
        check_folder(path_of(folder), resume)
        return path_of(folder)
    if resume:
        raise OptionError("resume needs folder, where the training is that is to go on")
    return None


def _result(trainer: Trainer, history: History) -> Result:
    learner = trainer.method
    if history.diverged is not None:
        warnings.warn(f"{diverged(history)}; weights of step {history.steps[history.best]:,} were kept", stacklevel=3)
    if isinstance(learner.encoder, PictureEncoder):
        learner.encoder.fit_map_scale(learner.pictures[_statistics_rows(learner)[::10]])
    return Result(learner, history, learner.figures("test"), trainer.interrupted)


def _origin_of(
    data: Frames | Examples, trainer: Trainer, augmentation: Augmentation, start: nn.Module | None
) -> dict[str, Any]:
    """What decides the result of a training, beside its method and how long it is; see `save_training`."""
    config = asdict(trainer.method.encoder.config)
    encoder = {
        "encoder" if name == "kind" else name: x for name, x in config.items() if name != "words"
    }  # data has them
    weights = (
        None if start is None else digest_of_arrays({name: x.cpu().numpy() for name, x in start.state_dict().items()})
    )
    return {**encoder, **trainer.settings, **asdict(augmentation), "start": weights, "data": digest_of_data(data)}


def _refuse_too_few(data: Frames | Examples) -> None:
    for part in PARTS:
        if len(data.rows(part)) < 2:
            raise OptionError(
                f"{len(data)} different pictures are too few, {len(data.rows(part))} of them are of the {part} part: "
                "collect more frames, or let shuffle make more of them"
            )


def default_method(data: Frames | Examples) -> str:
    """What data is best for."""
    if isinstance(data, Examples):
        return "planes" if data.labels.ndim == 4 else "classify"
    return "planes" if data.plane_names else "st-dim"


def method_of(
    data: Frames | Examples,
    method: str,
    encoder: str | None,
    settings: dict[str, Any],
    class_weight: str | None = None,
    start: nn.Module | None = None,
) -> Method:
    """A method and the encoder that it trains, as both begin; raises OptionError where they do not go together."""
    kind = method_class(method)
    if start is not None and (encoder or any(value is not None for value in settings.values())):
        raise OptionError("what a training starts from brings its own encoder: leave out encoder and its settings")
    if isinstance(data, Examples) and kind is Classify:
        if start is not None:
            network = _encoder_of(start, data.inputs)
            if isinstance(network, TextEncoder) and data.words != network.config.words:
                raise OptionError("the encoder to start from has other words: give its tokenizer to ReadOptions")
        elif data.inputs.ndim == 2:
            network = _text_encoder(data, settings)
        else:
            network = _encoder(data.inputs, (), encoder, settings)
        learner = Classify(network, data, Inputs(data), class_weight)
    elif class_weight is not None:
        raise OptionError(f"class_weight is for the method classify, not for {method}: leave it out")
    elif kind is Classify:
        raise OptionError("the method classify learns classes, and frames of a game have none: choose another method")
    else:
        frames = data.frames() if isinstance(data, Examples) else data
        if start is not None:
            network = _encoder_of(start, frames.pictures)
        else:
            suiting = encoder or ("grid" if method == "planes" and all(frames.planes.shape[1:3]) else None)
            network = _encoder(frames.pictures, frames.planes.shape[1:3], suiting, settings)
        learner = kind(network, frames, Pictures(frames))
    if start is not None and _says_the_same(learner.network, start):
        learner.network.load_state_dict(start.state_dict())
    elif isinstance(network, PictureEncoder) and start is None:
        network.fit_statistics(learner.pictures[_statistics_rows(learner)])
    return learner


def _encoder_of(start: Any, inputs: Any) -> Any:
    """A copy of the encoder of a pretrained network, to train on; raises OptionError where it is not for such inputs."""
    encoder = deepcopy(getattr(start, "encoder", start)).requires_grad_(True)
    if isinstance(encoder, PictureEncoder) != (inputs.ndim == 4):
        raise OptionError("an encoder of pictures cannot start one of texts, nor the other way round")
    if isinstance(encoder, PictureEncoder) and tuple(encoder.config.shape) != inputs.shape[1:]:
        theirs, ours = ("x".join(map(str, shape)) for shape in (encoder.config.shape, inputs.shape[1:]))
        raise OptionError(f"the encoder to start from sees pictures of {theirs}, these are of {ours}")
    return encoder


def _says_the_same(network: nn.Module, start: nn.Module) -> bool:
    """Whether last layers are for the same planes, actions or classes."""
    ours, theirs = (
        [getattr(one, name, None) for name in ("planes", "actions", "classes", "several")] for one in (network, start)
    )
    return type(network) is type(start) and ours == theirs


def _statistics_rows(learner: Method) -> torch.Tensor:
    """Pictures of the training part, by number."""
    return torch.from_numpy(learner.frames.rows("train"))[:STATISTICS]


def _encoder(pictures: Any, grid: Any, kind: str | None, settings: dict[str, Any]) -> PictureEncoder:
    shape = pictures.shape[1:]
    kind = kind or ("nature" if min(shape[:2]) >= NATURE_FROM else "small")
    config = for_pictures(kind, shape, grid if len(grid) and all(grid) else None)
    if (
        kind != "impala"
    ):  # digits: 0.977 of them right in place of 0.968, means of three seeds; planes of Space Invaders
        config = replace(config, norm="batch")  # after ten seconds: F1 0.999 in place of 0.990
    return PictureEncoder(replace(config, **{name: value for name, value in settings.items() if value is not None}))


def _text_encoder(data: Examples, settings: dict[str, Any]) -> TextEncoder:
    given = {name: settings[name] for name in ("channels", "width") if settings.get(name) is not None}
    return TextEncoder(TextConfig(data.words, data.inputs.shape[1], **given))
