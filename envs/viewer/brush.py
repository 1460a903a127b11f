"""`Brush` draws text and shapes on a pygame surface.

Lengths are in points: a point is a pixel in a window of the usual size, and more in a larger one.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import pygame

NIGHT, SLATE, TRACK, LINE = (11, 13, 19), (20, 23, 32), (33, 38, 52), (44, 50, 68)
INK, MUTED, FAINT = (232, 235, 243), (166, 174, 194), (128, 136, 160)
ACCENT, BAR, CHOSEN, ROW = (130, 170, 255), (58, 72, 110), (76, 104, 172), (31, 38, 58)

FAMILIES = ("inter", "segoeui", "sfnstext", "helveticaneue", "notosans", "opensans", "dejavusans", "arial")
STYLES = {  # size in points, bold, colour
    "title": (25, True, INK),
    "body": (13, False, MUTED),
    "label": (10, True, FAINT),
    "score": (40, True, INK),
    "fact": (15, True, INK),
    "name": (13, False, MUTED),
    "chosen": (13, True, INK),
    "small": (11, False, MUTED),
    "small chosen": (11, True, INK),
    "tiny": (10, False, MUTED),
    "tiny chosen": (10, True, INK),
    "key": (11, True, INK),
    "asleep": (12, False, FAINT),
    "control": (12, False, INK),
    "headline": (40, True, INK),
    "result": (25, True, ACCENT),
    "message": (16, False, MUTED),
    "rules": (14, False, INK),
    "heading": (14, True, ACCENT),
    "prompt": (16, True, ACCENT),
}
ARROWS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
CAP = 20  # height of a key cap


class Brush:
    """Paints on `surface`; every length is in points, of `scale` pixels each."""

    def __init__(self, surface: pygame.Surface, scale: float = 1.0) -> None:
        pygame.font.init()
        self.surface, self.scale = surface, scale
        self._fonts: dict[str, pygame.font.Font] = {}  # its own: fonts die with pygame.quit(), whoever calls it

    # text

    def font(self, style: str) -> pygame.font.Font:
        if style not in self._fonts:
            size, bold, _ = STYLES[style]
            self._fonts[style] = load_font(font_path(bold), max(round(size * self.scale), 1))
        return self._fonts[style]

    def width(self, words: str, style: str) -> float:
        return self.font(style).size(words)[0] / self.scale

    def height(self, style: str) -> float:
        return self.font(style).get_linesize() / self.scale

    def text(
        self,
        words: str,
        style: str,
        x: float,
        y: float,
        *,
        width: float = 10_000,
        align: float = 0.0,
        color: Any = None,
    ) -> None:
        """Write one line, cut to `width`; x is its left end (align 0), middle (0.5) or right end (1), y its top."""
        if self.width(words, style) > width:
            words = self.shorten(words, style, width)
        image = self.font(style).render(words, True, color or STYLES[style][2])
        self.surface.blit(image, (round(x * self.scale - image.get_width() * align), round(y * self.scale)))

    def shorten(self, words: str, style: str, width: float) -> str:
        """As many of the letters as fit, and a sign that there are more."""
        while words and self.width(words + "…", style) > width:
            words = words[:-1]
        return words + "…"

    def wrap(self, words: str, style: str, width: float) -> list[str]:
        """Break words into lines of at most that width."""
        lines: list[str] = []
        for word in words.split():
            if lines and self.width(f"{lines[-1]} {word}", style) <= width:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        return lines

    # shapes

    def box(self, x: float, y: float, width: float, height: float, color: Any, radius: float = 4) -> None:
        pygame.draw.rect(
            self.surface, color, self.pixels(x, y, width, height), border_radius=round(radius * self.scale)
        )

    def pixels(self, x: float, y: float, width: float, height: float) -> pygame.Rect:
        """A rectangle in pixels."""
        left, top = round(x * self.scale), round(y * self.scale)
        return pygame.Rect(left, top, round((x + width) * self.scale) - left, round((y + height) * self.scale) - top)

    def rule(self, x: float, y: float, width: float) -> None:
        """A thin line across."""
        pygame.draw.rect(self.surface, LINE, self.pixels(x, y, width, 1))

    def dot(self, x: float, y: float, radius: float, color: Any) -> None:
        middle = round(x * self.scale), round(y * self.scale)
        pygame.draw.aacircle(self.surface, color, middle, max(round(radius * self.scale), 1))

    def curve(self, points: Sequence[tuple[float, float]], bottom: float) -> None:
        """A line through two points or more, and the area under it."""
        line = [(x * self.scale, y * self.scale) for x, y in points]
        ends = [(line[-1][0], bottom * self.scale), (line[0][0], bottom * self.scale)]
        pygame.draw.polygon(self.surface, ROW, [*line, *ends])
        pygame.draw.aalines(self.surface, ACCENT, False, line)

    # keys

    def key_width(self, name: str) -> float:
        return 20 if name in ARROWS else max(self.width(name, "key") + 12, 20)

    def keys_width(self, names: str) -> float:
        """Of several caps, one for each word, with the gap behind each."""
        return sum(self.key_width(name) + 4 for name in names.split())

    def keys(self, names: str, x: float, y: float, *, asleep: bool = False) -> float:
        """Draw key caps, one for each word; returns where they end."""
        for name in names.split():
            self._cap(name, x, y, FAINT if asleep else INK)
            x += self.key_width(name) + 4
        return x

    def _cap(self, name: str, x: float, y: float, color: Any) -> None:
        width, middle = self.key_width(name), y + (CAP - 2) / 2
        self.box(x, y, width, CAP, LINE)
        self.box(x, y, width, CAP - 2, TRACK)
        if name in ARROWS:
            self._arrow(*ARROWS[name], x + width / 2, middle, color)
        else:
            self.text(name, "key", x + width / 2, middle - self.height("key") / 2, align=0.5, color=color)

    def _arrow(self, right: int, down: int, x: float, y: float, color: Any) -> None:
        tip, back = (x + 4 * right, y + 4 * down), (x - 3 * right, y - 3 * down)
        sides = [(back[0] + 4 * side * down, back[1] + 4 * side * right) for side in (-1, 1)]
        corners = [(a * self.scale, b * self.scale) for a, b in (tip, *sides)]
        pygame.draw.polygon(self.surface, color, corners)
        pygame.draw.aalines(self.surface, color, True, corners)


@cache
def font_path(bold: bool) -> str | None:
    """The file of the first font that is there; None: pygame's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pygame warns where it finds no fonts; it has one of its own
        return pygame.font.match_font(FAMILIES, bold=bold)


def load_font(path: str | None, size: int) -> pygame.font.Font:
    """A font whose size means the same for the system's fonts and for pygame's own, which pygame shrinks."""
    return pygame.font.Font(path, size) if path else pygame.font.Font(None, round(size / 0.6875))
