"""Which columns of a data set are its inputs and labels, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ....envs import OptionError
from ...nn.text import Tokenizer
from .inputs import Reader, picture_reader, sound_reader, text_reader, video_reader
from .labels import LabelReader, boxes, one_class, one_value, several_classes
from .options import ReadOptions

FILES = ("Image", "Audio", "Video")  # types of `datasets` that are files
STRINGS = ("string", "large_string", "string_view")  # the second is what CSV files are read as
WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")


def input_kind(feature: Any) -> str | None:
    """Image, Audio, Video or text; None for what no input can be."""
    kind = type(feature).__name__
    if kind in FILES:
        return kind
    return "text" if getattr(feature, "dtype", None) in STRINGS else None


def label_kind(feature: Any) -> str | None:
    """class, classes, boxes or value; None for what no label can be."""
    if type(feature).__name__ == "ClassLabel":
        return "class"
    if type(_inner(feature)).__name__ == "ClassLabel":
        return "classes"
    if isinstance(feature, Mapping) and {"bbox", "category"} <= set(feature):
        return "boxes"
    return "value" if getattr(feature, "dtype", None) in (*WHOLE, *STRINGS) else None


def _inner(feature: Any) -> Any:
    """What a list is of; None for what is no list."""
    return getattr(feature, "feature", None)


def choose_columns(name: str, features: Mapping[str, Any], options: ReadOptions) -> tuple[str, str]:
    """The columns of inputs and labels, those asked for or the only ones that they can be; raises OptionError."""
    found = {column: input_kind(feature) for column, feature in features.items() if column != options.label}
    inputs = {column: kind for column, kind in found.items() if kind}
    files = [column for column, kind in inputs.items() if kind != "text"]
    chosen = _only(name, "input", options.input, list(inputs), files or list(inputs), list(found))
    labels = {
        column: kind for column, feature in features.items() if (kind := label_kind(feature)) and column != chosen
    }
    plain = [column for column, kind in labels.items() if kind != "value"]
    others = [column for column in features if column != chosen]
    if not others and inputs[chosen] != "text":  # as `datasets` reads a folder of files with one folder in it, or none
        raise OptionError(
            f"{name} has no labels, so one class: two or more are needed, such as a folder of files for each"
        )
    return chosen, _only(name, "label", options.label, list(labels), plain or list(labels), others)


def _only(name: str, what: str, asked: str | None, possible: list[str], likely: list[str], columns: list[str]) -> str:
    """The column asked for, or the only likely one; raises OptionError, which names all that are `possible`."""
    if asked in possible:
        return asked
    if not possible:
        there = f"none of {', '.join(columns)} can be" if columns else "there is no other"
        raise OptionError(f"{name} has no column that can be the {what}: {there}")
    if asked is not None:
        raise OptionError(f"{name} has no column {asked!r} that can be the {what}: choose from {', '.join(possible)}")
    if len(likely) != 1:
        choice = f"name the {what} (--{what}), one of {', '.join(likely)}"
        raise OptionError(f"{name} has several columns that can be the {what}: {choice}")
    return likely[0]


def reader_of(feature: Any, options: ReadOptions, first: Any, texts: Callable[[], Any]) -> Reader:
    """How inputs are read.

    Args:
        feature: of their column.
        first: one of them, whose shape pictures have.
        texts: gives those of the training part, for the vocabulary.
    """
    kind = input_kind(feature)
    if kind == "Image":
        return picture_reader(options, first)
    if kind == "Audio":
        return sound_reader(options)
    if kind == "Video":
        return video_reader(options)
    return text_reader(options.tokenizer or Tokenizer.fit(texts(), options.words, options.length))


def label_reader_of(feature: Any, options: ReadOptions, values: Callable[[], Any]) -> LabelReader:
    """How labels are read.

    Args:
        feature: of their column.
        values: gives all that there are, where the column does not say which classes there can be.
    """
    kind = label_kind(feature)
    if kind == "class":
        return one_class(feature.names)
    if kind == "classes":
        return several_classes(_inner(feature).names)
    if kind == "boxes":
        category = feature["category"]
        return boxes((category if hasattr(category, "names") else _inner(category)).names, options)
    return one_value(sorted(value for value in set(values()) if value is not None and value != -1))
