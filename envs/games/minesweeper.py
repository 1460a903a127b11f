"""Minesweeper: open every cell that hides no mine.

Description
    Ten mines lie hidden in a field of 9 x 9 cells. An opened cell shows how many of the eight cells around it hide one. If
    none does, they are opened too, and so on.

Actions
    The cells, row by row: `a9 b9 ... i9 a8 ... i1`, files from the left, ranks from the bottom. Unopened cells are legal;
    opening an opened one does nothing.

Observation
    Planes, 9 x 9: `unopened`, and `0` to `8`, the opened cells that show this number.

Start
    All cells are unopened. The mines are laid when the first one is opened: anywhere else, each choice of ten as likely.

Reward
    1/71 for each cell that is opened, so that those of a game that is won add up to 1, and -1 for a mine.

Termination
    A mine is opened, or all 71 other cells are.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    "Minesweeper" for Windows (Robert Donner and Curt Johnson 1990), the level for beginners; flags, which change nothing,
    are left out.

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, line, number, rect, triangle
from ..game import Game, state
from ..rng import below

SIZE, CELLS, MINES = 9, 81, 10
SAFE = CELLS - MINES
UNOPENED, NUMBER = range(2)  # NUMBER is the first of nine planes
CORNERS = (0, SIZE - 1, CELLS - SIZE, CELLS - 1)

State = state(
    mines="(81,)i1",
    around="(81,)i1",  # how many of the cells around hide a mine
    open="(81,)i1",
    stack="(81,)i1",  # cells whose surroundings have yet to be opened; of use only within a step
    opened="i1",  # how many cells are open; mines are laid when it is 0
    hit="i1",  # 1 + the cell of the mine that was opened, else 0
)


def reset(s, random):
    pass  # all is zero before the first cell is opened


def step(s, action, random):
    if s.open[action] == 1:
        return 0.0, False
    if s.opened == 0:
        lay_mines(s, action, random)
    if s.mines[action] == 1:
        s.hit = action + 1
        return -1.0, True
    before = s.opened
    open_from(s, action)
    return (s.opened - before) / SAFE, s.opened == SAFE


def lay_mines(s, first, random):
    """Ten of the 80 cells that are not the first, without repeats (Floyd's algorithm: Bentley & Floyd 1987)."""
    for last in range(CELLS - 1 - MINES, CELLS - 1):
        k = below(random, last + 1)
        cell = k + (k >= first)
        if s.mines[cell] == 1:
            cell = last + (last >= first)
        s.mines[cell] = 1
        row, col = cell // SIZE, cell % SIZE
        for r in range(top(row), bottom(row)):
            for c in range(top(col), bottom(col)):
                s.around[SIZE * r + c] += 1
        s.around[cell] -= 1


def top(k):
    """The first row, or column, of the cells around one in row, or column, k."""
    return k - 1 if k > 0 else 0


def bottom(k):
    """The row, or column, after the last of them."""
    return k + 2 if k < SIZE - 1 else SIZE


def open_from(s, cell):
    """Open a cell and, as long as there are cells without mines around, all that are around them."""
    s.open[cell] = 1
    s.opened += 1
    s.stack[0] = cell
    waiting = 1
    while waiting > 0:
        waiting -= 1
        cell = s.stack[waiting]
        if s.around[cell] == 0:
            row, col = cell // SIZE, cell % SIZE
            for r in range(top(row), bottom(row)):
                for c in range(top(col), bottom(col)):
                    if s.open[SIZE * r + c] == 0:
                        s.open[SIZE * r + c] = 1
                        s.opened += 1
                        s.stack[waiting] = SIZE * r + c
                        waiting += 1


def legal(s, allowed):
    for cell in range(CELLS):
        allowed[cell] = s.open[cell] == 0


def heuristic(s, random):
    """Open a cell that the numbers around it prove safe, else the least risky; a corner first, which is likeliest a 0."""
    if s.opened == 0:
        return CORNERS[below(random, 4)]
    low, high = sure_mines(s)
    best, least = 0, 2.0
    start = below(random, CELLS)
    for k in range(CELLS):
        cell = (start + k) % CELLS
        if s.open[cell] == 0 and not contains(low, high, cell):
            risk = risk_of(s, cell, low, high)
            if risk < least:
                best, least = cell, risk
    return best


def sure_mines(s):
    """Unopened cells around a number that are no more than it says, as a set of 81 bits: (0 to 44, 45 to 80)."""
    low, high = 0, 0
    for cell in range(CELLS):
        if s.open[cell] == 1 and s.around[cell] > 0 and unopened_around(s, cell, 0, 0) == s.around[cell]:
            row, col = cell // SIZE, cell % SIZE
            for r in range(top(row), bottom(row)):
                for c in range(top(col), bottom(col)):
                    k = SIZE * r + c
                    if s.open[k] == 0 and k < 45:
                        low |= 1 << k
                    elif s.open[k] == 0:
                        high |= 1 << (k - 45)
    return low, high


def contains(low, high, cell):
    return (low >> cell if cell < 45 else high >> (cell - 45)) & 1 == 1


def unopened_around(s, cell, low, high):
    """How many cells around that one are neither open nor sure mines."""
    count, row, col = 0, cell // SIZE, cell % SIZE
    for r in range(top(row), bottom(row)):
        for c in range(top(col), bottom(col)):
            count += s.open[SIZE * r + c] == 0 and not contains(low, high, SIZE * r + c)
    return count


def risk_of(s, cell, low, high):
    """Zero if a number beside it has all its mines elsewhere; else the most that one of the numbers says, or the average."""
    most, row, col = -1.0, cell // SIZE, cell % SIZE
    for r in range(top(row), bottom(row)):
        for c in range(top(col), bottom(col)):
            beside = SIZE * r + c
            if s.open[beside] == 1:
                unknown = unopened_around(s, beside, low, high)
                known = unopened_around(s, beside, 0, 0) - unknown
                if s.around[beside] == known:
                    return 0.0
                most = max(most, (s.around[beside] - known) / unknown)
    return most if most >= 0.0 else MINES / (CELLS - s.opened)


def observe(s, planes):
    for cell in range(CELLS):
        plane = NUMBER + s.around[cell] if s.open[cell] == 1 else UNOPENED
        planes[cell // SIZE, cell % SIZE, plane] = 1


GAP, TOP, LIGHT, SHADE = (52, 66, 88), (112, 148, 186), (150, 184, 216), (78, 108, 146)
OPEN, EDGE, BURNT, BLAST = (230, 231, 225), (204, 207, 204), (232, 120, 98), (255, 214, 120)
MINE, SHINE, POLE, FLAG = (44, 46, 58), (222, 226, 236), (60, 58, 66), (222, 74, 62)
INKS = (
    OPEN, (44, 104, 204), (46, 138, 74), (214, 62, 54), (92, 60, 168), (150, 68, 30), (26, 136, 146), (38, 40, 50),
    (118, 118, 126),
)  # fmt: skip


def backdrop(canvas):
    fill(canvas, GAP)


def draw(s, canvas):
    for cell in range(CELLS):
        x, y = cell % SIZE + 0.0, cell // SIZE + 0.0
        shows_mine = s.mines[cell] == 1 and s.hit > 0
        if s.open[cell] == 1 or shows_mine:
            rect(canvas, x, y, 1, 1, EDGE)
            rect(canvas, x + 0.02, y + 0.02, 0.96, 0.96, BURNT if s.hit == cell + 1 else OPEN)
        else:
            rect(canvas, x + 0.03, y + 0.03, 0.94, 0.94, SHADE)
            rect(canvas, x + 0.03, y + 0.03, 0.86, 0.86, LIGHT)
            rect(canvas, x + 0.11, y + 0.11, 0.78, 0.78, TOP)
        if shows_mine:
            draw_mine(canvas, x, y, s.hit == cell + 1)
        elif s.open[cell] == 1 and s.around[cell] > 0:
            number(canvas, s.around[cell], x + 0.1, y + 0.08, 0.8, 0.84, INKS[s.around[cell]])
        elif s.mines[cell] == 1 and s.opened == SAFE:
            draw_flag(canvas, x, y)


def draw_mine(canvas, x, y, explodes):
    if explodes:
        ellipse(canvas, x + 0.1, y + 0.1, 0.8, 0.8, BLAST)
    line(canvas, x + 0.5, y + 0.12, x + 0.5, y + 0.88, 0.09, MINE)
    line(canvas, x + 0.12, y + 0.5, x + 0.88, y + 0.5, 0.09, MINE)
    line(canvas, x + 0.24, y + 0.24, x + 0.76, y + 0.76, 0.09, MINE)
    line(canvas, x + 0.24, y + 0.76, x + 0.76, y + 0.24, 0.09, MINE)
    ellipse(canvas, x + 0.23, y + 0.23, 0.54, 0.54, MINE)
    ellipse(canvas, x + 0.35, y + 0.33, 0.15, 0.15, SHINE)


def draw_flag(canvas, x, y):
    rect(canvas, x + 0.3, y + 0.76, 0.4, 0.09, POLE)
    rect(canvas, x + 0.47, y + 0.2, 0.07, 0.6, POLE)
    triangle(canvas, x + 0.54, y + 0.18, x + 0.54, y + 0.54, x + 0.24, y + 0.36, FLAG)


def click(s, x, y):
    return SIZE * int(y) + int(x)


GAME = Game(
    name="Minesweeper",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    hidden=True,
    draw=draw,
    click=click,
    backdrop=backdrop,
    legal=legal,
    heuristic=heuristic,
    shape=(SIZE, SIZE),
    planes=("unopened", *(str(around) for around in range(9))),
    actions=tuple(f"{file}{rank}" for rank in "987654321" for file in "abcdefghi"),
    waits=True,
)
