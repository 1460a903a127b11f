"""Copies and pickles go on exactly where their originals are, on memory of their own."""

import copy
import multiprocessing
import operator
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from gymnasium.wrappers import NormalizeReward, RecordEpisodeStatistics, TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics as RecordMany
from pettingzoo import AECEnv, ParallelEnv
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecNormalize

import ludus
from ludus.envs import Bot, Game, GameError, Simulator, UnknownGame, aec_env, all_games, parallel_env
from ludus.envs.adapters.sb3 import vec_env
from ludus.envs.engine.simulator import BUILT, RESULTS, STATE

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


@every_environment
@every_copy
def test_copies_go_on_alike_and_apart(make: Callable[[], Any], copied: Callable[[Any], Any]) -> None:
    env, witness = make(), make()
    play(env, 11, seed=5), play(witness, 11, seed=5)
    twin = copied(env)
    assert type(twin) is type(env)
    expected = play(env, 25)
    assert same(play(twin, 25), expected)
    assert same(expected, play(witness, 25))  # the original did not notice
    assert same(play(env, 25), play(twin, 25))  # nor that its copy went on


@every_game
def test_every_games_simulator_is_copied_to_the_last_bit(game: Game) -> None:
    sim = Simulator(game, 4, seed=1, max_episode_steps=7)
    sim.reset()
    bot = Bot(sim, "random", seed=2)
    for _ in range(10):
        sim.step(bot.act())
    for copied in (COPIES["deepcopy"], COPIES["pickle"]):
        twins, twin = copied((bot, sim))
        assert twins.sim is twin
        assert twin.game is game
        assert same(arrays_of(twin), arrays_of(sim))
    for _ in range(10):
        sim.step(bot.act()), twin.step(twins.act())
        assert same(arrays_of(twin), arrays_of(sim))


@every_copy
def test_arrays_and_tensors_of_a_copy_are_its_own_memory(copied: Callable[[Any], Any]) -> None:
    sim = Simulator("Game2048", 3, seed=0)
    sim.reset()
    before = sim.tensors.obs.clone()
    twin = copied(sim)
    for name in ("obs", "legal", *RESULTS):
        assert getattr(twin.tensors, name).data_ptr() == getattr(twin, name).ctypes.data
        assert not np.shares_memory(getattr(twin, name), getattr(sim, name))
    for _ in range(3):
        twin.step(np.zeros(3, np.int64)), twin.step(np.ones(3, np.int64))
    assert np.array_equal(twin.obs, twin.tensors.obs) and not np.array_equal(twin.obs, sim.obs)
    assert np.array_equal(sim.obs, before)
    duel = copied(Simulator("Tron", 2))
    assert np.shares_memory(duel.active, duel.records)


@every_copy
def test_faces_that_give_their_simulators_memory_still_do(copied: Callable[[Any], Any]) -> None:
    for output in ("numpy", "torch"):
        envs = ludus.make_vec("Game2048", 3, copy=False, output=output)
        envs.reset()
        twin = copied(envs)
        obs, reward, _, _, infos = twin.step(np.zeros(3, np.int64))
        for given, own in ((obs, twin.simulator.obs), (reward, twin.simulator.reward)):
            assert np.shares_memory(np.asarray(given), own)
        assert output == "numpy" or np.shares_memory(infos["action_mask"].numpy(), twin.simulator.legal)
    env = ludus.make("Catch")
    twin = copied(env)
    twin.reset(seed=1)
    assert np.array_equal(twin.step(0)[0], twin.simulator.obs[0])


@pytest.mark.gpu
@every_copy
def test_copies_on_a_gpu(copied: Callable[[Any], Any]) -> None:
    if not torch.cuda.is_available() and "NUMBA_ENABLE_CUDASIM" not in os.environ:
        pytest.skip("no GPU here")
    sim = Simulator("Game2048", 3, device="cuda", seed=1, max_episode_steps=4)
    sim.reset()
    sim.step(torch.zeros(3, dtype=torch.int64))
    twin = copied(sim)
    assert twin.obs.data_ptr() != sim.obs.data_ptr() and twin.device == sim.device
    for k in range(6):
        for one in (sim, twin):
            one.step(torch.full((3,), k % 4))
        assert same(arrays_of(twin), arrays_of(sim))


