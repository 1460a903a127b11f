"""Attributes that users set on an agent are saved with it, as in Stable-Baselines3."""

import json
import warnings

import numpy as np
import pytest
import stable_baselines3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

import ludus
from ludus.agents import agent_class
from ludus.agents.checkpoints.reader import digest_of
from ludus.agents.checkpoints.schema import SCHEMAS
from ludus.agents.checkpoints.user_attributes import own_attributes
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.training.sb3_export import export_zip
from tests.agents.checkpoints.twins import Doubled, both, make, twins
from tests.agents.conformance import BOTH, IDS, SETTINGS, agent_of
from tests.agents.small import small

OWN = {"note": "a line", "seen": [1, 2.5, "x", None, True], "table": {"deep": [[1], {}]}, "count": 3}
OWN |= {"words": {"not_kept": "the user's own", "kept": 1}}


@both
@pytest.mark.parametrize("place", ["m", "m.zip"])
def test_attributes_of_ones_own_are_kept(tmp_path, algorithm, place):
    for agent in twins(algorithm):
        folder = tmp_path / type(agent).__module__.split(".")[0]
        folder.mkdir()
        for name, value in OWN.items():
            setattr(agent, name, value)
        agent.save(folder / place)
        again = type(agent).load(folder / place)
        assert {name: getattr(again, name) for name in OWN} == OWN
        agent.save(folder / place, exclude=["note"])
        assert not hasattr(type(agent).load(folder / place), "note")


def test_attributes_go_there_and_come_back(tmp_path):
    here = make(ludus.PPO)
    vars(here).update(OWN)
    export_zip(here, tmp_path / "there.zip")
    there = stable_baselines3.PPO.load(tmp_path / "there.zip", env=make_vec_env("CartPole-v1"))
    there.hook = lambda: None
    there.save(tmp_path / "back.zip")
    with pytest.warns(UserWarning, match="hook was a pickle, set it again"):
        back = ludus.PPO.load(tmp_path / "back.zip", env="CartPole-v1")
    for agent in (there, back):
        assert {name: getattr(agent, name) for name in OWN} == OWN
    assert not hasattr(back, "hook")


@pytest.mark.parametrize("value", [len, np.zeros(3), {1: 2}, float("nan"), "x" * 200_000, Doubled])
def test_attributes_that_json_has_no_words_for_are_named_in_a_warning(tmp_path, value):
    agent = make(ludus.PPO)
    agent.note, agent.hook = "a line", value
    with pytest.warns(UserWarning, match=r"so set it again after load: hook \(") as caught:
        agent.save(tmp_path)
    assert len(caught) == 1
    again = ludus.PPO.load(tmp_path)
    assert again.note == "a line" and not hasattr(again, "hook")


@pytest.mark.parametrize("algorithm", SCHEMAS)
@pytest.mark.parametrize("policy", ["mlp", "MlpPolicy"])
def test_agents_have_no_attributes_but_their_own(tmp_path, algorithm, policy):
    kind = agent_class(algorithm)
    agent = kind(policy, "Catch", seed=0, device="cpu", **small(algorithm, batch_size=16)).learn(128)
    agent.predict(agent.env.reset())
    agent.save(tmp_path)
    for one in (agent, kind.load(tmp_path, resume=True)):
        assert own_attributes(one) == {}


@pytest.mark.parametrize("name", ["learn", "policy", "_n_updates", "not a name", "__class__"])
def test_a_file_sets_no_attribute_that_is_not_the_users(tmp_path, name):
    make(ludus.PPO).save(tmp_path)
    facts = json.loads((tmp_path / "agent.json").read_text()) | {"attributes": {name: 5}}
    (tmp_path / "agent.json").write_text(json.dumps({**facts, "sha256": digest_of(facts)}))
    with pytest.raises(CheckpointError, match="attributes has") as caught:
        ludus.PPO.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("library", "name"), BOTH, ids=IDS)
def test_what_is_not_there_is_a_missing_file(library, name, tmp_path):
    with pytest.raises(FileNotFoundError):
        getattr(library, name).load(tmp_path / "nowhere")


class Saves(BaseCallback):
    """Saves within training."""

    def _on_step(self):
        if self.n_calls == 20:
            self.model.save(self.path)
        return True


@pytest.mark.parametrize("games", ["CartPole-v1", "Catch"])
@pytest.mark.parametrize("name", SETTINGS)
def test_nothing_is_said_of_attributes_that_no_user_set(name, games, tmp_path):
    env = ludus.make_sb3("Catch", 2) if games == "Catch" else None
    agent, callback = agent_of(ludus, name, "mlp" if env else "MlpPolicy", env), Saves()
    callback.path = tmp_path / "within"
    with warnings.catch_warnings(action="error"):
        agent.learn(64, callback=callback)
        agent.save(tmp_path / "after")
    for folder in ("within", "after"):
        assert "attributes" not in json.loads((tmp_path / folder / "agent.json").read_text())
