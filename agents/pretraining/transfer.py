"""Transfer: the frozen encoder of one task as features for another.

Whether what was learned from some digits helps to tell others apart, of which few labels are known:

    digits = load_examples("digits")
    known, new = digits.only("01234"), digits.only("56789")
    encoder = pretrain(known, epochs=10, settings={"norm": "batch"}).network
    figures = transfer(encoder, new, labels=25)

It helps little there, and the output layer, made for the classes that were learned, no more than one that was never
trained: it is the comparison with such an encoder that tells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...envs import OptionError
from ..nn.vision import PictureEncoder
from ..runtime.extras import need
from .datasets.examples import Examples
from .methods.classify import Inputs


def transfer(
    encoder: Any, examples: Examples, labels: int | None = None, spatial: bool = True, seed: int = 0
) -> dict[str, float]:
    """How well classes can be told from the features of an encoder that was trained for something else and stays as it is.

    A logistic regression learns them from the training part; figures are of the test part.

    Args:
        encoder: of `nn.vision`, for pictures of any size, which are resized to its own; or of `nn.text`, for texts that
            were read with its tokenizer; or a network on one, such as a `Classifier`.
        examples: with one class each.
        labels: at most so many, drawn from the training part; None: all.
        spatial: features are the spatial map, of pictures; else the output layer.
        seed: of the labels drawn and the untrained encoder.

    Returns: accuracy and macro f1; and those of an encoder that is the same but was never trained, as random_accuracy and
        random_f1, without which the others say nothing of the training.
    """
    encoder = getattr(encoder, "encoder", encoder)
    if examples.labels.ndim != 1:
        raise OptionError(f"transfer needs one class for each example, those of {examples.name} may have several")
    train, test = examples.rows("train"), examples.rows("test")
    if labels is not None and labels < len(train):
        train = np.random.default_rng(seed).permutation(train)[:labels]
    if len(np.unique(examples.labels[train])) < 2:
        raise OptionError(f"the {len(train)} labels are all of one class: give more")
    found = {}
    for prefix, one in {"": encoder, "random_": _untrained(encoder, seed)}.items():
        x = features(one, examples, np.concatenate([train, test]), spatial)
        accuracy, f1 = _linear(x[: len(train)], examples.labels[train], x[len(train) :], examples.labels[test])
        found |= {f"{prefix}accuracy": accuracy, f"{prefix}f1": f1}
    return found


@torch.no_grad()
def features(encoder: Any, examples: Examples, rows: np.ndarray, spatial: bool = True) -> np.ndarray:
    """What an encoder makes of examples: its spatial map flattened, or its output layer (K, width), float32."""
    device, is_picture = next(encoder.parameters()).device, isinstance(encoder, PictureEncoder)
    if is_picture != (examples.inputs.ndim == 4):
        raise OptionError(f"{examples.name} has {'texts' if is_picture else 'pictures'}: the encoder is not for them")
    if not is_picture and examples.words != encoder.config.words:
        raise OptionError(
            f"{examples.name} was read with other words than the encoder's: give its tokenizer to ReadOptions"
        )
    inputs, was_training = Inputs(examples, str(device)), encoder.training
    encoder.eval()
    found, spatial = [], spatial and is_picture
    for some in torch.from_numpy(rows).split(512):
        batch = _as_pictures_of(encoder, inputs[some]) if is_picture else inputs[some]
        found.append((encoder.spatial(batch).flatten(1) if spatial else encoder(batch)).float().cpu())
    encoder.train(was_training)
    return torch.cat(found).numpy()


def _as_pictures_of(encoder: PictureEncoder, pictures: Tensor) -> Tensor:
    """(B, C, H, W) uint8 -> from 0 to 1, of the encoder's size, gray or in colours as its are."""
    height, width, channels = encoder.config.shape
    x = pictures.float() / 255
    if x.shape[1] != channels:
        x = x.mean(1, keepdim=True).expand(-1, channels, -1, -1)
    if x.shape[2:] == (height, width):
        return x
    return F.interpolate(x, (height, width), mode="bilinear", antialias=True)


def _untrained(encoder: Any, seed: int) -> nn.Module:
    """The same, with weights as they begin, and the statistics of pictures."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        other = type(encoder)(encoder.config)
    other.load_state_dict(
        {name: x for name, x in encoder.state_dict().items() if name in ("mean", "scale")}, strict=False
    )
    return other.to(next(encoder.parameters()).device)


def _linear(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> tuple[float, float]:
    """Accuracy and macro f1 of a logistic regression."""
    linear, metrics = need("sklearn.linear_model", "transfer"), need("sklearn.metrics", "transfer")
    mean, scale = x.mean(0), x.std(0) + 1e-6
    model = linear.LogisticRegression(max_iter=2000).fit((x - mean) / scale, y)
    predicted = model.predict((x_test - mean) / scale)
    return float((predicted == y_test).mean()), float(metrics.f1_score(y_test, predicted, average="macro"))
