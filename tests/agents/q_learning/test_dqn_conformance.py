"""What programs for Stable-Baselines3's DQN do with it, done with both libraries."""

import copy

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecNormalize
from stable_baselines3.dqn import CnnPolicy, MlpPolicy

import ludus
from ludus.envs import OptionError
from tests.agents.conformance import agent_of

libraries = pytest.mark.parametrize("library", [stable_baselines3, ludus])


@libraries
def test_a_memory_that_was_filled_by_hand_is_learned_from(library):
    agent = agent_of(library, "DQN")
    obs = np.zeros((2, 4), np.float32)
    for _ in range(40):
        agent.replay_buffer.add(obs, obs + 1, np.array([1, 0]), np.ones(2), np.zeros(2, np.bool_), [{}, {}])
    agent.set_logger(configure(None, []))
    before = copy.deepcopy(agent.policy.state_dict())
    agent.train(10, 32)
    assert agent._n_updates == 10
    assert any(not torch.equal(before[name], x) for name, x in agent.policy.state_dict().items())


@libraries
@pytest.mark.parametrize("n_steps", [1, 3])
def test_what_is_normalised_is_kept_as_it_was(library, n_steps):
    env = VecNormalize(make_vec_env("CartPole-v1", 2, seed=0))
    agent = agent_of(library, "DQN", env=env, n_steps=n_steps).learn(100)
    assert agent._n_updates and set(agent.replay_buffer.rewards[:50].flat) == {1.0}
    today = np.float32(env.normalize_reward(np.ones(1))[0])
    drawn = agent.replay_buffer.sample(64, env=env)
    assert drawn.rewards.max() >= today * (1 if n_steps == 1 else 2) * 0.99
    assert n_steps > 1 or torch.allclose(drawn.rewards, torch.full((64, 1), float(today)))


def test_a_memory_without_normalisation_is_not_mixed_with_one():
    agent = agent_of(ludus, "DQN").learn(40)
    agent.set_env(VecNormalize(make_vec_env("CartPole-v1", 2)))
    with pytest.raises(OptionError, match=r"^the replay buffer was filled without VecNormalize: "):
        agent.learn(40)
    with pytest.raises(OptionError, match=r"^prioritized is for Ludus's replay buffer: leave out .* VecNormalize$"):
        agent_of(ludus, "DQN", env=VecNormalize(make_vec_env("CartPole-v1", 2)), prioritized=True).learn(40)


@libraries
def test_rewards_in_a_memory_can_be_labelled_anew(library):
    agent = agent_of(library, "DQN").learn(40)
    agent.replay_buffer.rewards[:] = 7
    assert set(agent.replay_buffer.sample(8).rewards.flatten().tolist()) == {7.0}


def test_what_is_made_of_a_memory_cannot_be_written_to():
    buffer = agent_of(ludus, "DQN").learn(40).replay_buffer
    for name in ("observations", "next_observations", "dones", "timeouts"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(buffer, name)[:] = 0


@libraries
def test_stable_baselines3s_classes_of_policies_stand_for_their_networks(library, tmp_path):
    agent = agent_of(library, "DQN", MlpPolicy).learn(40)
    agent.save(tmp_path / "agent.zip")
    again = library.DQN.load(tmp_path / "agent.zip")
    obs = np.zeros(4, np.float32)
    assert again.predict(obs, deterministic=True)[0] == agent.predict(obs, deterministic=True)[0]
    assert list(agent.policy.state_dict()) == list(agent_of(library, "DQN").policy.state_dict())


@pytest.mark.parametrize("name", ["DQN", "PPO"])
def test_policies_of_another_kind_are_refused(name):
    class Mine(CnnPolicy):
        pass

    with pytest.raises(OptionError, match=rf"^{name} has no use for Mine: derive policies of your own from "):
        agent_of(ludus, name, Mine)


@libraries
def test_a_class_that_stores_in_its_own_way_is_asked(library):
    stored = []

    class Mine(library.DQN):
        def _store_transition(self, buffer, action, obs, reward, dones, infos):
            stored.append(reward)
            super()._store_transition(buffer, action, obs, reward + 1, dones, infos)

    agent = Mine("MlpPolicy", make_vec_env("CartPole-v1", 2, seed=0), learning_starts=8).learn(40)
    assert len(stored) == 20 and set(agent.replay_buffer.rewards[:20].flat) == {2.0}


@pytest.mark.parametrize("method", ["_on_step", "_sample_action"])
def test_methods_that_would_not_be_called_are_refused(method):
    kind = type("Mine", (ludus.DQN,), {method: lambda self, *args: None})
    with pytest.raises(OptionError, match=rf"^Mine\.{method} would not be called"):
        kind("MlpPolicy", "CartPole-v1")
    with pytest.warns(UserWarning, match=r"^Mine\.predict is not asked in training"):
        type("Mine", (ludus.DQN,), {"predict": lambda self, *args: None})("MlpPolicy", "CartPole-v1")


@libraries
@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_hooks_of_layers_are_called(library, name):
    agent, calls = agent_of(library, name), []
    layer = (agent.q_net.q_net if name == "DQN" else agent.policy.action_net).register_forward_hook(
        lambda *_: calls.append(1)
    )
    agent.learn(64)
    assert len(calls) > 4
    layer.remove()
    count = len(calls)
    agent.learn(64)
    assert len(calls) == count


def test_hooks_of_layers_on_planes_are_called():
    for name, layer in (("PPO", "action_net"), ("DQN", "q_net"), ("PQN", "q_net")):
        agent, calls = agent_of(ludus, name, "mlp", ludus.make_sb3("Catch", 2)), []
        getattr(agent.policy, layer).register_forward_hook(lambda *_: calls.append(1))  # noqa: B023
        agent.learn(64)
        assert len(calls) > 4, name
