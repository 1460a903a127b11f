"""Tetris: turn and place the falling pieces so that they fill whole rows.

Description
    Pieces of four cells fall one by one into a field of 20 rows and 10 columns. A row that is full disappears, and what
    lies above it comes down. A piece falls one row in every fifth step; one that should fall and cannot settles, and so
    can still be moved for a few steps after it has touched down.

Actions
    0 noop, 1 left, 2 right, 3 clockwise, 4 counterclockwise, 5 soft drop (fall one row now, or settle), 6 hard drop (fall
    to the ground and settle). Turns follow the Super Rotation System with all its wall kicks; cells above the field
    cannot be used. A move or turn for which there is no room does nothing.

Observation
    Planes, 20 x 10: `settled` cells; the `falling` piece; the `next` one, where it will appear; and `phase`, one cell, its
    row the turn of the falling piece, 0 to 3 clockwise, its column the steps since it last fell. What is left in the bag
    is not shown.

Start
    An empty field. Pieces come from a bag that holds one of each of the seven kinds, in any order; an empty bag is filled
    again. They appear in the two topmost rows, in the middle or one column left of it, lying flat.

Reward
    1, 3, 5 or 8 for one, two, three or four rows at once: the guideline's points at level 1, divided by 100.

Termination
    A new piece overlaps settled cells.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    "Tetris" by Alexey Pajitnov (1985) and the Tetris Guideline (2001) as the Tetris Wiki records it: pieces, rotation,
    kicks, the bag and the points. The heuristic is Pierre Dellacherie's (Fahey 2003, "Tetris AI").

Version history
    1: first release.
"""

import numpy as np

from ..canvas import fill, letter, number, rect
from ..game import Game, state
from ..rng import below

ROWS, COLS = 20, 10
KINDS, I, O = 7, 0, 1  # noqa: E741
NOOP, LEFT, RIGHT, CLOCKWISE, COUNTERCLOCKWISE, SOFT, HARD = range(7)
GRAVITY = 5  # steps from row to row
POINTS = (0.0, 1.0, 3.0, 5.0, 8.0)
SETTLED, FALLING, NEXT, PHASE = range(4)
SIDE, ABOVE, BELOW = 3, 4, 4  # so many cells around the field are solid, so that looking for room needs no bounds
SOLID, EMPTY = 0x1FFFF, 0x1E007  # a row all settled, and one with nothing but its two walls

# I, O, T, S, Z, J and L, each lying flat in the box that it turns in
FLAT = ("....|####|....|....", "##|##", ".#.|###|...", ".##|##.|...", "##.|.##|...", "#..|###|...", "..#|###|...")


def _turned():
    """Each piece in its box, turned clockwise 0 to 3 times: its rows as bits, (7, 4, 4), and its cells, (7, 4, 4, 2)."""
    shapes, cells = np.zeros((KINDS, 4, 4), np.int64), np.zeros((KINDS, 4, 4, 2), np.int64)
    for kind, picture in enumerate(FLAT):
        box = np.array([[dot == "#" for dot in line] for line in picture.split("|")])
        for turn in range(4):
            cells[kind, turn] = np.argwhere(np.rot90(box, -turn))
            for row, col in cells[kind, turn]:
                shapes[kind, turn, row] |= 1 << col
    return shapes, cells


SHAPES, CELLS = _turned()
# The five tries of a turn: right and up by what the old turn has here, less what the new one has. First JLSTZ, then I.
OFFSETS = np.array([
    [[(0, 0), (0, 0), (0, 0), (0, 0), (0, 0)], [(0, 0), (1, 0), (1, -1), (0, 2), (1, 2)],
     [(0, 0), (0, 0), (0, 0), (0, 0), (0, 0)], [(0, 0), (-1, 0), (-1, -1), (0, 2), (-1, 2)]],
    [[(0, 0), (0, 0), (0, 0), (0, 0), (0, 0)], [(0, 0), (2, 0), (-1, 0), (2, 1), (-1, -2)],
     [(0, 0), (3, 0), (-3, 0), (3, -1), (-3, -1)], [(0, 0), (1, 0), (-2, 0), (1, -2), (-2, 1)]],
])  # fmt: skip

