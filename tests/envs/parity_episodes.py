"""Whole episodes and sticky actions of a game and its reference, for what is compared as distributions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from ludus.envs import Simulator, find_game

from .parity import NUM_ACTIONS, STICKINESS, Adapter

# Whole episodes


@dataclass
class Episodes:
    """N episodes, played at random with MinAtar's sticky actions."""

    returns: np.ndarray  # (N,)
    lengths: np.ndarray  # (N,)
    final: np.ndarray  # (N,), what the adapter's `final` says of their last states


def reference_episodes(adapter: Adapter, count: int, seed: int) -> Episodes:
    """Episodes of the reference. Sticky actions start afresh with each, as ours do, which MinAtar's do not."""
    environment, records = adapter.environment(seed), np.zeros(count, find_game(adapter.game).State)
    env, limit = environment.env, adapter.episode_steps or np.inf
    actions = random_actions(seed)
    returns, lengths = np.zeros(count), np.zeros(count)
    for i in range(count):
        environment.last_action, terminated, total, steps = 0, False, 0, 0
        while not terminated and steps < limit:
            reward, terminated = environment.act(next(actions))
            total += reward
            steps += 1
        returns[i], lengths[i] = total, steps
        adapter.record_of(env, records[i])
        env.random.take()
        env.reset()
    return Episodes(returns, lengths, adapter.final(records))


def random_actions(seed: int) -> Iterator[int]:
    rng = np.random.default_rng(seed)
    while True:
        yield from rng.integers(NUM_ACTIONS, size=10_000).tolist()


def our_episodes(adapter: Adapter, count: int, seed: int) -> Episodes:
    """The first episode of each of `count` games of ours."""
    sim = Simulator(
        adapter.game, count, seed=seed, autoreset="next_step", full_action_space=True, num_threads=1,
        repeat_action_probability=STICKINESS, max_episode_steps=adapter.episode_steps,
    )  # fmt: skip
    sim.reset()
    rng, running = np.random.default_rng(seed), np.ones(count, np.bool_)
    returns, lengths = np.zeros(count), np.zeros(count)
    records = sim.records.copy()
    while running.any():
        sim.step(rng.integers(NUM_ACTIONS, size=count))
        ended = running & (sim.terminated | sim.truncated)
        returns[ended], lengths[ended] = sim.episode_return[ended], sim.episode_length[ended]
        records[ended] = sim.records[ended]
        running &= ~ended
    return Episodes(returns, lengths, adapter.final(records))


# Sticky actions


def reference_choices(adapter: Adapter, count: int, seed: int) -> np.ndarray:
    """(count, 3): the action taken before, the action given, the action taken."""
    environment, rng = adapter.environment(seed), np.random.default_rng(seed)
    taken: list[int] = []
    environment.env = SimpleNamespace(act=taken.append)  # in place of the game, which does not matter here
    given = rng.integers(NUM_ACTIONS, size=count)
    for action in given.tolist():
        environment.act(action)
    return np.stack([[0, *taken[:-1]], given, taken], axis=1)


def our_choices(adapter: Adapter, count: int, seed: int) -> np.ndarray:
    """The same of ours, about `count` of them."""
    num_envs = 100
    sim = Simulator(
        adapter.game, num_envs, seed=seed, autoreset="next_step", full_action_space=True, num_threads=1,
        repeat_action_probability=STICKINESS,
    )  # fmt: skip
    sim.reset()
    rng, choices = np.random.default_rng(seed), []
    for _ in range(count // num_envs):
        before, over = sim.state_dict()["clocks"]["last_action"], sim.terminated.copy()
        given = rng.integers(NUM_ACTIONS, size=num_envs)
        sim.step(given)
        taken = sim.state_dict()["clocks"]["last_action"]
        choices.append(np.stack([before, given, taken], axis=1)[~over])  # a game that was over only restarted
    return np.concatenate(choices)
