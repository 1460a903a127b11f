"""FrozenLake: cross the slippery ice to the present and stay out of the holes.

Description
    A lake of four by four cells is frozen but for four holes. The ice is slippery: a step goes where it is meant to go or
    to either side of that, each with a probability of 1/3, and nowhere at the shore.

Actions
    0 left, 1 down, 2 right, 3 up.

Observation
    Planes, 4 x 4: `me`, `ice`, `hole`, `goal`.

Start
    In the top left corner; the goal is in the bottom right one.

Reward
    +1 for reaching the goal.

Termination
    The goal or a hole is reached.

Truncation
    None, unless `max_episode_steps` is given; Gymnasium's FrozenLake-v1 ends after 100.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    Gymnasium 1.3.0, FrozenLake-v1 with its map "4x4" and slippery ice.

Version history
    1: first release.
"""

import numpy as np

from ..canvas import ellipse, fill, rect, triangle
from ..game import Game, state
from ..rng import below

SIZE = 4
ROWS_OF, COLS_OF = (0, 1, 0, -1), (-1, 0, 1, 0)  # what each direction adds
ME, ICE, HOLE, GOAL = range(4)
LAKE = np.array([
    [ICE, ICE, ICE, ICE],
    [ICE, HOLE, ICE, HOLE],
    [ICE, ICE, ICE, HOLE],
    [HOLE, ICE, ICE, GOAL],
])  # fmt: skip
LEFT, DOWN, RIGHT, UP = range(4)
BEST = np.array([
    [LEFT, UP, UP, UP],
    [LEFT, LEFT, LEFT, LEFT],
    [UP, DOWN, LEFT, LEFT],
    [LEFT, RIGHT, DOWN, LEFT],
])  # fmt: skip

State = state(
    row="i1",
    col="i1",
)


def reset(s, random):
    pass  # the start is cell (0, 0)


def step(s, action, random):
    direction = (action + 3 + below(random, 3)) % 4
    s.row = min(max(s.row + ROWS_OF[direction], 0), SIZE - 1)
    s.col = min(max(s.col + COLS_OF[direction], 0), SIZE - 1)
    here = LAKE[s.row, s.col]
    return 1.0 if here == GOAL else 0.0, here != ICE


def heuristic(s, random):
    """The best there is: rather walk against the shore than let the ice decide beside a hole."""
    return BEST[s.row, s.col]


def observe(s, planes):
    planes[s.row, s.col, ME] = 1
    for row in range(SIZE):
        for col in range(SIZE):
            planes[row, col, LAKE[row, col]] = 1


TILE, TILE_DARK, SHINE, CRACK = (206, 232, 246), (190, 220, 240), (242, 251, 255), (160, 196, 222)
RIM, WATER, DEEP, WAVE = (232, 244, 252), (46, 104, 158), (28, 70, 122), (110, 164, 208)
BOX, BOX_DARK, RIBBON, RIBBON_DARK = (222, 70, 78), (176, 46, 60), (255, 214, 92), (226, 176, 56)
SHADE, COAT, BELLY, BEAK, EYE = (154, 188, 216), (38, 44, 66), (250, 250, 250), (250, 164, 52), (20, 22, 30)
SCARF, SCARF_DARK = (66, 172, 128), (44, 132, 100)


def backdrop(canvas):
    fill(canvas, TILE)
    for row in range(SIZE):
        for col in range(SIZE):
            x, y = float(col), float(row)
            if (row + col) % 2 == 1:
                rect(canvas, x, y, 1.0, 1.0, TILE_DARK)
            if LAKE[row, col] == HOLE:
                draw_hole(x, y, canvas)
            else:
                triangle(canvas, x + 0.12, y + 0.34, x + 0.34, y + 0.12, x + 0.14, y + 0.4, SHINE)
                triangle(canvas, x + 0.14, y + 0.4, x + 0.4, y + 0.14, x + 0.34, y + 0.12, SHINE)
                rect(canvas, x + 0.72, y + 0.78, 0.16, 0.03, CRACK)
                rect(canvas, x + 0.66, y + 0.84, 0.08, 0.03, CRACK)
    draw_present(SIZE - 1.0, SIZE - 1.0, canvas)


