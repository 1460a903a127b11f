"""A game for web pages: the engine's loops over it as one WebAssembly module, and what a page has to know of it.

The module's loops are called as on CPU cores: with the address of a table of their buffers, the first game, and the one after
the last. Whoever loads it lays the buffers out in its memory, from `free` on, and the stack before them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine import kernel
from ..engine.backends import TWINS
from ..engine.compile_cpu import Buffer
from ..engine.compile_wasm import Loop, compile_wasm
from ..engine.layout import Layout, allocate
from ..engine.options import Options
from ..engine.rules import check_parameters, check_rules
from ..engine.wasm_module import end_of_data
from ..game import Game
from ..registry import find_game

LOOPS = {  # by the names that modules export them under: the loop, and its buffers
    "play": (kernel.play_games, None),  # all of `layout.allocate`
    "draw": (kernel.draw_games, ("records", "viewers", "picture")),
    "pick": (kernel.pick_games, ("legal", "streams", "actions", "count")),
    "advise": (kernel.advise_games, ("records", "streams", "actions")),
    "click": (kernel.click_games, ("records", "places", "clicked")),
}


@dataclass(frozen=True)
class WebGame:
    """A game as a page plays it.

    Attributes:
        code: the WebAssembly module; see `engine.compile_wasm.compile_wasm` for what it exports and imports.
        facts: plain numbers, names and lists, for JSON; see `facts_of`; and `free`, the first address that is.
    """

    code: bytes
    facts: dict[str, Any]


def web_game(game: str | Game, num_envs: int = 1, **options: Any) -> WebGame:
    """Compile a game for web pages; its episodes end and are not begun again by themselves.

    Args:
        game: its name, or a game of one's own.
        num_envs: how many games a page plays at once.
        options: of the game, as for `Simulator`.

    Raises:
        UnknownGame, OptionError: there is no such game, or it does not take these options.
        GameError: its rules do not compile.
    """
    game = find_game(game)
    layout = Layout(game, Options.of(game, options), num_envs, kernel.DISABLED)
    check_parameters(game)
    check_rules(game)
    played = allocate(layout)
    arrays = {**played, **page_arrays(layout)}
    loops = loops_of(layout, arrays, tuple(played))
    code = compile_wasm(game.name, loops)
    return WebGame(code, {**facts_of(layout, arrays, loops), "free": end_of_data(code)})


def page_arrays(layout: Layout) -> dict[str, np.ndarray]:
    """Buffers of loops other than `play`; the picture is as large as the page wants it."""
    n = layout.num_envs
    return {
        "viewers": np.full(n, kernel.SPECTATOR, np.int64),
        "picture": np.zeros((n, 1, 3), np.uint8),
        "count": np.full(1, len(layout.actions), np.int64),
        "places": np.zeros((n, 2), np.float64),
        "clicked": np.zeros(n, np.int64),
    }


def loops_of(layout: Layout, arrays: dict[str, np.ndarray], played: tuple[str, ...]) -> dict[str, Loop]:
    """The loops that a game has; `played` are the names of the buffers of `play`."""
    game, found = layout.game, {}
    picture = Buffer(np.dtype(np.uint8), (None, None))  # of any size
    seats = Buffer(np.dtype(np.int64), (layout.num_seats,))  # as these two loops see actions
    for export, (function, names) in LOOPS.items():
        if (export == "advise" and game.heuristic is None) or (export == "click" and game.click is None):
            continue
        chosen = {name: Buffer.of(arrays[name], export == "play" and name in TWINS) for name in names or played}
        chosen |= {"draw": {"picture": picture}, "pick": {"actions": seats}, "advise": {"actions": seats}}.get(
            export, {}
        )
        found[export] = Loop(function, layout.names, chosen)
    return found


def facts_of(layout: Layout, arrays: dict[str, np.ndarray], loops: dict[str, Loop]) -> dict[str, Any]:
    """What a page has to know of a game.

    `loops` has the buffers of each by name, `buffers` the kind, bytes and length of each, `record` the kind, place and shape
    of each field of the record, and `settings` the bytes of the settings, in which `command` is the place of the command.
    """
    game, settings = layout.game, arrays["settings"]
    record = {name: (game.State[name], game.State.fields[name][1]) for name in game.State.names or ()}  # type: ignore[index]
    return {
        "name": game.name,
        "summary": game.summary,
        "sections": game.sections,
        "actions": list(layout.actions),
        "all_actions": list(game.actions),
        "keys": dict(game.keys),
        "second_keys": dict(game.second_keys),
        "fps": game.fps,
        "waits": game.waits,
        "canvas": list(game.canvas),
        "players": layout.num_players,
        "player_names": list(game.player_names),
        "seats": layout.num_seats,
        "turns": game.turns,
        "hidden": game.hidden,
        "planes": list(game.planes),
        "features": list(game.features),
        "obs_shape": list(layout.obs_shape),
        "loops": {name: list(loop.buffers) for name, loop in loops.items()},
        "buffers": {name: [kind_of(array), array.nbytes, len(array)] for name, array in arrays.items()},
        "settings": list(settings.tobytes()),
        "command": kernel.SETTINGS.fields["command"][1],  # type: ignore[index]
        "record": {name: [kind.base.name, place, list(kind.shape)] for name, (kind, place) in record.items()},
    }


def kind_of(array: np.ndarray) -> str:
    """The name of a buffer's items: NumPy's, or "record"."""
    return "record" if array.dtype.names else array.dtype.name
