"""Othello against OpenSpiel, against published perft numbers and against a game played on a grid."""

import numpy as np
import pyspiel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Simulator
from ludus.envs.engine.plain import PlainRecords
from ludus.envs.games.othello import MOBILITY, MOST_WORTH, WORTH, value

from . import boards

SIZE, PASS = 8, 64


def test_random_games_go_as_in_openspiel():
    returns = boards.play_beside("Othello", pyspiel.load_game("othello"), games=1000, seed=1, signs="-xo")
    assert set(returns) == {1.0, 0.0, -1.0}


def test_number_of_games_is_the_published_one():
    """Bik 2009, "Perft for Reversi", also OEIS A124004; passes begin with the ninth move."""
    assert boards.leaves_after("Othello", 9) == [4, 12, 56, 244, 1396, 8200, 55092, 390216, 3005288]


def disc_bits(grid):
    """A boolean grid as the record has it."""
    return np.packbits(grid.ravel(), bitorder="little").view("<i8")[0]


def position(sim, mine, theirs):
    """Let the first player be to move there, by a pass of the second; the moves are then the game's own."""
    sim.records["discs"][0], sim.records["player"][0], sim.records["moves"][0] = [mine, theirs], 1, 0
    sim.legal[0] = np.arange(PASS + 1) == PASS
    sim.step(np.array([PASS]))


def turned(mine, theirs, row, col):
    """The cells that a disc there turns, by walking away from it in eight directions."""
    found = []
    for down, right in ((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b):
        line, r, c = [], row + down, col + right
        while 0 <= r < SIZE and 0 <= c < SIZE and theirs[r, c]:
            line.append((r, c))
            r, c = r + down, c + right
        if 0 <= r < SIZE and 0 <= c < SIZE and mine[r, c]:
            found += line
    return found


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 1, 2, 2]), min_size=64, max_size=64), st.data())
def test_properties_of_any_position(cells, data):
    """Boards that no game reaches too: lines to all borders and corners, among them the bit that is the sign."""
    grid = np.array(cells).reshape(SIZE, SIZE)
    mine, theirs = grid == 1, grid == 2
    sim = Simulator("Othello", seed=0, autoreset="disabled", mode="python")
    sim.reset()
    position(sim, disc_bits(mine), disc_bits(theirs))
    turns = {r * SIZE + c: turned(mine, theirs, r, c) for r in range(SIZE) for c in range(SIZE) if grid[r, c] == 0}
    moves = sorted(cell for cell, discs in turns.items() if discs)
    if sim.terminated[0]:
        assert not moves
        lead = int(mine.sum()) - int(theirs.sum())
        assert sim.reward[0].tolist() == [np.sign(lead), -np.sign(lead)]
        return
    assert np.flatnonzero(sim.legal[0]).tolist() == (moves or [PASS])
    if moves:
        move = data.draw(st.sampled_from(moves))
        sim.step(np.array([move]))
        for row, col in [divmod(move, SIZE), *turns[move]]:
            mine[row, col], theirs[row, col] = True, False
        assert sim.records["discs"][0].tolist() == [disc_bits(mine), disc_bits(theirs)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 1, 2, 2]), min_size=64, max_size=64))
def test_a_position_is_worth_its_discs_and_moves_beyond_the_others(cells):
    grid = np.array(cells).reshape(SIZE, SIZE)
    mine, theirs = grid == 1, grid == 2
    sim = Simulator("Othello", seed=0)
    sim.reset()
    sim.records["discs"][0] = disc_bits(mine), disc_bits(theirs)
    free = [(r, c) for r in range(SIZE) for c in range(SIZE) if grid[r, c] == 0]
    moves = [sum(bool(turned(*sides, r, c)) for r, c in free) for sides in ((mine, theirs), (theirs, mine))]
    worth = np.array(WORTH).reshape(SIZE, SIZE)
    lead = worth[mine].sum() - worth[theirs].sum() + MOBILITY * (moves[0] - moves[1])
    s = PlainRecords(sim.records)[0]
    assert value(s, 0) == pytest.approx(lead / MOST_WORTH) and value(s, 1) == -value(s, 0)
    assert abs(value(s, 0)) < 1


def test_heuristic_beats_random():
    assert boards.heuristic_against_random("Othello", 300) > 0.7
