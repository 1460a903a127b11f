"""Meteors: turn, thrust and fire to break every rock before one hits your ship.

Description
    A ship and rocks drift over a field of 64 by 64 whose edges are joined: what leaves on one side comes back on the
    other. Nothing slows them down. The ship turns by a 48th of a circle a step; thrust adds 0.04 to its speed ahead, up
    to 1 in all. A bullet flies 1.6 a step faster than the ship, straight ahead, for 20 steps; the next can be fired 5 steps
    later. A big rock (radius 5) that is hit breaks into two middle ones (3), a middle one
    into two small ones (1.5), a small one to dust; the smaller, the faster. When all are gone, the next wave comes: three
    big rocks at first, one more each time, up to six.

Actions
    0 noop, 1 left, 2 right, 3 thrust, 4 fire. Fire does nothing while it is too early.

Observation
    Features, seen from the ship: ahead is the direction it points, aside is to its right. `speed_ahead`, `speed_aside`;
    `ready`, 1 if it can fire now; `rocks`, how many, in 24ths; and for each of the five rocks closest to the ship
    `ahead` and `aside` (where it is, in halves of the field), `ahead_speed` and `aside_speed` (how it moves, seen from
    the ship) and `size` (1 big, 2/3 middle, 1/3 small; all 0 where there are fewer rocks).

Start
    The ship rests in the middle, and the first wave comes from the edges.

Reward
    +1 for each big rock hit, +2 for a middle one, +5 for a small one.

Termination
    A rock touches the ship.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    The arcade games of ships and rocks of 1979 and later; the numbers are this project's, rewards in the proportions of
    20, 50 and 100 rounded to whole numbers.

Version history
    1: first release.
"""

import math

from ..canvas import ellipse, fill, line, rect, triangle
from ..exact import cos, sin
from ..game import Game, state
from ..rng import below, uniform

SIZE, HALF = 64.0, 32.0
TURNS = 48  # headings in a circle; heading 0 points up, and they go clockwise
COS = tuple(cos(2.0 * math.pi * k / TURNS) for k in range(TURNS))
SIN = tuple(sin(2.0 * math.pi * k / TURNS) for k in range(TURNS))
LEFT, RIGHT, THRUST, FIRE = 1, 2, 3, 4

SHIP_RADIUS, ACCELERATION, TOP_SPEED = 1.3, 0.04, 1.0
BULLET_SPEED, BULLET_LIFE, FIRE_PAUSE = 1.6, 20, 5
BULLETS = BULLET_LIFE // FIRE_PAUSE  # at most in flight
ROCKS = 24  # at most: six big ones, all broken down
SMALL, MIDDLE, BIG = 1, 2, 3
RADII = (0.0, 1.5, 3.0, 5.0)  # of each size
SLOWEST, FASTEST = (0.0, 0.35, 0.22, 0.12), (0.0, 0.65, 0.45, 0.28)
REWARDS = (0.0, 5.0, 2.0, 1.0)
FIRST_WAVE, LARGEST_WAVE = 3, 6
NEAREST, OWN_FEATURES, ROCK_FEATURES = 5, 4, 5
SEEN = ("ahead", "aside", "ahead_speed", "aside_speed", "size")  # of each of the nearest rocks

State = state(
    x="f8",
    y="f8",  # y runs down
    dx="f8",
    dy="f8",
    heading="i1",
    thrusting="?",  # in the last step, for the picture
    wave="i1",  # big rocks in this wave
    pause="i1",  # steps until the ship can fire again
    next_bullet="i1",  # where the next one goes in the arrays below; the one before is gone by then
    bullet_life="(4,)i1",  # steps left; 0: no bullet
    bullet_x="(4,)f8",
    bullet_y="(4,)f8",
    bullet_dx="(4,)f8",
    bullet_dy="(4,)f8",
    rocks="i1",  # how many there are; they come first in the arrays below
    rock_size="(24,)i1",
    rock_x="(24,)f8",
    rock_y="(24,)f8",
    rock_dx="(24,)f8",
    rock_dy="(24,)f8",
    clearance="(24,)f8",  # from the ship's middle to the edge of each rock
)


