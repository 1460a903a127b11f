"""Pong: return the ball with your paddle and be the first to win five points.

Description
    A court of 64 by 48 with a paddle at each end: yours on the right, the rival's on the left. The ball bounces off the
    long walls and leaves a paddle the steeper, the further from the paddle's middle it was hit: if it goes along the
    court at some speed, it goes across at that speed times the distance to the middle, divided by the distance at which
    paddle and ball just touch. Each hit makes the ball 5 percent faster, up to twice its first speed. The rival follows
    the ball, but is slower than you, and its paddle meets the ball wherever chance wants.

Actions
    0 stay, 1 up, 2 down.

Observation
    Features: `paddle` and `rival`, the height of the two paddles' middles, and `ball_x`, `ball_y`, all seen from the middle
    of the court and in halves of its length; `ball_dx`, `ball_dy`, the ball's move in a step, where 1 is the fastest
    along the court; `score` and `rival_score`, in fifths.

Start
    Both paddles in the middle. The ball starts halfway between them at a random height and angle, to either side. The
    same goes for the ball after each point.

Reward
    +1 for a point, when the ball leaves the court behind the rival; -1 when it leaves behind you.

Termination
    Either has five points.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    The video tennis of 1972; the numbers are this project's.

Version history
    1: first release.
"""

import math

from ..canvas import fill, number, rect
from ..game import Game, state
from ..rng import below, uniform

WIDTH, HEIGHT = 64.0, 48.0
HALF, MIDDLE = WIDTH / 2, HEIGHT / 2
RADIUS = 1.0  # of the ball, which is square in the picture
HALF_PADDLE, THICKNESS = 4.0, 2.0
REACH = HALF_PADDLE + RADIUS  # the furthest from a paddle's middle at which the ball touches it
LINE, RIVAL_LINE = WIDTH - 5.0, 5.0  # where the ball's middle turns at a paddle
PADDLE_SPEED, RIVAL_SPEED = 1.2, 0.62
MOVES = (0.0, -PADDLE_SPEED, PADDLE_SPEED)  # of each action
FIRST_SPEED, TOP_SPEED, FASTER = 1.0, 2.0, 1.05
SERVE_SLOPE, SERVE_HEIGHT = 0.8, 12.0  # a serve's steepest angle, and how far from the middle it can start
SKILL = 0.9  # the rival plans to hit the ball with any part of its paddle, but for the outer tenth
POINTS, ONE_POINT = 5, 0.2
UP, DOWN = 1, 2

State = state(
    paddle="f8",  # heights of the paddles' middles; y runs down
    rival="f8",
    aim="f8",  # where the rival wants its middle to be, seen from the ball
    ball_x="f8",
    ball_y="f8",
    ball_dx="f8",  # a step
    ball_dy="f8",
    score="i1",
    rival_score="i1",
)


def reset(s, random):
    s.paddle, s.rival = MIDDLE, MIDDLE
    serve(s, random)


def serve(s, random):
    s.ball_x = HALF
    s.ball_y = MIDDLE + SERVE_HEIGHT * (2.0 * uniform(random) - 1.0)
    s.ball_dx = FIRST_SPEED * (2.0 * below(random, 2) - 1.0)
    s.ball_dy = FIRST_SPEED * SERVE_SLOPE * (2.0 * uniform(random) - 1.0)
    choose_aim(s, random)


def choose_aim(s, random):
    s.aim = SKILL * REACH * (2.0 * uniform(random) - 1.0)


def step(s, action, random):
    s.paddle = kept_inside(s.paddle + MOVES[action])
    move_rival(s)
    last_x = s.ball_x
    move_ball(s)
    if s.ball_x >= LINE:
        if last_x < LINE and abs(s.ball_y - s.paddle) <= REACH:
            bounce(s, LINE, s.paddle)
            choose_aim(s, random)
        elif s.ball_x > WIDTH:
            s.rival_score += 1
            serve(s, random)
            return -1.0, s.rival_score == POINTS
    elif s.ball_x <= RIVAL_LINE:
        if last_x > RIVAL_LINE and abs(s.ball_y - s.rival) <= REACH:
            bounce(s, RIVAL_LINE, s.rival)
        elif s.ball_x < 0.0:
            s.score += 1
            serve(s, random)
            return 1.0, s.score == POINTS
    return 0.0, False


def kept_inside(y):
    return min(max(y, HALF_PADDLE), HEIGHT - HALF_PADDLE)


def move_rival(s):
    """Follow a ball that comes, and go back to the middle while it goes away."""
    meeting = s.ball_y + s.aim  # read in any case: a jump here is guessed wrong every other time
    goal = meeting if s.ball_dx < 0.0 else MIDDLE
    s.rival = kept_inside(s.rival + min(max(goal - s.rival, -RIVAL_SPEED), RIVAL_SPEED))


