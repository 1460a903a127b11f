"""What encoders are trained on: frames of games, collected or read, and data sets of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..envs import OptionError
from .making import is_game
from .players import load, seated
from .terminal import console, say

SIZE = 64  # of pictures of games


@dataclass
class Play:
    """How frames are collected, where a game is named."""

    policy: str = "both"
    """Who plays: random, heuristic, both (half of the games each), or an agent's folder."""
    frames: int = 50_000
    """Frames to collect."""
    shuffle: float = 0.0
    """Share of further frames whose fields come from several games, for games that reach few states by themselves."""
    levels: int | None = None
    """Play so many levels, and keep those of the test part apart; None: every episode is new, and parts share no picture."""
    obs_type: str = field(default="rgb", metadata={"choices": ("rgb", "grayscale")})
    """Pictures that the encoder sees."""
    size: int | None = None
    """Width and height of the pictures, in pixels; None: 64, and pictures of data sets as they are."""

    @property
    def picture_size(self) -> int:
        """Of pictures of a game."""
        return SIZE if self.size is None else self.size


@dataclass
class Reading:
    """How a data set of others is read."""

    input: str | None = None
    """Column of the inputs; None: the only one that it can be."""
    label: str | None = None
    """Column of the labels; None: the only one that it can be."""
    limit: int | None = None
    """At most so many examples of each split; None: all."""
    grid: Sequence[int] | None = None
    """Rows and columns of cells, whose classes pictures with boxes then have; None: classes of the whole picture."""
    words: int = 20_000
    """At most so many in the vocabulary of texts; 0: a token is a byte."""
    length: int = 256
    """Tokens of a text."""


def data_of(source: str, play: Play, seed: int, reading: Reading | None = None, tokenizer: Any = None) -> Any:
    """Frames of a game that is played now, of a folder that was collected or played by people, or examples of a data set.

    Texts are read with a tokenizer that there is already, if one is given.
    """
    from ..agents.pretraining.datasets import load_examples
    from ..agents.pretraining.datasets.options import ReadOptions
    from ..agents.pretraining.demonstrations import frames_from_play
    from ..agents.pretraining.shards import NAME, load_frames

    reading = reading or Reading()
    if not source:
        raise OptionError("a source is needed, got an empty name: give a game, a folder or a data set")
    if is_game(source):
        refuse_given(reading, "data sets", f"{source} is a game")
        return collected(source, play, seed)
    folder = Path(source)
    if (folder / NAME).exists():
        refuse_given(reading, "data sets", f"{source} has frames of a game")
        refuse_given(play, "games that are played now", f"{source} has frames already")
        return by_level(load_frames(folder))
    if folder.is_dir() and any(folder.glob("*-*.json")):
        refuse_given(reading, "data sets", f"{source} has games that were played")
        refuse_given(
            replace(play, obs_type="rgb", size=None), "games that are played now", f"{source} has games already"
        )
        return frames_from_play(folder, play.obs_type, play.picture_size)
    refuse_given(replace(play, size=None), "games", f"{source} is a data set")
    options = ReadOptions(seed=seed, size=play.size, tokenizer=tokenizer, **vars(reading))
    return load_examples(source, options, tell=say)


def refuse_given(flags: Any, right: str, here: str) -> None:
    """Raise OptionError for the first of the flags that is not as it is by itself, and has no effect `here`."""
    for flag in fields(flags):
        if getattr(flags, flag.name) != flag.default:
            raise OptionError(f"--{flag.name.replace('_', '-')} is for {right}, and {here}: leave it out")


def by_level(frames: Any) -> Any:
    """The frames with whole levels apart, where they are of such."""
    return frames.split_by_level() if frames.level.size and frames.level.min() >= 0 else frames


def collected(game: str, play: Play, seed: int) -> Any:
    """Frames of a game that is played now."""
    from ..agents.pretraining.play import POLICIES, collect_frames, games_for
    from ..envs import find_game

    sim: Any = find_game(game)
    policy: Any = play.policy
    options = {} if play.levels is None else {"levels": range(play.levels)}
    if policy not in POLICIES:
        agent, sim = load(Path(policy), seed, games_for(play.frames), **options)
        if sim.game is not find_game(game):
            raise OptionError(f"the agent in {policy} plays {sim.game.name}, not {find_game(game).name}")
        policy, options = seated(agent, sim), {}
    with progress(f"collecting {play.frames} frames", play.frames) as tell:
        shown = play.obs_type, play.picture_size
        frames = collect_frames(sim, play.frames, policy, *shown, play.shuffle, seed, tell, **options)
    return by_level(frames)


@contextmanager
def progress(text: str, total: float) -> Iterator[Any]:
    """A bar on a terminal's standard error; gives a function that takes how much is done."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    out = console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(bar_width=28), TimeElapsedColumn()
    with Progress(*columns, console=out, disable=not out.is_terminal) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done: bar.update(task, completed=done)
