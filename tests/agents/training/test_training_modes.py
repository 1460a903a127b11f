"""Dropout and batch normalisation, noise and running averages: what training switches on, predictions leave alone."""

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

import ludus
from tests.agents.conformance import agent_of, both

pytestmark = pytest.mark.usefixtures("one_thread")

# -- dropout and batch normalisation --


class Modes(BaseFeaturesExtractor):
    """Dropout and batch normalisation; `seen` has the modes in which minibatches and single games were looked at."""

    seen: set = set()  # noqa: RUF012

    def __init__(self, space):
        super().__init__(space, 8)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))

    def forward(self, obs):
        Modes.seen.add(("updates" if torch.is_grad_enabled() else "play", self.training))
        return self.net(obs)


@both
@pytest.mark.parametrize("games", [1, 3])
def test_dropout_is_for_updates_alone(library, name, games):
    env = make_vec_env("CartPole-v1", n_envs=games, seed=0)
    kwargs = {"policy_kwargs": {"features_extractor_class": Modes}}
    agent = agent_of(library, name, env=env, **({} if name == "DQN" else {"n_steps": 32}), **kwargs)
    Modes.seen = set()
    agent.learn(64)
    agent.predict(env.reset())  # must not leave it switched off
    agent.learn(64, reset_num_timesteps=False)
    assert Modes.seen == {("play", False), ("updates", True)}


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_the_target_network_takes_over_what_was_averaged(library):
    kwargs = {"policy_kwargs": {"features_extractor_class": Modes}, "tau": 0.0, "target_update_interval": 16}
    agent = agent_of(library, "DQN", **kwargs)
    _, target = (net.features_extractor.net[1] for net in (agent.policy.q_net, agent.policy.q_net_target))
    weight = target.weight.clone()
    agent.learn(64)
    assert target.running_mean.abs().sum() > 0 and torch.equal(target.weight, weight)
    agent._on_step() if library is stable_baselines3 else agent._update_target(0.0)


def test_layers_that_see_a_whole_minibatch_are_not_shared_by_threads():
    settings = {"n_steps": 2048, "batch_size": 4096, "num_threads": 2}
    plain = agent_of(ludus, "PPO", policy_kwargs={"activation_fn": nn.ELU}, **settings)  # by PyTorch
    assert plain.learn_threads == 2
    normed = agent_of(ludus, "PPO", policy_kwargs={"features_extractor_class": Modes}, **settings)
    assert normed.learn_threads == 1


def test_noisy_layers_explore_and_dropout_does_not():
    agent = agent_of(ludus, "DQN", noisy=True, policy_kwargs={"features_extractor_class": Modes})
    noisy, modes = agent.policy.q_net.q_net[0], []

    class Look(BaseCallback):
        def _on_step(self):
            modes.append((noisy.training, agent.policy.q_net.features_extractor.training))
            return True

    agent.learn(32, callback=Look())
    assert set(modes) == {(True, False)}
    agent.predict(np.zeros((2, 4), np.float32))
    assert not noisy.training


@pytest.mark.parametrize(("policy", "settings", "differs"), [
    ("MlpPolicy", {}, False), ("MlpPolicy", {"policy_kwargs": {"activation_fn": nn.Tanh}}, False),
    ("MlpPolicy", {"layer_norm": True, "dueling": True}, False), ("MlpPolicy", {"noisy": True}, True),
    ("MlpPolicy", {"policy_kwargs": {"features_extractor_class": Modes}}, True),
    ("MlpPolicy", {"policy_kwargs": {"activation_fn": nn.RReLU}}, True),
])  # fmt: skip
def test_modes_are_set_where_they_make_a_difference(policy, settings, differs, monkeypatch):
    agent, asked = agent_of(ludus, "DQN", policy, **settings), []
    monkeypatch.setattr("ludus.agents.q_learning.base.set_training_mode", lambda _, mode: asked.append(mode))
    agent.learn(32)
    assert set(asked) == ({True, False} if differs else set())


# -- predictions --


def test_what_was_normalised_in_training_is_normalised_in_predictions():
    """Stable-Baselines3's `get_distribution` and `predict_values` call their base class's `extract_features`."""
    agent = agent_of(ludus, "PPO", policy_kwargs={"normalize_obs": True}).learn(64)
    obs = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    policy = agent.policy
    values, log_probs, _ = policy.evaluate_actions(obs, actions := torch.arange(50) % 2)
    assert torch.allclose(policy.get_distribution(obs).log_prob(actions), log_probs, atol=1e-6)
    assert torch.allclose(policy.predict_values(obs), values, atol=1e-6)
    likely, _ = agent.explain(obs.numpy())
    assert (agent.predict(obs.numpy(), deterministic=True)[0] == likely.argmax(1)).all()
