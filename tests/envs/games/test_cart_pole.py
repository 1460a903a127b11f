"""CartPole against Gymnasium's CartPole-v1."""

import gymnasium
import numpy as np
from scipy.stats import ks_2samp

from ludus.envs import Bot, Simulator, find_game
from tests.envs.trajectories import play_out

from .reference_gymnasium import first_observations, play_both

ENV, FIELDS = "CartPole-v1", ("position", "velocity", "angle", "spin")
LEAN = 12 * 2 * np.pi / 360


def test_random_episodes_are_gymnasiums():
    seen = play_both("CartPole", ENV, FIELDS, steps=2000, seed=1)
    assert seen.endings == 0 and seen.reward == 0
    assert max(seen.state, seen.observation) < 1e-6
    assert seen.episodes > 2000


def test_episodes_that_last_are_gymnasiums():
    """Not for much longer than 200 steps: a pole upright doubles any difference, and so that of rounding, in 9 steps."""
    seen = play_both("CartPole", ENV, FIELDS, steps=1000, seed=2, skill=0.5, longest=200)
    assert seen.endings == 0 and seen.reward == 0
    assert max(seen.state, seen.observation) < 1e-6
    assert seen.steps / seen.episodes > 100


def test_states_from_all_over_step_as_gymnasiums():
    """Also at the ends of the rail, where random play does not come, and close to both limits."""
    count, rng = 5000, np.random.default_rng(3)
    sim = Simulator("CartPole", count, seed=3, autoreset="disabled")
    sim.reset()
    start = rng.uniform(-1, 1, (count, 4)) * (2.4, 4.0, LEAN, 4.0)
    for field, column in zip(FIELDS, start.T, strict=True):
        sim.records[field] = column
    actions = rng.integers(0, 2, count)
    sim.step(actions)
    env = gymnasium.make(ENV).unwrapped
    for k in range(count):
        env.reset()
        env.state = start[k].copy()
        observation, reward, terminated, _, _ = env.step(int(actions[k]))
        assert np.abs(sim.obs[k] - observation).max() < 1e-6
        assert (reward, terminated) == (sim.reward[k], sim.terminated[k])
    assert (np.abs(sim.obs[:, 0]) > 2.4).sum() > 20 and (np.abs(sim.obs[:, 2]) > LEAN).sum() > 20


def test_starts_are_spread_as_gymnasiums():
    ours, theirs = first_observations("CartPole", ENV, 2000, seed=4)
    assert np.abs(ours).max() <= 0.05
    for column in range(4):
        assert ks_2samp(ours[:, column], theirs[:, column]).pvalue > 1e-4


def test_declares_what_gymnasium_does():
    game, env = find_game("CartPole"), gymnasium.make(ENV)
    assert len(game.actions) == env.action_space.n and (len(game.features),) == env.observation_space.shape


def test_the_heuristic_balances():
    sim = Simulator("CartPole", 64, seed=5, max_episode_steps=500)
    returns, _ = play_out(sim, Bot(sim), 256)
    assert returns.min() == 500
