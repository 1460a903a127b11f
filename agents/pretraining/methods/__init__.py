"""What an encoder can be trained to do, a file each."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ....envs import OptionError

METHODS = {  # by name: where it is, and what it is
    "planes": ("planes.Planes", "supervised: the game's planes at every cell, from the picture"),
}


def method_class(name: str) -> Any:
    """The class of a method; raises OptionError."""
    if name not in METHODS:
        raise OptionError(f"there is no method {name!r}: choose from {', '.join(METHODS)}")
    file, _, title = METHODS[name][0].partition(".")
    return getattr(import_module(f".{file}", __name__), title)
