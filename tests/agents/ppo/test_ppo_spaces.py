"""PPO in every kind of space, with memory, with masks and with normalisation: small things that it must learn."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.envs import (
    IdentityEnv,
    IdentityEnvBox,
    IdentityEnvMultiBinary,
    IdentityEnvMultiDiscrete,
    SimpleMultiObsEnv,
)
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

import ludus
from ludus.agents.ppo.ppo import PPO
from ludus.envs import Game, OptionError, state
from ludus.envs.rng import below

QUICK = {"n_steps": 32, "batch_size": 64, "learning_rate": 3e-3, "seed": 0, "num_threads": 1}


@pytest.mark.parametrize("kind", [IdentityEnv, IdentityEnvMultiDiscrete, IdentityEnvMultiBinary, IdentityEnvBox])
def test_identity_in_every_action_space(kind):
    """The right action is the observation, in a box to within 0.5; 100 is a perfect episode."""
    arguments = {"eps": 0.5} if kind is IdentityEnvBox else {}
    agent = PPO("MlpPolicy", make_vec_env(kind, 4, seed=0, env_kwargs=arguments), **QUICK)
    agent.learn(8000)
    mean, _ = evaluate_policy(agent, make_vec_env(kind, 1, seed=1, env_kwargs=arguments), 20)
    assert mean > 90


def test_dictionaries_of_observations():
    env = make_vec_env(lambda: SimpleMultiObsEnv(random_start=False), 2, seed=0)
    agent = PPO("MultiInputPolicy", env, **{**QUICK, "n_epochs": 2})
    agent.learn(128)
    assert isinstance(agent.data.obs, dict) and agent.data.obs["vec"].shape[:2] == (32, 2)
    assert agent.predict(env.reset())[0].shape == (2,)


def begin(s, random):
    s.bit, s.time = below(random, 2), 0


def recall(s, action, random):
    s.time += 1
    if s.time < 4:
        return 0.0, False
    return (1.0 if action == s.bit else -1.0), True


def show(s, planes):
    if s.time == 0:
        planes[0, s.bit, 0] = 1  # seen once
    planes[0, 2, 0] = s.time == 3  # now


RECALL = Game(
    "Recall", 1, state(bit="i1", time="i1"), reset=begin, step=recall, observe=show, draw=lambda s, canvas: None,
    shape=(1, 3), planes=("cue",), actions=("zero", "one"),
)  # fmt: skip


@pytest.mark.parametrize(("memory", "lowest", "highest"), [("lstm", 0.9, 1.0), ("mingru", 0.9, 1.0), (None, -0.4, 0.4)])
def test_only_a_memory_can_recall(memory, lowest, highest):
    env = ludus.make_sb3(RECALL, 64, seed=0)
    agent = PPO("mlp", env, **{**QUICK, "batch_size": 512, "n_steps": 16}, policy_kwargs={"memory": memory})
    for _ in range(3):  # rounding, which differs among processors, decides when
        agent.learn(40_000, reset_num_timesteps=False)
        mean, _ = evaluate_policy(agent, ludus.make_sb3(RECALL, 64, seed=1), 200)
        if mean >= 0.9:
            break
    assert lowest <= mean <= highest


def test_memory_is_of_the_episode_alone():
    """What the update computes from whole sequences is what the games were decided on, across episodes' ends."""
    agent = PPO("mlp", ludus.make_sb3(RECALL, 8, seed=0), **QUICK, policy_kwargs={"memory": "mingru"})
    agent.learn(32 * 8)
    from ludus.agents.nn.actor_critic import forward_batch
    from ludus.agents.training.network import minibatch_of

    agent.collect()  # with the weights as they are now
    agent.compute_advantages()
    data = agent.data
    batch = minibatch_of(
        {k: v for k, v in data.sequences().items() if k != "columns"}, torch.arange(8), data.columns.transpose(0, 1)
    )
    params, values = forward_batch(agent.policy, batch)
    assert data.dones[:-1].any()
    assert torch.allclose(params.view_as(data.params), data.params, atol=1e-5)
    assert torch.allclose(values.view_as(data.values), data.values, atol=1e-5)


