"""How a data set is read."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ....envs import OptionError
from ...checkpoints.encoder_facts import MAX_LENGTH, MAX_SIDE
from ...nn.text import Tokenizer

HOP = 128  # samples from one column of a spectrogram to the next
MAX_RATE = 400_000  # samples a second
HIGHEST = {
    "size": MAX_SIDE, "length": MAX_LENGTH, "words": 100_000, "frames": MAX_SIDE // 3, "rate": MAX_RATE,
}  # fmt: skip
KINDS = {"Image": "pictures", "Video": "videos", "Audio": "sounds", "text": "texts", "boxes": "boxes"}
ONLY_FOR = {  # options that are not for all data sets: kinds of inputs and labels
    "size": ("Image", "Video"), "words": ("text",), "length": ("text",), "tokenizer": ("text",), "seconds": ("Audio",),
    "rate": ("Audio",), "frames": ("Video",), "grid": ("boxes",), "box_format": ("boxes",),
}  # fmt: skip


@dataclass(frozen=True)
class ReadOptions:
    """How a data set is read; what is not about its kind of inputs or labels is refused.

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
        for name, most in HIGHEST.items():
            if (getattr(self, name) or 0) > most:
                raise OptionError(f"{name} must be at most {most:,}, got {getattr(self, name)}")
        if self.seconds * self.rate >= HOP * (MAX_SIDE + 1):
            raise OptionError(
                f"a sound of {self.seconds:g} seconds at {self.rate} samples is too long: "
                f"give at most {HOP * MAX_SIDE // self.rate} seconds, or a lower rate"
            )
        if self.words < 0:
            raise OptionError(f"words must be 0 or above, got {self.words}")
        if self.grid is not None and (len(self.grid) != 2 or not 1 <= min(self.grid) <= max(self.grid) <= MAX_SIDE):
            raise OptionError(
                f"grid must be rows and columns, such as 7 and 7, got {' and '.join(map(str, self.grid))}"
            )
        if self.box_format not in ("xyxy", "xywh"):
            raise OptionError(f"box_format must be xyxy or xywh, got {self.box_format!r}")

    @property
    def given(self) -> list[str]:
        """What is not as it is by itself; a seed needs nothing that is drawn."""
        return [one.name for one in fields(self) if one.name != "seed" and getattr(self, one.name) != one.default]

    def refuse_unused(self, name: str, *kinds: str | None) -> None:
        """Raise OptionError for what has no effect on a data set's inputs and labels of these kinds."""
        for option in self.given:
            meant = ONLY_FOR.get(option, kinds)
            if not {*meant} & {*kinds}:
                there, right = KINDS[str(kinds[0])], " and ".join(KINDS[str(kind)] for kind in meant)
                raise OptionError(
                    f"{option} is for {right}, and {name} has {there}"
                    + (" without them" if "boxes" in meant else "")
                    + ": leave it out"
                )
