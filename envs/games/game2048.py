"""Game2048: slide the tiles; equal ones that meet become one of twice the number.

Description
    Numbered tiles lie on a board of 4 x 4 cells. A move slides all of them as far as they go. Two tiles of the same
    number that meet become one with their sum, once a move; of three in a row those farther on in the move's direction.
    After a move that changed the board a tile appears in any free cell, each as likely: a 2 in nine of ten cases, else a 4.

Actions
    0 up, 1 right, 2 down, 3 left. A move that would change nothing does nothing, and no tile appears: it is not legal,
    and those who know no masks may take it.

Observation
    Planes, 4 x 4, one for each number a tile may have: `2`, `4`, `8` and so on to `131072`. No tile can be larger: a
    full board of 65536, 32768, ..., 8, 4 and another 4, come by a last 4, is the best there is.

Start
    Two tiles, which appear as all others do.

Reward
    The sum of the numbers on the tiles that became one in this move.

Termination
    No move would change the board. The tile 2048 does not end the game.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    "2048" by Gabriele Cirulli (2014); the same as OpenSpiel's `2048`, but that one ends at the tile 2048
    and does not call a move legal that only joins tiles with one that was joined in the move before.

Version history
    1: first release.
"""

from ..canvas import fill, number, rounded_rect
from ..game import Game, state
from ..rng import below

SIZE, CELLS, LARGEST = 4, 16, 17
FOUR_IN = 10  # one new tile in so many is a 4
FIRST = (0, 3, 12, 0)  # moving up, right, down, left: where the first line begins, at the end that tiles slide to ...
TO_NEXT_LINE = (1, 4, 1, 4)  # ... how far it is from there to the next line ...
ALONG = (4, -1, -4, 1)  # ... and from cell to cell within a line

State = state(
    tiles="(16,)i1",  # row by row: 0 free, else the exponent of 2
    free="i1",  # how many cells are free
)


def reset(s, random):
    s.free = CELLS
    add_tile(s, random)
    add_tile(s, random)


def add_tile(s, random):
    exponent = 2 if below(random, FOUR_IN) == 0 else 1
    left = below(random, s.free)
    for cell in range(CELLS):
        if s.tiles[cell] == 0:
            if left == 0:
                s.tiles[cell] = exponent
            left -= 1
    s.free -= 1


def step(s, action, random):
    points = slide(s, action)
    if points < 0:
        return 0.0, False
    add_tile(s, random)
    return points * 1.0, s.free == 0 and moves(s) == 0


def slide(s, action):
    """Move all tiles; returns the sum of those that became one, or -1 if nothing changed."""
    points, changed = 0, False
    for k in range(SIZE):
        cell = FIRST[action] + k * TO_NEXT_LINE[action]
        target, waiting = cell, 0  # where the next tile goes; the exponent of the one before it, if that may grow
        for _ in range(SIZE):
            tile = s.tiles[cell]
            if tile != 0:
                s.tiles[cell] = 0
                if tile == waiting:
                    s.tiles[target - ALONG[action]] = tile + 1
                    points += 2 << tile
                    s.free += 1
                    waiting = 0
                else:
                    s.tiles[target] = tile
                    changed |= target != cell
                    target += ALONG[action]
                    waiting = tile
            cell += ALONG[action]
    return points if changed or points > 0 else -1


def moves(s):
    """Which moves would change the board: 1 for up, 2 for right, 4 for down, 8 for left, added up."""
    up, right, down, left = 0, 0, 0, 0
    for k in range(SIZE):
        for n in range(SIZE - 1):
            here, there = s.tiles[SIZE * k + n], s.tiles[SIZE * k + n + 1]
            right |= (here != 0) & ((there == 0) | (here == there))
            left |= (there != 0) & ((here == 0) | (here == there))
            here, there = s.tiles[SIZE * n + k], s.tiles[SIZE * n + k + SIZE]
            down |= (here != 0) & ((there == 0) | (here == there))
            up |= (there != 0) & ((here == 0) | (here == there))
    return up + 2 * right + 4 * down + 8 * left


