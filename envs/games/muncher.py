"""Muncher: eat every pellet of the maze, keep away from the ghosts, and chase them after a power pellet.

Description
    A muncher runs through a maze of 19 by 21 cells, one cell a step; a tunnel joins the left and the right side. Four
    ghosts hunt it, which rest in every eighth step (on later levels every 12th, 16th, 24th). A ghost never turns round by
    itself; where ways part it takes the one whose next cell is closest to its target, as the crow flies (up before left
    before down before right). The chaser aims at the muncher, the ambusher four cells ahead of it, the fickle one at the
    muncher while that is more than 8 cells away and else at its own corner; the wanderer goes any way. For the first 50
    steps, and for 50, 40 and 40 after each 150 steps of hunting, all aim at their own corners instead. A power pellet
    scares the ghosts for 40 steps (on later levels 32, 24, 16), for which that clock stands still: they move every other
    step and anywhere, and can be eaten. Eyes are left, which go home and become a ghost again. Ghosts turn round once
    when they are scared, and when they begin to hunt or to go to their corners.

Actions
    0 noop, 1 up, 2 left, 3 down, 4 right. The muncher goes on as before if there is no way, or for noop.

Observation
    Planes, 21 x 19: `food`, all pellets; `power`, the power pellets; `muncher`; `way`, the cells that it can go to;
    `chaser`, `ambusher`, `fickle`, `wanderer`, while not scared, or not for much longer (8 steps); `scared`; `trail`, the
    cell behind the muncher and behind each ghost, so that directions can be seen. Eyes are in no plane, and the walls,
    always the same, neither.

Start
    The muncher under the ghosts' house, facing left, and the chaser in front of it. The others leave the house 8, 24 and
    40 steps later. When the maze is empty, the next level starts in the same way.

Reward
    +1 for a pellet, +5 for a power pellet, and +20, +40, +80, +160 for the ghosts eaten after one power pellet.

Termination
    A ghost that is not scared catches the muncher.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    The maze games of 1980 and later. The ghosts' habits, but for the wanderer's, and the proportions of the rewards are
    those of the first one; the maze and the other numbers are this project's.

Version history
    1: first release.
"""

import numpy as np

from ..canvas import ellipse, fill, rect, triangle
from ..game import Game, state
from ..rng import below

MAZE = """
    ###################
    #...#.........#...#
    #.#.#.###.###.#.#.#
    #o#.....#.#.....#o#
    #.###.#.#.#.#.###.#
    #.....#.....#.....#
    #.#.#####.#####.#.#
    #.#.............#.#
    #.###.###-###.###.#
    ......##---##......
    ###.#.#######.#.###
    #...#.........#...#
    #.#####.###.#####.#
    #.....#.....#.....#
    #.#.#.###.###.#.#.#
    #o#.#.... ....#.#o#
    #.#.###.###.###.#.#
    #.#.....###.....#.#
    #.###.#.###.#.###.#
    #.....#.....#.....#
    ###################
"""
CELLS = np.array([list(line.strip()) for line in MAZE.strip().splitlines()])
ROWS, COLS = CELLS.shape
WALLS, OPEN = (CELLS == "#").astype(np.int8), (CELLS != "#") & (CELLS != "-")
WORTH = (CELLS == ".") + 5 * (CELLS == "o").astype(np.int8)
POWER_ROWS, POWER_COLS, POWERS = (3, 3, 15, 15), (1, 17, 1, 17), 4

