"""TicTacToe: three in a row before the other.

Description
    Two players take turns to mark a cell of a board of three by three. Cross begins.

Actions
    The cells, row by row: `a3 b3 c3 a2 b2 c2 a1 b1 c1`, files from the left, ranks from the bottom. Free cells are legal.

Observation
    Planes, 3 x 3, as the mover sees them: `mine`, `theirs`.

Start
    The board is empty.

Reward
    +1 for the mover who completes a row, a column or a diagonal, and -1 for the other; 0 for a draw.

Termination
    Three in a row, or a full board.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    Common knowledge; the same as PettingZoo's `tictactoe_v3` and Pgx's `tic_tac_toe`.

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, line, rect
from ..game import Game, state
from ..rng import below

SIZE, CELLS, FULL = 3, 9, 511  # 511: a bit for every cell
MINE, THEIRS = range(2)
LINES = (7, 56, 448, 73, 146, 292, 273, 84)  # rows, columns, and diagonals, a bit for each cell
WINS = tuple(
    any(marks & cells == cells for cells in LINES) for marks in range(FULL + 1)
)  # with these marks one has won

State = state(
    player="i1",  # whose turn it is
    marks="(2,)i2",  # each player's, a bit for each cell
)


def reset(s, random):
    pass  # an empty board is all zeros


def step(s, action, random):
    mover = s.player
    marks = s.marks[mover] | 1 << action
    s.marks[mover] = marks
    s.player = 1 - mover
    if WINS[marks]:
        return 1.0, True
    return 0.0, marks | s.marks[1 - mover] == FULL


def legal(s, allowed):
    taken = s.marks[0] | s.marks[1]
    for cell in range(CELLS):
        allowed[cell] = taken >> cell & 1 == 0


def heuristic(s, player, random):
    """Win if possible, else stop the other from winning, else any free cell."""
    taken, free = s.marks[0] | s.marks[1], 0
    for turn in range(2):
        who = player if turn == 0 else 1 - player
        for cell in range(CELLS):
            if taken >> cell & 1 == 0 and WINS[s.marks[who] | 1 << cell]:
                return cell
    for cell in range(CELLS):
        free += 1 - (taken >> cell & 1)
    left = below(random, free)
    for cell in range(CELLS):
        if taken >> cell & 1 == 0:
            if left == 0:
                return cell
            left -= 1
    return 0


def observe(s, player, planes):
    mine, theirs = s.marks[player], s.marks[1 - player]
    for cell in range(CELLS):
        planes[cell // SIZE, cell % SIZE, MINE] = mine >> cell & 1
        planes[cell // SIZE, cell % SIZE, THEIRS] = theirs >> cell & 1


PAPER, RULE = (244, 239, 228), (92, 96, 112)
CROSS, CIRCLE = (208, 76, 66), (52, 110, 168)


def backdrop(canvas):
    fill(canvas, PAPER)
    for k in range(1, SIZE):
        rect(canvas, k - 0.03, 0.12, 0.06, SIZE - 0.24, RULE)
        rect(canvas, 0.12, k - 0.03, SIZE - 0.24, 0.06, RULE)


def draw(s, player, canvas):
    for cell in range(CELLS):
        x, y = float(cell % SIZE), float(cell // SIZE)
        if s.marks[0] >> cell & 1 == 1:
            line(canvas, x + 0.24, y + 0.24, x + 0.76, y + 0.76, 0.13, CROSS)
            line(canvas, x + 0.24, y + 0.76, x + 0.76, y + 0.24, 0.13, CROSS)
        elif s.marks[1] >> cell & 1 == 1:
            ellipse(canvas, x + 0.2, y + 0.2, 0.6, 0.6, CIRCLE)
            ellipse(canvas, x + 0.32, y + 0.32, 0.36, 0.36, PAPER)


def click(s, x, y):
    return SIZE * int(y) + int(x)


GAME = Game(
    name="TicTacToe",
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
    player_names=("cross", "nought"),
    shape=(SIZE, SIZE),
    planes=("mine", "theirs"),
    actions=tuple(f"{file}{rank}" for rank in "321" for file in "abc"),
)
