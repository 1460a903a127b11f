"""The options that every game takes, and the spaces that follow from them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from inspect import getfullargspec
from typing import Any

import numpy as np

from ..arguments import describe, flag, number, whole
from ..errors import OptionError, UnknownOption
from ..game import Game
from .kernel import SETTINGS

OBS_TYPES = ("planes", "features", "rgb", "grayscale")

MOST_LEVELS = 10_000_000  # each has a place in memory


@dataclass(frozen=True)
class Options:
    """Options of a game. Names and defaults are the same in all adapters and on the command line."""

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
    """Truncate episodes after this many steps; -1: never; None: as the game's author says, mostly never."""
    players: int | None = None
    """Players who take part, in games that take several numbers of them; None: as many as can."""
    levels: Sequence[int] | None = None
    """Draw every episode from these seeds, so that one can train on some levels and test on others; None: no limit."""

    @classmethod
    def of(cls, game: Game, given: dict[str, Any], taker: Callable[..., Any] | None = None) -> Options:
        """Options from keyword arguments, checked, with the game's own defaults filled in.

        `taker` is who was given them: its own arguments may have been meant, too.
        """
        known = [f.name for f in fields(cls)]
        for name in given:
            if name not in known:
                beside = [] if taker is None else getfullargspec(taker).kwonlyargs + getfullargspec(taker).args[2:]
                near = difflib.get_close_matches(name, [*known, *beside], 1)
                hint = f"did you mean {near[0]!r}?" if near else f"options are {', '.join(known)}"
                raise UnknownOption(f"{game.name} got an unexpected keyword argument {name!r}: {hint}")
        return cls(**given).resolved(game)

    def resolved(self, game: Game) -> Options:
        """These options with the game's own defaults filled in, of Python's own kinds.

        Raises OptionError if one is out of range.
        """
        own = "planes" if game.planes else "features"
        obs_type = own if self.obs_type is None else self.obs_type
        valid = (own, "rgb", "grayscale")
        if not isinstance(obs_type, str) or obs_type not in valid:
            near = difflib.get_close_matches(str(obs_type), valid, 1)
            raise OptionError(
                f"unknown obs_type {describe(obs_type)}: {game.name} has {', '.join(valid)}"
                + (f"; did you mean {near[0]!r}?" if near else "")
            )
        size = whole("size", self.size, 8, 4096)
        if obs_type == own and size != type(self).size:
            raise OptionError(f"size must be left out, got {size}: only obs_type='rgb' and 'grayscale' have pixels")
        sticky = number("repeat_action_probability", self.repeat_action_probability, 0, 1)
        stack, limit, players = whole("frame_stack", self.frame_stack, 1, 64), self.max_episode_steps, self.players
        if game.players > 1 and sticky:
            raise OptionError(f"repeat_action_probability must be 0 in a game of several players, as {game.name}")
        if game.turns and stack > 1:
            raise OptionError(f"frame_stack must be 1 where players take turns, as in {game.name}")
        limit = game.max_episode_steps if limit is None else limit
        if limit is not None and not (isinstance(limit, (int, np.integer)) and limit == -1):
            limit = whole("max_episode_steps", limit, 1, 2**31 - 1, also=", or -1 for no limit")
        return Options(
            obs_type=str(obs_type),
            size=size,
            frame_stack=stack,
            repeat_action_probability=sticky,
            full_action_space=flag("full_action_space", self.full_action_space),
            max_episode_steps=limit,
            players=None if players is None else whole("players", players, game.min_players, game.players),
            levels=None if self.levels is None else _seeds(self.levels),
        )

    @property
    def step_limit(self) -> int | None:
        """After how many steps episodes are truncated; None: never."""
        return None if self.max_episode_steps == -1 else self.max_episode_steps

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
        settings["max_episode_steps"] = self.step_limit or 0
        settings["autoreset"] = autoreset
        settings["num_actions"] = len(offered)
        settings["num_levels"] = 0 if self.levels is None else len(self.levels)
        settings["action_map"][0, : len(offered)] = [game.actions.index(a) for a in offered]
        return settings


def _seeds(levels: Any) -> range | tuple[int, ...]:
    """Levels as a range or a tuple, if each is a seed."""
    if isinstance(levels, np.ndarray):
        levels = levels.tolist()
    seeds = levels if isinstance(levels, range) else tuple(levels) if isinstance(levels, Sequence) else ()
    if seeds[MOST_LEVELS:]:  # `len` of a range may be too large for C
        raise OptionError(f"levels may be {MOST_LEVELS:,} at most, got {describe(levels)}; levels=None has no limit")
    ends = (seeds[0], seeds[-1]) if isinstance(seeds, range) and seeds else seeds
    if not ends or any(isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 0 <= n < 2**63 for n in ends):
        raise OptionError(f"levels must be whole numbers from 0, such as range(200), got {describe(levels)}")
    return seeds if isinstance(seeds, range) else tuple(map(int, seeds))
