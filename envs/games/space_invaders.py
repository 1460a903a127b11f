"""SpaceInvaders: shoot the aliens before they land, and dodge what they throw.

Description
    A cannon slides along the floor of a field of ten by ten cells. Above it a block of 24 aliens marches from side to
    side, one cell at a time; when one of them stands at the edge, they all come down a row and turn round. They march
    faster the fewer they are: a move every 12 steps while there are at least as many aliens, every 5 steps when five
    are left, every step for the last one. Every ten steps, the lowest alien of the column nearest to the cannon throws
    a bolt. The cannon can fire every five steps. When a wave is gone, the next one starts a step faster: at a move
    every 11 steps, and so on to every 6.

Actions
    0 noop, 1 left, 2 right, 3 fire. `full_action_space` has MinAtar's six instead, of which two do nothing: 0 noop, 1 left,
    2 up, 3 right, 4 down, 5 fire.

Observation
    Planes, 10 x 10: `cannon`; `alien`; `alien_left` and `alien_right`, the aliens again, in the one or the other, by
    the way that they march; `friendly_bullet`, the cannon's shots; `enemy_bullet`, the aliens' bolt.

Start
    The cannon in the middle, four rows of six aliens under the ceiling, marching to the left. Nothing in this game is
    left to chance.

Reward
    +1 for each alien shot.

Termination
    The cannon is hit by a bolt or run over by an alien, or aliens on the floor want to come down further.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    Young & Tian 2019, "MinAtar: An Atari-inspired testbed for thorough and reproducible reinforcement learning
    experiments", and the package `minatar` 1.0.15, with its difficulty ramping.

Version history
    1: first release.
"""

from ..canvas import bitmap, ellipse, rect, sprite
from ..game import Game, state

SIZE = 10
FLOOR = SIZE - 1
NOOP, LEFT, RIGHT, FIRE = 0, 1, 3, 5
CANNON, ALIEN, ALIEN_LEFT, ALIEN_RIGHT, FRIENDLY_BULLET, ENEMY_BULLET = range(6)
WAVE_ROWS, WAVE_COLS = 4, 6
BIT = tuple(1 << col for col in range(SIZE))  # of each column in a row of aliens
WAVE_ROW = sum(BIT[2 : 2 + WAVE_COLS])
FIRST_PAUSE, LAST_PAUSE = 12, 6  # steps between the moves of a wave, at most
RELOAD, BOLT_PAUSE = 5, 10
NOWHERE = -1

# A shot is gone nine steps after it was fired and the cannon fires every five steps, so there are two at most. A bolt
# is gone after ten, when the next one comes, so there is one.
State = state(
    cannon="i1",  # its column
    reload="i1",  # steps until it can fire
    shots="i1",  # how many fly, the oldest and highest first
    shot_row="(2,)i1",
    shot_col="(2,)i1",
    bolt_row="i1",  # or NOWHERE
    bolt_col="i1",
    bolt_wait="i1",  # steps until the next
    aliens="(10,)i2",  # one number a row, with the bits of the columns where aliens are
    aliens_left="i1",
    heading="i1",  # +1 to the right, -1 to the left
    march_pause="i1",  # steps between two moves when there are many aliens ...
    march_wait="i1",  # ... and until the next
)


def reset(s, random):
    s.cannon = SIZE // 2
    s.bolt_row, s.bolt_wait = NOWHERE, BOLT_PAUSE
    s.heading = -1
    s.march_pause = s.march_wait = FIRST_PAUSE
    send_wave(s)


def send_wave(s):
    for row in range(WAVE_ROWS):
        s.aliens[row] = WAVE_ROW
    s.aliens_left = WAVE_ROWS * WAVE_COLS


def step(s, action, random):
    move_or_fire(s, action)
    move_shots(s)
    move_bolt(s)
    terminated = (s.bolt_row == FLOOR and s.bolt_col == s.cannon) or alien_at(s, FLOOR, s.cannon)
    if s.march_wait == 0:
        s.march_wait = min(s.aliens_left, s.march_pause)
        landed = march(s)
        terminated = terminated or landed or alien_at(s, FLOOR, s.cannon)
    if s.bolt_wait == 0:
        s.bolt_wait = BOLT_PAUSE
        throw_bolt(s)
    reward = hit_aliens(s)
    s.reload = max(s.reload - 1, 0)
    s.march_wait -= 1
    s.bolt_wait -= 1
    if s.aliens_left == 0:
        s.march_pause = max(s.march_pause - 1, LAST_PAUSE)
        send_wave(s)
    return reward, terminated


