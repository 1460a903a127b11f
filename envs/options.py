"""The arguments that every game takes, and what they make of its spaces."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from .errors import OptionError
from .game import Game
from .kernel import SETTINGS

OBS_TYPES = ("planes", "features", "rgb", "grayscale")


@dataclass(frozen=True)
class Options:
    """How a game is served. The same names and defaults hold in every face of Ludus."""

    obs_type: str | None = None
    """What is observed: planes or features (the game's own, the default), rgb, or grayscale."""
    size: int = 64
    """Width and height of rgb and grayscale observations, in pixels."""
    frame_stack: int = 1
    """Observations stacked along the last axis, in steps; the newest comes last."""
    repeat_action_probability: float = 0.0
    """Probability that the game repeats the last action instead of the one given (sticky actions; MinAtar uses 0.1)."""
    full_action_space: bool = False
    """Offer all actions of the game's family, also those that do nothing here, instead of the minimal set."""
    max_episode_steps: int | None = None
    """Truncate episodes after this many steps; None: never."""
    players: int | None = None
    """Players who take part, in games that take several numbers of them; None: as many as can."""
    levels: Sequence[int] | None = None
    """Draw every episode from these seeds, so that one can train on some levels and test on others; None: no limit."""

    def __post_init__(self) -> None:
        if self.levels is not None and not isinstance(self.levels, (range, tuple)):
            object.__setattr__(self, "levels", tuple(self.levels))

    @classmethod
    def of(cls, game: Game, given: dict[str, Any]) -> Options:
        """Options from keyword arguments, checked, with the game's own defaults filled in."""
        known = [f.name for f in fields(cls)]
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"options are {', '.join(known)}"
                raise OptionError(f"unknown option {name!r}: {hint}")
        return cls(**given).resolved(game)

    def resolved(self, game: Game) -> Options:
        """These options with `obs_type` filled in; raises OptionError if a value is out of range."""
        own = "planes" if game.planes else "features"
        obs_type = self.obs_type or own
        valid = (own, "rgb", "grayscale")
        if obs_type not in valid:
            near = difflib.get_close_matches(str(obs_type), valid, 1)
            raise OptionError(
                f"unknown obs_type {obs_type!r}: {game.name} has {', '.join(valid)}"
                + (f"; did you mean {near[0]!r}?" if near else "")
            )
        _whole("size", self.size, 8, 4096)
        _whole("frame_stack", self.frame_stack, 1, 64)
        if not 0.0 <= self.repeat_action_probability <= 1.0:
            raise OptionError(f"repeat_action_probability must be from 0 to 1, got {self.repeat_action_probability!r}")
        if self.players is not None:
            _whole("players", self.players, game.min_players, game.players)
        if game.players > 1 and self.repeat_action_probability:
            raise OptionError(f"repeat_action_probability must be 0 in a game of several players, as {game.name}")
        if game.turns and self.frame_stack > 1:
            raise OptionError(f"frame_stack must be 1 where players take turns, as in {game.name}")
        if self.max_episode_steps is not None:
            _whole("max_episode_steps", self.max_episode_steps, 1, 2**31 - 1)
        if self.levels is not None and not (
            len(self.levels) and all(isinstance(n, (int, np.integer)) and n >= 0 for n in self.levels)
        ):
            raise OptionError(f"levels must be whole numbers from 0, such as range(200), got {self.levels!r}")
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return Options(**{**given, "obs_type": obs_type})

    def actions(self, game: Game) -> tuple[str, ...]:
        """The names of the actions offered, in order."""
        return game.actions if self.full_action_space else game.minimal_actions

    def observation(self, game: Game) -> tuple[tuple[int, ...], np.dtype, float, float]:
        """Shape, dtype, lowest and highest value of one observation."""
        if self.obs_type in ("rgb", "grayscale"):
            channels = 3 if self.obs_type == "rgb" else 1
            return (self.size, self.size, channels * self.frame_stack), np.dtype(np.uint8), 0, 255
        if self.obs_type == "planes":
            return (*game.shape, len(game.planes) * self.frame_stack), np.dtype(np.uint8), 0, 1
        return (len(game.features) * self.frame_stack,), np.dtype(np.float32), -np.inf, np.inf

    def settings(self, game: Game, autoreset: int) -> np.ndarray:
        """The record that the engine's loop reads, shape (1,)."""
        settings = np.zeros(1, SETTINGS)
        offered = self.actions(game)
        settings["repeat_action_probability"] = self.repeat_action_probability
        settings["max_episode_steps"] = self.max_episode_steps or 0
        settings["autoreset"] = autoreset
        settings["num_actions"] = len(offered)
        settings["num_levels"] = 0 if self.levels is None else len(self.levels)
        settings["action_map"][0, : len(offered)] = [game.actions.index(a) for a in offered]
        return settings


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise OptionError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
