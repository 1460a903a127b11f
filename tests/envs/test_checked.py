"""Compiled rules with their indices checked."""

from dataclasses import replace

import numpy as np
import pytest

from ludus.envs import Game, GameError, OptionError, Simulator, all_games, state
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
    for mode in ("checked", "python", "debug"):
        with pytest.raises(OptionError, match=f"^mode='{mode}' is for device='cpu': a GPU plays compiled games only$"):
            Simulator("Catch", device="cuda:1", mode=mode)


def reset(s, random):
    s.x = 3


def step_for_ever(s, action, random):
    while s.x != 100:
        s.x = (s.x + action) % 128
    s.x = 3
    return 1.0, False


def step_beside(s, action, random):
    s.board.flat[s.x + action * 3] = 1  # Numba does not check this index
    return 1.0, False


def observe(s, planes):
    planes[0, 0, 0] = 1


def draw(s, canvas):
    pass


def checked(step):
    parts = {"planes": ("x",), "shape": (1, 1), "actions": ("none", "one")}
    sim = Simulator(
        Game("Odd", 1, state(x="i2", board="(2,2)i1"), reset, step, observe, draw, **parts), 4, mode="checked"
    )
    sim.reset()
    return sim


def test_a_loop_without_end_is_an_error():
    sim = checked(step_for_ever)
    sim.step(np.ones(4, np.int64))
    with pytest.raises(GameError, match=r"^Odd: a loop in a rule does not end; check_game says which$"):
        sim.step(np.array([1, 1, 0, 1]))
    sim.step(np.ones(4, np.int64))
    assert sim.reward.tolist() == [1.0] * 4


def test_flat_indices_are_checked_too():
    sim = checked(step_beside)
    sim.step(np.zeros(4, np.int64))
    assert (sim.records["board"] == [[0, 0], [0, 1]]).all()
    with pytest.raises(GameError, match="Odd: a rule raised an index outside its array"):
        sim.step(np.array([0, 0, 0, 1]))
