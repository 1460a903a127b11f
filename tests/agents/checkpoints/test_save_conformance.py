"""`save` and `load` with every kind of argument: Stable-Baselines3's classes and Ludus's side by side."""

import io
import json
import tempfile
import warnings

import gymnasium
import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3.common.buffers import ReplayBuffer, RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.envs import BitFlippingEnv, IdentityEnv
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.utils import ConstantSchedule, LinearSchedule
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack
from stable_baselines3.her import HerReplayBuffer

import ludus
from ludus.agents import agent_class
from ludus.agents.checkpoints.env_spec import make_environment, title_of
from ludus.agents.checkpoints.reader import digest_of
from ludus.agents.checkpoints.schema import KINDS
from ludus.agents.checkpoints.user_attributes import own_attributes
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.files.spaces import read_space, space_facts
from ludus.agents.training.sb3_export import export_zip
from ludus.envs import OptionError
from tests.agents.conformance import BOTH, IDS, SETTINGS, agent_of

SMALL = {
    "ppo": {"n_steps": 16, "batch_size": 16, "n_epochs": 1},
    "dqn": {"learning_starts": 8, "batch_size": 8, "buffer_size": 64},
}
STABLE = {"ppo": stable_baselines3.PPO, "dqn": stable_baselines3.DQN}
OURS = {"ppo": ludus.PPO, "dqn": ludus.DQN}
both = pytest.mark.parametrize("algorithm", ["ppo", "dqn"])


def make(cls, env="CartPole-v1", policy="MlpPolicy", **given):
    kind = "ppo" if issubclass(cls, stable_baselines3.PPO) else "dqn"
    arguments = {"seed": 0, "device": "cpu", "policy_kwargs": {"net_arch": [8]}, **SMALL[kind], **given}
    return cls(policy, env, **arguments)


def twins(algorithm, **given):
    """The same agent twice: Stable-Baselines3's, and ours."""
    return [make(classes[algorithm], **given) for classes in (STABLE, OURS)]


class Doubled(BaseFeaturesExtractor):
    """A part of the policy that only its author has."""

    def __init__(self, space):
        super().__init__(space, spaces.utils.flatdim(space))

    def forward(self, observations):
        return 2 * observations.flatten(1).float()


def pole(agent):
    return agent.predict(np.linspace(-0.1, 0.1, 4 * 32, dtype=np.float32).reshape(32, 4), deterministic=True)[0]


# -- where to ----------------------------------------------------------------------------------------------------------

PLACES = {
    "a folder": ("m", "m"),
    "a zip file": ("m.zip", "m.zip"),
    "a zip file without its end": ("m.zip", "m"),
    "a folder with an end": ("m", "m.zip"),
}


@both
@pytest.mark.parametrize("place", PLACES)
def test_names(tmp_path, algorithm, place):
    to, back = PLACES[place]
    for agent in twins(algorithm):
        folder = tmp_path / type(agent).__module__.split(".")[0]
        for path in (str(folder / to), folder / to):
            folder.mkdir(exist_ok=True)
            agent.save(path)
            again = type(agent).load(type(path)(folder / back), device="cpu")
            assert np.array_equal(pole(again), pole(agent))


@both
def test_open_files(algorithm):
    for agent in twins(algorithm):
        with tempfile.TemporaryFile() as on_disk:
            for file in (io.BytesIO(), on_disk):
                agent.save(file)
                again = type(agent).load(file, device="cpu")  # from wherever it stands
                assert np.array_equal(pole(again), pole(agent)) and not file.closed


