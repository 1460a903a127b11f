"""Policies of the user's with methods of their own."""

import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.policies import ActorCriticPolicy

import ludus
from ludus.agents.training.sb3_export import export_zip
from ludus.envs import OptionError
from tests.agents.conformance import Listen, Strict, agent_of

pytestmark = pytest.mark.usefixtures("one_thread")


class Constant(ActorCriticPolicy):
    """Values are what `forward` says, and nothing else."""

    def forward(self, obs, deterministic=False):
        actions, values, log_probs = super().forward(obs, deterministic)
        return actions, torch.full_like(values, 7.0), log_probs


class Eager(ActorCriticPolicy):
    """Judges actions in a way of its own, and counts how often."""

    judged = 0

    def evaluate_actions(self, obs, actions):
        self.judged += len(actions)
        values, log_probs, _ = super().evaluate_actions(obs, actions)
        return values, log_probs, None


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
@pytest.mark.parametrize("games", ["CartPole", "Pendulum", "ludus/CartPole"])
def test_methods_of_a_policy_are_called(library, games):
    env = ludus.make_sb3("CartPole", 2, seed=0) if "/" in games else make_vec_env(f"{games}-v1", 2, seed=0)
    listen = Listen()
    agent_of(library, "PPO", Constant, env).learn(32, callback=listen)
    assert (listen.rollouts[0]["values"] == 7.0).all()
    agent = agent_of(library, "PPO", Eager, env).learn(64)
    assert agent.policy.judged == 64


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_state_dependent_exploration(library, squash):
    """In Stable-Baselines3's words, which PPO of Ludus asks: both draw from PyTorch's generator, and do the same."""
    env = make_vec_env("Pendulum-v1", 2, seed=0)
    listen = Listen()
    policy_kwargs = {"squash_output": squash}
    agent = agent_of(library, "PPO", env=env, use_sde=True, sde_sample_freq=4, policy_kwargs=policy_kwargs)
    agent.learn(32, callback=listen)
    first = np.concatenate([step["actions"].ravel() for step in listen.heard[:16]])
    other = agent_of(
        stable_baselines3,
        "PPO",
        env=make_vec_env("Pendulum-v1", 2, seed=0),
        use_sde=True,
        sde_sample_freq=4,
        policy_kwargs=policy_kwargs,
    )
    listen = Listen()
    other.learn(32, callback=listen)
    assert np.allclose(first, np.concatenate([step["actions"].ravel() for step in listen.heard[:16]]), atol=1e-5)
    assert env.action_space.contains(agent.predict(env.observation_space.sample())[0])


def test_files_keep_state_dependent_exploration(tmp_path):
    env = make_vec_env("Pendulum-v1", 2)
    agent = agent_of(ludus, "PPO", env=env, use_sde=True)
    obs = env.reset()
    for name in ("agent", "agent.zip"):
        agent.save(tmp_path / name)
    export_zip(agent, tmp_path / "theirs.zip")
    loaded = [type(agent).load(tmp_path / name) for name in ("agent", "agent.zip")]
    for back in (*loaded, stable_baselines3.PPO.load(tmp_path / "theirs.zip")):
        assert back.use_sde
        assert np.array_equal(back.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])


def test_policies_that_cannot_be_asked_are_refused():
    with pytest.raises(OptionError, match="a policy with memory decides in Ludus's way"):
        agent_of(ludus, "PPO", env=make_vec_env("Pendulum-v1", 2), use_sde=True, policy_kwargs={"memory": "lstm"})
    with pytest.raises(OptionError, match="action masks need Ludus's own way to decide"):
        agent_of(ludus, "PPO", Eager, masked_env()).learn(32)
    with pytest.raises(OptionError, match="other policies' actions count from 0"):
        agent_of(ludus, "PPO", Eager, Strict(spaces.Discrete(2), spaces.Discrete(2, start=1)))


def masked_env():
    class Masked(Strict):
        def action_masks(self):
            return np.ones(2, bool)

    return Masked(spaces.Box(-1, 1, (2,)), spaces.Discrete(2))
