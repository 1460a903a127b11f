"""PPO on tensors: its arithmetic against Stable-Baselines3's, and that it learns."""

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO as StablePPO
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

import ludus
from ludus.agents.data.env_adapters import simulator_of
from ludus.agents.nn.actor_critic import MinAtarPolicy
from ludus.agents.ppo.ppo import PPO
from ludus.agents.training.evaluation import evaluate
from ludus.envs import Game, OptionError, state

QUICK = {"n_steps": 16, "batch_size": 256, "learning_rate": 3e-3, "ent_coef": 0.01, "precision": "fp32"}


def catch_agent(num_envs=64, seed=0, policy="mlp", **settings):
    return PPO(policy, ludus.make_sb3("Catch", num_envs, seed=seed), seed=seed, **{**QUICK, **settings})


@pytest.mark.parametrize("clip_range_vf", [None, 0.1])
def test_loss_equals_stable_baselines3(clip_range_vf):
    """The same network and the same rollout give the same parameters after one update."""
    env = ludus.make_sb3("Catch", 8, seed=0)
    settings = {
        "n_steps": 4,
        "batch_size": 32,
        "n_epochs": 1,
        "seed": 0,
        "clip_range_vf": clip_range_vf,
        "device": "cpu",
    }
    ours = PPO("MlpPolicy", env, precision="fp32", **settings)
    theirs = StablePPO("MlpPolicy", ludus.make_sb3("Catch", 8, seed=0), **settings)
    theirs.policy.load_state_dict(ours.policy.state_dict())
    for agent in (ours, theirs):
        _, callback = agent._setup_learn(32)
        callback.init_callback(agent)
    ours.collect_rollouts(ours.env, callback, ours.rollout_buffer, 4)
    data, buffer = ours.data, theirs.rollout_buffer
    for t in range(4):
        buffer.add(
            data.obs[t].numpy(), data.actions[t].numpy().reshape(-1, 1), data.rewards[t].numpy(), np.zeros(8),
            data.values[t], data.log_probs[t],
        )  # fmt: skip
    buffer.advantages, buffer.returns = data.advantages.numpy().copy(), (data.advantages + data.values).numpy()
    ours.train()
    theirs.train()
    for (name, mine), other in zip(ours.policy.named_parameters(), theirs.policy.parameters(), strict=True):
        assert torch.allclose(mine, other, atol=1e-5), name


@pytest.mark.parametrize("policy", ["mlp", "cnn"])
def test_learns_catch_in_seconds(policy):
    """Within 300,000 steps, mostly in the first 50,000: on another processor, rounding makes it another run."""
    agent = catch_agent(policy=policy)
    means = [evaluate(agent, 200).mean]
    while means[-1] <= 0.9 and agent.num_timesteps < 300_000:
        agent.learn(50_000, reset_num_timesteps=False)
        means.append(evaluate(agent, 200).mean)
    assert means[0] < 0 < 0.9 < means[-1]


def test_same_seed_same_weights():
    def weights():
        agent = catch_agent(seed=3)
        agent.learn(3000)
        return torch.cat([p.flatten() for p in agent.policy.parameters()])

    assert torch.equal(weights(), weights())


def pays_one(s, action, random):
    return 1.0, False


ENDLESS = Game(
    "Endless", 1, state(x="i1"), reset=lambda s, random: None, step=pays_one, observe=lambda s, planes: None,
    draw=lambda s, canvas: None, shape=(1, 1), planes=("nothing",), actions=("wait",),
)  # fmt: skip
DEADLY = Game(
    "Deadly", 1, state(x="i1"), reset=lambda s, random: None, step=lambda s, action, random: (1.0, True),
    observe=lambda s, planes: None, draw=lambda s, canvas: None, shape=(1, 1), planes=("nothing",), actions=("wait",),
)  # fmt: skip


@pytest.mark.parametrize(("game", "options", "value"), [(ENDLESS, {"max_episode_steps": 1}, 2.0), (DEADLY, {}, 1.0)])
def test_truncation_bootstraps_and_termination_does_not(game, options, value):
    """One reward a step and gamma 0.5: worth 1 + 0.5 + 0.25 + ... = 2 if it only was cut off, 1 if it ended."""
    env = ludus.make_sb3(game, 32, seed=0, **options)
    agent = PPO("mlp", env, seed=0, gamma=0.5, n_steps=8, batch_size=64, learning_rate=3e-3, precision="fp32")
    agent.learn(20_000)
    assert agent.explain(env.reset())[1].mean() == pytest.approx(value, abs=0.1)