def test_a_zip_is_whole_or_refused(tmp_path):
    agent = make(ludus.PPO)
    with pytest.raises(CheckpointError, match="keeps one checkpoint, not 2"):
        agent.save(tmp_path / "m.zip", keep=2)
    agent.save(tmp_path / "m.zip")
    content = (tmp_path / "m.zip").read_bytes()
    for k in (0, 100, len(content) // 2, len(content) - 1):
        (tmp_path / "m.zip").write_bytes(content[:k])
        with pytest.raises(CheckpointError, match=r"m\.zip"):
            ludus.PPO.load(tmp_path / "m.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["m.zip"]


def test_what_stable_baselines_saved_is_read_without_unpickling(tmp_path):
    there = make(stable_baselines3.PPO)
    there.save(tmp_path / "m.zip")
    here = ludus.PPO.load(tmp_path / "m.zip", env="CartPole-v1", gamma=0.5)
    assert np.array_equal(pole(there), pole(here)) and here.gamma == 0.5
    with pytest.raises(CheckpointError, match="keeps no environment: pass env="):
        ludus.PPO.load(tmp_path / "m.zip")
    with pytest.raises(CheckpointError, match="only its PPO's weights"):
        ludus.DQN.load(tmp_path / "m.zip", env="CartPole-v1")


# -- arguments ---------------------------------------------------------------------------------------------------------

GIVEN = {"learning_rate": 1e-5, "gamma": 0.5, "verbose": 1, "tensorboard_log": "logs", "seed": 7, "batch_size": 4}
OF_ONE = {"ppo": {"n_steps": 8, "ent_coef": 0.1, "target_kl": 0.5}, "dqn": {"tau": 0.5, "target_update_interval": 3}}


@both
@pytest.mark.parametrize("how", ["load", "constructor"])
def test_arguments_are_heard_and_kept(tmp_path, algorithm, how):
    arguments = {**GIVEN, **OF_ONE[algorithm]}
    seen = []
    for classes in (STABLE, OURS):
        agent = make(classes[algorithm], **(arguments if how == "constructor" else {}))
        agent.save(tmp_path / "m.zip")
        again = classes[algorithm].load(tmp_path / "m.zip", **(arguments if how == "load" else {}))
        seen.append({name: getattr(again, name) for name in arguments} | {"rate": again.lr_schedule(0.3)})
    assert seen[0] == seen[1]
    assert {name: seen[1][name] for name in arguments} == arguments


@both
def test_custom_objects(tmp_path, algorithm):
    for agent in twins(algorithm):
        agent.save(tmp_path / "m.zip")
        objects = {"learning_rate": lambda left: 2 * left, "gamma": 0.25}
        again = type(agent).load(tmp_path / "m.zip", custom_objects=objects)
        assert again.lr_schedule(0.5) == 1.0 and again.gamma == 0.25
    with pytest.warns(UserWarning, match="custom_objects: the file has no 'dummy'"):
        again = type(agent).load(tmp_path / "m.zip", custom_objects={"dummy": 1})
    assert not hasattr(again, "dummy")


def test_unknown_and_bad_arguments_are_refused(tmp_path):
    make(ludus.PPO).save(tmp_path)
    with pytest.raises(TypeError, match=r"PPO.load\(\) got an unexpected keyword argument 'n_stpes'"):
        ludus.PPO.load(tmp_path, n_stpes=8)
    with pytest.raises(OptionError, match="n_steps must be a whole number from 1"):
        ludus.PPO.load(tmp_path, n_steps=0)


@both
def test_exclude_and_include(tmp_path, algorithm):
    seen = []
    for agent in twins(algorithm, verbose=2, gamma=0.5, learning_rate=0.25):
        names = ["verbose", "gamma", "learning_rate"]
        agent.save(tmp_path / "m.zip", exclude=[*names, "env"], include=["gamma"])
        again = type(agent).load(tmp_path / "m.zip")
        seen.append([getattr(again, name) for name in names])
    assert seen[0] == seen[1] and seen[1][1] == 0.5 and seen[1][0] == 0
    with pytest.raises(OptionError, match=r"exclude: 'vebrose' cannot be left out; what can be is .*verbose"):
        agent.save(tmp_path / "m.zip", exclude=["vebrose"])
    with pytest.raises(OptionError, match="include: 'env' cannot be kept"):
        agent.save(tmp_path / "m.zip", include=["env"])


@both
def test_schedules(tmp_path, algorithm):
    for rate in (LinearSchedule(1e-2, 1e-3, 0.5), ConstantSchedule(0.125)):
        seen = []
        for agent in twins(algorithm, learning_rate=rate):
            agent.save(tmp_path / "m.zip")
            again = type(agent).load(tmp_path / "m.zip")
            seen.append([again.lr_schedule(left) for left in (1.0, 0.7, 0.0)])
        assert seen[0] == seen[1] == [rate(left) for left in (1.0, 0.7, 0.0)]


def test_state_dependent_exploration(tmp_path):
    for cls in (stable_baselines3.PPO, ludus.PPO):
        agent = make(cls, "Pendulum-v1", use_sde=True, sde_sample_freq=4)
        agent.learn(16)
        agent.save(tmp_path / "m.zip")
        again = cls.load(tmp_path / "m.zip")
        assert again.use_sde and again.sde_sample_freq == 4
        assert_equal(agent.get_parameters(), again.get_parameters())


def test_a_function_is_not_frozen_where_it_ended(tmp_path):
    agent = make(ludus.PPO, learning_rate=lambda left: 0.01 * left)
    agent.learn(32)
    with pytest.warns(UserWarning, match="not kept in the file, so give it to load again: learning_rate"):
        agent.save(tmp_path)
    with pytest.warns(UserWarning, match="until then it is 0.01, its first value"):
        assert ludus.PPO.load(tmp_path).lr_schedule(0.5) == 0.01
    assert ludus.PPO.load(tmp_path, learning_rate=lambda left: 0.01 * left).lr_schedule(0.5) == 0.005


# -- networks ----------------------------------------------------------------------------------------------------------

NETWORKS = {
    "relu and SGD": {
        "net_arch": [8], "activation_fn": torch.nn.ReLU, "optimizer_class": torch.optim.SGD,
        "optimizer_kwargs": {"momentum": 0.9},
    },
    "RMSprop": {"net_arch": [8], "optimizer_class": torch.optim.RMSprop, "optimizer_kwargs": {"alpha": 0.9, "eps": 1e-4}},
    "AdamW": {"net_arch": [8], "optimizer_class": torch.optim.AdamW, "optimizer_kwargs": {"amsgrad": True}},
    "Adagrad": {"net_arch": [8], "optimizer_class": torch.optim.Adagrad},
    "none": {"net_arch": None},
    "an extractor": {"features_extractor_class": Doubled, "net_arch": [8]},
}  # fmt: skip


@both
@pytest.mark.parametrize("network", NETWORKS)
def test_networks_and_what_optimisers_remember(tmp_path, algorithm, network):
    """All comes back as in Stable-Baselines3, into other games than those trained in as well."""
    kwargs = NETWORKS[network]
    own = {} if network != "an extractor" else {"policy_kwargs": {"features_extractor_class": Doubled}}
    for agent in twins(algorithm, policy_kwargs=dict(kwargs)):
        agent.learn(32)
        ours = isinstance(agent, OURS[algorithm])
        if own and ours:
            with pytest.warns(UserWarning, match=r"policy_kwargs\['features_extractor_class'\]"):
                agent.save(tmp_path / "m.zip")
            with pytest.raises(CheckpointError, match=r"Doubled.*: give load policy_kwargs="):
                type(agent).load(tmp_path / "m.zip")
        else:
            agent.save(tmp_path / "m.zip")
        for env in (None, make_vec_env("CartPole-v1", n_envs=2)):
            again = type(agent).load(tmp_path / "m.zip", env=env, **(own if ours else {}))
            before, after = agent.get_parameters(), again.get_parameters()
            assert_equal(before, after)
            assert type(again.policy.optimizer) is type(agent.policy.optimizer)
            for name in ("num_timesteps", "_n_updates", "_episode_num"):
                assert getattr(again, name) == getattr(agent, name), name
        assert np.array_equal(pole(again), pole(agent))


def assert_equal(one, other):
    """Dictionaries, lists and tensors, all the way down."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert set(one) == set(other)
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other


@both
def test_policy_kwargs_cannot_change(tmp_path, algorithm):
    for agent in twins(algorithm):
        agent.save(tmp_path / "m.zip")
        assert type(agent).load(tmp_path / "m.zip", policy_kwargs={"net_arch": [8]}).num_timesteps == 0
        with pytest.raises(ValueError, match=r"policy_?.?kwargs"):
            type(agent).load(tmp_path / "m.zip", policy_kwargs={"net_arch": [9]})


def test_policy_classes(tmp_path):
    class MlpPolicy(ActorCriticPolicy):
        """Of the user's, although its name is known."""

    make(ludus.PPO, policy=ActorCriticPolicy).save(tmp_path / "stable")
    assert type(ludus.PPO.load(tmp_path / "stable").policy) is ActorCriticPolicy
    agent = make(ludus.PPO, policy=MlpPolicy)
    with pytest.warns(UserWarning, match="give it to load again: policy_class"):
        agent.save(tmp_path / "own")
    with pytest.raises(CheckpointError, match=r"could not keep policy_class.*MlpPolicy.*: give load policy_class="):
        ludus.PPO.load(tmp_path / "own")
    for given_how in ({"policy_class": MlpPolicy}, {"custom_objects": {"policy_class": MlpPolicy}}):
        again = ludus.PPO.load(tmp_path / "own", **given_how)
        assert type(again.policy) is MlpPolicy and np.array_equal(pole(again), pole(agent))


@both
def test_parameters_from_a_file(tmp_path, algorithm):
    for agent in twins(algorithm):
        agent.learn(32)
        agent.save(tmp_path / "m.zip")
        other = make(type(agent), seed=1)
        other.set_parameters(str(tmp_path / "m.zip"))
        assert_equal(agent.get_parameters(), other.get_parameters())
    with pytest.raises(CheckpointError, match="of another network"):
        make(type(agent), policy_kwargs={"net_arch": [9]}).set_parameters(tmp_path / "m.zip")


@both
def test_parts_of_an_agent(tmp_path, algorithm):
    for agent in twins(algorithm):
        parts = [agent.policy, *([agent.q_net] if algorithm == "dqn" else [])]
        for part in parts:
            part.save(tmp_path / "part")
            assert_equal(dict(type(part).load(tmp_path / "part").state_dict()), dict(part.state_dict()))


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


# -- the memory --------------------------------------------------------------------------------------------------------


def test_the_memory_is_a_file(tmp_path):
    for agent in twins("dqn"):
        agent.learn(50)
        before = agent.replay_buffer
        kept = {name: getattr(before, name).copy() for name in ("observations", "actions", "rewards")}
        rows = before.size()
        agent.save_replay_buffer(tmp_path / "memory")
        other = make(type(agent))
        other.load_replay_buffer(tmp_path / "memory")
        after = other.replay_buffer
        assert after.size() == after.pos == rows and not after.full
        for name, array in kept.items():
            assert np.array_equal(getattr(after, name)[:rows], array[:rows]), name
        assert other.learn(32).num_timesteps == 32 and other.replay_buffer.size() == 64
        file = io.BytesIO()
        agent.save_replay_buffer(file)
        file.seek(0)
        other.load_replay_buffer(file)
        assert other.replay_buffer.size() == rows


@pytest.mark.filterwarnings("ignore:not kept in the file")
def test_a_memory_comes_back_before_its_environment(tmp_path):
    for agent in twins("dqn", env=DummyVecEnv([lambda: IdentityEnv(5)])):
        agent.learn(40)
        agent.save(tmp_path / "m.zip")
        agent.save_replay_buffer(tmp_path / "memory")
        again = type(agent).load(tmp_path / "m.zip")
        again.load_replay_buffer(tmp_path / "memory")
        assert again.replay_buffer.size() == 40
        again.set_env(agent.get_env())
        again.learn(20, reset_num_timesteps=False)
        assert again.num_timesteps == again.replay_buffer.size() == 60


def test_a_memory_of_another_kind_is_refused(tmp_path):
    """And the memory that was there stays."""
    agent, other = make(ludus.DQN).learn(20), make(ludus.DQN, "MountainCar-v0").learn(32)
    agent.save_replay_buffer(tmp_path / "memory.pkl")
    with pytest.raises(CheckpointError, match="of another network or game"):
        other.load_replay_buffer(tmp_path / "memory.pkl")
    many = make(ludus.DQN, make_vec_env("CartPole-v1", 2))
    with pytest.raises(CheckpointError, match=r"has no memory of 2 environments, as there are here, but of 1$"):
        many.load_replay_buffer(tmp_path / "memory.pkl")
    make(stable_baselines3.DQN).learn(20).save_replay_buffer(tmp_path / "pickle.pkl")
    with pytest.raises(CheckpointError, match="is a pickle, as Stable-Baselines3 writes its replay buffers"):
        other.load_replay_buffer(tmp_path / "pickle.pkl")
    (tmp_path / "broken.safetensors").write_bytes(b"no tensors at all")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        other.load_replay_buffer(tmp_path / "broken.safetensors")
    assert other.replay_buffer.size() == 32 and other.learn(8, reset_num_timesteps=False).replay_buffer.size() == 40


def test_a_memory_is_as_large_as_in_its_file(tmp_path):
    for agent in twins("dqn"):
        agent.learn(20)
        agent.save_replay_buffer(tmp_path / "memory")
        other = make(type(agent), buffer_size=80)
        for _ in range(2):  # the second time it has a memory of its own
            other.load_replay_buffer(tmp_path / "memory")
            assert other.replay_buffer.buffer_size == agent.buffer_size and other.replay_buffer.size() == 20
            assert other.learn(32).replay_buffer.size() == 52


def test_there_is_a_memory_before_training():
    """To look at, and to put transitions into; the games are as if nobody had looked."""
    learned = []
    for look in (False, True):
        for agent in twins("dqn", env=make_vec_env("CartPole-v1", 2, seed=0)):
            if look:
                buffer = agent.replay_buffer
                assert (buffer.pos, buffer.size(), buffer.full, buffer.n_envs) == (0, 0, False, 2)
                assert buffer.observations.shape == (buffer.buffer_size, 2, 4)
            learned.append(agent.learn(40).replay_buffer.observations[:20])
    assert np.array_equal(learned[0], learned[2]) and np.array_equal(learned[1], learned[3])
    for agent in twins("dqn"):
        obs = np.ones((1, 4), np.float32)
        agent.replay_buffer.add(obs, 2 * obs, np.zeros((1, 1), int), np.ones(1), np.zeros(1), [{}])
        assert agent.replay_buffer.size() == 1
        buffer = agent.learn(8).replay_buffer
        assert buffer.size() == 9 and (buffer.observations[0] == 1).all() and (buffer.next_observations[0] == 2).all()


def test_transitions_put_in_by_hand(tmp_path):
    """What is drawn is what was put in, whatever came before and after."""
    rng = np.random.default_rng(0)
    rows = [[rng.normal(size=(1, 4)).astype("f4"), rng.normal(size=(1, 4)).astype("f4"), rng.integers(2, size=(1, 1)),
             rng.normal(size=1), rng.random(1) < 0.3, [{"TimeLimit.truncated": False}]] for _ in range(40)]  # fmt: skip
    agents = twins("dqn")
    agents[1].load_replay_buffer(empty(agents[1], tmp_path))
    for agent in agents:
        agent.replay_buffer.extend(*zip(*rows, strict=True))
        batch = agent.replay_buffer.sample(200)
        for obs, after, action, reward, done in zip(
            batch.observations, batch.next_observations, batch.actions, batch.rewards, batch.dones, strict=True
        ):
            (row,) = [row for row in rows if np.array_equal(row[0][0], obs)]
            assert (done.item() or np.array_equal(row[1][0], after)) and row[2].item() == action.item()
            assert np.float32(row[3].item()) == reward.item() and row[4].item() == bool(done.item())


def empty(agent, folder):
    agent.save_replay_buffer(folder / "empty")
    return folder / "empty"


# -- buffers of Stable-Baselines3 --------------------------------------------------------------------------------------


class OwnBuffer(ReplayBuffer):
    """Of a class that no table has."""


BUFFERS = {
    "of keywords": {"replay_buffer_kwargs": {"handle_timeout_termination": False}},
    "of a class": {"replay_buffer_class": ReplayBuffer},
    "of the user's": {"replay_buffer_class": OwnBuffer},
    "hindsight": {
        "replay_buffer_class": HerReplayBuffer,
        "replay_buffer_kwargs": {"n_sampled_goal": 2, "goal_selection_strategy": "future"},
    },
}


@pytest.mark.parametrize("kind", BUFFERS)
def test_replay_buffer_class(tmp_path, kind):
    """Both fill and learn from the same buffer, and keep it the same way."""
    her = kind == "hindsight"
    for agent in twins("dqn", env="CartPole-v1" if not her else BitFlippingEnv(n_bits=3, continuous=False),
                       policy="MultiInputPolicy" if her else "MlpPolicy", **BUFFERS[kind]):  # fmt: skip
        agent.learn(40)
        usual = BUFFERS[kind].get("replay_buffer_class", ReplayBuffer)
        assert type(agent.replay_buffer) is usual and agent.replay_buffer.size() == 40 and agent._n_updates > 0
        agent.save_replay_buffer(tmp_path / "buffer")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            agent.save(tmp_path / "m.zip")
        lost = " ".join(str(warning.message) for warning in told)
        ours = isinstance(agent, ludus.DQN)
        assert ("what is in the replay_buffer" in lost) == ("replay_buffer_class" in BUFFERS[kind] and ours)
        assert ("replay_buffer_class (" in lost) == (usual.__name__ == "OwnBuffer" and ours)
        given = BUFFERS[kind] if usual.__name__ == "OwnBuffer" else {}
        again = type(agent).load(tmp_path / "m.zip", env=agent.get_env(), **given)
        assert type(again.replay_buffer) is usual and again.replay_buffer.size() == 0
        assert again.replay_buffer_kwargs == agent.replay_buffer_kwargs
        again.load_replay_buffer(tmp_path / "buffer", truncate_last_traj=False)
        assert again.replay_buffer.size() == 40
        assert again.learn(20, reset_num_timesteps=False).num_timesteps == 60


def test_a_buffer_learns_what_the_memory_learns():
    """From the same transitions, the same targets: rewards, ends, and what follows an episode that was cut off."""
    agents = [make(ludus.DQN, "CartPole-v1", learning_starts=10**6, **more) for more in ({}, BUFFERS["of a class"])]
    for agent in agents:
        agent.learn(60)
    ours, theirs = (agent.replay_buffer for agent in agents)
    for name in ("observations", "actions", "rewards", "dones", "timeouts"):
        assert np.array_equal(getattr(ours, name)[:60], getattr(theirs, name)[:60]), name
    batch = agents[1].replay.sample(32, torch.Generator())
    drawn = {tuple(obs.tolist()): k for k, obs in enumerate(torch.from_numpy(theirs.observations[:60, 0]))}
    for obs, returned, discount in zip(batch.obs, batch.returns, batch.discounts, strict=True):
        k = drawn[tuple(obs.tolist())]
        over = theirs.dones[k, 0] and not theirs.timeouts[k, 0]
        assert returned == theirs.rewards[k, 0] and discount == (0 if over else np.float32(0.99))


def test_buffers_of_rollouts_are_refused():
    with pytest.raises(OptionError, match="rollout_buffer_class is not for this PPO, whose rollouts are tensors"):
        make(ludus.PPO, rollout_buffer_class=RolloutBuffer)
    with pytest.raises(OptionError, match="prioritized is for Ludus's memory"):
        make(ludus.DQN, prioritized=True, replay_buffer_class=ReplayBuffer)


# -- attributes of the user's ------------------------------------------------------------------------------------------

OWN = {"note": "a line", "seen": [1, 2.5, "x", None, True], "table": {"deep": [[1], {}]}, "count": 3}


@both
@pytest.mark.parametrize("place", ["m", "m.zip"])
def test_attributes_of_ones_own_are_kept(tmp_path, algorithm, place):
    for agent in twins(algorithm):
        folder = tmp_path / type(agent).__module__.split(".")[0]
        folder.mkdir()
        for name, value in OWN.items():
            setattr(agent, name, value)
        agent.save(folder / place)
        again = type(agent).load(folder / place)
        assert {name: getattr(again, name) for name in OWN} == OWN
        agent.save(folder / place, exclude=["note"])
        assert not hasattr(type(agent).load(folder / place), "note")


def test_attributes_go_there_and_come_back(tmp_path):
    here = make(ludus.PPO)
    vars(here).update(OWN)
    export_zip(here, tmp_path / "there.zip")
    there = stable_baselines3.PPO.load(tmp_path / "there.zip", env=make_vec_env("CartPole-v1"))
    there.hook = lambda: None
    there.save(tmp_path / "back.zip")
    with pytest.warns(UserWarning, match="hook was a pickle, set it again"):
        back = ludus.PPO.load(tmp_path / "back.zip", env="CartPole-v1")
    for agent in (there, back):
        assert {name: getattr(agent, name) for name in OWN} == OWN
    assert not hasattr(back, "hook")


@pytest.mark.parametrize("value", [len, np.zeros(3), {1: 2}, float("nan"), "x" * 200_000, Doubled])
def test_attributes_that_json_has_no_words_for_are_named_in_a_warning(tmp_path, value):
    agent = make(ludus.PPO)
    agent.note, agent.hook = "a line", value
    with pytest.warns(UserWarning, match=r"so set it again after load: hook \(") as caught:
        agent.save(tmp_path)
    assert len(caught) == 1
    again = ludus.PPO.load(tmp_path)
    assert again.note == "a line" and not hasattr(again, "hook")


@pytest.mark.parametrize("algorithm", KINDS)
@pytest.mark.parametrize("policy", ["mlp", "MlpPolicy"])
def test_agents_have_no_attributes_but_their_own(tmp_path, algorithm, policy):
    kind = agent_class(algorithm)
    agent = kind(policy, "Catch", seed=0, device="cpu", **SMALL.get(algorithm, SMALL["ppo"])).learn(128)
    agent.predict(agent.env.reset())
    agent.save(tmp_path)
    for one in (agent, kind.load(tmp_path, resume=True)):
        assert own_attributes(one) == {}


@pytest.mark.parametrize("name", ["learn", "policy", "_n_updates", "not a name", "__class__"])
def test_a_file_sets_no_attribute_that_is_not_the_users(tmp_path, name):
    make(ludus.PPO).save(tmp_path)
    facts = json.loads((tmp_path / "agent.json").read_text()) | {"attributes": {name: 5}}
    (tmp_path / "agent.json").write_text(json.dumps({**facts, "sha256": digest_of(facts)}))
    with pytest.raises(CheckpointError, match="attributes has") as caught:
        ludus.PPO.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("library", "name"), BOTH, ids=IDS)
def test_what_is_not_there_is_a_missing_file(library, name, tmp_path):
    with pytest.raises(FileNotFoundError):
        getattr(library, name).load(tmp_path / "nowhere")


class Saves(BaseCallback):
    """Saves within training."""

    def _on_step(self):
        if self.n_calls == 20:
            self.model.save(self.path)
        return True


@pytest.mark.parametrize("games", ["CartPole-v1", "Catch"])
@pytest.mark.parametrize("name", SETTINGS)
def test_nothing_is_said_of_attributes_that_no_user_set(name, games, tmp_path):
    env = ludus.make_sb3("Catch", 2) if games == "Catch" else None
    agent, callback = agent_of(ludus, name, "mlp" if env else "MlpPolicy", env), Saves()
    callback.path = tmp_path / "within"
    with warnings.catch_warnings(action="error"):
        agent.learn(64, callback=callback)
        agent.save(tmp_path / "after")
    for folder in ("within", "after"):
        assert "attributes" not in json.loads((tmp_path / folder / "agent.json").read_text())
