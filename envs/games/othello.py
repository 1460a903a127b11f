"""Othello: surround the other's discs to turn them over, and own more when nobody can move.

Description
    Two players take turns to place a disc on a board of eight by eight cells, so that it and another disc of the same
    colour have an unbroken line of the other's discs between them, across, down or diagonally. All discs in such lines
    are turned over and change sides. Black begins.

Actions
    The cells, row by row: `a1 b1 .. h1 a2 .. h8`, columns from the left, rows from the top, and `pass`. Moves that turn at
    least one disc are legal; `pass` is legal only when there is no such move.

Observation
    Planes, 8 x 8, as the mover sees them: `mine`, `theirs`.

Start
    Two discs each in the middle: Black on d5 and e4, White on d4 and e5.

Reward
    At the end +1 for the player with more discs and -1 for the other; 0 if they have as many.

Termination
    Neither player can turn a disc.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    The World Othello Federation's; the same as OpenSpiel's `othello`.

Version history
    1: first release.
"""

import math

from ..canvas import ellipse, fill, letter, number, rect
from ..game import Game, state
from ..rng import uniform

SIZE, CELLS = 8, 64
PASS = CELLS
MINE, THEIRS = range(2)

# Cell `8 * row + col` is a bit of a 64-bit number; the last one, h8, is its sign. A line of discs runs along one of these
# steps of bits, upwards or downwards. What is turned lies between two other discs, so never on the border that a line
# would have to cross: masked with `INNER`, lines do not run on from one side of the board to the other.
STEPS = (1, 8, 7, 9)
INNER_COLS, INNER_ROWS = 0x7E7E7E7E7E7E7E7E, 0x00FFFFFFFFFFFF00
INNER = (INNER_COLS, INNER_ROWS, INNER_COLS & INNER_ROWS, INNER_COLS & INNER_ROWS)
BELOW_SIGN = 0x7FFFFFFFFFFFFFFF

State = state(
    player="i1",  # whose turn it is: 0 is Black
    last="i1",  # the cell of the last disc, or -1
    discs="(2,)i8",  # each player's, one bit for each cell
    moves="i8",  # where the player may place one
)


def reset(s, random):
    s.last = -1
    s.discs[0] = 1 << 28 | 1 << 35
    s.discs[1] = 1 << 27 | 1 << 36
    s.moves = moves_of(s.discs[0], s.discs[1])


def step(s, action, random):
    mover, other = s.player, 1 - s.player
    mine, theirs = s.discs[mover], s.discs[other]
    if action != PASS:
        placed = signed(1 << action)
        turned = turned_by(placed, mine, theirs)
        mine, theirs = mine | placed | turned, theirs & ~turned
        s.discs[mover], s.discs[other] = mine, theirs
        s.last = action
    s.player, s.moves = other, moves_of(theirs, mine)
    if s.moves != 0 or moves_of(mine, theirs) != 0:
        return 0.0, False
    lead = count(mine) - count(theirs)
    return float((lead > 0) - (lead < 0)), True


def moves_of(mine, theirs):
    """The free cells from which a line of theirs leads to one of mine."""
    ends = 0
    for k in range(4):
        ends |= line_up(mine, theirs & INNER[k], STEPS[k]) << STEPS[k]
        ends |= line_down(mine, theirs & INNER[k], STEPS[k]) >> STEPS[k]
    return signed(ends & ~(mine | theirs))


def turned_by(placed, mine, theirs):
    """Their discs that lie in a line between the placed disc and one of mine."""
    turned = 0
    for k in range(4):
        up = line_up(placed, theirs & INNER[k], STEPS[k])
        down = line_down(placed, theirs & INNER[k], STEPS[k])
        if up << STEPS[k] & mine != 0:
            turned |= up
        if down >> STEPS[k] & mine != 0:
            turned |= down
    return turned


def line_up(discs, between, step):
    """The cells of `between` in unbroken lines that start beside these discs; what is shifted out on top is masked away."""
    line = between & discs << step
    for _ in range(SIZE - 3):
        line |= between & line << step
    return line


def line_down(discs, between, step):
    """The same downwards. A sign that is drawn along falls on the border, which is not in `between`."""
    line = between & discs >> step
    for _ in range(SIZE - 3):
        line |= between & line >> step
    return line


def signed(bits):
    """The number that 64 bits are in the record, where bit 63 is the sign; a shift in Python makes it a large number."""
    return bits & BELOW_SIGN | -(bits >> 63 & 1) << 63


def count(discs):
    number = 0
    for cell in range(CELLS):
        number += discs >> cell & 1
    return number


def legal(s, allowed):
    moves = s.moves
    for cell in range(CELLS):
        allowed[cell] = moves >> cell & 1 == 1
    allowed[PASS] = moves == 0


# What a disc is worth there: corners stay for ever, their neighbours give them away.
WORTH = (
    100, -20, 10, 5, 5, 10, -20, 100,
    -20, -50, -2, -2, -2, -2, -50, -20,
    10, -2, 1, 1, 1, 1, -2, 10,
    5, -2, 1, 1, 1, 1, -2, 5,
    5, -2, 1, 1, 1, 1, -2, 5,
    10, -2, 1, 1, 1, 1, -2, 10,
    -20, -50, -2, -2, -2, -2, -50, -20,
    100, -20, 10, 5, 5, 10, -20, 100,
)  # fmt: skip
MOBILITY = 12.0  # off for each reply that a move leaves
MOST_WORTH = 2000.0  # more than a position can be, so that none is as good as a win


