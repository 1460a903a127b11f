"""Bots have random numbers of their own."""

import numpy as np
import pytest

from ludus.envs import Bot, Simulator, TreeSearch, evaluate_player
from ludus.envs.rng import players_streams, start_streams


def test_a_bot_of_the_games_seed_does_not_follow_the_deal():
    """Two players at equilibrium: the first loses 1/18 a hand (Kuhn 1950), whatever the seeds."""
    hands = 20_000
    sim = Simulator("KuhnPoker", hands, seed=0)
    returns = evaluate_player(Bot(sim, "heuristic", seed=0), sim).returns
    error = returns[:, 0].std() / np.sqrt(hands)
    assert returns[:, 0].mean() == pytest.approx(-1 / 18, abs=4 * error)


@pytest.mark.parametrize("kind", [Bot, TreeSearch])
def test_no_player_has_a_games_random_numbers(kind):
    sim = Simulator("ConnectFour", 1000, seed=7)
    games = sim._backend.read("streams")
    assert not set(games.flatten()) & set(kind(sim, seed=7)._streams.flatten())


def test_the_streams_of_players_are_no_games():
    seeds, games = np.arange(100, dtype=np.uint64), np.arange(100, dtype=np.uint64)
    both = [np.concatenate(streams(seeds, games)) for streams in (start_streams, players_streams)]
    assert len(np.unique(np.concatenate(both))) == 400
