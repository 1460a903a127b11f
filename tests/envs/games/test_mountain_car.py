"""MountainCar against Gymnasium's MountainCar-v0."""

import gymnasium
import numpy as np
from scipy.stats import ks_2samp

from ludus.envs import Bot, Simulator, find_game
from tests.envs.trajectories import play_out

from .reference_gymnasium import first_observations, play_both

ENV, FIELDS = "MountainCar-v0", ("position", "velocity")


def test_random_episodes_are_gymnasiums():
    seen = play_both("MountainCar", ENV, FIELDS, steps=1000, seed=1, longest=200)
    assert seen.endings == 0 and seen.reward == 0
    assert max(seen.state, seen.observation) < 1e-6
    assert seen.episodes >= 160


def test_episodes_that_climb_are_gymnasiums():
    """Mostly pushed along its way, the car comes to the flag."""
    seen = play_both("MountainCar", ENV, FIELDS, steps=1000, seed=2, skill=0.8)
    assert seen.endings == 0 and max(seen.state, seen.observation, seen.reward) < 1e-6
    assert seen.episodes > 64


def test_states_from_all_over_step_as_gymnasiums():
    """At the wall, at the flag and at the speed limits too."""
    count, rng = 6000, np.random.default_rng(3)
    sim = Simulator("MountainCar", count, seed=3, autoreset="disabled")
    sim.reset()
    position = rng.choice([-1.2, -1.19, 0.45, 0.6, -0.5], count) + rng.choice([0, 1], count) * rng.uniform(
        -0.05, 0.05, count
    )
    sim.records["position"] = np.clip(position, -1.2, 0.6)
    sim.records["velocity"] = rng.uniform(-0.07, 0.07, count)
    start, actions = sim.records.copy(), rng.integers(0, 3, count)
    sim.step(actions)
    env = gymnasium.make(ENV).unwrapped
    env.reset()
    for k in range(count):
        env.state = (start["position"][k], start["velocity"][k])
        observation, reward, terminated, _, _ = env.step(int(actions[k]))
        assert np.abs(sim.obs[k] - observation).max() < 1e-6
        assert (reward, terminated) == (sim.reward[k], sim.terminated[k])
    at_the_wall = (sim.records["position"] == -1.2) & (sim.records["velocity"] == 0)
    assert at_the_wall.sum() > 100 and sim.terminated.sum() > 100


def test_starts_are_spread_as_gymnasiums():
    ours, theirs = first_observations("MountainCar", ENV, 2000, seed=4)
    assert ours[:, 0].min() >= -0.6 and ours[:, 0].max() <= -0.4 and not ours[:, 1].any()
    assert ks_2samp(ours[:, 0], theirs[:, 0]).pvalue > 1e-4


def test_declares_what_gymnasium_does():
    game, env = find_game("MountainCar"), gymnasium.make(ENV)
    assert len(game.actions) == env.action_space.n and (len(game.features),) == env.observation_space.shape


def test_the_heuristic_always_arrives():
    sim = Simulator("MountainCar", 64, seed=5, max_episode_steps=200)
    returns, lengths = play_out(sim, Bot(sim), 256)
    assert lengths.max() < 200 and returns.mean() > -125