def heuristic(s, player, random):
    """Take good cells, and leave the other player few moves."""
    mine, theirs = s.discs[player], s.discs[1 - player]
    best, highest = PASS, -1.0e9
    for cell in range(CELLS):
        if s.moves >> cell & 1 == 1:
            placed = signed(1 << cell)
            turned = turned_by(placed, mine, theirs)
            replies = count(moves_of(theirs & ~turned, mine | placed | turned))
            value = WORTH[cell] - MOBILITY * replies + uniform(random)
            if value > highest:
                best, highest = cell, value
    return best


def value(s, player):
    """What a player's discs are worth, and how many moves there are beyond the other's."""
    mine, theirs = s.discs[player], s.discs[1 - player]
    worth = MOBILITY * (count(moves_of(mine, theirs)) - count(moves_of(theirs, mine)))
    for cell in range(CELLS):
        worth += WORTH[cell] * ((mine >> cell & 1) - (theirs >> cell & 1))
    return worth / MOST_WORTH


def observe(s, player, planes):
    mine, theirs = s.discs[player], s.discs[1 - player]
    for row in range(SIZE):
        for col in range(SIZE):
            cell = SIZE * row + col
            planes[row, col, MINE] = mine >> cell & 1
            planes[row, col, THEIRS] = theirs >> cell & 1


WOOD, WOOD_DARK, INK = (92, 58, 38), (64, 38, 26), (214, 184, 150)
FELT, FELT_LIGHT, GRID = (30, 124, 82), (36, 138, 92), (16, 82, 54)
SHADOW = (20, 92, 60)
FACES = ((38, 40, 46), (244, 243, 236))
RIMS = ((10, 11, 14), (186, 186, 178))
GLINTS = ((92, 96, 106), (255, 255, 255))
MARK, HINT = (232, 72, 60), (98, 186, 136)
EDGE = 4 / 7  # of wood around the cells


def backdrop(canvas):
    fill(canvas, WOOD)
    rect(canvas, EDGE - 0.1, EDGE - 0.1, SIZE + 0.2, SIZE + 0.2, WOOD_DARK)
    rect(canvas, EDGE, EDGE, SIZE, SIZE, GRID)
    for row in range(SIZE):
        letter(canvas, row + 1, 0.17, EDGE + row + 0.36, 0.18, 0.28, INK)
        letter(canvas, 10 + row, EDGE + row + 0.4, 0.14, 0.2, 0.28, INK)
        for col in range(SIZE):
            rect(canvas, EDGE + col + 0.03, EDGE + row + 0.03, 0.94, 0.94, FELT if (row + col) % 2 else FELT_LIGHT)
    for k in range(4):
        ellipse(canvas, EDGE + 1.92 + 4 * (k % 2), EDGE + 1.92 + 4 * (k // 2), 0.16, 0.16, GRID)


def draw(s, player, canvas):
    for cell in range(CELLS):
        x, y = EDGE + cell % SIZE, EDGE + cell // SIZE
        if s.discs[0] >> cell & 1 == 1:
            draw_disc(canvas, x, y, 0)
        elif s.discs[1] >> cell & 1 == 1:
            draw_disc(canvas, x, y, 1)
        elif s.moves >> cell & 1 == 1:
            ellipse(canvas, x + 0.41, y + 0.41, 0.18, 0.18, HINT)
    if s.last >= 0:
        ellipse(canvas, EDGE + s.last % SIZE + 0.42, EDGE + s.last // SIZE + 0.42, 0.16, 0.16, MARK)
    draw_score(canvas, 2.0, count(s.discs[0]), 0, s.player == 0)
    draw_score(canvas, 5.6, count(s.discs[1]), 1, s.player == 1)


def draw_disc(canvas, x, y, owner):
    ellipse(canvas, x + 0.13, y + 0.16, 0.8, 0.8, SHADOW)
    ellipse(canvas, x + 0.1, y + 0.1, 0.8, 0.8, RIMS[owner])
    ellipse(canvas, x + 0.12, y + 0.1, 0.76, 0.74, FACES[owner])
    ellipse(canvas, x + 0.25, y + 0.19, 0.26, 0.16, GLINTS[owner])


def draw_score(canvas, x, discs, owner, moves):
    """How many discs a player has; the one who moves has a lamp on."""
    y = EDGE + SIZE + 0.11
    ellipse(canvas, x, y, 0.42, 0.42, RIMS[owner])
    ellipse(canvas, x + 0.03, y + 0.02, 0.36, 0.36, FACES[owner])
    if moves:
        ellipse(canvas, x + 0.14, y + 0.13, 0.14, 0.14, MARK)
    number(canvas, discs, x + 0.52, y + 0.02, 0.7, 0.38, INK)


def click(s, x, y):
    """Anywhere, if all that can be done is to pass."""
    if s.moves == 0:
        return CELLS
    row, col = math.floor(y - EDGE), math.floor(x - EDGE)
    return SIZE * row + col if 0 <= row < SIZE and 0 <= col < SIZE else -1


GAME = Game(
    name="Othello",
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
    value=value,
    players=2,
    player_names=("black", "white"),
    shape=(SIZE, SIZE),
    planes=("mine", "theirs"),
    actions=(*(f"{col}{row}" for row in range(1, 9) for col in "abcdefgh"), "pass"),
    keys={"space": "pass"},
    canvas=(64 / 7, 64 / 7),
)
