"""ConnectFour: drop discs into the columns and line up four before the other does.

Description
    Two players take turns to drop a disc into one of seven columns of a rack that is six cells high; it falls onto the
    discs that are there already. Yellow begins.

Actions
    The columns from the left: `a b c d e f g`. A column that has a free cell is legal.

Observation
    Planes, 6 x 7, as the mover sees them: `mine`, `theirs`. The top of the rack is row 0.

Start
    The rack is empty.

Reward
    +1 for the mover who lines up four or more, in a column, a row or a diagonal, and -1 for the other; 0 for a draw.

Termination
    Four in a line, or a full rack.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    The board game of Howard Wexler and Ned Strongin (Milton Bradley 1974); the same as OpenSpiel's `connect_four`. Cells
    are numbered as in John Tromp's "Fhourstones".

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, letter, rect
from ..game import Game, state
from ..rng import uniform

ROWS, COLS = 6, 7
CELLS = ROWS * COLS
# Cell `HIGH * col + height` is a bit of a whole number. A seventh bit on top of each column is always 0, so that a line
# never runs on from the top of one column to the bottom of the next.
HIGH = ROWS + 1
LINES = (1, HIGH, HIGH - 1, HIGH + 1)  # from a cell to the next one up, right, right and down, right and up
MINE, THEIRS = range(2)
CELL_BITS = sum(1 << HIGH * col + height for col in range(COLS) for height in range(ROWS))
OPEN_DISC = 0.002  # of a win: all discs in all 69 lines are less than one
MIDDLE = (0.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0)  # columns near the middle take part in more lines

State = state(
    player="i1",  # whose turn it is
    taken="i1",  # discs in the rack
    last="i1",  # the cell filled last, or -1
    heights="(7,)i1",  # discs in each column
    discs="(2,)i8",  # each player's, one bit for each cell
)


def reset(s, random):
    s.last = -1


def step(s, action, random):
    mover = s.player
    cell = HIGH * action + s.heights[action]
    discs = s.discs[mover] | 1 << cell
    s.discs[mover] = discs
    s.heights[action] += 1
    s.taken += 1
    s.last = cell
    s.player = 1 - mover
    if four_in_line(discs) != 0:
        return 1.0, True
    return 0.0, s.taken == CELLS


def four_in_line(discs):
    """The cells from which four discs in a line start, as bits."""
    starts = 0
    for k in range(4):
        pairs = discs & discs >> LINES[k]
        starts |= pairs & pairs >> 2 * LINES[k]
    return starts


def legal(s, allowed):
    for col in range(COLS):
        allowed[col] = s.heights[col] < ROWS


def heuristic(s, player, random):
    """Win if possible, else stop the other from winning, else prefer the middle, but let nobody win on top of it."""
    best, highest = 0, -1.0e9
    for col in range(COLS):
        if s.heights[col] < ROWS:
            value = MIDDLE[col] + worth(s.discs[player], s.discs[1 - player], HIGH * col + s.heights[col])
            value += 2.0 * uniform(random)
            if value > highest:
                best, highest = col, value
    return best


def worth(mine, theirs, cell):
    here, above = 1 << cell, 1 << cell + 1
    if four_in_line(mine | here) != 0:
        return 1000.0
    if four_in_line(theirs | here) != 0:
        return 100.0
    if (cell + 1) % HIGH < ROWS:
        if four_in_line(theirs | above) != 0:
            return -100.0
        if four_in_line(mine | above) != 0:  # the other would fill it, and a threat would be gone
            return -10.0
    return 0.0


def value(s, player):
    """Lines of four that are still open to a player, as often as there are discs in them, and those of the other."""
    mine, theirs = s.discs[player], s.discs[1 - player]
    return OPEN_DISC * (open_discs(mine, CELL_BITS & ~theirs) - open_discs(theirs, CELL_BITS & ~mine))


def open_discs(discs, cells):
    """Discs in lines of four within these cells, each as often as there are lines through it."""
    number = 0
    for k in range(4):
        pairs = cells & cells >> LINES[k]
        starts = pairs & pairs >> 2 * LINES[k]
        for n in range(4):
            number += ones(starts & discs >> n * LINES[k])
    return number


def ones(bits):
    number = 0
    while bits != 0:
        bits &= bits - 1
        number += 1
    return number


def observe(s, player, planes):
    mine, theirs = s.discs[player], s.discs[1 - player]
    for row in range(ROWS):
        for col in range(COLS):
            cell = HIGH * col + ROWS - 1 - row
            planes[row, col, MINE] = mine >> cell & 1
            planes[row, col, THEIRS] = theirs >> cell & 1


WALL, WALL_SHADE = (226, 232, 240), (203, 212, 225)
RACK, RACK_EDGE, RACK_LIGHT = (37, 84, 199), (24, 56, 145), (74, 122, 232)
HOLE, HOLE_RIM = (196, 208, 226), (22, 50, 130)
FACES = ((250, 204, 52), (226, 62, 62))
RIMS = ((214, 150, 18), (166, 30, 40))
GLINTS = ((255, 236, 158), (250, 142, 134))
MARK = (255, 255, 255)
LEFT, TOP = 0.5, 0.8  # of the rack's cells


def backdrop(canvas):
    fill(canvas, WALL)
    rect(canvas, 0, 7.5, 8, 0.5, WALL_SHADE)
    rect(canvas, 0.16, 0.62, 7.68, 6.98, RACK_EDGE)
    rect(canvas, 0.22, 0.62, 7.56, 6.5, RACK)
    rect(canvas, 0.22, 0.62, 7.56, 0.08, RACK_LIGHT)
    for col in range(COLS):
        letter(canvas, 10 + col, LEFT + col + 0.39, 7.2, 0.22, 0.3, RACK_LIGHT)
        for row in range(ROWS):
            ellipse(canvas, LEFT + col + 0.06, TOP + row + 0.06, 0.88, 0.88, HOLE_RIM)
            ellipse(canvas, LEFT + col + 0.1, TOP + row + 0.12, 0.8, 0.8, HOLE)


def draw(s, player, canvas):
    for col in range(COLS):
        for height in range(s.heights[col]):
            owner = s.discs[1] >> HIGH * col + height & 1
            draw_disc(canvas, LEFT + col, TOP + ROWS - 1 - height, owner)
    if s.last >= 0:
        mark_last(s, canvas)


def draw_disc(canvas, x, y, owner):
    ellipse(canvas, x + 0.1, y + 0.12, 0.8, 0.8, RIMS[owner])
    ellipse(canvas, x + 0.17, y + 0.17, 0.66, 0.66, FACES[owner])
    ellipse(canvas, x + 0.3, y + 0.3, 0.4, 0.4, RIMS[owner])
    ellipse(canvas, x + 0.32, y + 0.33, 0.38, 0.38, FACES[owner])
    ellipse(canvas, x + 0.26, y + 0.24, 0.2, 0.14, GLINTS[owner])


def mark_last(s, canvas):
    """A white dot on the disc that fell last, or on all of the line that has won."""
    mark_cell(canvas, s.last)
    discs = s.discs[1 - s.player]
    for k in range(4):
        pairs = discs & discs >> LINES[k]
        starts = pairs & pairs >> 2 * LINES[k]
        for cell in range(HIGH * COLS):
            if starts >> cell & 1 == 1:
                for n in range(4):
                    mark_cell(canvas, cell + n * LINES[k])


def mark_cell(canvas, cell):
    x, y = LEFT + cell // HIGH, TOP + ROWS - 1 - cell % HIGH
    ellipse(canvas, x + 0.38, y + 0.39, 0.26, 0.26, MARK)


def click(s, x, y):
    return int(x - LEFT) if LEFT <= x < LEFT + COLS else -1


GAME = Game(
    name="ConnectFour",
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
    player_names=("yellow", "red"),
    shape=(ROWS, COLS),
    planes=("mine", "theirs"),
    actions=("a", "b", "c", "d", "e", "f", "g"),
    keys={key: name for keys in ("1234567", "abcdefg") for key, name in zip(keys, "abcdefg", strict=True)},
    canvas=(8.0, 8.0),
)
