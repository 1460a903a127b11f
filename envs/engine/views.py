"""What only looks at records: pictures, what players see, and the errors of rules that fail while they are looked at.

Games that are not Ludus's own are looked at by checked kernels, which may take several times as long. Nothing waits for it in
training, and so only what plays the games has to be tried before, see `trial`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import GameError
from ..game import Game
from ..registry import is_own
from . import kernel
from .compile import replacements
from .rules import check_rules
from .threads import once

if TYPE_CHECKING:
    from .compile_cpu import Buffer, Table
    from .simulator import Simulator


def paint_backdrop(sim: Simulator, backdrop: np.ndarray) -> None:
    """Draw what the pixels of this simulator begin with, if it has any and they begin with something."""
    from .compile_cpu import Buffer, Table, compile_cpu

    if backdrop.size > 1:
        buffers, checked = (Buffer(backdrop.dtype, (None, None)),), not is_own(sim.game)
        function = compile_cpu(sim.game.name, kernel.draw_backdrops, sim._names, buffers, checked=checked)
        run(sim.game, function, Table((backdrop,), buffers), 1, checked)


def paint_pictures(
    game: Game, records: np.ndarray, pictures: np.ndarray, viewer: int = kernel.SPECTATOR, doubt: bool = False
) -> None:
    """Draw records (N,) over `pictures`, (N, rows, columns * 3) uint8, as a player or a spectator sees them.

    `doubt`: the records may be none that the rules reach, which is an error then, or a picture.
    """
    from .compile_cpu import Table

    checked = doubt or not is_own(game)
    function, buffers = _painter(game, checked)
    table = Table((np.ascontiguousarray(records), np.full(len(records), viewer, np.int64), pictures), buffers)
    run(game, function, table, len(records), checked, doubt)


def view_players(sim: Simulator, records: np.ndarray, player: int, views: np.ndarray) -> None:
    """Write what a player sees of each record, (N,), into `views`, which is like `obs`."""
    from .compile_cpu import Buffer, Table, compile_cpu

    doubt, viewers = sim._doubt.whole.some, np.full(len(records), player, np.int64)
    frames = views.reshape(len(records), *sim._backend.arrays["obs"].shape[1:])
    arrays = (np.ascontiguousarray(records), viewers, sim._backend.read("backdrop"), frames)
    buffers = [Buffer.of(array) for array in arrays]
    checked = doubt or not is_own(sim.game)
    function = compile_cpu(sim.game.name, kernel.view_games, sim._names, buffers, checked=checked)
    run(sim.game, function, Table(arrays, buffers), len(records), checked, doubt)


def run(
    game: Game, function: Callable[[int, int, int], int], table: Table, count: int, checked: bool, doubt: bool = False
) -> None:
    """Call a kernel that only looks at records; raises GameError if a rule did."""
    from .compile_cpu import ENDLESS

    code = function(table.address, 0, count)
    if code <= ENDLESS:
        raise rule_error(game, code, checked, doubt, "check_game says where")


@once
def _painter(game: Game, checked: bool) -> tuple[Callable[[int, int, int], int], tuple[Buffer, ...]]:
    """The compiled `draw_games` of a game, for pictures of any size."""
    from .compile_cpu import Buffer, compile_cpu

    check_rules(game)
    buffers = (Buffer(game.State), Buffer(np.dtype(np.int64)), Buffer(np.dtype(np.uint8), (None, None)))
    return compile_cpu(game.name, kernel.draw_games, replacements(game), buffers, checked=checked), buffers


def rule_error(
    game: Game, code: int, checked: bool, doubt: bool, told: str = "run it with mode='debug' to see where"
) -> GameError:
    """The error that a kernel's answer, RAISED or ENDLESS, stands for."""
    from .compile_cpu import ENDLESS

    raised = "raised an index outside its array, or another exception" if checked or doubt else "raised an exception"
    what = "a loop in a rule does not end" if code == ENDLESS else f"a rule {raised}"
    if doubt:
        return GameError(
            f"{game.name}: {what}: the state that was loaded is none that the rules reach; reset() ends it"
        )
    return GameError(f"{game.name}: {what}; {'check_game says which' if code == ENDLESS else told}")