def draw_hole(x, y, canvas):
    ellipse(canvas, x + 0.05, y + 0.08, 0.9, 0.84, RIM)
    ellipse(canvas, x + 0.1, y + 0.13, 0.8, 0.74, DEEP)
    ellipse(canvas, x + 0.1, y + 0.22, 0.8, 0.65, WATER)
    rect(canvas, x + 0.28, y + 0.46, 0.22, 0.04, WAVE)
    rect(canvas, x + 0.5, y + 0.62, 0.2, 0.04, WAVE)


def draw_present(x, y, canvas):
    ellipse(canvas, x + 0.12, y + 0.72, 0.76, 0.2, SHADE)
    rect(canvas, x + 0.2, y + 0.4, 0.6, 0.44, BOX)
    rect(canvas, x + 0.2, y + 0.76, 0.6, 0.08, BOX_DARK)
    rect(canvas, x + 0.15, y + 0.32, 0.7, 0.14, BOX)
    rect(canvas, x + 0.2, y + 0.46, 0.6, 0.03, BOX_DARK)
    rect(canvas, x + 0.43, y + 0.32, 0.14, 0.52, RIBBON)
    triangle(canvas, x + 0.5, y + 0.32, x + 0.24, y + 0.14, x + 0.28, y + 0.32, RIBBON)
    triangle(canvas, x + 0.5, y + 0.32, x + 0.76, y + 0.14, x + 0.72, y + 0.32, RIBBON)
    ellipse(canvas, x + 0.43, y + 0.24, 0.14, 0.12, RIBBON_DARK)


def draw(s, canvas):
    """A penguin; one that fell in looks out of the water."""
    x, y = float(s.col), float(s.row)
    swims = LAKE[s.row, s.col] == HOLE
    if not swims:
        ellipse(canvas, x + 0.2, y + 0.78, 0.6, 0.18, SHADE)
        ellipse(canvas, x + 0.28, y + 0.8, 0.2, 0.12, BEAK)
        ellipse(canvas, x + 0.52, y + 0.8, 0.2, 0.12, BEAK)
        ellipse(canvas, x + 0.16, y + 0.42, 0.16, 0.34, COAT)
        ellipse(canvas, x + 0.68, y + 0.42, 0.16, 0.34, COAT)
    ellipse(canvas, x + 0.24, y + 0.08, 0.52, 0.8, COAT)
    ellipse(canvas, x + 0.32, y + 0.42, 0.36, 0.44, BELLY)
    ellipse(canvas, x + 0.3, y + 0.18, 0.22, 0.22, BELLY)
    ellipse(canvas, x + 0.48, y + 0.18, 0.22, 0.22, BELLY)
    ellipse(canvas, x + 0.38, y + 0.22, 0.1, 0.12, EYE)
    ellipse(canvas, x + 0.52, y + 0.22, 0.1, 0.12, EYE)
    triangle(canvas, x + 0.42, y + 0.34, x + 0.58, y + 0.34, x + 0.5, y + 0.43, BEAK)
    rect(canvas, x + 0.28, y + 0.44, 0.44, 0.08, SCARF)
    rect(canvas, x + 0.56, y + 0.5, 0.1, 0.18, SCARF_DARK)
    if swims:
        ellipse(canvas, x + 0.1, y + 0.46, 0.8, 0.41, WATER)
        rect(canvas, x + 0.24, y + 0.5, 0.52, 0.05, WAVE)


GAME = Game(
    name="FrozenLake",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    shape=(SIZE, SIZE),
    planes=("me", "ice", "hole", "goal"),
    actions=("left", "down", "right", "up"),
    keys={
        "left": "left",
        "down": "down",
        "right": "right",
        "up": "up",
        "a": "left",
        "s": "down",
        "d": "right",
        "w": "up",
    },
    fps=4,
    waits=True,
)