@every_copy
def test_what_was_chosen_and_set_is_kept(copied: Callable[[Any], Any]) -> None:
    sim = Simulator("Maze", 8, seed=7, autoreset="next_step", num_threads=2, levels=range(9), frame_stack=2)
    sim.note = "mine"
    twin = copied(sim)
    kept = [
        {name: value for name, value in one.__dict__.items() if name not in BUILT and not name.startswith("_")}
        for one in (sim, twin)
    ]
    assert kept[0] == kept[1] and twin.note == "mine" and twin.seed_used == 7
    assert twin._backend._team is not None
    with pytest.raises(ludus.envs.NotReset):
        twin.step(np.zeros(8, np.int64))
    part = sim.split(2)[1]
    sim.reset()
    assert copied(part).num_envs == 4
    assert np.array_equal(copied(part).obs, sim.obs[4:])
    env = gymnasium.make("ludus/Catch-v1", levels=[1, 2])
    env.reset(seed=3), env.action_space.seed(4)
    twin = copied(env)
    assert twin.spec == env.spec
    assert twin.unwrapped.np_random_seed == 3 and twin.np_random.random() == env.np_random.random()
    assert [twin.action_space.sample() for _ in range(9)] == [env.action_space.sample() for _ in range(9)]


@every_copy
def test_sb3s_normalisation_goes_on_over_a_copy(copied: Callable[[Any], Any]) -> None:
    """Its other wrappers for vectors cannot be copied; this one leaves its environment and its running returns out."""
    env = VecNormalize(ludus.make_sb3("MountainCar", 3, seed=1), norm_reward=False)
    env.reset(), play(env, 5)
    twin = copied(env)
    twin.set_venv(copied(env.venv))
    assert same(play(twin, 20), play(env, 20))


def test_copy_copy_is_a_copy_too() -> None:
    sim = Simulator("Breakout", 2)
    sim.reset()
    assert not np.shares_memory(copy.copy(sim).obs, sim.obs)


@every_copy
def test_a_copy_of_an_environment_with_a_window_gets_its_own(copied: Callable[[Any], Any]) -> None:
    env = ludus.make("Catch", render_mode="human")
    env.reset(seed=0)
    twin = copied(env)
    twin._viewer.fps = 0  # as fast as it goes
    twin.step(1)
    assert twin._viewer.window is not None and twin._viewer.window is not env._viewer.window
    twin.close(), env.close()


def test_a_state_is_searched_by_deep_copies() -> None:
    """Three steps before the end of Catch, one of the three ways catches the ball, if the paddle is near enough."""
    env = ludus.make("Catch")
    for seed in range(20):
        env.reset(seed=seed)
        for _ in range(6):
            env.step(1)
        before = env.simulator.records.tobytes()
        best, plan = search(env, 3)
        assert env.simulator.records.tobytes() == before
        rewards = [env.step(action)[1] for action in plan]
        assert sum(rewards) == best
    assert best in (-1.0, 1.0)


def search(env: gymnasium.Env, depth: int) -> tuple[float, list[int]]:
    """The best return within so many steps, and the actions to it."""
    found = []
    for action in range(env.action_space.n):
        twin = copy.deepcopy(env)
        _, reward, terminated, _, _ = twin.step(action)
        later, plan = (0.0, []) if terminated or depth == 1 else search(twin, depth - 1)
        found.append((reward + later, [action, *plan]))
    return max(found)


# --- games ----------------------------------------------------------------------------------------------------------


def lazy_step(s, action, random):
    s.ball_row += 1
    return 0.0, s.ball_row == 9


@every_game
def test_a_known_game_is_the_same_again(game: Game) -> None:
    assert all(copied(game) is game for copied in COPIES.values())
    assert copy.copy(game) is game and game.name.encode() in pickle.dumps(game) and len(pickle.dumps(game)) < 200


def test_a_game_that_nobody_registered_travels_with_its_rules() -> None:
    importable = replace(all_games()["Catch"], step=lazy_step)
    twin = pickle.loads(pickle.dumps(importable))
    assert twin.step is lazy_step and twin.State == importable.State and twin.State.isalignedstruct
    assert copy.deepcopy(importable) is importable  # a game does not change

    bonus = 3.0
    local = replace(importable, step=lambda s, action, random: (bonus, True))
    env = ludus.make(local)
    env.reset()
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(env)
    assert pickle.loads(cloudpickle.dumps(env)).step(0)[1] == 3.0


