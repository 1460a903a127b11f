"""`check_game`: whether a game keeps to the contract of `game`, and whether the engine plays it alike in every way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import product
from typing import Any

import numpy as np

from .bots import Bot
from .engine.checked_play import advance
from .engine.plain import PlainRecords, check_action, watch
from .engine.rendering import paint_pictures
from .engine.rules import check_rules
from .engine.simulator import Simulator
from .engine.watchdog import Watchdog
from .errors import GameError, LudusError
from .game import Game
from .viewer.scene import RESERVED

HEADINGS = ("Description", "Actions", "Observation", "Start", "Reward", "Termination", "Truncation", "Arguments",
            "Rules from", "Version history")  # fmt: skip
_HEADINGS = ", ".join(HEADINGS)
RESULTS = ("records", "clocks", "streams", "totals", "obs", "final_obs", "legal", "reward", "terminated", "truncated",
           "episode_return", "episode_length")  # fmt: skip


@dataclass(frozen=True)
class GameReport:
    """What `check_game` saw players do who press keys at random; returns are the first player's."""

    game: str
    """The id, such as `ludus/Breakout-v1`."""
    steps: int
    episodes: int
    """How many ended in these steps."""
    mean_return: float
    mean_length: float
    """Over those episodes; NaN if there was none."""
    lowest_reward: float
    highest_reward: float
    unseen: tuple[str, ...]
    """Planes or features that were zero in all observations."""
    undocumented: str = ""
    """What the docstring of its file does not say, and should before others play it."""

    def __str__(self) -> str:
        lines = [f"{self.game} is sound. At random, in {self.steps} steps:"]
        if self.episodes:
            lines.append(
                f"  {self.episodes} episodes, {self.mean_length:.1f} steps and {self.mean_return:.3f} points on average"
            )
        else:
            lines.append("  no episode ended: think of max_episode_steps for training")
        lines.append(f"  rewards from {self.lowest_reward:g} to {self.highest_reward:g}")
        if self.unseen:
            lines.append(f"  never seen: {', '.join(self.unseen)}")
        if self.undocumented:
            lines.append(f"  not yet fit to be published: {self.undocumented}")
        return "\n".join(lines)


