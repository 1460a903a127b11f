"""Supervised: the class of an example, or the several classes that it has."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ....envs import OptionError
from ...nn.classifier import Classifier
from ..datasets.examples import Examples
from ..method import Method, Pictures
from ..metrics import Counts, confusion, means


class Inputs(Pictures):
    """The inputs of examples as a tensor; `inputs[rows]` are (B, C, H, W) uint8, or tokens (B, L) int32, on the device."""

    def __init__(self, examples: Examples, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.store = torch.from_numpy(examples.inputs)

    def __getitem__(self, rows: Tensor) -> Tensor:
        inputs = self.store[rows].to(self.device)
        return inputs.permute(0, 3, 1, 2) if inputs.ndim == 4 else inputs


class Classify(Method):
    """Logits of classes by cross-entropy; where an example may have several, of each by binary cross-entropy.

    Args:
        encoder: of `nn.vision`, or of `nn.text` for texts; from inputs to features (B, width).
        examples: are learned.
        inputs: those of the examples, as tensors.
        class_weight: "balanced" gives classes the same weight together however rare they are, as in scikit-learn; where an
            example may have several, it gives a class's presence the weight of its absence. None: examples weigh the same.
    """

    weight: Tensor | None
    learning_rate = 2e-3

    def __init__(self, encoder: Any, examples: Examples, inputs: Pictures, class_weight: str | None = None) -> None:
        data: Any = examples  # what is asked of frames here, examples have as well
        super().__init__(encoder, data, inputs)
        if examples.labels.ndim > 2:
            raise OptionError(f"{examples.name} has classes at cells: train the method planes on examples.frames()")
        if class_weight not in (None, "balanced"):
            raise OptionError(f"class_weight must be 'balanced' or None, got {class_weight!r}")
        self.examples, self.several = examples, examples.labels.ndim == 2
        self.labels = torch.from_numpy(examples.labels)
        self.classifier = Classifier(encoder, examples.class_names, self.several)
        labels = self.labels[self.rows("train")]
        if self.several:
            share = labels.float().mean(0).clamp(1 / (len(labels) + 1), 1 - 1 / (len(labels) + 1))  # (K,)
            weight = (1 - share) / share
            with torch.no_grad():  # to begin at their frequencies, not at one half: most are rare
                self.classifier.head.bias.copy_(-weight.log())
        else:
            count = labels.bincount(minlength=len(examples.class_names)).clamp(min=1)
            weight = len(labels) / (len(count) * count)
        self.register_buffer("weight", weight if class_weight else None, persistent=False)
        self.to(inputs.device)

    @property
    def network(self) -> Classifier:
        return self.classifier

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, K)."""
        return self.classifier(inputs)

    def loss(self, rows: Tensor) -> Tensor:
        logits, labels = self(self.pictures[rows]), self.labels[rows].to(self.pictures.device)
        if self.several:
            return F.binary_cross_entropy_with_logits(logits, labels.float(), pos_weight=self.weight)
        return F.cross_entropy(logits, labels, self.weight)

    def figures(self, part: str) -> dict[str, Any]:
        """Means over classes ("macro"), and those of each; accuracy is the share of examples, or of all yes and no."""
        predicted, true = self.predict(self.rows(part)), self.examples.labels[self.examples.rows(part)]
        accuracy = float((predicted == true).mean())
        if not self.several:
            classes = np.arange(len(self.examples.class_names))
            predicted, true = predicted[:, None] == classes, true[:, None] == classes
        counts, names = Counts.of(predicted, true), self.examples.class_names
        whole = {name: getattr(counts, name).tolist() for name in ("f1", "precision", "recall")}
        single = {f"{what}/{name}": [x] for what, xs in whole.items() for name, x in zip(names, xs, strict=True)}
        return means({**whole, "accuracy": [accuracy], **single})

    def confusion(self, part: str) -> np.ndarray:
        """(K, K) counts, a row for each true class; for examples of one class each."""
        if self.several:
            raise OptionError(f"an example of {self.examples.name} may have several classes: none is taken for another")
        predicted = self.predict(self.rows(part))
        return confusion(predicted, self.examples.labels[self.examples.rows(part)], len(self.examples.class_names))

    @torch.no_grad()
    def predict(self, rows: Tensor) -> np.ndarray:
        """Classes of examples (K,), as their labels have them."""
        was_training = self.training
        self.eval()
        predicted = torch.cat([self.classifier.predict(self.pictures[some]) for some in rows.split(512)])
        self.train(was_training)
        return predicted.cpu().numpy()
