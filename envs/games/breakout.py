"""Breakout: keep the ball in play and break every brick.

Description
    A ball bounces through a field of ten by ten cells. Three rows of bricks hang under the ceiling, a paddle of one cell
    slides along the floor. Everything moves one cell at a time and the ball only along diagonals.

Actions
    0 noop, 1 left, 2 right. `full_action_space` has MinAtar's six instead, of which three do nothing: 0 noop, 1 left, 2 up,
    3 right, 4 down, 5 fire.

Observation
    Planes, 10 x 10: `paddle`; `ball`; `trail`, where the ball was one step ago, so that its direction can be seen; `brick`.

Start
    The ball starts in the left or the right column, each as likely, under the bricks and falling inwards.

Reward
    +1 for each brick broken. When all are gone, three new rows appear as soon as the ball comes down to the floor.

Termination
    The ball reaches the floor beside the paddle.

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

from ..canvas import ellipse, fill, rect
from ..game import Game, state
from ..rng import below

SIZE = 10
FLOOR = SIZE - 1
FIRST_BRICK_ROW, BRICK_ROWS = 1, 3
NOOP, LEFT, RIGHT = 0, 1, 3
PADDLE, BALL, TRAIL, BRICK = range(4)

State = state(
    ball_row="i1",
    ball_col="i1",
    last_row="i1",  # where the ball was one step ago
    last_col="i1",
    down="i1",  # the ball's direction: +1 or -1 rows ...
    right="i1",  # ... and columns a step
    paddle="i1",
    inside_brick="?",  # the ball broke a brick in the last step; a second one in a row is passed through
    bricks_left="i1",
    bricks="(10,10)i1",
)


def reset(s, random):
    from_right = below(random, 2)
    s.ball_row, s.ball_col = 3, FLOOR * from_right
    s.last_row, s.last_col = s.ball_row, s.ball_col
    s.down, s.right = 1, 1 - 2 * from_right
    s.paddle = 4
    lay_bricks(s)


def lay_bricks(s):
    for row in range(FIRST_BRICK_ROW, FIRST_BRICK_ROW + BRICK_ROWS):
        for col in range(SIZE):
            s.bricks[row, col] = 1
    s.bricks_left = BRICK_ROWS * SIZE


def step(s, action, random):
    move_paddle(s, action)
    s.last_row, s.last_col = s.ball_row, s.ball_col
    row, col = s.ball_row + s.down, s.ball_col + s.right
    if col < 0 or col >= SIZE:  # a side wall
        col = s.ball_col
        s.right = -s.right

    reward, terminated, in_brick = 0.0, False, False
    if row < 0:  # the ceiling
        row = 0
        s.down = 1
    elif s.bricks[row, col] == 1:
        in_brick = True
        if not s.inside_brick:
            reward = 1.0
            break_brick(s, row, col)
            row = s.ball_row
    elif row == FLOOR:
        if s.bricks_left == 0:
            lay_bricks(s)
        terminated = not bounce_off_paddle(s, col)
        if not terminated:
            row = s.ball_row
    s.inside_brick = in_brick
    s.ball_row, s.ball_col = row, col
    return reward, terminated


def move_paddle(s, action):
    if action == LEFT:
        s.paddle = max(s.paddle - 1, 0)
    elif action == RIGHT:
        s.paddle = min(s.paddle + 1, SIZE - 1)


def break_brick(s, row, col):
    s.bricks[row, col] = 0
    s.bricks_left -= 1
    s.down = -s.down


def bounce_off_paddle(s, new_col):
    """Straight down on the paddle returns the ball mirrored; catching it with the corner sends it back where it came from."""
    if s.ball_col == s.paddle:
        s.down = -1
        return True
    if new_col == s.paddle:
        s.down = -1
        s.right = -s.right
        return True
    return False


def heuristic(s, random):
    """Follow the ball."""
    if s.ball_col == s.paddle:
        return NOOP
    return LEFT if s.ball_col < s.paddle else RIGHT


def observe(s, planes):
    planes[FLOOR, s.paddle, PADDLE] = 1
    planes[s.ball_row, s.ball_col, BALL] = 1
    planes[s.last_row, s.last_col, TRAIL] = 1
    for row in range(FIRST_BRICK_ROW, FIRST_BRICK_ROW + BRICK_ROWS):
        for col in range(SIZE):
            planes[row, col, BRICK] = s.bricks[row, col]


NIGHT = (18, 20, 38)
PADDLE_COLOR, BALL_COLOR, TRAIL_COLOR = (236, 240, 241), (255, 236, 170), (64, 66, 92)
BRICK_COLORS = ((231, 76, 60), (230, 126, 34), (241, 196, 15))
BRICK_SHADES = ((180, 52, 42), (183, 95, 22), (196, 156, 8))


def backdrop(canvas):
    fill(canvas, NIGHT)


def draw(s, canvas):
    for row in range(BRICK_ROWS):
        for col in range(SIZE):
            if s.bricks[FIRST_BRICK_ROW + row, col] == 1:
                x, y = col + 0.05, FIRST_BRICK_ROW + row + 0.1
                rect(canvas, x, y, 0.9, 0.6, BRICK_COLORS[row])
                rect(canvas, x, y + 0.6, 0.9, 0.2, BRICK_SHADES[row])
    ellipse(canvas, s.last_col + 0.3, s.last_row + 0.3, 0.4, 0.4, TRAIL_COLOR)
    ellipse(canvas, s.ball_col + 0.15, s.ball_row + 0.15, 0.7, 0.7, BALL_COLOR)
    rect(canvas, s.paddle - 0.1, FLOOR + 0.3, 1.2, 0.4, PADDLE_COLOR)


GAME = Game(
    name="Breakout",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    heuristic=heuristic,
    draw=draw,
    backdrop=backdrop,
    shape=(SIZE, SIZE),
    planes=("paddle", "ball", "trail", "brick"),
    actions=("noop", "left", "up", "right", "down", "fire"),
    minimal_actions=("noop", "left", "right"),
    keys={"left": "left", "right": "right", "a": "left", "d": "right"},
)
