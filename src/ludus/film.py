"""Episodes as moving pictures: played once, drawn as often as need be, and written as a GIF or an MP4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .envs import Simulator

LAST_PICTURE = 1.0  # seconds for which the end of an episode stays
COLORS = 256  # of one picture in a GIF
MOST_FPS = 50  # pictures a second that a GIF shows


@dataclass
class Episode:
    """What it takes to draw an episode again."""

    records: list[np.ndarray]  # the game's record, (1,), at the start and after each step
    score: float


def play(player: Any, sim: Simulator, max_steps: int, sampled: bool) -> Episode:
    """One episode, up to `max_steps`; the score is the first player's."""
    sim.reset()
    player.restart()
    episode, over = Episode([sim.records.copy()], 0.0), False
    while not over and len(episode.records) <= max_steps:
        over = player.step(player.decide(not sampled)) > 0
        episode.score += float(sim.reward.flat[0])
        episode.records.append(sim.records.copy())
    return episode


def best(played: list[Episode], count: int) -> list[Episode]:
    """The `count` episodes with the highest scores, in the order they were played."""
    order = sorted(range(len(played)), key=lambda k: -played[k].score)
    return [played[k] for k in sorted(order[:count])]


class Film:
    """The pictures of episodes, drawn each time they are asked for: (rows, columns, 3) uint8."""

    def __init__(self, sim: Simulator, episodes: list[Episode], size: int, fps: int) -> None:
        self.sim, self.size = sim, size
        stay = round(LAST_PICTURE * fps)
        self.records = [record for e in episodes for record in (*e.records, *[e.records[-1]] * stay)]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[np.ndarray]:
        for record in self.records:
            self.sim.records[:] = record
            yield halved(self.sim.frame(0, 2 * self.size))


def halved(picture: np.ndarray) -> np.ndarray:
    """Half the width and height, each pixel the mean of four: smooth edges for shapes that were drawn without."""
    rows, columns, _ = picture.shape
    whole = picture[: rows // 2 * 2, : columns // 2 * 2].astype(np.uint16)
    tall = whole[0::2] + whole[1::2]
    return ((tall[:, 0::2] + tall[:, 1::2] + 2) // 4).astype(np.uint8)


def write_gif(path: Path | BinaryIO, film: Iterable[np.ndarray], fps: int) -> None:
    """Write to a path or an open file. Durations add up although GIFs count hundredths; `film` is gone through twice."""
    palette = palette_of(film)
    images = [indexed(picture, palette) for picture in film]
    ends = np.round(np.arange(len(images) + 1) * 100 / fps).astype(int)
    durations = (10 * np.diff(ends)).tolist()  # milliseconds
    images[0].save(path, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=False)


@dataclass(frozen=True)
class Palette:
    """What colours a film has and, where those are more than a GIF takes, what each of them becomes."""

    colors: np.ndarray  # (n,) packed, ascending
    numbers: np.ndarray  # (n,) uint8, of each of those among `shown`
    shown: bytes  # red, green, blue, red, ...


def palette_of(film: Iterable[np.ndarray]) -> Palette | None:
    """One for all pictures: exact up to 256 colours; None where each picture needs one of its own to be exact."""
    pictures = [np.unique(packed(picture)) for picture in film]
    colors = np.unique(np.concatenate(pictures))
    if len(colors) > COLORS >= max(map(len, pictures)):
        return None
    return exact(colors) if len(colors) <= COLORS else reduced(colors)


def exact(colors: np.ndarray) -> Palette:
    """Up to 256 packed colours as they are."""
    return Palette(colors, np.arange(len(colors), dtype=np.uint8), unpacked(colors).tobytes())


def reduced(colors: np.ndarray) -> Palette:
    """The 256 colours that come closest to more than those."""
    from PIL import Image

    strip = Image.fromarray(unpacked(colors)[None]).quantize(COLORS, dither=Image.Dither.NONE)  # (1, colours, 3)
    return Palette(colors, np.asarray(strip)[0], bytes(strip.getpalette() or []))


def indexed(picture: np.ndarray, palette: Palette | None) -> Any:
    """A picture, (rows, columns, 3) uint8, as numbers of colours; None: of its own."""
    from PIL import Image

    colors = packed(picture)
    palette = palette or exact(np.unique(colors))
    image = Image.fromarray(palette.numbers[np.searchsorted(palette.colors, colors)])
    image.putpalette(palette.shown)
    return image


def packed(picture: np.ndarray) -> np.ndarray:
    """Each pixel (red, green, blue) as one whole number."""
    red, green, blue = np.moveaxis(picture.astype(np.int32), -1, 0)
    return red << 16 | green << 8 | blue


def unpacked(colors: np.ndarray) -> np.ndarray:
    """The inverse of `packed`, (n, 3) uint8."""
    return np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=-1).astype(np.uint8)


def write_mp4(path: Path, film: Iterable[np.ndarray], fps: int) -> None:
    """H.264 as browsers play it, which needs an even number of rows and columns."""
    import imageio.v2 as imageio

    writer: Any = imageio.get_writer(path, format="FFMPEG", fps=fps, codec="libx264", quality=8, macro_block_size=2)
    with writer:
        for picture in film:
            rows, columns, _ = picture.shape
            writer.append_data(np.pad(picture, ((0, rows % 2), (0, columns % 2), (0, 0)), mode="edge"))
