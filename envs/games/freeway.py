"""Freeway: get the chicken across the road as often as you can.

Description
    A chicken crosses a road of eight lanes, from the bottom of a field of ten by ten cells to the top. In each lane a
    car drives to the left or to the right and comes back at the other side; it moves one cell every 2 to 6 steps. The
    chicken can move up or down a cell once in three steps. A car that hits it throws it back to the start. When it gets
    across, it is back at the start too, and every car gets a new speed and direction.

Actions
    0 noop, 1 up, 2 down. `full_action_space` has MinAtar's six instead, of which three do nothing: 0 noop, 1 left, 2 up,
    3 right, 4 down, 5 fire.

Observation
    Planes, 10 x 10: `chicken`; `car`; and `speed1` (fast) to `speed5` (slow), the cell behind each car, in the plane of
    its speed, so that speed and direction can be seen.

Start
    The chicken at the bottom, all cars at the left edge, each with a random speed and direction.

Reward
    +1 for each crossing.

Termination
    After 2501 steps: the time limit is a rule of this game, as in MinAtar, and reported as such.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    Young & Tian 2019, "MinAtar: An Atari-inspired testbed for thorough and reproducible reinforcement learning
    experiments", and the package `minatar` 1.0.15.

Version history
    1: first release.
"""

import numpy as np

from ..canvas import bitmap, fill, rect, sprite
from ..game import Game, state
from ..rng import below, chance

SIZE = 10
LANES = SIZE - 2  # the car in row r has index r - 1
FAR_SIDE, START = 0, SIZE - 1
COL = 4  # the chicken's
NOOP, UP, DOWN = 0, 2, 4
CHICKEN, CAR, SPEED_1 = range(3)
SLOWEST = 5
CHICKEN_PAUSE = 3
TIME_LIMIT = 2500

State = state(
    time_left="i2",  # steps; the episode ends when it falls below 0
    row="i1",  # the chicken's
    wait="i1",  # steps until it can move
    car_col="(8,)i1",
    heading="(8,)i1",  # +1 to the right, -1 to the left
    pause="(8,)i1",  # steps that a car stands still between two moves, 1 to 5
    car_wait="(8,)i1",  # steps until it moves
)


def reset(s, random):
    s.time_left = TIME_LIMIT
    s.row, s.wait = START, CHICKEN_PAUSE
    change_traffic(s, random)


def change_traffic(s, random):
    """Every car gets a new speed and direction and stays where it is."""
    for i in range(LANES):
        s.pause[i] = s.car_wait[i] = 1 + below(random, SLOWEST)
        s.heading[i] = -1 if chance(random, 1 / 2) else 1


def step(s, action, random):
    move_chicken(s, action)
    reward = 0.0
    if s.row == FAR_SIDE:
        reward = 1.0
        change_traffic(s, random)
        s.row = START
    flee_from_car(s)
    move_cars(s)
    flee_from_car(s)
    s.wait = max(s.wait - 1, 0)
    s.time_left -= 1
    return reward, s.time_left < 0


def move_chicken(s, action):
    if s.wait == 0 and action in (UP, DOWN):
        s.wait = CHICKEN_PAUSE
        s.row = min(s.row + (1 if action == DOWN else -1), START)


def flee_from_car(s):
    """A chicken that is hit starts again."""
    if s.row < START and s.car_col[s.row - 1] == COL:
        s.row = START


def move_cars(s):
    for i in range(LANES):
        if s.car_wait[i] > 0:
            s.car_wait[i] -= 1
        else:
            s.car_wait[i] = s.pause[i]
            s.car_col[i] = around(s.car_col[i] + s.heading[i])


def around(col):
    """What leaves at one side comes in at the other."""
    if col < 0:
        return SIZE - 1
    return 0 if col == SIZE else col


def heuristic(s, random):
    """Go on, and let a car pass that comes next to the chicken in the lane ahead."""
    lane = s.row - 2
    if 0 <= lane < LANES and (s.car_col[lane] == COL or around(s.car_col[lane] + s.heading[lane]) == COL):
        return NOOP
    return UP


