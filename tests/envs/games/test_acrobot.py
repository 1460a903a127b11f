"""Acrobot against Gymnasium's Acrobot-v1."""

import gymnasium
import numpy as np
from scipy.stats import ks_2samp

from ludus.envs import Bot, Simulator, find_game
from tests.envs.trajectories import play_out

from .reference_gymnasium import first_observations, play_both

ENV, FIELDS = "Acrobot-v1", ("theta_1", "theta_2", "velocity_1", "velocity_2")


# The motion is unstable: two of Gymnasium's own acrobots, started 1e-15 apart, are 1e-6 apart after a few hundred lively
# steps. So are ours and theirs, whose sums are rounded differently; episodes are cut off well before.


def test_random_episodes_are_gymnasiums():
    seen = play_both("Acrobot", ENV, FIELDS, steps=450, seed=1, longest=150)
    assert seen.endings == 0 and seen.reward == 0
    assert max(seen.state, seen.observation) < 1e-6


def test_episodes_that_swing_up_are_gymnasiums():
    seen = play_both("Acrobot", ENV, FIELDS, steps=300, seed=2, skill=0.9, longest=150)
    assert seen.endings == 0 and seen.reward == 0
    assert max(seen.state, seen.observation) < 1e-6
    assert seen.episodes > 64


def test_states_from_all_over_step_as_gymnasiums():
    """All angles and velocities up to the limits, where angles wrap round and velocities are cut."""
    count, rng = 4000, np.random.default_rng(3)
    sim = Simulator("Acrobot", count, seed=3, autoreset="disabled")
    sim.reset()
    start = rng.uniform(-1, 1, (count, 4)) * np.pi * (1, 1, 4, 9)
    for field, column in zip(FIELDS, start.T, strict=True):
        sim.records[field] = column
    for k in ("1", "2"):
        sim.records["sine_" + k], sim.records["cosine_" + k] = (f(sim.records["theta_" + k]) for f in (np.sin, np.cos))
    actions = rng.integers(0, 3, count)
    sim.step(actions)
    env = gymnasium.make(ENV).unwrapped
    env.reset()
    for k in range(count):
        env.state = start[k]
        observation, reward, terminated, _, _ = env.step(int(actions[k]))
        ours = np.array([sim.records[field][k] for field in FIELDS])
        assert np.abs(ours - env.state).max() < 1e-6
        assert np.abs(sim.obs[k] - observation).max() < 1e-6
        assert (reward, terminated) == (sim.reward[k], sim.terminated[k])
    assert (np.abs(sim.records["velocity_2"]) == 9 * np.pi).sum() > 20 and sim.terminated.sum() > 100


def test_starts_are_spread_as_gymnasiums():
    ours, theirs = first_observations("Acrobot", ENV, 2000, seed=4)
    for column in (1, 3, 4, 5):  # both sines, from which the cosines follow, and both velocities
        assert np.abs(ours[:, column]).max() <= 0.1
        assert ks_2samp(ours[:, column], theirs[:, column]).pvalue > 1e-4


def test_declares_what_gymnasium_does():
    game, env = find_game("Acrobot"), gymnasium.make(ENV)
    assert len(game.actions) == env.action_space.n and (len(game.features),) == env.observation_space.shape


def test_the_heuristic_swings_up():
    sim = Simulator("Acrobot", 64, seed=5, max_episode_steps=500)
    returns, lengths = play_out(sim, Bot(sim), 256)
    assert lengths.max() < 500 and returns.mean() > -100
