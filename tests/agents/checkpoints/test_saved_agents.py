"""Agents that earlier releases saved: they load, resume and are exported.

`saved` holds a folder for each agent, written by Ludus 0.1.0, and the SHA-256 of its parameters then: of each name and tensor
of the policy's `state_dict`, sorted by name. Training went on differently on every kind of processor, so that what follows
a resume is compared with a second resume of the same file.
"""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import stable_baselines3

from ludus.__main__ import main
from ludus.agents import load_agent

SAVED = Path(__file__).parent / "saved"
DIGESTS = json.loads((SAVED / "digests.json").read_text())
EXPORTED = {"ppo": "PPO", "ppo-cnn": "PPO", "dqn": "DQN", "pqn": "DQN"}  # to Stable-Baselines3's class


def digest_of(agent):
    digest = hashlib.sha256()
    for name, tensor in sorted(agent.policy.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def resumed(folder):
    return load_agent(folder, device="cpu", resume=True)


@pytest.fixture(params=DIGESTS)
def name(request):
    return request.param


@pytest.fixture
def folder(name, tmp_path):
    """A copy, so that nothing is written beside the original."""
    return shutil.copytree(SAVED / name, tmp_path / name)


def test_parameters_are_those_that_were_saved(name, folder):
    for agent in (load_agent(folder, device="cpu"), resumed(folder)):
        assert digest_of(agent) == DIGESTS[name] and agent.num_timesteps == 256


def test_training_goes_on_the_same_way_each_time(name, folder):
    agents = [resumed(folder) for _ in range(2)]
    for agent in agents:
        agent.learn(128, reset_num_timesteps=False)
        assert agent.num_timesteps == 384
    digests = {digest_of(agent) for agent in agents}
    assert len(digests) == 1 and DIGESTS[name] not in digests


def test_saved_again_it_resumes_as_before(folder, tmp_path):
    first = resumed(folder)
    first.save(tmp_path / "again")
    second = resumed(tmp_path / "again")
    for agent in (first, second):
        agent.learn(128, reset_num_timesteps=False)
    assert digest_of(first) == digest_of(second)


@pytest.mark.parametrize("name", EXPORTED)
def test_it_is_exported(name, folder, tmp_path):
    assert main(["export", str(folder), "--out", str(tmp_path / "agent.zip")]) == 0
    theirs = getattr(stable_baselines3, EXPORTED[name]).load(tmp_path / "agent.zip", device="cpu")
    ours = load_agent(folder, device="cpu")
    obs = ours.env.reset()
    assert (theirs.predict(obs, deterministic=True)[0] == ours.predict(obs, deterministic=True)[0]).all()