UP, LEFT, DOWN, RIGHT = range(4)
DOWNWARDS, RIGHTWARDS = np.array([-1, 0, 1, 0]), np.array([0, -1, 0, 1])  # what a step in each direction adds
START_ROW, GATE_ROW, HOME_ROW, MIDDLE = 15, 7, 9, 9
FULL = (WORTH > 0).astype(np.int8)
FOOD_AT_FIRST = int(FULL.sum())
BESIDE = (np.arange(COLS) + RIGHTWARDS[:, None]) % COLS  # (4, COLS): the column after a step
CHASER, AMBUSHER, FICKLE, WANDERER = range(4)
GHOSTS, WAITS = 4, (0, 8, 24, 40)
HOME_COLS = (9, 9, 8, 10)
CORNER_ROWS, CORNER_COLS = (0, 0, ROWS - 1, ROWS - 1), (COLS - 2, 1, 1, COLS - 2)
AMBUSH, SHY = 4, 8
WAITING, LEAVING, OUT, EYES = range(4)
LEVELS = 4  # from the last one on, all are alike
RESTS, SCARES, FADING = (8, 12, 16, 24), (40, 32, 24, 16), 8
PHASES = (50, 150, 50, 150, 40, 150, 40)  # to the corners, hunt, and so on; the last hunt has no end
GHOST_REWARD = (20.0, 40.0, 80.0, 160.0)
FAR = 60  # more steps than any way in the maze has, and twice as much fits the table


def _ways():
    """Which directions are open in each cell, one bit each; and how many steps lead from each cell to each other."""
    exits, steps = np.zeros((ROWS, COLS), np.int8), np.full((ROWS * COLS, ROWS * COLS), FAR, np.int8)
    for row, col in np.argwhere(OPEN):
        steps[row * COLS + col, row * COLS + col] = 0
        for way in range(4):
            to_row, to_col = row + DOWNWARDS[way], (col + RIGHTWARDS[way]) % COLS
            if OPEN[to_row, to_col]:
                exits[row, col] |= 1 << way
                steps[row * COLS + col, to_row * COLS + to_col] = 1
    for via in np.flatnonzero(OPEN):  # Floyd & Warshall
        steps = np.minimum(steps, steps[:, via, None] + steps[via])
    return exits, steps


EXITS, STEPS = _ways()
WAYS = np.array([bits.bit_count() for bits in range(16)])
FIRST_WAY = np.array([max((bits & -bits).bit_length() - 1, 0) for bits in range(16)])

State = state(
    row="i1",
    col="i1",
    heading="i1",
    level="i1",
    rest="i1",  # steps until the ghosts rest
    blink="i1",  # 0, 1, 0, 1: scared ghosts move on 1
    phase="i1",
    phase_left="i2",  # steps until the next phase
    scare="i1",  # steps for which ghosts are still scared
    eaten="i1",  # ghosts since the last power pellet
    food_left="i2",
    mode="(4,)i1",  # of each ghost: waiting, leaving its home, out, or only eyes
    wait="(4,)i1",
    scared="(4,)i1",
    turn="(4,)i1",  # 1: turns round in its next step
    ghost_row="(4,)i1",
    ghost_col="(4,)i1",
    ghost_heading="(4,)i1",
    food="(21,19)i1",  # 1 where there still is some
)


def reset(s, random):
    for row in range(ROWS):
        for col in range(COLS):
            s.food[row, col] = FULL[row, col]
    s.food_left = FOOD_AT_FIRST
    s.row, s.col, s.heading = START_ROW, MIDDLE, LEFT
    s.rest, s.blink, s.phase, s.phase_left, s.scare = RESTS[s.level], 0, 0, PHASES[0], 0
    for g in range(GHOSTS):
        s.ghost_row[g], s.ghost_col[g], s.ghost_heading[g] = HOME_ROW, HOME_COLS[g], LEFT
        s.mode[g], s.wait[g], s.scared[g], s.turn[g] = WAITING, WAITS[g], 0, 0
    s.mode[CHASER], s.ghost_row[CHASER] = OUT, GATE_ROW


def step(s, action, random):
    keep_time(s)
    run(s, action)
    reward = eat(s)
    gain, caught = meet(s)
    if not caught:
        for g in range(GHOSTS):
            move_ghost(s, g, random)
        more, caught = meet(s)
        gain += more
    if s.food_left == 0 and not caught:
        s.level = min(s.level + 1, LEVELS - 1)
        reset(s, random)
    return reward + gain, caught


