"""Lander: brake, stay upright, and set down gently on the pad between the flags.

Description
    A craft falls towards the moon in a world of 20 by 14 metres. Its main engine pushes it along its own upright, two small
    ones on its sides turn it. It stands on two sprung legs. A step is 1/25 of a second.

Actions
    0 noop, 1 left_engine, which pushes to the right and turns clockwise, 2 main_engine, 3 right_engine. An engine burns
    for the step that it is chosen for; there is no end to the fuel.

Observation
    Features: `x` and `y` of the craft, as it would stand on the middle of the pad, in tens of metres; `velocity_x`,
    `velocity_y` in 5 m/s; `angle` in radians, positive to the left, and `spin`, its velocity; `left_leg`, `right_leg`, 1
    where it touches the ground; `clearance` over the ground straight below, in tens of metres.

Start
    Near the top, drifting, tilting and turning a little, over new ground. The pad is always in the middle and at the same
    height.

Reward
    What the step adds to -100 |(x, y)| - 100 |(velocity_x, velocity_y)| - 100 |angle| + 10 for each leg on the ground, less
    0.3 for the main engine and 0.03 for one at the side. In the last step instead +100 for a landing, -100 for a crash.

Termination
    Landed: both legs touch and the craft is at rest, wherever that is. Crashed: the hull touches the ground, a leg hits it
    at more than 2 m/s, or the craft leaves the picture at a side or the top.

Truncation
    None, unless `max_episode_steps` is given; 1000 is enough for any landing.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    The task and the shape of the reward are those of Gymnasium's LunarLander; the physics and the numbers are this
    project's.

Version history
    1: first release.
"""

import math

from ..canvas import blend, ellipse, fill, line, rect, triangle
from ..exact import cos, sin
from ..game import Game, state
from ..rng import uniform

WIDTH, HEIGHT = 20, 14
PAD, PAD_FIRST, PAD_LAST = 3.0, 8, 12  # its height, and the metres from which to which it reaches
NOOP, LEFT_ENGINE, MAIN_ENGINE, RIGHT_ENGINE = range(4)
TIME_STEP, GRAVITY = 0.04, 1.62
THRUST, SIDE_THRUST, SIDE_TURN = 4.5, 0.4, 1.2  # accelerations
INERTIA = 0.5  # of a craft of mass 1
LEG_OUT, LEG_DOWN = 0.8, 0.8  # where the feet are, from the middle of the craft
SPRING, DAMPER, DRAG, FRICTION = 60.0, 6.0, 8.0, 0.8
TOUGH, AT_REST = 2.0, 0.1  # velocities: a leg stands the first, a craft below the second has landed
HULL_X, HULL_Y = (-0.6, 0.6, -0.45, 0.45), (-0.35, -0.35, 0.5, 0.5)  # the corners
HULL_REACH = 0.8  # more than the hull extends to any side
MAIN_COST, SIDE_COST = 0.3, 0.03

State = state(
    x="f8",
    y="f8",
    velocity_x="f8",
    velocity_y="f8",
    angle="f8",
    spin="f8",
    potential="f8",  # what the reward is the difference of
    left_leg="i1",
    right_leg="i1",
    engine="i1",  # the action of the last step, for the flames
    ground="(21,)f8",  # its height, metre by metre
)


def reset(s, random):
    s.x = between(random, 5.0, 15.0)
    s.y = between(random, 11.5, 12.5)
    s.velocity_x = between(random, -1.5, 1.5)
    s.velocity_y = between(random, -1.0, 0.0)
    s.angle = between(random, -0.2, 0.2)
    s.spin = between(random, -0.2, 0.2)
    lay_ground(s, random)
    s.potential = potential(s)


def between(random, low, high):
    return low + (high - low) * uniform(random)


def lay_ground(s, random):
    """Each metre is the mean of three random heights, so that neighbours share two of them."""
    before, here = between(random, 0.5, 6.0), between(random, 0.5, 6.0)
    for k in range(WIDTH + 1):
        after = between(random, 0.5, 6.0)
        s.ground[k] = PAD if PAD_FIRST <= k <= PAD_LAST else (before + here + after) / 3.0
        before, here = here, after


