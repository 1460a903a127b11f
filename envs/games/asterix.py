"""Asterix: grab the treasures that cross your path and dodge the soldiers.

Description
    A Gaul runs about on a field of ten by ten cells, in the eight rows between its top and bottom edge. Soldiers and
    treasures come in from both sides, at most one to a row, and cross it from edge to edge. They come in and move ever
    faster: every 102 steps the time between two arrivals gets a step shorter, from 10 steps down to 1, and every other
    time so does the time between two moves, from 5 steps down to 1.

Actions
    0 noop, 1 left, 2 up, 3 right, 4 down. `full_action_space` has MinAtar's six, with 5 fire, which does nothing.

Observation
    Planes, 10 x 10: `player`; `enemy`, the soldiers; `trail`, the cell behind each soldier and treasure, so that their
    direction can be seen; `gold`, the treasures.

Start
    The player in the middle of an empty field.

Reward
    +1 for each treasure touched. One arrival in three is a treasure.

Termination
    The player and a soldier meet.

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

from ..canvas import bitmap, ellipse, fill, rect, sprite
from ..game import Game, state
from ..rng import below, chance

SIZE = 10
ROWS = SIZE - 2  # between the edges; the thing in row r, if there is one, has index r - 1
NOOP, LEFT, UP, RIGHT, DOWN = range(5)
NOTHING, SOLDIER, TREASURE = 0, 1, 2
PLAYER, ENEMY, TRAIL, GOLD = range(4)
ARRIVAL_PAUSE, MOVE_PAUSE = 10, 5  # steps, at first
LEVEL_STEPS = 100

State = state(
    row="i1",  # the player's
    col="i1",
    thing="(8,)i1",  # what is in each row: nothing, a soldier or a treasure
    thing_col="(8,)i1",
    heading="(8,)i1",  # +1 to the right, -1 to the left; 0 where there is nothing
    arrival_pause="i1",  # steps between two arrivals ...
    arrival_wait="i1",  # ... and until the next
    move_pause="i1",
    move_wait="i1",
    level="i1",  # how often it got faster
    level_wait="i1",
)


def reset(s, random):
    s.row, s.col = SIZE // 2, SIZE // 2
    s.arrival_pause = s.arrival_wait = ARRIVAL_PAUSE
    s.move_pause = s.move_wait = MOVE_PAUSE
    s.level_wait = LEVEL_STEPS


def step(s, action, random):
    if s.arrival_wait == 0:
        s.arrival_wait = s.arrival_pause
        arrive(s, random)
    move_player(s, action)
    reward, terminated = meet(s)
    if s.move_wait == 0:
        s.move_wait = s.move_pause
        move_things(s)
        more, caught = meet(s)
        reward, terminated = reward + more, terminated or caught
    s.arrival_wait -= 1
    s.move_wait -= 1
    get_faster(s)
    return reward, terminated


def arrive(s, random):
    """Something comes in, in one of the rows where nothing is."""
    from_left, is_treasure = chance(random, 1 / 2), chance(random, 1 / 3)
    free = 0
    for i in range(ROWS):
        free += s.thing[i] == NOTHING
    if free == 0:
        return
    nth = below(random, free)
    for i in range(ROWS):
        if s.thing[i] == NOTHING:
            if nth == 0:
                s.thing[i] = TREASURE if is_treasure else SOLDIER
                s.thing_col[i] = 0 if from_left else SIZE - 1
                s.heading[i] = 1 if from_left else -1
            nth -= 1


def move_player(s, action):
    if action == LEFT:
        s.col = max(s.col - 1, 0)
    elif action == RIGHT:
        s.col = min(s.col + 1, SIZE - 1)
    elif action == UP:
        s.row = max(s.row - 1, 1)
    elif action == DOWN:
        s.row = min(s.row + 1, ROWS)


def meet(s):
    """What comes of being where the thing in the player's row is -> reward, terminated."""
    i = s.row - 1
    if s.thing[i] == NOTHING or s.thing_col[i] != s.col:
        return 0.0, False
    if s.thing[i] == SOLDIER:
        return 0.0, True
    remove(s, i)
    return 1.0, False


def move_things(s):
    for i in range(ROWS):
        s.thing_col[i] += s.heading[i]
        if s.thing_col[i] < 0 or s.thing_col[i] >= SIZE:
            remove(s, i)


def remove(s, i):
    s.thing[i], s.thing_col[i], s.heading[i] = NOTHING, 0, 0


def get_faster(s):
    if s.arrival_pause == 1 and s.move_pause == 1:
        return
    if s.level_wait >= 0:
        s.level_wait -= 1
        return
    if s.level % 2 == 1:
        s.move_pause = max(s.move_pause - 1, 1)
    s.arrival_pause = max(s.arrival_pause - 1, 1)
    s.level += 1
    s.level_wait = LEVEL_STEPS


def heuristic(s, random):
    """Of all moves that no soldier is about to meet, the one that comes nearest to a treasure."""
    best, nearest = NOOP, 1000
    for action in range(DOWN + 1):
        row = s.row - (action == UP and s.row > 1) + (action == DOWN and s.row < ROWS)
        col = s.col - (action == LEFT and s.col > 0) + (action == RIGHT and s.col < SIZE - 1)
        distance = (0 if safe(s, row, col) else 100) + distance_to_treasure(s, row, col)
        if distance < nearest:
            best, nearest = action, distance
    return best


