"""What the package names is there, and none of it is hidden by a module of the same name."""

from types import ModuleType

import pytest

from ludus.agents import pretraining


def test_names_are_what_they_say():
    for name in pretraining._LAZY:
        assert name in dir(pretraining) and not isinstance(getattr(pretraining, name), ModuleType)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pretraining.nothing