def test_ludus_evaluate_agrees_with_evaluate_policy():
    agent = catch_agent()
    agent.learn(5_000)
    ours = evaluate(agent, 50, deterministic=True, seed=5)
    env = ludus.make_sb3("Catch", 50, seed=5)
    returns, lengths = evaluate_policy(agent, env, 50, deterministic=True, return_episode_rewards=True)
    assert sorted(ours.returns) == sorted(returns)
    assert ours.lengths.tolist() == lengths


def test_episode_statistics_and_log(tmp_path):
    agent = catch_agent(tensorboard_log=str(tmp_path))
    agent.learn(8192)
    assert {episode["l"] for episode in agent.ep_info_buffer} == {9}
    assert {episode["r"] for episode in agent.ep_info_buffer} <= {-1.0, 1.0}
    assert list(tmp_path.glob("*/events.out.tfevents*"))


def test_callbacks_of_stable_baselines3(tmp_path):
    class Count(BaseCallback):
        def _on_step(self):
            return self.n_calls < 20

    agent, count = catch_agent(), Count()
    watch = EvalCallback(ludus.make_sb3("Catch", 4), eval_freq=8, n_eval_episodes=4, log_path=str(tmp_path), verbose=0)
    agent.learn(100_000, callback=[watch, count])
    assert count.n_calls == 20 and agent.num_timesteps == 20 * 64
    assert (tmp_path / "evaluations.npz").exists()


def test_any_gymnasium_environment_takes_the_ordinary_path():
    agent = PPO("MlpPolicy", "CartPole-v1", n_steps=64, seed=0)
    assert agent.simulator is None
    agent.learn(128)
    assert agent.num_timesteps >= 128


def test_wrapped_environments_take_the_ordinary_path():
    env = VecNormalize(ludus.make_sb3("Catch", 4, seed=0), norm_obs=False)
    assert simulator_of(env) == (None, False)
    agent = PPO("MlpPolicy", env, n_steps=16, batch_size=64, seed=0)
    agent.learn(64)
    assert agent.num_timesteps == 64


def test_pixels_and_cnn_policy_use_the_tensor_path():
    env = ludus.make_sb3("Catch", 2, seed=0, obs_type="rgb", size=40)
    agent = PPO("CnnPolicy", env, n_steps=4, batch_size=8, n_epochs=1, seed=0)
    assert agent.simulator is not None and agent.channels_first
    agent.learn(8)
    actions, _ = agent.predict(agent.env.reset())
    assert actions.shape == (2,)


def test_time_limit_ends_training():
    agent = catch_agent(time_limit=1.0)
    agent.learn(10**9)
    assert 0 < agent.num_timesteps < 10**8


def test_time_limit_anneals_where_the_clock_is_ahead(monkeypatch):
    agent = catch_agent(time_limit=100.0)
    monkeypatch.setattr(agent, "elapsed", lambda: 75.0)
    agent._update_current_progress_remaining(10, 100)
    assert agent._current_progress_remaining == pytest.approx(0.25)
    agent._update_current_progress_remaining(90, 100)
    assert agent._current_progress_remaining == pytest.approx(0.1)


def test_explain_gives_probabilities():
    agent = catch_agent(num_envs=16)
    probabilities, values = agent.explain(agent.env.reset())
    assert probabilities.shape == (16, 3) and values.shape == (16,)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)


def test_policies_by_name_are_stable_baselines3_policies():
    assert isinstance(catch_agent(policy="cnn").policy, MinAtarPolicy)
    with pytest.raises(OptionError, match="precision must be one of auto, fp32, bf16"):
        catch_agent(precision="fp8")


def test_evaluation_takes_other_options_of_a_game_and_refuses_them_elsewhere() -> None:
    agent = ludus.PPO("mlp", ludus.make_sb3("Catch", 2), n_steps=4, batch_size=8, device="cpu")
    assert evaluate(agent, 2).lengths.tolist() == [9, 9]
    assert evaluate(agent, 2, max_episode_steps=3).lengths.tolist() == [3, 3]
    elsewhere = ludus.PPO("mlp", make_vec_env("CartPole-v1"), n_steps=4, batch_size=4, device="cpu")
    with pytest.raises(OptionError, match="max_episode_steps is for games of Ludus"):
        evaluate(elsewhere, 1, max_episode_steps=3)