def reset(s, random):
    s.x, s.y = HALF, HALF
    s.wave = FIRST_WAVE - 1
    next_wave(s, random)
    measure(s)


def next_wave(s, random):
    """Big rocks on the lines that are furthest from the ship, which is half a field away."""
    s.wave = min(s.wave + 1, LARGEST_WAVE)
    for _ in range(s.wave):
        along = SIZE * uniform(random)
        if below(random, 2) == 0:
            add_rock(s, BIG, wrapped(s.x + HALF), along, random)
        else:
            add_rock(s, BIG, along, wrapped(s.y + HALF), random)


def add_rock(s, size, x, y, random):
    k, heading = s.rocks, below(random, TURNS)
    speed = SLOWEST[size] + (FASTEST[size] - SLOWEST[size]) * uniform(random)
    s.rock_size[k], s.rock_x[k], s.rock_y[k] = size, x, y
    s.rock_dx[k], s.rock_dy[k] = speed * SIN[heading], -speed * COS[heading]
    s.rocks += 1


def wrapped(x):
    """A place on the field for one that is at most one field beside it."""
    if x < 0.0:
        x += SIZE
    return x - SIZE if x >= SIZE else x


def apart(difference):
    """The shorter way around the field."""
    if difference > HALF:
        return difference - SIZE
    return difference + SIZE if difference < -HALF else difference


def step(s, action, random):
    steer(s, action)
    s.x, s.y = wrapped(s.x + s.dx), wrapped(s.y + s.dy)
    for k in range(s.rocks):
        s.rock_x[k] = wrapped(s.rock_x[k] + s.rock_dx[k])
        s.rock_y[k] = wrapped(s.rock_y[k] + s.rock_dy[k])
    reward = 0.0
    for b in range(BULLETS):
        if s.bullet_life[b] > 0:
            reward += fly(s, b, random)
    if s.rocks == 0:
        next_wave(s, random)
    return reward, measure(s) < SHIP_RADIUS


def steer(s, action):
    s.pause = max(s.pause - 1, 0)
    s.thrusting = action == THRUST
    if action == LEFT:
        s.heading = (s.heading + TURNS - 1) % TURNS
    elif action == RIGHT:
        s.heading = (s.heading + 1) % TURNS
    elif action == THRUST:
        dx, dy = s.dx + ACCELERATION * SIN[s.heading], s.dy - ACCELERATION * COS[s.heading]
        slower = TOP_SPEED / max(math.sqrt(dx * dx + dy * dy), TOP_SPEED)
        s.dx, s.dy = dx * slower, dy * slower
    elif action == FIRE and s.pause == 0:
        fire(s)


def fire(s):
    b = s.next_bullet
    s.bullet_life[b] = BULLET_LIFE
    s.bullet_x[b], s.bullet_y[b] = s.x, s.y
    s.bullet_dx[b], s.bullet_dy[b] = s.dx + BULLET_SPEED * SIN[s.heading], s.dy - BULLET_SPEED * COS[s.heading]
    s.next_bullet = (b + 1) % BULLETS
    s.pause = FIRE_PAUSE


def fly(s, b, random):
    """Move a bullet, and break the rock that it is in now; returns the reward."""
    x, y = wrapped(s.bullet_x[b] + s.bullet_dx[b]), wrapped(s.bullet_y[b] + s.bullet_dy[b])
    s.bullet_x[b], s.bullet_y[b] = x, y
    s.bullet_life[b] -= 1
    for k in range(s.rocks):
        across, down, radius = apart(s.rock_x[k] - x), apart(s.rock_y[k] - y), RADII[s.rock_size[k]]
        if across * across + down * down < radius * radius:
            s.bullet_life[b] = 0
            return break_rock(s, k, random)
    return 0.0


def break_rock(s, k, random):
    """Take rock k away (the last one takes its number) and add its two parts."""
    size, x, y = s.rock_size[k], s.rock_x[k], s.rock_y[k]
    s.rocks -= 1
    last = s.rocks
    s.rock_size[k] = s.rock_size[last]
    s.rock_x[k], s.rock_y[k] = s.rock_x[last], s.rock_y[last]
    s.rock_dx[k], s.rock_dy[k] = s.rock_dx[last], s.rock_dy[last]
    if size > SMALL:
        add_rock(s, size - 1, x, y, random)
        add_rock(s, size - 1, x, y, random)
    return REWARDS[size]


