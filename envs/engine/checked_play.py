"""Games of users are played with checks before they run without: compiled rules index as C does, and a fault would write
anywhere.

The first time that a game's rules are compiled for some kind of observation, a few games are played at random by kernels that
check every index, every division and whether whole numbers fit where they are stored, and end every loop; numbers must be
finite. That they went well is kept beside the
compiled kernels, so that it is done once. Chance does not find everything: `check_game` looks longer, and `mode="checked"`
always.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from time import thread_time
from typing import Any

import numpy as np

from ..errors import GameError, RuleError
from ..game import Game
from ..registry import is_own
from . import kernel
from .cache import read_kernel, write_kernel
from .compile import fingerprint, replacements
from .layout import Layout
from .options import Options
from .threads import once
from .watchdog import Watchdog

GAMES, STEPS = 64, 1600  # at most, as in `check_game`,
SECONDS = 2.0  # of the processor, which most games need a fraction of
MOST_BYTES = 1 << 22  # of all games' observations; of large pictures there are fewer games
PASSED = b"passed: indices, divisions, finite numbers that fit"  # what passed when less was looked at is tried again


def try_rules(layout: Layout, simulator: type[Any]) -> None:
    """Raise GameError, in one line, if a game that is not Ludus's own goes wrong when it is played at random.

    `simulator` is the class `Simulator`, here as in the functions below.
    """
    if not is_own(layout.game):
        anyhow = {"full_action_space": True, "max_episode_steps": -1, "levels": None, "repeat_action_probability": 0.0}
        _try(layout.game, replace(layout.options, players=layout.num_players, **anyhow), simulator)


@once
def _try(game: Game, options: Options, simulator: type[Any]) -> None:
    names = replacements(game, options.obs_type or "", options.frame_stack, options.players)
    shape, kind, *_ = options.observation(game)
    kept_as = f"{game.name}-tried", fingerprint(kernel.play_games, names, repr(game.State), shape, len(game.actions))
    if read_kernel(*kept_as) == PASSED:
        return
    count = min(max(MOST_BYTES // (int(np.prod(shape)) * kind.itemsize), 1), GAMES)
    try:
        _play(simulator, game, count, asdict(options))
    except RuleError as error:
        raise GameError(str(error)) from error
    write_kernel(*kept_as, PASSED)


def _play(simulator: type[Any], game: Game, count: int, options: dict[str, Any]) -> None:
    """Play at random with every index, division and number checked."""
    setting: dict[str, Any] = {**options, "seed": 0, "num_threads": 1}
    try:
        sim = simulator(game, count, mode="checked", **setting)
    except GameError:
        simulator(game, mode="debug", **options)  # a backdrop that fails says here where it does
        raise
    random, began = np.random.default_rng(0), thread_time()
    for step in range(STEPS):
        advance(sim, options, _choose(sim, random, step) if step else None)
        if thread_time() - began > SECONDS:
            return


def _choose(sim: Any, random: np.random.Generator, step: int) -> np.ndarray:
    """Any actions; where rules say which are allowed, only those, or in a game for one, which has to take any, by turns."""
    if sim.legal is None or (sim.num_players == 1 and step % 2):
        return random.integers(len(sim.actions), size=sim.reward.shape)  # which is one for each who acts
    return np.argmax(random.random(sim.legal.shape) * sim.legal, axis=1)


def advance(sim: Any, options: Mapping[str, Any], actions: np.ndarray | None) -> None:
    """A step of a checked simulator, or its reset; if it fails, the error has the line that did it."""
    before, _ = sim.snapshot()
    try:
        sim.reset() if actions is None else sim.step(actions)
    except GameError:
        explain(type(sim), sim.game, options, before, actions)
        raise


def explain(
    simulator: type[Any],
    game: Game,
    options: Mapping[str, Any],
    before: Mapping[str, Any],
    actions: np.ndarray | None,
) -> None:
    """Take a step that failed compiled, or a reset, as plain Python, which says where in a RuleError."""
    plain = simulator(game, mode="debug", **options)
    count = len(before["records"])
    for k in range(count):
        rows = {
            name: value[k * len(value) // count : (k + 1) * len(value) // count]
            for name, value in before.items()
            if name != "game"
        }
        with Watchdog():
            plain.load_state_dict({"game": before["game"], **rows})
            plain.reset() if actions is None else plain.step(actions[k : k + 1])
