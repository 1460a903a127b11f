"""PQN: that it learns, that loops and PyTorch play the same rollout, and that it repeats and resumes to the last bit."""

import numpy as np
import pytest
import torch
from stable_baselines3 import DQN as StableDQN
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.env_util import make_vec_env

import ludus
from ludus.agents.compiled.trace import NotCompiled
from ludus.agents.data.returns import lambda_returns
from ludus.agents.q_learning.collect import Collector, CompiledCollector
from ludus.agents.q_learning.pqn import PQN
from ludus.agents.training.evaluation import evaluate
from ludus.agents.training.sb3_export import export_zip
from ludus.envs import OptionError
from ludus.envs.adapters.sb3 import vec_env

QUICK = {"n_steps": 16, "batch_size": 64, "learning_rate": 1e-3, "exploration_fraction": 0.3, "num_threads": 1}


def catch_agent(num_envs=16, seed=0, policy="mlp", options=None, **settings):
    env = ludus.make_sb3("Catch", num_envs, seed=seed, **(options or {}))
    return PQN(policy, env, seed=seed, **{**QUICK, **settings})


def weights_of(agent):
    return torch.cat([weight.detach().flatten() for weight in agent.policy.parameters()])


@pytest.mark.parametrize("settings", [{}, {"policy": "cnn"}, {"dueling": True}, {"layer_norm": False}])
def test_learns_catch_in_seconds(settings):
    agent = catch_agent(**settings)
    means = [evaluate(agent, 100).mean]
    while means[-1] < 0.6 and agent.num_timesteps < 150_000:
        agent.learn(6_000, reset_num_timesteps=False)
        means.append(evaluate(agent, 100).mean)
    assert means[0] < 0.2 and means[-1] >= 0.6


def test_gymnasium_environments_take_the_same_path():
    agent = PQN("mlp", make_vec_env("ludus/Catch-v1", 8, seed=0), seed=0, **QUICK)
    agent.learn(25_000)
    assert agent.simulator is None and evaluate(agent, 50).mean > 0.3


def test_two_players_learn_with_one_policy_and_play_by_the_rules():
    agent = PQN("mlp", vec_env("ConnectFour", num_envs=8, seed=0), seed=0, **QUICK)
    before = weights_of(agent)
    agent.learn(3_000)  # the simulator raises at a move that the rules forbid
    assert (agent.data.going_on < 0).any() and not torch.equal(weights_of(agent), before)


def in_pytorch(*args):
    """`CompiledCollector`'s arguments for a collector without loops."""
    return Collector(*args[:-1])


def refuse(*_):
    raise NotCompiled("a test")


PLACES = {
    "mlp": lambda: catch_agent(8),
    "cnn": lambda: catch_agent(8, policy="cnn"),
    "mlp, cut off": lambda: catch_agent(8, options={"max_episode_steps": 5}),
    "cnn, cut off": lambda: catch_agent(8, policy="cnn", options={"max_episode_steps": 5}),
    "CartPole": lambda: PQN("MlpPolicy", make_vec_env("CartPole-v1", 8, seed=0), seed=0, **QUICK),
}


@pytest.mark.parametrize("place", [*PLACES])
def test_a_rollout_by_loops_is_that_of_pytorch(place, monkeypatch):
    """Games, actions, values and returns."""
    found = []
    for loops in (True, False):
        if not loops:
            monkeypatch.setattr("ludus.agents.q_learning.base.CompiledCollector", in_pytorch)
            monkeypatch.setattr("ludus.agents.q_learning.network.compile_q_network", refuse)
        agent = PLACES[place]()
        agent.learn(128)
        assert isinstance(agent.collector, CompiledCollector) == loops == agent.network.compiled_loss
        found.append(agent.data)
    one, other = found
    for name in ("obs", "actions", "rewards", "dones"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    for name in ("values", "next_values", "going_on", "returns"):
        assert torch.allclose(getattr(one, name), getattr(other, name), atol=1e-5), name


def test_returns_look_ahead_to_where_episodes_end():
    """Cut off after five steps: the fifth step's value is that of its final observation, not of the next episode's first."""
    agent = catch_agent(4, options={"max_episode_steps": 5}, n_epochs=1, learning_rate=0.0, exploration_initial_eps=0.0)
    agent.learn(64)
    data = agent.data
    ends = data.truncated.nonzero()
    assert len(ends) > 0 and (data.going_on[data.truncated] == 1).all()
    expected = lambda_returns(data.rewards, data.next_values, data.going_on, data.dones, 0.99, 0.65)
    assert torch.allclose(data.returns, expected)
    for t, game in ends.tolist():
        assert data.returns[t, game] == pytest.approx(
            float(data.rewards[t, game] + 0.99 * data.next_values[t, game]), abs=1e-6
        )
        if t + 1 < 16:  # with weights that stay: what the next step began with is another observation
            assert float(data.next_values[t, game]) != pytest.approx(float(data.values[t + 1, game]), abs=1e-7)


def test_twins_from_one_seed_are_equal_on_any_number_of_threads():
    def trained(seed, threads):
        agent = catch_agent(256, seed=seed, batch_size=256, num_threads=threads)
        agent.learn(9_000)
        return weights_of(agent)

    one = trained(5, 1)
    assert torch.equal(one, trained(5, 2)) and not torch.equal(one, trained(6, 1))


class SaveAt(BaseCallback):
    """Saves in the midst of a rollout, and goes on for a while, as if then killed."""

    def __init__(self, folder, steps):
        super().__init__()
        self.folder, self.steps = folder, steps

    def _on_step(self):
        if self.num_timesteps >= self.steps and not self.folder.exists():
            self.model.save(self.folder)
        return self.num_timesteps < self.steps + 300


@pytest.mark.parametrize("policy", ["mlp", "cnn"])
def test_a_resume_goes_on_to_the_last_bit(tmp_path, policy):
    whole = catch_agent(policy=policy)
    whole.learn(3_072)
    catch_agent(policy=policy).learn(3_072, callback=SaveAt(tmp_path / "agent", 1_600))
    resumed = PQN.load(tmp_path / "agent", resume=True)
    resumed.learn(3_072 - resumed.num_timesteps, reset_num_timesteps=False)
    assert resumed.num_timesteps == whole.num_timesteps and torch.equal(weights_of(resumed), weights_of(whole))


def test_stable_baselines3_evaluates_and_reads_it(tmp_path):
    agent = catch_agent()
    callback = EvalCallback(ludus.make_sb3("Catch", 8, seed=9), n_eval_episodes=16, eval_freq=64, verbose=0)
    agent.learn(2_048, callback=callback)
    assert np.isfinite(callback.best_mean_reward)
    export_zip(agent, tmp_path / "agent.zip")
    theirs = StableDQN.load(tmp_path / "agent.zip")
    obs = np.stack([agent.observation_space.sample() for _ in range(64)])
    assert np.array_equal(theirs.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])


@pytest.mark.parametrize("name", ["n_steps", "batch_size", "n_epochs"])
def test_bad_arguments_are_one_clear_line(name):
    with pytest.raises(OptionError, match=f"{name} must be a whole number from 1 to .*, got 0"):
        catch_agent(2, **{name: 0})
