"""The errors of steps that go wrong: actions that cannot be taken, rules that fail, numbers that are not finite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ActionError, GameError, NotReset
from ..game import Game
from . import kernel
from .compile_cpu import ENDLESS
from .layout import Layout

SHOWN = 20  # actions named in a message, at most


def check_shape(layout: Layout, shape: Any) -> None:
    """Raise ActionError if actions of that shape are not one for each who acts."""
    right = (layout.num_envs,) if layout.num_seats == 1 else (layout.num_envs, layout.num_seats)
    if tuple(shape) != right:
        each = "game" if layout.num_seats == 1 else "player of each game"
        raise ActionError(f"actions must have shape {right}, one for each {each}; got {tuple(shape)}")


def fault_error(layout: Layout, fault: int, i: int, actions: np.ndarray, legal: np.ndarray) -> Exception:
    """The error that `kernel.fault_of` game `i` stands for, after these actions (N * seats,), of those legal (N, A)."""
    if fault == kernel.OVER:
        return NotReset(f"the episode of environment {i} is over: reset it before the next step")
    names, name = layout.actions, layout.game.name
    given = actions[i * layout.num_seats : (i + 1) * layout.num_seats].tolist()
    if fault == kernel.ILLEGAL:
        allowed = [f"{k} {names[k]}" for k in np.flatnonzero(legal[i])]
        more = ", ..." if len(allowed) > SHOWN else ""
        move = f"{given[0]} {names[given[0]]}" if given else "given"
        return ActionError(
            f"action {move} of environment {i} is not allowed by the rules of {name}: now it could be "
            f"{', '.join(allowed[:SHOWN])}{more}"
        )
    wrong = next((action for action in given if not 0 <= action < len(names)), None)
    choices = ", ".join(f"{k} {action}" for k, action in enumerate(names[:SHOWN]))
    more = f", ... up to {len(names) - 1}" if len(names) > SHOWN else ""
    return ActionError(f"action {wrong} of environment {i} is out of range: {name} takes {choices}{more}")


def rule_error(
    game: Game, code: int, checked: bool, unverified: bool, told: str = "run it with mode='debug' to see where"
) -> GameError:
    """The error that a compiled loop's answer, RAISED or ENDLESS, stands for.

    Args:
        checked: whether the loop checks indices.
        unverified: whether it played from a state that came from outside.
        told: what the message tells to do.
    """
    raised = (
        "raised an index outside its array, or another exception" if checked or unverified else "raised an exception"
    )
    what = "a loop in a rule does not end" if code == ENDLESS else f"a rule {raised}"
    if unverified:
        return GameError(
            f"{game.name}: {what}: the state that was loaded is none that the rules reach; reset() ends it"
        )
    return GameError(f"{game.name}: {what}; {'check_game says which' if code == ENDLESS else told}")


def check_finite(game: Game, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise GameError if compiled rules left a number that is not finite where plain Python would refuse it."""
    records = arrays["records"]
    found = [
        ("step gave the reward", arrays["reward"]),
        *((f"a rule left {name} =", records[name]) for name in game.State.names or ()),
        ("observe wrote the feature", arrays["obs"]),
        ("observe wrote the feature", arrays["final_obs"]),
        ("the rewards of an episode add up to", arrays["episode_return"]),
    ]
    for what, numbers in found:
        if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
            raise GameError(f"{game.name}: {what} {numbers[~np.isfinite(numbers)][0]}, which is not finite")