def step(s, action, random):
    s.engine = action
    sine, cosine = sin(s.angle), cos(s.angle)
    push_x, push_y, turn, cost = 0.0, -GRAVITY, 0.0, 0.0
    if action == MAIN_ENGINE:
        push_x, push_y, cost = -THRUST * sine, THRUST * cosine - GRAVITY, MAIN_COST
    elif action != NOOP:
        side = 1.0 if action == LEFT_ENGINE else -1.0
        push_x, push_y, cost = side * SIDE_THRUST * cosine, side * SIDE_THRUST * sine - GRAVITY, SIDE_COST
        turn = -side * SIDE_TURN

    left_x, left_y, left_turn, left_broken = leg(s, -1.0, sine, cosine)
    right_x, right_y, right_turn, right_broken = leg(s, 1.0, sine, cosine)
    s.left_leg, s.right_leg = left_y > 0.0, right_y > 0.0
    s.velocity_x += TIME_STEP * (push_x + left_x + right_x)
    s.velocity_y += TIME_STEP * (push_y + left_y + right_y)
    s.spin += TIME_STEP * (turn + left_turn + right_turn)
    s.x += TIME_STEP * s.velocity_x
    s.y += TIME_STEP * s.velocity_y
    s.angle += TIME_STEP * s.spin

    if left_broken or right_broken or outside(s) or hull_touches(s):
        return -100.0, True
    if landed(s):
        return 100.0, True
    before, s.potential = s.potential, potential(s)
    return s.potential - before - cost, False


def leg(s, side, sine, cosine):
    """What the ground does to a leg: accelerations to the right, up and round, and whether it breaks.

    The ground pushes straight up like a damped spring, and holds a foot back from sliding as far as friction goes.
    """
    arm_x = side * LEG_OUT * cosine + LEG_DOWN * sine
    arm_y = side * LEG_OUT * sine - LEG_DOWN * cosine
    depth = ground_at(s, s.x + arm_x) - (s.y + arm_y)
    if depth <= 0.0:
        return 0.0, 0.0, 0.0, False
    foot_x, foot_y = s.velocity_x - s.spin * arm_y, s.velocity_y + s.spin * arm_x  # its velocity
    up = max(SPRING * depth - DAMPER * foot_y, 0.0)
    aside = min(max(-DRAG * foot_x, -FRICTION * up), FRICTION * up)
    return aside, up, (arm_x * up - arm_y * aside) / INERTIA, foot_y < -TOUGH


def ground_at(s, x):
    """The height of the ground, which is straight from metre to metre and goes on level beside the picture."""
    inside = min(max(x, 0.0), float(WIDTH))
    k = min(int(inside), WIDTH - 1)
    return s.ground[k] + (s.ground[k + 1] - s.ground[k]) * (inside - k)


def outside(s):
    return s.x < 0.0 or s.x > WIDTH or s.y > HEIGHT


def hull_touches(s):
    if s.y > 6.0 + HULL_REACH:  # higher than any ground
        return False
    sine, cosine = sin(s.angle), cos(s.angle)
    touches = False
    for k in range(4):
        x = s.x + HULL_X[k] * cosine - HULL_Y[k] * sine
        y = s.y + HULL_X[k] * sine + HULL_Y[k] * cosine
        touches = touches or y < ground_at(s, x)
    return touches


def landed(s):
    still = abs(s.velocity_x) < AT_REST and abs(s.velocity_y) < AT_REST and abs(s.spin) < AT_REST
    return still and s.left_leg == 1 and s.right_leg == 1


def potential(s):
    x, y = (s.x - WIDTH / 2) / 10.0, (s.y - PAD - LEG_DOWN) / 10.0
    speed = math.sqrt(s.velocity_x * s.velocity_x + s.velocity_y * s.velocity_y) / 5.0
    return -100.0 * (math.sqrt(x * x + y * y) + speed + abs(s.angle)) + 10.0 * (s.left_leg + s.right_leg)


def heuristic(s, random):
    """Lean towards the pad, against the drift; sink the slower the lower, and wait above while the pad is still away."""
    away, height = s.x - WIDTH / 2, s.y - LEG_DOWN - max(PAD, ground_at(s, s.x))
    lean = min(max(0.12 * away + 0.35 * s.velocity_x, -0.4), 0.4)
    if s.left_leg == 1 or s.right_leg == 1:
        lean = 0.0
    urge = 2.0 * (lean - s.angle) - 2.0 * s.spin
    sink = min(0.3 + 0.3 * height, 2.0) - max(0.5 * (abs(away) - 1.5), 0.0)
    if s.left_leg == 1 and s.right_leg == 1:
        return NOOP
    if abs(urge) > 0.4:
        return RIGHT_ENGINE if urge > 0.0 else LEFT_ENGINE
    if s.velocity_y < -sink:
        return MAIN_ENGINE
    if abs(urge) > 0.08:
        return RIGHT_ENGINE if urge > 0.0 else LEFT_ENGINE
    return NOOP


