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

SIZE, CELLS = 3, 9
MINE, THEIRS = range(2)

State = state(
    player="i1",  # whose turn it is
    taken="i1",  # cells that are marked
    board="(9,)i1",  # 0 free, 1 the first player's, 2 the second's
)


def reset(s, random):
    pass  # an empty board is all zeros


def step(s, action, random):
    mark = s.player + 1
    s.board[action] = mark
    s.taken += 1
    s.player = 1 - s.player
    if completes(s, action, mark):
        return 1.0, True
    return 0.0, s.taken == CELLS


def completes(s, cell, mark):
    """Whether a line through that cell has three such marks."""
    row, col = cell // SIZE, cell % SIZE
    across, down, falling, rising = 0, 0, 0, 0
    for k in range(SIZE):
        across += s.board[SIZE * row + k] == mark
        down += s.board[SIZE * k + col] == mark
        falling += s.board[SIZE * k + k] == mark
        rising += s.board[SIZE * k + SIZE - 1 - k] == mark
    return across == SIZE or down == SIZE or falling == SIZE or rising == SIZE


def legal(s, allowed):
    for cell in range(CELLS):
        allowed[cell] = s.board[cell] == 0


def heuristic(s, player, random):
    """Win if possible, else stop the other from winning, else any free cell."""
    for mark in (player + 1, 2 - player):
        for cell in range(CELLS):
            if s.board[cell] == 0 and would_complete(s, cell, mark):
                return cell
    left = below(random, CELLS - s.taken)
    for cell in range(CELLS):
        if s.board[cell] == 0:
            left -= 1
            if left < 0:
                return cell
    return 0


def would_complete(s, cell, mark):
    s.board[cell] = mark
    found = completes(s, cell, mark)
    s.board[cell] = 0
    return found


def observe(s, player, planes):
    for cell in range(CELLS):
        owner = s.board[cell]
        if owner != 0:
            planes[cell // SIZE, cell % SIZE, MINE if owner == player + 1 else THEIRS] = 1


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
        if s.board[cell] == 1:
            line(canvas, x + 0.24, y + 0.24, x + 0.76, y + 0.76, 0.13, CROSS)
            line(canvas, x + 0.24, y + 0.76, x + 0.76, y + 0.24, 0.13, CROSS)
        elif s.board[cell] == 2:
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
    shape=(SIZE, SIZE),
    planes=("mine", "theirs"),
    actions=tuple(f"{file}{rank}" for rank in "321" for file in "abc"),
)
