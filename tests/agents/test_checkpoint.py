"""Agents on disk: what is saved comes back, and nothing else does any harm."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import ludus
from ludus.agents.checkpoint import CheckpointError, load_agent, read_description
from ludus.agents.ppo import PPO


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    env = ludus.make_sb3("Catch", 8, seed=0, levels=range(10, 20, 2), max_episode_steps=8)
    agent = PPO("mlp", env, n_steps=16, batch_size=64, seed=0)
    agent.learn(256)
    folder = tmp_path_factory.mktemp("agent") / "run"
    agent.save(folder)
    return agent, folder


@pytest.fixture
def folder(trained, tmp_path):
    copy = tmp_path / "agent"
    shutil.copytree(trained[1], copy)
    return copy


def change(folder, **facts):
    path = folder / "agent.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


def test_what_was_saved_comes_back(trained, folder):
    agent, back = trained[0], PPO.load(folder)
    obs = agent.env.reset()
    assert np.array_equal(agent.explain(obs)[0], back.explain(obs)[0])
    assert back.num_timesteps == 256 and back.n_steps == 16 and back.batch_size == 64
    assert back.simulator.game.name == "Catch"
    assert back.simulator.options.levels == range(10, 20, 2)
    assert back.simulator.options.max_episode_steps == 8


def test_training_goes_on(folder):
    agent = PPO.load(folder, env=ludus.make_sb3("Catch", 8, max_episode_steps=8))
    agent.learn(128, reset_num_timesteps=False)
    assert agent.num_timesteps == 256 + 128


def test_saving_again_replaces_the_agent(folder):
    agent = PPO.load(folder, env=ludus.make_sb3("Catch", 8))
    agent.learn(128)
    agent.save(folder)
    assert len(list(folder.glob("weights-*"))) == 1
    assert np.array_equal(PPO.load(folder).explain(agent.env.reset())[0].shape, (8, 3))
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith(".")) == []


def test_a_gymnasium_agent_comes_back(tmp_path):
    agent = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, seed=0)
    agent.save(tmp_path / "pole")
    back = load_agent(tmp_path / "pole")
    obs = agent.env.reset()
    assert np.array_equal(agent.predict(obs, deterministic=True)[0], back.predict(obs, deterministic=True)[0])


def weights_of(folder):
    return next(folder.glob("weights-*.safetensors"))


def truncate_weights(folder):
    path = weights_of(folder)
    path.write_bytes(path.read_bytes()[:100])


def flip_a_bit(folder):
    path = weights_of(folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


def rewrite_weights(folder, edit):
    import hashlib

    path = weights_of(folder)
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)
    change(folder, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def nan_weights(folder):
    rewrite_weights(folder, lambda t: t["value_net.weight"].fill_(float("nan")))


def other_shape(folder):
    rewrite_weights(folder, lambda t: t.update({"value_net.weight": torch.zeros(1, 7)}))


def missing_weight(folder):
    rewrite_weights(folder, lambda t: t.pop("value_net.bias"))


class Danger:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def pickled_description(folder):
    (folder / "agent.json").write_bytes(pickle.dumps(Danger()))


def pickled_weights(folder):
    import hashlib

    content = pickle.dumps(Danger())
    weights_of(folder).write_bytes(content)
    change(folder, sha256=hashlib.sha256(content).hexdigest())


BROKEN = {
    "truncated weights": (truncate_weights, "SHA-256"),
    "a flipped bit": (flip_a_bit, "SHA-256"),
    "NaN weights": (nan_weights, "not finite"),
    "weights of another shape": (other_shape, "of another network"),
    "weights that miss a tensor": (missing_weight, "of another network"),
    "a pickle as description": (pickled_description, "not JSON"),
    "a pickle as weights": (pickled_weights, "not a safetensors file"),
    "no weights": (lambda f: weights_of(f).unlink(), "cannot be read"),
    "no description": (lambda f: (f / "agent.json").unlink(), "has no agent.json"),
    "a truncated description": (lambda f: (f / "agent.json").write_text('{"format": 1,'), "not JSON"),
    "a foreign JSON": (lambda f: (f / "agent.json").write_text("[1, 2]"), "no format number"),
    "a huge description": (lambda f: (f / "agent.json").write_bytes(b" " * 2_000_000), "far too long"),
    "a future format": (lambda f: change(f, format=99), "update Ludus"),
    "another algorithm": (lambda f: change(f, algorithm="dqn"), "algorithm 'dqn'"),
    "a missing fact": (lambda f: change(f, settings={}), "does not describe an agent"),
    "a path as weights": (lambda f: change(f, weights="../../secret.safetensors"), "names a weights file"),
    "an unknown policy": (lambda f: change(f, policy="os.system"), "does not describe an agent"),
    "an import as environment": (lambda f: change(f, environment={"gymnasium": "os:system"}), "neither a Ludus game"),
    "a game of another version": (lambda f: change(f, environment={"game": "Catch", "version": 9}), "version 9"),
    "other actions": (lambda f: change(f, environment={"game": "Breakout", "version": 1}), "of another network"),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_agent_is_one_clear_line(folder, damage):
    break_it, message = BROKEN[damage]
    break_it(folder)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_agent(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="there is no folder"):
        read_description(tmp_path / "nothing")


def test_a_folder_that_cannot_be_written(trained, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot save the agent"):
        trained[0].save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"
