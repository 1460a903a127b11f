"""Packages that only `ludus[pretrain]` installs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...envs import OptionError


def scikit_learn(module: str) -> Any:
    """A module of scikit-learn, such as "cluster"."""
    try:
        return import_module(f"sklearn.{module}")
    except ImportError:
        raise OptionError(f"{module} of scikit-learn is needed: pip install 'ludus[pretrain]'") from None