def test_a_pickle_of_another_version_of_a_game_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    game = replace(all_games()["Catch"], name="Later", step=lazy_step)
    monkeypatch.setattr("ludus.envs.registry._registered", {"Later": game})
    old = pickle.dumps(Simulator(game, 1))
    monkeypatch.setattr("ludus.envs.registry._registered", {"Later": replace(game, version=2)})
    with pytest.raises(UnknownGame, match="version 1 of Later, here is version 2"):
        pickle.loads(old)
    monkeypatch.setattr("ludus.envs.registry._registered", {})
    with pytest.raises(UnknownGame, match="unknown game 'Later'"):
        pickle.loads(old)
    other = replace(game, State=ludus.envs.state(ball_row="i1", ball_col="i2", paddle="i4"))
    monkeypatch.setattr("ludus.envs.registry._registered", {"Later": other})
    with pytest.raises((GameError, ludus.envs.OptionError), match="records"):
        pickle.loads(old)


# --- other processes ------------------------------------------------------------------------------------------------


def test_spawned_processes_get_copies() -> None:
    env = ludus.make("Breakout", **STICKY)
    play(env, 5, seed=3)
    copies = [lambda: copy.deepcopy(env), lambda: RecordEpisodeStatistics(copy.deepcopy(env))]
    here, there = SyncVectorEnv(copies), AsyncVectorEnv(copies, context="spawn")
    try:
        assert same(play(there, 30, seed=4), play(here, 30, seed=4))
    finally:
        there.close()


def test_sb3s_spawned_processes_get_copies() -> None:
    env = ludus.make("Catch")
    there, here = SubprocVecEnv([lambda: env], start_method="spawn"), DummyVecEnv([lambda: copy.deepcopy(env)])
    try:
        for one, other in zip(play(there, 30, seed=4), play(here, 30, seed=4), strict=True):
            assert all(map(np.array_equal, one[:3], other[:3])) and same(one[3], other[3])
    finally:
        there.close()


def test_multiprocessing_sends_simulators() -> None:
    sim = Simulator("Game2048", 3, seed=1)
    sim.reset()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(operator.attrgetter("obs", "legal", "records", "seed_used"), (sim,))
    assert same(there, (sim.obs, sim.legal, sim.records, 1))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # SuperSuit's own
@pytest.mark.parametrize("game", ["PongDuel", "Tron"])
def test_supersuit_makes_vectors_of_copies(game: str) -> None:
    supersuit = pytest.importorskip("supersuit")
    env = parallel_env(game)
    env = supersuit.black_death_v3(env) if game == "Tron" else env
    envs = supersuit.pettingzoo_env_to_vec_env_v1(env)
    envs = supersuit.concat_vec_envs_v1(envs, 2, num_cpus=1, base_class="stable_baselines3")
    agent = ludus.PPO("MlpPolicy", envs, n_steps=8, batch_size=16, n_epochs=1, device="cpu")
    assert agent.learn(8 * envs.num_envs).num_timesteps == 8 * envs.num_envs


SCRIPT = """
import multiprocessing, pickle
import gymnasium, ludus
from ludus.envs import Game, Simulator, state

def reset(s, random): s.place = START
def step(s, action, random):
    s.place = max(s.place + 2 * action - 1, 0)
    return float(s.place), s.place == 8
def observe(s, planes): planes[0, s.place, 0] = 1
def draw(s, canvas): pass

START = 4
if __name__ == "__main__":
    spaces = {"actions": ("left", "right"), "planes": ("place",), "shape": (1, 9)}
    ludus.register(Game("Walk", 1, state(place="i1"), reset, step, observe, draw, **spaces))
    env, sim = ludus.make("Walk"), Simulator("Walk", 2)
    env.reset(), sim.reset()
    for envs in (env, pickle.loads(pickle.dumps(env))):
        print(envs.step(1)[1])
    envs = gymnasium.vector.AsyncVectorEnv([lambda: env], context="spawn")  # by cloudpickle, as Stable-Baselines3's are
    print(envs.step([1])[1])
    envs.close()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(getattr, (sim, "obs")).argmax())
"""


def test_games_of_a_script_go_to_spawned_processes(tmp_path) -> None:
    """Nothing there knows such a game by name: it is registered only where the script runs."""
    (tmp_path / "walk.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(tmp_path / "walk.py")], capture_output=True, text=True)
    assert done.stdout.split() == ["5.0", "5.0", "[6.]", "4"], done.stderr