def legal(s, allowed):
    possible = moves(s)
    for action in range(4):
        allowed[action] = (possible >> action) & 1 == 1


def heuristic(s, random):
    """The move after which most cells are free, neighbours differ least, and large tiles lie in the top left corner."""
    upper, lower, free = packed(s, 0), packed(s, CELLS // 2), s.free
    best, highest = below(random, 4), -1000
    for action in range(4):
        if slide(s, action) >= 0:
            value = worth(s)
            if value > highest:
                best, highest = action, value
            unpack(s, upper, 0)
            unpack(s, lower, CELLS // 2)
            s.free = free
    return best


def worth(s):
    value = 16 * s.free + 2 * s.tiles[0] + s.tiles[1] + s.tiles[SIZE]
    for k in range(SIZE):
        for n in range(SIZE - 1):
            value -= abs(s.tiles[SIZE * k + n] - s.tiles[SIZE * k + n + 1])
            value -= abs(s.tiles[SIZE * n + k] - s.tiles[SIZE * n + k + SIZE])
    return value


def packed(s, first):
    """Half of the board in one number, five bits a cell."""
    bits = 0
    for k in range(CELLS // 2):
        bits |= s.tiles[first + k] << (5 * k)
    return bits


def unpack(s, bits, first):
    for k in range(CELLS // 2):
        s.tiles[first + k] = (bits >> (5 * k)) & 31


def observe(s, planes):
    for cell in range(CELLS):
        if s.tiles[cell] != 0:
            planes[cell // SIZE, cell % SIZE, s.tiles[cell] - 1] = 1


BOARD, HOLLOW, SHADE = (173, 157, 143), (192, 178, 163), (150, 135, 122)
DARK_INK, LIGHT_INK = (112, 101, 91), (252, 248, 242)
TILES = (
    HOLLOW, (238, 228, 218), (237, 217, 188), (243, 178, 122), (246, 150, 101), (246, 124, 96), (247, 95, 60),
    (238, 208, 114), (238, 204, 97), (237, 199, 78), (236, 196, 62), (235, 190, 40), (120, 178, 92), (72, 156, 110),
    (44, 134, 148), (48, 102, 176), (92, 74, 170), (48, 42, 60),
)  # fmt: skip
MARGIN, GAP, CORNER = 0.07, 0.055, 0.1
SIDE = 1.0 - 2.0 * GAP  # of a tile


def backdrop(canvas):
    fill(canvas, BOARD)
    for cell in range(CELLS):
        rounded_rect(canvas, cell % SIZE + GAP + MARGIN, cell // SIZE + GAP + MARGIN, SIDE, SIDE, CORNER, HOLLOW)


def draw(s, canvas):
    for cell in range(CELLS):
        tile = s.tiles[cell]
        if tile > 0:
            x, y = cell % SIZE + GAP + MARGIN, cell // SIZE + GAP + MARGIN
            rounded_rect(canvas, x, y + 0.035, SIDE, SIDE, CORNER, SHADE)
            rounded_rect(canvas, x, y, SIDE, SIDE, CORNER, TILES[tile])
            ink = DARK_INK if tile <= 2 else LIGHT_INK
            height = 0.42 if tile < 7 else 0.36
            number(canvas, 1 << tile, x + 0.1, y + (SIDE - height) / 2.0, SIDE - 0.2, height, ink)


GAME = Game(
    name="Game2048",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    legal=legal,
    heuristic=heuristic,
    canvas=(SIZE + 2 * MARGIN, SIZE + 2 * MARGIN),
    shape=(SIZE, SIZE),
    planes=tuple(str(2**exponent) for exponent in range(1, LARGEST + 1)),
    actions=("up", "right", "down", "left"),
    keys={
        "up": "up",
        "right": "right",
        "down": "down",
        "left": "left",
        "w": "up",
        "d": "right",
        "s": "down",
        "a": "left",
    },
    fps=4,
    waits=True,
)
