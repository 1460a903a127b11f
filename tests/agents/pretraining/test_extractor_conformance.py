"""Pretrained extractors beside Stable-Baselines3: what is frozen stays, rates are what was asked for, files go both ways."""

import numpy as np
import pytest
import stable_baselines3
import torch

import ludus
from ludus.agents import PretrainedExtractor, load_agent, load_encoder
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.training.sb3_export import export_zip
from ludus.envs import OptionError
from tests.agents.encoded import SIZE, pictures, save_decoder
from tests.agents.small import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_decoder(tmp_path_factory.mktemp("encoder"), norm="batch", dropout=0.2)


def extractor(folder, trainable):
    kwargs = {"encoder": load_encoder(folder), "trainable": trainable}
    return {"features_extractor_class": PretrainedExtractor, "features_extractor_kwargs": kwargs}


@pytest.mark.parametrize("package", [stable_baselines3, ludus])
@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_what_is_frozen_keeps_its_statistics_and_drops_nothing(package, name, folder):
    settings = {"PPO": {"n_steps": 16, "batch_size": 32}, "DQN": {"learning_starts": 32, "buffer_size": 500}}[name]
    agent = getattr(package, name)("CnnPolicy", pictures(), policy_kwargs=extractor(folder, False), seed=0, **settings)
    agent.learn(256)
    inside = next(m for m in agent.policy.modules() if isinstance(m, PretrainedExtractor))
    for key, weight in load_encoder(folder).for_agents().encoder().state_dict().items():
        assert torch.equal(inside.encoder.state_dict()[key], weight), key
    x = torch.rand(4, 3, SIZE, SIZE)
    agent.policy.set_training_mode(True)
    assert torch.equal(inside(x), inside(x))


@pytest.mark.parametrize(
    ("schedule", "peak"), [(lambda p: 1e-3 * (1 - p), 1e-3), (lambda p: 1e-6 + 1e-3 * (1 - p), 1.001e-3), (3e-4, 3e-4)]
)
@pytest.mark.parametrize("name", ["PPO", "PQN"])
def test_the_encoders_rate_is_what_was_asked_for_where_the_others_is_highest(name, schedule, peak, folder):
    kwargs = {"encoder": folder, "finetune_lr": 1e-5}
    agent = getattr(ludus, name)("nature", pictures(), learning_rate=schedule, policy_kwargs=kwargs, **small(name))
    agent.learn(256)
    rest, own = (group["lr"] for group in agent.policy.optimizer.param_groups)
    assert own == pytest.approx(rest * 1e-5 / peak) and rest > 0


def test_an_agent_whose_rate_ended_at_nothing_is_loaded(folder, tmp_path):
    kwargs = {"encoder": folder, "finetune_lr": 1e-5}
    agent = ludus.PPO("nature", pictures(), learning_rate=lambda p: 1e-3 * p, policy_kwargs=kwargs, **small("PPO"))
    agent.learn(256)
    agent.learning_rate = 0.0
    agent.save(tmp_path)
    assert load_agent(tmp_path).learning_rate == 0.0


@pytest.mark.parametrize(("use", "policy"), [("freeze", "mlp"), ("decode", "cnn")])
def test_pictures_may_be_numbers_of_any_type(use, policy, folder):
    agent = ludus.PPO(policy, pictures(), policy_kwargs={"encoder": folder, use: True}, **small("PPO"))
    obs = np.asarray(agent.env.reset())
    encoded = agent.policy.obs_to_tensor(obs)[0]
    for same in (obs.astype(np.int64), obs.astype(np.float32), obs.tolist(), np.moveaxis(obs, 1, -1)):
        assert torch.allclose(agent.policy.obs_to_tensor(same)[0].float(), encoded.float(), atol=1e-5)
    with pytest.raises(ValueError, match="observations must be"):
        agent.predict(obs[0, 0])


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"features_extractor_kwargs": {"trainable": False}}, "features_extractor_kwargs beside encoder"),
        ({"features_extractor_class": PretrainedExtractor}, "features_extractor_class beside encoder"),
        ({"normalize_images": False}, "normalize_images beside encoder"),
    ],
)
def test_what_the_encoder_would_overrule_is_refused(kwargs, words, folder):
    for name in ("PPO", "DQN", "PQN"):
        with pytest.raises(OptionError, match=words):
            getattr(ludus, name)("nature", pictures(), policy_kwargs={"encoder": folder, **kwargs})


