"""Flappy: flap your wings to fly through the gaps between the pipes.

Description
    A bird flies to the right at 0.6 a step and falls, in a world 64 high. Gravity adds 0.12 to its speed in each step,
    downwards; a flap sets the speed to 1.5 upwards, however fast it fell. Every 32 comes a pair of pipes, 8 wide, with a
    gap of 18 between them. The bird touches what the square of side 4 around its middle touches.

Actions
    0 noop, 1 flap.

Observation
    Features: `height` of the bird's middle, from -1 at the ground to 1 at the top; `velocity`, 1 for a flap's, positive
    upwards; `distance` from the bird's tail to the far end of the next pipes, 1 when pipes have just been passed; `gap`
    and `next_gap`, the height of the middles of the next two gaps, above (positive) or below the bird, in halves of the
    world's height.

Start
    The bird halfway up, not moving up or down; the first pipes are one picture ahead.

Reward
    +1 for each pair of pipes that the bird has passed, when its tail is behind them; -1 at the end.

Termination
    The bird touches a pipe, the ground or the top of the picture.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    The helicopter and bird games of the 2000s and 2010s; the numbers are this project's.

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, number, rect, triangle
from ..game import Game, state
from ..rng import uniform

WIDTH, HEIGHT, GROUND = 48.0, 72.0, 64.0  # of the picture; y runs down, and the ground is 8 deep
BIRD_X, HALF_BIRD = 14.0, 2.0
TAIL, BEAK = BIRD_X - HALF_BIRD, BIRD_X + HALF_BIRD
GRAVITY, FLAP_SPEED, FORWARD = 0.12, 1.5, 0.6
SPACING, PIPE = 32.0, 8.0
HALF_GAP = 9.0
TOP_GAP, GAP_SPAN = 16.0, 30.0  # the highest middle of a gap, and how much lower the lowest is
FIRST_PIPE = WIDTH + PIPE  # the far end of the first pair
HALF = GROUND / 2
PIPES = 3  # pairs that can be in the picture: the one just passed, and two to come
MOST = 1_000_000_000
FLAP = 1

State = state(
    y="f8",  # the bird's middle
    velocity="f8",  # downwards, a step
    pipe="f8",  # the far end of the next pair of pipes; x of the picture, in which the bird stays where it is
    gaps="(3,)f8",  # the middles of the gaps: just passed, next, and the one after it
    passed="i4",
)


def reset(s, random):
    s.y = HALF
    s.pipe = FIRST_PIPE
    s.gaps[1], s.gaps[2] = any_gap(random), any_gap(random)


def any_gap(random):
    return TOP_GAP + GAP_SPAN * uniform(random)


def step(s, action, random):
    s.velocity = -FLAP_SPEED if action == FLAP else s.velocity + GRAVITY
    s.y += s.velocity
    s.pipe -= FORWARD
    beside = TAIL < s.pipe < BEAK + PIPE
    outside = s.y < HALF_BIRD or s.y > GROUND - HALF_BIRD
    if outside or (beside and abs(s.y - s.gaps[1]) > HALF_GAP - HALF_BIRD):
        return -1.0, True
    if s.pipe <= TAIL:
        next_pipes(s, random)
        return 1.0, False
    return 0.0, False


def next_pipes(s, random):
    s.pipe += SPACING
    s.gaps[0], s.gaps[1], s.gaps[2] = s.gaps[1], s.gaps[2], any_gap(random)
    s.passed = min(s.passed + 1, MOST)


def heuristic(s, random):
    """Flap as soon as the bird would fall below a line a little over the bottom of the gap."""
    lowest = s.gaps[1] + HALF_GAP - HALF_BIRD - 1.0
    return FLAP if s.y + s.velocity + GRAVITY > lowest else 0


def observe(s, features):
    features[0] = (HALF - s.y) / HALF
    features[1] = -s.velocity * (1.0 / FLAP_SPEED)
    features[2] = (s.pipe - TAIL) * (1.0 / SPACING)
    features[3] = (s.y - s.gaps[1]) / HALF
    features[4] = (s.y - s.gaps[2]) / HALF


SKY, LOW_SKY, SUN, CLOUD = (112, 190, 216), (152, 212, 224), (255, 236, 178), (226, 242, 242)
HILL, NEAR_HILL = (124, 186, 150), (96, 164, 122)
SOIL, GRASS, GRASS_EDGE, STRIPE = (214, 186, 130), (120, 190, 84), (84, 146, 62), (140, 206, 100)
TUBE, TUBE_LIGHT, TUBE_SHADE, TUBE_EDGE = (70, 158, 88), (134, 204, 120), (48, 122, 72), (34, 84, 58)
BODY, BELLY, WING, BILL, EYE, PUPIL = (
    (250, 196, 60),
    (255, 232, 160),
    (228, 150, 40),
    (234, 98, 60),
    (255, 255, 255),
    (40, 36, 48),
)
SCORE, SCORE_SHADOW = (255, 255, 255), (60, 96, 110)


def backdrop(canvas):
    fill(canvas, SKY)
    rect(canvas, 0, 36, WIDTH, GROUND - 36, LOW_SKY)
    ellipse(canvas, 33, 5, 9, 9, SUN)
    for k in range(2):
        x, y = 4.0 + 24.0 * k, 14.0 + 12.0 * k
        ellipse(canvas, x, y, 8, 4, CLOUD)
        ellipse(canvas, x + 4, y - 2, 8, 6, CLOUD)
        ellipse(canvas, x + 9, y, 7, 4, CLOUD)
    ellipse(canvas, -12, 46, 40, 40, HILL)
    ellipse(canvas, 20, 50, 44, 36, HILL)
    ellipse(canvas, 4, 55, 34, 30, NEAR_HILL)
    rect(canvas, 0, GROUND, WIDTH, HEIGHT - GROUND, SOIL)


def draw(s, canvas):
    for k in range(0 if s.passed > 0 else 1, PIPES):
        draw_pipes(canvas, s.pipe + SPACING * (k - 1) - PIPE, s.gaps[k])
    rect(canvas, 0, GROUND, WIDTH, 2.4, GRASS)
    for k in range(33):  # the grass moves with the pipes, which are ten stripes apart
        x = s.pipe - 2.0 * SPACING + 3.2 * k
        triangle(canvas, x, GROUND + 2.4, x + 1.5, GROUND + 2.4, x + 2.4, GROUND, STRIPE)
    rect(canvas, 0, GROUND + 2.4, WIDTH, 0.6, GRASS_EDGE)
    draw_bird(s, canvas)
    number(canvas, s.passed, WIDTH / 2 - 9.6, 4.4, 20, 7, SCORE_SHADOW)
    number(canvas, s.passed, WIDTH / 2 - 10, 4, 20, 7, SCORE)


def draw_pipes(canvas, x, gap):
    """A pair whose near end is at x."""
    upper, lower = gap - HALF_GAP, gap + HALF_GAP
    draw_tube(canvas, x + 0.6, 0.0, PIPE - 1.2, upper - 3.0)
    draw_tube(canvas, x, upper - 3.0, PIPE, 3.0)
    draw_tube(canvas, x + 0.6, lower + 3.0, PIPE - 1.2, GROUND - lower - 3.0)
    draw_tube(canvas, x, lower, PIPE, 3.0)


def draw_tube(canvas, x, y, width, height):
    rect(canvas, x, y, width, height, TUBE_EDGE)
    rect(canvas, x + 0.3, y + 0.3, width - 0.6, height - 0.6, TUBE)
    rect(canvas, x + 1.0, y + 0.3, 1.2, height - 0.6, TUBE_LIGHT)
    rect(canvas, x + width - 2.0, y + 0.3, 1.7, height - 0.6, TUBE_SHADE)


def draw_bird(s, canvas):
    """Its wings are up while it rises, and its beak points where it flies."""
    x, y = TAIL, s.y - HALF_BIRD
    tilt = min(max(s.velocity * 0.5, -0.7), 0.9)
    triangle(canvas, x + 3.4, y + 1.4 + tilt, x + 3.2, y + 3.2 + tilt, x + 5.3, y + 2.4 + 1.6 * tilt, BILL)
    triangle(canvas, x - 0.9, y + 1.4 - tilt, x - 0.7, y + 3.0 - tilt, x + 1.0, y + 2.4, WING)
    ellipse(canvas, x - 0.2, y, 4.4, 4, BODY)
    ellipse(canvas, x + 0.6, y + 2.0 + 0.3 * tilt, 2.8, 1.8, BELLY)
    ellipse(canvas, x + 2.2, y + 0.5 + 0.6 * tilt, 1.6, 1.6, EYE)
    rect(canvas, x + 3.0, y + 1.0 + 0.8 * tilt, 0.6, 0.8, PUPIL)
    ellipse(canvas, x, y + (0.7 if s.velocity < 0.0 else 1.6), 2.4, 1.6, WING)


GAME = Game(
    name="Flappy",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    features=("height", "velocity", "distance", "gap", "next_gap"),
    actions=("noop", "flap"),
    keys={"space": "flap", "up": "flap", "w": "flap"},
    canvas=(WIDTH, HEIGHT),
    fps=30,
)
