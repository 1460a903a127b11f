"""Ratings against closed forms, scikit-learn's logistic regression, and players of known strength."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from ludus.envs import OptionError
from ludus.zoo.ratings import Ratings

counts = st.integers(0, 200)


def chances(difference, nu):
    """Of winning, losing and drawing, as Davidson (1970) has it, and by Elo's scale."""
    shares = np.array([10 ** (difference / 800), 10 ** (-difference / 800), nu])
    return shares / shares.sum()


def simulated(points, games, nu, rng):
    """Wins and draws of a round robin between players of known ratings."""
    wins, draws = np.zeros((2, len(points), len(points)), int)
    for i in range(len(points)):
        for j in range(i):
            won, lost, drawn = rng.multinomial(games, chances(points[i] - points[j], nu))
            wins[i, j], wins[j, i], draws[i, j], draws[j, i] = won, lost, drawn, drawn
    return wins, draws


@settings(max_examples=10, deadline=None)
@given(counts, counts)
def test_two_players_have_half_a_game_more_each(won, lost):
    """Jeffreys's prior of a binomial is Beta(1/2, 1/2)."""
    if won + lost > 0:
        ahead = Ratings([[0, won], [lost, 0]]).over(0, 1)
        assert ahead.value == pytest.approx(400 * math.log10((won + 0.5) / (lost + 0.5)), abs=0.1)
        assert ahead.low < ahead.value < ahead.high


@pytest.mark.parametrize(("won", "lost", "drawn"), [(30, 10, 60), (7, 0, 3), (0, 0, 20)])
def test_draws_of_two_players_count_half_a_game_more_each_too(won, lost, drawn):
    """Jeffreys's prior of a multinomial is Dirichlet(1/2, 1/2, 1/2); two players and draws are one."""
    ahead = Ratings(np.array([[0, won], [lost, 0]]), np.array([[0, drawn], [drawn, 0]])).over(0, 1)
    assert ahead.value == pytest.approx(400 * math.log10((won + 0.5) / (lost + 0.5)), abs=0.1)


def test_with_many_games_ratings_are_those_of_logistic_regression():
    wins, _ = simulated(np.array([200.0, 50, -30, -220]), 20_000, 0.0, np.random.default_rng(0))
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    rows = np.array([np.eye(4)[i] - np.eye(4)[j] for i, j in pairs])
    # each game twice, as won and as lost: without an intercept, a fit needs both kinds
    fit = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8).fit(
        np.concatenate([rows, -rows]), [1] * len(pairs) + [0] * len(pairs), [wins[pair] for pair in pairs] * 2
    )
    theirs = fit.coef_[0] * 400 / math.log(10)
    np.testing.assert_allclose(Ratings(wins).points, theirs - theirs.mean(), atol=0.2)


@pytest.mark.parametrize("nu", [0.0, 1.5])
def test_known_strengths_are_recovered(nu):
    points = np.array([300.0, 120, 0, -70, -350])
    wins, draws = simulated(points, 20_000, nu, np.random.default_rng(1))
    np.testing.assert_allclose(Ratings(wins, draws).points, points - points.mean(), atol=8)


@pytest.mark.parametrize(("gap", "nu"), [(700, 0.0), (100, 1.5)])
def test_intervals_cover(gap, nu):
    """Of sixty 95 % intervals, 49 or fewer would cover twice in ten thousand times."""
    rng, points = np.random.default_rng(2), np.array([gap, 0.0, -50])
    found = [Ratings(*simulated(points, 30, nu, rng)).over(0, 1) for _ in range(60)]
    assert sum(ahead.low <= gap <= ahead.high for ahead in found) > 49


@pytest.mark.parametrize("drawn", [0, 90_000])
def test_intervals_are_no_longer_than_need_be(drawn):
    """Of many games between equals the normal approximation's: the score of a decided game has a standard deviation of 1/2,
    so that the difference's standard error is 2 / sqrt(decided games)."""
    ahead = Ratings(np.array([[0, 5000], [5000, 0]]), np.array([[0, drawn], [drawn, 0]])).over(0, 1)
    assert ahead.high - ahead.low == pytest.approx(2 * 1.96 * 2 / 100 * 400 / math.log(10), rel=0.01)


def test_who_wins_all_games_has_a_rating_and_a_long_way_up():
    ratings = Ratings([[0, 20, 20], [0, 0, 10], [0, 10, 0]])
    best = ratings.over(0, 1)
    assert 0 < best.low < best.value < best.high < 10_000 and best.high - best.value > best.value - best.low
    assert ratings.over(1, 2).value == pytest.approx(0, abs=0.1)
    more = Ratings([[0, 200, 200], [0, 0, 100], [0, 100, 0]])
    assert more.over(0, 1).low > best.low


def test_equal_results_are_equal_ratings():
    np.testing.assert_allclose(
        Ratings(7 * (1 - np.eye(4, dtype=int)), 2 * (1 - np.eye(4, dtype=int))).points, 0, atol=1e-3
    )


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 1000))
def test_the_order_of_players_does_not_matter(order, seed):
    wins, draws = simulated(np.array([150.0, 0, 0, -400]), 20, 0.5, np.random.default_rng(seed))
    again = np.ix_(order, order)
    ratings, others = Ratings(wins, draws), Ratings(wins[again], draws[again])
    np.testing.assert_allclose(ratings.points[order], others.points, atol=0.5)
    there, here = others.over(0, 1), ratings.over(order[0], order[1])
    np.testing.assert_allclose((there.low, there.high), (here.low, here.high), atol=1)


def test_over_is_the_difference_seen_from_either_side():
    ratings = Ratings([[0, 8, 9], [2, 0, 7], [1, 3, 0]])
    one, other = ratings.over(0, 2), ratings.over(2, 0)
    np.testing.assert_allclose((one.value, one.low, one.high), (-other.value, -other.high, -other.low), atol=0.5)
    assert ratings.over(1, 1).value == 0


@pytest.mark.parametrize(
    ("wins", "draws", "message"),
    [
        ([[0]], None, "two players or more"),
        ([[0, 1], [2, 0]], [[0, 1], [2, 0]], "draws symmetric"),
        ([[0, -1], [2, 0]], None, "0 or more"),
        ([[3, 1], [2, 0]], None, "0 on the diagonal"),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 0]], None, "players 0 and 2 have not met"),
    ],
)
def test_what_no_games_led_to_is_refused(wins, draws, message):
    with pytest.raises(OptionError, match=message):
        Ratings(np.array(wins), None if draws is None else np.array(draws))