def observe(s, features):
    features[0] = (s.x - WIDTH / 2) / 10.0
    features[1] = (s.y - PAD - LEG_DOWN) / 10.0
    features[2] = s.velocity_x / 5.0
    features[3] = s.velocity_y / 5.0
    features[4] = s.angle
    features[5] = s.spin
    features[6] = s.left_leg
    features[7] = s.right_leg
    features[8] = (s.y - LEG_DOWN - ground_at(s, s.x)) / 10.0


SKY_TOP, SKY_LOW, SKY_BANDS = (8, 10, 24), (40, 40, 74), 28
STAR, STAR_DIM = (236, 236, 255), (130, 134, 172)
SEA, SEA_LIGHT, LAND, CLOUD = (48, 104, 178), (92, 152, 216), (86, 150, 92), (232, 240, 248)
ROCK, ROCK_LIGHT, ROCK_DARK = (106, 104, 116), (172, 170, 178), (82, 80, 94)
PAD_LIGHT, PAD_DARK, POLE = (248, 206, 70), (56, 54, 62), (226, 228, 236)
CLOTH, CLOTH_DARK, GOLD, GOLD_DARK = (236, 76, 70), (186, 48, 56), (222, 168, 64), (168, 116, 40)
STEEL, STEEL_LIGHT, STEEL_DARK = (196, 202, 214), (234, 238, 246), (132, 138, 154)
GLASS, FLAME, FLAME_HOT = (84, 190, 226), (255, 148, 48), (255, 238, 164)


def backdrop(canvas):
    fill(canvas, SKY_TOP)
    for band in range(SKY_BANDS):
        top = HEIGHT * band / SKY_BANDS
        rect(canvas, 0.0, top, WIDTH, HEIGHT - top, blend(SKY_TOP, SKY_LOW, band, SKY_BANDS))
    for k in range(60):
        x, y = k * 7919 % 2000 / 100.0, k * 4729 % 1100 / 100.0
        size = 0.05 + k % 3 * 0.02
        rect(canvas, x, y, size, size, STAR if k % 4 == 0 else STAR_DIM)
    ellipse(canvas, 15.4, 1.2, 2.4, 2.4, SEA)
    ellipse(canvas, 15.5, 1.25, 1.9, 1.9, SEA_LIGHT)
    ellipse(canvas, 15.8, 1.5, 0.9, 0.7, LAND)
    ellipse(canvas, 16.5, 2.3, 0.8, 0.9, LAND)
    ellipse(canvas, 15.7, 2.3, 0.9, 0.18, CLOUD)
    ellipse(canvas, 16.4, 1.7, 0.9, 0.16, CLOUD)


def draw(s, canvas):
    for k in range(WIDTH):
        draw_ground(k, HEIGHT - s.ground[k], HEIGHT - s.ground[k + 1], canvas)
    for k in range(2 * (PAD_LAST - PAD_FIRST)):
        rect(canvas, PAD_FIRST + 0.5 * k, HEIGHT - PAD, 0.5, 0.22, PAD_LIGHT if k % 2 == 0 else PAD_DARK)
    draw_flag(PAD_FIRST, canvas)
    draw_flag(PAD_LAST, canvas)
    place = (s.x, s.y, sin(s.angle), cos(s.angle))
    draw_flames(s.engine, place, canvas)
    draw_craft(place, canvas)


def draw_ground(k, left, right, canvas):
    top = max(left, right)
    rect(canvas, k, top, 1.0, HEIGHT - top, ROCK)
    if left < right:
        triangle(canvas, k, left, k + 1, right, k, right, ROCK)
    else:
        triangle(canvas, k, left, k + 1, right, k + 1, left, ROCK)
    line(canvas, k, left + 0.07, k + 1, right + 0.07, 0.16, ROCK_LIGHT)
    ellipse(canvas, k + 0.2, top + 0.5 + k * 5 % 7 * 0.2, 0.55, 0.3, ROCK_DARK)