State = state(
    rows="(28,)i4",  # settled cells, one bit a column, with the walls left and right and solid rows above and below
    colors="(20,10)i1",  # of what kind a settled cell was, from 1; else 0
    kind="i1",  # of the falling piece
    turn="i1",
    row="i1",  # the top left corner of its box
    col="i1",
    ticks="i1",  # steps since it last fell
    next="i1",
    bag="i2",  # a bit for each kind that is left in it
    lines="i4",  # rows that have been filled
)


def reset(s, random):
    for row in range(ABOVE + ROWS + BELOW):
        s.rows[row] = EMPTY if ABOVE <= row < ABOVE + ROWS else SOLID
    s.next = take_from_bag(s, random)
    launch(s, random)


def take_from_bag(s, random):
    if s.bag == 0:
        s.bag = (1 << KINDS) - 1
    left, taken = below(random, ones(s.bag)), 0
    for kind in range(KINDS):
        if (s.bag >> kind) & 1 == 1:
            if left == 0:
                taken = kind
            left -= 1
    s.bag ^= 1 << taken
    return taken


def ones(bits):
    """How many bits are set, of the lowest 32 (Warren 2012, "Hacker's Delight")."""
    bits -= bits >> 1 & 0x55555555
    bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333)
    bits = bits + (bits >> 4) & 0x0F0F0F0F
    return bits * 0x01010101 >> 24 & 0xFF


def launch(s, random):
    """The next piece appears; returns whether it has room."""
    s.kind, s.next = s.next, take_from_bag(s, random)
    s.turn, s.row, s.col, s.ticks = 0, 0, first_col(s.kind), 0
    return fits(s, s.turn, s.row, s.col)


def first_col(kind):
    return 4 if kind == O else 3


def fits(s, turn, row, col):
    """Whether the falling piece has room there."""
    overlap = 0
    for k in range(4):
        overlap |= SHAPES[s.kind, turn, k] << (col + SIDE) & s.rows[ABOVE + row + k]
    return overlap == 0


def step(s, action, random):
    if action in (LEFT, RIGHT):
        col = s.col + (1 if action == RIGHT else -1)
        if fits(s, s.turn, s.row, col):
            s.col = col
    elif action in (CLOCKWISE, COUNTERCLOCKWISE):
        try_to_turn(s, (s.turn + (1 if action == CLOCKWISE else 3)) % 4)
    elif action == HARD:
        s.row = ground(s, s.turn, s.col)
    s.ticks += 1
    if s.ticks < GRAVITY and action != SOFT and action != HARD:
        return 0.0, False
    if action != HARD and fits(s, s.turn, s.row + 1, s.col):
        s.row += 1
        s.ticks = 0
        return 0.0, False
    filled = settle(s)
    return POINTS[filled], not launch(s, random)


def try_to_turn(s, turn):
    table = 1 if s.kind == I else 0
    for k in range(5):
        col = s.col + OFFSETS[table, s.turn, k, 0] - OFFSETS[table, turn, k, 0]
        row = s.row - OFFSETS[table, s.turn, k, 1] + OFFSETS[table, turn, k, 1]
        if fits(s, turn, row, col):
            s.turn, s.row, s.col = turn, row, col
            return


def ground(s, turn, col):
    """The row to which the piece would fall."""
    row = s.row
    while fits(s, turn, row + 1, col):
        row += 1
    return row


def settle(s):
    """The falling piece becomes part of the field; returns how many rows were filled and taken away."""
    filled = 0
    toggle(s, s.turn, s.row, s.col)
    for k in range(4):
        s.colors[s.row + CELLS[s.kind, s.turn, k, 0], s.col + CELLS[s.kind, s.turn, k, 1]] = s.kind + 1
    for k in range(4):
        if SHAPES[s.kind, s.turn, k] != 0 and s.rows[ABOVE + s.row + k] == SOLID:
            take_away(s, s.row + k)
            filled += 1
    s.lines += filled
    return filled


