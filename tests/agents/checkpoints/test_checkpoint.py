"""Agents on disk: what was saved comes back, and older checkpoints are kept."""

import importlib
import json

import numpy as np
import pytest
import torch
from stable_baselines3.common.utils import LinearSchedule
from torch import nn

import ludus
from ludus.agents import load_agent
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.nn.muon import Muon
from ludus.agents.ppo.ppo import PPO
from tests.agents.checkpoints.catch import catch_agent


def names(folder):
    """What is in the folder, digests left out."""
    return sorted(path.name.split("-")[0] if "safetensors" in path.name else path.name for path in folder.iterdir())


def test_what_was_saved_comes_back(trained):
    agent, back = trained[0], PPO.load(trained[1])
    obs = agent.env.reset()
    assert np.array_equal(agent.explain(obs)[0], back.explain(obs)[0])
    assert back.num_timesteps == 256 and back.n_steps == 16 and back.batch_size == 64 and back.n_envs == 1
    assert back.simulator.game.name == "Catch"
    assert back.simulator.options.levels == range(10, 20, 2)
    assert back.simulator.options.max_episode_steps == 8


def test_every_setting_comes_back(tmp_path):
    settings = {
        "n_steps": 8, "batch_size": 32, "n_epochs": 3, "gamma": 0.9, "gae_lambda": 0.8, "ent_coef": 0.01, "vf_coef": 0.7,
        "max_grad_norm": 0.3, "target_kl": 0.1, "normalize_advantage": False, "normalize_reward": True, "seed": 5,
        "time_limit": 60.0, "precision": "bf16", "num_threads": 3, "clip_range_vf": 0.3,
    }  # fmt: skip
    agent = catch_agent(**settings, learning_rate=LinearSchedule(1e-3, 1e-5, 0.5), clip_range=lambda left: 0.1 + left)
    with pytest.warns(UserWarning, match="not kept in the file.*clip_range"):
        agent.save(tmp_path)
    with pytest.warns(UserWarning, match="give load clip_range="):
        back = PPO.load(tmp_path, env=ludus.make_sb3("Catch", 8))
    for name in set(settings) - {"clip_range_vf"}:
        assert getattr(back, name) == getattr(agent, name), name
    for left in (1.0, 0.7, 0.0):
        assert back.lr_schedule(left) == agent.lr_schedule(left)
        assert back.clip_range_vf(left) == 0.3
    assert back.clip_range(0.2) == agent.clip_range(1.0) == 1.1
    assert "lambda" in json.loads((tmp_path / "agent.json").read_text())["schedules"]["clip_range"]["instead_of"]
    with pytest.raises(CheckpointError, match="give load clip_range="):
        PPO.load(tmp_path, resume=True)
    again = PPO.load(tmp_path, resume=True, clip_range=lambda left: 0.1 + left)
    assert again.clip_range(0.2) == agent.clip_range(0.2)


NETWORKS = {
    "mlp": {"features_extractor_kwargs": {"sizes": [32, 16]}},
    "cnn": {"features_extractor_kwargs": {"channels": 4, "width": 16}, "net_arch": [8]},
    "impala": {"features_extractor_kwargs": {"channels": [4, 8], "width": 16}},
    "MlpPolicy": {"net_arch": {"pi": [8], "vf": [16, 16]}, "activation_fn": nn.ELU, "ortho_init": False},
}


@pytest.mark.parametrize("policy", NETWORKS)
def test_networks_come_back(tmp_path, policy):
    agent = catch_agent(policy=policy, policy_kwargs=NETWORKS[policy])
    agent.save(tmp_path)
    obs = agent.env.reset()
    for one, other in zip(agent.explain(obs), PPO.load(tmp_path).explain(obs), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    "kwargs", [{"memory": "lstm", "memory_size": 8}, {"memory": "mingru"}, {"optimizer_class": Muon, "net_arch": [32]}]
)
def test_memory_and_optimizers_come_back(tmp_path, kwargs):
    agent = catch_agent(policy_kwargs=kwargs)
    agent.save(tmp_path)
    back = PPO.load(tmp_path)
    assert type(back.policy.core) is type(agent.policy.core)
    assert type(back.policy.optimizer) is type(agent.policy.optimizer)


class Bent(nn.Tanh):
    """An activation that no table has."""


