"""Copies and pickles go on exactly where their originals are, on memory of their own."""

import copy
import os
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import VecNormalize

import ludus
from ludus.envs import Bot, Game, Simulator
from ludus.envs.engine.simulator import BUILT, RESULTS
from tests.envs.adapters.copies import (
    COPIES,
    arrays_of,
    every_copy,
    every_environment,
    every_game,
    play,
    same,
)


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
    assert twin._backend._pool is not None
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