def keep_time(s):
    s.blink = 1 - s.blink
    s.rest = s.rest - 1 if s.rest > 0 else RESTS[s.level] - 1
    if s.scare > 0:
        s.scare -= 1
        if s.scare == 0:
            for g in range(GHOSTS):
                s.scared[g] = 0
    elif s.phase < len(PHASES):
        s.phase_left -= 1
        if s.phase_left == 0:
            s.phase += 1
            s.phase_left = PHASES[s.phase] if s.phase < len(PHASES) else 0
            turn_ghosts(s)


def turn_ghosts(s):
    for g in range(GHOSTS):
        s.turn[g] = s.mode[g] == OUT


def run(s, action):
    exits = EXITS[s.row, s.col]
    if action > 0 and exits >> (action - 1) & 1:
        s.heading = action - 1
    if exits >> s.heading & 1:
        s.row += DOWNWARDS[s.heading]
        s.col = beside(s.col, s.heading)


def beside(col, way):
    """The column after a step, also through the tunnel."""
    return BESIDE[way, col]


def eat(s):
    if s.food[s.row, s.col] == 0:
        return 0.0
    s.food[s.row, s.col] = 0
    s.food_left -= 1
    if WORTH[s.row, s.col] > 1:
        s.scare, s.eaten = SCARES[s.level], 0
        turn_ghosts(s)
        for g in range(GHOSTS):
            s.scared[g] = s.mode[g] != EYES
    return float(WORTH[s.row, s.col])


def meet(s):
    """What happens with the ghosts in the muncher's cell: the reward, and whether one of them caught it."""
    gain, caught = 0.0, False
    for g in range(GHOSTS):
        if s.ghost_row[g] == s.row and s.ghost_col[g] == s.col and s.mode[g] != EYES:
            if s.scared[g] == 1:
                gain += GHOST_REWARD[s.eaten]
                s.eaten += 1
                s.mode[g], s.scared[g], s.turn[g] = EYES, 0, 0
            else:
                caught = True
    return gain, caught


def move_ghost(s, g, random):
    mode, row, col = s.mode[g], s.ghost_row[g], s.ghost_col[g]
    if mode == WAITING:
        s.wait[g] -= 1
        s.mode[g] = LEAVING if s.wait[g] == 0 else WAITING
        return
    if mode == LEAVING:
        heading = UP if col == MIDDLE else (RIGHT if col < MIDDLE else LEFT)
    elif mode == EYES and col == MIDDLE and GATE_ROW <= row < HOME_ROW:
        heading = DOWN  # through the door
    elif mode == OUT and (s.blink == 0 if s.scared[g] == 1 else s.rest == 0):
        return
    else:
        heading = choose(s, g, row, col, random)
    row, col = row + DOWNWARDS[heading], beside(col, heading)
    if mode == EYES and row == HOME_ROW and col == MIDDLE:
        s.mode[g] = LEAVING
    elif mode == LEAVING and row == GATE_ROW:
        s.mode[g], heading = OUT, LEFT
    s.ghost_row[g], s.ghost_col[g], s.ghost_heading[g] = row, col, heading


def choose(s, g, row, col, random):
    """Where a ghost goes: the only way, any way, or the one that brings it closest to its target."""
    back = (s.ghost_heading[g] + 2) % 4
    if s.turn[g] == 1:
        s.turn[g] = 0
        return back
    ways = EXITS[row, col] & (15 - (1 << back))
    if WAYS[ways] == 1:
        return FIRST_WAY[ways]
    if s.scared[g] == 1 or (g == WANDERER and s.phase % 2 == 1 and s.mode[g] == OUT):
        for _ in range(below(random, WAYS[ways])):
            ways &= ways - 1  # without its first one
        return FIRST_WAY[ways]
    best, shortest = 0, ROWS * ROWS + COLS * COLS + 1000
    to_row, to_col = target(s, g)
    for way in range(4):
        down, right = row + DOWNWARDS[way] - to_row, col + RIGHTWARDS[way] - to_col
        if ways >> way & 1 and down * down + right * right < shortest:
            best, shortest = way, down * down + right * right
    return best


