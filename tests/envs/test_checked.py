"""Compiled rules with their indices checked."""

from dataclasses import replace

import numpy as np
import pytest

from ludus.envs import GameError, OptionError, Simulator, all_games
from tests.envs.trajectories import assert_same

CATCH = all_games()["Catch"]


def observe_beside_the_planes(s, planes):
    planes[s.ball_row + 2, s.ball_col, 0] = 1  # the planes have ten rows


def test_an_index_outside_its_array_is_an_error():
    sim = Simulator(replace(CATCH, observe=observe_beside_the_planes), 4, mode="checked")
    sim.reset()
    for _ in range(7):  # up to row 7, whose mark is in row 9
        sim.step(np.ones(4, np.int64))
    with pytest.raises(GameError, match="Catch: a rule raised an index outside its array"):
        sim.step(np.ones(4, np.int64))


@pytest.mark.parametrize("game", ["Catch", "TicTacToe", "Tron"])
def test_checks_change_nothing(game):
    assert assert_same(Simulator(game, 4, seed=3, mode="checked"), Simulator(game, 4, seed=3), 200) > 0


def test_modes_are_named():
    with pytest.raises(OptionError, match="mode must be compiled, checked, python or debug, got 'fast'"):
        Simulator("Catch", mode="fast")
