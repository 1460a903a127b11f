"""What changes from one step of DQN to the next, beside Stable-Baselines3's: epsilon, and settings that callbacks set."""

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit

import ludus
from ludus.agents.q_learning.collect import Collector, CompiledCollector
from ludus.envs import OptionError
from tests.agents.conformance import agent_of
from tests.agents.q_learning.catch import catch_agent


class Rates(BaseCallback):
    """Notes the exploration rate at each step."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def _on_step(self):
        self.rates.append(self.model.exploration_rate)
        return True


def rates_of(library, env, games=2, **settings):
    """At each step of 400, and after them, with exploration in the first 200."""
    rates, env = Rates(), make_vec_env(env, games, seed=0)
    agent = library.DQN("MlpPolicy", env, seed=0, device="cpu", exploration_fraction=0.5, **settings)
    agent.learn(400, callback=rates)
    return [*rates.rates, agent.exploration_rate]


@pytest.mark.parametrize("games", [1, 2])
@pytest.mark.parametrize("train_freq", [1, 7, 100])
@pytest.mark.parametrize("learning_starts", [0, 50])
def test_epsilon_is_that_of_each_step(games, train_freq, learning_starts):
    settings = {"train_freq": train_freq, "learning_starts": learning_starts}
    theirs, ours = (rates_of(library, "CartPole-v1", games, **settings) for library in (stable_baselines3, ludus))
    assert len(ours) == len(theirs) > 200 / games and len(set(ours)) > 190 / games
    assert theirs[0] == 0.0 and ours[0] == 1.0  # Stable-Baselines3 has no schedule's value before the first step
    assert ours[1:] == theirs[1:]


def test_callbacks_in_ludus_games_read_the_step_s_epsilon():
    rates = Rates()
    agent = catch_agent(4, train_freq=10, exploration_fraction=0.5)
    agent.learn(400, callback=rates)
    schedule = agent.exploration_schedule
    assert rates.rates == [schedule(1 - timesteps / 400) for timesteps in range(0, 400, 4)]
    assert agent.exploration_rate == schedule(0.0)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("spread", [0.0, 7.0])
def test_actions_are_random_as_often_as_each_step_s_epsilon_says(compiled, spread, monkeypatch):
    """The network's best action is 0; a random one is one of 3."""
    agent = catch_agent(
        500, train_freq=6, learning_starts=1_000, exploration_fraction=1.0, exploration_spread=spread,
        exploration_final_eps=0.0, buffer_size=50_000,
    )  # fmt: skip
    if not compiled:
        monkeypatch.setattr(
            agent, "_collector_of", lambda steps: Collector(agent.network, agent.adapter, steps, agent.epsilon)
        )
    with torch.no_grad():
        last = list(agent.q_net.parameters())[-1]
        assert last.shape == (3,)
        last.copy_(torch.tensor([1e6, 0.0, 0.0]))
    agent.learn(3_000)
    assert isinstance(agent.collector, CompiledCollector) == compiled
    others = (agent.steps.actions != 0).double().mean(1)
    place = torch.arange(500) / 499
    rates = torch.tensor([1.0, 1.0, 4 / 6, 3 / 6, 2 / 6, 1 / 6]).unsqueeze(1).expand(6, 500)
    epsilon = torch.where(rates < 1, rates ** (1 + spread * place), rates)
    assert torch.allclose(agent.epsilon, epsilon, rtol=1e-5)
    assert torch.allclose(others, epsilon.double().mean(1) * 2 / 3, atol=0.08)


# -- settings that callbacks set -----------------------------------------------------------------------------------------


class SetAt(BaseCallback):
    """Sets attributes of the agent after so many timesteps."""

    def __init__(self, timesteps, **settings):
        super().__init__()
        self.timesteps, self.settings = timesteps, settings

    def _on_step(self):
        if self.num_timesteps == self.timesteps:
            for name, value in self.settings.items():
                setattr(self.model, name, value)
        return True


ONE_STEP = TrainFreq(1, TrainFrequencyUnit.STEP)


@pytest.mark.parametrize(
    "settings",
    [
        {"train_freq": ONE_STEP}, {"gradient_steps": 3}, {"train_freq": ONE_STEP, "gradient_steps": -1},
        {"train_freq": TrainFreq(16, TrainFrequencyUnit.STEP), "gradient_steps": -1},
    ],
    ids=["more often", "more updates", "as many updates as steps", "less often"],
)  # fmt: skip
@pytest.mark.parametrize("timesteps", [204, 206])
def test_settings_that_a_callback_sets_are_used(settings, timesteps):
    updates = []
    for library in (stable_baselines3, ludus):
        agent = agent_of(library, "DQN", train_freq=4, learning_starts=20)
        updates.append(agent.learn(512, callback=SetAt(timesteps, **settings))._n_updates)
    assert updates[0] == updates[1] > 0


def test_train_freq_may_be_a_number_there_but_not_of_episodes():
    agent = agent_of(ludus, "DQN", train_freq=4, learning_starts=20).learn(512, callback=SetAt(200, train_freq=1))
    assert agent.train_freq == ONE_STEP
    for bad in (TrainFreq(1, TrainFrequencyUnit.EPISODE), (1, "episode"), 0):
        with pytest.raises(OptionError, match=r"^train_freq must count steps, got .*: give a whole number$"):
            agent_of(ludus, "DQN", train_freq=4).learn(512, callback=SetAt(200, train_freq=bad))
    with pytest.raises(OptionError, match=r"^train_freq must count steps"):
        agent_of(ludus, "DQN", train_freq=TrainFreq(1, TrainFrequencyUnit.EPISODE))


def test_train_freq_of_ludus_games_may_be_set_there():
    agent = catch_agent(4, train_freq=2, learning_starts=0, replay_ratio=None)
    agent.learn(800, callback=SetAt(400, train_freq=5))
    assert len(agent.steps.actions) == 5 and int(agent.replay.count) == 200 and agent._n_updates == 50 + 20
    assert np.isfinite(agent.replay.rewards.numpy()).all()
