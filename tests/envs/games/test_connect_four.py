"""ConnectFour against OpenSpiel, and against the published number of positions."""

import numpy as np
import pyspiel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Bot, Simulator
from ludus.envs.engine.plain import PlainRecords
from ludus.envs.games.connect_four import value

from . import boards

ROWS, COLS = 6, 7


def test_random_games_go_as_in_openspiel():
    returns = boards.play_beside("ConnectFour", pyspiel.load_game("connect_four"), games=2000, seed=1, signs=".xo")
    assert set(returns) == {1.0, 0.0, -1.0}  # so draws have been compared too


def test_number_of_positions_is_the_published_one():
    """OEIS A212693: positions after n plies, those that are decided included."""
    counted = boards.positions_after("ConnectFour", 8, key=lambda records: records["discs"])
    assert counted == [1, 7, 49, 238, 1120, 4263, 16422, 54859, 184275]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, COLS - 1), min_size=1, max_size=ROWS * COLS))
def test_properties_of_any_game(columns):
    """Planes show each disc where it fell, for the mover, and the game ends with the first line of four."""
    sim, board = Simulator("ConnectFour", seed=0, autoreset="disabled", mode="python"), np.zeros((ROWS, COLS), int)
    sim.reset()
    for move, col in enumerate(columns):
        mark, free = move % 2 + 1, np.flatnonzero(board[:, col] == 0)
        assert sim.legal[0, col] == (len(free) > 0)
        if len(free) == 0:
            return
        board[free[-1], col] = mark
        sim.step(np.array([col]))
        assert np.array_equal(sim.obs[0, :, :, 0], board == 3 - mark)
        assert np.array_equal(sim.obs[0, :, :, 1], board == mark)
        assert sim.terminated[0] == (has_line(board == mark) or np.all(board > 0))
        if sim.terminated[0]:
            return


def windows_of(discs):
    """Every four cells in a line."""
    windows = [discs[row, col : col + 4] for row in range(ROWS) for col in range(COLS - 3)]
    windows += [discs[row : row + 4, col] for row in range(ROWS - 3) for col in range(COLS)]
    for row in range(ROWS - 3):
        for col in range(COLS - 3):
            block = discs[row : row + 4, col : col + 4]
            windows += [block.diagonal(), block[::-1].diagonal()]
    return windows


def has_line(discs):
    return any(window.all() for window in windows_of(discs))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, COLS - 1), max_size=ROWS * COLS))
def test_a_position_is_worth_the_discs_in_lines_that_are_open(columns):
    sim = Simulator("ConnectFour", seed=0, autoreset="disabled")
    sim.reset()
    for column in columns:
        if sim.legal[0, column] and not sim.terminated[0]:
            sim.step(np.array([column]))
    mine, theirs = (sim.view(0)[..., plane].astype(int) for plane in (0, 1))
    both = list(zip(windows_of(mine), windows_of(theirs), strict=True))
    assert len(both) == 69  # as Allis 1988 counts them
    lead = sum(int(us.sum()) * (not them.any()) - int(them.sum()) * (not us.any()) for us, them in both)
    s = PlainRecords(sim.records)[0]
    assert value(s, 0) == pytest.approx(0.002 * lead) and value(s, 1) == -value(s, 0)
    assert abs(value(s, 0)) < 1


def test_heuristic_wins_and_stops_the_other_from_winning():
    sim = Simulator("ConnectFour", 2, seed=0)
    sim.reset()
    for _ in range(3):
        sim.step(np.array([1, 0]))
        sim.step(np.array([2, 6]))
    assert Bot(sim).act().tolist() == [1, 0]
    sim.step(np.array([3, 3]))  # not taken, and the other has three as well
    assert Bot(sim).act().tolist() == [2, 6]
    sim.reset()
    for columns in (1, 2, 1, 2, 1):
        sim.step(np.array([columns, columns]))
    assert Bot(sim).act().tolist() == [1, 1]


def test_heuristic_beats_random():
    assert boards.heuristic_against_random("ConnectFour", 300) > 0.9
