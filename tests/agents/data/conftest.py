"""What tests of replay buffers share."""

import pytest

from ludus.agents.runtime.threads import undivided


@pytest.fixture
def one_core():
    """For operations as small as these, threads only wait for each other."""
    with undivided():
        yield
