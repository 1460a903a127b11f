"""Maze: fetch the red key, open the red door, do the same with blue, and find the way out, seeing only what is near.

Description
    A maze of 15 x 15 cells, new in every episode, in which one way leads from anywhere to anywhere. A red door stands on
    the way to the exit and a blue door behind it. The red key lies in front of the red door; the blue key between the
    two. Keys are picked up by walking on them, and a door opens for good when somebody with its key walks into it.

Actions
    0 stay, 1 up, 2 right, 3 down, 4 left. Walking into a wall or a locked door does nothing.

Observation
    Planes, 7 x 7, around the walker, who is always in the middle: `wall`, `red_door`, `blue_door` (still locked),
    `red_key`, `blue_key`, `exit`, `outside` (beyond the border), and two that are all 1 while a key is carried:
    `has_red` and `has_blue`. Walls do not hide what is behind them. Pictures show the whole maze, dimmed beyond the view.

Start
    Anywhere in the maze. The exit is a place that is furthest from there, and the doors stand on the way to it, at least
    two rooms apart from each other and from the start.

Reward
    +1 at the exit, and -0.001 each step.

Termination
    The exit is reached.

Truncation
    None, unless `max_episode_steps` is given; 500 is usual.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    The idea of keys and doors under a partial view is that of Chevalier-Boisvert et al. 2023, "Minigrid & Miniworld:
    Modular & customizable reinforcement learning environments for goal-oriented tasks"; the rules and numbers are this
    project's. The maze is a random depth-first spanning tree.

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, rect, triangle
from ..game import Game, state
from ..rng import below

SIZE, VIEW, SIGHT = 15, 7, 3  # cells in a row, seen in a row, and seen to each side
ROOMS = SIZE // 2  # in a row: the cells with odd row and column; those between two rooms are walls or passages
STAY, UP, RIGHT, DOWN, LEFT = range(5)
ROWS_OF, COLS_OF = (0, -1, 0, 1, 0), (0, 0, 1, 0, -1)  # what each action adds
FLOOR, WALL, RED_DOOR, BLUE_DOOR, RED_KEY, BLUE_KEY, EXIT = range(7)  # each has the plane before its number
OUTSIDE, HAS_RED, HAS_BLUE = 6, 7, 8  # the other planes
STEP_REWARD, EXIT_REWARD = -0.001, 1.0

State = state(
    row="i1",
    col="i1",
    facing="i1",  # the last direction walked in
    keys="(2,)i1",  # carried: red, blue
    found="(2,)i1",  # ever picked up
    key_row="(2,)i1",  # where they lay
    key_col="(2,)i1",
    exit_row="i1",
    exit_col="i1",
    cells="(15,15)i1",
    back="(15,15)i1",  # the direction from each cell to the start
)


def reset(s, random):
    s.row, s.col, s.facing = 1 + 2 * below(random, ROOMS), 1 + 2 * below(random, ROOMS), DOWN
    depth = dig(s, random)
    red = 2 + below(random, depth // 2 - 1)  # how many passages from the start the doors are
    blue = red + 2 + below(random, depth - red - 1)
    row, col = s.exit_row, s.exit_col
    for k in range(depth, 0, -1):
        direction = s.back[row, col]
        if k == red:
            s.cells[row + ROWS_OF[direction], col + COLS_OF[direction]] = RED_DOOR
        elif k == blue:
            s.cells[row + ROWS_OF[direction], col + COLS_OF[direction]] = BLUE_DOOR
        row, col = row + 2 * ROWS_OF[direction], col + 2 * COLS_OF[direction]
    s.cells[s.exit_row, s.exit_col] = EXIT
    for key in range(2):
        hide_key(s, key, random)


def dig(s, random):
    """Dig from the start, each time into solid rock, and go back where there is none; the place reached last is its own
    stack, since every cell remembers the way back. Returns how many rooms away the exit is."""
    for row in range(SIZE):
        for col in range(SIZE):
            s.cells[row, col] = WALL
    row, col, depth, deepest, rooms = s.row, s.col, 0, 0, 1
    s.cells[row, col] = FLOOR
    while rooms < ROOMS * ROOMS:
        direction = way_into_rock(s, row, col, random)
        if direction == STAY:
            direction, depth = s.back[row, col], depth - 1
        else:
            for k in range(1, 3):
                r, c = row + k * ROWS_OF[direction], col + k * COLS_OF[direction]
                s.cells[r, c] = FLOOR
                s.back[r, c] = 1 + (direction + 1) % 4
            rooms, depth = rooms + 1, depth + 1
        row, col = row + 2 * ROWS_OF[direction], col + 2 * COLS_OF[direction]
        if depth > deepest:
            deepest = depth
            s.exit_row, s.exit_col = row, col
    return deepest


def way_into_rock(s, row, col, random):
    """One of the directions in which the next room is still solid, each as likely; STAY if there is none."""
    chosen, ways = STAY, 0
    for direction in range(UP, LEFT + 1):
        r, c = row + 2 * ROWS_OF[direction], col + 2 * COLS_OF[direction]
        if 0 < r < SIZE and 0 < c < SIZE and s.cells[r, c] == WALL:
            ways += 1
            if below(random, ways) == 0:
                chosen = direction
    return chosen


def hide_key(s, key, random):
    """Put a key into an empty room behind so many doors: the red one behind none, the blue one behind the red door."""
    hidden = False
    while not hidden:
        row, col = 1 + 2 * below(random, ROOMS), 1 + 2 * below(random, ROOMS)
        at_start = row == s.row and col == s.col
        if s.cells[row, col] == FLOOR and not at_start and doors_on_the_way(s, row, col) == key:
            s.cells[row, col] = RED_KEY + key
            s.key_row[key], s.key_col[key] = row, col
            hidden = True


def doors_on_the_way(s, row, col):
    """How many doors stand between a cell and the start."""
    doors = 0
    while s.back[row, col] != STAY:
        direction = s.back[row, col]
        row, col = row + ROWS_OF[direction], col + COLS_OF[direction]
        doors += s.cells[row, col] == RED_DOOR or s.cells[row, col] == BLUE_DOOR
    return doors


def step(s, action, random):
    if action == STAY:
        return STEP_REWARD, False
    s.facing = action
    row, col = s.row + ROWS_OF[action], s.col + COLS_OF[action]
    if is_barred(s, s.cells[row, col]):
        return STEP_REWARD, False
    s.row, s.col = row, col
    cell = s.cells[row, col]
    if cell == EXIT:
        return STEP_REWARD + EXIT_REWARD, True
    if RED_KEY <= cell <= BLUE_KEY:
        s.keys[cell - RED_KEY] = 1
        s.found[cell - RED_KEY] = 1
    elif RED_DOOR <= cell <= BLUE_DOOR:
        s.keys[cell - RED_DOOR] = 0
    s.cells[row, col] = FLOOR
    return STEP_REWARD, False


def is_barred(s, cell):
    if RED_DOOR <= cell <= BLUE_DOOR:
        return s.keys[cell - RED_DOOR] == 0
    return cell == WALL


def heuristic(s, random):
    """Somebody who has a map: the shortest way to the next key, or to the exit."""
    if s.found[0] == 0:
        return way_to(s, s.key_row[0], s.key_col[0])
    if s.found[1] == 0:
        return way_to(s, s.key_row[1], s.key_col[1])
    return way_to(s, s.exit_row, s.exit_col)


def way_to(s, row, col):
    """Follow the way from there to the start: it comes past here, and is the way; or we are to go towards the start too."""
    while s.back[row, col] != STAY:
        direction = s.back[row, col]
        row, col = row + ROWS_OF[direction], col + COLS_OF[direction]
        if row == s.row and col == s.col:
            return 1 + (direction + 1) % 4
    return s.back[s.row, s.col]


def observe(s, planes):
    for row in range(VIEW):
        for col in range(VIEW):
            r, c = s.row + row - SIGHT, s.col + col - SIGHT
            if 0 <= r < SIZE and 0 <= c < SIZE:
                cell = s.cells[r, c]
                if cell != FLOOR:
                    planes[row, col, cell - 1] = 1
            else:
                planes[row, col, OUTSIDE] = 1
            planes[row, col, HAS_RED] = s.keys[0]
            planes[row, col, HAS_BLUE] = s.keys[1]


# each colour twice: out of sight and in sight
PATH, PATH_DOT = ((58, 60, 66), (214, 206, 184)), ((64, 66, 72), (198, 188, 164))
HEDGE, HEDGE_LIGHT = ((26, 44, 42), (56, 116, 66)), ((32, 54, 48), (84, 150, 82))
HEDGE_DARK = ((20, 34, 34), (38, 84, 54))
COLORS = (((104, 46, 52), (214, 64, 62)), ((44, 62, 112), (62, 112, 214)))
SHINE = (((126, 62, 66), (246, 134, 120)), ((60, 82, 136), (130, 172, 250)))
FRAME = ((52, 44, 40), (112, 80, 52))
GOLD, LIGHT = ((112, 96, 50), (250, 206, 84)), ((124, 112, 74), (255, 240, 176))
SKIN, HAT, BAND, COAT, INK = (246, 208, 170), (150, 96, 48), (96, 58, 30), (226, 142, 52), (44, 36, 32)
SHADOW = (168, 158, 136)


def backdrop(canvas):
    fill(canvas, PATH[0])


def draw(s, canvas):
    for row in range(SIZE):
        for col in range(SIZE):
            seen = 1 if abs(row - s.row) <= SIGHT and abs(col - s.col) <= SIGHT else 0
            draw_cell(s, canvas, row, col, seen)
    draw_walker(canvas, s.col, s.row, s.facing)
    for key in range(2):
        if s.keys[key]:
            draw_key(canvas, s.col + 0.3 + 0.35 * key, s.row - 0.2, 0.5, COLORS[key][1], SHINE[key][1])


def draw_cell(s, canvas, row, col, seen):
    cell = s.cells[row, col]
    rect(canvas, col, row, 1, 1, PATH[seen])
    if cell == WALL:
        draw_hedge(s, canvas, row, col, seen)
        return
    pebble = (row * 7 + col * 3) % 5
    rect(canvas, col + 0.16 + 0.13 * pebble, row + 0.3 + 0.11 * (pebble * 3 % 5), 0.13, 0.08, PATH_DOT[seen])
    if RED_DOOR <= cell <= BLUE_DOOR:
        draw_door(
            canvas, col, row, COLORS[cell - RED_DOOR][seen], SHINE[cell - RED_DOOR][seen], FRAME[seen], GOLD[seen]
        )
    elif RED_KEY <= cell <= BLUE_KEY:
        draw_key(canvas, col + 0.1, row + 0.1, 0.8, COLORS[cell - RED_KEY][seen], SHINE[cell - RED_KEY][seen])
    elif cell == EXIT:
        draw_exit(canvas, col, row, seen)


def draw_hedge(s, canvas, row, col, seen):
    """A clipped hedge: light on top, and its front in the shade where a path runs below."""
    rect(canvas, col, row, 1, 1, HEDGE[seen])
    for k in range(4):
        x, y = col + 0.08 + 0.25 * k, row + 0.12 + 0.2 * ((k * 5 + row * 3 + col * 7) % 4)
        rect(canvas, x, y, 0.14, 0.09, HEDGE_LIGHT[seen])
    if row + 1 < SIZE and s.cells[row + 1, col] != WALL:
        rect(canvas, col, row + 0.78, 1, 0.22, HEDGE_DARK[seen])


def draw_door(canvas, x, y, color, shine, frame, gold):
    rect(canvas, x, y, 1, 1, frame)
    rect(canvas, x + 0.1, y + 0.1, 0.8, 0.9, color)
    rect(canvas, x + 0.16, y + 0.16, 0.3, 0.34, shine)
    rect(canvas, x + 0.54, y + 0.16, 0.3, 0.34, shine)
    ellipse(canvas, x + 0.38, y + 0.54, 0.24, 0.24, gold)
    rect(canvas, x + 0.45, y + 0.62, 0.1, 0.26, gold)


def draw_key(canvas, x, y, size, color, shine):
    ellipse(canvas, x, y + 0.2 * size, 0.5 * size, 0.5 * size, color)
    ellipse(canvas, x + 0.14 * size, y + 0.34 * size, 0.22 * size, 0.22 * size, shine)
    rect(canvas, x + 0.44 * size, y + 0.38 * size, 0.56 * size, 0.15 * size, color)
    rect(canvas, x + 0.66 * size, y + 0.5 * size, 0.12 * size, 0.18 * size, color)
    rect(canvas, x + 0.86 * size, y + 0.5 * size, 0.12 * size, 0.24 * size, color)


def draw_exit(canvas, x, y, seen):
    """A flag on a golden hill."""
    ellipse(canvas, x + 0.1, y + 0.6, 0.8, 0.36, GOLD[seen])
    rect(canvas, x + 0.42, y + 0.08, 0.09, 0.72, FRAME[seen])
    triangle(canvas, x + 0.5, y + 0.08, x + 0.94, y + 0.25, x + 0.5, y + 0.42, LIGHT[seen])


def draw_walker(canvas, x, y, facing):
    side = (facing == RIGHT) - (facing == LEFT)
    ellipse(canvas, x + 0.14, y + 0.76, 0.72, 0.24, SHADOW)
    ellipse(canvas, x + 0.2, y + 0.46, 0.6, 0.5, COAT)
    ellipse(canvas, x + 0.24, y + 0.18, 0.52, 0.46, SKIN)
    if facing != UP:
        rect(canvas, x + 0.36 + 0.1 * side, y + 0.38, 0.08, 0.11, INK)
        rect(canvas, x + 0.56 + 0.1 * side, y + 0.38, 0.08, 0.11, INK)
    ellipse(canvas, x + 0.08, y + 0.18, 0.84, 0.2, HAT)
    ellipse(canvas, x + 0.26, y + 0.02, 0.48, 0.32, HAT)
    rect(canvas, x + 0.26, y + 0.2, 0.48, 0.07, BAND)


ARROWS = {"up": "up", "right": "right", "down": "down", "left": "left"}
KEYS = ARROWS | {"w": "up", "d": "right", "s": "down", "a": "left"}

GAME = Game(
    name="Maze",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    hidden=True,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    shape=(VIEW, VIEW),
    planes=("wall", "red_door", "blue_door", "red_key", "blue_key", "exit", "outside", "has_red", "has_blue"),
    canvas=(float(SIZE), float(SIZE)),
    actions=("stay", "up", "right", "down", "left"),
    keys=KEYS | {"space": "stay"},
    fps=8,
    waits=True,
)
