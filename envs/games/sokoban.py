"""Sokoban: push every crate onto a target; you can push one at a time, and never pull.

Description
    A storehouse of 10 x 10 cells holds four crates and four targets. The keeper walks one cell a step; walking into a
    crate pushes it one cell on, if the cell behind it is free. Each level is made anew and can be solved.

Actions
    0 stay, 1 up, 2 right, 3 down, 4 left. Walking into a wall, or into a crate that is stuck, only turns the keeper.

Observation
    Planes, 10 x 10: `wall`, `target`, `crate`, `keeper`. A crate on a target is in both planes.

Start
    A walker at random carves rooms out of the rock; four targets with crates on them and the keeper are put anywhere on
    the floor; then the game is played backwards from that solved position, pulling crates along at random, until every
    crate has left the targets. The way back is a solution.

Reward
    -0.1 each step, +1 for a crate pushed onto a target, -1 for one pushed off, +10 when all four are on targets.

Termination
    All crates are on targets.

Truncation
    None, unless `max_episode_steps` is given; 120 is usual. Crates can get stuck for good.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    Hiroyuki Imabayashi's "Sokoban" (Thinking Rabbit, 1982), with size, rewards and the idea of playing backwards from
    Schrader 2018, the package `gym-sokoban`, after Racaniere et al. 2017, "Imagination-augmented agents for deep
    reinforcement learning". The generator is this project's.

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, line, rect
from ..game import Game, state
from ..rng import below, chance

SIZE, CRATES = 10, 4
CELLS = SIZE * SIZE
STAY, UP, RIGHT, DOWN, LEFT = range(5)
AHEAD = (0, -SIZE, 1, SIZE, -1)  # what each action adds to the number of a cell, which is 10 * row + column
WALL, TARGET, CRATE, SEEN = 1, 2, 4, 8  # what a cell holds, added up; SEEN only during a search
CARVING_STEPS, WIDE_STEP, CARVING_TURN = 50, 0.25, 0.35
LEAST_FLOOR = 24
PULLS, MOST_PULLS, PULL_ON = 15, 40, 0.6
STEP_REWARD, CRATE_REWARD, SOLVED_REWARD = -0.1, 1.0, 10.0

State = state(
    keeper="i1",  # the cell he is in
    facing="i1",  # the last direction the keeper turned to
    off_target="i1",  # crates that are not on a target
    cells="(100,)i1",
    reach="(64,)i1",  # the cells that the keeper can walk to, used while a level is made
)


def reset(s, random):
    made = False
    while not made:
        if carve(s, random) >= LEAST_FLOOR:
            set_solved_position(s, random)
            made = play_backwards(s, random)
    s.facing = DOWN


def carve(s, random):
    """Fill the storehouse with rock and let a walker open cells, now and then four at once; returns how many."""
    for cell in range(CELLS):
        s.cells[cell] = WALL
    row, col, direction, opened = 1 + below(random, SIZE - 2), 1 + below(random, SIZE - 2), UP, 0
    for _ in range(CARVING_STEPS):
        wide = 2 if chance(random, WIDE_STEP) else 1
        for k in range(wide * wide):
            cell = SIZE * kept_inside(row + k // wide) + kept_inside(col + k % wide)
            opened += s.cells[cell]
            s.cells[cell] = 0
        if chance(random, CARVING_TURN):
            direction = 1 + below(random, 4)
        row = kept_inside(row + (direction == DOWN) - (direction == UP))
        col = kept_inside(col + (direction == RIGHT) - (direction == LEFT))
    return opened


def kept_inside(k):
    if k < 1:
        return 1
    return k if k < SIZE - 1 else SIZE - 2


def set_solved_position(s, random):
    """Put four targets with crates on them, then the keeper, on free floor."""
    placed = 0
    while placed <= CRATES:
        cell = below(random, CELLS)
        if s.cells[cell] == 0:
            s.keeper = cell
            s.cells[cell] = TARGET + CRATE if placed < CRATES else 0
            placed += 1
    s.off_target = 0


def play_backwards(s, random):
    """Pull crates at random until none is on a target; returns whether that came about."""
    for k in range(MOST_PULLS):
        if k >= PULLS and s.off_target == CRATES:
            return True
        direction = walk_to_crate(s, random)
        if direction == STAY:
            return False
        pulling = True
        while pulling:
            move_crate(s, s.keeper - AHEAD[direction], s.keeper)
            s.keeper += AHEAD[direction]
            pulling = can_pull(s, s.keeper, direction) and chance(random, PULL_ON)
    return False


def walk_to_crate(s, random):
    """Go anywhere within reach where a crate can be pulled; returns in which direction, STAY if there is no such place."""
    places = list_reachable(s)
    first, turn = below(random, places), below(random, 4)
    for k in range(places):
        place = s.reach[first + k if first + k < places else first + k - places]
        for way in range(4):
            direction = 1 + (turn + way) % 4
            if can_pull(s, place, direction):
                s.keeper = place
                return direction
    return STAY


def list_reachable(s):
    """Write the cells that the keeper can walk to into `reach`, nearest first; returns how many there are."""
    found, done = 1, 0
    s.reach[0] = s.keeper
    s.cells[s.keeper] += SEEN
    while done < found:
        for direction in range(UP, LEFT + 1):
            cell = s.reach[done] + AHEAD[direction]
            if s.cells[cell] & (WALL + CRATE + SEEN) == 0:
                s.reach[found] = cell
                s.cells[cell] += SEEN
                found += 1
        done += 1
    for k in range(found):
        s.cells[s.reach[k]] -= SEEN
    return found


def can_pull(s, place, direction):
    """Whether somebody there has a crate behind and can walk on with it."""
    return holds_crate(s, place - AHEAD[direction]) and is_free(s, place + AHEAD[direction])


def is_free(s, cell):
    return s.cells[cell] & (WALL + CRATE) == 0


def holds_crate(s, cell):
    return s.cells[cell] & CRATE != 0


def move_crate(s, start, end):
    """Returns how many more crates are on targets now: -1, 0 or 1."""
    gain = (s.cells[end] & TARGET) // TARGET - (s.cells[start] & TARGET) // TARGET
    s.cells[start] -= CRATE
    s.cells[end] += CRATE
    s.off_target -= gain
    return gain


def step(s, action, random):
    if action == STAY:
        return STEP_REWARD, False
    s.facing = action
    reward, cell = STEP_REWARD, s.keeper + AHEAD[action]
    if holds_crate(s, cell) and is_free(s, cell + AHEAD[action]):
        reward += CRATE_REWARD * move_crate(s, cell, cell + AHEAD[action])
    if is_free(s, cell):
        s.keeper = cell
    solved = s.off_target == 0
    if solved:
        reward += SOLVED_REWARD
    return reward, solved


def observe(s, planes):
    for row in range(SIZE):
        for col in range(SIZE):
            cell = s.cells[SIZE * row + col]
            planes[row, col, 0] = cell & 1
            planes[row, col, 1] = cell >> 1 & 1
            planes[row, col, 2] = cell >> 2
    planes[s.keeper // SIZE, s.keeper % SIZE, 3] = 1


ROCK, BRICK, BRICK_LIGHT, BRICK_DARK = (44, 40, 52), (122, 92, 84), (150, 116, 104), (84, 62, 62)
TILE, TILE_EDGE = (222, 208, 180), (206, 190, 160)
SPOT, SPOT_GLOW = (206, 84, 72), (236, 170, 140)
WOOD, WOOD_LIGHT, WOOD_DARK = (196, 138, 68), (226, 172, 98), (134, 88, 40)
DONE, DONE_LIGHT, DONE_DARK = (104, 168, 88), (146, 204, 122), (62, 112, 56)
SKIN, CAP, COAT, BOOT, INK = (246, 206, 166), (44, 96, 168), (62, 126, 200), (52, 50, 66), (36, 34, 46)
SHADOW = (176, 160, 134)


def backdrop(canvas):
    fill(canvas, ROCK)


def draw(s, canvas):
    for row in range(SIZE):
        for col in range(SIZE):
            if s.cells[SIZE * row + col] == WALL:
                draw_wall(s, canvas, col, row)
            else:
                draw_floor(canvas, col, row, s.cells[SIZE * row + col])
    draw_keeper(canvas, s.keeper % SIZE, s.keeper // SIZE, s.facing)


def draw_wall(s, canvas, x, y):
    """Rock without floor nearby stays dark; the rest is a course of bricks, whose front shows above a floor."""
    near_floor = False
    for row in range(max(y - 1, 0), min(y + 2, SIZE)):
        for col in range(max(x - 1, 0), min(x + 2, SIZE)):
            near_floor = near_floor or s.cells[SIZE * row + col] != WALL
    if not near_floor:
        return
    rect(canvas, x, y, 1, 1, BRICK_DARK)
    for course in range(3):
        top = y + course * 0.333 + 0.03
        shift = 0.25 * (course % 2)
        rect(canvas, x, top, 0.47 - shift, 0.27, BRICK)
        rect(canvas, x + 0.53 - shift, top, 0.44, 0.27, BRICK)
        rect(canvas, x + 0.53 - shift, top, 0.44, 0.06, BRICK_LIGHT)
        if course % 2 == 1:
            rect(canvas, x + 0.78, top, 0.22, 0.27, BRICK)


def draw_floor(canvas, x, y, cell):
    rect(canvas, x, y, 1, 1, TILE_EDGE)
    rect(canvas, x, y, 0.96, 0.96, TILE)
    if cell & TARGET:
        ellipse(canvas, x + 0.16, y + 0.16, 0.66, 0.66, SPOT_GLOW)
        ellipse(canvas, x + 0.24, y + 0.24, 0.5, 0.5, SPOT)
        ellipse(canvas, x + 0.36, y + 0.36, 0.26, 0.26, TILE)
    if cell & CRATE:
        if cell & TARGET:
            draw_crate(canvas, x, y, DONE, DONE_LIGHT, DONE_DARK)
        else:
            draw_crate(canvas, x, y, WOOD, WOOD_LIGHT, WOOD_DARK)


def draw_crate(canvas, x, y, color, light, dark):
    rect(canvas, x + 0.1, y + 0.12, 0.88, 0.86, SHADOW)
    rect(canvas, x + 0.06, y + 0.06, 0.86, 0.86, dark)
    rect(canvas, x + 0.1, y + 0.1, 0.78, 0.78, light)
    rect(canvas, x + 0.22, y + 0.22, 0.54, 0.54, dark)
    rect(canvas, x + 0.25, y + 0.25, 0.48, 0.48, color)
    line(canvas, x + 0.27, y + 0.27, x + 0.71, y + 0.71, 0.13, light)
    for k in range(4):
        rect(canvas, x + 0.13 + 0.65 * (k % 2), y + 0.13 + 0.65 * (k // 2), 0.07, 0.07, dark)


def draw_keeper(canvas, x, y, facing):
    ellipse(canvas, x + 0.18, y + 0.7, 0.64, 0.24, SHADOW)
    rect(canvas, x + 0.3, y + 0.78, 0.16, 0.12, BOOT)
    rect(canvas, x + 0.54, y + 0.78, 0.16, 0.12, BOOT)
    ellipse(canvas, x + 0.22, y + 0.4, 0.56, 0.46, COAT)
    ellipse(canvas, x + 0.25, y + 0.1, 0.5, 0.5, SKIN)
    side = (facing == RIGHT) - (facing == LEFT)
    look_x, look_y = x + 0.5 + 0.1 * side, y + 0.36
    if facing != UP:
        rect(canvas, look_x - 0.13, look_y, 0.08, 0.1, INK)
        rect(canvas, look_x + 0.05, look_y, 0.08, 0.1, INK)
    ellipse(canvas, x + 0.25, y + 0.06, 0.5, 0.3 if facing != UP else 0.44, CAP)
    if facing != UP:
        rect(canvas, x + 0.24 + 0.08 * side, y + 0.24, 0.52, 0.07, INK)
    rect(canvas, x + 0.14 + 0.06 * side, y + 0.52, 0.12, 0.14, SKIN)
    rect(canvas, x + 0.74 + 0.06 * side, y + 0.52, 0.12, 0.14, SKIN)


ARROWS = {"up": "up", "right": "right", "down": "down", "left": "left"}
KEYS = ARROWS | {"w": "up", "d": "right", "s": "down", "a": "left"}

GAME = Game(
    name="Sokoban",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    shape=(SIZE, SIZE),
    planes=("wall", "target", "crate", "keeper"),
    actions=("stay", "up", "right", "down", "left"),
    keys=KEYS | {"space": "stay"},
    fps=8,
    waits=True,
)
