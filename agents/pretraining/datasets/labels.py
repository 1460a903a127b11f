"""Labels from what a data set holds: one class, several, or boxes with a class each.

A reader raises ValueError in a few words for what it cannot read; who calls it says where that was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .inputs import open_picture
from .options import ReadOptions


@dataclass(frozen=True)
class LabelReader:
    """Makes labels of one shape and dtype: `read(value, input)` is one, (*shape), or raises ValueError."""

    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: type
    read: Callable[[Any, Any], Any]


def class_number(value: Any, count: int) -> int:
    """A class from 0 to count - 1; raises ValueError."""
    if value is None or value == -1:  # which `datasets` allows where a label is not known
        raise ValueError("the label is missing")
    if not isinstance(value, int) or not 0 <= value < count:
        raise ValueError(f"the label {value!r} is not from 0 to {count - 1}")
    return value


def one_class(names: Sequence[str]) -> LabelReader:
    """Numbers of classes."""
    return LabelReader(tuple(names), (), np.int64, lambda value, _: class_number(value, len(names)))


def one_value(values: Sequence[Any]) -> LabelReader:
    """Classes that are told by values of their own, such as words."""
    numbers = {value: k for k, value in enumerate(values)}

    def read(value: Any, _: Any) -> int:
        if value not in numbers:
            raise ValueError("the label is missing")
        return numbers[value]

    return LabelReader(tuple(str(value) for value in values), (), np.int64, read)


def several_classes(names: Sequence[str]) -> LabelReader:
    """Lists of numbers of classes, as 0 and 1 of each class."""

    def read(value: Any, _: Any) -> np.ndarray:
        if value is None:
            raise ValueError("the labels are missing")
        found = np.zeros(len(names), np.uint8)
        found[[class_number(one, len(names)) for one in value]] = 1
        return found

    return LabelReader(tuple(names), (len(names),), np.uint8, read)


def boxes(names: Sequence[str], options: ReadOptions) -> LabelReader:
    """Boxes with a class each, as 0 and 1 of each class: of the picture, or at the cells of their centres."""
    several = several_classes(names)

    def read(value: Any, picture: Any) -> np.ndarray:
        if value is None or value.get("category") is None or value.get("bbox") is None:
            raise ValueError("the boxes are missing")
        classes, corners = value["category"], value["bbox"]
        if len(classes) != len(corners):
            raise ValueError(f"there are {len(corners)} boxes and {len(classes)} categories")
        if options.grid is None:
            return several.read(classes, picture)
        rows, columns = options.grid
        found = np.zeros((rows, columns, len(names)), np.uint8)
        width, height = open_picture(picture).size
        for one, box in zip(classes, corners, strict=True):
            x, y = _centre(box, options.box_format)
            if not (0 <= x <= width and 0 <= y <= height):
                raise ValueError(f"the box {box} is not within the picture of {height}x{width}")
            cell = min(int(y / height * rows), rows - 1), min(int(x / width * columns), columns - 1)
            found[(*cell, class_number(one, len(names)))] = 1
        return found

    if options.grid is None:
        return LabelReader(several.names, several.shape, np.uint8, read)
    return LabelReader(several.names, (*options.grid, len(names)), np.uint8, read)


def _centre(box: Any, box_format: str) -> tuple[float, float]:
    """Of a box, x and y in pixels; raises ValueError."""
    if box is None or len(box) != 4 or not np.isfinite(np.array(box, np.float64)).all():
        raise ValueError(f"the box {box} is not four numbers")
    left, top, right, bottom = box
    if box_format == "xywh":
        right, bottom = left + right, top + bottom
    if right < left or bottom < top:
        raise ValueError(f"the box {box} ends before it begins: is box_format={box_format!r} right?")
    return (left + right) / 2, (top + bottom) / 2
