"""Saved agents that tests of checkpoints share."""

import shutil

import pytest

from tests.agents.checkpoints.catch import catch_agent


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An agent, and the folder where it was saved."""
    agent = catch_agent(options={"levels": range(10, 20, 2), "max_episode_steps": 8})
    agent.learn(256)
    folder = tmp_path_factory.mktemp("agent") / "run"
    agent.save(folder)
    return agent, folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a saved agent, to be left as it is."""
    folder = tmp_path_factory.mktemp("agent") / "run"
    catch_agent(n_steps=8, batch_size=32).learn(128).save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of it, to be damaged."""
    shutil.copytree(saved, tmp_path / "run")
    return tmp_path / "run"