def draw_flag(x, canvas):
    top = HEIGHT - PAD - 1.3
    rect(canvas, x - 0.04, top, 0.08, 1.4, POLE)
    triangle(canvas, x, top, x + 0.75, top + 0.26, x, top + 0.52, CLOTH)
    triangle(canvas, x, top + 0.26, x + 0.75, top + 0.26, x, top + 0.52, CLOTH_DARK)


def draw_craft(place, canvas):
    for side in (-1.0, 1.0):
        bar(canvas, place, side * 0.4, -0.1, side * LEG_OUT, -LEG_DOWN, 0.1, STEEL)
        bar(canvas, place, side * 0.3, -0.32, side * 0.68, -0.5, 0.07, STEEL_DARK)
        bar(canvas, place, side * 0.62, -LEG_DOWN, side * 0.98, -LEG_DOWN, 0.12, STEEL_LIGHT)
    bar(canvas, place, 0.0, -0.3, 0.0, -0.56, 0.34, STEEL_DARK)
    bar(canvas, place, 0.0, -0.36, 0.0, 0.06, 1.2, GOLD)
    bar(canvas, place, 0.0, -0.36, 0.0, -0.24, 1.2, GOLD_DARK)
    bar(canvas, place, -0.2, -0.24, -0.2, 0.06, 0.05, GOLD_DARK)
    bar(canvas, place, 0.2, -0.24, 0.2, 0.06, 0.05, GOLD_DARK)
    bar(canvas, place, 0.0, 0.06, 0.0, 0.4, 0.9, STEEL)
    bar(canvas, place, -0.36, 0.06, -0.36, 0.4, 0.16, STEEL_LIGHT)
    bar(canvas, place, 0.0, 0.4, 0.0, 0.56, 0.56, STEEL_DARK)
    bar(canvas, place, -0.12, 0.14, -0.12, 0.34, 0.2, GLASS)
    bar(canvas, place, 0.18, 0.14, 0.18, 0.34, 0.2, GLASS)
    bar(canvas, place, 0.2, 0.5, 0.34, 0.82, 0.05, STEEL_LIGHT)


def draw_flames(engine, place, canvas):
    if engine == MAIN_ENGINE:
        spike(canvas, place, -0.16, -0.54, 0.16, -0.54, 0.0, -1.5, FLAME)
        spike(canvas, place, -0.08, -0.54, 0.08, -0.54, 0.0, -1.1, FLAME_HOT)
    elif engine != NOOP:
        side = -1.0 if engine == LEFT_ENGINE else 1.0
        spike(canvas, place, side * 0.44, 0.14, side * 0.44, 0.34, side * 1.1, 0.24, FLAME)
        spike(canvas, place, side * 0.44, 0.19, side * 0.44, 0.29, side * 0.8, 0.24, FLAME_HOT)


def bar(canvas, place, x1, y1, x2, y2, thickness, color):
    """A line of the craft, given as if it stood upright around (0, 0)."""
    line(canvas, at_x(place, x1, y1), at_y(place, x1, y1), at_x(place, x2, y2), at_y(place, x2, y2), thickness, color)


def spike(canvas, place, x1, y1, x2, y2, x3, y3, color):
    """A triangle of the craft."""
    a, b, c = at_x(place, x1, y1), at_x(place, x2, y2), at_x(place, x3, y3)
    triangle(canvas, a, at_y(place, x1, y1), b, at_y(place, x2, y2), c, at_y(place, x3, y3), color)


def at_x(place, x, y):
    return place[0] + x * place[3] - y * place[2]


def at_y(place, x, y):
    return HEIGHT - (place[1] + x * place[2] + y * place[3])


GAME = Game(
    name="Lander",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    features=("x", "y", "velocity_x", "velocity_y", "angle", "spin", "left_leg", "right_leg", "clearance"),
    actions=("noop", "left_engine", "main_engine", "right_engine"),
    keys={
        "left": "right_engine", "right": "left_engine", "up": "main_engine",
        "a": "right_engine", "d": "left_engine", "w": "main_engine", "space": "main_engine",
    },
    canvas=(float(WIDTH), float(HEIGHT)),
    fps=25,
)  # fmt: skip