def target(s, g):
    if s.mode[g] == EYES:
        return GATE_ROW, MIDDLE
    down, right = s.ghost_row[g] - s.row, s.ghost_col[g] - s.col
    if s.phase % 2 == 0 or (g == FICKLE and down * down + right * right <= SHY * SHY):
        return CORNER_ROWS[g], CORNER_COLS[g]
    ahead = AMBUSH if g == AMBUSHER else 0
    return s.row + ahead * DOWNWARDS[s.heading], s.col + ahead * RIGHTWARDS[s.heading]


def heuristic(s, random):
    """Run to the closest food, or a scared ghost that is near; turn away from hunters four steps away or less."""
    best, most = 0, -10.0 * FAR
    for way in range(4):
        if EXITS[s.row, s.col] >> way & 1:
            value = promise(s, (s.row + DOWNWARDS[way]) * COLS + beside(s.col, way))
            if value > most:
                best, most = way + 1, value
    return best


def promise(s, cell):
    value, danger = -1.0 * FAR, 0.0
    for place in range(ROWS * COLS):
        if s.food[place // COLS, place % COLS] == 1:
            value = max(value, -1.0 * STEPS[cell, place])
    for g in range(GHOSTS):
        way = STEPS[cell, s.ghost_row[g] * COLS + s.ghost_col[g]]
        if s.scared[g] == 1 and 2 * way < s.scare:
            value = max(value, 10.0 - way)
        elif s.mode[g] == OUT and s.scared[g] == 0:
            danger += max(5.0 - way, 0.0)
    return value - 50.0 * danger


FOOD, POWER, MUNCHER, WAY, FIRST_GHOST = range(5)
SCARED, TRAIL = FIRST_GHOST + GHOSTS, FIRST_GHOST + GHOSTS + 1


def observe(s, planes):
    for row in range(1, ROWS, 2):  # ways across lie in odd rows, ways down in odd columns; all else is wall
        for col in range(COLS):
            planes[row, col, FOOD] = s.food[row, col]
        for col in range(1, COLS, 2):
            planes[row + 1, col, FOOD] = s.food[row + 1, col]
    for k in range(POWERS):
        planes[POWER_ROWS[k], POWER_COLS[k], POWER] = s.food[POWER_ROWS[k], POWER_COLS[k]]
    planes[s.row, s.col, MUNCHER] = 1
    for way in range(4):
        planes[s.row + DOWNWARDS[way], beside(s.col, way), WAY] = EXITS[s.row, s.col] >> way & 1
    planes[s.row - DOWNWARDS[s.heading], beside(s.col, s.heading ^ 2), TRAIL] = 1
    for g in range(GHOSTS):
        if s.mode[g] != EYES:
            row, col, heading = s.ghost_row[g], s.ghost_col[g], s.ghost_heading[g]
            planes[row - DOWNWARDS[heading], beside(col, heading ^ 2), TRAIL] = 1
            if s.scared[g] == 1:
                planes[row, col, SCARED] = 1
            if s.scared[g] == 0 or s.scare <= FADING:
                planes[row, col, FIRST_GHOST + g] = 1


FLOOR, BLOCK, BLOCK_LIGHT, BLOCK_SHADE, DOOR = (20, 22, 30), (38, 96, 94), (84, 152, 138), (24, 64, 68), (214, 170, 110)
PELLET_COLOR, POWER_COLOR, POWER_GLOW = (232, 212, 172), (255, 232, 180), (104, 92, 72)
BODY, BODY_SHADE, PUPIL, WHITE = (164, 222, 92), (112, 176, 64), (30, 32, 48), (248, 248, 255)
COLORS = ((220, 76, 88), (176, 124, 236), (238, 174, 76), (98, 178, 236), (92, 104, 140), (216, 222, 238))
SCARED_COLOR, FADING_COLOR = 4, 5


def backdrop(canvas):
    fill(canvas, FLOOR)
    for row in range(ROWS):
        for col in range(COLS):
            if WALLS[row, col] == 1:
                rect(canvas, col, row, 1, 1, BLOCK)
                if row < ROWS - 1 and WALLS[row + 1, col] == 0:
                    rect(canvas, col, row + 0.72, 1, 0.28, BLOCK_SHADE)
                if row > 0 and WALLS[row - 1, col] == 0:
                    rect(canvas, col, row, 1, 0.14, BLOCK_LIGHT)
    rect(canvas, MIDDLE, GATE_ROW + 1.35, 1, 0.3, DOOR)


def draw(s, canvas):
    for row in range(ROWS):
        for col in range(COLS):
            if s.food[row, col] == 1:
                ellipse(canvas, col + 0.38, row + 0.38, 0.24, 0.24, PELLET_COLOR)
    for k in range(POWERS):
        row, col = POWER_ROWS[k], POWER_COLS[k]
        if s.food[row, col] == 1:
            ellipse(canvas, col + 0.05, row + 0.05, 0.9, 0.9, POWER_GLOW if s.blink == 1 else FLOOR)
            ellipse(canvas, col + 0.22, row + 0.22, 0.56, 0.56, POWER_COLOR)
    draw_muncher(s, canvas)
    for g in range(GHOSTS):
        draw_ghost(s, canvas, g, s.ghost_col[g], s.ghost_row[g], s.ghost_heading[g])


def draw_muncher(s, canvas):
    x, y, right, down = s.col + 0.5, s.row + 0.5, RIGHTWARDS[s.heading], DOWNWARDS[s.heading]
    ellipse(canvas, x - 0.44, y - 0.44, 0.88, 0.88, BODY_SHADE)
    ellipse(canvas, x - 0.44, y - 0.44, 0.86, 0.8, BODY)
    wide = 0.36 if s.blink == 0 else 0.1
    far_x, far_y = x + 0.5 * right, y + 0.5 * down
    triangle(canvas, x - 0.1 * right, y - 0.1 * down, far_x + wide * down, far_y + wide * right, far_x - wide * down,
             far_y - wide * right, FLOOR)  # fmt: skip
    ellipse(canvas, x - 0.2 * abs(down) - 0.08, y - 0.24 * abs(right) - 0.08, 0.16, 0.16, PUPIL)


def draw_ghost(s, canvas, g, x, y, heading):
    color = COLORS[g]
    if s.scared[g] == 1:
        color = COLORS[FADING_COLOR if s.scare <= FADING and s.blink == 1 else SCARED_COLOR]
    if s.mode[g] != EYES:
        ellipse(canvas, x + 0.08, y + 0.06, 0.84, 0.84, color)
        rect(canvas, x + 0.08, y + 0.46, 0.84, 0.34, color)
        for foot in range(3):
            ellipse(canvas, x + 0.08 + 0.28 * foot, y + 0.66, 0.28, 0.28, color)
    look_x, look_y = 0.06 * RIGHTWARDS[heading], 0.06 * DOWNWARDS[heading]
    for eye in range(2):
        left, top = x + 0.2 + 0.34 * eye + look_x, y + 0.26 + look_y
        ellipse(canvas, left, top, 0.26, 0.3, WHITE)
        ellipse(canvas, left + 0.06 + look_x, top + 0.08 + look_y, 0.14, 0.16, PUPIL)


GAME = Game(
    name="Muncher",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    shape=(ROWS, COLS),
    planes=("food", "power", "muncher", "way", "chaser", "ambusher", "fickle", "wanderer", "scared", "trail"),
    actions=("noop", "up", "left", "down", "right"),
    keys={
        **{way: way for way in ("up", "left", "down", "right")},
        **{"w": "up", "a": "left", "s": "down", "d": "right"},
    },
    fps=8,
)
