"""`ludus record`: an agent's play as a GIF or an MP4."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..envs import OptionError
from ..envs.extras import packages_of
from ..film import MOST_FPS, Film, best, play, write_gif, write_mp4
from .arguments import parse
from .out_file import NotWritten, check_out, write_out
from .players import seats
from .terminal import say


@dataclass
class Config:
    """Write an agent's play to a GIF or an MP4; no window is needed."""

    agent: Path
    """The folder that `ludus train` wrote; a game, for the zoo's agent; or a game and a bot, as in Snake:heuristic or
    ConnectFour:search-4."""
    out: Path
    """The file to write; its name ends in .gif or .mp4."""
    episodes: int = 1
    """Episodes to record, one after the other."""
    against: str | None = None
    """Who has the other seats in a game for several: heuristic, random, search-4, or an agent's folder; None: the
    agent itself."""
    best_of: int | None = None
    """Play this many episodes and record those with the highest returns; None: record all that are played."""
    max_steps: int = 1000
    """Leave an episode after this many steps."""
    size: int = 320
    """Longer side of the picture, in pixels."""
    fps: int | None = None
    """Steps of the game shown a second; None: the game's own pace."""
    deterministic: bool = True
    """Take the most likely action (greedy)."""
    sampled: bool = False
    """Draw actions from the policy, as --no-deterministic does."""
    search: int = 0
    """Simulations of tree search before each of the agent's moves; 0: it does not look ahead."""
    seed: int | None = 0
    """Of the games and of drawing actions; None: a new one every time."""
    force: bool = False
    """Replace the file if there is one."""


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "record")
    check(config)
    player, sim = seats(config.agent, config.against, config.seed, search=config.search)
    fps = config.fps or sim.game.fps
    check_rate(config.out, fps)
    played = [play(player, sim, config.max_steps, config.sampled) for _ in range(config.best_of or config.episodes)]
    kept = best(played, config.episodes)
    film = Film(sim, kept, config.size, fps)
    print(f"drawing {len(film)} pictures ...", flush=True)
    write = write_gif if config.out.suffix.lower() == ".gif" else write_mp4
    write_out(config.out, lambda path: write(path, film, fps))
    scores = ", ".join(f"{episode.score:g}" for episode in kept)
    seconds, kilobytes = len(film) / fps, config.out.stat().st_size / 1000
    say(f"{config.out}: {seconds:.1f} s, {kilobytes:.0f} kB, score {scores}")
    return 0


def check(config: Config) -> None:
    """Find what is wrong with the settings before anything is played."""
    if config.best_of is not None and config.best_of < config.episodes:
        raise OptionError(f"best_of must be at least episodes, got {config.best_of} and {config.episodes}")
    if not 16 <= config.size <= 2048:
        raise OptionError(f"size must be from 16 to 2048, got {config.size}")
    check_out("--out", config.out, (".gif", ".mp4"), config.force)
    check_packages(config.out)


def check_packages(out: Path) -> None:
    """What writes files of this kind is installed."""
    try:
        if out.suffix.lower() == ".gif":
            import PIL.Image  # noqa: F401
        else:
            import imageio_ffmpeg

            imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        needed = f"writing {out.suffix} files needs more packages: pip install {packages_of('video')} ({error})"
        raise NotWritten(needed) from error


def check_rate(out: Path, fps: int) -> None:
    if out.suffix.lower() == ".gif" and fps > MOST_FPS:
        raise OptionError(
            f"GIFs show at most {MOST_FPS} pictures a second, got fps {fps}: write an .mp4, or give --fps {MOST_FPS}"
        )
