"""How good predictions are: counts of right and wrong ones, and what is computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Counts:
    """Right and wrong answers of K classes, each yes or no: (K,) of each kind."""

    true_positives: np.ndarray
    false_positives: np.ndarray
    false_negatives: np.ndarray
    true_negatives: np.ndarray

    @classmethod
    def of(cls, predicted: np.ndarray, true: np.ndarray) -> Counts:
        """From (N, K) of 0 and 1 each."""
        yes, right = predicted.astype(bool), true.astype(bool)
        pairs = (yes & right, yes & ~right, ~yes & right, ~yes & ~right)
        return cls(*(pair.sum(0) for pair in pairs))

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def precision(self) -> np.ndarray:
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> np.ndarray:
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall; nan for a class that is neither there nor predicted."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    @property
    def accuracy(self) -> np.ndarray:
        right = self.true_positives + self.true_negatives
        return _share(right, right + self.false_positives + self.false_negatives)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, nan where there is nothing."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The mean of the numbers of each name that are such, nan aside; names without any are left out."""
    numbers = {name: [x for x in some if x == x] for name, some in values.items()}
    return {name: sum(some) / len(some) for name, some in numbers.items() if some}


def confusion(predicted: np.ndarray, true: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) counts of predictions (N,) of true classes (N,): a row for each true class."""
    return np.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)
