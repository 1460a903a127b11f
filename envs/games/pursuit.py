"""Pursuit: close in on the rabbits together, two foxes at a time.

Description
    Two to four foxes hunt six rabbits on a meadow of 12 x 12 cells with a few bushes. They move along rows and columns;
    no two animals share a cell, and none enters a bush. First the foxes move, one after the other. Then every rabbit is
    caught that two foxes touch, or one if no free cell is beside it (cells touch above, below, left and right). Then the
    other rabbits move, one after the other. A rabbit rests in one of four steps. Else, if a fox is within three cells,
    counted along rows and columns, it goes or stays where the nearest is farthest; if none is, it goes in any direction,
    unless that is barred.

Actions
    0 stay, 1 up, 2 right, 3 down, 4 left. Where the way is barred, the fox stays.

Observation
    Planes, 7 x 7, of what is around each fox, who sits in the middle: `free`, `bush` (also all that is outside the
    meadow), `fox`, `rabbit`. What is farther away cannot be seen.

Start
    Up to sixteen bushes, none at the border and no two touching, even with corners; foxes and rabbits anywhere.

Reward
    +1 for every fox when a rabbit is caught.

Termination
    All rabbits are caught.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's, among them `players` from 2 to 4: see `ludus.envs.Simulator`.

Rules from
    The pursuit problem (Benda, Jagannathan & Dodhiawala 1985), as in Gupta, Egorov & Kochenderfer 2017, "Cooperative
    multi-agent control using deep reinforcement learning"; the numbers and the rabbits' ways are this project's.

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, rect, triangle
from ..game import Game, state
from ..rng import below, chance

SIZE, FOXES, RABBITS = 12, 4, 6
SIGHT = 3  # cells in each direction; as many, all bush, surround the meadow in the record
WINDOW, WHOLE = 2 * SIGHT + 1, SIZE + 2 * SIGHT
TRIES = 16  # to place a bush
REST, FEAR = 0.25, 3
ROWS_OF, COLS_OF = (0, -1, 0, 1, 0), (0, 0, 1, 0, -1)  # what each action adds
FREE, BUSH, FOX, RABBIT = range(4)  # what is in a cell, and the planes
CAUGHT, FAR = -1, 2 * SIZE

State = state(
    active="(4,)i1",  # which foxes there are; none leaves
    row="(4,)i1",  # of the foxes, from the corner of all cells
    col="(4,)i1",
    rabbit_row="(6,)i1",
    rabbit_col="(6,)i1",
    is_free="(6,)i1",  # 1, or 0 for rabbits that were caught
    left="i1",  # rabbits
    cells="(18,18)i1",
)


def reset(s, random):
    for row in range(WHOLE):
        for col in range(WHOLE):
            inside = SIGHT <= row < SIGHT + SIZE and SIGHT <= col < SIGHT + SIZE
            s.cells[row, col] = FREE if inside else BUSH
    for _ in range(TRIES):
        place_bush(s, SIGHT + 1 + below(random, SIZE - 2), SIGHT + 1 + below(random, SIZE - 2))
    for fox in range(FOXES):
        if s.active[fox]:
            s.row[fox], s.col[fox] = free_cell(s, random)
            s.cells[s.row[fox], s.col[fox]] = FOX
    for rabbit in range(RABBITS):
        s.rabbit_row[rabbit], s.rabbit_col[rabbit] = free_cell(s, random)
        s.cells[s.rabbit_row[rabbit], s.rabbit_col[rabbit]] = RABBIT
        s.is_free[rabbit] = 1
    s.left = RABBITS


def place_bush(s, row, col):
    """Unless another is near or there already: so no cell is ever cut off."""
    near = 0
    for k in range(9):
        at_row, at_col = row - 1 + k // 3, col - 1 + k % 3
        inside = SIGHT <= at_row < SIGHT + SIZE and SIGHT <= at_col < SIGHT + SIZE
        near += inside and s.cells[at_row, at_col] == BUSH
    if near == 0:
        s.cells[row, col] = BUSH


def free_cell(s, random):
    row, col = SIGHT + below(random, SIZE), SIGHT + below(random, SIZE)
    while s.cells[row, col] != FREE:
        row, col = SIGHT + below(random, SIZE), SIGHT + below(random, SIZE)
    return row, col


def step(s, actions, rewards, random):
    for fox in range(FOXES):
        if s.active[fox]:
            move_fox(s, fox, actions[fox])
    caught = catch_rabbits(s)
    for rabbit in range(RABBITS):
        if s.is_free[rabbit] and not chance(random, REST):
            move_rabbit(s, rabbit, random)
    for fox in range(FOXES):
        if s.active[fox]:
            rewards[fox] = caught
    return s.left == 0


def move_fox(s, fox, action):
    row, col = s.row[fox] + ROWS_OF[action], s.col[fox] + COLS_OF[action]
    if s.cells[row, col] == FREE:
        s.cells[s.row[fox], s.col[fox]], s.cells[row, col] = FREE, FOX
        s.row[fox], s.col[fox] = row, col


def catch_rabbits(s):
    """Returns how many. They are taken away afterwards, so that all are looked at as they stand."""
    caught = 0
    for rabbit in range(RABBITS):
        if s.is_free[rabbit] and is_caught(s, s.rabbit_row[rabbit], s.rabbit_col[rabbit]):
            s.is_free[rabbit] = CAUGHT
            caught += 1
    for rabbit in range(RABBITS):
        if s.is_free[rabbit] == CAUGHT:
            s.is_free[rabbit] = 0
            s.cells[s.rabbit_row[rabbit], s.rabbit_col[rabbit]] = FREE
    s.left -= caught
    return caught


def is_caught(s, row, col):
    touching, open_ways = 0, 0
    for way in range(1, 5):
        beside = s.cells[row + ROWS_OF[way], col + COLS_OF[way]]
        touching += beside == FOX
        open_ways += beside == FREE
    return touching >= 2 or (touching == 1 and open_ways == 0)


def move_rabbit(s, rabbit, random):
    row, col, start = s.rabbit_row[rabbit], s.rabbit_col[rabbit], below(random, 4)
    best, farthest = 0, nearest_fox(s, row, col)
    if farthest > FEAR:
        best = 1 + start
    else:
        for k in range(4):
            way = 1 + (start + k) % 4
            distance = nearest_fox(s, row + ROWS_OF[way], col + COLS_OF[way])
            if distance > farthest and s.cells[row + ROWS_OF[way], col + COLS_OF[way]] == FREE:
                best, farthest = way, distance
    row, col = row + ROWS_OF[best], col + COLS_OF[best]
    if s.cells[row, col] == FREE:
        s.cells[s.rabbit_row[rabbit], s.rabbit_col[rabbit]], s.cells[row, col] = FREE, RABBIT
        s.rabbit_row[rabbit], s.rabbit_col[rabbit] = row, col


def nearest_fox(s, row, col):
    """Its distance, along rows and columns."""
    nearest = FAR
    for fox in range(FOXES):
        distance = abs(s.row[fox] - row) + abs(s.col[fox] - col)
        if s.active[fox] and distance < nearest:
            nearest = distance
    return nearest


def heuristic(s, player, random):
    """Go to the nearest rabbit, wherever it is; now and then go anywhere, to get around bushes and each other."""
    target, nearest = 0, FAR
    for rabbit in range(RABBITS):
        distance = abs(s.rabbit_row[rabbit] - s.row[player]) + abs(s.rabbit_col[rabbit] - s.col[player])
        if s.is_free[rabbit] and distance < nearest:
            target, nearest = rabbit, distance
    if chance(random, 0.2):
        return 1 + below(random, 4)
    if nearest == 1:
        return 0
    row, col = s.row[player], s.col[player]
    down, right = s.rabbit_row[target] - row, s.rabbit_col[target] - col
    best, longest = 0, 0
    for way in range(1, 5):  # of the steps that bring it nearer, along the longer of the two sides
        gain = down * ROWS_OF[way] + right * COLS_OF[way]
        if gain > longest and s.cells[row + ROWS_OF[way], col + COLS_OF[way]] == FREE:
            best, longest = way, gain
    return best


def observe(s, player, planes):
    top, left = s.row[player] - SIGHT, s.col[player] - SIGHT
    seen = planes.flat
    for row in range(WINDOW):
        for col in range(WINDOW):
            seen[(row * WINDOW + col) * 4 + s.cells[top + row, left + col]] = 1


MEADOW, MOWN, SHADE, FOG, MIST = (142, 188, 104), (134, 180, 98), (102, 148, 78), (74, 102, 82), (71, 98, 79)
LEAF, LEAF_DARK, LEAF_LIGHT = (52, 112, 66), (38, 86, 54), (86, 150, 84)
FUR, FUR_DARK, WHITE, NOSE, RIM = (226, 116, 44), (160, 70, 26), (252, 246, 236), (40, 32, 34), (255, 240, 120)
RABBIT_FUR, RABBIT_DARK, EAR = (236, 232, 226), (188, 180, 174), (240, 176, 176)
SCARVES = ((64, 124, 224), (206, 50, 60), (246, 206, 70), (150, 92, 200))


def backdrop(canvas):
    fill(canvas, MEADOW)
    for cell in range(SIZE * SIZE):
        if (cell // SIZE + cell) % 2 == 0:
            rect(canvas, cell % SIZE, cell // SIZE, 1, 1, MOWN)


def draw(s, player, canvas):
    """What is outside a player's window is in the fog."""
    for row in range(SIZE):
        for col in range(SIZE):
            if not is_seen(s, player, row + SIGHT, col + SIGHT):
                rect(canvas, col, row, 1, 1, FOG if (row + col) % 2 == 0 else MIST)
            elif s.cells[row + SIGHT, col + SIGHT] == BUSH:
                draw_bush(canvas, col, row)
    for rabbit in range(RABBITS):
        if s.is_free[rabbit] and is_seen(s, player, s.rabbit_row[rabbit], s.rabbit_col[rabbit]):
            draw_rabbit(canvas, s.rabbit_col[rabbit] - SIGHT, s.rabbit_row[rabbit] - SIGHT)
    for fox in range(FOXES):
        if s.active[fox] and is_seen(s, player, s.row[fox], s.col[fox]):
            draw_fox(canvas, s.col[fox] - SIGHT, s.row[fox] - SIGHT, SCARVES[fox], fox == player)