class OneLegal(gymnasium.Env):
    """Ten actions; the legal ones are shown by the mask alone, and only action `self.good` among them pays."""

    observation_space, action_space = spaces.Box(0, 1, (1,), np.float32), spaces.Discrete(10)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        self._draw()
        return np.zeros(1, np.float32), {}

    def _draw(self):
        self.mask = np.zeros(10, np.bool_)
        self.mask[self.np_random.choice(9, 2, replace=False)] = True
        self.mask[9] = True

    def action_masks(self):
        return self.mask

    def step(self, action):
        assert self.mask[action], "an illegal action"
        reward, self.steps = float(action == 9), self.steps + 1
        self._draw()
        return np.zeros(1, np.float32), reward, False, self.steps == 10, {}


def test_masks_are_obeyed_and_learned_with():
    agent = PPO("MlpPolicy", DummyVecEnv([OneLegal] * 4), **QUICK)
    agent.learn(2000)
    data = agent.data
    assert data.masks.gather(2, data.actions.unsqueeze(2)).all() and data.masks.sum(2).eq(3).all()
    assert np.mean(list(data.rewards)) > 0.9
    mask = np.zeros((1, 10), bool)
    mask[0, 4] = True
    assert agent.predict(np.zeros((1, 1), np.float32), action_masks=mask)[0].tolist() == [4]


def test_normalisation_of_observations_and_rewards():
    """A pendulum whose rewards are hundreds: statistics are kept, and what the policy sees has variance 1."""
    agent = PPO(
        "MlpPolicy",
        make_vec_env("Pendulum-v1", 4, seed=0),
        **QUICK,
        normalize_reward=True,
        policy_kwargs={"normalize_obs": True},
    )
    agent.learn(32 * 4 * 8)
    seen = agent.policy.normalizer(agent.data.obs.flatten(0, 1))
    assert int(agent.policy.normalizer.count) == 32 * 4 * 8
    assert 0.2 < float(seen.var(0).mean()) < 5
    assert int(agent.reward_normalizer.moments.count) == 32 * 4 * 8
    assert float(agent.data.columns[..., 2].abs().max()) < 100  # returns, of rewards down to -16 a step


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rollout_buffer_class": RolloutBuffer}, "rollout_buffer_class is not for this PPO"),
        ({"num_threads": 0}, "num_threads must be a whole number from 1"),
        ({"policy_kwargs": {"memory": "elephant"}}, "memory must be one of lstm, mingru"),
        ({"policy_kwargs": {"normalize_obs": True}}, "normalize_obs needs observations of floats"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(OptionError, match=message):
        PPO("mlp", ludus.make_sb3("Catch", 4, seed=0), **{**QUICK, **change})


def weights_after(steps, policy, threads, **kwargs):
    env = ludus.make_sb3("Catch", 1024, seed=0)
    agent = PPO(policy, env, **{**QUICK, "n_steps": 8, "batch_size": 2048, "num_threads": threads, **kwargs})
    agent.learn(steps)
    return agent, torch.cat([p.flatten() for p in agent.policy.parameters()])


def test_results_do_not_depend_on_how_threads_are_scheduled():
    """The same number of threads gives the same weights, whoever comes first."""
    kwargs = {"policy_kwargs": {"activation_fn": torch.nn.GELU}}  # which there are no loops for
    (agent, first), (_, second) = (weights_after(16_000, "MlpPolicy", 2, **kwargs) for _ in range(2))
    assert agent.play_threads == agent.learn_threads == 2
    assert torch.equal(first, second)


@pytest.mark.parametrize("policy", ["mlp", "cnn", "MlpPolicy"])
def test_loops_give_the_same_weights_on_any_number_of_threads(policy):
    (agent, first), *rest = (weights_after(16_000, policy, threads) for threads in (1, 2, 3))
    assert agent.network.why == "compiled loops" and agent.play_threads == agent.learn_threads == 1
    assert all(torch.equal(first, other) for _, other in rest)