def check_game(game: Game, *, steps: int = 300, seed: int = 0) -> GameReport:
    """Play a game in every way the engine has and compare; takes seconds.

    Checked are the keys, rules run with every index and division looked at, finite numbers, observations within their
    declared space, every action, compiled rules against plain Python bit for bit, the same episodes from the same seed, and
    a drawing that covers the whole picture. What the docstring lacks is no error, but reported.

    Args:
        game: the game.
        steps: of each of three games run side by side in plain Python.
        seed: of the games and of the random player.

    Raises:
        GameError: in one line, what is wrong.
    """
    if not isinstance(game, Game):
        raise GameError(f"check_game takes a Game, got {type(game).__name__}")
    _check_keys(game)
    try:
        check_rules(game)
        stories = [_play_plain(game, steps, seed), _play_plain(game, max(steps // 50, 1), seed, "rgb")]
        for story in stories:  # compiled rules run only now: they can neither be stopped nor say where they are
            _check_compiled(game, story, seed)
        _check_drawing(game, seed)
        report = _play_at_random(game, seed)
    except LudusError as error:
        raise error if isinstance(error, GameError) else GameError(str(error)) from error
    return replace(report, undocumented=_undocumented(game))


def _check_keys(game: Game) -> None:
    """Keys are pygame's, and not those that every window has for itself."""
    from .viewer.desktop import key_names

    known = key_names()
    for key in (*game.keys, *game.second_keys):
        if key in RESERVED:
            raise GameError(f"{game.name}: the key {key!r} is the window's own ({RESERVED[key]}): take another")
        if key not in known:
            plain = re.sub(r"arrow|key|\bk_", "", key.lower()).replace("_", " ").strip()
            meant = get_close_matches(plain, known, 1)
            hint = f": did you mean {meant[0]!r}?" if meant else ", see pygame.key.name"
            raise GameError(f"{game.name}: {key!r} is no key that pygame knows{hint}")


def _undocumented(game: Game) -> str:
    """What the docstring of a game's file lacks; "" if nothing."""
    if not game.doc:
        return (
            f"its file has no docstring: it begins with '{game.name}: ' and a summary, and has the headings {_HEADINGS}"
        )
    lines = game.doc.split("\n")
    missing = [heading for heading in HEADINGS if heading not in lines]
    if missing:
        return f"the docstring of its file has no heading {', '.join(map(repr, missing))}"
    if [line for line in lines if line in HEADINGS] != list(HEADINGS):
        return f"the docstring's headings must come once each and in the order {_HEADINGS}"
    if not game.doc.strip().startswith(f"{game.name}: "):
        return f"the docstring of its file must begin with '{game.name}: ' and a summary"
    return ""


@dataclass
class _Story:
    """What three games did as plain Python, step by step."""

    options: dict[str, Any]
    actions: list[np.ndarray] = field(default_factory=list)
    results: list[dict[str, bytes]] = field(default_factory=list)  # before each step


def _play_plain(game: Game, steps: int, seed: int, obs_type: str | None = None) -> _Story:
    """Play with all checks on."""
    options: dict[str, Any] = {"seed": seed, "obs_type": obs_type, "full_action_space": True, "max_episode_steps": -1}
    if game.players == 1:
        options["repeat_action_probability"] = 0.1
    story = _Story(options)
    sim = Simulator(game, 3, mode="debug", **options)
    actions = _Actions(sim, seed, plain=True)
    with Watchdog() as dog:
        sim.reset()
        for step in range(steps):
            dog.alive()
            story.results.append(_results(sim))
            story.actions.append(actions.next())
            sim.step(story.actions[-1])
            if step % 50 == 0:
                _check_clicks(game, sim.records)
                _check_value(game, sim.records)
    return story


def _check_compiled(game: Game, story: _Story, seed: int) -> None:
    """Compiled rules, twice, stay equal to a story, byte by byte."""
    compiled, again = Simulator(game, 3, **story.options), Simulator(game, 3, **story.options)
    actions = _Actions(compiled, seed)
    for simulator in (compiled, again):
        simulator.reset()
    for step, (chosen, told) in enumerate(zip(story.actions, story.results, strict=True)):
        _compare(game, told, compiled, step, "compiled, the rules give other results than as plain Python")
        _compare(game, _results(again), compiled, step, "the same seed gives other episodes the second time")
        if not np.array_equal(actions.next(), chosen):
            raise GameError(f"{game.name}: compiled, heuristic chooses otherwise than as plain Python, at step {step}")
        for simulator in (compiled, again):
            simulator.step(chosen)


def _results(sim: Simulator) -> dict[str, bytes]:
    return {name: sim._backend.read(name).tobytes() for name in RESULTS}


def _check_clicks(game: Game, records: np.ndarray) -> None:
    """Point at the middle of the picture and near its edges, as a person may."""
    if game.click is None:
        return
    click, (width, height) = watch(game, "click"), game.canvas
    for x, y in product((0.0, 0.5 * width, 0.999 * width), (0.0, 0.5 * height, 0.999 * height)):
        check_action(game, "click", click(PlainRecords(records)[0], x, y), none=True)


def _check_value(game: Game, records: np.ndarray) -> None:
    """Ask what a position is worth to each player."""
    if game.value is not None:
        for player in range(game.players):
            watch(game, "value")(PlainRecords(records)[0], player)


class _Actions:
    """At first each action in turn, as far as the rules of a game for several allow it, then any allowed action.

    Every other fifty steps the heuristic plays, which sees what chance rarely finds; in plain Python, if that is asked
    for, only the first of them, since simple players may think for long.
    """

    def __init__(self, sim: Simulator, seed: int, plain: bool = False) -> None:
        self.random = Bot(sim, "random", seed)
        self.first = self.others = self.random
        if sim.game.heuristic is not None:
            self.first = Bot(sim, "heuristic", seed, plain)
        self.sim, self.seed, self.step, self.any = sim, seed, 0, sim.legal is None or sim.num_players == 1

    def next(self) -> np.ndarray:
        """(N,) or (N, P), for the game as it stands."""
        count, self.step = len(self.sim.actions), self.step + 1
        if self.any and self.step <= count:
            shape = self.random.act().shape
            return ((np.arange(self.sim.num_envs * self.sim.num_seats) + self.step) % count).reshape(shape)
        if self.step // 50 % 2 == 0 or self.first is self.random:
            return self.random.act().copy()
        if self.step % 50 == 0:
            return self.first.act().copy()
        if self.others is self.random:
            self.others = Bot(self.sim, "heuristic", self.seed + 1)
        return self.others.act().copy()


def _compare(game: Game, told: dict[str, bytes], sim: Simulator, step: int, what: str) -> None:
    for name, seen in _results(sim).items():
        if seen != told[name]:
            raise GameError(f"{game.name}: {what}, seen first in {name} after {step} steps")


def _check_drawing(game: Game, seed: int, steps: int = 60) -> None:
    """Draw the same states over black and over white, 64 pixels wide and as large as a window: none may be left out."""
    options: dict[str, Any] = {"seed": seed, "obs_type": "rgb", "full_action_space": True}
    black, white = Simulator(game, 3, **options), Simulator(game, 3, **options)
    actions = _Actions(black, seed)
    width, height = game.canvas
    rows, columns = round(480 * height / max(width, height)), round(480 * width / max(width, height))
    for step in range(steps):
        chosen = actions.next()
        for simulator, color in ((black, 0), (white, 255)):
            simulator.obs[...] = color
            simulator.step(chosen) if step else simulator.reset()
        _compare_pictures(game, *(sim.obs.reshape(-1, *sim.obs_shape) for sim in (black, white)))
        if step % 10 == 0:
            _compare_pictures(game, *(_draw_over(game, black.records, rows, columns, color) for color in (0, 255)))


def _compare_pictures(game: Game, one: np.ndarray, other: np.ndarray) -> None:
    if not np.array_equal(one, other):
        _, row, column, _ = np.argwhere(one != other)[0]
        size = f"{one.shape[2]} x {one.shape[1]} pixels"
        raise GameError(
            f"{game.name}: draw does not paint the whole picture, at {size} not column {column} of row {row}"
        )


def _draw_over(game: Game, records: np.ndarray, rows: int, columns: int, color: int) -> np.ndarray:
    pictures = np.full((len(records), rows, columns * 3), color, np.uint8)
    paint_pictures(game, records, pictures)
    return pictures.reshape(len(records), rows, columns, 3)


def _play_at_random(game: Game, seed: int, count: int = 64, steps: int = 1600) -> GameReport:
    simulator = Simulator(game, count, seed=seed, mode="checked")
    player = Bot(simulator, "random", seed)
    advance(simulator, {}, None)
    seen = simulator.obs.any(axis=0)
    returns, lengths, lowest, highest = [], [], np.inf, -np.inf
    for _ in range(steps):
        advance(simulator, {}, player.act())
        ended = simulator.terminated | simulator.truncated
        if simulator.truncated.any() and game.max_episode_steps is None:
            raise GameError(f"{game.name}: an episode was truncated without max_episode_steps")
        if not np.all((simulator.obs >= simulator.obs_low) & (simulator.obs <= simulator.obs_high)):
            raise GameError(f"{game.name}: observe wrote {simulator.obs.max()}, outside the declared space")
        returns += simulator.episode_return[ended].reshape(-1, game.players)[:, 0].tolist()
        lengths += simulator.episode_length[ended].tolist()
        lowest, highest = min(lowest, simulator.reward.min()), max(highest, simulator.reward.max())
        seen |= simulator.obs.any(axis=0)
    channels = seen.reshape(-1, seen.shape[-1]).any(axis=0)
    names = game.planes or game.features
    return GameReport(
        game=game.id,
        steps=count * steps,
        episodes=len(returns),
        mean_return=float(np.mean(returns)) if returns else float("nan"),
        mean_length=float(np.mean(lengths)) if lengths else float("nan"),
        lowest_reward=float(lowest),
        highest_reward=float(highest),
        unseen=tuple(name for name, was_seen in zip(names, channels, strict=True) if not was_seen),
    )
