"""What the tests of the command line share."""

import pytest

from .catcher import Catcher


@pytest.fixture
def agent(monkeypatch):
    """The agent that is loaded, whatever the folder."""
    catcher = Catcher()
    monkeypatch.setattr("ludus.agents.load_agent", lambda folder, device: catcher)
    return catcher
