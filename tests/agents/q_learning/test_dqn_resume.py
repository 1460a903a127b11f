"""DQN repeats from a seed and resumes from a file to the last bit."""

import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback

from ludus.agents.q_learning.dqn import DQN
from tests.agents.q_learning.catch import SWITCHES, catch_agent, weights_of


@pytest.mark.parametrize("switch", [{}, SWITCHES["rainbow"], SWITCHES["iqn"]], ids=["plain", "rainbow", "iqn"])
def test_twins_from_one_seed_are_equal(switch):
    def trained(seed):
        agent = catch_agent(seed=seed, **switch)
        agent.learn(1_500)
        return weights_of(agent)

    one = trained(5)
    assert torch.equal(one, trained(5)) and not torch.equal(one, trained(6))


def test_the_number_of_threads_changes_nothing():
    def trained(threads):
        agent = catch_agent(256, batch_size=256, num_threads=threads)
        agent.learn(4_000)
        return weights_of(agent)

    assert torch.equal(trained(1), trained(2))


class SaveAt(BaseCallback):
    """Saves where a rollout begins, and goes on for a while, as if then killed."""

    def __init__(self, folder, steps):
        super().__init__()
        self.folder, self.steps = folder, steps

    def _on_rollout_start(self):
        if self.num_timesteps >= self.steps and not self.folder.exists():
            self.model.save(self.folder)

    def _on_step(self):
        return self.num_timesteps < self.steps + 300


RESUMED = {
    "plain": {},
    "prioritized": {"prioritized": True, "n_steps": 3, "train_freq": 4},
    "noisy": {"noisy": True},
    "iqn": SWITCHES["iqn"],
}


@pytest.mark.parametrize("switch", RESUMED.values(), ids=RESUMED)
@pytest.mark.parametrize("options", [{}, {"max_episode_steps": 6}], ids=["", "cut off"])
def test_a_resume_goes_on_to_the_last_bit(tmp_path, switch, options):
    def new():
        return catch_agent(8, options=options, buffer_size=800, learning_starts=200, **switch)

    whole = new()
    whole.learn(3_000)
    new().learn(3_000, callback=SaveAt(tmp_path / "agent", 1_600))
    resumed = DQN.load(tmp_path / "agent", resume=True)
    assert 1_600 <= resumed.num_timesteps < 1_700
    resumed.learn(3_000 - resumed.num_timesteps, reset_num_timesteps=False)
    assert resumed.num_timesteps == whole.num_timesteps and resumed._n_updates == whole._n_updates
    assert torch.equal(weights_of(resumed), weights_of(whole))
    for name, tensor in whole.replay.state().items():
        assert torch.equal(tensor, resumed.replay.state()[name]), name


def test_without_the_memory_a_resume_fills_a_new_one_first(tmp_path):
    agent = catch_agent(8, save_replay=False)
    agent.learn(1_000)
    agent.save(tmp_path / "agent")
    small = sum(path.stat().st_size for path in (tmp_path / "agent").iterdir())
    resumed = DQN.load(tmp_path / "agent", resume=True)
    updates = resumed._n_updates
    resumed.learn(496, reset_num_timesteps=False)
    assert resumed._n_updates == updates  # as many steps as `learning_starts` come first
    resumed.learn(500, reset_num_timesteps=False)
    assert resumed._n_updates > updates
    agent.save_replay = True
    agent.save(tmp_path / "other")
    large = sum(path.stat().st_size for path in (tmp_path / "other").iterdir())
    assert large - small == pytest.approx(agent.replay.nbytes, rel=0.01)


def test_a_second_learn_goes_on_with_games_that_began_anew():
    agent = catch_agent(8, learning_starts=100)
    agent.learn(400)
    agent.learn(400)
    assert agent.num_timesteps == 400 and int(agent.replay.count) == 100
    assert int(agent.replay.truncated.sum()) <= 8  # the games that were broken off
