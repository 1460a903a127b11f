"""Decoders of planes where labels are few, and where pictures look other than those that were learned from."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ludus.agents.pretraining import collect_frames, pretrain
from ludus.agents.pretraining.augment import Augmentation
from ludus.agents.pretraining.frames import Frames
from ludus.agents.pretraining.method import Pictures

LABELS = (100, 300, 1000, 10_000)  # and all that there are, up to 100,000
MOST = 100_000
LEVELS = 200
AUGMENTATIONS = {
    "as they are": Augmentation(), "noise": Augmentation(noise=0.05), "colours": Augmentation(color_jitter=0.5),
}  # fmt: skip


def scarce(game: str, seed: int, seconds: float, frames: int, **_: Any) -> dict[str, Any]:
    """F1 on the test part by the number of labelled pictures: of labels alone, with augmentation, and begun from an encoder
    that an autoencoder trained on all pictures."""
    torch.set_num_threads(1)
    data, given = collect_frames(game, frames, seed=seed), {"seed": seed, "clock": time.process_time}
    begun = pretrain(data, "autoencoder", "grid", time_limit=2 * seconds, **given).network
    ways: dict[str, dict[str, Any]] = {
        "labels alone": {}, "with noise": {"augmentation": AUGMENTATIONS["noise"]},
        "with colours": {"augmentation": AUGMENTATIONS["colours"]}, "autoencoder first": {"start": begun},
    }  # fmt: skip
    everything = min(len(data) - len(data.rows("test")), MOST)
    counts = {**{str(count): count for count in LABELS if count < everything}, "all": everything}
    some = {name: data.labelled(count, seed) for name, count in counts.items()}
    found = {
        way: {
            name: pretrain(few, "planes", time_limit=seconds, **given, **how).figures["f1"]
            for name, few in some.items()
        }
        for way, how in ways.items()
    }
    told = ", ".join(f"{way} {f1['1000']:.3f}" for way, f1 in found.items())
    return {"f1": found, "pictures": len(data), "told": f"1,000 labels: {told}"}


def resized(size: int) -> Callable[[Tensor], Tensor]:
    """To so many pixels and back."""

    def change(x: Tensor) -> Tensor:
        small = F.interpolate(x, size, mode="bilinear", antialias=True)
        return F.interpolate(small, tuple(x.shape[2:]), mode="bilinear", antialias=True)

    return change


LOOKS: dict[str, Callable[[Tensor], Tensor]] = {  # of pictures (B, 3, H, W) from 0 to 1
    "as it is": lambda x: x,
    "darker": lambda x: 0.6 * x,
    "paler": lambda x: 0.6 * x + 0.4 * x.mean(1, keepdim=True),
    "gray": lambda x: x.mean(1, keepdim=True).expand_as(x),
    "channels swapped": lambda x: x.flip(1),
    "inverted": lambda x: 1 - x,
    "half the size": resized(32),
    "three quarters": resized(48),
}


class Changed(Pictures):
    """Pictures (B, C, H, W) of another look, from 0 to 1 in steps of 1 / 255."""

    def __init__(self, frames: Frames, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__(frames)
        self.change = change

    def __getitem__(self, rows: Tensor) -> Tensor:
        return (self.change(super().__getitem__(rows).float() / 255) * 255).round() / 255


def looks(game: str, seed: int, seconds: float, frames: int, **_: Any) -> dict[str, Any]:
    """F1 on pictures never seen whose look was changed, of decoders trained with and without augmentation."""
    torch.set_num_threads(1)
    data, found = collect_frames(game, frames, seed=seed), {}
    for name, augmentation in AUGMENTATIONS.items():
        method = pretrain(
            data, "planes", augmentation=augmentation, time_limit=seconds, seed=seed,
            clock=time.process_time,
        ).method  # fmt: skip
        found[name] = {}
        for look, change in LOOKS.items():
            method.pictures = Changed(data, change)
            found[name][look] = method.figures("test")["f1"]
    told = ", ".join(f"{name} {min(f1.values()):.3f}" for name, f1 in found.items())
    return {"f1": found, "told": f"at worst: {told}"}


def levels(game: str, seed: int, seconds: float, frames: int, **_: Any) -> dict[str, Any]:
    """F1 on pictures never seen, of levels that were learned from and of levels that were not."""
    torch.set_num_threads(1)
    data = collect_frames(game, frames, seed=seed, levels=range(LEVELS))
    found = {
        split: pretrain(some, "planes", time_limit=seconds, seed=seed, clock=time.process_time).figures["f1"]
        for split, some in {"other pictures": data, "other levels": data.split_by_level()}.items()
    }
    return {"f1": found, "told": ", ".join(f"{split} {f1:.4f}" for split, f1 in found.items())}
