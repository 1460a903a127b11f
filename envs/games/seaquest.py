"""Seaquest: bring divers up from the deep, shoot what swims at you, and mind your air.

Description
    A submarine, two cells long, dives in a sea of ten columns and eight rows. Divers, fish and enemy submarines come in
    from both sides and swim straight across, the enemies in one row all the same way. Enemy submarines fire torpedoes.
    Touch a diver to take them aboard, six at most. The air lasts 200 steps; coming up to the surface refills it and
    lets one diver off, or, with six aboard, everyone. Each time you come up makes enemies more frequent (from one every
    20 steps to one every step) and faster (from a cell every 6 steps to a cell every 3).

Actions
    0 noop, 1 left, 2 up, 3 right, 4 down, 5 fire, all of MinAtar's. Bullets fly a cell a step, left or right as the
    submarine faces, and five steps pass from one to the next.

Observation
    Planes, 10 x 10: `sub_front` and `sub_back`, the player; `friendly_bullet`; `trail`, the cell behind each fish,
    enemy submarine and diver, so that their direction can be seen; `enemy_bullet`; `enemy_fish`; `enemy_sub`; in the
    last row `oxygen_gauge`, a cell for each tenth of the air, and `diver_gauge`, one for each diver aboard; `diver`.

Start
    At the surface in an empty sea, facing left, with full tanks.

Reward
    +1 for each fish or enemy submarine shot, and on coming up with six divers +1 for each full tenth of the air left.

Termination
    The submarine meets a fish, an enemy submarine or a torpedo, the air runs out, or it comes up without a diver. As in
    `minatar`, one diver too many gets off when six do, which leaves -1 aboard; below 0 it is safe to come up.

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

from ..canvas import bitmap, ellipse, rect, sprite, triangle
from ..game import Game, state
from ..rng import below, chance

SIZE = 10
SURFACE, DEEPEST = 0, SIZE - 2  # rows; the last one shows the gauges
NOOP, LEFT, UP, RIGHT, DOWN, FIRE = range(6)
BULLET, TORPEDO, FISH, SUB, DIVER = range(5)  # kinds of things; torpedoes are the enemies' bullets
KIND_PLANES = (2, 4, 5, 6, 9)
SUB_FRONT, SUB_BACK, TRAIL, OXYGEN_GAUGE, DIVER_GAUGE = 0, 1, 3, 7, 8
FULL_TANKS, SEATS, RELOAD, SUB_RELOAD = 200, 6, 5, 10
ENEMY_PAUSE, DIVER_PAUSE, LAST_LEVEL = 20, 30, 19  # steps between two arrivals; enemies' get one less with each level

# Things stand in a list for each kind, the oldest first. 30 places are enough, and one that is always free: enemies that
# rest two steps cross the sea in 30 and may arrive every step; those that rest longer cross it in 60 but arrive 15 steps
# apart or more. A submarine fires every 11 steps, and each torpedo is gone in ten, before its submarine would be, so all
# are of different submarines. Bullets come five steps apart and go in ten, divers 30 apart and go in 60: two at most.
State = state(
    player_row="i1",  # the front of the submarine
    player_col="i1",
    player_heading="i1",  # +1 to the right, -1 to the left
    player_reload="i1",  # steps until it can fire
    surfaced="?",  # it has not dived since it came up
    oxygen="i2",  # steps
    divers_aboard="i4",
    level="i1",  # how often it came up, at most LAST_LEVEL
    enemy_wait="i1",  # steps until the next enemy arrives ...
    diver_wait="i1",  # ... and the next diver
    count="(5,)i1",  # how many things of each kind there are; all that follows is by kind and number, 0 where free
    row="(5,31)i1",
    col="(5,31)i1",
    heading="(5,31)i1",
    wait="(5,31)i1",  # steps until it moves
    reload="(5,31)i1",  # steps until a submarine fires
)


def reset(s, random):
    s.player_col, s.player_heading = SIZE // 2, -1
    s.surfaced, s.oxygen = True, FULL_TANKS
    s.enemy_wait, s.diver_wait = ENEMY_PAUSE, DIVER_PAUSE


def step(s, action, random):
    let_arrive(s, random)
    steer(s, action)
    points, terminated = move_bullets(s), False
    move_divers(s)
    for kind in (SUB, TORPEDO, FISH):
        hits, met = move_enemies(s, kind)
        points, terminated = points + hits, terminated or met
    s.enemy_wait -= 1
    s.diver_wait -= 1
    s.player_reload = max(s.player_reload - 1, 0)
    bonus, lost = breathe(s)
    return float(points + bonus), terminated or lost


def let_arrive(s, random):
    """An enemy, unless it would swim against others in its row, and a diver, each if it is time."""
    if s.enemy_wait == 0:
        s.enemy_wait = ENEMY_PAUSE - s.level
        heading, is_sub, row = 1 - 2 * below(random, 2), chance(random, 1 / 3), 1 + below(random, DEEPEST)
        if not any_oncoming(s, row, heading):
            add(s, SUB if is_sub else FISH, row, 0 if heading > 0 else SIZE - 1, heading)
    if s.diver_wait == 0:
        s.diver_wait = DIVER_PAUSE
        heading, row = 1 - 2 * below(random, 2), 1 + below(random, DEEPEST)
        add(s, DIVER, row, 0 if heading > 0 else SIZE - 1, heading)


def any_oncoming(s, row, heading):
    for kind in (FISH, SUB):
        for i in range(s.count[kind]):
            if s.row[kind, i] == row and s.heading[kind, i] != heading:
                return True
    return False


def rest(s, kind):
    """Steps between two moves."""
    if kind in (BULLET, TORPEDO):
        return 0
    return 5 if kind == DIVER else max(5 - s.level // 2, 2)


def add(s, kind, row, col, heading):
    i = s.count[kind]
    s.row[kind, i], s.col[kind, i], s.heading[kind, i] = row, col, heading
    s.wait[kind, i], s.reload[kind, i] = rest(s, kind), SUB_RELOAD if kind == SUB else 0
    s.count[kind] += 1


def remove(s, kind, i):
    for k in range(i, s.count[kind]):
        for things in (s.row, s.col, s.heading, s.wait, s.reload):
            things[kind, k] = things[kind, k + 1]
    s.count[kind] -= 1


def remove_first_at(s, kind, row, col):
    """Take away the oldest thing of that kind at that place -> whether there was one."""
    for i in range(s.count[kind]):
        if s.row[kind, i] == row and s.col[kind, i] == col:
            remove(s, kind, i)
            return True
    return False


def move(s, kind, i):
    """Rest, or one cell ahead."""
    if s.wait[kind, i] > 0:
        s.wait[kind, i] -= 1
    else:
        s.wait[kind, i] = rest(s, kind)
        s.col[kind, i] += s.heading[kind, i]


def outside(s, kind, i):
    return s.col[kind, i] < 0 or s.col[kind, i] >= SIZE


def at_player(s, kind, i):
    return s.row[kind, i] == s.player_row and s.col[kind, i] == s.player_col


def steer(s, action):
    if action == LEFT:
        s.player_col, s.player_heading = max(s.player_col - 1, 0), -1
    elif action == RIGHT:
        s.player_col, s.player_heading = min(s.player_col + 1, SIZE - 1), 1
    elif action == UP:
        s.player_row = max(s.player_row - 1, SURFACE)
    elif action == DOWN:
        s.player_row = min(s.player_row + 1, DEEPEST)
    elif action == FIRE and s.player_reload == 0:
        add(s, BULLET, s.player_row, s.player_col, s.player_heading)
        s.player_reload = RELOAD


def move_bullets(s):
    """The newest first, as all things move -> how many enemies they hit."""
    hits = 0
    for i in range(s.count[BULLET] - 1, -1, -1):
        move(s, BULLET, i)
        row, col = s.row[BULLET, i], s.col[BULLET, i]
        hit = remove_first_at(s, FISH, row, col) or remove_first_at(s, SUB, row, col)
        hits += hit
        if hit or outside(s, BULLET, i):
            remove(s, BULLET, i)
    return hits


def move_divers(s):
    """Divers climb aboard where they meet the player, before or after they move."""
    for i in range(s.count[DIVER] - 1, -1, -1):
        boards = at_player(s, DIVER, i) and s.divers_aboard < SEATS
        if not boards:
            move(s, DIVER, i)
            boards = at_player(s, DIVER, i) and s.divers_aboard < SEATS
        s.divers_aboard += boards
        if boards or outside(s, DIVER, i):
            remove(s, DIVER, i)


def move_enemies(s, kind):
    """Submarines, torpedoes or fish -> how many ran into bullets, whether one met the player before or after moving."""
    hits, met = 0, False
    for i in range(s.count[kind] - 1, -1, -1):
        met = met or at_player(s, kind, i)
        move(s, kind, i)
        met = met or at_player(s, kind, i)
        hit = kind != TORPEDO and remove_first_at(s, BULLET, s.row[kind, i], s.col[kind, i])
        hits += hit
        if kind == SUB:
            fire_torpedo(s, i)
        if hit or outside(s, kind, i):
            remove(s, kind, i)
    return hits, met


def fire_torpedo(s, i):
    """If it is time; even a submarine that was just hit does."""
    if s.reload[SUB, i] > 0:
        s.reload[SUB, i] -= 1
    else:
        s.reload[SUB, i] = SUB_RELOAD
        add(s, TORPEDO, s.row[SUB, i], s.col[SUB, i], s.heading[SUB, i])


def breathe(s):
    """Use up air in the deep; come up for more, which takes a diver -> bonus, whether the submarine was lost."""
    bonus, lost = 0, s.oxygen <= 0
    if s.player_row > SURFACE:
        s.oxygen -= 1
        s.surfaced = False
    elif not s.surfaced and s.divers_aboard == 0:
        lost = True
    elif not s.surfaced:
        if s.divers_aboard == SEATS:
            bonus = s.oxygen * SIZE // FULL_TANKS
            s.divers_aboard = 0
        s.divers_aboard -= 1
        s.surfaced, s.oxygen = True, FULL_TANKS
        s.level = min(s.level + 1, LAST_LEVEL)
    return bonus, lost


def heuristic(s, random):
    """Come up for air with a diver aboard; fire at what is ahead, turn to what is behind, leave its way if it is near."""
    if s.oxygen < 60 and s.divers_aboard > 0:
        return UP
    for kind in (FISH, SUB, TORPEDO):
        for i in range(s.count[kind]):
            distance = s.col[kind, i] - s.player_col
            if s.row[kind, i] == s.player_row and distance != 0:
                if distance * s.player_heading > 0:
                    return FIRE if s.player_reload == 0 or abs(distance) > 3 else DOWN
                return RIGHT if distance > 0 else LEFT
    for i in range(s.count[DIVER]):
        if s.row[DIVER, i] != s.player_row:
            return DOWN if s.row[DIVER, i] > s.player_row else UP
        return RIGHT if s.col[DIVER, i] > s.player_col else LEFT
    return DOWN if s.player_row < 4 else NOOP


def observe(s, planes):
    planes[s.player_row, s.player_col, SUB_FRONT] = 1
    planes[s.player_row, s.player_col - s.player_heading, SUB_BACK] = 1
    for col in range(max(s.oxygen, 0) * SIZE // FULL_TANKS):
        planes[SIZE - 1, col, OXYGEN_GAUGE] = 1
    for col in range(SIZE - 1 - max(s.divers_aboard, 0), SIZE - 1):
        planes[SIZE - 1, col, DIVER_GAUGE] = 1
    for kind in range(len(KIND_PLANES)):
        for i in range(s.count[kind]):
            planes[s.row[kind, i], s.col[kind, i], KIND_PLANES[kind]] = 1
            behind = s.col[kind, i] - s.heading[kind, i]
            if kind >= FISH and 0 <= behind < SIZE:
                planes[s.row[kind, i], behind, TRAIL] = 1


SKY, SUN, FOAM, SAND, PANEL = (164, 216, 240), (255, 226, 120), (214, 240, 250), (190, 160, 110), (24, 34, 58)
EMPTY, AIR, ALARM, BUBBLE = (46, 62, 96), (90, 214, 240), (240, 84, 70), (150, 200, 232)
BRASS, FLARE, CORAL, MINT = (255, 246, 160), (255, 110, 84), (255, 128, 110), (120, 232, 170)
BLACK, FINS, SKIN = (24, 28, 44), (250, 210, 70), (244, 200, 160)
SUBMARINE = """
    .....hhh....
    .....hhhh...
    p..hhhhhhhh.
    pphwwhwwhhhh
    pphwwhwwhhhh
    p.ddddddddd.
    ...ddddddd..
    """
PLAYER = bitmap(SUBMARINE, h=(255, 214, 56), d=(228, 160, 30), w=(150, 224, 246), p=(120, 110, 90))
ENEMY = bitmap(SUBMARINE, h=(92, 88, 116), d=(62, 58, 84), w=(255, 76, 76), p=(40, 38, 54))


def draw(s, canvas):
    for kind in range(len(KIND_PLANES)):
        for i in range(s.count[kind]):
            draw_thing(canvas, kind, s.row[kind, i], s.col[kind, i], s.heading[kind, i])
    left = min(s.player_col, s.player_col - s.player_heading)
    sprite(canvas, PLAYER, left, s.player_row + 0.1, 2, 0.85, s.player_heading < 0)
    for col in range(SIZE):  # waves, in front of it
        ellipse(canvas, col, 0.85, 1, 0.25, FOAM)
    draw_gauges(s, canvas)


def backdrop(canvas):
    rect(canvas, 0, 0, SIZE, 1, SKY)
    ellipse(canvas, 8.4, 0.1, 0.7, 0.7, SUN)
    for row in range(1, SIZE - 1):
        rect(canvas, 0, row, SIZE, 1, (48 - 5 * row, 150 - 13 * row, 206 - 14 * row))
    rect(canvas, 0, SIZE - 1.1, SIZE, 0.2, SAND)
    rect(canvas, 0, SIZE - 0.9, SIZE, 0.9, PANEL)


def draw_thing(canvas, kind, row, col, heading):
    x, y = col + 0.5, row + 0.5
    nose, tail = x + 0.25 * heading, x - 0.4 * heading
    if kind >= FISH:  # a bubble behind it
        ellipse(canvas, x - 0.9 * heading - 0.1, y - 0.1, 0.2, 0.2, BUBBLE)
    if kind == SUB:
        sprite(canvas, ENEMY, x - 0.5, y - 0.35, 1, 0.7, heading < 0)
    elif kind == FISH:
        color = CORAL if row % 2 == 0 else MINT
        triangle(canvas, x + 0.1 * heading, y, tail, y - 0.35, tail, y + 0.35, color)
        ellipse(canvas, x + 0.13 * heading - 0.33, y - 0.25, 0.66, 0.5, color)
        rect(canvas, nose - 0.07, y - 0.14, 0.15, 0.15, BLACK)
    elif kind == DIVER:
        triangle(canvas, x, y, tail, y - 0.2, tail, y + 0.3, FINS)
        ellipse(canvas, x - 0.3, y - 0.15, 0.6, 0.35, BLACK)
        ellipse(canvas, nose - 0.2, y - 0.3, 0.4, 0.4, SKIN)
        rect(canvas, nose + 0.1 * heading - 0.1, y - 0.2, 0.2, 0.13, BLACK)
    else:
        rect(canvas, x - 0.3, y - 0.05, 0.6, 0.15, BRASS if kind == BULLET else FLARE)


def draw_gauges(s, canvas):
    rect(canvas, 0.4, 9.35, 4.8, 0.4, EMPTY)
    rect(canvas, 0.4, 9.35, 4.8 * max(s.oxygen, 0) / FULL_TANKS, 0.4, AIR if s.oxygen > 50 else ALARM)
    for seat in range(SEATS):
        x, taken = 5.8 + 0.65 * seat, seat < s.divers_aboard
        ellipse(canvas, x, 9.3, 0.5, 0.5, SKIN if taken else EMPTY)
        rect(canvas, x + 0.06, 9.42, 0.38, 0.14, BLACK if taken else EMPTY)


GAME = Game(
    name="Seaquest",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    heuristic=heuristic,
    draw=draw,
    backdrop=backdrop,
    shape=(SIZE, SIZE),
    planes=("sub_front", "sub_back", "friendly_bullet", "trail", "enemy_bullet", "enemy_fish", "enemy_sub",
            "oxygen_gauge", "diver_gauge", "diver"),
    actions=("noop", "left", "up", "right", "down", "fire"),
    keys={
        "left": "left", "up": "up", "right": "right", "down": "down", "space": "fire",
        "a": "left", "w": "up", "d": "right", "s": "down",
    },
)  # fmt: skip
