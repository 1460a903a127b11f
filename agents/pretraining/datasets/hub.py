"""Data sets of the Hugging Face hub, or in a folder, through the library `datasets`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ....envs import OptionError
from ...files.safe_io import short
from ...runtime.extras import need
from ..frames import PARTS
from .columns import choose_columns, input_kind, label_kind, label_reader_of, reader_of
from .examples import Examples, allocate, parts_of, refuse_odd
from .inputs import Reader
from .labels import LabelReader
from .options import ReadOptions

SPLITS = {"train": 0, "training": 0, "validation": 1, "valid": 1, "val": 1, "dev": 1, "test": 2}  # of `PARTS`
PATTERNS = "*?[]"  # by which the library finds files
TEXTS = (".csv", ".tsv", ".json", ".jsonl", ".txt")


def read_hub(name: str, source: str, options: ReadOptions, tell: Callable[[str], Any]) -> Examples:
    """Examples of a data set; raises OptionError, which names the row where there is one.

    Args:
        name: of the data set, for messages.
        source: OWNER/NAME on the hub, or a folder: of `save_to_disk`, of Parquet, CSV or JSON files, or one with a folder
            of files for each class.
        tell: hears how large it is before it is read.
    """
    splits = open_splits(name, source)
    features = next(iter(splits.values())).features
    column, label = choose_columns(name, features, options)
    options.refuse_unused(name, input_kind(features[column]), label_kind(features[label]))
    if label_kind(features[label]) == "boxes" and options.size is None:
        options = replace(options, size=64)
    splits = {
        split: _raw(data, column, features[column]).select_columns([column, label]) for split, data in splits.items()
    }
    rows = {split: chosen_rows(len(data), options) for split, data in splits.items()}
    training, numbers = next(iter(splits.values())), next(iter(rows.values()))
    with _reading(name, next(iter(splits)), int(numbers[0])):
        first = training[int(numbers[0])][column]
        reader = reader_of(features[column], options, first, lambda: _texts(training.select(numbers)[column]))
    labels = label_reader_of(features[label], options, lambda: (x for data in splits.values() for x in data[label]))
    return _read(name, splits, rows, (column, reader), (label, labels), tell)


def open_splits(name: str, source: str) -> dict[str, Any]:
    """The splits that have labels, by name, that for training first; raises OptionError."""
    datasets = need("datasets", f"the data set {name}")
    folder = Path(source)
    saved = any((folder / file).exists() for file in ("dataset_dict.json", "state.json"))
    if folder.exists() and not saved and set(PATTERNS) & set(str(folder.resolve())):
        raise OptionError(
            f"cannot read {source}: {' '.join(PATTERNS)} in a folder's name would be a pattern, rename it"
        )
    try:
        with _quiet(datasets):
            # whole, since a folder may be named csv or json, which are the library's words for kinds of files
            place = str(folder.resolve()) if folder.exists() else source
            found = datasets.load_from_disk(place) if saved else datasets.load_dataset(place)
    except IndexError as error:  # what `load_from_disk` has to say of an empty one
        raise OptionError(f"{name} has no rows") from error
    except Exception as error:  # of the network, of the hub, of whatever is in files
        where = "" if folder.exists() else " from the Hugging Face hub (a folder would do as well)"
        cause = (type(error).__name__ == "DatasetGenerationError" and error.__cause__) or error  # that says nothing
        said = (isinstance(cause, UnicodeError) and _not_utf8(folder)) or short(cause)
        raise OptionError(f"cannot read {source}{where}: {said}") from error
    splits = dict(found) if isinstance(found, dict) else {"train": found}
    known = {split: data for split, data in splits.items() if split in SPLITS}
    if not known and len(splits) > 1:
        raise OptionError(f"{name} has splits {', '.join(splits)}: one of them must be named train")
    splits = dict(sorted(known.items(), key=lambda item: SPLITS[item[0]])) or splits
    empty = [split for split, data in splits.items() if not len(data)]
    if empty or not splits:
        raise OptionError(f"{name} has no rows" + (f" in its split {empty[0]}" if len(splits) > 1 else ""))
    return splits


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """Without the library's bars and messages, which would go through what is said here; afterwards as it was."""
    shown, heard = not datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    finally:
        datasets.logging.set_verbosity(heard)
        if shown:
            datasets.enable_progress_bars()


def _not_utf8(folder: Path) -> str | None:
    """What is wrong with the first file of text in a folder that is not UTF-8, if one is: the library names no file."""
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in TEXTS and path.is_file()):
        try:
            with path.open(encoding="utf-8") as file:
                while file.read(1_000_000):
                    pass
        except OSError:
            continue
        except UnicodeDecodeError:
            return f"{path.relative_to(folder)} is not in UTF-8, convert it first"
    return None


def _raw(data: Any, column: str, feature: Any) -> Any:
    """With files as their bytes, which are decoded here, where the row is known."""
    if hasattr(feature, "decode"):
        return data.cast_column(column, replace(feature, decode=False))
    return data


def chosen_rows(count: int, options: ReadOptions) -> np.ndarray:
    """The rows of a split that are read, in order, (K,) int64."""
    if options.limit is None or options.limit >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(options.seed).choice(count, options.limit, replace=False))


def _texts(column: Any) -> Any:
    return (text for text in column if isinstance(text, str))


@contextmanager
def _reading(name: str, split: str, row: int, value: Any = None) -> Iterator[None]:
    """Says where it was that something could not be read."""
    try:
        yield
    except OptionError:
        raise
    except Exception as error:  # whatever is in files
        path = value.get("path") if isinstance(value, dict) else None
        where = f"{name}, split {split}, row {row}" + (f" ({path})" if path else "")
        raise OptionError(f"{where}: {short(error)}") from error


def _read(
    name: str,
    splits: dict[str, Any],
    rows: dict[str, np.ndarray],
    input: tuple[str, Reader],
    label: tuple[str, LabelReader],
    tell: Callable[[str], Any],
) -> Examples:
    """All rows that were chosen, one after the other into one array."""
    (column, reader), (label_column, labels) = input, label
    total, names = sum(map(len, rows.values())), labels.names
    refuse_odd(name, reader.shape, names)
    found = allocate(name, (total, *reader.shape), reader.dtype, tell)
    classes = allocate(f"{name}'s labels", (total, *labels.shape), labels.dtype, lambda _: None)
    split_of, k = np.zeros(total, np.uint8), 0
    for split, data in splits.items():
        for row, example in zip(rows[split].tolist(), data.select(rows[split]), strict=True):
            value = example[column]
            with _reading(name, split, row, value):
                found[k] = reader.read(value)
                classes[k] = labels.read(example[label_column], value)
            split_of[k] = SPLITS.get(split, 0)
            k += 1
    if len(splits) > 1 and not (split_of == PARTS.index("test")).any():  # as where the labels of "test" are kept secret
        split_of[split_of == PARTS.index("validation")] = PARTS.index("test")
    return Examples(name, found, classes, names, parts_of(found, split_of if len(splits) > 1 else None), reader.words)
