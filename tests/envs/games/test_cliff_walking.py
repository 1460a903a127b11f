"""CliffWalking against the table of transitions of Gymnasium's CliffWalking-v1."""

import gymnasium
import numpy as np
import pytest

from ludus.envs import Bot, Simulator, find_game
from tests.envs.trajectories import play_out

ROWS, COLS = 4, 12


@pytest.fixture(scope="module")
def theirs():
    return gymnasium.make("CliffWalking-v1").unwrapped


def test_every_transition_is_gymnasiums(theirs):
    """All 48 cells and 4 actions, also from the cells in which no episode ever goes on."""
    cells, actions = (grid.ravel() for grid in np.meshgrid(np.arange(ROWS * COLS), np.arange(4), indexing="ij"))
    sim = Simulator("CliffWalking", len(cells), seed=1, autoreset="disabled")
    sim.reset()
    sim.records["row"], sim.records["col"] = cells // COLS, cells % COLS
    sim.step(actions)
    after = COLS * sim.records["row"].astype(int) + sim.records["col"]
    for k, (cell, action) in enumerate(zip(cells, actions, strict=True)):
        assert theirs.P[cell][action] == [(1.0, after[k], sim.reward[k], sim.terminated[k])]


def test_random_episodes_are_gymnasiums(theirs):
    sim, rng = Simulator("CliffWalking", 1, seed=2, autoreset="disabled"), np.random.default_rng(2)
    episodes = 0
    for step in range(10_000):
        if step == 0 or sim.terminated[0]:
            sim.reset()
            cell, _ = theirs.reset()
            assert cell == COLS * sim.records["row"][0] + sim.records["col"][0]
            episodes += 1
        action = rng.choice(4, p=[0.2, 0.4, 0.2, 0.2])
        sim.step(np.array([action]))
        cell, reward, terminated, truncated, _ = theirs.step(action)
        assert cell == COLS * sim.records["row"][0] + sim.records["col"][0]
        assert (reward, terminated, truncated) == (sim.reward[0], sim.terminated[0], sim.truncated[0])
    assert episodes > 20


def test_planes_show_gymnasiums_map(theirs):
    sim = Simulator("CliffWalking", 64, seed=3)
    sim.reset()
    for _ in range(20):
        sim.step(np.random.default_rng(3).integers(0, 4, 64))
    for record, planes in zip(sim.records, sim.obs, strict=True):
        assert np.array_equal(planes[..., 1], theirs._cliff)
        assert np.argwhere(planes[..., 2]).tolist() == [[ROWS - 1, COLS - 1]]
        assert np.argwhere(planes[..., 0]).tolist() == [[record["row"], record["col"]]]


def test_the_heuristic_takes_the_shortest_way():
    sim = Simulator("CliffWalking", 4, seed=4)
    returns, lengths = play_out(sim, Bot(sim), 8)
    assert (returns == -13).all() and (lengths == 13).all()


def test_declares_gymnasiums_actions(theirs):
    assert find_game("CliffWalking").actions == ("up", "right", "down", "left")
    moves = [theirs.P[COLS + 1][action][0][1] - (COLS + 1) for action in range(4)]
    assert moves == [-COLS, 1, COLS, -1]