def toggle(s, turn, row, col):
    """Put the falling piece into the field, or take it out again."""
    for k in range(4):
        s.rows[ABOVE + row + k] ^= SHAPES[s.kind, turn, k] << (col + SIDE)


def take_away(s, full):
    for row in range(full, 0, -1):
        s.rows[ABOVE + row] = s.rows[ABOVE + row - 1]
        for col in range(COLS):
            s.colors[row, col] = s.colors[row - 1, col]
    s.rows[ABOVE] = EMPTY
    for col in range(COLS):
        s.colors[0, col] = 0


def heuristic(s, random):
    """Try all places that can be reached by turning, then moving aside, then falling; go for the best."""
    best_turn, best_col, highest = s.turn, s.col, -100_000
    for turn in range(4):
        for direction in (-1, 1):
            col = s.col
            while fits(s, turn, s.row, col):
                row = ground(s, turn, col)
                value = worth(s, turn, row, col)
                if value > highest:
                    best_turn, best_col, highest = turn, col, value
                col += direction
    if best_turn != s.turn:
        return COUNTERCLOCKWISE if (best_turn - s.turn) % 4 == 3 else CLOCKWISE
    if best_col != s.col:
        return LEFT if best_col < s.col else RIGHT
    return HARD


def worth(s, turn, row, col):
    """Dellacherie's sum, doubled, for the piece settled there: low, much of it gone, few edges, few holes, few wells."""
    toggle(s, turn, row, col)
    filled, gone = 0, 0
    for k in range(4):
        bits = SHAPES[s.kind, turn, k]
        if bits != 0 and s.rows[ABOVE + row + k] == SOLID:
            filled += 1
            gone += ones(bits)
    height = 2 * (ROWS - row) - CELLS[s.kind, turn, 0, 0] - CELLS[s.kind, turn, 3, 0]  # twice its middle's
    value = 2 * filled * gone - height - 2 * roughness(s)
    toggle(s, turn, row, col)
    return value


def roughness(s):
    """Changes between empty and settled along rows and columns, four times the holes, and the depths of wells, added up."""
    total, above, covered = 0, EMPTY, EMPTY
    for row in range(ABOVE, ABOVE + ROWS):
        bits = s.rows[row]
        covered |= bits
        if bits == SOLID or covered == EMPTY:  # a row that will be gone, or nothing so far
            continue
        total += ones((bits ^ bits >> 1) & 0xFFFF) + ones(bits ^ above) + 4 * ones(covered & ~bits)
        well, depth = ~bits & bits << 1 & bits >> 1, row
        while well != 0:
            total += ones(well)
            depth += 1
            well &= ~s.rows[depth]
        above = bits
    return total + ones(SOLID ^ above)


def observe(s, planes):
    for row in range(ROWS):
        bits = s.rows[ABOVE + row]
        if bits != EMPTY:
            for col in range(COLS):
                planes[row, col, SETTLED] = (bits >> (col + SIDE)) & 1
    for k in range(4):
        planes[s.row + CELLS[s.kind, s.turn, k, 0], s.col + CELLS[s.kind, s.turn, k, 1], FALLING] = 1
        planes[CELLS[s.next, 0, k, 0], first_col(s.next) + CELLS[s.next, 0, k, 1], NEXT] = 1
    planes[s.turn, s.ticks, PHASE] = 1


