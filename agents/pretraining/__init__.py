"""Pretraining of what agents see through: data, encoders trained with labels or without, and how good they are."""

from importlib import import_module
from typing import Any

_LAZY = {  # imported when asked for, since torch takes seconds
    "Augmentation": "augment",
    "collect_frames": "play",
    "load_examples": "datasets",
    "load_frames": "shards",
    "pretrain": "run",
    "probe_table": "probes",
    "save_frames": "shards",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
