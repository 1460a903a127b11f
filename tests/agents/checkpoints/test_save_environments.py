"""Environments of saved agents, beside Stable-Baselines3's: which are made again, and which a file cannot store."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.envs import IdentityEnv
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack

import ludus
from ludus.agents.checkpoints.env_spec import make_environment, title_of
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.files.spaces import read_space, space_facts
from tests.agents.checkpoints.twins import OURS, both, make, twins

# -- environments ------------------------------------------------------------------------------------------------------


@both
def test_an_environment_that_is_nobodys_id(tmp_path, algorithm):
    for agent in twins(algorithm, env=DummyVecEnv([lambda: IdentityEnv(5)] * 2)):
        agent.learn(32)
        if isinstance(agent, OURS[algorithm]):
            with pytest.warns(UserWarning, match=r"env \(an environment that has no Gymnasium id\)"):
                agent.save(tmp_path / "m.zip")
        else:
            agent.save(tmp_path / "m.zip")
        again = type(agent).load(tmp_path / "m.zip")
        assert again.env is None and again.n_envs == 2 and again.observation_space == agent.observation_space
        obs = np.arange(5)
        assert np.array_equal(again.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])
        again.set_env(DummyVecEnv([lambda: IdentityEnv(5)] * 2))
        assert again.learn(32).num_timesteps == 32
        with pytest.raises(ValueError, match="spaces do not match"):
            type(agent).load(tmp_path / "m.zip", env=DummyVecEnv([lambda: IdentityEnv(6)]))


@pytest.mark.filterwarnings("ignore:not kept in the file")
@both
@pytest.mark.parametrize("force_reset", [True, False])
def test_an_environment_that_stands_where_it_stood(tmp_path, algorithm, force_reset):
    for agent in twins(algorithm, env=DummyVecEnv([lambda: IdentityEnv(5)])):
        agent.learn(32)
        agent.save(tmp_path / "m.zip")
        env = agent.get_env()
        again = type(agent).load(tmp_path / "m.zip", env=env, force_reset=force_reset)
        if force_reset:
            assert again._last_obs is None
        else:
            assert np.array_equal(again._last_obs, agent._last_obs)
        assert again.learn(32, reset_num_timesteps=False).num_timesteps == 64


MADE = {
    "arguments": ("FrozenLake-v1", {"is_slippery": False, "map_name": "8x8"}, None),
    "a limit": ("CartPole-v1", {"max_episode_steps": 7}, None),
    "a game's options": ("ludus/Catch-v1", {"obs_type": "grayscale", "size": 36, "levels": range(0, 9, 2)}, None),
    "wrappers": ("CartPole-v1", {}, lambda env: gymnasium.wrappers.RescaleObservation(
        gymnasium.wrappers.ClipReward(gymnasium.wrappers.FrameStackObservation(env, 2), 0.0, 0.5), 0, 1)),
}  # fmt: skip


@pytest.mark.parametrize("case", MADE)
def test_environments_are_made_again_as_they_were(tmp_path, case):
    name, arguments, wrapper = MADE[case]
    if case == "wrappers":
        wrapper = lambda env: gymnasium.wrappers.ClipReward(gymnasium.wrappers.FrameStackObservation(env, 2), 0.0, 0.5)  # noqa: E731
    env = make_vec_env(name, 2, env_kwargs=arguments, wrapper_class=wrapper)
    agent = make(ludus.PPO, env)
    agent.save(tmp_path)
    back = ludus.PPO.load(tmp_path)
    assert back.environment == agent.environment == json.loads(json.dumps(agent.environment))
    assert back.observation_space == agent.observation_space
    there, here = (e.get_attr("spec")[0] for e in (env, back.get_env()))
    assert {**there.kwargs, "render_mode": ""} == {**here.kwargs, "render_mode": ""}
    assert there.max_episode_steps == here.max_episode_steps
    assert there.additional_wrappers == here.additional_wrappers
    title = title_of(agent.environment)
    assert title.startswith(name) and all(word in title for word in (*arguments, *(["ClipReward"] if wrapper else [])))


@pytest.mark.parametrize(
    ("make_env", "words"),
    [
        (lambda: VecFrameStack(make_vec_env("CartPole-v1", 1), 2), "an environment in VecFrameStack"),
        (lambda: DummyVecEnv([lambda: IdentityEnv(3)]), "no Gymnasium id"),
        (lambda: make_vec_env("CartPole-v1", 1, wrapper_class=lambda env: gymnasium.wrappers.TransformReward(env, abs)),
         "CartPole-v1 in TransformReward"),
        (lambda: DummyVecEnv([lambda: gymnasium.make("FrozenLake-v1"),
                              lambda: gymnasium.make("FrozenLake-v1", is_slippery=False)]), "of several kinds"),
    ],
)  # fmt: skip
def test_environments_that_no_file_keeps(tmp_path, make_env, words):
    agent = make(ludus.PPO, make_env(), n_steps=16)
    assert words in agent.environment["not_kept"] == title_of(agent.environment)
    with pytest.warns(UserWarning, match=f"not kept in the file, so give it to load again: env .*{words}"):
        agent.save(tmp_path)
    back = ludus.PPO.load(tmp_path)
    assert back.env is None and back.observation_space == agent.observation_space
    with pytest.raises(CheckpointError, match="which no file can keep: give load env="):
        make_environment(back.environment)
    with pytest.warns(UserWarning, match="not kept"):
        back.save(tmp_path / "again")  # and it is still an agent


def test_loaded_to_play_and_trained_in_as_many_games_as_wished(tmp_path):
    """`load` without `env` makes one game; `set_env` then takes as many as there are."""
    make(ludus.PPO, ludus.make_sb3("Catch", 4), "mlp", policy_kwargs={}).save(tmp_path)
    for games in (4, 2):
        back = ludus.PPO.load(tmp_path)
        back.set_env(ludus.make_sb3("Catch", games))
        assert back.n_envs == games and back.learn(16 * games).num_timesteps == 16 * games


# -- spaces ------------------------------------------------------------------------------------------------------------

floats = st.floats(allow_nan=False, width=32)
bounds = st.lists(st.tuples(floats, floats).map(sorted), min_size=1, max_size=4)
simple = st.one_of(
    st.builds(lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 99), st.integers(-9, 9)),
    st.lists(st.integers(1, 9), min_size=1, max_size=4).map(spaces.MultiDiscrete),
    st.integers(1, 9).map(spaces.MultiBinary),
    st.tuples(st.integers(1, 4), st.integers(1, 4)).map(spaces.MultiBinary),
    bounds.map(lambda x: spaces.Box(np.array([a for a, _ in x], np.float32), np.array([b for _, b in x], np.float32))),
    st.sampled_from(["uint8", "int32", "float32", "float64"]).map(
        lambda d: spaces.Box(0, 255, (3, 2, 1), np.dtype(d).type)
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.one_of(simple, st.dictionaries(st.sampled_from("abc"), simple, min_size=1).map(spaces.Dict)))
def test_spaces_come_back(space):
    facts = json.loads(json.dumps(space_facts(space), allow_nan=False))
    assert read_space("space", facts) == space


def test_spaces_that_have_no_words():
    assert space_facts(spaces.Text(3)) is None
    assert space_facts(spaces.Dict(a=spaces.Discrete(2), b=spaces.Text(3))) is None