def measure(s):
    """Note how far all rocks are from the ship, and return the shortest way."""
    shortest = SIZE
    for k in range(s.rocks):
        across, down = apart(s.rock_x[k] - s.x), apart(s.rock_y[k] - s.y)
        s.clearance[k] = math.sqrt(across * across + down * down) - RADII[s.rock_size[k]]
        shortest = min(shortest, s.clearance[k])
    return shortest


def next_nearest(s, last):
    """The rock that is closest to the ship after rock `last`; the closest of all after -1. -1 if there is none."""
    found, shortest = -1, 2.0 * SIZE
    least = s.clearance[last] if last >= 0 else -SIZE
    for k in range(s.rocks):
        way = s.clearance[k]
        if way < shortest and (way > least or (way == least and k > last)):
            found, shortest = k, way
    return found


def heuristic(s, random):
    """Turn to where a bullet would meet the closest rock, and fire; flee from one that is close behind."""
    k = next_nearest(s, -1)
    across, down = apart(s.rock_x[k] - s.x), apart(s.rock_y[k] - s.y)
    ahead, aside = from_ship(s, across, down)
    if ahead < 0.0 and s.clearance[k] < 4.0 and abs(aside) < -ahead:
        return THRUST
    flight = math.sqrt(across * across + down * down) / BULLET_SPEED
    across += flight * (s.rock_dx[k] - s.dx)
    down += flight * (s.rock_dy[k] - s.dy)
    ahead, aside = from_ship(s, across, down)
    if ahead > 0.0 and abs(aside) < 0.8 * RADII[s.rock_size[k]]:
        return FIRE if flight < BULLET_LIFE + 2 else 0
    return RIGHT if aside > 0.0 else LEFT


def from_ship(s, across, down):
    """How far ahead and aside of the ship something is, for a distance to the right and down in the picture."""
    ux, uy = SIN[s.heading], -COS[s.heading]
    return across * ux + down * uy, down * ux - across * uy


def observe(s, features):
    features[0], features[1] = from_ship(s, s.dx, s.dy)
    features[2] = 1.0 if s.pause <= 1 else 0.0
    features[3] = s.rocks / ROCKS
    k = -1
    for place in range(min(NEAREST, s.rocks)):
        k = next_nearest(s, k)
        at = OWN_FEATURES + ROCK_FEATURES * place
        ahead, aside = from_ship(s, apart(s.rock_x[k] - s.x), apart(s.rock_y[k] - s.y))
        features[at], features[at + 1] = ahead / HALF, aside / HALF
        features[at + 2], features[at + 3] = from_ship(s, s.rock_dx[k] - s.dx, s.rock_dy[k] - s.dy)
        features[at + 4] = s.rock_size[k] / BIG


SPACE, STAR, BRIGHT_STAR = (13, 15, 28), (58, 66, 102), (116, 124, 160)
RIM, CRATER, BULLET, GLOW = (56, 50, 64), (92, 82, 92), (255, 244, 190), (150, 120, 70)
STONES = ((0, 0, 0), (176, 150, 128), (150, 130, 124), (128, 116, 122))
LIT = ((0, 0, 0), (214, 188, 158), (186, 164, 150), (160, 146, 150))
HULL, HULL_SHADE, FLAME = (236, 240, 248), (136, 150, 188), (255, 142, 66)
CORNERS = 10
SHAPE = (1.0, 0.86, 0.98, 1.04, 0.84, 1.0, 0.92, 1.04, 0.82, 0.96)  # a rock's outline: how far out each corner is
AROUND_X = tuple(sin(2.0 * math.pi * k / CORNERS) for k in range(CORNERS))
AROUND_Y = tuple(-cos(2.0 * math.pi * k / CORNERS) for k in range(CORNERS))


