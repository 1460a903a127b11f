"""Packages of the extras, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from ...envs import OptionError
from ...envs.extras import packages_of

NAMES = {"sklearn": "scikit-learn", "PIL": "pillow"}  # where a package is installed by another name than it is imported


def need(module: str, what: str, extra: str = "pretrain") -> Any:
    """A module of an extra, such as "sklearn.datasets", for `what`; raises OptionError if it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise OptionError(f"{what} needs {NAMES.get(package, package)}: pip install {packages_of(extra)}") from error
