"""What callbacks hear of a rollout, and that what nobody looks at is not made."""

from collections import deque

import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback

import ludus
from ludus.agents import reports
from ludus.agents.reports import Ended, Infos


class Listener(BaseCallback):
    """Keeps what it hears, as it is and as it was."""

    def __init__(self, looks=True):
        super().__init__()
        self.looks, self.kept, self.copies, self.dones = looks, [], [], []

    def _on_step(self):
        self.kept.append(self.locals["infos"])
        self.dones.append(self.locals["dones"].copy())
        if self.looks:
            self.copies.append([dict(info) for info in self.locals["infos"]])
        return True


AGENTS = {
    "PPO": {"n_steps": 16, "batch_size": 32},
    "DQN": {"train_freq": 4, "buffer_size": 800, "learning_starts": 10_000},
    "PQN": {"n_steps": 16},
}


@pytest.mark.parametrize("name", AGENTS)
def test_each_end_is_told_once_and_stays_as_it_was(name):
    games, listener = 32, Listener()
    env = ludus.make_sb3("Catch", games, max_episode_steps=6)
    agent = getattr(ludus, name)("mlp", env, seed=0, **AGENTS[name])
    agent.learn(games * 64, callback=listener)
    told = np.array([["episode" in info for info in infos] for infos in listener.copies])
    assert np.array_equal(told, np.array(listener.dones)) and told.sum() > 200
    assert [list(infos) for infos in listener.kept] == listener.copies  # what is kept is not written over
    ends = [info for infos in listener.copies for info in infos if info]
    assert {info["episode"]["l"] for info in ends} == {6} and all(info["TimeLimit.truncated"] is True for info in ends)
    assert list(agent.ep_info_buffer) == [info["episode"] for info in ends][-100:]


def test_what_nobody_looks_at_is_not_made(monkeypatch):
    made = []
    original = Ended.infos

    def counted(self, first, last):
        made.append(last - first)
        return original(self, first, last)

    monkeypatch.setattr(reports.Ended, "infos", counted)
    agent = ludus.PPO("mlp", ludus.make_sb3("Catch", 64), n_steps=64, batch_size=1024, seed=0)
    agent.learn(64 * 64, callback=Listener(looks=False))
    assert made == [100] and len(agent.ep_info_buffer) == 100  # of some four hundred


def test_infos_are_read_like_a_list():
    ended = Ended(np.array([2, 0]), np.array([1.5, -1.0]), np.array([3, 4]), np.array([False, True]), 0.5)
    infos = Infos(3, ended, 0, 2)
    first = {"episode": {"r": 1.5, "l": 3, "t": 0.5}, "TimeLimit.truncated": False}
    second = {"episode": {"r": -1.0, "l": 4, "t": 0.5}, "TimeLimit.truncated": True}
    assert infos == [second, {}, first] and len(infos) == 3 and infos[-1] == first and infos[:2] == [second, {}]
    assert [info.get("episode", {}).get("r") for info in infos] == [-1.0, None, 1.5]
    assert list(reversed(infos)) == [first, {}, second] and repr(infos) == repr([second, {}, first])
    infos[1]["mine"] = 1
    assert infos[1] == {"mine": 1} and Infos(3, ended, 2, 2) == [{}, {}, {}]
    buffer = deque(maxlen=1)
    buffer.extend(info["episode"] for info in ended.infos(1, 2))
    assert buffer[0]["l"] == 4
