"""Gomoku against OpenSpiel, and against lines of five found by comparing shifted boards."""

import numpy as np
import pyspiel
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Bot, Simulator

from . import boards

SIZE, CELLS = 9, 81
FIVES = (np.ones((1, 5), int), np.ones((5, 1), int), np.eye(5, dtype=int), np.eye(5, dtype=int)[::-1])


def test_random_games_go_as_in_openspiel():
    returns = boards.play_beside("Gomoku", pyspiel.load_game("gomoku(size=9)"), games=1000, seed=1, signs=".bw")
    assert set(returns) == {1.0, 0.0, -1.0}


def has_five(stones):
    """In which of these boards, (N, 9, 9) bool, there is a line of five: five shifted copies all have a stone."""
    padded, found = np.pad(stones, ((0, 0), (4, 4), (4, 4))), np.zeros(len(stones), bool)
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shifted = [padded[:, 4 + n * down : 13 + n * down, 4 + n * right : 13 + n * right] for n in range(5)]
        found |= np.all(shifted, axis=0).any(axis=(1, 2))
    return found


def test_random_games_end_with_the_first_five():
    sim = Simulator("Gomoku", 1000, seed=0)
    players, every, ended = Bot(sim, "random"), np.arange(1000), 0
    sim.reset()
    while ended < 5000:
        board, mover, actions = sim.records["board"].copy(), sim.player.copy(), players.act()
        assert np.array_equal(sim.legal, board.reshape(-1, CELLS) == 0)
        board.reshape(-1, CELLS)[every, actions] = mover + 1
        ended += sim.step(actions)
        wins = has_five(board == mover[:, None, None] + 1)
        assert np.array_equal(sim.terminated, wins | (board > 0).all(axis=(1, 2)))
        assert np.array_equal(sim.reward[every, mover], wins)
        assert np.array_equal(sim.reward[every, 1 - mover], -1.0 * wins)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(FIVES), st.integers(0, SIZE - 1), st.integers(0, SIZE - 1), st.integers(0, 1), st.data())
def test_properties_of_a_line(five, top, left, mover, data):
    """Wherever it lies, and whichever of its stones comes last, a line of five wins and one of four does not."""
    sim = Simulator("Gomoku", seed=0, autoreset="disabled", mode="python")
    sim.reset()
    corner = np.array([top % (SIZE + 1 - five.shape[0]), left % (SIZE + 1 - five.shape[1])])
    places = np.argwhere(five) + corner
    for row, col in places:
        sim.records["board"][0, row, col] = mover + 1
    last, gone = data.draw(st.permutations(range(5)))[:2]
    whole = data.draw(st.booleans())
    sim.records["board"][0][tuple(places[last])] = 0
    if not whole:
        sim.records["board"][0][tuple(places[gone])] = 0
    sim.records["player"][0] = mover
    sim.step(places[last : last + 1] @ [SIZE, 1])
    assert sim.terminated[0] == whole


def test_longer_lines_win_too():
    sim = Simulator("Gomoku", seed=0, autoreset="disabled")
    sim.reset()
    sim.records["board"][0, 4] = [1, 1, 1, 1, 0, 1, 1, 1, 1]
    sim.step(np.array([4 * SIZE + 4]))
    assert sim.terminated[0] and sim.reward[0].tolist() == [1, -1]


def test_heuristic_wins_and_stops_the_other_from_winning():
    sim = Simulator("Gomoku", 2, seed=0)
    sim.reset()
    sim.records["board"][0, 2, 3:7], sim.records["board"][:, 6, 2:6] = 1, 2
    sim.records["board"][:, 6, 1] = 1
    first, second = Bot(sim).act()
    assert first in (2 * SIZE + 2, 2 * SIZE + 7)
    assert second == 6 * SIZE + 6


def test_heuristic_beats_random():
    assert boards.heuristic_against_random("Gomoku", 200) > 0.98
