"""What training needs beyond the weights to go on exactly where it was."""

from __future__ import annotations

from typing import Any


def capture(agent: Any) -> dict[str, Any]:
    return {}
