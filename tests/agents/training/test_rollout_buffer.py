"""`model.rollout_buffer` is Stable-Baselines3's: one object, and what is assigned to it is learned from."""

import gymnasium
import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.envs import BitFlippingEnv
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv

import ludus
from ludus.envs import OptionError
from tests.agents.conformance import agent_of

pytestmark = pytest.mark.usefixtures("one_thread")
libraries = pytest.mark.parametrize("library", [stable_baselines3, ludus])


class AtEnd(BaseCallback):
    """Calls a function with the buffer when a rollout is over; it must be one object all the time."""

    def __init__(self, function=lambda buffer: None):
        super().__init__()
        self.function, self.buffers = function, set()

    def _on_training_start(self):
        self.buffers.add(self.model.rollout_buffer)

    def _on_step(self):
        self.buffers |= {self.model.rollout_buffer, self.locals["rollout_buffer"]}
        return True

    def _on_rollout_end(self):
        self.buffers |= {self.model.rollout_buffer, self.locals["rollout_buffer"]}
        self.function(self.model.rollout_buffer)


def rewarded(buffer):
    """Returns of about 9 / (1 - 0.99)."""
    buffer.rewards[:] = 9
    buffer.compute_returns_and_advantage(torch.full((buffer.n_envs,), 900.0), np.zeros(buffer.n_envs, np.bool_))
    assert buffer.returns.min() > 5 and buffer.returns.mean() > 100


def assigned(buffer):
    buffer.returns = np.full(buffer.returns.shape, 500.0)  # float64


def shuffled(buffer):
    """Minibatches were drawn already, so that arrays are flat."""
    buffer.returns = np.full_like(buffer.returns, 500.0)
    assert len(list(buffer.get(8))) == 4 and buffer.returns.shape == (32, 1)


@libraries
@pytest.mark.parametrize("function", [rewarded, assigned, shuffled])
@pytest.mark.parametrize("games", ["CartPole-v1", "ludus"])
def test_what_is_assigned_is_learned_from(library, function, games):
    if (library, games) == (stable_baselines3, "ludus"):
        pytest.skip("Stable-Baselines3's PPO learns in them as in any other")
    env = ludus.make_sb3("CartPole", 2, seed=0) if games == "ludus" else None
    agent, callback = agent_of(library, "PPO", env=env), AtEnd(function)
    agent.learn(64, callback=callback)
    assert agent.logger.name_to_value["train/value_loss"] > 1e4
    assert callback.buffers == {agent.rollout_buffer}


def test_each_sample_gets_what_was_assigned_to_it():
    agent = agent_of(ludus, "PPO", learning_rate=0.0)
    numbers = np.arange(32, dtype=np.float32).reshape(16, 2)

    def assign(buffer):
        buffer.advantages, buffer.returns, buffer.actions = numbers, numbers + 100, np.ones_like(buffer.actions)
        buffer.observations = np.broadcast_to(numbers[..., None], (16, 2, 4))
        if agent.num_timesteps > 32:
            list(buffer.get())

    for _ in range(2):
        agent.learn(32, callback=AtEnd(assign), reset_num_timesteps=False)
        assert (agent.data.columns[..., 1].numpy() == numbers).all()
        assert (agent.data.columns[..., 2].numpy() == numbers + 100).all()
        assert (agent.data.obs.numpy() == numbers[..., None]).all() and (agent.data.actions == 1).all()


@libraries
@pytest.mark.parametrize("dictionary", [False, True])
def test_discrete_observations_have_an_axis_of_their_own(library, dictionary):
    def make():
        if dictionary:
            return BitFlippingEnv(n_bits=3, continuous=False, discrete_obs_space=True)
        return gymnasium.make("FrozenLake-v1")

    shapes = []

    def look(buffer):
        obs = buffer.observations
        shapes.append({key: x.shape for key, x in obs.items()} if dictionary else obs.shape)

    policy = "MultiInputPolicy" if dictionary else "MlpPolicy"
    agent_of(library, "PPO", policy, DummyVecEnv([make] * 2)).learn(32, callback=AtEnd(look))
    assert shapes == [
        dict.fromkeys(("observation", "achieved_goal", "desired_goal"), (16, 2, 1)) if dictionary else (16, 2, 1)
    ]


def test_nothing_is_copied_that_nobody_reads():
    agent = agent_of(ludus, "PPO").learn(64, callback=AtEnd())
    assert not vars(agent.rollout_buffer).keys() & {"observations", "actions", "returns"}


@pytest.mark.parametrize("name", ["PPO", "PQN"])
def test_stable_baselines3s_own_rollouts_are_refused_in_a_line(name):
    class Mine(getattr(ludus, name)):
        def collect_rollouts(self, *args, **kwargs):
            return OnPolicyAlgorithm.collect_rollouts(self, *args, **kwargs)

    agent = agent_of(ludus, name)
    agent.__class__ = Mine
    with pytest.raises(OptionError, match=r"super\(\).collect_rollouts"):
        agent.learn(64)
