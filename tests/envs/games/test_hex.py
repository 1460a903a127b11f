"""Hex against OpenSpiel, and against connections found by labelling whole boards."""

import numpy as np
import pyspiel
from scipy.ndimage import label

from ludus.envs import Bot, Simulator

from . import boards

SIZE, CELLS, WIDE = 11, 121, 13
TOUCHING = np.array([[0, 1, 1], [1, 1, 1], [1, 1, 0]])


def test_random_games_go_as_in_openspiel():
    returns = boards.play_beside("Hex", pyspiel.load_game("hex(board_size=11)"), games=512, seed=1, signs=".xo")
    assert set(returns) == {1.0, -1.0}


def stones_of(records, player):
    return records["board"].reshape(-1, WIDE, WIDE)[:, 1:-1, 1:-1] == player + 1


def connects(stones, player):
    """In which of these boards, (N, 11, 11) bool, a player's edges are connected."""
    structure = np.stack([np.zeros((3, 3)), TOUCHING, np.zeros((3, 3))])  # boards do not touch each other
    groups, _ = label(stones, structure)
    first, last = (groups[:, 0], groups[:, -1]) if player == 0 else (groups[:, :, 0], groups[:, :, -1])
    return ((first[:, :, None] == last[:, None, :]) & (first[:, :, None] > 0)).any(axis=(1, 2))


def play_to_the_end(kind, games):
    """Check every position against the labels, with both players the same bot."""
    sim = Simulator("Hex", games, seed=0, autoreset="next_step")
    players, over, won = Bot(sim, kind), np.zeros(games, bool), np.zeros((games, 2), bool)
    sim.reset()
    while not over.all():
        mover = sim.player.copy()
        sim.step(players.act())
        for player in (0, 1):
            moved = ~over & (mover == player)
            wins = connects(stones_of(sim.records, player), player)
            assert np.array_equal(sim.terminated[moved], wins[moved])
            assert np.array_equal(sim.reward[moved, player], wins[moved])
            assert np.array_equal(sim.reward[moved, 1 - player], -1.0 * wins[moved])
            won[moved & wins, player] = True
            rest = ~stones_of(sim.records, player)  # even with all of these the other player would not connect
            assert not connects(rest, 1 - player)[moved & wins].any()
        over |= sim.terminated
    assert np.all(won.sum(axis=1) == 1)
    return won


def test_games_end_when_edges_are_connected():
    assert play_to_the_end("random", 1000).any(axis=0).all()
    assert play_to_the_end("heuristic", 200).any(axis=0).all()


def test_the_second_player_sees_which_way_to_go():
    sim = Simulator("Hex", seed=0)
    assert not sim.reset()[..., 2].any()
    sim.step(np.array([3]))
    assert sim.obs[..., 2].all()


def test_heuristic_saves_and_cuts_bridges():
    sim = Simulator("Hex", seed=0)
    sim.reset()
    for cell in ("f6", "a11", "e8", "f7"):  # red stones that share e7 and f7, and blue takes one of these
        sim.step(np.array([sim.actions.index(cell)]))
    assert sim.actions[Bot(sim).act()[0]] == "e7"
    sim.step(np.array([sim.actions.index("a1")]))  # not saved: now blue cuts
    assert sim.actions[Bot(sim).act()[0]] == "e7"


def test_heuristic_beats_random():
    assert boards.heuristic_against_random("Hex", 200) > 0.95
