"""Paints what an agent sees, in a column between the picture and the panel. Lengths are in points, see `brush`."""

from __future__ import annotations

import pygame

from .brush import NIGHT, SLATE, Brush
from .scene import Sight, readable

WIDTH, MARGIN = 300, 24  # of the column, and on its left: on the right is the panel's
TOP, SHARE = 80, 0.7  # where the picture begins, and the most that it takes of the height from there
ROW, SWATCH, GAP = 20, 12, 12  # of the legend: height of a row, side of a colour, between its columns


def paint_sight(brush: Brush, sight: Sight, x: float, height: float) -> None:
    """The picture under its title, and below it as much of the legend as there is room for."""
    brush.box(x, 0, WIDTH, height, SLATE, 0)
    left, width = x + MARGIN, WIDTH - MARGIN
    brush.text(sight.title, "title", left, 18, width=width)
    brush.text(sight.note, "body", left, 50, width=width)
    picture = scaled(sight, width * brush.scale, SHARE * (height - TOP) * brush.scale)
    brush.surface.blit(picture, brush.pixels(left, TOP, width, 0))
    paint_legend(brush, sight, left, TOP + picture.get_height() / brush.scale + 14, width, height - 16)


def scaled(sight: Sight, width: float, height: float) -> pygame.Surface:
    """The picture as large as fits into so many pixels; squares have whole numbers of pixels, so that all are alike."""
    picture = pygame.image.frombuffer(sight.rgb, (sight.width, sight.height), "RGB")
    if not sight.cell:
        scale = min(width / sight.width, height / sight.height)
        size = max(round(sight.width * scale), 1), max(round(sight.height * scale), 1)
        return pygame.transform.smoothscale(picture, size)
    columns, rows = sight.width // sight.cell, sight.height // sight.cell
    side = max(int(min(width / columns, height / rows)), 1)
    large = pygame.transform.scale(picture, (side * columns, side * rows))
    for k in range(columns):
        pygame.draw.line(large, NIGHT, (side * k, 0), (side * k, side * rows))
    for k in range(rows):
        pygame.draw.line(large, NIGHT, (0, side * k), (side * columns, side * k))
    return large


def paint_legend(brush: Brush, sight: Sight, x: float, y: float, width: float, floor: float) -> None:
    """What the colours stand for, in two columns, the first names first; the last line says how many have no room."""
    rows = max(int((floor - y) // ROW), 0)
    entries = list(sight.legend)
    if len(entries) > 2 * rows:
        left_out = len(entries) - 2 * (rows - 1)
        entries = entries[: 2 * max(rows - 1, 0)]
        if rows:
            brush.text(f"AND {left_out} OTHERS", "label", x, y + ROW * (rows - 1) + 4)
    column = (width - GAP) / 2
    for k, (name, color) in enumerate(entries):
        left, top = x + (k % 2) * (column + GAP), y + (k // 2) * ROW
        brush.box(left, top + (ROW - SWATCH) / 2, SWATCH, SWATCH, color, 2)
        brush.text(
            readable(name), "control", left + SWATCH + 6, top + ROW / 2 - brush.height("control") / 2,
            width=column - SWATCH - 6,
        )  # fmt: skip
