"""The Stable-Baselines3 face, held against SB3's checker, its own vectors and its algorithms."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import data_equivalence
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecMonitor

import ludus
from ludus.envs import Game, GameEnv, OptionError, all_games
from ludus.envs.adapters.sb3 import LudusVecEnv

GAMES = [game for game in all_games().values() if game.players == 1]
every_game = pytest.mark.parametrize("game", GAMES, ids=[game.name for game in GAMES])
OPTIONS = {"max_episode_steps": 25, "repeat_action_probability": 0.1}


@every_game
@pytest.mark.parametrize("obs_type", [None, "rgb"])
def test_sb3s_checker_has_nothing_to_say(game: Game, obs_type: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if obs_type is None:  # planes hold 0 and 1 and are small, which the checker takes for a mistake in an image
            warnings.filterwarnings("ignore", message="It seems that your observation.*is an image but")
            warnings.filterwarnings("ignore", message="The minimal resolution for an image is 36x36")
        check_env(ludus.make(game, obs_type=obs_type))


@every_game
def test_equal_to_sb3s_vector_of_single_games(game: Game) -> None:
    count, random = 4, np.random.default_rng(0)
    ours = LudusVecEnv(game, count, seed=3, **OPTIONS)
    theirs = DummyVecEnv([lambda: Monitor(GameEnv(game, **OPTIONS))] * count)
    theirs.seed(3)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert np.array_equal(ours.reset(), theirs.reset())
    ended = 0
    for _ in range(80):
        actions = random.integers(0, ours.action_space.n, count)
        *mine, infos = ours.step(actions)
        *other, their_infos = theirs.step(actions)
        for a, b in zip(mine, other, strict=True):
            assert np.array_equal(a, b)
            assert a.dtype == b.dtype
        for info, their_info, done in zip(infos, their_infos, mine[2], strict=True):
            if done:
                ended += 1
                info["episode"].pop("t"), their_info["episode"].pop("t")
                info["episode"]["r"] = round(info["episode"]["r"], 4)
                their_info["episode"]["r"] = round(their_info["episode"]["r"], 4)
                their_info.pop("action_mask", None)  # a vector tells of it by `action_masks`, as sb3-contrib asks
                assert data_equivalence(info, their_info, exact=True)
            else:
                assert info == {}
    assert ended >= count


def test_a_time_limit_is_told_from_an_end() -> None:
    env = ludus.make_sb3("Catch", num_envs=2, max_episode_steps=4)
    env.reset()
    for _ in range(4):
        obs, _, dones, infos = env.step(np.ones(2, np.int64))
    assert dones.all()
    assert [info["TimeLimit.truncated"] for info in infos] == [True, True]
    assert all(info["terminal_observation"][4, :, 0].sum() == 1 for info in infos)  # the ball has fallen four rows
    assert all(picture[0, :, 0].sum() == 1 for picture in obs)  # and starts again at the top

    env = ludus.make_sb3("Catch", num_envs=1)
    env.reset()
    for _ in range(9):
        _, rewards, dones, infos = env.step(np.ones(1, np.int64))
    assert dones.all()
    assert infos[0]["TimeLimit.truncated"] is False
    assert infos[0]["episode"]["r"] == rewards[0]
    assert infos[0]["episode"]["l"] == 9
    assert infos[0]["episode"]["t"] >= 0


def test_what_was_returned_may_be_kept_and_written_to() -> None:
    env = LudusVecEnv("Catch", 3, seed=0)
    first = env.reset()
    kept = first.copy()
    obs, rewards, dones, infos = env.step(np.ones(3, np.int64))
    assert np.array_equal(first, kept)
    obs[:], rewards[:], dones[:], infos[0]["mine"], infos[1] = 7, 7, True, 1, None
    obs, rewards, dones, infos = env.step(np.ones(3, np.int64))
    assert obs.max() == 1
    assert not rewards.any()
    assert not dones.any()
    assert infos == [{}, {}, {}]


def test_seeds_are_as_in_sb3() -> None:
    env = LudusVecEnv("Breakout", 3, seed=5)
    first, second = env.reset(), env.reset()
    assert env.seed(5) == [5, 6, 7]
    assert np.array_equal(env.reset(), first)
    assert np.array_equal(env.reset(), second)
    for k in range(3):
        assert np.array_equal(ludus.make("Breakout").reset(seed=5 + k)[0], first[k])


def test_attributes_and_methods() -> None:
    env = LudusVecEnv("Catch", 3, render_mode="rgb_array")
    assert isinstance(env, VecEnv)
    assert env.unwrapped is env
    assert env.get_attr("render_mode") == ["rgb_array"] * 3
    assert env.get_attr("game", 1) == [all_games()["Catch"]]
    assert env.has_attr("simulator")
    assert not env.has_attr("wheels")
    env.set_attr("marker", 4)
    assert env.get_attr("marker", [0, 2]) == [4, 4]
    with pytest.raises(OptionError, match="shared by all 3 games"):
        env.set_attr("marker", 5, 0)
    with pytest.raises(AttributeError, match="no method 'fly'"):
        env.env_method("fly")
    assert env.env_is_wrapped(Monitor) == [True] * 3
    assert env.env_is_wrapped(VecMonitor, [0]) == [False]
    for one in (env, make_vec_env("CartPole-v1", 3, env_kwargs={"render_mode": "rgb_array"})):
        assert one.env_method("get_wrapper_attr", "render_mode") == ["rgb_array"] * 3
        assert one.env_method("has_wrapper_attr", "wheels", indices=[0, 2]) == [False] * 2
    env.reset()
    assert [picture.shape for picture in env.env_method("render", indices=[0, 1])] == [(480, 480, 3)] * 2
    assert env.render().shape == (960, 960, 3)  # three games in a square of four


def test_one_window_shows_all_games() -> None:
    import pygame

    env = LudusVecEnv("Catch", 2, render_mode="human")
    env.reset()
    assert env.render() is None
    assert env._viewer.window.surface.get_size() == (480, 960)
    env.close()
    assert not pygame.display.get_init()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch on one thread: with more, small networks wait for each other when other work is going on."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_ppo_of_sb3_learns_catch() -> None:
    env = ludus.make_sb3("Catch", num_envs=16, seed=0)
    model = PPO("MlpPolicy", env, n_steps=32, batch_size=128, n_epochs=6, learning_rate=2e-3, seed=0, device="cpu")
    model.learn(24_000)
    assert mean_return(model) > 0.5


@pytest.mark.usefixtures("one_thread")
def test_dqn_of_sb3_learns_catch() -> None:
    env = ludus.make_sb3("Catch", num_envs=8, seed=0)
    often = {"learning_starts": 500, "train_freq": 2, "target_update_interval": 250, "exploration_fraction": 0.5}
    model = DQN("MlpPolicy", env, learning_rate=1e-3, buffer_size=20_000, batch_size=64, seed=0, device="cpu", **often)
    model.learn(30_000)
    assert mean_return(model) > 0.5


def mean_return(model) -> float:
    """Over 100 new episodes; a random player gets -0.8."""
    return evaluate_policy(model, ludus.make_sb3("Catch", num_envs=10, seed=99), n_eval_episodes=100)[0]
