"""Gomoku: line up five stones before the other does, and keep the other from it.

Description
    Two players take turns to place a stone on a point of a board of nine by nine. Black begins. A line of five or more
    wins, across, down or diagonally (freestyle: no move is forbidden, and longer lines count).

Actions
    The points, row by row: `a9 b9 .. i9 a8 .. i1`, columns from the left, rows from the bottom. Free points are legal.

Observation
    Planes, 9 x 9, as the mover sees them: `mine`, `theirs`.

Start
    The board is empty.

Reward
    +1 for the mover who completes a line of five or more, and -1 for the other; 0 for a draw.

Termination
    Five in a line, or a full board.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    Freestyle gomoku; the same as OpenSpiel's `gomoku(size=9)`.

Version history
    1: first release.
"""

import math

from ..canvas import ellipse, fill, letter, line, rect
from ..game import Game, state
from ..rng import uniform

SIZE, CELLS, LINE = 9, 81, 5
MINE, THEIRS = range(2)
DOWN, RIGHT = (0, 1, 1, 1), (1, 0, 1, -1)  # the four directions of a line

State = state(
    player="i1",  # whose turn it is: 0 is Black
    taken="i1",  # points with a stone
    last="i1",  # the last of them, or -1
    board="(9,9)i1",  # 0 free, 1 the first player's, 2 the second's
)


def reset(s, random):
    s.last = -1


def step(s, action, random):
    row, col, mark = action // SIZE, action % SIZE, s.player + 1
    s.board[row, col] = mark
    s.taken += 1
    s.last = action
    s.player = 1 - s.player
    for k in range(4):
        if length(s, row, col, k, mark) >= LINE:
            return 1.0, True
    return 0.0, s.taken == CELLS


def length(s, row, col, k, mark):
    """How many stones the line in direction `k` has that runs through this one."""
    down, right = DOWN[k], RIGHT[k]
    return 1 + run(s, row, col, down, right, mark) + run(s, row, col, -down, -right, mark)


def run(s, row, col, down, right, mark):
    """How many such stones follow each other from there, this one not counted."""
    stones, row, col = 0, row + down, col + right
    while on_board(row, col) and s.board[row, col] == mark:
        stones, row, col = stones + 1, row + down, col + right
    return stones


def on_board(row, col):
    return 0 <= row < SIZE and 0 <= col < SIZE


def legal(s, allowed):
    for row in range(SIZE):
        for col in range(SIZE):
            allowed[SIZE * row + col] = s.board[row, col] == 0


# What it is worth to add to a row of five points with so many stones of one player and none of the other
ATTACK = (1.0, 12.0, 150.0, 2000.0, 1000000.0)
DEFENCE = (0.5, 8.0, 100.0, 1500.0, 100000.0)


def heuristic(s, player, random):
    """Build on rows of five that are still open, and break the other's."""
    best, highest = 0, -1.0
    for cell in range(CELLS):
        row, col = cell // SIZE, cell % SIZE
        if s.board[row, col] == 0:
            value = uniform(random)
            for k in range(4):
                for back in range(LINE):
                    value += worth(s, row - back * DOWN[k], col - back * RIGHT[k], k, player + 1)
            if value > highest:
                best, highest = cell, value
    return best


def worth(s, row, col, k, mark):
    """What a row of five points from there on is worth to a player."""
    if not on_board(row, col) or not on_board(row + (LINE - 1) * DOWN[k], col + (LINE - 1) * RIGHT[k]):
        return 0.0
    mine, theirs = 0, 0
    for n in range(LINE):
        owner = s.board[row + n * DOWN[k], col + n * RIGHT[k]]
        mine += owner == mark
        theirs += owner == 3 - mark
    if theirs == 0:
        return ATTACK[mine]
    return DEFENCE[theirs] if mine == 0 else 0.0


def observe(s, player, planes):
    for row in range(SIZE):
        for col in range(SIZE):
            planes[row, col, MINE] = s.board[row, col] == player + 1
            planes[row, col, THEIRS] = s.board[row, col] == 2 - player