def move_ball(s):
    s.ball_x += s.ball_dx
    y = s.ball_y + s.ball_dy
    if y < RADIUS:
        y = 2.0 * RADIUS - y
        s.ball_dy = -s.ball_dy
    elif y > HEIGHT - RADIUS:
        y = 2.0 * (HEIGHT - RADIUS) - y
        s.ball_dy = -s.ball_dy
    s.ball_y = y


def bounce(s, line, paddle):
    """Send the ball back from a paddle whose middle is at the height `paddle`."""
    speed = min(abs(s.ball_dx) * FASTER, TOP_SPEED)
    s.ball_x = 2.0 * line - s.ball_x
    s.ball_dx = -speed if s.ball_dx > 0.0 else speed
    s.ball_dy = speed * (s.ball_y - paddle) / REACH


def heuristic(s, random):
    """Go where the ball will come; hit it with the end of the paddle that sends it away from the rival."""
    goal = MIDDLE
    if s.ball_dx > 0.0 and s.ball_x < LINE:
        goal = kept_inside(crossing(s) + (0.7 * REACH if s.rival > MIDDLE else -0.7 * REACH))
    if abs(goal - s.paddle) < PADDLE_SPEED:
        return 0
    return DOWN if goal > s.paddle else UP


def crossing(s):
    """The height at which the ball will reach the right line: straight on, then folded at the walls."""
    span = HEIGHT - 2.0 * RADIUS
    way = s.ball_y - RADIUS + s.ball_dy * (LINE - s.ball_x) / s.ball_dx
    folds = math.floor(way / span)
    rest = way - folds * span
    return RADIUS + (rest if folds % 2 == 0 else span - rest)


def observe(s, features):
    features[0] = (s.paddle - MIDDLE) / HALF
    features[1] = (s.rival - MIDDLE) / HALF
    features[2] = (s.ball_x - HALF) / HALF
    features[3] = (s.ball_y - MIDDLE) / HALF
    features[4] = s.ball_dx / TOP_SPEED
    features[5] = s.ball_dy / TOP_SPEED
    features[6] = s.score * ONE_POINT
    features[7] = s.rival_score * ONE_POINT


COURT, STRIPE, LINES, SHADOW = (24, 58, 66), (27, 64, 72), (70, 112, 116), (16, 42, 50)
BALL, MINE, MY_EDGE, RIVALS, RIVALS_EDGE = (
    (255, 244, 214),
    (255, 176, 92),
    (206, 122, 52),
    (134, 206, 232),
    (78, 148, 182),
)
MY_SCORE, RIVALS_SCORE = (112, 100, 78), (62, 108, 122)


def backdrop(canvas):
    fill(canvas, COURT)
    for k in range(0, 8, 2):
        rect(canvas, k * WIDTH / 8, 0, WIDTH / 8, HEIGHT, STRIPE)
    for k in range(8):
        rect(canvas, HALF - 0.4, 1.6 + 6 * k, 0.8, 2.8, LINES)
    rect(canvas, 0, 0, WIDTH, 0.6, LINES)
    rect(canvas, 0, HEIGHT - 0.6, WIDTH, 0.6, LINES)


def draw(s, canvas):
    number(canvas, s.rival_score, HALF - 12, 4, 6, 7, RIVALS_SCORE)
    number(canvas, s.score, HALF + 6, 4, 6, 7, MY_SCORE)
    draw_paddle(canvas, RIVAL_LINE - RADIUS - THICKNESS, s.rival, RIVALS, RIVALS_EDGE)
    draw_paddle(canvas, LINE + RADIUS, s.paddle, MINE, MY_EDGE)
    x, y = s.ball_x - RADIUS, s.ball_y - RADIUS
    rect(canvas, x - s.ball_dx + 0.4, y - s.ball_dy + 0.4, 1.2, 1.2, LINES)  # a trail: where the ball comes from
    rect(canvas, x + 0.5, y + 0.6, 2 * RADIUS, 2 * RADIUS, SHADOW)
    rect(canvas, x, y, 2 * RADIUS, 2 * RADIUS, BALL)


def draw_paddle(canvas, x, middle, color, edge):
    top = middle - HALF_PADDLE
    rect(canvas, x + 0.5, top + 0.6, THICKNESS, 2 * HALF_PADDLE, SHADOW)
    rect(canvas, x, top, THICKNESS, 2 * HALF_PADDLE, edge)
    rect(canvas, x, top, THICKNESS, 2 * HALF_PADDLE - 0.7, color)


GAME = Game(
    name="Pong",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    features=("paddle", "rival", "ball_x", "ball_y", "ball_dx", "ball_dy", "score", "rival_score"),
    actions=("stay", "up", "down"),
    keys={"up": "up", "down": "down", "w": "up", "s": "down"},
    canvas=(WIDTH, HEIGHT),
    fps=30,
)
