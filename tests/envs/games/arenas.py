"""Games of four in an arena, of whom the last one left wins."""

import numpy as np

from ludus.envs import Simulator


def returns_of_random_games(name):
    """Of 64 games side by side for 300 steps: how many of four won and how many drew, each pair that was seen."""
    sim = Simulator(name, 64, seed=1, players=4)
    sim.reset()
    rng, seen = np.random.default_rng(0), set()
    for _ in range(300):
        sim.step(rng.integers(0, len(sim.actions), (64, 4)))
        for returns in sim.episode_return[sim.terminated]:
            won, drew = int((returns == 1).sum()), int((returns == 0).sum())
            assert won + drew + (returns == -1).sum() == 4
            seen.add((won, drew))
    return seen


def play_with_and_without_who_left(name):
    """The same games twice, but for what those do who are out; nothing may come of it."""
    one, other = (Simulator(name, 64, seed=2, players=4) for _ in range(2))
    one.reset()
    other.reset()
    rng, absent = np.random.default_rng(3), 0
    for _ in range(200):
        actions, noise = rng.integers(0, len(one.actions), (2, 64, 4))
        here = one.active.copy() == 1
        one.step(actions)
        other.step(np.where(here, actions, noise))
        assert one.records.tobytes() == other.records.tobytes()
        assert (one.reward[~here] == 0).all()
        absent += (~here).sum()
    assert absent > 0