def move_or_fire(s, action):
    if action == LEFT:
        s.cannon = max(s.cannon - 1, 0)
    elif action == RIGHT:
        s.cannon = min(s.cannon + 1, SIZE - 1)
    elif action == FIRE and s.reload == 0:
        s.shot_row[s.shots], s.shot_col[s.shots] = FLOOR, s.cannon
        s.shots += 1
        s.reload = RELOAD


def move_shots(s):
    for i in range(s.shots):
        s.shot_row[i] -= 1
    if s.shots > 0 and s.shot_row[0] < 0:  # through the ceiling
        remove_shot(s, 0)


def remove_shot(s, i):
    s.shots -= 1
    if i < s.shots:  # the other one is the first now
        s.shot_row[0], s.shot_col[0] = s.shot_row[1], s.shot_col[1]
    s.shot_row[s.shots], s.shot_col[s.shots] = 0, 0


def move_bolt(s):
    if s.bolt_row == FLOOR:
        s.bolt_row, s.bolt_col = NOWHERE, 0
    elif s.bolt_row != NOWHERE:
        s.bolt_row += 1


def alien_at(s, row, col):
    return s.aliens[row] & BIT[col] != 0


def alien_in_column(s, col):
    return lowest_alien(s, col) != NOWHERE


def lowest_alien(s, col):
    """The row of the lowest alien in a column, or NOWHERE."""
    row = FLOOR
    while row >= 0 and not alien_at(s, row, col):
        row -= 1
    return row  # NOWHERE after the last row, 0


def march(s):
    """All aliens one cell on, or down if one is at the edge; True if one went down through the floor."""
    if alien_in_column(s, 0 if s.heading < 0 else SIZE - 1):
        s.heading = -s.heading
        return come_down(s)
    for row in range(SIZE):
        s.aliens[row] = s.aliens[row] << 1 if s.heading > 0 else s.aliens[row] >> 1
    return False


def come_down(s):
    """All aliens one row down; True if one went through the floor. It comes in again at the top, as in `minatar`."""
    landed = s.aliens[FLOOR]
    for row in range(FLOOR, 0, -1):
        s.aliens[row] = s.aliens[row - 1]
    s.aliens[0] = landed
    return landed != 0


def throw_bolt(s):
    """From the lowest alien of the column nearest to the cannon, on its left if two are equally near."""
    for distance in range(SIZE):
        for col in (s.cannon - distance, s.cannon + distance):
            if 0 <= col < SIZE and alien_in_column(s, col):
                s.bolt_row, s.bolt_col = lowest_alien(s, col), col
                return


def hit_aliens(s):
    """Take away aliens and the shots that hit them; one point each."""
    reward = 0.0
    for i in range(s.shots - 1, -1, -1):
        row, col = s.shot_row[i], s.shot_col[i]
        if alien_at(s, row, col):
            s.aliens[row] -= BIT[col]
            s.aliens_left -= 1
            remove_shot(s, i)
            reward += 1.0
    return reward


def heuristic(s, random):
    """Step aside for a bolt, fire at what is above, else go where the nearest aliens are."""
    if s.bolt_row >= FLOOR - 3 and s.bolt_col == s.cannon:
        return LEFT if s.cannon > SIZE // 2 else RIGHT
    if alien_in_column(s, s.cannon):
        return FIRE if s.reload == 0 else NOOP
    for distance in range(1, SIZE):
        if s.cannon - distance >= 0 and alien_in_column(s, s.cannon - distance):
            return LEFT
        if s.cannon + distance < SIZE and alien_in_column(s, s.cannon + distance):
            return RIGHT
    return NOOP


def observe(s, planes):
    planes[FLOOR, s.cannon, CANNON] = 1
    direction = ALIEN_LEFT if s.heading < 0 else ALIEN_RIGHT
    for row in range(SIZE):
        if s.aliens[row] != 0:
            for col in range(SIZE):
                planes[row, col, ALIEN] = planes[row, col, direction] = (s.aliens[row] >> col) & 1
    for i in range(s.shots):
        planes[s.shot_row[i], s.shot_col[i], FRIENDLY_BULLET] = 1
    if s.bolt_row != NOWHERE:
        planes[s.bolt_row, s.bolt_col, ENEMY_BULLET] = 1


