"""Augmentation: pictures that are turned, mirrored, shifted, cropped and blurred by noise, each time at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...envs import OptionError
from ..runtime.extras import need
from ..runtime.hardware import on_gpu
from .method import Method, Pictures
from .methods.planes import Planes

LIMITS = {"rotation": 180, "noise": 1, "crop": 1, "shift": 64, "color_jitter": 1}
STAY = {"noise", "color_jitter"}  # leave everything in its place


@dataclass(frozen=True)
class Augmentation:
    """Random changes of pictures, drawn for each anew from PyTorch's global generator; each is a switch, off at first.

    Attributes:
        shift: up to so many pixels each way; the border is repeated (Kostrikov et al. 2021).
        crop: a part of at least this share of the area, as large as the whole again (Szegedy et al. 2015); 0: off.
        rotation: up to so many degrees either way.
        flip, flip_vertical: mirrored, left to right or top to bottom, every second picture.
        noise: standard deviation of normal noise at every pixel, where 1 is from black to white.
        color_jitter: brightness, contrast and saturation by a factor up to so much from 1, hue by up to half of it in turns
            (Chen et al. 2020); of pictures in colours.
    """

    shift: int = 0
    crop: float = 0.0
    rotation: float = 0.0
    flip: bool = False
    flip_vertical: bool = False
    noise: float = 0.0
    color_jitter: float = 0.0

    def __post_init__(self) -> None:
        for name, most in LIMITS.items():
            if not 0 <= getattr(self, name) <= most:
                raise OptionError(f"{name} must be from 0 to {most}, got {getattr(self, name)}")

    @property
    def switches(self) -> tuple[str, ...]:
        """Names of those that are on."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name))

    def __call__(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W) uint8 -> the same, changed; on their device."""
        if not self.switches:
            return pictures
        x = pictures.float() / 255
        if self.color_jitter and x.shape[1] != 3:
            raise OptionError(f"color_jitter is for pictures in colours, these have {x.shape[1]} channels")
        for change in self._changes(x):
            x = change(x)
        return (x * 255).round().clamp(0, 255).to(torch.uint8)

    def _changes(self, x: Tensor) -> list[Callable[[Tensor], Tensor]]:
        """Those of kornia that are on, for pictures (B, C, H, W)."""
        kornia, size = need("kornia.augmentation", "augmentation"), tuple(x.shape[2:])
        cut = {"cropping_mode": "resample" if on_gpu(x.device) else "slice"}  # one by one, half the time on a CPU
        every: dict[str, Callable[[], Any]] = {
            "shift": lambda: kornia.RandomCrop(size, padding=self.shift, padding_mode="replicate", **cut),
            "crop": lambda: kornia.RandomResizedCrop(size, scale=(self.crop, 1.0), **cut),
            "rotation": lambda: kornia.RandomAffine(self.rotation, padding_mode="border", p=1.0),
            "flip": lambda: kornia.RandomHorizontalFlip(),
            "flip_vertical": lambda: kornia.RandomVerticalFlip(),
            "noise": lambda: kornia.RandomGaussianNoise(std=self.noise, p=1.0),
            "color_jitter": lambda: kornia.ColorJiggle(*[self.color_jitter] * 3, self.color_jitter / 2, p=1.0),
        }
        return [every[name]() for name in self.switches]


class Augmented(Pictures):
    """Pictures as a method sees them changed while it trains, and as they are while it is evaluated."""

    def __init__(self, pictures: Pictures, augmentation: Augmentation, method: Method) -> None:
        self.device, self.store = pictures.device, pictures.store
        self.pictures, self.augmentation, self.method = pictures, augmentation, method

    def __getitem__(self, rows: Tensor) -> Tensor:
        pictures = self.pictures[rows]
        return self.augmentation(pictures) if self.method.training else pictures


def augment(method: Method, augmentation: Augmentation) -> None:
    """Let a method see changed pictures from now on while it trains; call it before the training.

    Raises OptionError for texts, and where labels are at places of the picture, which would have to change along.
    """
    moving = [name for name in augmentation.switches if name not in STAY]
    if isinstance(method, Planes) and moving:
        raise OptionError(
            f"{moving[0]} moves what planes are labels of: the method planes can only have noise and color_jitter"
        )
    if method.pictures.store.ndim != 4:
        raise OptionError("augmentation is for pictures, not for texts")
    method.pictures = Augmented(method.pictures, augmentation, method)


def preview(pictures: np.ndarray, augmentation: Augmentation, seed: int = 0, side: int = 112) -> np.ndarray:
    """A sheet of what each switch does: a row for each picture, columns for none, each switch that is on, and all.

    Args:
        pictures: (N, H, W, C) uint8; of more than three channels, the last frame is shown.
        side: pixels of the longer side of a picture on the sheet, about.

    Returns: (rows, columns, 3) uint8.
    """
    names = augmentation.switches
    single = [replace(Augmentation(), **{name: getattr(augmentation, name)}) for name in names]
    columns = {"as it is": Augmentation(), **dict(zip(names, single, strict=True))}
    if len(names) > 1:
        columns["all"] = augmentation
    x = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        changed = [_as_rgb(_surely(change, x).permute(0, 2, 3, 1).numpy()) for change in columns.values()]
    return _sheet([name.replace("_", " ") for name in columns], changed, side)


def _surely(augmentation: Augmentation, x: Tensor) -> Tensor:
    """Pictures (B, C, H, W) as they are changed; a flip alone is of every picture, not of every second."""
    if augmentation.switches in (("flip",), ("flip_vertical",)):
        return x.flip(3 if augmentation.flip else 2)
    return augmentation(x)


def _as_rgb(pictures: np.ndarray) -> np.ndarray:
    """(N, H, W, C) of any channels -> (N, H, W, 3): the last frame, in colours if the channels are of such."""
    last = pictures[..., -3:] if pictures.shape[-1] % 3 == 0 else pictures[..., -1:]
    return np.broadcast_to(last, (*last.shape[:3], 3))


def _sheet(titles: list[str], columns: list[np.ndarray], side: int) -> np.ndarray:
    """Columns of pictures (N, H, W, 3), enlarged by whole numbers, side by side under their titles."""
    image, draw, font = (need(f"PIL.{name}", "preview") for name in ("Image", "ImageDraw", "ImageFont"))
    count, height, width, _ = columns[0].shape
    scale = max(1, round(side / max(height, width)))
    cell, gap, head = (width * scale, height * scale), 8, 26
    letters = font.load_default(14)
    across = max(cell[0], *(round(letters.getlength(title)) for title in titles)) + gap
    size = gap + across * len(columns), head + (cell[1] + gap) * count
    sheet = image.new("RGB", size, (255, 255, 255))
    pen = draw.Draw(sheet)
    for k, (title, pictures) in enumerate(zip(titles, columns, strict=True)):
        left = gap + across * k
        pen.text((left, head // 2), title, fill=(40, 40, 40), font=letters, anchor="lm")
        for row, picture in enumerate(pictures):
            large = image.fromarray(np.ascontiguousarray(picture)).resize(cell, image.Resampling.NEAREST)
            sheet.paste(large, (left, head + (cell[1] + gap) * row))
    return np.array(sheet)
