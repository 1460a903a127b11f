"""Pictures and observations of records, by compiled loops that change nothing.

For games that are not Ludus's own they are compiled with checks, which may take several times as long: training does not
use them. Only the loop that plays the games is therefore tried first, see `checked_play`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..game import Game
from ..registry import is_own
from . import kernel
from .compile import replacements
from .compile_cpu import ENDLESS, Buffer, Table, compile_cpu
from .faults import rule_error
from .layout import Layout
from .rules import check_rules
from .threads import once


def paint_backdrop(layout: Layout, backdrop: np.ndarray) -> None:
    """Draw what every picture begins with into `backdrop`, a buffer of `layout.allocate`; of size 1, it is not used."""
    if backdrop.size > 1:
        buffers, checked = (Buffer(backdrop.dtype, (None, None)),), not is_own(layout.game)
        function = compile_cpu(layout.game.name, kernel.draw_backdrops, layout.names, buffers, checked=checked)
        run(layout.game, function, Table((backdrop,), buffers), 1, checked)


def paint_pictures(
    game: Game, records: np.ndarray, pictures: np.ndarray, viewer: int = kernel.SPECTATOR, unverified: bool = False
) -> None:
    """Draw records (N,) over `pictures`, (N, rows, columns * 3) uint8, as a player or a spectator sees them.

    `unverified`: the records came from outside and may be none that the rules reach: then a picture, or GameError.
    """
    checked = unverified or not is_own(game)
    function, buffers = _painter(game, checked)
    table = Table((np.ascontiguousarray(records), np.full(len(records), viewer, np.int64), pictures), buffers)
    run(game, function, table, len(records), checked, unverified)


def view_players(
    layout: Layout, records: np.ndarray, backdrop: np.ndarray, player: Any, views: np.ndarray, unverified: bool
) -> None:
    """Write what a player sees of each record, (N,), into `views`, (N, *obs_shape); `player` is a number, or (N,) of them."""
    viewers, frames = np.full(len(records), player, np.int64), views.reshape(len(records), *layout.frame_shape)
    arrays = (np.ascontiguousarray(records), viewers, backdrop, frames)
    buffers = [Buffer.of(array) for array in arrays]
    checked = unverified or not is_own(layout.game)
    function = compile_cpu(layout.game.name, kernel.view_games, layout.names, buffers, checked=checked)
    run(layout.game, function, Table(arrays, buffers), len(records), checked, unverified)


def run(
    game: Game,
    function: Callable[[int, int, int], int],
    table: Table,
    count: int,
    checked: bool,
    unverified: bool = False,
) -> int:
    """Call a compiled loop over `count` records, and return its answer; raises GameError if a rule fails."""
    code = function(table.address, 0, count)
    if code <= ENDLESS:
        raise rule_error(game, code, checked, unverified, "check_game says where")
    return code


@once
def _painter(game: Game, checked: bool) -> tuple[Callable[[int, int, int], int], tuple[Buffer, ...]]:
    """The compiled `draw_games` of a game, for pictures of any size."""
    check_rules(game)
    buffers = (Buffer(game.State), Buffer(np.dtype(np.int64)), Buffer(np.dtype(np.uint8), (None, None)))
    return compile_cpu(game.name, kernel.draw_games, replacements(game), buffers, checked=checked), buffers
