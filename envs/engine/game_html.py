"""How simulators show themselves in notebooks, and the environments of other libraries that are around one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..notebook import PIXELS, facts_html, or_nothing
from .options import Options

LOOKS = ("obs_type", "size", "frame_stack")  # options that the row of observations has


@or_nothing
def game_html(sim: Any, kind: str) -> str:
    """A `Simulator`, or an environment of this kind around it, as HTML; nothing changes there.

    None, without an error, where that cannot be made, so that notebooks show text.
    """
    game = sim.game
    picture, note = picture_of(sim)
    rows = {
        "players": "" if sim.num_players == 1 else f"{sim.num_players}, {'in turn' if game.turns else 'at once'}",
        "games": f"{sim.num_envs:,} on {sim.device}",
        "observation": observation_in_words(sim),
        "actions": f"{len(sim.actions)}: {', '.join(sim.actions)}",
        "options": options_in_words(sim.options),
    }
    about = game.summary[:1].upper() + game.summary[1:]
    return facts_html(game.name, f"{game.id}, {kind}", about, rows, picture, note)


def picture_of(sim: Any) -> tuple[np.ndarray | None, str]:
    """The first game's picture, and a note on it; before the first reset, what that begins with, played elsewhere."""
    try:
        if sim._ready:
            return sim.frame(0, PIXELS), "" if sim.num_envs == 1 else f"the first of {sim.num_envs:,}"
        _, mode, _ = sim._chosen
        same: dict[str, Any] = {**vars(sim.options), "seed": sim.seed_used, "mode": mode}
        begun = type(sim)(sim.game, autoreset="disabled", num_threads=1, **same)
        begun.reset()
        return begun.frame(0, PIXELS), "before reset"
    except Exception:  # a rule of the user's that fails; the rest is shown without
        return None, ""


def observation_in_words(sim: Any) -> str:
    """Shape, dtype and names, such as `(10, 10, 4) uint8: paddle, ball, trail, brick`."""
    kind, stacked = sim.options.obs_type, sim.options.frame_stack
    names = {"planes": sim.game.planes, "features": sim.game.features}.get(str(kind), ())
    words = f"{sim.obs_shape} {sim.obs_dtype}: {', '.join(names) if names else kind}"
    return words if stacked == 1 else f"{words}, {stacked} steps stacked"


def options_in_words(options: Options) -> str:
    """Those that are not the defaults, such as `repeat_action_probability=0.1`."""
    default = Options()
    given = {name: value for name, value in vars(options).items() if value != getattr(default, name)}
    return ", ".join(f"{name}={in_short(value)}" for name, value in given.items() if name not in LOOKS)


def in_short(value: Any) -> str:
    """An option's value in words; of many levels, their ends and their number."""
    if isinstance(value, tuple) and len(value) > 6:
        return f"({value[0]}, ..., {value[-1]}; {len(value):,} in all)"
    return str(value)
