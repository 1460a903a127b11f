"""Tron: leave a wall behind, and be the last to run into one.

Description
    Two to four riders drive through an arena of 16 x 16 cells, one cell a step, and leave a wall behind that never goes
    away. Who drives into a wall, the border, or the same cell as another rider is out; the walls remain.

Actions
    0 up, 1 right, 2 down, 3 left. Turning straight back is not possible: the rider goes straight on.

Observation
    Planes, 16 x 16, as each rider sees them: `me` and `others`, where the riders are, `mine` and `theirs`, the walls.

Start
    One rider in the middle of each side or near it (all at the same distance from it), driving inwards; two riders
    start on the left and on the right.

Reward
    -1 for the rider who is out, +1 for the last one left. Riders who are out in the same step, with nobody left, get 0.

Termination
    At most one rider is left.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's, among them `players` from 2 to 4: see `ludus.envs.Simulator`.

Rules from
    The light cycles of the film "Tron" (1982) and the arcade game of the same year; the numbers are this project's.

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, rect, triangle
from ..game import Game, state
from ..rng import below

SIZE, RIDERS = 16, 4
CELLS = SIZE * SIZE
ACTIONS = ("up", "right", "down", "left")
UP, RIGHT, DOWN, LEFT = range(4)
ROWS_OF, COLS_OF = (-1, 0, 1, 0), (0, 1, 0, -1)  # what each direction adds
ME, OTHERS, MINE, THEIRS = range(4)

State = state(
    active="(4,)i1",  # who still rides
    row="(4,)i1",
    col="(4,)i1",
    heading="(4,)i1",
    riding="i1",  # how many are active
    walls="(16,16)i1",  # 1 where anybody's wall is
    built="(4,16,16)i1",  # 1 where the rider's own is
)


def reset(s, random):
    off_centre = below(random, SIZE // 2) - SIZE // 4
    middle = SIZE // 2 + off_centre
    for rider in range(RIDERS):
        if s.active[rider]:
            place(s, rider, middle)


def place(s, rider, middle):
    """The first two start left and right, the others at the top and the bottom; each faces the other of its pair."""
    near, far = 1, SIZE - 2
    opposite = SIZE - 1 - middle
    if rider == 0:
        s.row[rider], s.col[rider], s.heading[rider] = middle, near, RIGHT
    elif rider == 1:
        s.row[rider], s.col[rider], s.heading[rider] = opposite, far, LEFT
    elif rider == 2:
        s.row[rider], s.col[rider], s.heading[rider] = near, opposite, DOWN
    else:
        s.row[rider], s.col[rider], s.heading[rider] = far, middle, UP
    build_wall(s, rider)
    s.riding += 1


def build_wall(s, rider):
    row, col = s.row[rider], s.col[rider]
    s.walls[row, col] = 1
    s.built[rider, row, col] = 1


def step(s, actions, rewards, random):
    for rider in range(RIDERS):
        if s.active[rider]:
            drive(s, rider, actions[rider])
    out = 0
    for rider in range(RIDERS):  # all have moved, and no wall has been built yet
        if s.active[rider] and crashed(s, rider):
            rewards[rider] = -1.0
            out += 1
    everybody = out == s.riding
    for rider in range(RIDERS):
        if s.active[rider]:
            settle(s, rider, rewards, everybody)
    if s.riding == 1:
        for rider in range(RIDERS):
            if s.active[rider]:
                rewards[rider] = 1.0
    return s.riding <= 1


def drive(s, rider, action):
    if action != (s.heading[rider] + 2) % 4:
        s.heading[rider] = action
    s.row[rider] += ROWS_OF[s.heading[rider]]
    s.col[rider] += COLS_OF[s.heading[rider]]


def crashed(s, rider):
    row, col = s.row[rider], s.col[rider]
    there = 0  # riders in this cell
    for other in range(RIDERS):
        there += s.active[other] == 1 and s.row[other] == row and s.col[other] == col
    return there > 1 or not is_free(s, row, col)


def is_free(s, row, col):
    return 0 <= row < SIZE and 0 <= col < SIZE and s.walls[row, col] == 0


def settle(s, rider, rewards, everybody):
    """Build the wall of a rider who is still on the way, or take one who is not out of the arena."""
    if rewards[rider] == 0.0:
        build_wall(s, rider)
        return
    s.active[rider] = 0
    s.riding -= 1
    if everybody:
        rewards[rider] = 0.0


def heuristic(s, player, random):
    """Go where the way is free for longest; straight on, if that is as good."""
    best, longest = s.heading[player], free_way(s, player, s.heading[player])
    side = 1 + 2 * below(random, 2)
    for turn in (side, 4 - side):
        direction = (s.heading[player] + turn) % 4
        free = free_way(s, player, direction)
        if free > longest:
            best, longest = direction, free
    return best


def free_way(s, player, direction):
    row, col, free = s.row[player] + ROWS_OF[direction], s.col[player] + COLS_OF[direction], 0
    while is_free(s, row, col):
        row, col, free = row + ROWS_OF[direction], col + COLS_OF[direction], free + 1
    return free


def observe(s, player, planes):
    """All planes of all cells are written, one after the other, which the compiler turns into a loop over vectors."""
    seen, walls, mine = planes.flat, s.walls.flat, s.built[player].flat
    for cell in range(CELLS):
        seen[cell * 4 + ME] = 0
        seen[cell * 4 + OTHERS] = 0
        seen[cell * 4 + MINE] = mine[cell]
        seen[cell * 4 + THEIRS] = walls[cell] - mine[cell]
    for rider in range(RIDERS):
        if s.active[rider]:
            planes[s.row[rider], s.col[rider], ME if rider == player else OTHERS] = 1


FLOOR, GRID, HALO = (13, 17, 30), (24, 31, 52), (240, 244, 250)
WALLS = ((30, 112, 190), (200, 104, 26), (48, 146, 76), (170, 62, 146))
CORES = ((128, 206, 255), (255, 196, 120), (150, 236, 170), (250, 160, 228))
RUINS = ((24, 52, 82), (84, 54, 26), (28, 66, 44), (74, 38, 68))  # the walls of riders who are out


def backdrop(canvas):
    fill(canvas, FLOOR)
    for k in range(1, SIZE):
        rect(canvas, k - 0.02, 0, 0.04, SIZE, GRID)
        rect(canvas, 0, k - 0.02, SIZE, 0.04, GRID)


def draw(s, player, canvas):
    for rider in range(RIDERS):
        draw_walls(s, canvas, rider, 0.6, WALLS[rider] if s.active[rider] else RUINS[rider])
        if s.active[rider]:
            draw_walls(s, canvas, rider, 0.16, CORES[rider])
    for rider in range(RIDERS):
        if s.active[rider]:
            draw_cycle(canvas, s.row[rider], s.col[rider], s.heading[rider], CORES[rider], rider == player)


def draw_walls(s, canvas, rider, width, color):
    """Posts, each joined to the next of the same rider on the right and below."""
    gap = (1.0 - width) / 2
    for row in range(SIZE):
        for col in range(SIZE):
            if s.built[rider, row, col]:
                joined_right = col + 1 < SIZE and s.built[rider, row, min(col + 1, SIZE - 1)] == 1
                joined_below = row + 1 < SIZE and s.built[rider, min(row + 1, SIZE - 1), col] == 1
                rect(canvas, col + gap, row + gap, 1.0 + width if joined_right else width, width, color)
                rect(canvas, col + gap, row + gap, width, 1.0 + width if joined_below else width, color)


def draw_cycle(canvas, row, col, heading, color, is_me):
    """A bright disc with a dark arrow that points ahead; a white rim around one's own."""
    x, y = col + 0.5, row + 0.5
    ellipse(canvas, x - 0.62, y - 0.62, 1.24, 1.24, HALO if is_me else FLOOR)
    ellipse(canvas, x - 0.5, y - 0.5, 1.0, 1.0, color)
    ahead_x, ahead_y = 0.36 * COLS_OF[heading], 0.36 * ROWS_OF[heading]
    triangle(
        canvas, x + ahead_x, y + ahead_y, x - 0.7 * ahead_x - 0.75 * ahead_y, y - 0.7 * ahead_y + 0.75 * ahead_x,
        x - 0.7 * ahead_x + 0.75 * ahead_y, y - 0.7 * ahead_y - 0.75 * ahead_x, FLOOR,
    )  # fmt: skip


GAME = Game(
    name="Tron",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    players=RIDERS,
    min_players=2,
    player_names=("blue", "orange", "green", "pink"),
    shape=(SIZE, SIZE),
    planes=("me", "others", "mine", "theirs"),
    actions=ACTIONS,
    keys={action: action for action in ACTIONS} | {"w": "up", "d": "right", "s": "down", "a": "left"},
    second_keys={"w": "up", "d": "right", "s": "down", "a": "left"},
    fps=8,
)
