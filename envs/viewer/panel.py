"""Paints the panel beside the picture: score, counts, the agent's decision, keys. Lengths are in points, see `brush`."""

from __future__ import annotations

from .brush import ACCENT, CAP, FAINT, ROW, SLATE, TRACK, Brush
from .overlay import paint_decision
from .scene import Card, Scene, number

WIDTH, MARGIN = 340, 24  # of the panel, and inside it
FACT, KEY = 38, 24  # heights of a row
RESULT, LINE = 74, 18  # heights of how a game ended: of the box without its lines, of a line
GAP = 10  # between columns


def paint_panel(brush: Brush, scene: Scene, x: float, height: float) -> None:
    """Everything, from `x` to the right: the score at the top, keys at the bottom, between them what there is room for."""
    brush.box(x, 0, WIDTH, height, SLATE, 0)
    left, width = x + MARGIN, WIDTH - 2 * MARGIN
    brush.text(scene.title, "title", left, 18, width=width)
    brush.text(scene.subtitle, "body", left, 50, width=width)
    floor = paint_commands(brush, scene, left, height - 16, width)
    lines = brush.wrap(scene.result.text, "body", width) if scene.result is not None else []
    kept = RESULT + LINE * len(lines) + 8 if scene.result is not None else 0
    y = paint_facts(brush, scene, left, 80, width, floor - kept)
    if scene.result is not None:
        paint_result(brush, scene.result, lines, left, y, width)
        y += kept
    if scene.controls:
        paint_controls(brush, scene, left, y + 4, width, floor - 8)
    if scene.decision is not None:
        paint_decision(brush, scene.decision, left, y + 4, width, floor - 8)


def paint_facts(brush: Brush, scene: Scene, x: float, y: float, width: float, floor: float) -> float:
    """The score, and as many facts as there is room for, in two columns; returns where they end."""
    brush.text(scene.whose.upper(), "label", x, y, width=width)
    brush.text(number(scene.score), "score", x - 2, y + 8, width=width)
    y += 64
    facts = list(scene.facts.items())[: 2 * max(int((floor - y) // FACT), 0)]
    for k, (name, value) in enumerate(facts):
        left, top = x + (k % 2) * (width / 2 + 4), y + (k // 2) * FACT
        brush.text(name.upper(), "label", left, top, width=width / 2)
        brush.text(value, "fact", left, top + 12, width=width / 2)
    return y + -(-len(facts) // 2) * FACT


def paint_result(brush: Brush, card: Card, lines: list[str], x: float, y: float, width: float) -> None:
    """How the game ended."""
    height = RESULT + LINE * len(lines)
    brush.box(x - 12, y, width + 24, height, ROW, 8)
    brush.text(card.title, "result", x, y + 8, width=width)
    for k, line in enumerate(lines):
        brush.text(line, "body", x, y + 42 + LINE * k, width=width)
    brush.text(card.prompt, "chosen", x, y + height - 28, color=ACCENT, width=width)


def paint_commands(brush: Brush, scene: Scene, x: float, y: float, width: float) -> float:
    """The status line and the window's own keys, ending at y; returns where they start."""
    entries = list(scene.keys.items())
    columns = columns_for(brush, entries, len(entries), width, (3, 2)) or [width / 2, width / 2 - GAP]
    y -= -(-len(entries) // len(columns)) * KEY
    paint_entries(brush, entries, columns, x, y)
    top = y - 30
    brush.rule(x, top - 8, width)
    brush.dot(x + 4, top + 10, 4, ACCENT if scene.live else FAINT)
    brush.text(scene.status, "body", x + 16, top + 10 - brush.height("body") / 2, width=width - 16)
    return top - 8


def paint_controls(brush: Brush, scene: Scene, x: float, y: float, width: float, floor: float) -> None:
    """The game's own keys, in as many columns as it takes to show all; the rest is among the rules."""
    entries = list(scene.controls.items())
    room = int((floor - y - 22) // KEY)
    if room < 1:
        return
    brush.rule(x, y, width)
    brush.text("KEYS", "label", x, y + 8)
    columns = columns_for(brush, entries, room, width, (1, 2, 3))
    if columns is None:
        entries, columns = [*entries[: max(room - 1, 0)], ("h", "rules and all keys")], [width]
    paint_entries(brush, entries, columns, x, y + 26, scene.asleep)


def columns_for(
    brush: Brush, entries: list[tuple[str, str]], room: int, width: float, counts: tuple[int, ...]
) -> list[float] | None:
    """The widths of the first number of columns in which all entries fit whole, in `room` rows; None: there is no way."""
    for count in counts:
        rows = -(-len(entries) // count)
        parts = [entries[k * rows : (k + 1) * rows] for k in range(count)]
        widths = [max((entry_width(brush, *entry) for entry in part), default=0.0) for part in parts]
        if rows <= room and sum(widths) + GAP * (count - 1) <= width:
            return widths
    return None


def entry_width(brush: Brush, keys: str, what: str) -> float:
    return brush.keys_width(keys) + 2 + brush.width(what, "control") + 1


def paint_entries(
    brush: Brush,
    entries: list[tuple[str, str]],
    columns: list[float],
    x: float,
    y: float,
    asleep: frozenset[str] = frozenset(),
) -> None:
    """Keys and what they do, column by column, each of its width; those that do nothing now are faint."""
    rows = -(-len(entries) // len(columns))
    for k, (keys, what) in enumerate(entries):
        column, top = k // rows, y + (k % rows) * KEY
        left = x + sum(columns[:column]) + GAP * column
        end = brush.keys(keys, left, top, asleep=keys in asleep) + 2
        style = "asleep" if keys in asleep else "control"
        brush.text(what, style, end, top + CAP / 2 - 1 - brush.height(style) / 2, width=left + columns[column] - end)


def paint_strip(brush: Brush, scene: Scene, width: float, y: float, height: float) -> None:
    """One line for windows too small for the panel."""
    brush.box(0, y, width, height, SLATE, 0)
    brush.box(0, y, width, 1, TRACK, 0)
    brush.dot(14, y + height / 2, 4, ACCENT if scene.live else FAINT)
    told = scene.result or Card(scene.status, prompt="h: rules")
    middle = y + height / 2 - brush.height("body") / 2
    score = f"{scene.whose} {number(scene.score)}"
    brush.text(score, "chosen", width - 12, middle, align=1)
    left = width - 12 - brush.width(score, "chosen") - 12
    words = f"{told.title}   {told.prompt}" if told.prompt else told.title
    brush.text(words, "body", 26, middle, width=max(left - 26, 0))
