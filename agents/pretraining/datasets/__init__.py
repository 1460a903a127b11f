"""Data sets with labels from outside: pictures, texts, sounds and videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ....envs import OptionError
from .digits import digits
from .examples import Examples
from .hub import read_hub
from .options import ReadOptions

READY = {
    "mnist": "ylecun/mnist", "cifar10": "uoft-cs/cifar10", "coco": "detection-datasets/coco", "imdb": "stanfordnlp/imdb",
}  # fmt: skip


def load_examples(
    source: str = "digits", options: ReadOptions | None = None, tell: Callable[[str], Any] = lambda _: None
) -> Examples:
    """Examples with labels; raises OptionError, which names the data set or file, and the row where there is one.

    Args:
        source: "digits", which needs no download; mnist, cifar10, coco or imdb; OWNER/NAME of another data set on the
            Hugging Face hub; or a folder with a data set.
        options: how it is read.
        tell: hears how large it is before it is read.
    """
    options = options or ReadOptions()
    if not source:
        raise OptionError(
            f"a source is needed: {', '.join(('digits', *READY))}, OWNER/NAME, or a folder with a data set"
        )
    if source == "digits":
        if options.given:
            raise OptionError(f"digits are read as they are: leave out {' and '.join(options.given)}")
        return digits()
    if source not in READY and not Path(source).is_dir() and source.count("/") != 1:
        names = ", ".join(("digits", *READY))
        raise OptionError(
            f"there is no data set {source!r}: choose {names}, OWNER/NAME of the Hugging Face hub, or a folder"
        )
    return read_hub(Path(source).name, READY.get(source, source), options, tell)
