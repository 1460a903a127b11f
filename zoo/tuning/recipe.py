"""A recipe as a file, in the form of those of `ludus.zoo.recipes`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...agents.files.safe_io import to_json, write_whole


def write_recipe(
    path: Path, algorithm: str, steps: int, about: str, options: dict[str, Any], settings: dict[str, Any]
) -> None:
    """Write the steps of a training, and options and settings, those that are not the defaults of `ludus train`."""
    facts = {"about": about, "algo": algorithm, "total_timesteps": steps, "options": options, algorithm: settings}
    write_whole(path, to_json(facts))