def is_seen(s, player, row, col):
    return player < 0 or (abs(s.row[player] - row) <= SIGHT and abs(s.col[player] - col) <= SIGHT)


def draw_bush(canvas, x, y):
    ellipse(canvas, x + 0.06, y + 0.3, 0.9, 0.68, SHADE)
    ellipse(canvas, x + 0.04, y + 0.3, 0.6, 0.58, LEAF_DARK)
    ellipse(canvas, x + 0.38, y + 0.34, 0.58, 0.54, LEAF_DARK)
    ellipse(canvas, x + 0.16, y + 0.06, 0.66, 0.7, LEAF)
    ellipse(canvas, x + 0.3, y + 0.14, 0.26, 0.22, LEAF_LIGHT)
    ellipse(canvas, x + 0.54, y + 0.42, 0.18, 0.16, LEAF_LIGHT)


def draw_rabbit(canvas, x, y):
    ellipse(canvas, x + 0.16, y + 0.74, 0.68, 0.22, SHADE)
    for k in range(2):
        ellipse(canvas, x + 0.26 + 0.28 * k, y + 0.02, 0.2, 0.56, RABBIT_FUR)
        ellipse(canvas, x + 0.31 + 0.28 * k, y + 0.1, 0.1, 0.36, EAR)
    ellipse(canvas, x + 0.2, y + 0.56, 0.6, 0.36, RABBIT_DARK)
    ellipse(canvas, x + 0.2, y + 0.36, 0.6, 0.5, RABBIT_FUR)
    for k in range(2):
        ellipse(canvas, x + 0.32 + 0.24 * k, y + 0.5, 0.12, 0.15, NOSE)
    ellipse(canvas, x + 0.44, y + 0.68, 0.12, 0.09, EAR)