NIGHT, WELL, GRID, FRAME, INK = (24, 26, 44), (13, 14, 27), (22, 24, 40), (74, 80, 118), (146, 152, 190)
COLORS = ((72, 202, 228), (246, 205, 70), (170, 98, 214), (104, 196, 92), (228, 76, 84), (76, 116, 226), (240, 146, 58))
LIGHTS = (
    (156, 234, 248), (255, 234, 150), (212, 160, 242), (168, 230, 156), (250, 148, 150), (144, 174, 252), (255, 196, 132),
)  # fmt: skip
SHADES = ((40, 148, 176), (198, 152, 30), (118, 56, 162), (62, 142, 56), (168, 42, 56), (44, 74, 172), (188, 98, 26))
GHOSTS = ((26, 62, 78), (74, 64, 32), (54, 36, 74), (36, 62, 42), (72, 32, 44), (32, 44, 86), (72, 50, 32))
LEFT_EDGE, TOP_EDGE, PANEL = 0.5, 0.5, 11.25  # where the field and what is beside it begin
NEXT_WORD, LINES_WORD = (23, 14, 33, 29), (21, 18, 23, 14, 28)  # in the canvas's letters


def backdrop(canvas):
    fill(canvas, NIGHT)
    rect(canvas, LEFT_EDGE - 0.2, TOP_EDGE - 0.2, COLS + 0.4, ROWS + 0.4, FRAME)
    rect(canvas, LEFT_EDGE, TOP_EDGE, COLS, ROWS, GRID)
    for row in range(ROWS):
        for col in range(COLS):
            rect(canvas, LEFT_EDGE + col + 0.03, TOP_EDGE + row + 0.03, 0.94, 0.94, WELL)
    for k in range(4):
        letter(canvas, NEXT_WORD[k], PANEL + 1.0 * k, 0.6, 0.75, 1.05, INK)
    for k in range(5):
        letter(canvas, LINES_WORD[k], PANEL + 1.0 * k, 7.2, 0.75, 1.05, INK)
    rect(canvas, PANEL - 0.1, 2.1, 5.0, 3.4, FRAME)
    rect(canvas, PANEL + 0.05, 2.25, 4.7, 3.1, WELL)


def draw(s, canvas):
    for row in range(ROWS):
        for col in range(COLS):
            if s.colors[row, col] > 0:
                draw_cell(canvas, LEFT_EDGE + col, TOP_EDGE + row, s.colors[row, col] - 1)
    fall = ground(s, s.turn, s.col) - s.row
    for k in range(4):
        x, y = s.col + CELLS[s.kind, s.turn, k, 1], s.row + CELLS[s.kind, s.turn, k, 0]
        rect(canvas, LEFT_EDGE + x + 0.06, TOP_EDGE + y + fall + 0.06, 0.88, 0.88, GHOSTS[s.kind])
    draw_piece(canvas, s.kind, s.turn, LEFT_EDGE + s.col, TOP_EDGE + s.row)
    aside = 0.4 if s.next == I else 1.4 if s.next == O else 0.9  # so that it is in the middle of its frame
    draw_piece(canvas, s.next, 0, PANEL + aside, 2.3 if s.next == I else 2.8)
    number(canvas, s.lines, PANEL, 8.9, 4.8, 1.6, COLORS[O])


def draw_piece(canvas, kind, turn, x, y):
    for k in range(4):
        draw_cell(canvas, x + CELLS[kind, turn, k, 1], y + CELLS[kind, turn, k, 0], kind)


def draw_cell(canvas, x, y, kind):
    """A tile that is lit from the top left."""
    rect(canvas, x + 0.03, y + 0.03, 0.94, 0.94, SHADES[kind])
    rect(canvas, x + 0.03, y + 0.03, 0.8, 0.8, LIGHTS[kind])
    rect(canvas, x + 0.15, y + 0.15, 0.68, 0.68, COLORS[kind])


KEYS = {
    "left": "left", "right": "right", "up": "clockwise", "down": "soft_drop", "space": "hard_drop", "z": "counterclockwise",
    "a": "left", "d": "right", "w": "clockwise", "s": "soft_drop", "e": "counterclockwise",
}  # fmt: skip

GAME = Game(
    name="Tetris",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    canvas=(16.75, 21.0),
    shape=(ROWS, COLS),
    planes=("settled", "falling", "next", "phase"),
    actions=("noop", "left", "right", "clockwise", "counterclockwise", "soft_drop", "hard_drop"),
    keys=KEYS,
    fps=10,
)
