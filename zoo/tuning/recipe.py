"""A recipe as a file, in the form of those of `ludus.zoo.recipes`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...agents.files.safe_io import to_json, write_whole


def write_recipe(path: Path, algorithm: str, about: str, options: dict[str, Any], settings: dict[str, Any]) -> None:
    """Write options of the game and settings of an algorithm, those that are not the defaults of `ludus train`."""
    write_whole(path, to_json({"about": about, "algo": algorithm, "options": options, algorithm: settings}))
