"""`save` and `load` with every kind of argument and network: Stable-Baselines3's classes and Ludus's side by side."""

import io
import tempfile

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.utils import ConstantSchedule, LinearSchedule

import ludus
from ludus.agents.files.safe_io import CheckpointError
from ludus.envs import OptionError
from tests.agents.checkpoints.twins import OURS, STABLE, Doubled, assert_equal, both, make, pole, twins

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
