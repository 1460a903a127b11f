"""A training in pictures and in one sentence: all figures that apply to a method, as PNG files and in TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...envs import OptionError, UnknownGame, find_game
from ..files.safe_io import make_folder
from ..nn.vision import PictureEncoder, PlanesDecoder
from . import plots
from .frames import Frames
from .method import Method
from .methods.planes import visible_planes
from .metrics import Counts, confusion
from .saliency import activation, saliency, says_features, says_plane
from .trainer import SAME, History, diverged

SHOWN = 5  # pictures of a figure
RISE = 1.1  # of the validation loss above its lowest, from which a training overfits
GAP = 2.0  # validation loss / training loss, from which it does not carry over to new pictures
ALIKE, GOOD = 1.1, 0.95  # validation loss / training loss, and figure, below which more could be learned
RIGHT = 0.99  # figure, from which there is too little left to learn
FEW_STEPS, FEW_LOOKS = 50, 4
NEAR_END = 0.9  # of a training's progress, from which its learning rate is near 0
FALL = 0.9  # of a loss, above which it hardly fell; and below which, from half to three quarters of a training, it still did


def verdict(history: History) -> str:
    """Whether a training overfitted or underfitted, in one sentence with the figures and the step that was kept."""
    if history.diverged is not None:
        return f"Diverged: {diverged(history)}; {_kept(history)}."
    return (
        f"{_too_short(history) or _overfits(history) or _underfits(history) or _levelled(history)}; {_kept(history)}."
    )


def _kept(history: History) -> str:
    return f"weights of step {history.steps[history.best]:,} were kept"


def _leg(history: History) -> int:
    """The first look of the last leg: before it, the training had been planned shorter, and its learning rate fell to 0."""
    progress = history.progress
    return max((k for k in range(1, len(progress)) if progress[k] <= progress[k - 1]), default=0)


def _too_short(history: History) -> str | None:
    steps, first = history.steps, _leg(history)
    looks, taken = len(steps) - first, steps[-1] - (steps[first - 1] if first else 0)
    since = " since it went on" if first else ""
    if taken < FEW_STEPS:
        return f"Too short to judge: {taken:,} gradient step{'s' * (taken != 1)}{since}, {FEW_STEPS} are needed"
    if looks < FEW_LOOKS:
        return f"Too short to judge: {looks} look{'s' * (looks != 1)} at the validation part{since}, {FEW_LOOKS} are needed"
    return None


def _overfits(history: History) -> str | None:
    """By losses alone, which say the same of weights whatever the learning rate was."""
    steps, train, new = history.steps, history.loss, history.validation_loss
    low, end = min(range(len(new)), key=new.__getitem__), len(new) - 1
    if new[end] > RISE * new[low] > 0 and train[end] < train[low]:
        return (
            f"Overfits: from step {steps[low]:,} to {steps[end]:,} the training loss fell from {train[low]:.4g} to "
            f"{train[end]:.4g}, while the validation loss rose from {new[low]:.4g} to {new[end]:.4g}: more data, "
            "augmentation or dropout would help"
        )
    if new[end] > GAP * train[end] > 0:
        return (
            f"Overfits: at the end the validation loss is {new[end]:.4g}, {new[end] / train[end]:.1f} times the training "
            f"loss of {train[end]:.4g}, though it does not rise: more data or augmentation would help"
        )
    return None


def _underfits(history: History) -> str | None:
    steps, train, new, end = history.steps, history.loss, history.validation_loss, len(history.loss) - 1
    reached = history.score[history.best]
    if reached >= RIGHT:
        return None
    if train[end] > FALL * train[0] > 0:
        return (
            f"Underfits: the training loss hardly fell, from {train[0]:.4g} to {train[end]:.4g} in {steps[end]:,} steps: try "
            "another learning rate, or a larger encoder"
        )
    between = _while_the_rate_was_high(history)
    if between is not None and 0 < new[between[1]] < FALL * new[between[0]]:
        half, late = between
        return (
            f"Underfits: the validation loss still fell from {new[half]:.4g} to {new[late]:.4g} between steps "
            f"{steps[half]:,} and {steps[late]:,}, before the learning rate came near 0, and ended at {new[end]:.4g}, the "
            f"training loss at {train[end]:.4g}: train longer"
        )
    last = _leg(history) - 1  # look of the training before, whose learning rate came near 0, as this one's did
    if last >= 0 and min(history.progress[last], history.progress[end]) >= NEAR_END and 0 < new[end] < FALL * new[last]:
        return (
            f"Underfits: with more time, from step {steps[last]:,} to {steps[end]:,}, the validation loss fell from "
            f"{new[last]:.4g} to {new[end]:.4g}: train longer"
        )
    if new[end] < ALIKE * train[end] and 0 <= reached < GOOD:  # of losses, the score is below 0
        return (
            f"Underfits: the validation loss of {new[end]:.4g} is about as low as the training loss of {train[end]:.4g}, but "
            f"the figure that it is judged by came to {reached:.3f} alone: train longer, or a larger encoder, unless "
            "pictures show no more"
        )
    return None


def _while_the_rate_was_high(history: History) -> tuple[int, int] | None:
    """Two looks of the last leg, the later at most at three quarters of it and the earlier at two thirds of that way.

    None where the leg has no such, or where the one before came near its end: then losses first rose with the learning
    rate, and fell again with it.
    """
    leg = range(_leg(history), len(history.progress))
    late = max((k for k in leg if history.progress[k] <= 0.75 + SAME), default=None)
    if late is None or (leg.start and history.progress[leg.start - 1] > 0.75 + SAME):
        return None
    half = max((k for k in leg if history.progress[k] <= history.progress[late] * 2 / 3 + SAME), default=None)
    return None if half is None else (half, late)


def _levelled(history: History) -> str:
    new, train = history.validation_loss[-1], history.loss[-1]
    return (
        f"Neither overfits nor underfits: the validation loss levelled off at {new:.4g}, the training loss at {train:.4g} "
        f"after {history.steps[-1]:,} steps"
    )


def figures_of(method: Method, history: History | None = None, part: str = "test") -> dict[str, Any]:
    """All figures that apply to a method, by name; what is shown is of a part.

    A method whose network is a `PlanesDecoder` gets F1 and decoded planes, and is told by its spatial map, since nothing
    trains the features; others by their features. One that learned classes (its data has `class_names`) gets F1, and a
    confusion matrix where examples have one class each. One that has `reconstruct`, pictures (B, C, H, W) uint8 -> the same
    as floats from 0 to 1, gets reconstructions.
    """
    method.eval()
    data: Any = method.frames
    rows = data.rows(part)
    if not len(rows):
        raise OptionError(f"there is nothing in the {part} part: collect more")
    some = torch.from_numpy(rows[np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).astype(int)])
    figures = {}
    if history is not None and history.steps:
        figures["loss"] = plots.loss_curves(history.steps, history.loss, history.validation_loss, history.best)
    figures |= _embedding_map(method, rows)
    if hasattr(data, "class_names"):
        figures |= _class_figures(method, rows)
    if isinstance(method.encoder, PictureEncoder):
        figures |= _picture_figures(method, some)
    if isinstance(method.network, PlanesDecoder):
        figures |= _planes_figures(method, method.network, rows, some)
    return figures


def write_figures(
    folder: Any, figures: Mapping[str, Any], history: History | None = None, log_dir: Any = None
) -> list[Path]:
    """Write figures as NAME.png into a folder; with `log_dir`, also into TensorBoard's files there, with the history.

    Returns the files.
    """
    folder = Path(folder)
    make_folder(folder)
    files = [folder / f"{name}.png" for name in figures]
    for file, figure in zip(files, figures.values(), strict=True):
        figure.savefig(file)
    if log_dir is not None:
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(log_dir)) as writer:
            last = history.steps[-1] if history is not None and history.steps else 0
            for name, figure in figures.items():
                writer.add_figure(name, figure, last, close=False)
            for k, step in enumerate(history.steps if history is not None else ()):
                losses = {"loss/train": history.loss[k], "loss/validation": history.validation_loss[k]}  # type: ignore[union-attr]
                for name, value in {**losses, **history.figures[k]}.items():  # type: ignore[union-attr]
                    writer.add_scalar(name, value, step)
    return files


def _embedding_map(method: Method, rows: np.ndarray) -> dict[str, Any]:
    """Where examples (K,) lie, by their class; pictures of a game by the heuristic's action for them or the action taken.

    Nothing if fewer than 10 have one.
    """
    data: Any = method.frames
    if hasattr(data, "class_names"):
        label, names, by = data.labels[rows], data.class_names, "class"
        if label.ndim > 1:  # several classes each
            return {}
    else:
        advised = bool((data.advice >= 0).any())
        label = first_seen(data.index, data.advice if advised else data.action, len(data))[rows]
        names, by = data.action_names, "heuristic's action" if advised else "action taken"
    rows, label = rows[label >= 0][:2000], label[label >= 0][:2000]  # others were made of shuffled records
    if len(rows) < 10:
        return {}
    on_map = isinstance(method.network, PlanesDecoder)
    embed = method.encoder.spatial if on_map else method.encoder
    with torch.no_grad():
        parts = [embed(method.pictures[few]).flatten(1).cpu() for few in torch.from_numpy(rows).split(512)]
    title = f"{'Spatial maps' if on_map else 'Features'} by t-SNE, coloured by the {by}"
    return {"embeddings": plots.embedding_map(torch.cat(parts).numpy(), label, names, title=title)}


def _class_figures(method: Any, rows: np.ndarray) -> dict[str, Any]:
    """What examples (K,) are taken for; the method has `predict`, rows -> classes (K,), or 0 and 1 of each (K, classes)."""
    names = method.frames.class_names
    predicted, true = method.predict(torch.from_numpy(rows)), method.frames.labels[rows]
    figures = {}
    if true.ndim == 1:
        figures["confusion"] = plots.confusion_matrix(confusion(predicted, true, len(names)), names)
        predicted, true = (x[:, None] == np.arange(len(names)) for x in (predicted, true))
    figures["f1"] = plots.f1_bars(Counts.of(predicted, true).f1, names, true.sum(0, dtype=np.int64))
    return figures


def _picture_figures(method: Any, some: Tensor) -> dict[str, Any]:
    """What an encoder looks at in some pictures (B,)."""
    x, encoder = method.pictures[some], method.encoder
    pictures = x.permute(0, 2, 3, 1).cpu().numpy()
    if pictures.shape[-1] not in (1, 3):  # several pictures one after the other
        return {}
    figures = {"activation": plots.activation_maps(pictures, activation(encoder, x))}
    if not isinstance(method.network, PlanesDecoder):
        features = saliency(says_features(encoder), x, encoder.mean)
        figures["saliency"] = plots.saliency_maps(pictures, features, "the features")
    if hasattr(method, "reconstruct"):
        with torch.no_grad():
            rebuilt = method.reconstruct(x).permute(0, 2, 3, 1).cpu().numpy()
        figures["reconstructions"] = plots.reconstructions(pictures, rebuilt)
    return figures


def first_seen(index: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """The value of the first step that shows each of `count` pictures, (count,); -1 for those that none does.

    `index` and `values` are (T, N).
    """
    found = np.full(count, -1, np.int64)
    found[index.ravel()[::-1]] = values.ravel()[::-1]  # the first is written last
    return found


def _planes_figures(method: Method, decoder: PlanesDecoder, rows: np.ndarray, some: Tensor) -> dict[str, Any]:
    """What a decoder of planes finds and misses in pictures (K,), and in some of them (B,), which are shown."""
    frames, names = method.frames, decoder.planes
    found = [decoder.decode(method.pictures[few]).cpu() for few in torch.from_numpy(rows).split(512)]
    predicted, true = torch.cat(found).numpy(), frames.planes[rows]
    f1 = _counts(predicted, true).f1
    here = np.searchsorted(rows, some.numpy())
    figures = {
        "f1": plots.f1_bars(f1, names, true.sum((0, 1, 2), dtype=np.int64), "F1 of planes (cells where each is)"),
        "planes": plots.decoded_planes(
            frames.pictures[some.numpy()], true[here], predicted[here], names, covers_picture(frames)
        ),
    }
    shown = visible_planes(frames) & true.any((0, 1, 2))
    if shown.any():
        worst = int(np.where(shown, f1, np.inf).argmin())
        x, mean = method.pictures[some], method.encoder.mean
        heat = saliency(says_plane(decoder, worst), x, mean)
        what = f"{names[worst]} (F1 {f1[worst]:.3f})"
        figures["saliency-worst-plane"] = plots.saliency_maps(frames.pictures[some.numpy()], heat, what)
    level = first_seen(frames.index, frames.level, len(frames))[rows]
    levels = np.unique(level[level >= 0])
    if len(levels) > 1:
        by_level = np.stack([_counts(predicted[level == n], true[level == n]).f1 for n in levels], 1)
        figures["f1-by-level"] = plots.f1_by_level(by_level, names, levels.tolist())
    return figures


def covers_picture(frames: Frames) -> bool:
    """Whether the grid of planes lies over the whole picture, cell by cell, as in games that draw nothing beside it."""
    try:
        width, height = find_game(frames.game).canvas
    except UnknownGame:
        return False
    return (height, width) == frames.planes.shape[1:3]


def _counts(predicted: np.ndarray, true: np.ndarray) -> Counts:
    """Of planes (K, rows, columns, P)."""
    return Counts.of(predicted.reshape(-1, predicted.shape[-1]), true.reshape(-1, true.shape[-1]))
