"""Agents and policies can be copied and pickled; a copy learns on its own, exactly as the original would."""

import copy
import io
import pickle
from functools import partial

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.envs import BitFlippingEnv
from stable_baselines3.common.logger import configure

import ludus
from ludus.agents import ALGORITHMS, agent_class
from tests.agents.small import small

PLAYS = {"n_steps": 16, "batch_size": 16, "n_epochs": 1, "seed": 0}
REMEMBERS = {"learning_starts": 10, "batch_size": 32, "buffer_size": 2000, "seed": 0}
SWITCHES = {"noisy": True, "dueling": True, "distribution": "iqn", "prioritized": True, "n_steps": 3}
MEMORY = {"policy_kwargs": {"memory": "lstm"}, "normalize_reward": True}
PIXELS = {"obs_type": "rgb", "size": 36}
OTHERS = [name for name in ALGORITHMS if name not in ("ppo", "dqn")]


def agent_of(algorithm):
    return agent_class(algorithm)("cnn", "Breakout", seed=0, **small(algorithm, batch_size=16))


AGENTS = {
    "ppo on loops": lambda: ludus.PPO("mlp", "Breakout", **PLAYS),
    "ppo in turns": lambda: ludus.PPO("cnn", "ConnectFour", **PLAYS),
    "ppo with memory": lambda: ludus.PPO("mlp", "Catch", **PLAYS, **MEMORY),
    "ppo on pixels": lambda: ludus.PPO("CnnPolicy", ludus.make_sb3("Catch", 4, **PIXELS), **PLAYS),
    "ppo with sde": lambda: ludus.PPO("MlpPolicy", "Pendulum-v1", use_sde=True, **PLAYS),
    "ppo elsewhere": lambda: ludus.PPO("MlpPolicy", make_vec_env("CartPole-v1", 2), **PLAYS),
    "dqn on loops": lambda: ludus.DQN("cnn", "Breakout", **REMEMBERS),
    "dqn with switches": lambda: ludus.DQN("cnn", "Breakout", **REMEMBERS, **SWITCHES),
    "dqn with stable-baselines3's memory": lambda: ludus.DQN(
        "MultiInputPolicy", make_vec_env(lambda: BitFlippingEnv(4), 2), replay_buffer_class=HerReplayBuffer, **REMEMBERS
    ),
    **{name: partial(agent_of, name) for name in OTHERS},
}


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


def saved_by_torch(thing):
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def weights(agent):
    return torch.cat([weight.detach().flatten().clone() for weight in agent.policy.parameters()])


def learned(agent, steps=192):
    """The weights after training for that long; what other libraries draw comes from the same numbers each time."""
    np.random.seed(3)
    torch.manual_seed(3)
    return weights(agent.learn(steps, reset_num_timesteps=False))


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
@pytest.mark.parametrize("before", [0, 128])
@pytest.mark.parametrize("name", AGENTS)
def test_a_copy_learns_as_the_original(name, before, copied):
    agent = AGENTS[name]()
    if before:
        agent.learn(before)
    twin, start = copied(agent), weights(agent)
    assert torch.equal(weights(twin), start)
    after = learned(twin)
    assert torch.equal(weights(agent), start) and not torch.equal(after, start)
    assert torch.equal(learned(agent), after)


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled, saved_by_torch])
@pytest.mark.parametrize("name", [name for name in AGENTS if not name.startswith("dqn with s")])
def test_a_policys_copy_sees_by_its_own_weights(name, copied):
    agent = AGENTS[name]().learn(64)
    twin, obs = copied(agent.policy), agent.env.reset()
    obs = np.repeat(obs, 64, 0)
    expected = agent.policy.predict(obs, deterministic=True)[0]
    with torch.no_grad():
        for weight in agent.policy.parameters():
            weight.zero_()
    assert np.array_equal(twin.predict(obs, deterministic=True)[0], expected)


def test_copies_of_both_libraries_go_on_counting_episodes(one_thread):
    for library in (stable_baselines3, ludus):
        agent = library.DQN("MlpPolicy", make_vec_env("CartPole-v1", 2), **REMEMBERS).learn(200)
        twin = copy.deepcopy(agent)
        assert [e["r"] for e in twin.ep_info_buffer] == [e["r"] for e in agent.ep_info_buffer]
        assert twin.num_timesteps == 200 and twin.replay_buffer.size() == agent.replay_buffer.size()
        assert twin.learn(96, reset_num_timesteps=False).num_timesteps == 296 and agent.num_timesteps == 200


class Copies(BaseCallback):
    """Copies the agent within its training."""

    def _on_step(self):
        if self.n_calls == 20:
            self.twin = copy.deepcopy(self.model)
        return True


@pytest.mark.parametrize("name", ["ppo on loops", "dqn on loops", *OTHERS])
def test_a_copy_within_training_is_an_agent_of_its_own(name):
    callback, agent = Copies(), AGENTS[name]()
    agent.learn(512, callback)
    assert torch.equal(weights(agent), weights(AGENTS[name]().learn(512)))
    assert not torch.equal(learned(callback.twin), weights(agent))


def test_a_logger_of_ones_own_is_copied_and_any_other_made_anew(capsys):
    agent = ludus.PPO("mlp", "Catch", verbose=1, **PLAYS).learn(128)
    capsys.readouterr()
    copy.deepcopy(agent).learn(128)
    assert "total_timesteps" in capsys.readouterr().out
    agent.set_logger(configure(None, []))
    copy.deepcopy(agent).learn(128)
    assert capsys.readouterr().out == ""