def test_a_policy_that_a_file_cannot_name_is_saved_and_told_when_loaded(tmp_path):
    agent = catch_agent(policy="MlpPolicy", policy_kwargs={"activation_fn": Bent, "net_arch": [8]})
    with pytest.warns(UserWarning, match=r"give it to load again: policy_kwargs\['activation_fn'\] \(.*Bent"):
        agent.save(tmp_path)
    with pytest.raises(CheckpointError, match=r"could not keep policy_kwargs.*Bent.*give load policy_kwargs="):
        PPO.load(tmp_path)
    back = PPO.load(tmp_path, policy_kwargs={"activation_fn": Bent})
    obs = agent.env.reset()
    assert np.array_equal(agent.explain(obs)[0], back.explain(obs)[0])


def test_training_goes_on_in_other_games(trained):
    agent = PPO.load(trained[1], env=ludus.make_sb3("Catch", 4, max_episode_steps=8))
    agent.learn(128, reset_num_timesteps=False)
    assert agent.num_timesteps == 256 + 128


def test_a_gymnasium_agent_comes_back(tmp_path):
    agent = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, seed=0)
    agent.save(tmp_path / "pole")
    back = load_agent(tmp_path / "pole")
    obs = agent.env.reset()
    assert np.array_equal(agent.predict(obs, deterministic=True)[0], back.predict(obs, deterministic=True)[0])


def test_what_playing_needs_can_be_all_that_is_saved(trained, tmp_path):
    trained[0].save(tmp_path, resumable=False)
    assert names(tmp_path) == ["agent.json", "weights"]
    assert PPO.load(tmp_path).num_timesteps == 256
    with pytest.raises(CheckpointError, match="saved to be played"):
        PPO.load(tmp_path, resume=True)


def test_saving_again_replaces_the_agent(tmp_path):
    agent = catch_agent()
    for _ in range(2):
        agent.learn(128, reset_num_timesteps=False)
        agent.save(tmp_path)
    assert names(tmp_path) == ["agent.json", "optimizer", "training", "weights"]
    assert PPO.load(tmp_path).num_timesteps == 256


def test_the_last_few_are_kept(tmp_path):
    agent, obs = catch_agent(), ludus.make_sb3("Catch", 8).reset()
    values = {}
    for _ in range(5):
        agent.learn(128, reset_num_timesteps=False)
        agent.save(tmp_path, keep=3)
        values[agent.num_timesteps] = agent.explain(obs)[1]
    files = ["agent-384.json", "agent-512.json", "agent.json"]
    assert names(tmp_path) == sorted([*files, *["optimizer"] * 3, *["training"] * 3, *["weights"] * 3])
    for steps, file in zip((384, 512, 640), files, strict=True):
        back = PPO.load(tmp_path / file)
        assert back.num_timesteps == steps and np.array_equal(back.explain(obs)[1], values[steps])


def test_another_agent_in_the_folder_goes_but_foreign_files_stay(trained, tmp_path):
    older = catch_agent()
    older.num_timesteps = 10**6
    older.save(tmp_path)
    kept = {"thesis.txt": "precious", "weights-best.safetensors": "mine", "agent-x.json": "{}"}
    for name, text in kept.items():
        (tmp_path / name).write_text(text)
    trained[0].save(tmp_path, keep=3)
    assert PPO.load(tmp_path).num_timesteps == 256
    assert all((tmp_path / name).read_text() == text for name, text in kept.items())
    assert not (tmp_path / "agent-1000000.json").exists()


def test_what_a_killed_process_left_is_cleared_away(trained, tmp_path):
    left = [".weights-0123456789abcdef.safetensors.77.tmp", ".agent.json.9.tmp", "weights-0123456789abcdef.safetensors"]
    for name in left:
        (tmp_path / name).write_text("half")
    trained[0].save(tmp_path)
    assert names(tmp_path) == ["agent.json", "optimizer", "training", "weights"]
    assert not any((tmp_path / name).exists() for name in left)


def test_the_weights_are_a_safetensors_file_like_any_other(trained, tmp_path):
    from safetensors.torch import load_file

    trained[0].save(tmp_path)
    weights = load_file(next(tmp_path.glob("weights-*")))
    assert set(weights) == {name for name, _ in trained[0].policy.named_parameters()}
    assert all(torch.equal(weights[name], x) for name, x in trained[0].policy.named_parameters())


@pytest.mark.parametrize("library", ["ludus", "stable_baselines3"])
def test_a_class_of_ones_own_comes_back_as_that_class(library, tmp_path):
    """As with Stable-Baselines3."""

    class Counting(importlib.import_module(library).PPO):
        trained = 0

        def train(self):
            self.trained += 1
            super().train()

    agent = Counting("MlpPolicy", "CartPole-v1", n_steps=16, batch_size=16, n_epochs=1, device="cpu")
    agent.save(tmp_path / "agent.zip")
    back = Counting.load(tmp_path / "agent.zip", env=agent.env)
    assert type(back) is Counting and back.learn(16).trained == 1
