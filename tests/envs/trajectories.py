"""Two simulators step by step: what must be equal to the last bit."""

from __future__ import annotations

import numpy as np

from ludus.envs import Simulator

RESULTS = ("records", "obs", "reward", "terminated", "truncated")


def snapshot(sim: Simulator) -> dict[str, bytes]:
    """Records and everything that a step writes, as bytes."""
    return {name: np.asarray(getattr(sim, name)).tobytes() for name in RESULTS}


def random_actions(sim: Simulator, steps: int, seed: int = 0) -> np.ndarray:
    """Actions (steps, N), each equally likely."""
    return np.random.default_rng(seed).integers(0, len(sim.actions), (steps, sim.num_envs))


def assert_same(a: Simulator, b: Simulator, steps: int, seed: int = 0) -> int:
    """Reset and step both with the same random actions; returns how many episodes ended, in all games."""
    a.reset()
    b.reset()
    ended = 0
    for t, actions in enumerate(random_actions(a, steps, seed)):
        here, there = snapshot(a), snapshot(b)
        different = [name for name in RESULTS if here[name] != there[name]]
        assert not different, f"after {t} steps: {different}"
        a.step(actions)
        b.step(actions)
        over = np.asarray(a.terminated) | np.asarray(a.truncated)
        ended += int(over.sum())
        assert np.asarray(a.final_obs)[over].tobytes() == np.asarray(b.final_obs)[over].tobytes()
    assert snapshot(a) == snapshot(b)
    return ended
