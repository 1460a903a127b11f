"""Games and environments that are pickled, and that other processes get, are the same there."""

import copy
import multiprocessing
import operator
import pickle
import subprocess
import sys
from dataclasses import replace

import cloudpickle
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

import ludus
from ludus.envs import Game, GameError, Simulator, UnknownGame, all_games, parallel_env
from tests.envs.adapters.copies import (
    COPIES,
    STICKY,
    every_game,
    play,
    same,
)


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
