"""What callbacks hear of a rollout, and that what nobody looks at is not made."""

from collections import deque
from copy import copy

import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, EveryNTimesteps

import ludus
from ludus.agents.training import callbacks as reports
from ludus.agents.training.callbacks import Episodes, Infos, Lazy, Locals
from tests.agents.small import NAMES, small


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


AGENTS = {name: small(name, train_freq=4, buffer_size=800) for name in NAMES}
AGENTS["DQN"]["learning_starts"] = 10_000


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
    original = Episodes.infos

    def counted(self, first, last):
        made.append(last - first)
        return original(self, first, last)

    monkeypatch.setattr(reports.Episodes, "infos", counted)
    agent = ludus.PPO("mlp", ludus.make_sb3("Catch", 64), n_steps=64, batch_size=1024, seed=0)
    agent.learn(64 * 64, callback=Listener(looks=False))
    assert made == [100] and len(agent.ep_info_buffer) == 100  # of some four hundred


def test_infos_are_read_like_a_list():
    ended = Episodes(np.array([2, 0]), np.array([1.5, -1.0]), np.array([3, 4]), np.array([False, True]), 0.5)
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


@pytest.mark.parametrize(
    "read",
    [
        dict,
        lambda x: {**x},
        Locals.copy,
        copy,
        lambda x: dict(x.items()),
        lambda x: dict(zip(x, x.values(), strict=True)),
    ],
)
def test_locals_that_wait_are_made_whichever_way_they_are_read(read):
    made = []
    told = Locals(a=1, b=Lazy(lambda: made.append("b") or 2))
    kept = Locals(c=3)
    kept.update(told)
    plain = {"c": 3}
    assert not made
    plain.update(told)
    assert read(kept) == {"a": 1, "b": 2, "c": 3} == plain and made == ["b", "b"]  # each made its own
    assert kept["b"] == kept.get("b") == 2 and kept.get("d", 4) == 4 and made == ["b", "b"]


class Reader(BaseCallback):
    """Reads all of its locals now and then."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def _on_step(self):
        if self.n_calls % 8 == 3:
            self.seen.append((dict(self.locals), self.model._last_obs))
        return True


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("around", [lambda x: x, lambda x: CallbackList([x]), lambda x: EveryNTimesteps(16, x)])
def test_observations_and_the_like_are_made_for_callbacks_that_read_them(name, around, monkeypatch):
    made, kind = [], getattr(ludus, name)
    original = kind.obs_of
    monkeypatch.setattr(kind, "obs_of", lambda self, t: made.append(t) or original(self, t))
    agent, reader = kind("mlp", ludus.make_sb3("Catch", 16), seed=0, **AGENTS[name]), Reader()
    agent.learn(16 * 32, callback=around(reader))
    assert len(reader.seen) == 4 and 8 <= len(made) <= 10  # new_obs and _last_obs, of 32 steps
    for told, before in reader.seen:
        assert not any(isinstance(value, Lazy) for value in told.values())
        assert told["new_obs"].shape == before.shape == (16, *agent.observation_space.shape)
        assert not np.array_equal(told["new_obs"], before)