TABLE, EDGE_COLOR = (70, 52, 42), (150, 104, 56)
BOARD, GRAIN, INK = (226, 178, 108), (218, 168, 98), (92, 62, 36)
SHADOW = (176, 130, 74)
FACES = ((44, 45, 52), (246, 245, 240))
RIMS = ((16, 17, 22), (196, 194, 186))
GLINTS = ((112, 116, 128), (255, 255, 255))
MARK = (226, 66, 56)
EDGE = 0.75  # from the side of the picture to the first cell; a point is the middle of its cell


def backdrop(canvas):
    fill(canvas, TABLE)
    rect(canvas, 0.12, 0.12, SIZE + 1.42, SIZE + 1.46, EDGE_COLOR)
    rect(canvas, 0.12, 0.12, SIZE + 1.42, SIZE + 1.36, BOARD)
    for k in range(18):
        rect(canvas, 0.12, 0.4 + 0.6 * k, SIZE + 1.42, 0.1 + 0.07 * (k % 3), GRAIN)
    for k in range(SIZE):
        middle = EDGE + k + 0.5
        rect(canvas, middle - 0.025, EDGE + 0.5, 0.05, SIZE - 1, INK)
        rect(canvas, EDGE + 0.475, middle - 0.025, SIZE - 0.95, 0.05, INK)
        letter(canvas, 10 + k, middle - 0.11, SIZE + 0.93, 0.22, 0.3, INK)
        letter(canvas, SIZE - k, 0.42, middle - 0.15, 0.22, 0.3, INK)
    for k in range(4):
        ellipse(canvas, EDGE + 2.38 + 4 * (k % 2), EDGE + 2.38 + 4 * (k // 2), 0.24, 0.24, INK)
    ellipse(canvas, EDGE + 4.38, EDGE + 4.38, 0.24, 0.24, INK)


def draw(s, player, canvas):
    for row in range(SIZE):
        for col in range(SIZE):
            if s.board[row, col] != 0:
                draw_stone(canvas, EDGE + col, EDGE + row, s.board[row, col] - 1)
    if s.last >= 0:
        mark_last(s, canvas, s.last // SIZE, s.last % SIZE)


def draw_stone(canvas, x, y, owner):
    ellipse(canvas, x + 0.11, y + 0.14, 0.86, 0.86, SHADOW)
    ellipse(canvas, x + 0.07, y + 0.07, 0.86, 0.86, RIMS[owner])
    ellipse(canvas, x + 0.1, y + 0.08, 0.8, 0.8, FACES[owner])
    ellipse(canvas, x + 0.25, y + 0.18, 0.3, 0.2, GLINTS[owner])


def mark_last(s, canvas, row, col):
    """A red dot on the last stone, and a red line through five or more."""
    mark, x, y = s.board[row, col], EDGE + col + 0.5, EDGE + row + 0.5
    ellipse(canvas, x - 0.13, y - 0.13, 0.26, 0.26, MARK)
    for k in range(4):
        if length(s, row, col, k, mark) >= LINE:
            ahead, back = run(s, row, col, DOWN[k], RIGHT[k], mark), run(s, row, col, -DOWN[k], -RIGHT[k], mark)
            x1, y1, x2, y2 = x - back * RIGHT[k], y - back * DOWN[k], x + ahead * RIGHT[k], y + ahead * DOWN[k]
            line(canvas, x1, y1, x2, y2, 0.14, MARK)


def click(s, x, y):
    row, col = math.floor(y - EDGE), math.floor(x - EDGE)
    return SIZE * row + col if 0 <= row < SIZE and 0 <= col < SIZE else -1


GAME = Game(
    name="Gomoku",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    click=click,
    backdrop=backdrop,
    legal=legal,
    heuristic=heuristic,
    players=2,
    player_names=("black", "white"),
    shape=(SIZE, SIZE),
    planes=("mine", "theirs"),
    actions=tuple(f"{col}{row}" for row in range(SIZE, 0, -1) for col in "abcdefghi"),
    canvas=(32 / 3, 32 / 3),  # at 64 pixels every line is one of them wide
)
