"""How a data set is read."""

from __future__ import annotations

from dataclasses import dataclass

from ....envs import OptionError
from ...nn.text import Tokenizer


@dataclass(frozen=True)
class ReadOptions:
    """How a data set is read; what is not about its kind of inputs is not looked at.

    Attributes:
        input, label: names of its columns; None: the only ones that they can be.
        limit: at most so many examples of each split, drawn with `seed`; None: all.
        size: pictures and the frames of videos become size x size; None: pictures as they are, if all have one shape, and
            64 for those with boxes and for videos.
        grid: rows and columns that pictures with boxes are divided into: a class is at the cell of its box's centre. None:
            a picture has the classes of its boxes.
        box_format: "xyxy", left, top, right and bottom, or "xywh", with width and height instead; in pixels.
        words: at most so many in the vocabulary, the most frequent of the training part; 0: a token is a byte.
        length: tokens of a text.
        tokenizer: instead of both, such as that of an encoder that is trained already.
        seconds, rate: of a sound, which is cut off or filled with silence, and its samples a second.
        frames: of a video, from its first to its last.
    """

    input: str | None = None
    label: str | None = None
    limit: int | None = None
    seed: int = 0
    size: int | None = None
    grid: tuple[int, int] | None = None
    box_format: str = "xyxy"
    words: int = 20_000
    length: int = 256
    tokenizer: Tokenizer | None = None
    seconds: float = 1.0
    rate: int = 16_000
    frames: int = 4

    def __post_init__(self) -> None:
        whole = {"limit": self.limit, "size": self.size, "length": self.length, "frames": self.frames}
        for name, value in {**whole, "rate": self.rate, "seconds": self.seconds}.items():
            if value is not None and not value > 0:
                raise OptionError(f"{name} must be above 0, got {value}")
        if self.words < 0:
            raise OptionError(f"words must be 0 or above, got {self.words}")
        if self.grid is not None and (len(self.grid) != 2 or min(self.grid) < 1):
            raise OptionError(f"grid must be rows and columns, such as (7, 7), got {self.grid}")
        if self.box_format not in ("xyxy", "xywh"):
            raise OptionError(f"box_format must be xyxy or xywh, got {self.box_format!r}")