def draw_fox(canvas, x, y, scarf, is_me):
    """A face with a scarf in the player's colour; one's own has a bright rim."""
    ellipse(canvas, x + 0.02, y + 0.06, 0.96, 0.92, RIM if is_me else SHADE)
    ellipse(canvas, x + 0.18, y + 0.66, 0.64, 0.3, scarf)
    triangle(canvas, x + 0.06, y + 0.04, x + 0.1, y + 0.52, x + 0.46, y + 0.28, FUR_DARK)
    triangle(canvas, x + 0.94, y + 0.04, x + 0.9, y + 0.52, x + 0.54, y + 0.28, FUR_DARK)
    ellipse(canvas, x + 0.1, y + 0.2, 0.8, 0.58, FUR)
    triangle(canvas, x + 0.14, y + 0.56, x + 0.86, y + 0.56, x + 0.5, y + 0.92, WHITE)
    triangle(canvas, x + 0.36, y + 0.52, x + 0.64, y + 0.52, x + 0.5, y + 0.84, FUR)
    ellipse(canvas, x + 0.42, y + 0.76, 0.16, 0.14, NOSE)
    rect(canvas, x + 0.28, y + 0.42, 0.11, 0.14, NOSE)
    rect(canvas, x + 0.61, y + 0.42, 0.11, 0.14, NOSE)


GAME = Game(
    name="Pursuit",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    players=FOXES,
    min_players=2,
    player_names=("blue", "red", "yellow", "purple"),
    shape=(WINDOW, WINDOW),
    planes=("free", "bush", "fox", "rabbit"),
    actions=("stay", "up", "right", "down", "left"),
    keys={way: way for way in ("up", "right", "down", "left")} | {"w": "up", "d": "right", "s": "down", "a": "left"},
    second_keys={"w": "up", "d": "right", "s": "down", "a": "left"},
    canvas=(SIZE, SIZE),
    fps=6,
)
