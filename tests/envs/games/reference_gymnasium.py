"""Ours and Gymnasium's environments side by side: the same state at the start of each episode, the same actions."""

from dataclasses import dataclass

import gymnasium
import numpy as np

from ludus.envs import Bot, Simulator


@dataclass(frozen=True)
class Comparison:
    """How far apart the two were, at most, and how much was seen."""

    state: float
    observation: float
    reward: float
    endings: int  # steps that one ended and the other did not
    steps: int
    episodes: int


def play_both(
    game: str, env_id: str, fields: tuple[str, ...], steps: int, seed: int, skill: float = 0.0, longest: int = 500
) -> Comparison:
    """Play 32 pairs at random, or with probability `skill` as the heuristic does; at most `longest` steps an episode."""
    count, rng = 32, np.random.default_rng(seed)
    sim = Simulator(game, count, seed=seed, autoreset="disabled", num_threads=1)
    bot = Bot(sim, seed=seed)
    envs = [gymnasium.make(env_id).unwrapped for _ in range(count)]
    for env in envs:
        env.reset(seed=seed)
    sim.reset()
    start(sim, envs, fields, np.ones(count, bool))
    age, worst, endings, episodes = np.zeros(count, int), np.zeros(3), 0, 0
    for _ in range(steps):
        actions = np.where(rng.random(count) < skill, bot.act(), rng.integers(0, len(sim.actions), count))
        sim.step(actions)
        theirs = [env.step(int(action)) for env, action in zip(envs, actions, strict=True)]
        observations, rewards, ended = (np.array(column) for column in list(zip(*theirs, strict=True))[:3])
        worst = np.maximum(worst, [
            np.abs(states(sim, fields) - np.array([env.state for env in envs])).max(),
            np.abs(sim.obs - observations).max(),
            np.abs(sim.reward - rewards).max(),
        ])  # fmt: skip
        endings += int(np.sum(sim.terminated != ended))
        age += 1
        over = sim.terminated | ended | (age == longest)
        episodes += int(over.sum())
        if over.any():
            age[over] = 0
            sim.reset(over)
            start(sim, envs, fields, over)
    return Comparison(*worst, endings, steps * count, episodes)


def states(sim: Simulator, fields: tuple[str, ...]) -> np.ndarray:
    """The records as Gymnasium's states."""
    return np.stack([sim.records[field] for field in fields], axis=1)


def start(sim: Simulator, envs: list, fields: tuple[str, ...], mask: np.ndarray) -> None:
    """Begin Gymnasium's episodes where ours begin."""
    for env, state, chosen in zip(envs, states(sim, fields), mask, strict=True):
        if chosen:
            env.reset()
            env.state = state.copy()


def first_observations(game: str, env_id: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ours and Gymnasium's, (count, features) each."""
    sim, env = Simulator(game, count, seed=seed), gymnasium.make(env_id).unwrapped
    theirs = [env.reset(seed=seed if k == 0 else None)[0] for k in range(count)]
    return sim.reset().copy(), np.array(theirs)
