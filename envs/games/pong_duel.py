"""PongDuel: get the ball past the other's paddle, and keep it from passing yours.

Description
    Two players face each other across a court of 32 x 20 units and move their paddles up and down along their ends of it.
    The ball bounces off the long sides. Off a paddle it flies the steeper the farther from the paddle's middle it was
    hit, at most at 45 degrees, and each of the first 16 hits makes it 10 % faster. Who lets it pass loses the point, and
    the next ball is served towards him. The game goes to five points.

Actions
    0 stay, 1 up, 2 down.

Observation
    Nine numbers from -1 to 1, as if everyone played on the left: `me` and `other`, how far down the paddles are; `x`, `y`
    and `right`, `down`, the ball's place and velocity; `wait`, how long until the ball is served; `mine` and `theirs`,
    the points.

Start
    Paddles in the middle, no points. As for each ball, it rests in the middle for ten steps, and its direction, which
    can be seen already, is up to 26 degrees steep. The first goes to either player.

Reward
    +1 for the player who wins a point, -1 for the other.

Termination
    A player has five points.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    The arcade game "Pong" (1972); the numbers are this project's.

Version history
    1: first release.
"""

import math

from ..canvas import disc, fill, number, rect
from ..game import Game, state
from ..rng import below, uniform

# Lengths and places are measured from the middle of the court, so that the view from the other end only changes signs.
END, SIDE = 16.0, 10.0  # to where the court reaches
PADDLE_X, PADDLE_REACH, PADDLE_STEP = 14.5, 1.75, 0.375
RADIUS = 0.5
BALL_SIDE = SIDE - RADIUS  # where the middle of the ball turns
FARTHEST = SIDE - PADDLE_REACH  # a whole number of steps from the middle
SERVE_SPEED, FASTEST, GAIN = 0.6, 3.0, 1.1
SERVE_SLOPE = 0.5
WAIT, POINTS = 10, 5
UP, DOWN = 1, 2
NOBODY = -1

State = state(
    paddle="(2,)f8",  # y of their middles; the first player's is on the left
    x="f8",  # the ball
    y="f8",
    vx="f8",  # units a step
    vy="f8",
    speed="f8",
    wait="i1",  # steps until it is served
    points="(2,)i1",
)


def reset(s, random):
    serve(s, below(random, 2), random)


def serve(s, receiver, random):
    s.x, s.y, s.speed, s.wait = 0.0, 0.0, SERVE_SPEED, WAIT
    send(s, 1 - receiver, SERVE_SLOPE * (2.0 * uniform(random) - 1.0))


def send(s, player, slope):
    """Let the ball fly away from a player; a slope of 1 is 45 degrees downwards."""
    forward = s.speed / math.sqrt(1.0 + slope * slope)
    s.vx = forward if player == 0 else -forward
    s.vy = forward * slope


def step(s, actions, rewards, random):
    for player in range(2):
        move_paddle(s, player, actions[player])
    if s.wait > 0:
        s.wait -= 1
        return False
    move_ball(s)
    winner = who_scores(s)
    if winner == NOBODY:
        return False
    rewards[winner], rewards[1 - winner] = 1.0, -1.0
    s.points[winner] += 1
    serve(s, 1 - winner, random)
    return s.points[winner] == POINTS


def move_paddle(s, player, action):
    if action == UP and s.paddle[player] > -FARTHEST:
        s.paddle[player] -= PADDLE_STEP
    elif action == DOWN and s.paddle[player] < FARTHEST:
        s.paddle[player] += PADDLE_STEP


def move_ball(s):
    was_inside = abs(s.x) < PADDLE_X
    s.x += s.vx
    s.y += s.vy
    if was_inside and abs(s.x) >= PADDLE_X:  # a paddle may return it where it crossed its line, during this step
        crossed = bounced(s.y - s.vy * (abs(s.x) - PADDLE_X) / abs(s.vx))
        player = 0 if s.x < 0.0 else 1
        off_centre = (crossed - s.paddle[player]) / PADDLE_REACH
        if abs(off_centre) <= 1.0:
            hit(s, player, crossed, off_centre)
            return
    if abs(s.y) > BALL_SIDE:
        s.y = bounced(s.y)
        s.vy = -s.vy


def bounced(y):
    """Where a ball is that would have come to y, had there been no sides; it meets one of them at most."""
    if y > BALL_SIDE:
        return 2.0 * BALL_SIDE - y
    if y < -BALL_SIDE:
        return -2.0 * BALL_SIDE - y
    return y


def hit(s, player, y, off_centre):
    """The ball rests on the paddle for what is left of the step."""
    s.x = -PADDLE_X if player == 0 else PADDLE_X
    s.y = y
    if s.speed * GAIN <= FASTEST:
        s.speed *= GAIN
    send(s, player, off_centre)


def who_scores(s):
    if s.x < -END:
        return 1
    if s.x > END:
        return 0
    return NOBODY


