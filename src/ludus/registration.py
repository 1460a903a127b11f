"""Ludus's games are registered with Gymnasium as soon as both are imported, in either order.

To import Gymnasium takes several times as long as all else that `import ludus` does, and not every use of Ludus needs it.
So nobody imports it here: if it is not there yet, Python's import system is asked to tell when it comes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def register_with_gymnasium() -> None:
    """Now, if Gymnasium is imported already, else right after that."""
    if "gymnasium" in sys.modules:
        _register(sys.modules["gymnasium"])
    else:
        sys.meta_path.insert(0, _Watch())


def _register(gymnasium: ModuleType) -> None:
    if hasattr(gymnasium, "register"):  # else its import failed, or asks for Ludus on its way
        from .envs.registry import register_own_games

        register_own_games()


class _Watch(MetaPathFinder):
    """Sees Gymnasium's import coming, once, and has something to do after it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "gymnasium":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        loader: Any = None if spec is None else spec.loader
        if loader is not None:
            execute = loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                _register(module)

            loader.exec_module = execute_and_register
        return spec
