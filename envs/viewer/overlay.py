"""Paints what an agent makes of the state: each action's probability or Q-value, and the expected return over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .brush import ACCENT, BAR, CHOSEN, ROW, TRACK, Brush
from .scene import Decision, readable

LINE = 22  # height of a row with one action
DENSE = (("small", 17), ("tiny", 13))  # styles and heights of rows with several
HEAD, VALUE, CURVE = 22, 24, 44  # heights of the heading, the expected return, its curve
GAP, MOST_COLUMNS = 8, 5
NUMBER = {False: "100 %", True: "-10.00"}  # what has to fit behind an action: a probability, a value


@dataclass(frozen=True)
class Layout:
    """How the actions are laid out."""

    shown: Sequence[int]  # which of them
    columns: int = 1
    row: int = LINE  # height
    style: str = ""  # of the letters; "": each has a line for itself

    @property
    def rows(self) -> int:
        return -(-len(self.shown) // self.columns)


def paint_decision(brush: Brush, decision: Decision, x: float, y: float, width: float, floor: float) -> None:
    """The actions, all of them if they fit, the one chosen highlighted; below them, if there is room, the return."""
    room = floor - y - HEAD - VALUE
    if room < LINE:
        return
    layout = layout_of(brush, decision, width, room)
    brush.rule(x, y, width)
    brush.text("VALUE OF EACH ACTION" if decision.worth else "NEXT ACTION", "label", x, y + 8)
    left_out = set(possible(decision)) - set(layout.shown)
    if left_out:
        brush.text(f"AND {len(left_out)} OTHERS", "label", x + width, y + 8, align=1)
    y += HEAD
    column = (width - GAP * (layout.columns - 1)) / layout.columns
    for n, k in enumerate(layout.shown):
        left, top = x + (n // layout.rows) * (column + GAP), y + (n % layout.rows) * layout.row
        if layout.style:
            paint_cell(brush, decision, k, left, top, column, layout)
        else:
            paint_line(brush, decision, k, left, top, column)
    paint_values(brush, decision.values, x, y + layout.rows * layout.row + 4, width, floor)


def layout_of(brush: Brush, decision: Decision, width: float, room: float) -> Layout:
    """A line for each action; else the largest letters that show all, or all that are possible; else the likely ones."""
    everything, able = range(len(decision.actions)), possible(decision)
    for actions in (everything, able):
        if len(actions) * LINE <= room:
            return Layout(actions)
        for style, row in DENSE:
            columns = columns_of(brush, decision, actions, style, width)
            needed = -(-len(actions) // max(int(room // row), 1))
            if needed <= columns:
                return Layout(actions, needed, row, style)
    style, row = DENSE[-1]
    columns = columns_of(brush, decision, able, style, width)
    return Layout(most_likely(decision, max(int(room // row), 1) * columns), columns, row, style)


def possible(decision: Decision) -> Sequence[int]:
    """Actions that the agent could take now."""
    least = -math.inf if decision.worth else 0.0
    return [k for k, number in enumerate(decision.numbers) if number > least or k == decision.chosen]


def columns_of(brush: Brush, decision: Decision, actions: Sequence[int], style: str, width: float) -> int:
    """In how many columns actions could be written side by side."""
    widest = max(brush.width(readable(decision.actions[k]), f"{style} chosen") for k in actions)
    cell = widest + brush.width(NUMBER[decision.worth], f"{style} chosen") + 12
    return max(min(int((width + GAP) // (cell + GAP)), MOST_COLUMNS), 1)


def paint_line(brush: Brush, decision: Decision, k: int, x: float, y: float, width: float) -> None:
    """An action with its bar and its number."""
    chosen, names = k == decision.chosen, [readable(name) for name in decision.actions]
    style, color = ("chosen", ACCENT) if chosen else ("name", BAR)
    if chosen:
        brush.box(x - 8, y, width + 16, LINE, ROW)
    name_width = min(max(brush.width(name, "chosen") for name in names), 0.55 * width) + 10
    middle, share = y + LINE / 2 - brush.height("name") / 2, decision.share(k)
    brush.text(names[k], style, x, middle, width=name_width)
    left, length = x + name_width, width - name_width - 58
    brush.box(left, y + 8, length, 6, TRACK, 3)
    if share * length >= 1:
        brush.box(left, y + 8, max(share * length, 6), 6, color, 3)
    brush.text(label_of(decision.numbers[k], decision.worth), style, x + width, middle, align=1)


def paint_cell(brush: Brush, decision: Decision, k: int, x: float, y: float, width: float, layout: Layout) -> None:
    """An action and its number over its bar."""
    chosen, height = k == decision.chosen, layout.row - 2
    style = f"{layout.style} chosen" if chosen else layout.style
    brush.box(x, y, width, height, ROW, 3)
    if decision.share(k) * width >= 1:
        brush.box(x, y, max(decision.share(k) * width, 4), height, CHOSEN if chosen else BAR, 3)
    if chosen:
        brush.box(x - 4, y, 2, height, ACCENT, 0)
    label = label_of(decision.numbers[k], decision.worth)
    middle, end = y + height / 2 - brush.height(style) / 2, x + width - 4
    brush.text(label, style, end, middle, align=1)
    brush.text(readable(decision.actions[k]), style, x + 4, middle, width=end - x - 8 - brush.width(label, style))


def label_of(number: float, worth: bool) -> str:
    """A probability in per cent, a value with its sign."""
    if not worth:
        return f"{100 * number:.0f} %"
    return "-" if number == -math.inf else f"{number:+.2f}"


def most_likely(decision: Decision, count: int) -> Sequence[int]:
    """The actions to show where there is no room for all, in their own order; always with the one chosen."""
    order = sorted(range(len(decision.actions)), key=lambda k: (k != decision.chosen, -decision.numbers[k]))
    return sorted(order[:count])


def paint_values(brush: Brush, values: tuple[float, ...], x: float, y: float, width: float, floor: float) -> None:
    """The return that the agent expects from here on, and how that went in this episode."""
    brush.text("EXPECTED RETURN", "label", x, y + 3)
    brush.text(f"{values[-1]:+.2f}", "chosen", x + width, y, align=1)
    top, bottom = y + VALUE, min(y + VALUE + CURVE, floor)
    if bottom - top < 14:
        return
    shown = values[-round(width / 2) :]
    stride = width / max(len(shown) - 1, 40)
    low, span = min(shown), max(max(shown) - min(shown), 0.1)
    points = [(x + stride * k, bottom - 2 - (value - low) / span * (bottom - top - 4)) for k, value in enumerate(shown)]
    if len(points) > 1:
        brush.curve(points, bottom)
    brush.dot(*points[-1], 3, ACCENT)