def heuristic(s, player, random):
    """Be where the ball will cross, and hit it with the edge that sends it away from the other; else wait in the middle."""
    target = 0.0
    if (s.vx < 0.0) == (player == 0):
        away = -1.0 if s.paddle[1 - player] > 0.0 else 1.0
        target = crossing(s) - 0.7 * PADDLE_REACH * away
    if target < s.paddle[player] - 0.5 * PADDLE_STEP:
        return UP
    if target > s.paddle[player] + 0.5 * PADDLE_STEP:
        return DOWN
    return 0


def crossing(s):
    """Where the ball will cross the line of the paddle that it flies to, after any number of bounces."""
    steps = (PADDLE_X - s.x * (1.0 if s.vx > 0.0 else -1.0)) / abs(s.vx)
    period = 4.0 * BALL_SIDE
    y = s.y + s.vy * steps + BALL_SIDE
    y -= period * math.floor(y / period)
    return min(y, period - y) - BALL_SIDE


def observe(s, player, features):
    view = 1.0 if player == 0 else -1.0
    features[0] = s.paddle[player] / SIDE
    features[1] = s.paddle[1 - player] / SIDE
    features[2] = s.x * view / (END + FASTEST)
    features[3] = s.y / SIDE
    features[4] = s.vx * view / FASTEST
    features[5] = s.vy / FASTEST
    features[6] = s.wait / WAIT
    features[7] = s.points[player] / POINTS
    features[8] = s.points[1 - player] / POINTS


COURT, STRIPE, FRAME, LINE, SCORE = (22, 88, 96), (24, 94, 102), (12, 44, 54), (196, 222, 214), (54, 122, 128)
SHADOW, BALL, GLOSS = (14, 62, 70), (255, 214, 92), (255, 246, 206)
TRAIL = ((60, 118, 100), (104, 142, 98), (150, 168, 96))
RUBBER, EDGES, SHINE = (
    ((222, 70, 62), (60, 118, 214)),
    ((140, 34, 36), (30, 62, 140)),
    ((250, 140, 124), (138, 184, 250)),
)
MARGIN = 1.0
WIDTH, HEIGHT = 2.0 * (END + MARGIN), 2.0 * (SIDE + MARGIN)


def backdrop(canvas):
    fill(canvas, FRAME)
    for k in range(8):
        rect(canvas, MARGIN + 4.0 * k, MARGIN, 4.0, 2.0 * SIDE, COURT if k % 2 == 0 else STRIPE)
    rect(canvas, MARGIN, MARGIN - 0.25, 2.0 * END, 0.25, LINE)
    rect(canvas, MARGIN, MARGIN + 2.0 * SIDE, 2.0 * END, 0.25, LINE)
    for k in range(10):
        rect(canvas, WIDTH / 2 - 0.12, MARGIN + 0.5 + 2.0 * k, 0.24, 1.0, LINE)


def draw(s, player, canvas):
    """Players see themselves on the left; a spectator sees the first player there."""
    view = -1.0 if player == 1 else 1.0
    left = 1 if player == 1 else 0
    number(canvas, s.points[left], WIDTH / 2 - 7.0, 2.2, 4.0, 4.2, SCORE)
    number(canvas, s.points[1 - left], WIDTH / 2 + 3.0, 2.2, 4.0, 4.2, SCORE)
    x, y = WIDTH / 2 + s.x * view, HEIGHT / 2 + s.y
    if s.wait == 0:
        for k in range(3):
            back, size = (3 - k) * 0.8, RADIUS * (0.5 + 0.15 * k)
            disc(canvas, x - s.vx * view * back, y - s.vy * back, size, TRAIL[k])
    disc(canvas, x + 0.2, y + 0.25, RADIUS + 0.1, SHADOW)
    draw_paddle(canvas, WIDTH / 2 - PADDLE_X - RADIUS, HEIGHT / 2 + s.paddle[left], 0)
    draw_paddle(canvas, WIDTH / 2 + PADDLE_X + RADIUS, HEIGHT / 2 + s.paddle[1 - left], 1)
    disc(canvas, x, y, RADIUS + 0.1, BALL)
    disc(canvas, x - 0.12, y - 0.14, 0.16, GLOSS)


def draw_paddle(canvas, x, y, side):
    """Its playing side is a ball's radius away from the line where balls are hit, so that they seem to touch."""
    left = x - 0.7 if side == 0 else x
    face = x - 0.2 if side == 0 else x
    rect(canvas, left + 0.2, y - PADDLE_REACH + 0.25, 0.7, 2.0 * PADDLE_REACH, SHADOW)
    rect(canvas, left, y - PADDLE_REACH, 0.7, 2.0 * PADDLE_REACH, RUBBER[side])
    rect(canvas, left, y + PADDLE_REACH - 0.25, 0.7, 0.25, EDGES[side])
    rect(canvas, face, y - PADDLE_REACH, 0.2, 2.0 * PADDLE_REACH, SHINE[side])


GAME = Game(
    name="PongDuel",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    players=2,
    player_names=("red", "blue"),
    features=("me", "other", "x", "y", "right", "down", "wait", "mine", "theirs"),
    actions=("stay", "up", "down"),
    keys={"up": "up", "down": "down", "w": "up", "s": "down"},
    second_keys={"w": "up", "s": "down"},
    canvas=(WIDTH, HEIGHT),
    fps=30,
)