SKY = (
    (7, 7, 24), (9, 9, 29), (11, 10, 34), (14, 12, 39), (17, 14, 44), (21, 16, 49), (26, 18, 54), (31, 21, 60),
    (37, 24, 66), (44, 27, 72),
)  # fmt: skip
STARS = (
    (0.6, 0.4), (3.1, 0.2), (7.4, 0.7), (9.3, 1.6), (1.5, 1.9), (5.2, 1.4), (8.3, 3.2), (0.3, 3.6), (3.7, 4.3),
    (6.5, 4.8), (9.6, 5.1), (1.8, 5.7), (4.9, 6.3), (7.8, 6.9), (0.8, 7.4), (3.2, 7.7), (6.1, 8.2), (9.5, 8.3),
)  # fmt: skip
PLANET, PLANET_RIM = (52, 36, 84), (78, 54, 110)
STARLIGHT, GROUND, GRASS = (150, 156, 196), (44, 60, 52), (92, 164, 96)
SHOT_TIP, SHOT_TAIL = (240, 255, 250), (70, 200, 190)
BOLT_CORE, BOLT_GLOW = (255, 244, 170), (246, 116, 60)
EYE = (18, 14, 40)
SQUID = bitmap(
    """
    ...xx...
    ..xxxx..
    .xxxxxx.
    xeexxeex
    xeexxeex
    .xxssxx.
    xs....x.
    .x....sx
    """,
    x=(244, 114, 182), s=(190, 70, 140), e=EYE,
)  # fmt: skip
CRAB = bitmap(
    """
    x.....x.
    .x...x.x
    xxxxxxxx
    xeexxeex
    xeexxeex
    xxssssxx
    x.x..x..
    ...xx.x.
    """,
    x=(96, 214, 232), s=(52, 158, 186), e=EYE,
)  # fmt: skip
OCTOPUS = bitmap(
    """
    ..xxxx..
    .xxxxxx.
    xxxxxxxx
    xeexxeex
    xeexxeex
    .sxssxs.
    sx.xs.xs
    x...s...
    """,
    x=(164, 226, 92), s=(112, 172, 56), e=EYE,
)  # fmt: skip
TURRET = bitmap(
    """
    .....w.....
    ....www....
    ....www....
    .wwwwwwwww.
    wwwwwwwwwww
    wsssssssssw
    sssssssssss
    """,
    w=(226, 238, 240), s=(132, 158, 176),
)  # fmt: skip


def draw(s, canvas):
    draw_aliens(s, canvas)
    for i in range(s.shots):
        x, y = s.shot_col[i] + 0.41, s.shot_row[i]
        rect(canvas, x, y + 0.4, 0.18, 0.5, SHOT_TAIL)
        rect(canvas, x, y + 0.1, 0.18, 0.35, SHOT_TIP)
    if s.bolt_row != NOWHERE:
        draw_bolt(canvas, s.bolt_col, s.bolt_row)
    sprite(canvas, TURRET, s.cannon, FLOOR + 0.1, 1, 0.7)


def backdrop(canvas):
    """A night that grows lighter towards the ground."""
    for row in range(SIZE):
        rect(canvas, 0, row, SIZE, 1, SKY[row])
    for x, y in STARS:
        rect(canvas, x, y, 0.1, 0.1, STARLIGHT)
    ellipse(canvas, 6.9, 5.2, 2.2, 2.2, PLANET_RIM)
    ellipse(canvas, 7.0, 5.4, 1.9, 1.9, PLANET)
    rect(canvas, 0, SIZE - 0.2, SIZE, 0.2, GROUND)
    rect(canvas, 0, SIZE - 0.2, SIZE, 0.07, GRASS)


def draw_aliens(s, canvas):
    """Squids on top, then crabs, then octopuses; mirrored in every other cell, so that they wriggle as they march."""
    first = 0
    while first < FLOOR and s.aliens[first] == 0:
        first += 1
    for row in range(first, SIZE):
        for col in range(SIZE):
            if alien_at(s, row, col):
                draw_alien(canvas, row - first, row, col)


def draw_alien(canvas, rank, row, col):
    x, y, mirrored = col + 0.1, row + 0.1, (row + col) % 2 == 1
    if rank == 0:
        sprite(canvas, SQUID, x, y, 0.8, 0.8, mirrored)
    elif rank <= 2:
        sprite(canvas, CRAB, x, y, 0.8, 0.8, mirrored)
    else:
        sprite(canvas, OCTOPUS, x, y, 0.8, 0.8, mirrored)


def draw_bolt(canvas, col, row):
    """A zigzag that turns over from row to row."""
    for k in range(4):
        aside = 0.14 if (k + row) % 2 == 0 else -0.14
        rect(canvas, col + 0.36 + aside, row + 0.25 * k, 0.28, 0.25, BOLT_GLOW)
        rect(canvas, col + 0.44 + aside, row + 0.25 * k, 0.12, 0.25, BOLT_CORE)


GAME = Game(
    name="SpaceInvaders",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    heuristic=heuristic,
    draw=draw,
    backdrop=backdrop,
    shape=(SIZE, SIZE),
    planes=("cannon", "alien", "alien_left", "alien_right", "friendly_bullet", "enemy_bullet"),
    actions=("noop", "left", "up", "right", "down", "fire"),
    minimal_actions=("noop", "left", "right", "fire"),
    keys={"left": "left", "right": "right", "space": "fire", "a": "left", "d": "right"},
)
