"""Snake: eat the fruit, grow, and do not bite yourself.

Description
    A snake crawls through a field of 12 x 12 cells, one cell a step. Each fruit makes it one cell longer. It may move into
    the cell that its tail leaves in the same step.

Actions
    0 up, 1 right, 2 down, 3 left. Turning straight back is not possible: the snake goes straight on.

Observation
    Planes, 12 x 12: `head`; `tail`; `fruit`; and the body, all of the snake but its head, in four planes by the way that
    the snake went on from there: `up`, `right`, `down`, `left`.

Start
    The snake is three cells long and straight, its head in the middle, facing any side. A fruit lies in any free cell.

Reward
    +1 for each fruit; the next one appears in any free cell, each as likely.

Termination
    The snake runs into the border or into itself, or fills the whole field.

Truncation
    None, unless `max_episode_steps` is given: a snake may crawl in circles for ever.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    The arcade game "Blockade" (Gremlin 1976) and its followers for one player; the numbers are this project's.

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, line, rect, triangle
from ..game import Game, state
from ..rng import below

SIZE, CELLS = 12, 144
START_LENGTH = 3
ROWS_OF, COLS_OF = (-1, 0, 1, 0), (0, 1, 0, -1)  # what up, right, down and left add
HEAD, TAIL, FRUIT, BODY = range(4)  # BODY is the first of four planes

State = state(
    length="i2",
    heading="i1",  # the way of the last step
    head_row="i1",
    head_col="i1",
    tail_row="i1",
    tail_col="i1",
    fruit_row="i1",
    fruit_col="i1",
    way="(12,12)i1",  # where the snake lies, 1 + the direction in which it goes on (for the head: its heading); else 0
)


def reset(s, random):
    s.heading = below(random, 4)
    s.head_row, s.head_col = SIZE // 2, SIZE // 2
    s.length = START_LENGTH
    s.tail_row = s.head_row - (START_LENGTH - 1) * ROWS_OF[s.heading]
    s.tail_col = s.head_col - (START_LENGTH - 1) * COLS_OF[s.heading]
    for k in range(START_LENGTH):
        s.way[s.tail_row + k * ROWS_OF[s.heading], s.tail_col + k * COLS_OF[s.heading]] = s.heading + 1
    place_fruit(s, random)


def place_fruit(s, random):
    """In the free cell whose number was drawn, counted row by row."""
    left = below(random, CELLS - s.length)
    for row in range(SIZE):
        for col in range(SIZE):
            if s.way[row, col] == 0:
                if left == 0:
                    s.fruit_row, s.fruit_col = row, col
                left -= 1


def step(s, action, random):
    if action != (s.heading + 2) % 4:
        s.heading = action
    s.way[s.head_row, s.head_col] = s.heading + 1
    row, col = s.head_row + ROWS_OF[s.heading], s.head_col + COLS_OF[s.heading]
    if not can_enter(s, row, col):
        return 0.0, True
    eats = row == s.fruit_row and col == s.fruit_col
    if not eats:
        pull_tail(s)
    s.head_row, s.head_col = row, col
    s.way[row, col] = s.heading + 1
    if not eats:
        return 0.0, False
    s.length += 1
    if s.length == CELLS:
        return 1.0, True
    place_fruit(s, random)
    return 1.0, False


def can_enter(s, row, col):
    """Whether the head survives a step there: the tail will have gone (no fruit lies on it)."""
    if row < 0 or row >= SIZE or col < 0 or col >= SIZE:
        return False
    return s.way[row, col] == 0 or (row == s.tail_row and col == s.tail_col)


def pull_tail(s):
    way = s.way[s.tail_row, s.tail_col] - 1
    s.way[s.tail_row, s.tail_col] = 0
    s.tail_row += ROWS_OF[way]
    s.tail_col += COLS_OF[way]


def heuristic(s, random):
    """Go where the fruit is nearer, but not to death, and rather not where there is no way out; else as chance has it."""
    best, lowest = s.heading, 1000
    for direction in range(4):
        row, col = s.head_row + ROWS_OF[direction], s.head_col + COLS_OF[direction]
        if direction != (s.heading + 2) % 4 and can_enter(s, row, col):
            cost = 4 * (abs(row - s.fruit_row) + abs(col - s.fruit_col)) + below(random, 4)
            if exits(s, row, col) == 0:
                cost += 500
            if cost < lowest:
                best, lowest = direction, cost
    return best


def exits(s, row, col):
    """How many cells beside that one can be entered."""
    count = 0
    for direction in range(4):
        count += can_enter(s, row + ROWS_OF[direction], col + COLS_OF[direction])
    return count


def observe(s, planes):
    planes[s.head_row, s.head_col, HEAD] = 1
    planes[s.tail_row, s.tail_col, TAIL] = 1
    planes[s.fruit_row, s.fruit_col, FRUIT] = 1
    row, col = s.tail_row, s.tail_col
    for _ in range(s.length - 1):
        way = s.way[row, col] - 1
        planes[row, col, BODY + way] = 1
        row, col = row + ROWS_OF[way], col + COLS_OF[way]


GRASS, GRASS_2 = (167, 209, 88), (159, 201, 80)
SKIN, BACK, SHADOW = (66, 108, 214), (92, 136, 236), (138, 178, 66)
WHITE, BLACK = (250, 252, 255), (22, 28, 54)
FRUIT_COLOR, SHINE, STALK, LEAF = (226, 62, 50), (255, 158, 140), (112, 74, 42), (62, 142, 60)
THICK = 0.74  # of the body, in cells


def backdrop(canvas):
    fill(canvas, GRASS)
    for row in range(SIZE):
        for col in range(SIZE):
            if (row + col) % 2 == 1:
                rect(canvas, col, row, 1, 1, GRASS_2)


def draw(s, canvas):
    if s.length < CELLS:
        draw_fruit(s, canvas)
    draw_body(s, canvas, THICK, 0.07, SHADOW)
    draw_body(s, canvas, THICK, 0.0, SKIN)
    draw_body(s, canvas, 0.3, -0.08, BACK)  # light falls on its back
    draw_head(s, canvas)


def draw_fruit(s, canvas):
    x, y = s.fruit_col + 0.0, s.fruit_row + 0.0
    ellipse(canvas, x + 0.18, y + 0.3, 0.68, 0.68, SHADOW)
    ellipse(canvas, x + 0.15, y + 0.24, 0.42, 0.64, FRUIT_COLOR)
    ellipse(canvas, x + 0.43, y + 0.24, 0.42, 0.64, FRUIT_COLOR)
    ellipse(canvas, x + 0.24, y + 0.34, 0.16, 0.2, SHINE)
    line(canvas, x + 0.5, y + 0.34, x + 0.54, y + 0.1, 0.07, STALK)
    ellipse(canvas, x + 0.54, y + 0.08, 0.3, 0.16, LEAF)


def draw_body(s, canvas, wide, lower, color):
    """A band from the head to the last cell but one, and a pointed tail."""
    row, col, half = s.tail_row, s.tail_col, wide / 2.0
    for k in range(s.length):
        way = s.way[row, col] - 1
        x, y, right, down = col + 0.5, row + 0.5 + lower, COLS_OF[way] + 0.0, ROWS_OF[way] + 0.0
        if k == 0:
            x, y = x - 0.4 * right, y - 0.4 * down
            base_x, base_y = x + 1.4 * right, y + 1.4 * down
            aside_x, aside_y = half * down, half * right
            triangle(canvas, x, y, base_x - aside_x, base_y - aside_y, base_x + aside_x, base_y + aside_y, color)
        else:
            ellipse(canvas, x - half, y - half, wide, wide, color)
            if k < s.length - 1:
                line(canvas, x, y, x + right, y + down, wide, color)
        row, col = row + ROWS_OF[way], col + COLS_OF[way]


def draw_head(s, canvas):
    ahead_x, ahead_y = COLS_OF[s.heading] + 0.0, ROWS_OF[s.heading] + 0.0
    x, y = s.head_col + 0.5, s.head_row + 0.5
    line(canvas, x + 0.4 * ahead_x, y + 0.4 * ahead_y, x + 0.62 * ahead_x, y + 0.62 * ahead_y, 0.08, FRUIT_COLOR)
    ellipse(canvas, x - 0.45, y - 0.45, 0.9, 0.9, SKIN)
    for side in (-1.0, 1.0):
        eye_x = x + 0.12 * ahead_x + 0.23 * side * ahead_y
        eye_y = y + 0.12 * ahead_y + 0.23 * side * ahead_x
        ellipse(canvas, eye_x - 0.16, eye_y - 0.16, 0.32, 0.32, WHITE)
        pupil_x, pupil_y = eye_x + 0.06 * ahead_x, eye_y + 0.06 * ahead_y
        ellipse(canvas, pupil_x - 0.09, pupil_y - 0.09, 0.18, 0.18, BLACK)


GAME = Game(
    name="Snake",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    shape=(SIZE, SIZE),
    planes=("head", "tail", "fruit", "up", "right", "down", "left"),
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
    fps=8,
)
