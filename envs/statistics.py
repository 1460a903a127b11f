"""How good, and how sure of it: means, medians and interquartile means of scores with bootstrap intervals.

As "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (Agarwal et al. 2021) has it: interval estimates,
interquartile means, performance profiles, and the probability that one agent is better than another. Scores are one number
for each run, or for each episode where there is one run only. Scores of several games are strata, one array for each: they
are resampled within themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arguments import describe
from .errors import OptionError

Statistic = Callable[..., Any]  # of samples (..., K), each along `axis`
RESAMPLES = 10_000
CONFIDENCE = 0.95
ROOM = 10_000_000  # numbers that are resampled at once


def mean(scores: np.ndarray, axis: int = -1) -> Any:
    """Of (..., K)."""
    return np.mean(scores, axis)


def median(scores: np.ndarray, axis: int = -1) -> Any:
    """Of (..., K)."""
    return np.median(scores, axis)


def iqm(scores: np.ndarray, axis: int = -1) -> Any:
    """The interquartile mean of (..., K): the mean without the lowest and the highest quarter, each rounded down."""
    from scipy.stats import trim_mean

    return trim_mean(scores, 0.25, axis)


STATISTICS: dict[str, Statistic] = {"mean": mean, "median": median, "IQM": iqm}


def interval(scores: Any, statistic: Statistic = mean) -> tuple[float, float] | None:
    """95 % bootstrap interval of a statistic of scores (K,), or of strata, a list of those, taken together.

    None where resampling tells nothing: of fewer than two scores, and where it changes nothing, as if all are equal.
    """
    return _one(_strata(scores), lambda *samples: statistic(np.concatenate(samples, -1), axis=-1))


def difference(a: Any, b: Any, statistic: Statistic = mean) -> tuple[float, tuple[float, float] | None]:
    """How much higher a statistic is of `a` than of `b`, scores (K,) or strata as in `interval`, and its 95 % interval."""
    above, below = _strata(a), _strata(b)

    def of(*samples: np.ndarray) -> Any:
        upper, lower = samples[: len(above)], samples[len(above) :]
        return statistic(np.concatenate(upper, -1), axis=-1) - statistic(np.concatenate(lower, -1), axis=-1)

    return float(of(*above, *below)), _one([*above, *below], of)


def probability_of_improvement(a: Any, b: Any) -> tuple[float, tuple[float, float] | None]:
    """P(A > B), that a score of `a` (K,) is above one of `b` (L,), ties counted half; and its 95 % interval.

    Of strata, as many on both sides, it is the mean over them. It is Mann and Whitney's U divided by K L.
    """
    above, below = _strata(a), _strata(b)
    if len(above) != len(below):
        raise OptionError(f"both sides must have scores of the same games, got {len(above)} and {len(below)}")

    def of(*samples: np.ndarray) -> Any:
        pairs = zip(samples[: len(above)], samples[len(above) :], strict=True)
        return np.mean([_share_of_wins(upper, lower) for upper, lower in pairs], 0)

    return float(of(*above, *below)), _one([*above, *below], of)


def performance_profile(scores: Any, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The share of scores (K,), or of strata taken together, above each threshold (T,), and its 95 % band: three of (T,)."""
    passed = [stratum > np.asarray(thresholds)[:, None] for stratum in _strata(scores)]  # each (T, K)
    low, high = bands(passed)
    return np.concatenate(passed, -1).mean(-1), low, high


def bands(scores: Any, statistic: Statistic = mean, resamples: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise 95 % bootstrap intervals (P,) of a statistic at P points, of scores (P, K) or strata of those.

    The K runs are resampled, each as a whole. Bands of one run have no width.
    """
    strata = _strata(scores, axes=2)
    if any(stratum.shape[-1] < 2 for stratum in strata):
        only = statistic(np.concatenate(strata, -1), axis=-1)
        return only, only
    return _bootstrap(strata, lambda *samples: statistic(np.concatenate(samples, -1), axis=-1), resamples)


def _strata(scores: Any, axes: int = 1) -> list[np.ndarray]:
    """One array or several, as a list; raises OptionError for one that is empty or has a number that is none."""
    several = isinstance(scores, Sequence) and not isinstance(scores, str) and len(scores) > 0
    several = several and np.ndim(scores[0]) >= axes
    strata = [np.asarray(stratum) for stratum in (scores if several else [scores])]
    for stratum in strata:
        if stratum.dtype.kind not in "biuf" or stratum.size == 0 or not np.isfinite(stratum).all():
            raise OptionError(f"scores must be finite numbers, one or more, got {describe(stratum.tolist())}")
        if stratum.ndim != axes:
            wanted = "(K,), or a list of those, one for each game" if axes == 1 else "(P, K), or a list of those"
            hint = ": give list(scores.T) for (runs, games)" if (axes, stratum.ndim) == (1, 2) else ""
            raise OptionError(f"scores must be of shape {wanted}, got {stratum.shape}{hint}")
    return strata


def _one(strata: list[np.ndarray], of: Callable[..., Any]) -> tuple[float, float] | None:
    """The interval of one number; see `interval`."""
    if any(len(stratum) < 2 for stratum in strata):
        return None
    low, high = _bootstrap(strata, of, RESAMPLES)
    return None if low == high else (float(low), float(high))


def _bootstrap(strata: list[np.ndarray], of: Callable[..., Any], resamples: int) -> tuple[Any, Any]:
    """Percentile intervals of what `of` makes of samples (..., K), one of each stratum; from a fixed seed."""
    from scipy.stats import bootstrap

    batch = max(1, ROOM // sum(stratum.size for stratum in strata))
    found = bootstrap(
        strata, lambda *samples, axis: of(*samples), n_resamples=resamples, batch=min(batch, resamples), axis=-1,
        vectorized=True, confidence_level=CONFIDENCE, method="percentile", rng=np.random.default_rng(0),
    )  # fmt: skip
    return found.confidence_interval


def _share_of_wins(upper: np.ndarray, lower: np.ndarray) -> Any:
    """P(A > B) of (..., K) and (..., L), by the ranks of all."""
    from scipy.stats import rankdata

    k, count = upper.shape[-1], upper.shape[-1] * lower.shape[-1]
    ranks = rankdata(np.concatenate([upper, lower], -1), axis=-1)[..., :k]
    return (ranks.sum(-1) - k * (k + 1) / 2) / count
