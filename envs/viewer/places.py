"""Where on the picture each action is, found by calling the game's `click` at many points of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..engine.plain import PlainRecord
from ..game import Game

SAMPLES = 48  # along the longer side of the picture
PRECISION = 8  # how often the way to a region's edge is halved
TALL = 5.0  # times its width: of what is so high, the upper end is marked, as of a column into which discs fall


class Places:
    """A game's places, asked for once for each of its states.

    Args:
        actions: names of those offered, by whose numbers places are told.
    """

    def __init__(self, game: Game, actions: Sequence[str]) -> None:
        self.game = game
        self._offered = [actions.index(name) if name in actions else -1 for name in game.actions]
        self._known: tuple[bytes, dict[int, tuple[float, float]]] = b"", {}

    def action_at(self, record: np.void, x: float, y: float) -> int:
        """The action that a click there stands for; -1: none."""
        action = int(self.game.click(PlainRecord(record), x, y)) if self.game.click is not None else -1
        return self._offered[action] if action >= 0 else -1

    def of(self, record: np.void) -> dict[int, tuple[float, float]]:
        """The place of each action that a click can stand for now, in the game's units."""
        if self.game.click is not None and self._known[0] != record.tobytes():
            self._known = record.tobytes(), self._found(record)
        return self._known[1]

    def _found(self, record: np.void) -> dict[int, tuple[float, float]]:
        width, height = self.game.canvas
        step = max(width, height) / SAMPLES
        regions: dict[int, list[tuple[float, float]]] = {}
        for x in np.arange(step / 2, width, step).tolist():
            for y in np.arange(step / 2, height, step).tolist():
                regions.setdefault(self.action_at(record, x, y), []).append((x, y))
        regions.pop(-1, None)
        return {action: self._middle(record, action, points, step) for action, points in regions.items()}

    def _middle(
        self, record: np.void, action: int, points: list[tuple[float, float]], step: float
    ) -> tuple[float, float]:
        """Where to mark a region, some of whose points are known, `step` apart."""
        (x, y), (width, height) = np.mean(points, axis=0).tolist(), self.game.canvas

        def edge(right: int, down: int) -> float:
            """How far the region reaches in a direction."""
            inside, outside = 0.0, float(np.ptp(points, axis=0) @ (abs(right), abs(down))) + step
            for _ in range(PRECISION):
                reach = (inside + outside) / 2
                at = x + right * reach, y + down * reach
                if 0 <= at[0] < width and 0 <= at[1] < height and self.action_at(record, *at) == action:
                    inside = reach
                else:
                    outside = reach
            return inside

        left, right, up, down = edge(-1, 0), edge(1, 0), edge(0, -1), edge(0, 1)
        x += (right - left) / 2
        if up + down > TALL * (left + right):
            return x, y - up + (left + right) / 2
        return x, y + (down - up) / 2
