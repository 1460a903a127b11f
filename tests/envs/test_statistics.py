"""Statistics of scores beside SciPy's, NumPy's and their definitions (Agarwal et al. 2021)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, norm, trim_mean

from ludus.envs import OptionError
from ludus.envs.statistics import (
    STATISTICS,
    bands,
    difference,
    interval,
    iqm,
    mean,
    performance_profile,
    probability_of_improvement,
)

scores = st.lists(st.integers(-5, 5), min_size=2, max_size=12).map(np.array)


def drawn(count, seed=0, location=0.0):
    return np.random.default_rng(seed).normal(location, 1, count)


def resampled(statistic, *samples, count=20_000):
    """95 % percentile interval of a statistic of samples, one resample after the other."""
    rng = np.random.default_rng(1)
    found = [statistic(*(rng.choice(sample, len(sample)) for sample in samples)) for _ in range(count)]
    return np.quantile(found, (0.025, 0.975))


@given(scores)
def test_the_interquartile_mean_is_scipys_trimmed_mean(x):
    assert iqm(x) == pytest.approx(trim_mean(x, 0.25))


def test_the_interquartile_mean_is_that_of_the_middle_half():
    assert iqm(np.array([100, 1, 2, 3, 4, -9, 5, 1000])) == np.mean([2, 3, 4, 5])


@pytest.mark.parametrize("name", STATISTICS)
def test_an_interval_is_that_of_resampled_scores(name):
    x, plain = drawn(40), {"mean": np.mean, "median": np.median, "IQM": lambda x: trim_mean(x, 0.25)}[name]
    assert interval(x, STATISTICS[name]) == pytest.approx(resampled(plain, x, count=2000), abs=0.04)


def test_an_interval_of_many_scores_is_the_normal_one():
    x = drawn(2000)
    half = norm.ppf(0.975) * x.std() / np.sqrt(len(x))
    assert interval(x) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.05 * half)


def test_intervals_cover_what_they_are_to_cover():
    """The true mean is in about 95 of 100 intervals; over ten scores in 9 of 10, over three in 3 of 4, as the guide says."""

    def covered(count, trials=100):
        found = [interval(drawn(count, seed)) for seed in range(trials)]
        return sum(low <= 0 <= high for low, high in found)

    assert covered(50) >= 89 and 81 <= covered(10) <= 96 and 63 <= covered(3) <= 86


@pytest.mark.parametrize("x", [[1.0], [2.0, 2.0, 2.0], [0, 0, 0, 0, 0, 0, 0, 0, 1e-300]])
def test_where_resampling_tells_nothing_there_is_no_interval(x):
    assert (interval(x) is None) == (len({*x}) == 1)
    assert interval(x, STATISTICS["median"]) is None


def test_a_difference_has_the_interval_of_two_resampled_sides():
    a, b = drawn(30, 1, 2.0), drawn(20, 2)
    gap, sure = difference(a, b)
    assert gap == pytest.approx(a.mean() - b.mean())
    assert sure == pytest.approx(resampled(lambda x, y: x.mean() - y.mean(), a, b), abs=0.03)
    assert difference([1.0, 1.0], [0.0, 0.0]) == (1.0, None)


def test_strata_are_resampled_within_themselves():
    """Two games on other scales: across them, a mean would vary by hundreds."""
    small, large = drawn(30), 1000 + drawn(30, 1)
    low, high = interval([small, large])
    assert low == pytest.approx(np.concatenate([small, large]).mean(), abs=1) and high - low < 1
    assert interval([small, large]) == pytest.approx(
        resampled(lambda x, y: np.concatenate([x, y]).mean(), small, large), abs=0.03
    )
    assert difference([small, large], [small, large], iqm)[0] == 0


@settings(max_examples=30, deadline=None)
@given(scores, scores)
def test_the_probability_of_improvement_is_mann_and_whitneys_u(a, b):
    better, _ = probability_of_improvement(a, b)
    assert better == pytest.approx(mannwhitneyu(a, b, method="asymptotic").statistic / (len(a) * len(b)))
    pairs = [(x > y) + 0.5 * (x == y) for x in a for y in b]
    assert better == pytest.approx(np.mean(pairs))
    assert probability_of_improvement(b, a)[0] == pytest.approx(1 - better)


def test_the_probability_of_improvement_over_games_is_their_mean():
    a, b = [np.array([1, 2, 3]), np.array([0, 0])], [np.array([0, 0, 0]), np.array([1, 1])]
    assert probability_of_improvement(a, b) == (0.5, None)
    better, (low, high) = probability_of_improvement(drawn(40, 1, 0.5), drawn(40, 2))
    assert 0 < low < better < high < 1


@pytest.mark.parametrize("wrong", [[], [1.0, np.nan], [[1.0], []], "scores", ["a", "b"], None])
def test_scores_that_are_none_are_refused(wrong):
    for function in (interval, lambda x: difference(x, [1.0]), lambda x: performance_profile(x, np.zeros(1))):
        with pytest.raises(OptionError, match="scores must be finite numbers, one or more"):
            function(wrong)


def test_scores_of_another_shape_are_refused():
    table = drawn(15).reshape(5, 3)  # runs and games, as others have it
    for function in (interval, lambda x: difference(x, x), lambda x: probability_of_improvement(x, x)):
        with pytest.raises(
            OptionError, match=r"must be of shape \(K,\), or a list .* got \(5, 3\): give list\(scores.T\)"
        ):
            function(table)
    with pytest.raises(OptionError, match=r"must be of shape \(P, K\)"):
        bands(drawn(5))


def test_a_statistic_may_be_numpys_own():
    low, high = interval(drawn(50), np.max)
    assert low < high == drawn(50).max()


def test_sides_need_the_same_games():
    with pytest.raises(OptionError, match="same games, got 2 and 1"):
        probability_of_improvement([[1], [2]], [[1]])


def test_a_performance_profile_is_the_share_of_scores_above():
    strata, thresholds = [drawn(20), drawn(30, 1, 1.0)], np.linspace(-2, 3, 11)
    share, low, high = performance_profile(strata, thresholds)
    everything = np.concatenate(strata)
    assert share == pytest.approx([np.mean(everything > t) for t in thresholds])
    assert (low <= share).all() and (share <= high).all() and (np.diff(share) <= 0).all()
    k = 5
    assert (low[k], high[k]) == pytest.approx(
        resampled(lambda x, y: np.mean(np.concatenate([x, y]) > thresholds[k]), *strata), abs=0.05
    )


def test_bands_are_the_intervals_of_every_point():
    curves = np.stack([drawn(8, 3), drawn(8, 4, 5.0)])  # (points, runs)
    low, high = bands(curves, iqm)
    for k, row in enumerate(curves):
        assert (low[k], high[k]) == pytest.approx(interval(row, iqm), abs=0.15)
    assert all((one == curves[:, 0]).all() for one in bands(curves[:, :1], mean))
