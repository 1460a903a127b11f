"""CliffWalking: walk along the cliff to the flag, and do not step over its edge.

Description
    A meadow of four by twelve cells; between the start and the goal, both in the bottom row, lies the cliff. The shortest
    way leads along its edge.

Actions
    0 up, 1 right, 2 down, 3 left. A step against the border does nothing.

Observation
    Planes, 4 x 12: `me`, `cliff`, `goal`.

Start
    In the bottom left corner; the goal is in the bottom right one.

Reward
    -1 for each step, -100 for a step over the edge, which leads back to the start.

Termination
    The goal is reached.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    Sutton & Barto 2018, "Reinforcement learning: An introduction", example 6.6, as in Gymnasium 1.3.0, CliffWalking-v1.

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, rect, triangle
from ..game import Game, state

ROWS, COLS = 4, 12
EDGE = ROWS - 1  # the row of start, cliff and goal
ROWS_OF, COLS_OF = (-1, 0, 1, 0), (0, 1, 0, -1)  # what each direction adds
UP, RIGHT, DOWN, LEFT = range(4)
ME, CLIFF, GOAL = range(3)

State = state(
    row="i1",
    col="i1",
)


def reset(s, random):
    s.row, s.col = EDGE, 0


def step(s, action, random):
    row = min(max(s.row + ROWS_OF[action], 0), ROWS - 1)
    col = min(max(s.col + COLS_OF[action], 0), COLS - 1)
    if row == EDGE and 0 < col < COLS - 1:
        s.row, s.col = EDGE, 0
        return -100.0, False
    s.row, s.col = row, col
    return -1.0, row == EDGE and col == COLS - 1


def heuristic(s, random):
    """The shortest way."""
    if s.col == COLS - 1:
        return DOWN
    return UP if s.row == EDGE else RIGHT


def observe(s, planes):
    planes[s.row, s.col, ME] = 1
    planes[EDGE, COLS - 1, GOAL] = 1
    for col in range(1, COLS - 1):
        planes[EDGE, col, CLIFF] = 1


MEADOW, MEADOW_DARK, BLADE = (138, 190, 92), (128, 180, 84), (104, 156, 70)
FLOWER, PETAL = (250, 220, 96), (250, 244, 236)
ROCK, ROCK_LIGHT, ROCK_DARK, ABYSS, MIST = (134, 112, 98), (172, 150, 130), (92, 76, 72), (38, 36, 54), (66, 66, 92)
STEP, STEP_DARK = (186, 160, 118), (160, 134, 96)
POLE, CLOTH, CLOTH_DARK, SHADE = (244, 240, 232), (224, 66, 66), (182, 44, 52), (98, 148, 68)
COAT, COAT_DARK, SKIN = (62, 110, 190), (44, 82, 150), (244, 206, 170)
HAT, HAT_BAND, BOOT, EYE = (196, 142, 76), (120, 76, 44), (74, 52, 44), (36, 30, 34)


def backdrop(canvas):
    fill(canvas, MEADOW)
    for row in range(ROWS):
        for col in range(COLS):
            draw_grass(row, col, canvas)
    rect(canvas, 0.04, EDGE + 0.04, 0.92, 0.92, STEP_DARK)
    rect(canvas, 0.04, EDGE + 0.04, 0.92, 0.84, STEP)
    draw_cliff(canvas)
    draw_flag(COLS - 1.0, float(EDGE), canvas)


def draw_grass(row, col, canvas):
    x, y = float(col), float(row)
    if (row + col) % 2 == 1:
        rect(canvas, x, y, 1.0, 1.0, MEADOW_DARK)
    shift = (row * 5 + col * 3) % 4 * 0.16
    for blade in range(3):
        left, top = x + 0.16 + shift + blade * 0.08, y + 0.24 + (row * 3 + col * 7) % 5 * 0.1
        triangle(canvas, left, top + 0.14, left + 0.07, top + 0.14, left + 0.035, top, BLADE)
    if (row * 7 + col * 5) % 6 == 0:
        ellipse(canvas, x + 0.62, y + 0.64, 0.18, 0.18, PETAL)
        ellipse(canvas, x + 0.67, y + 0.69, 0.08, 0.08, FLOWER)


def draw_cliff(canvas):
    """A face of rock that falls away into the dark."""
    left, wide = 1.0, COLS - 2.0
    rect(canvas, left, EDGE, wide, 1.0, ABYSS)
    rect(canvas, left, EDGE + 0.82, wide, 0.18, MIST)
    rect(canvas, left, EDGE, wide, 0.36, ROCK)
    for k in range(2 * COLS - 4):
        x, deep = left + 0.5 * k, 0.46 + k * 7 % 5 * 0.07
        triangle(canvas, x, EDGE + 0.36, x + 0.5, EDGE + 0.36, x + 0.25, EDGE + deep + 0.1, ROCK)
        triangle(canvas, x + 0.25, EDGE + 0.12, x + 0.5, EDGE + 0.12, x + 0.3, EDGE + deep, ROCK_DARK)
    rect(canvas, left, EDGE, wide, 0.1, ROCK_LIGHT)


def draw_flag(x, y, canvas):
    ellipse(canvas, x + 0.2, y + 0.76, 0.6, 0.16, SHADE)
    rect(canvas, x + 0.32, y + 0.1, 0.07, 0.74, POLE)
    triangle(canvas, x + 0.39, y + 0.1, x + 0.86, y + 0.27, x + 0.39, y + 0.46, CLOTH)
    triangle(canvas, x + 0.39, y + 0.3, x + 0.78, y + 0.3, x + 0.39, y + 0.46, CLOTH_DARK)


def draw(s, canvas):
    """A hiker with a hat."""
    x, y = float(s.col), float(s.row)
    ellipse(canvas, x + 0.22, y + 0.8, 0.56, 0.15, SHADE)
    rect(canvas, x + 0.34, y + 0.74, 0.13, 0.14, BOOT)
    rect(canvas, x + 0.53, y + 0.74, 0.13, 0.14, BOOT)
    ellipse(canvas, x + 0.26, y + 0.42, 0.48, 0.4, COAT)
    rect(canvas, x + 0.3, y + 0.68, 0.4, 0.08, COAT_DARK)
    ellipse(canvas, x + 0.3, y + 0.18, 0.4, 0.36, SKIN)
    ellipse(canvas, x + 0.39, y + 0.32, 0.07, 0.09, EYE)
    ellipse(canvas, x + 0.54, y + 0.32, 0.07, 0.09, EYE)
    ellipse(canvas, x + 0.18, y + 0.17, 0.64, 0.15, HAT)
    ellipse(canvas, x + 0.32, y + 0.04, 0.36, 0.26, HAT)
    rect(canvas, x + 0.32, y + 0.17, 0.36, 0.05, HAT_BAND)


GAME = Game(
    name="CliffWalking",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    shape=(ROWS, COLS),
    planes=("me", "cliff", "goal"),
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
    fps=5,
    waits=True,
)