def backdrop(canvas):
    fill(canvas, SPACE)
    for k in range(90):
        size = 0.5 if k % 7 == 0 else 0.3
        x, y = (k * 37 + 11) % 127 / 2.0, (k * k * 29 + k * 17 + 5) % 127 / 2.0
        rect(canvas, x, y, size, size, BRIGHT_STAR if k % 7 == 0 else STAR)


def draw(s, canvas):
    """Rocks and the ship four times, so that what reaches over an edge is seen on both sides."""
    for copy in range(4):
        for k in range(s.rocks):
            draw_rock(s, canvas, k, copied(s.rock_x[k], copy % 2), copied(s.rock_y[k], copy // 2))
    for b in range(BULLETS):
        if s.bullet_life[b] > 0:
            x, y = s.bullet_x[b], s.bullet_y[b]
            line(canvas, x - s.bullet_dx[b], y - s.bullet_dy[b], x, y, 0.5, GLOW)
            ellipse(canvas, x - 0.5, y - 0.5, 1, 1, BULLET)
    for copy in range(4):
        draw_ship(s, canvas, copied(s.x, copy % 2), copied(s.y, copy // 2))


def copied(x, times):
    return x + times * (SIZE if x < HALF else -SIZE)


def draw_rock(s, canvas, k, x, y):
    size, radius = s.rock_size[k], RADII[s.rock_size[k]]
    turn = int(abs(s.rock_dx[k]) * 1000.0) % CORNERS  # as it moves evenly, it keeps its face
    draw_outline(canvas, x, y, radius + 0.3, turn, RIM)
    draw_outline(canvas, x, y, radius, turn, STONES[size])
    draw_outline(canvas, x - 0.16 * radius, y - 0.18 * radius, 0.68 * radius, turn, LIT[size])
    for crater in range(size):
        corner, wide = (turn + 3 * crater + 1) % CORNERS, radius * (0.34 - 0.05 * crater)
        left, top = x + 0.5 * radius * AROUND_X[corner] - wide / 2, y + 0.5 * radius * AROUND_Y[corner] - wide / 2
        ellipse(canvas, left, top, wide, wide, CRATER)
        ellipse(canvas, left + 0.2, top + 0.24, wide - 0.2, wide - 0.24, STONES[size])


def draw_outline(canvas, x, y, radius, turn, color):
    for k in range(CORNERS):
        n = (k + 1) % CORNERS
        a, b = radius * SHAPE[(k + turn) % CORNERS], radius * SHAPE[(n + turn) % CORNERS]
        x1, y1, x2, y2 = x + a * AROUND_X[k], y + a * AROUND_Y[k], x + b * AROUND_X[n], y + b * AROUND_Y[n]
        triangle(canvas, x, y, x1, y1, x2, y2, color)


def draw_ship(s, canvas, x, y):
    ux, uy = SIN[s.heading], -COS[s.heading]  # one unit ahead; (-uy, ux) is one to the right
    nose_x, nose_y, tail_x, tail_y, end_x, end_y = x + 2 * ux, y + 2 * uy, x - ux, y - uy, x - 1.5 * ux, y - 1.5 * uy
    if s.thrusting:
        x1, y1, x2, y2 = tail_x - 0.7 * uy, tail_y + 0.7 * ux, tail_x + 0.7 * uy, tail_y - 0.7 * ux
        triangle(canvas, tail_x - 2 * ux, tail_y - 2 * uy, x1, y1, x2, y2, FLAME)
    triangle(canvas, nose_x, nose_y, tail_x, tail_y, end_x - 1.4 * uy, end_y + 1.4 * ux, HULL_SHADE)
    triangle(canvas, nose_x, nose_y, tail_x, tail_y, end_x + 1.4 * uy, end_y - 1.4 * ux, HULL)


GAME = Game(
    name="Meteors",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    features=(
        *("speed_ahead", "speed_aside", "ready", "rocks"),
        *(f"rock_{k}_{seen}" for k in range(1, NEAREST + 1) for seen in SEEN),
    ),
    actions=("noop", "left", "right", "thrust", "fire"),
    keys={"left": "left", "right": "right", "up": "thrust", "a": "left", "d": "right", "w": "thrust", "space": "fire"},
    canvas=(SIZE, SIZE),
    fps=30,
)
