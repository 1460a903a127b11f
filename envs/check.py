"""Is this a good game? `check_game` looks at everything that the engine promises about one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .backends import paint_pictures
from .errors import GameError, LudusError
from .game import Game
from .simulator import Simulator

HEADINGS = ("Description", "Actions", "Observation", "Start", "Reward", "Termination", "Truncation", "Arguments",
            "Rules from", "Version history")  # fmt: skip
RESULTS = ("records", "clocks", "streams", "obs", "final_obs", "reward", "terminated", "truncated", "episode_return",
           "episode_length")  # fmt: skip


@dataclass(frozen=True)
class GameReport:
    """What `check_game` saw a player do who presses keys at random."""

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
        return "\n".join(lines)


def check_game(game: Game, *, steps: int = 300, seed: int = 0) -> GameReport:
    """Play a game in every way the engine has and compare; takes seconds.

    Checked are the docstring, rules run with bounds checks, finite rewards, observations within their declared space,
    every action, compiled rules against plain Python bit for bit, the same episodes from the same seed, and a drawing
    that covers the whole picture.

    Args:
        game: the game.
        steps: of each of three games run side by side in plain Python.
        seed: of the games and of the random player.

    Raises:
        GameError: in one line, what is wrong.
    """
    if not isinstance(game, Game):
        raise GameError(f"check_game takes a Game, got {type(game).__name__}")
    try:
        _check_backends(game, steps, seed)
        _check_backends(game, max(steps // 50, 1), seed, obs_type="rgb")
        _check_drawing(game, seed)
        report = _play_at_random(game, seed)
    except LudusError as error:
        raise error if isinstance(error, GameError) else GameError(str(error)) from error
    _check_docstring(game)
    return report


def _check_docstring(game: Game) -> None:
    lines = game.doc.split("\n")
    missing = [heading for heading in HEADINGS if heading not in lines]
    if missing:
        raise GameError(f"{game.name}: the docstring of its file has no heading {', '.join(map(repr, missing))}")
    order = [line for line in lines if line in HEADINGS]
    if order != list(HEADINGS):
        raise GameError(f"{game.name}: headings must come once each and in the order {', '.join(HEADINGS)}")
    if not game.doc.strip().startswith(f"{game.name}: "):
        raise GameError(f"{game.name}: the docstring must begin with '{game.name}: ' and a summary")


def _check_backends(game: Game, steps: int, seed: int, obs_type: str | None = None) -> None:
    """Plain Python with all checks on, and compiled rules twice, must stay equal, byte by byte."""
    count, random = 3, np.random.default_rng(seed)
    options = {"seed": seed, "obs_type": obs_type, "full_action_space": True, "repeat_action_probability": 0.1}
    plain = Simulator(game, count, mode="debug", **options)
    compiled, again = Simulator(game, count, **options), Simulator(game, count, **options)
    for simulator in (plain, compiled, again):
        simulator.reset()
    actions = np.arange(count) % len(game.actions)
    for step in range(steps):
        _compare(game, plain, compiled, step, "compiled, the rules give other results than as plain Python")
        _compare(game, again, compiled, step, "the same seed gives other episodes the second time")
        if step < len(game.actions):  # at first, each action in turn
            actions = (np.arange(count) + step) % len(game.actions)
        else:
            actions = random.integers(0, len(game.actions), count)
        for simulator in (plain, compiled, again):
            simulator.step(actions)


def _compare(game: Game, one: Simulator, other: Simulator, step: int, what: str) -> None:
    for name in RESULTS:
        if one._backend.read(name).tobytes() != other._backend.read(name).tobytes():
            raise GameError(f"{game.name}: {what}, seen first in {name} after {step} steps")


def _check_drawing(game: Game, seed: int, steps: int = 60) -> None:
    """Draw the same states over black and over white, 64 pixels wide and as large as a window: none may be left out."""
    options = {"seed": seed, "obs_type": "rgb", "full_action_space": True}
    black, white = Simulator(game, 3, **options), Simulator(game, 3, **options)
    random = np.random.default_rng(seed)
    width, height = game.canvas
    rows, columns = round(480 * height / max(width, height)), round(480 * width / max(width, height))
    for step in range(steps):
        actions = random.integers(0, len(game.actions), 3)
        for simulator, color in ((black, 0), (white, 255)):
            simulator.obs[...] = color
            simulator.step(actions) if step else simulator.reset()
        _compare_pictures(game, black.obs, white.obs)
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


def _play_at_random(game: Game, seed: int, count: int = 64, steps: int = 1000) -> GameReport:
    simulator, random = Simulator(game, count, seed=seed), np.random.default_rng(seed)
    seen = simulator.reset().any(axis=0)
    returns, lengths, lowest, highest = [], [], np.inf, -np.inf
    for _ in range(steps):
        simulator.step(random.integers(0, len(simulator.actions), count))
        ended = simulator.terminated
        if simulator.truncated.any():
            raise GameError(f"{game.name}: an episode was truncated without max_episode_steps")
        if not np.all((simulator.obs >= simulator.obs_low) & (simulator.obs <= simulator.obs_high)):
            raise GameError(f"{game.name}: observe wrote {simulator.obs.max()}, outside the declared space")
        returns += simulator.episode_return[ended].tolist()
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
