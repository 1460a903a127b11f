"""Observations of records are those that a simulator shows of the same games."""

import numpy as np
import pytest

from ludus.envs import Bot, GameError, Observer, OptionError, Simulator

GAMES = ("Breakout", "Tetris", "CartPole", "ConnectFour", "Tron")  # planes and features, alone, in turn and together
PICTURES = {"obs_type": "rgb"}


def played(name, steps=5, **options):
    """A simulator of eight games in their midst."""
    sim = Simulator(name, 8, seed=3, **options)
    bot = Bot(sim, "random", 1)
    sim.reset()
    for _ in range(steps):
        sim.step(bot.act())
    return sim


@pytest.mark.parametrize("name", GAMES)
def test_an_observer_shows_what_a_simulator_shows(name):
    own, pictures = played(name), played(name, **PICTURES)
    assert np.array_equal(own.records, pictures.records)
    if own.game.together:  # each seat sees something else
        seen = np.stack([Observer(name)(own.records, seat) for seat in range(own.num_players)], axis=1)
        assert np.array_equal(seen, own.obs)
    else:
        assert np.array_equal(Observer(name)(own.records), own.obs)
        assert np.array_equal(Observer(name, **PICTURES)(own.records), pictures.obs)


def test_checked_rules_show_the_same():
    sim = played("Breakout")
    assert np.array_equal(Observer("Breakout", mode="checked")(sim.records), sim.obs)


def test_records_that_no_game_reaches_are_an_error_where_rules_are_checked():
    records = played("Catch").records.copy()
    records["ball_row"] = 120
    with pytest.raises(GameError):
        Observer("Catch", mode="checked")(records)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Observer("Breakout", frame_stack=2), "frame_stack must be left out"),
        (lambda: Observer("Breakout", mode="fast"), "mode"),
        (lambda: Observer("Breakout")(np.zeros(3)), "records must be"),
        (lambda: Observer("Breakout")(played("Catch").records), "records must be"),
        (lambda: Observer("ConnectFour")(played("ConnectFour").records, 2), "player must be from 0 to 1"),
        (lambda: Observer("ConnectFour")(played("ConnectFour").records, 0.5), "player must be a whole number"),
    ],
)
def test_what_is_wrong_is_said(call, words):
    with pytest.raises(OptionError, match=words):
        call()
