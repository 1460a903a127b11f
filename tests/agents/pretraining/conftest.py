"""Small networks on one thread: on a machine that others use, several would wait for each other most of the time."""

import pytest


@pytest.fixture(autouse=True)
def on_one_thread(one_thread):
    """For every test here."""
