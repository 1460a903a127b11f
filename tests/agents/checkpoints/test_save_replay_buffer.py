"""Replay buffers in files and of the user's own classes: Stable-Baselines3's DQN and Ludus's side by side."""

import io
import warnings

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.buffers import ReplayBuffer, RolloutBuffer
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.envs import BitFlippingEnv, IdentityEnv
from stable_baselines3.common.vec_env import DummyVecEnv
from stable_baselines3.her import HerReplayBuffer

import ludus
from ludus.agents.files.safe_io import CheckpointError
from ludus.envs import OptionError
from tests.agents.checkpoints.twins import make, twins

# -- the memory --------------------------------------------------------------------------------------------------------


def test_the_memory_is_a_file(tmp_path):
    for agent in twins("dqn"):
        agent.learn(50)
        before = agent.replay_buffer
        kept = {name: getattr(before, name).copy() for name in ("observations", "actions", "rewards")}
        rows = before.size()
        agent.save_replay_buffer(tmp_path / "memory")
        other = make(type(agent))
        other.load_replay_buffer(tmp_path / "memory")
        after = other.replay_buffer
        assert after.size() == after.pos == rows and not after.full
        for name, array in kept.items():
            assert np.array_equal(getattr(after, name)[:rows], array[:rows]), name
        assert other.learn(32).num_timesteps == 32 and other.replay_buffer.size() == 64
        file = io.BytesIO()
        agent.save_replay_buffer(file)
        file.seek(0)
        other.load_replay_buffer(file)
        assert other.replay_buffer.size() == rows


@pytest.mark.filterwarnings("ignore:not kept in the file")
def test_a_memory_comes_back_before_its_environment(tmp_path):
    for agent in twins("dqn", env=DummyVecEnv([lambda: IdentityEnv(5)])):
        agent.learn(40)
        agent.save(tmp_path / "m.zip")
        agent.save_replay_buffer(tmp_path / "memory")
        again = type(agent).load(tmp_path / "m.zip")
        again.load_replay_buffer(tmp_path / "memory")
        assert again.replay_buffer.size() == 40
        again.set_env(agent.get_env())
        again.learn(20, reset_num_timesteps=False)
        assert again.num_timesteps == again.replay_buffer.size() == 60


def test_a_memory_of_another_kind_is_refused(tmp_path):
    """And the memory that was there stays."""
    agent, other = make(ludus.DQN).learn(20), make(ludus.DQN, "MountainCar-v0").learn(32)
    agent.save_replay_buffer(tmp_path / "memory.pkl")
    with pytest.raises(CheckpointError, match="of another network or game"):
        other.load_replay_buffer(tmp_path / "memory.pkl")
    many = make(ludus.DQN, make_vec_env("CartPole-v1", 2))
    with pytest.raises(CheckpointError, match=r"has no replay buffer of 2 environments, as there are here, but of 1$"):
        many.load_replay_buffer(tmp_path / "memory.pkl")
    make(stable_baselines3.DQN).learn(20).save_replay_buffer(tmp_path / "pickle.pkl")
    with pytest.raises(CheckpointError, match="is a pickle, as Stable-Baselines3 writes its replay buffers"):
        other.load_replay_buffer(tmp_path / "pickle.pkl")
    (tmp_path / "broken.safetensors").write_bytes(b"no tensors at all")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        other.load_replay_buffer(tmp_path / "broken.safetensors")
    assert other.replay_buffer.size() == 32 and other.learn(8, reset_num_timesteps=False).replay_buffer.size() == 40


def test_a_memory_is_as_large_as_in_its_file(tmp_path):
    for agent in twins("dqn"):
        agent.learn(20)
        agent.save_replay_buffer(tmp_path / "memory")
        other = make(type(agent), buffer_size=80)
        for _ in range(2):  # the second time it has a memory of its own
            other.load_replay_buffer(tmp_path / "memory")
            assert other.replay_buffer.buffer_size == agent.buffer_size and other.replay_buffer.size() == 20
            assert other.learn(32).replay_buffer.size() == 52


def test_there_is_a_memory_before_training():
    """To look at, and to put transitions into; the games are as if nobody had looked."""
    learned = []
    for look in (False, True):
        for agent in twins("dqn", env=make_vec_env("CartPole-v1", 2, seed=0)):
            if look:
                buffer = agent.replay_buffer
                assert (buffer.pos, buffer.size(), buffer.full, buffer.n_envs) == (0, 0, False, 2)
                assert buffer.observations.shape == (buffer.buffer_size, 2, 4)
            learned.append(agent.learn(40).replay_buffer.observations[:20])
    assert np.array_equal(learned[0], learned[2]) and np.array_equal(learned[1], learned[3])
    for agent in twins("dqn"):
        obs = np.ones((1, 4), np.float32)
        agent.replay_buffer.add(obs, 2 * obs, np.zeros((1, 1), int), np.ones(1), np.zeros(1), [{}])
        assert agent.replay_buffer.size() == 1
        buffer = agent.learn(8).replay_buffer
        assert buffer.size() == 9 and (buffer.observations[0] == 1).all() and (buffer.next_observations[0] == 2).all()


