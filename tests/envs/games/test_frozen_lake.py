"""FrozenLake against the table of transitions of Gymnasium's FrozenLake-v1."""

from collections import defaultdict

import gymnasium
import numpy as np
import pytest
from scipy.stats import chisquare

from ludus.envs import Bot, Simulator, find_game
from ludus.envs.games.frozen_lake import BEST
from tests.envs.trajectories import play_out

SIZE, SAMPLES = 4, 6000
CHANCE = 1e-4  # that the test of frequencies fails although they are right, had the seed been another


@pytest.fixture(scope="module")
def theirs():
    return gymnasium.make("FrozenLake-v1").unwrapped


def outcomes(transitions):
    """(cell, reward, terminated) -> probability; equal ones, as against the shore, are added."""
    chances = defaultdict(float)
    for probability, cell, reward, terminated in transitions:
        chances[int(cell), float(reward), bool(terminated)] += probability
    return chances


def test_transitions_are_gymnasiums(theirs):
    """Exactly the same outcomes for each cell and action, and as often as a chi-square test can tell."""
    ice = [k for k, letter in enumerate(theirs.desc.ravel()) if letter in b"SF"]
    cases = [(cell, action) for cell in ice for action in range(4)]
    sim = Simulator("FrozenLake", len(cases) * SAMPLES, seed=1, autoreset="disabled", num_threads=1)
    sim.reset()
    cells, actions = np.repeat(cases, SAMPLES, axis=0).T
    sim.records["row"], sim.records["col"] = cells // SIZE, cells % SIZE
    sim.step(actions)
    after = SIZE * sim.records["row"].astype(int) + sim.records["col"]
    assert len(cases) == 44
    for k, (cell, action) in enumerate(cases):
        part = slice(k * SAMPLES, (k + 1) * SAMPLES)
        seen = list(zip(after[part].tolist(), sim.reward[part].tolist(), sim.terminated[part].tolist(), strict=True))
        expected = outcomes(theirs.P[cell][action])
        assert set(seen) == set(expected)
        counts = [seen.count(outcome) for outcome in expected]
        assert chisquare(counts, SAMPLES * np.array(list(expected.values()))).pvalue > CHANCE / len(cases)


def test_episodes_start_where_gymnasiums_do(theirs):
    sim = Simulator("FrozenLake", 100, seed=2)
    sim.reset()
    assert not sim.records["row"].any() and not sim.records["col"].any()
    assert theirs.initial_state_distrib[0] == 1


def test_planes_show_gymnasiums_map(theirs):
    sim = Simulator("FrozenLake", SIZE * SIZE, seed=3)
    sim.reset()
    sim.step(np.zeros(SIZE * SIZE, int))
    ice, hole, goal = (np.isin(theirs.desc, letters) for letters in ([b"S", b"F"], [b"H"], [b"G"]))
    for record, planes in zip(sim.records, sim.obs, strict=True):
        assert np.array_equal(planes[..., 1:], np.stack([ice, hole, goal], axis=-1))
        assert planes[..., 0].sum() == 1 and planes[record["row"], record["col"], 0] == 1


def test_the_heuristic_is_the_best_policy(theirs):
    """Of all policies none reaches the goal more often, and with Gymnasium's 100 steps it does so 74 times in 100."""

    def backup(values, cell, action):
        return sum(p * (reward + (not over) * values[after]) for p, after, reward, over in theirs.P[cell][action])

    cells = range(SIZE * SIZE)
    best, ours = np.zeros(SIZE * SIZE), np.zeros(SIZE * SIZE)
    for step in range(2000):
        best = np.array([max(backup(best, cell, action) for action in range(4)) for cell in cells])
        ours = np.array([backup(ours, cell, BEST.ravel()[cell]) for cell in cells])
        if step == 99:
            in_100_steps = ours[0]
    assert best[0] == pytest.approx(ours[0], abs=1e-9) and best[0] > 0.8
    sim = Simulator("FrozenLake", 64, seed=4, max_episode_steps=100, num_threads=1)
    returns, _ = play_out(sim, Bot(sim), 6400)
    assert returns.mean() == pytest.approx(in_100_steps, abs=4 * np.sqrt(0.25 / 6400))  # four standard errors


def test_declares_gymnasiums_actions(theirs):
    assert find_game("FrozenLake").actions == ("left", "down", "right", "up")
    assert theirs.action_space.n == 4
    corner = 2 * SIZE + 2  # from there all four moves lead elsewhere; the middle of the three outcomes is the one meant
    moves = [theirs.P[corner][action][1][1] - corner for action in range(4)]
    assert moves == [-1, SIZE, 1, -SIZE]
