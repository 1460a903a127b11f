"""DQN repeats from a seed and resumes from a file to the last bit."""

import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback

import ludus
from ludus.agents.data.replay_buffer import ReplayTensors
from ludus.agents.q_learning.dqn import DQN
from ludus.envs import OptionError
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
    "not full": {"buffer_size": 20_000},
    "prioritized, not full": {"prioritized": True, "n_steps": 3, "buffer_size": 20_000},
    "prioritized": {"prioritized": True, "n_steps": 3, "train_freq": 4},
    "noisy": {"noisy": True},
    "iqn": SWITCHES["iqn"],
}


@pytest.mark.parametrize("switch", RESUMED.values(), ids=RESUMED)
@pytest.mark.parametrize(
    "options", [{}, {"max_episode_steps": 6}, {"frame_stack": 3}], ids=["", "cut off", "frame stacks"]
)
def test_a_resume_goes_on_to_the_last_bit(tmp_path, switch, options):
    def new():
        return catch_agent(8, options=options, **{"buffer_size": 800, "learning_starts": 200, **switch})

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
    filled = sum(x.nbytes for x in agent.replay.state(agent.replay.filled).values())
    assert large - small == pytest.approx(filled, rel=0.01)


def test_a_file_holds_the_rows_that_are_filled(tmp_path):
    agent = ludus.DQN("MlpPolicy", "CartPole-v1", seed=0, device="cpu").learn(60)
    agent.save(tmp_path / "agent")
    assert sum(path.stat().st_size for path in (tmp_path / "agent").iterdir()) < 200_000
    again = DQN.load(tmp_path / "agent", resume=True)
    assert again.replay.steps == 1_000_000 and int(again.replay.count) == again.replay.filled == 60
    for name, tensor in agent.replay.state().items():
        assert torch.equal(tensor, again.replay.state()[name]), name


@pytest.mark.parametrize("prioritized", [False, True])
def test_files_with_all_rows_are_loaded(tmp_path, monkeypatch, prioritized):
    """As they were written before: of all rows, and with the number of final observations alone in the description."""
    agent = catch_agent(8, prioritized=prioritized, options={"max_episode_steps": 6})
    agent.learn(1_000)
    rows = {name: n for name, n in agent.own_rows().items() if "finals.obs" in name}
    with monkeypatch.context() as before:
        before.setattr(ReplayTensors, "filled", property(lambda replay: replay.steps))
        before.setattr(DQN, "own_rows", lambda agent: rows)
        agent.save(tmp_path / "agent")
    assert (tmp_path / "agent" / "agent.json").read_text().count("replay.") == 1
    again = DQN.load(tmp_path / "agent", resume=True)
    assert again.replay.steps == 2_500 and again.replay.filled == 125
    for name, tensor in agent.replay.state().items():
        assert torch.equal(tensor, again.replay.state()[name]), name


@pytest.mark.parametrize(("name", "value"), [("row", 7), ("row", -1), ("count", 21), ("count", -1)])
def test_rows_that_are_not_in_the_file_are_refused(name, value):
    agent = catch_agent(8)
    agent.learn(160)
    state = {key: x.clone() for key, x in agent.replay.state(agent.replay.filled).items()}
    agent.replay.load(state)
    lines = rf"the replay buffer has 20 rows, of which \d+ end at \d+|the replay buffer's {name} must be from 0 to"
    with pytest.raises(OptionError, match=lines):
        agent.replay.load({**state, name: torch.tensor([value])})
    with pytest.raises(OptionError, match=r"^the replay buffer's rewards must have 20 rows"):
        agent.replay.load({**state, "rewards": state["rewards"][:1]})


def test_a_second_learn_goes_on_with_games_that_began_anew():
    agent = catch_agent(8, learning_starts=100)
    agent.learn(400)
    agent.learn(400)
    assert agent.num_timesteps == 400 and int(agent.replay.count) == 100
    assert int(agent.replay.truncated.sum()) <= 8  # the games that were broken off
