"""Environments of every kind, ways to copy them, and how to compare what they do."""

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import NormalizeReward, RecordEpisodeStatistics, TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics as RecordMany
from pettingzoo import AECEnv, ParallelEnv
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

import ludus
from ludus.envs import Simulator, aec_env, all_games, parallel_env
from ludus.envs.adapters.sb3 import vec_env
from ludus.envs.engine.simulator import RESULTS, STATE

COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "cloudpickle": lambda env: pickle.loads(cloudpickle.dumps(env)),
}
every_copy = pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
every_game = pytest.mark.parametrize("game", all_games().values(), ids=all_games())
STICKY = {"repeat_action_probability": 0.3, "max_episode_steps": 40}

ENVIRONMENTS: dict[str, Callable[[], Any]] = {
    "make": lambda: ludus.make("Breakout", **STICKY),
    "gymnasium.make": lambda: gymnasium.make("ludus/Game2048-v1", **STICKY),
    "pixels": lambda: ludus.make("Breakout", obs_type="rgb", size=16, frame_stack=2, render_mode="rgb_array"),
    "wrappers": lambda: NormalizeReward(RecordEpisodeStatistics(TimeLimit(ludus.make("Catch"), 5))),
    "make_vec": lambda: ludus.make_vec("Breakout", 3, **STICKY),
    "SameStep": lambda: ludus.make_vec("Game2048", 3, autoreset_mode="SameStep", episode_info=True),
    "own arrays": lambda: ludus.make_vec("Breakout", 3, copy=False),
    "vector wrapper": lambda: RecordMany(gymnasium.make_vec("ludus/Catch-v1", num_envs=3)),
    "SyncVectorEnv": lambda: SyncVectorEnv([partial(ludus.make, "Catch")] * 2),
    "threads": lambda: ludus.make_vec("Breakout", 64, num_threads=2),
    "levels": lambda: ludus.make_vec("Maze", 3, levels=range(5)),
    "make_sb3": lambda: ludus.make_sb3("Breakout", 3, **STICKY),
    "self-play": lambda: vec_env("Tron", 2),
    "DummyVecEnv": lambda: DummyVecEnv([partial(ludus.make, "Catch")]),
    "aec_env": lambda: aec_env("ConnectFour"),
    "aec_env, together": lambda: aec_env("Tron", players=3),
    "parallel_env": lambda: parallel_env("PongDuel"),
    "Simulator": lambda: Simulator("ConnectFour", 3),
    "python": lambda: Simulator("Catch", 2, mode="python"),
    "debug": lambda: Simulator("Catch", 2, mode="debug"),
}
every_environment = pytest.mark.parametrize("make", ENVIRONMENTS.values(), ids=ENVIRONMENTS)


def play(env: Any, steps: int, seed: int | None = None) -> list[Any]:
    """What an environment of any kind says under actions that depend on the step alone; seeded, it is reset first."""
    if seed is not None:
        env.seed(seed) if isinstance(env, (VecEnv, Simulator)) else env.reset(seed=seed)
        env.reset() if isinstance(env, (VecEnv, Simulator)) else None
    return [one_step(env, k) for k in range(steps)]


def one_step(env: Any, k: int) -> Any:
    if isinstance(env, AECEnv):
        obs, reward, terminated, truncated, _ = env.last()
        mask = obs["action_mask"] if isinstance(obs, dict) else np.ones(4)
        env.step(None if terminated or truncated else int(np.flatnonzero(mask)[k % mask.sum().astype(int)]))
        env.agents or env.reset()
        return copy.deepcopy((obs, reward, terminated, truncated, env.agent_selection))
    if isinstance(env, ParallelEnv):
        env.agents or env.reset()
        return env.step(dict.fromkeys(env.agents, k % 3))
    if isinstance(env, Simulator):
        legal = np.ones((env.num_envs, len(env.actions)), np.bool_) if env.legal is None else env.legal
        env.step(np.array([np.flatnonzero(mask)[k % mask.sum()] for mask in legal]))
        return arrays_of(env)
    if isinstance(env, gymnasium.Env):
        result = env.step(k * 7 % 5 % env.action_space.n)
        return (*result, env.reset() if result[2] or result[3] else None)
    return copy.deepcopy(env.step(np.arange(env.num_envs) * k * 7 % 5 % 3))


def arrays_of(sim: Simulator) -> dict[str, np.ndarray]:
    return {name: sim._backend.read(name).copy() for name in (*STATE, *RESULTS)}


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit, but for seconds that went by."""
    return data_equivalence(without_time(one), without_time(other), exact=True)


def without_time(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: without_time(value) for key, value in data.items() if key != "t"}
    return tuple(map(without_time, data)) if isinstance(data, (tuple, list)) else data