def test_policies_that_do_not_go_with_it_are_named(folder):
    for name in ("PPO", "DQN"):
        with pytest.raises(OptionError, match="with freeze the network sees what the encoder gives: use 'mlp'"):
            getattr(ludus, name)("CnnPolicy", pictures(), policy_kwargs={"encoder": folder, "freeze": True})
    given = {"features_extractor_class": PretrainedExtractor, "features_extractor_kwargs": {"encoder": str(folder)}}
    with pytest.raises(OptionError, match="load_encoder"):
        stable_baselines3.PPO("CnnPolicy", pictures(), policy_kwargs=given)
    normalized = stable_baselines3.common.vec_env.VecNormalize(pictures())
    with pytest.raises(OptionError, match="VecNormalize"):
        ludus.PPO("mlp", normalized, policy_kwargs={"encoder": folder, "freeze": True})


@pytest.mark.parametrize(("use", "policy"), [("freeze", "mlp"), ("decode", "cnn"), ("finetune", "nature")])
def test_an_exported_agent_plays_and_learns_in_stable_baselines3(use, policy, folder, tmp_path):
    kwargs = {"encoder": folder, **({} if use == "finetune" else {use: True})}
    agent = ludus.PPO(policy, pictures(), policy_kwargs=kwargs, seed=0, **small("PPO"))
    agent.learn(64)
    export_zip(agent, tmp_path / "agent.zip")
    env = pictures()
    stable = stable_baselines3.PPO.load(tmp_path / "agent.zip", env=env)
    obs = stable.env.reset()
    assert np.array_equal(stable.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])
    frozen = {name: x.clone() for name, x in stable.policy.state_dict().items() if name.startswith("frozen")}
    stable.learn(128)
    assert all(torch.equal(stable.policy.state_dict()[name], x) for name, x in frozen.items())


def test_what_stable_baselines3_cannot_hold_is_said(folder, tmp_path):
    agent = ludus.DQN("mlp", pictures(), policy_kwargs={"encoder": folder, "freeze": True}, **small("DQN"))
    with pytest.raises(CheckpointError, match="gives its network pictures"):
        export_zip(agent, tmp_path / "agent.zip")
    agent = ludus.PPO("nature", pictures(), policy_kwargs={"encoder": folder, "finetune_lr": 1e-5}, **small("PPO"))
    with pytest.warns(UserWarning, match="finetune_lr is not kept"):
        export_zip(agent, tmp_path / "agent.zip")


def test_parameters_that_stable_baselines3_saved_with_batch_normalization_are_read(folder, tmp_path):
    kwargs = extractor(folder, True)
    theirs = stable_baselines3.PPO("CnnPolicy", pictures(), policy_kwargs=kwargs, n_steps=16, batch_size=32, seed=0)
    theirs.learn(64)
    theirs.save(tmp_path / "theirs.zip")
    ours = ludus.PPO("CnnPolicy", pictures(), policy_kwargs=kwargs, **small("PPO"))
    ours.set_parameters(tmp_path / "theirs.zip")
    whole = ludus.PPO.load(tmp_path / "theirs.zip", env=pictures(), policy_kwargs=kwargs)
    for name, weight in theirs.policy.state_dict().items():
        assert torch.equal(weight, ours.policy.state_dict()[name]), name
        assert torch.equal(weight, whole.policy.state_dict()[name]), name
    whole.learn(64)


def test_loading_takes_the_encoders_folder_again(folder, tmp_path):
    agent = ludus.PPO("nature", pictures(), policy_kwargs={"encoder": folder}, **small("PPO"))
    agent.save(tmp_path)
    for encoder in (folder, load_encoder(folder)):
        assert ludus.PPO.load(tmp_path, policy_kwargs={"encoder": encoder}).policy_kwargs == agent.policy_kwargs
