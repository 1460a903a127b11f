"""MountainCar: swing the weak car back and forth until it climbs to the flag on the right.

Description
    A car stands in a valley, the curve sin(3 x). Its engine is weaker than gravity, so it has to gather speed on both
    slopes.

Actions
    0 left, 1 noop, 2 right: which way the engine pushes.

Observation
    Features: `position`, from -1.2 to 0.6, the bottom of the valley at about -0.52, the flag at 0.5; `velocity` per step,
    from -0.07 to 0.07.

Start
    At rest, at a position drawn evenly from -0.6 to -0.4.

Reward
    -1 for each step, the last one included.

Termination
    The car is at the flag or past it.

Truncation
    None, unless `max_episode_steps` is given; Gymnasium's MountainCar-v0 ends after 200.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    Moore 1990, "Efficient memory-based learning for robot control", in the form of Sutton & Barto 1998 and with the numbers
    of Gymnasium 1.3.0, MountainCar-v0.

Version history
    1: first release.
"""

import math

from ..canvas import blend, ellipse, fill, line, rect, triangle
from ..exact import cos, sin
from ..game import Game, state
from ..rng import uniform

LEFTMOST, RIGHTMOST, FLAG = -1.2, 0.6, 0.5
FASTEST = 0.07
ENGINE, GRAVITY = 0.001, 0.0025
LEFT, NOOP, RIGHT = range(3)

State = state(
    position="f8",
    velocity="f8",
)


def reset(s, random):
    s.position = -0.6 + 0.2 * uniform(random)


def step(s, action, random):
    velocity = s.velocity + (action - NOOP) * ENGINE - GRAVITY * cos(3.0 * s.position)
    velocity = min(max(velocity, -FASTEST), FASTEST)
    s.position = min(max(s.position + velocity, LEFTMOST), RIGHTMOST)
    if s.position == LEFTMOST and velocity < 0.0:  # a wall that does not bounce
        velocity = 0.0
    s.velocity = velocity
    return -1.0, s.position >= FLAG and velocity >= 0.0


def heuristic(s, random):
    """Push the way the car rolls."""
    return LEFT if s.velocity < 0.0 else RIGHT


def observe(s, features):
    features[0] = s.position
    features[1] = s.velocity


WIDTH, HEIGHT, SLICES, SKY_BANDS = 6.0, 4.0, 120, 24
VIEW_LEFT, VIEW = -1.48, 2.36  # the positions that the picture shows
SKY_TOP, SKY_LOW = (92, 158, 214), (236, 232, 206)
SUN, SUN_GLOW, FAR_HILL, NEAR_HILL = (255, 244, 196), (250, 236, 196), (168, 192, 196), (134, 170, 160)
GRASS, SOIL, DEEP = (98, 156, 74), (128, 96, 66), (108, 80, 56)
CAR, CAR_DARK, GLASS, TYRE, HUB = (222, 66, 58), (170, 42, 44), (190, 226, 240), (34, 34, 40), (200, 204, 210)
POLE, CLOTH, CLOTH_LIGHT = (240, 240, 240), (250, 202, 60), (255, 228, 128)
STONE, STONE_DARK = (150, 146, 140), (112, 108, 104)


def across(position):
    return (position - VIEW_LEFT) / VIEW * WIDTH


def ground(position):
    """How far down the ground lies in the picture."""
    return 2.55 - 0.95 * sin(3.0 * position)


def backdrop(canvas):
    fill(canvas, SKY_TOP)
    for band in range(SKY_BANDS):
        top = 3.4 * band / SKY_BANDS
        rect(canvas, 0.0, top, WIDTH, HEIGHT - top, blend(SKY_TOP, SKY_LOW, band, SKY_BANDS))
    ellipse(canvas, 2.25, 0.35, 1.0, 1.0, SUN_GLOW)
    ellipse(canvas, 2.4, 0.5, 0.7, 0.7, SUN)
    triangle(canvas, 0.6, 4.0, 2.5, 1.55, 4.2, 4.0, FAR_HILL)
    triangle(canvas, 2.0, 4.0, 3.7, 1.9, 5.4, 4.0, NEAR_HILL)
    wall = across(LEFTMOST)
    for stone in range(6):
        rect(canvas, wall - 0.68, 1.4 + stone * 0.24, 0.26, 0.24, STONE if stone % 2 == 0 else STONE_DARK)
    for k in range(SLICES):
        x = k * WIDTH / SLICES
        top = ground((x + 0.5 * WIDTH / SLICES) / WIDTH * VIEW + VIEW_LEFT)
        rect(canvas, x, top, WIDTH / SLICES, 0.14, GRASS)
        rect(canvas, x, top + 0.14, WIDTH / SLICES, HEIGHT, SOIL)
        rect(canvas, x, top + 0.55, WIDTH / SLICES, HEIGHT, DEEP)
    flag = across(FLAG)
    rect(canvas, flag - 0.025, ground(FLAG) - 0.95, 0.05, 1.0, POLE)
    triangle(canvas, flag, ground(FLAG) - 0.95, flag + 0.5, ground(FLAG) - 0.78, flag, ground(FLAG) - 0.6, CLOTH)
    triangle(canvas, flag, ground(FLAG) - 0.95, flag + 0.5, ground(FLAG) - 0.78, flag, ground(FLAG) - 0.78, CLOTH_LIGHT)


def draw(s, canvas):
    x, y = across(s.position), ground(s.position)
    slope = (ground(s.position + 0.01) - ground(s.position - 0.01)) / (across(0.02) - across(0.0))
    length = math.sqrt(1.0 + slope * slope)
    along = (1.0 / length, slope / length)
    part(canvas, x, y, along, -0.42, 0.42, 0.27, 0.22, CAR)
    part(canvas, x, y, along, -0.42, 0.42, 0.19, 0.07, CAR_DARK)
    part(canvas, x, y, along, -0.25, 0.2, 0.46, 0.2, CAR)
    part(canvas, x, y, along, -0.19, -0.03, 0.45, 0.13, GLASS)
    part(canvas, x, y, along, 0.02, 0.16, 0.45, 0.13, GLASS)
    wheel(canvas, x - 0.24 * along[0] + 0.11 * along[1], y - 0.24 * along[1] - 0.11 * along[0])
    wheel(canvas, x + 0.24 * along[0] + 0.11 * along[1], y + 0.24 * along[1] - 0.11 * along[0])


def part(canvas, x, y, along, back, front, up, thickness, color):
    """A bar of the car, from back to front, so high above the ground under the car's middle."""
    foot_x, foot_y = x + up * along[1], y - up * along[0]
    line(
        canvas,
        foot_x + back * along[0],
        foot_y + back * along[1],
        foot_x + front * along[0],
        foot_y + front * along[1],
        thickness,
        color,
    )


def wheel(canvas, x, y):
    ellipse(canvas, x - 0.13, y - 0.13, 0.26, 0.26, TYRE)
    ellipse(canvas, x - 0.06, y - 0.06, 0.12, 0.12, HUB)


GAME = Game(
    name="MountainCar",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    features=("position", "velocity"),
    actions=("left", "noop", "right"),
    keys={"left": "left", "right": "right", "a": "left", "d": "right"},
    canvas=(WIDTH, HEIGHT),
    fps=30,
)