def test_transitions_put_in_by_hand(tmp_path):
    """What is drawn is what was put in, whatever came before and after."""
    rng = np.random.default_rng(0)
    rows = [[rng.normal(size=(1, 4)).astype("f4"), rng.normal(size=(1, 4)).astype("f4"), rng.integers(2, size=(1, 1)),
             rng.normal(size=1), rng.random(1) < 0.3, [{"TimeLimit.truncated": False}]] for _ in range(40)]  # fmt: skip
    agents = twins("dqn")
    agents[1].load_replay_buffer(empty(agents[1], tmp_path))
    for agent in agents:
        agent.replay_buffer.extend(*zip(*rows, strict=True))
        batch = agent.replay_buffer.sample(200)
        for obs, after, action, reward, done in zip(
            batch.observations, batch.next_observations, batch.actions, batch.rewards, batch.dones, strict=True
        ):
            (row,) = [row for row in rows if np.array_equal(row[0][0], obs)]
            assert (done.item() or np.array_equal(row[1][0], after)) and row[2].item() == action.item()
            assert np.float32(row[3].item()) == reward.item() and row[4].item() == bool(done.item())


def empty(agent, folder):
    agent.save_replay_buffer(folder / "empty")
    return folder / "empty"


# -- buffers of Stable-Baselines3 --------------------------------------------------------------------------------------


class OwnBuffer(ReplayBuffer):
    """Of a class that no table has."""


BUFFERS = {
    "of keywords": {"replay_buffer_kwargs": {"handle_timeout_termination": False}},
    "of a class": {"replay_buffer_class": ReplayBuffer},
    "of the user's": {"replay_buffer_class": OwnBuffer},
    "hindsight": {
        "replay_buffer_class": HerReplayBuffer,
        "replay_buffer_kwargs": {"n_sampled_goal": 2, "goal_selection_strategy": "future"},
    },
}


@pytest.mark.parametrize("kind", BUFFERS)
def test_replay_buffer_class(tmp_path, kind):
    """Both fill and learn from the same buffer, and keep it the same way."""
    her = kind == "hindsight"
    for agent in twins("dqn", env="CartPole-v1" if not her else BitFlippingEnv(n_bits=3, continuous=False),
                       policy="MultiInputPolicy" if her else "MlpPolicy", **BUFFERS[kind]):  # fmt: skip
        agent.learn(40)
        usual = BUFFERS[kind].get("replay_buffer_class", ReplayBuffer)
        assert type(agent.replay_buffer) is usual and agent.replay_buffer.size() == 40 and agent._n_updates > 0
        agent.save_replay_buffer(tmp_path / "buffer")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            agent.save(tmp_path / "m.zip")
        lost = " ".join(str(warning.message) for warning in told)
        ours = isinstance(agent, ludus.DQN)
        assert ("what is in the replay_buffer" in lost) == ("replay_buffer_class" in BUFFERS[kind] and ours)
        assert ("replay_buffer_class (" in lost) == (usual.__name__ == "OwnBuffer" and ours)
        given = BUFFERS[kind] if usual.__name__ == "OwnBuffer" else {}
        again = type(agent).load(tmp_path / "m.zip", env=agent.get_env(), **given)
        assert type(again.replay_buffer) is usual and again.replay_buffer.size() == 0
        assert again.replay_buffer_kwargs == agent.replay_buffer_kwargs
        again.load_replay_buffer(tmp_path / "buffer", truncate_last_traj=False)
        assert again.replay_buffer.size() == 40
        assert again.learn(20, reset_num_timesteps=False).num_timesteps == 60


def test_a_buffer_learns_what_the_memory_learns():
    """From the same transitions, the same targets: rewards, ends, and what follows an episode that was cut off."""
    agents = [make(ludus.DQN, "CartPole-v1", learning_starts=10**6, **more) for more in ({}, BUFFERS["of a class"])]
    for agent in agents:
        agent.learn(60)
    ours, theirs = (agent.replay_buffer for agent in agents)
    for name in ("observations", "actions", "rewards", "dones", "timeouts"):
        assert np.array_equal(getattr(ours, name)[:60], getattr(theirs, name)[:60]), name
    batch = agents[1].replay.sample(32, torch.Generator())
    drawn = {tuple(obs.tolist()): k for k, obs in enumerate(torch.from_numpy(theirs.observations[:60, 0]))}
    for obs, returned, discount in zip(batch.obs, batch.returns, batch.discounts, strict=True):
        k = drawn[tuple(obs.tolist())]
        over = theirs.dones[k, 0] and not theirs.timeouts[k, 0]
        assert returned == theirs.rewards[k, 0] and discount == (0 if over else np.float32(0.99))


def test_buffers_of_rollouts_are_refused():
    with pytest.raises(OptionError, match="rollout_buffer_class is not for this PPO, whose rollouts are tensors"):
        make(ludus.PPO, rollout_buffer_class=RolloutBuffer)
    with pytest.raises(OptionError, match="prioritized is for Ludus's replay buffer"):
        make(ludus.DQN, prioritized=True, replay_buffer_class=ReplayBuffer)
