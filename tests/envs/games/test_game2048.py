"""2048 against OpenSpiel's: the same legal moves, boards and rewards in whole games; and chance by its frequencies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from ludus.envs import Bot, Simulator

UP, RIGHT, DOWN, LEFT = range(4)


def board_of(planes):
    """The numbers on the tiles that an observation shows, row by row."""
    assert planes.sum(axis=-1).max() <= 1
    return (planes * 2.0 ** np.arange(1, planes.shape[-1] + 1)).sum(axis=-1).ravel()


def tell(state, cell, tile):
    """Let a tile appear in OpenSpiel's game; its chance actions are twice the cell, and one more for a 4."""
    state.apply_action(2 * int(cell) + (tile == 4))


def moves_of(state):
    """The moves that change OpenSpiel's board.

    Its `legal_actions` leaves some of them out: those that only join tiles with one that was joined in the move before,
    whose mark it takes off no sooner than the next move is made (`DoesActionChangeBoard` in its 2048.cc).
    """
    board, moves = state.observation_tensor(0), []
    for action in range(4):
        after = state.clone()
        after.apply_action(action)
        if after.observation_tensor(0) != board:
            moves.append(action)
    return moves


@pytest.mark.parametrize(("kind", "games", "fewest"), [("random", 60, 5000), ("heuristic", 12, 4000)])
def test_whole_games_are_those_of_openspiel(kind, games, fewest):
    pyspiel = pytest.importorskip("pyspiel")
    rules = pyspiel.load_game("2048(max_tile=131072)")  # or it would end at 2048
    sim = Simulator("Game2048", games, seed=3)
    sim.reset()
    bot, states = Bot(sim, kind, 3), []
    for planes in sim.obs:
        board, state = board_of(planes), rules.new_initial_state()
        for cell in np.flatnonzero(board):
            tell(state, cell, board[cell])
        states.append(state)
    playing, positions = set(range(games)), 0
    while playing:
        actions = bot.act().copy()
        for game in playing:
            assert np.flatnonzero(sim.legal[game]).tolist() == moves_of(states[game])
            assert set(states[game].legal_actions()) <= set(moves_of(states[game]))
        sim.step(actions)
        for game in sorted(playing):
            state, positions = states[game], positions + 1
            before = state.returns()[0]
            state.apply_action(int(actions[game]))
            assert sim.reward[game] == state.returns()[0] - before
            slid = np.array(state.observation_tensor(0))
            board = board_of(sim.final_obs[game] if sim.terminated[game] else sim.obs[game])
            [new] = np.flatnonzero(board != slid)  # which of the free cells chance chose
            assert slid[new] == 0 and board[new] in (2, 4)
            tell(state, new, board[new])
            assert sim.terminated[game] == state.is_terminal()
            if sim.terminated[game]:
                assert sim.episode_return[game] == state.returns()[0]
                playing.remove(game)
    assert positions > fewest


FOUR = Simulator("Game2048", 4, seed=4, autoreset="disabled", num_threads=1)


def slide_left(row):
    """One row in plain Python: (what it becomes, points)."""
    tiles, out, points = [tile for tile in row if tile], [], 0
    while tiles:
        tile = tiles.pop(0)
        if tiles and tiles[0] == tile:
            tiles.pop(0)
            tile += 1
            points += 2**tile
        out.append(tile)
    return out + [0] * (4 - len(out)), points


def slide(board, action):
    """A board of exponents (4, 4) after a move, before a tile appears, and the points."""
    turns = {LEFT: 0, UP: 1, RIGHT: 2, DOWN: 3}[action]
    turned = np.rot90(board, turns)
    rows, points = zip(*(slide_left(row) for row in turned.tolist()), strict=True)
    return np.rot90(np.array(rows), -turns), sum(points)


@settings(max_examples=250, deadline=None)
@given(st.lists(st.one_of(st.just(0), st.integers(1, 3), st.integers(1, 16)), min_size=16, max_size=16))
def test_any_board_slides_as_in_plain_python(tiles):
    """Also boards with large tiles, which play does not reach: each of the four moves in a game of its own."""
    board = np.array(tiles).reshape(4, 4)
    sim = FOUR
    sim.reset()
    sim.records["tiles"], sim.records["free"] = board.ravel(), (board == 0).sum()
    sim.step(np.arange(4))
    for action in range(4):
        slid, points = slide(board, action)
        after = sim.records["tiles"][action].reshape(4, 4)
        assert sim.reward[action] == points
        if (slid == board).all():
            assert (after == board).all() and not sim.terminated[action]
            continue
        [cell] = np.argwhere(after != slid)
        assert slid[tuple(cell)] == 0 and after[tuple(cell)] in (1, 2)
        assert sim.records["free"][action] == (after == 0).sum()
        possible = [bool((slide(after, move)[0] != after).any()) for move in range(4)]
        assert sim.terminated[action] != any(possible)
        assert sim.legal[action].tolist() == possible


def test_tiles_appear_anywhere_and_one_in_ten_is_a_four():
    games = 40_000
    sim = Simulator("Game2048", games, seed=5)
    sim.reset()
    start = sim.records["tiles"].copy()
    assert ((start > 0).sum(axis=1) == 2).all()
    assert chisquare((start > 0).sum(axis=0)).pvalue > 1e-4
    assert binomtest(int((start == 2).sum()), 2 * games, 0.1).pvalue > 1e-4
    sim.records["tiles"], sim.records["free"] = [0] * 12 + [1, 2, 3, 0], 13
    sim.step(np.full(games, RIGHT))
    new = sim.records["tiles"].copy()
    assert (new[:, 13:] == [1, 2, 3]).all()
    assert chisquare((new[:, :13] > 0).sum(axis=0)).pvalue > 1e-4
    assert binomtest(int((new[:, :13] == 2).sum()), games, 0.1).pvalue > 1e-4


@pytest.mark.parametrize("exponent", range(2, 18))
def test_each_number_has_a_plane(exponent):
    sim = Simulator("Game2048", autoreset="disabled")
    sim.reset()
    sim.records["tiles"], sim.records["free"] = [exponent - 1] * 2 + [0] * 14, 14
    sim.step(np.full(1, LEFT))
    assert sim.reward[0] == 2**exponent == board_of(sim.obs[0])[0]
    assert sim.game.planes[exponent - 1] == str(2**exponent)