def safe(s, row, col):
    """Whether no soldier is there, or one cell before it."""
    i = row - 1
    return s.thing[i] != SOLDIER or not 0 <= (col - s.thing_col[i]) * s.heading[i] <= 1


def distance_to_treasure(s, row, col):
    """Steps to the nearest treasure, or to the middle if there is none."""
    nearest = 50
    for i in range(ROWS):
        if s.thing[i] == TREASURE:
            nearest = min(nearest, abs(i + 1 - row) + abs(s.thing_col[i] - col))
    return nearest if nearest < 50 else 20 + abs(row - SIZE // 2) + abs(col - SIZE // 2)


def observe(s, planes):
    planes[s.row, s.col, PLAYER] = 1
    for i in range(ROWS):
        if s.thing[i] != NOTHING:
            planes[i + 1, s.thing_col[i], GOLD if s.thing[i] == TREASURE else ENEMY] = 1
            behind = s.thing_col[i] - s.heading[i]
            if 0 <= behind < SIZE:
                planes[i + 1, behind, TRAIL] = 1


MEADOW, MOWN, FOREST, CROWN, TRUNK, PALISADE, GAP = (
    (126, 178, 88), (118, 168, 82), (30, 70, 44), (52, 110, 62), (72, 52, 36), (150, 108, 66), (96, 66, 40),
)  # fmt: skip
DUST = (190, 186, 132)
IRON, SKIN, BLOND, RED, WOOD, BRASS = (
    (170, 178, 190), (244, 200, 160), (246, 196, 60), (206, 48, 48), (136, 82, 40), (250, 208, 72),
)  # fmt: skip
HERO = bitmap(
    """
    w..hhhh..w
    wwhhhhhhww
    .whhhhhhw.
    ..hsssshh.
    ..sksskss.
    .yyyssyyy.
    .y.yyyy.y.
    .kkkkkkkk.
    skkkggkkks
    ..rrrrrr..
    ..rr..rr..
    .bbb..bbb.
    """,
    w=(250, 250, 250), h=IRON, s=SKIN, k=(36, 36, 46), y=BLOND, g=BRASS, r=RED, b=(92, 58, 34),
)  # fmt: skip
LEGIONARY = bitmap(
    """
    ..rrrrr...
    .rrrrrrr..
    .hhhhhhh..
    .hhhsks...
    .hhhsss...
    ..hsss.rr.
    .tttttrryr
    sttttsryyr
    .tttttryyr
    .tgtgtrryr
    .s..s..rr.
    .bb.bb....
    """,
    r=RED, h=IRON, s=SKIN, k=(36, 36, 46), t=(150, 32, 44), y=BRASS, g=BRASS, b=(92, 58, 34),
)  # fmt: skip
CHEST = bitmap(
    """
    ..........
    ..........
    ....yY....
    ..yYyyyy..
    .yyyyYyyY.
    yYyyyyyyyy
    wwwwwwwwww
    wdddyydddw
    wdddyydddw
    wddddddddw
    wwwwwwwwww
    ..........
    """,
    w=WOOD, d=(100, 58, 28), y=BRASS, Y=(255, 238, 150),
)  # fmt: skip


def draw(s, canvas):
    for i in range(ROWS):
        if s.thing[i] != NOTHING:
            to_left, x, y = s.heading[i] < 0, s.thing_col[i], i + 1
            dust = x + (1.15 if to_left else -0.45)
            rect(canvas, dust, y + 0.7, 0.3, 0.2, DUST)
            if s.thing[i] == TREASURE:
                sprite(canvas, CHEST, x + 0.05, y + 0.1, 0.9, 0.9, to_left)
            else:
                sprite(canvas, LEGIONARY, x + 0.05, y, 0.9, 1, to_left)
    sprite(canvas, HERO, s.col, s.row - 0.05, 1, 1.05)


def backdrop(canvas):
    """A meadow between a forest and the village's palisade."""
    fill(canvas, MEADOW)
    for row in range(2, ROWS + 1, 2):
        rect(canvas, 0, row, SIZE, 1, MOWN)
    rect(canvas, 0, 0, SIZE, 0.6, FOREST)
    rect(canvas, 0, SIZE - 0.8, SIZE, 0.8, PALISADE)
    rect(canvas, 0, SIZE - 0.5, SIZE, 0.15, GAP)
    for col in range(SIZE):
        rect(canvas, col + 0.4, 0.6, 0.2, 0.4, TRUNK)
        ellipse(canvas, col + 0.05, 0, 0.9, 0.85, CROWN)
        rect(canvas, col - 0.1, SIZE - 0.8, 0.2, 0.8, GAP)


GAME = Game(
    name="Asterix",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    heuristic=heuristic,
    draw=draw,
    backdrop=backdrop,
    shape=(SIZE, SIZE),
    planes=("player", "enemy", "trail", "gold"),
    actions=("noop", "left", "up", "right", "down", "fire"),
    minimal_actions=("noop", "left", "up", "right", "down"),
    keys={
        "left": "left", "up": "up", "right": "right", "down": "down",
        "a": "left", "w": "up", "d": "right", "s": "down",
    },
)  # fmt: skip
