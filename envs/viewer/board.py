"""Paints the game's picture, marks on it and cards of text over it. Lengths are in points, see `brush`."""

from __future__ import annotations

from collections.abc import Sequence

import pygame

from ..game import Game
from .brush import ACCENT, NIGHT, Brush
from .scene import Card, Mark, readable

MARGIN, PITCH = 24, 30  # between words and the edge; height of a row of keys
TOLD = ("Description", "Actions", "Reward", "Termination")  # of a game's docstring
LINE, COLUMN = 19, 560  # height of a line of the rules; a wider text is hard to read


def placed(width: float, height: float, board: pygame.Rect) -> pygame.Rect:
    """Where a picture of that shape is shown: as large as fits and in the middle; in pixels."""
    scale = min(board.width / width, board.height / height)
    place = pygame.Rect(0, 0, max(round(width * scale), 1), max(round(height * scale), 1))
    place.center = board.center
    return place


def paint_picture(surface: pygame.Surface, picture: pygame.Surface, board: pygame.Rect) -> None:
    """The game, as large as fits and in the middle."""
    place = placed(*picture.get_size(), board)
    surface.blit(pygame.transform.smoothscale(picture, place.size), place)


def paint_marks(surface: pygame.Surface, marks: Sequence[Mark], place: pygame.Rect, unit: float) -> None:
    """Dots where actions are; `unit` is the pixels of one of the game's units, `place` where the picture is."""
    for mark in marks:
        radius = max(unit * (0.08 + 0.24 * mark.share**0.5), 2.5)
        middle = round(place.x + mark.x * unit), round(place.y + mark.y * unit)
        side = round(2 * radius) + 6
        dot = pygame.Surface((side, side), pygame.SRCALPHA)
        pygame.draw.aacircle(dot, (*NIGHT, 150), (side // 2, side // 2), round(radius) + 2)
        pygame.draw.aacircle(dot, ACCENT if mark.chosen else (255, 255, 255), (side // 2, side // 2), round(radius))
        dot.set_alpha(255 if mark.chosen else 190)
        surface.blit(dot, dot.get_rect(center=middle))


def dim(surface: pygame.Surface, board: pygame.Rect) -> None:
    veil = pygame.Surface(board.size, pygame.SRCALPHA)
    veil.fill((*NIGHT, 228))
    surface.blit(veil, board)


def paint_card(brush: Brush, card: Card, board: pygame.Rect) -> None:
    """Dim the picture and write over its middle; `board` is in pixels."""
    dim(brush.surface, board)
    middle, height = board.centerx / brush.scale, board.height / brush.scale
    width = board.width / brush.scale - 2 * MARGIN
    lines = brush.wrap(card.text, "message", min(width, 440))
    rows = len(card.keys) if 160 + 24 * len(lines) + PITCH * len(card.keys) <= height else 0  # all or none
    total = 64 + 24 * len(lines) + PITCH * rows + (24 if rows else 0) + (56 if card.prompt else 0)
    y = board.centery / brush.scale - total / 2
    brush.text(card.title, "headline", middle, y, align=0.5, width=width)
    y += 64
    for line in lines:
        brush.text(line, "message", middle, y, align=0.5, width=width)
        y += 24
    y += 24 if rows else 0
    if rows:
        for keys, what in card.keys.items():
            left = brush.keys(keys, middle - brush.keys_width(keys), y)
            brush.text(what, "body", left + 4, y + 10 - brush.height("body") / 2, width=width / 2)
            y += PITCH
    brush.text(card.prompt, "prompt", middle, y + 28, align=0.5, width=width)


def rules_of(game: Game, controls: dict[str, str]) -> list[tuple[str, str]]:
    """Headings and texts that tell a person how a game is played."""
    keys = "; ".join(f"{' or '.join(names.split())}: {what}" for names, what in controls.items())
    sections = game.sections
    found = [(heading, readable(sections[heading]).replace("`", "")) for heading in TOLD if heading in sections]
    summary = game.summary[:1].upper() + game.summary[1:]
    return [(game.name, f"{summary}."), *([("Keys", f"{keys}.")] if keys else []), *found]


def lay_out(brush: Brush, rules: Sequence[tuple[str, str]], width: float) -> list[tuple[str, str]]:
    """The lines of the rules, each with its style."""
    lines = []
    for heading, text in rules:
        lines.append((heading, "heading"))
        for paragraph in text.split("\n\n"):
            lines += [(line, "rules") for line in brush.wrap(paragraph, "rules", width)] + [("", "rules")]
    return lines[:-1]


def paint_rules(brush: Brush, rules: Sequence[tuple[str, str]], scroll: int) -> int:
    """The rules over the whole window, in two columns where it is wide; returns by how many lines they can be scrolled."""
    full = brush.surface.get_rect()
    brush.surface.fill(NIGHT)
    width, height = full.width / brush.scale - 2 * MARGIN, full.height / brush.scale - 2 * MARGIN - 30
    count = 2 if width >= 760 else 1
    column = min((width - 40 * (count - 1)) / count, COLUMN)
    lines, room = lay_out(brush, rules, column), max(int(height // LINE), 1)
    most = max(len(lines) - room * count, 0)
    scroll = min(scroll, most)
    left = (full.width / brush.scale - column * count - 40 * (count - 1)) / 2
    if len(lines) <= room:
        left += (column + 40) * (count - 1) / 2  # one column, in the middle
    for k, (line, style) in enumerate(lines[scroll : scroll + room * count]):
        brush.text(line, style, left + (column + 40) * (k // room), MARGIN + LINE * (k % room), width=column)
    more = "arrow keys to scroll, any other key to go on" if most else "any key to go on"
    brush.text(more, "chosen", full.centerx / brush.scale, MARGIN + height + 12, align=0.5, color=ACCENT)
    return most
