"""What records look like: observations of any kind, for games that need not be played."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import describe, one_of
from ..errors import OptionError
from ..game import Game
from ..registry import find_game
from . import kernel
from .layout import Layout, allocate
from .options import Options
from .rendering import paint_backdrop, view_players
from .saved_states import check_players


class Observer:
    """Observations of records: pictures of a simulator that shows planes, planes of one that shows pictures, labels.

    >>> sim = Simulator("Breakout", 1024)
    >>> pictures = Observer("Breakout", obs_type="rgb", size=64)
    >>> sim.reset()
    >>> pictures(sim.records)   # (1024, 64, 64, 3) uint8, what `sim` would show with these options

    Args:
        game: a name such as "Breakout", or a `Game`.
        mode: "compiled", or "checked" for records that may be none that the rules reach, such as those of a file: then an
            index outside an array is an error, and compiled rules do not write where they must not.
        **options: `obs_type` and `size` of `ludus.envs.Options`; in games for several, `players`.

    Attributes:
        shape, dtype: of one observation.
    """

    def __init__(self, game: str | Game, mode: str = "compiled", **options: Any) -> None:
        self.game = find_game(game)
        self.checked = one_of("mode", mode, ("compiled", "checked")) == "checked"
        self.options = Options.of(self.game, options)
        if self.options.frame_stack > 1:
            raise OptionError("frame_stack must be left out: a record is of one moment")
        self._layout = Layout(self.game, self.options, 1, kernel.DISABLED)
        self.shape, self.dtype = self._layout.observation[:2]
        self._backdrop = allocate(self._layout)["backdrop"]
        paint_backdrop(self._layout, self._backdrop)

    def __call__(self, records: np.ndarray, player: Any = None) -> np.ndarray:
        """Observations (N, *shape), a new array.

        Args:
            records: (N,) of dtype `game.State`.
            player: who looks, a number or one for each record (N,); None: whose turn it is, and else the first.

        Raises:
            OptionError: these are no records of this game.
            GameError: a rule fails, which only `mode="checked"` finds out.
        """
        state = self.game.State
        if not isinstance(records, np.ndarray) or records.dtype != state or records.ndim != 1:
            raise OptionError(f"records must be (N,) of {self.game.name}'s State, got {describe(records)}")
        if self.checked:
            check_players(self.game, records)
        if player is None:
            player = records["player"] if self.game.turns else 0
        viewers = np.asarray(player)
        if viewers.dtype.kind not in "iu" or viewers.shape not in ((), records.shape):
            raise OptionError(f"player must be a whole number or (N,) of them, got {describe(player)}")
        if len(records) and not 0 <= viewers.min() <= viewers.max() < self._layout.num_players:
            raise OptionError(f"player must be from 0 to {self._layout.num_players - 1}, got {describe(player)}")
        views = np.zeros((len(records), *self.shape), self.dtype)
        view_players(self._layout, records, self._backdrop, viewers, views, self.checked)
        return views