def observe(s, planes):
    planes[s.row, COL, CHICKEN] = 1
    for i in range(LANES):
        planes[i + 1, s.car_col[i], CAR] = 1
        planes[i + 1, around(s.car_col[i] - s.heading[i]), SPEED_1 + s.pause[i] - 1] = 1


ASPHALT, LINE, MIDDLE, GRASS, CURB = (62, 64, 72), (168, 170, 176), (236, 190, 60), (104, 160, 80), (176, 172, 164)
EXHAUST = (104, 106, 114)
TIRE, GLASS, TAIL_LIGHT, HEADLIGHT = (24, 24, 28), (150, 200, 226), (255, 70, 70), (255, 244, 180)
CAR_SHAPE = """
    ..kkk..kkk..
    tcccccccccch
    tcgCCCCggcch
    ccgCCCCCggcc
    ccgCCCCCggcc
    tcgCCCCggcch
    tcccccccccch
    ..kkk..kkk..
"""
LORRY_SHAPE = """
    .kkk.kkk.kk.
    tCCCCCCC.cch
    CCCCCCCC.cgc
    CCCCCCCCccgc
    CCCCCCCCccgc
    CCCCCCCC.cgc
    tCCCCCCC.cch
    .kkk.kkk.kk.
"""


def paint_car(shape, body, roof):
    return bitmap(shape, c=body, C=roof, g=GLASS, k=TIRE, t=TAIL_LIGHT, h=HEADLIGHT)


CARS = np.stack(  # from fast to slow, heading to the right
    [
        paint_car(CAR_SHAPE, (226, 50, 50), (245, 245, 245)),
        paint_car(CAR_SHAPE, (240, 170, 40), (206, 136, 24)),
        paint_car(CAR_SHAPE, (70, 130, 230), (46, 100, 190)),
        paint_car(LORRY_SHAPE, (60, 170, 110), (150, 214, 170)),
        paint_car(LORRY_SHAPE, (140, 84, 190), (226, 222, 232)),
    ]
)
HEN = bitmap(
    """
    ....rr....
    ...wwww...
    ...wkwwoo.
    ...wwwwo..
    w..wwwr...
    ww.wwwww..
    wwwwgggww.
    .wwwwggww.
    ..wwwwww..
    ...o..o...
    ..oo.oo...
    """,
    w=(255, 255, 250), r=(226, 50, 50), k=(24, 24, 28), o=(250, 160, 40), g=(214, 208, 196),
)  # fmt: skip


def draw(s, canvas):
    for i in range(LANES):
        to_left, x, y = s.heading[i] < 0, s.car_col[i], i + 1
        rect(canvas, x + 1.1 if to_left else x - 0.4, y + 0.4, 0.3, 0.2, EXHAUST)
        sprite(canvas, CARS[s.pause[i] - 1], x - 0.05, y + 0.12, 1.1, 0.76, to_left)
    sprite(canvas, HEN, COL + 0.05, s.row + 0.02, 0.9, 0.96)


def backdrop(canvas):
    fill(canvas, GRASS)
    rect(canvas, 0, 0.8, SIZE, SIZE - 1.6, CURB)
    rect(canvas, 0, 1, SIZE, LANES, ASPHALT)
    for row in range(2, LANES + 1):
        rect(canvas, 0, row - 0.08, SIZE, 0.16, LINE)
    for col in range(0, SIZE, 2):  # cut the lines into dashes
        rect(canvas, col + 0.6, 1, 1.2, LANES, ASPHALT)
    rect(canvas, 0, SIZE // 2 - 0.1, SIZE, 0.2, MIDDLE)


GAME = Game(
    name="Freeway",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    heuristic=heuristic,
    draw=draw,
    backdrop=backdrop,
    shape=(SIZE, SIZE),
    planes=("chicken", "car", "speed1", "speed2", "speed3", "speed4", "speed5"),
    actions=("noop", "left", "up", "right", "down", "fire"),
    minimal_actions=("noop", "up", "down"),
    keys={"up": "up", "down": "down", "w": "up", "s": "down"},
)
