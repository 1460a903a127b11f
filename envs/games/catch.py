"""Catch: a ball falls, move the paddle under it.

Description
    The smallest game worth learning, and the one to read first. A ball falls down a field of ten by ten cells, one row a
    step; a paddle slides along the floor.

Actions
    0 left, 1 stay, 2 right.

Observation
    Planes, 10 x 10: `ball` and `paddle`.

Start
    The ball starts in any column of the top row, each as likely; the paddle in the middle.

Reward
    +1 for catching the ball, -1 for missing it, at the end of the episode.

Termination
    The ball reaches the floor, after nine steps.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    Mnih et al. 2014, "Recurrent models of visual attention", and `bsuite` (Osband et al. 2020).

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, rect
from ..game import Game, state
from ..rng import below

SIZE = 10
FLOOR = SIZE - 1
BALL, PADDLE = range(2)

State = state(ball_row="i1", ball_col="i1", paddle="i1")


def reset(s, random):
    s.ball_row, s.ball_col, s.paddle = 0, below(random, SIZE), SIZE // 2


def step(s, action, random):
    s.paddle = min(max(s.paddle + action - 1, 0), SIZE - 1)
    s.ball_row += 1
    if s.ball_row < FLOOR:
        return 0.0, False
    return (1.0 if s.ball_col == s.paddle else -1.0), True


def heuristic(s, random):
    """Go under the ball."""
    return 1 + (s.ball_col > s.paddle) - (s.ball_col < s.paddle)


def observe(s, planes):
    planes[s.ball_row, s.ball_col, BALL] = 1
    planes[FLOOR, s.paddle, PADDLE] = 1


SKY, GROUND, APPLE, LEAF, BASKET, RIM = (
    (148, 206, 236), (104, 164, 84), (214, 52, 60), (70, 130, 60), (164, 108, 56), (120, 76, 36),
)  # fmt: skip


def backdrop(canvas):
    fill(canvas, SKY)
    rect(canvas, 0, FLOOR + 0.7, SIZE, 0.3, GROUND)


def draw(s, canvas):
    rect(canvas, s.paddle, FLOOR + 0.3, 1, 0.6, BASKET)
    rect(canvas, s.paddle - 0.1, FLOOR + 0.2, 1.2, 0.2, RIM)
    ellipse(canvas, s.ball_col + 0.15, s.ball_row + 0.2, 0.7, 0.7, APPLE)
    rect(canvas, s.ball_col + 0.48, s.ball_row + 0.05, 0.1, 0.25, LEAF)


GAME = Game(
    name="Catch",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    heuristic=heuristic,
    draw=draw,
    backdrop=backdrop,
    shape=(SIZE, SIZE),
    planes=("ball", "paddle"),
    actions=("left", "stay", "right"),
    keys={"left": "left", "right": "right", "a": "left", "d": "right"},
)
