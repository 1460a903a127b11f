"""Bomber: blow up the crates, then the others, and get out of the way in time.

Description
    Two to four players share an arena of 11 x 11 cells. Every other cell of every other row is a pillar, which nothing
    breaks; many of the rest hold crates. A bomb explodes six steps after it was laid, along its row and column as far as
    it reaches: at first two cells. The blast ends before a pillar and at the first crate, which it destroys, sets off
    other bombs in the same step and burns upgrades. One in three crates leaves an upgrade behind: a longer reach (up to
    four cells) or a second bomb. Players and blasts pass through each other's cells; bombs and crates bar the way.

    In a step, all move, take the upgrades that they step on, bombs explode, and those who chose it and are still there
    lay a bomb. Who has no bomb left, or stands on one, lays none.

Actions
    0 noop, 1 up, 2 right, 3 down, 4 left, 5 bomb. Where the way is barred, the player stays.

Observation
    Planes, 11 x 11, as each player sees them. The ground: `floor`, `pillar`, `crate`, `longer`, `extra` (upgrades).
    Players: `me`, `others`, and in their cells `one_bomb`, `two_bombs` (at least so many to lay now), `reach_3`,
    `reach_4` (at least so far do the bombs reach that they lay). Bombs: `bomb`, `fuse_5` to `fuse_1` (explodes in at most
    so many steps), `bomb_3`, `bomb_4` (reaches at least so far). `blast`: where it burned in the last step.

Start
    Players in the corners, with free cells beside them: the first two top left and bottom right. 70 % of the other cells
    hold a crate, drawn for one quarter of the arena and mirrored into the others. Everyone has one bomb that reaches two.

Reward
    -1 for a player who is hit, +1 for the last one left. Players who are hit in the same step, with nobody left, get 0.

Termination
    At most one player is left.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's, among them `players` from 2 to 4: see `ludus.envs.Simulator`.

Rules from
    The video game "Bomberman" (1985); the numbers are this project's.

Version history
    1: first release.
"""

from ..canvas import disc, ellipse, fill, line, rect, triangle
from ..game import Game, state
from ..rng import below, chance

SIZE, PLAYERS, MOST_BOMBS = 11, 4, 2
LAST, SLOTS = SIZE - 1, PLAYERS * MOST_BOMBS
ACTIONS = ("noop", "up", "right", "down", "left", "bomb")
UP, LEFT, BOMB = 1, 4, 5
ROWS_OF, COLS_OF = (0, -1, 0, 1, 0, 0), (0, 0, 1, 0, -1, 0)  # what each action adds
FUSE, REACH, FARTHEST = 6, 2, 4
CRATES, UPGRADES = 0.7, 1 / 3
FLOOR, PILLAR, CRATE, LONGER, EXTRA = range(5)  # the ground, and its planes
ME, OTHERS, ONE_BOMB, REACH_3, BOMB_PLANE, BOMB_3, BLAST = 5, 6, 7, 9, 11, 17, 19
PLANES = (
    "floor", "pillar", "crate", "longer", "extra", "me", "others", "one_bomb", "two_bombs", "reach_3", "reach_4",
    "bomb", "fuse_5", "fuse_4", "fuse_3", "fuse_2", "fuse_1", "bomb_3", "bomb_4", "blast",
)  # fmt: skip
DEPTH = len(PLANES)

State = state(
    active="(4,)i1",  # who is still there
    playing="i1",  # how many
    row="(4,)i1",
    col="(4,)i1",
    reach="(4,)i1",  # of the bombs that a player lays
    bombs="(4,)i1",  # that a player has ...
    left="(4,)i1",  # ... and those of them that lie nowhere
    ground="(11,11)i1",
    bomb_at="(11,11)i1",  # 0, or a bomb's slot + 1
    bomb_row="(8,)i1",  # each player has two slots for bombs
    bomb_col="(8,)i1",
    bomb_reach="(8,)i1",  # 0: no bomb
    fuse="(8,)i1",  # steps until it explodes
    burning="?",  # there was a blast in the last step
    blast="(11,11)i1",
)


def reset(s, random):
    for row in range(SIZE // 2 + 1):
        for col in range(SIZE // 2 + 1):
            kind = FLOOR
            if row % 2 == 1 and col % 2 == 1:
                kind = PILLAR
            elif row + col > 1 and chance(random, CRATES):
                kind = CRATE
            s.ground[row, col] = s.ground[row, LAST - col] = kind
            s.ground[LAST - row, col] = s.ground[LAST - row, LAST - col] = kind
    for player in range(PLAYERS):
        if s.active[player]:
            s.row[player] = 0 if player % 2 == 0 else LAST
            s.col[player] = 0 if player == 0 or player == 3 else LAST
            s.reach[player], s.bombs[player], s.left[player] = REACH, 1, 1
            s.playing += 1


def step(s, actions, rewards, random):
    if s.burning:
        s.burning = False
        s.blast[:, :] = 0
    for player in range(PLAYERS):
        if s.active[player]:
            move(s, player, actions[player])
    take_upgrades(s)
    burn_fuses(s)
    if s.burning:
        clear_ground(s, random)
        hit_players(s, rewards)
    for player in range(PLAYERS):
        if s.active[player] and actions[player] == BOMB:
            lay_bomb(s, player)
    return s.playing <= 1


def move(s, player, action):
    row, col = s.row[player] + ROWS_OF[action], s.col[player] + COLS_OF[action]
    if is_open(s, row, col):
        s.row[player], s.col[player] = row, col


def is_open(s, row, col):
    """Whether a player may enter."""
    kind = ground_at(s, row, col)
    return kind != PILLAR and kind != CRATE and s.bomb_at[row, col] == 0


def ground_at(s, row, col):
    """The ground, with pillars all around the arena."""
    return s.ground[row, col] if 0 <= row < SIZE and 0 <= col < SIZE else PILLAR


def take_upgrades(s):
    """Players who step on the same upgrade at the same time all get it."""
    for player in range(PLAYERS):
        kind = s.ground[s.row[player], s.col[player]] if s.active[player] else FLOOR
        if kind == LONGER and s.reach[player] < FARTHEST:
            s.reach[player] += 1
        elif kind == EXTRA and s.bombs[player] < MOST_BOMBS:
            s.bombs[player] += 1
            s.left[player] += 1
    for player in range(PLAYERS):
        if s.active[player]:
            s.ground[s.row[player], s.col[player]] = FLOOR


def burn_fuses(s):
    """Let bombs explode, and those that they light; crates stand until all have, so that their order is the same."""
    for slot in range(SLOTS):
        s.fuse[slot] -= s.bomb_reach[slot] > 0
    again = True
    while again:
        again = False
        for slot in range(SLOTS):
            if s.bomb_reach[slot] > 0 and s.fuse[slot] == 0:
                again = True
                explode(s, slot)


def explode(s, slot):
    row, col = s.bomb_row[slot], s.bomb_col[slot]
    s.burning, s.blast[row, col], s.bomb_at[row, col] = True, 1, 0
    for direction in range(UP, LEFT + 1):
        spread_blast(s, row, col, s.bomb_reach[slot], direction)
    s.bomb_reach[slot] = 0
    s.left[slot // MOST_BOMBS] += 1


def spread_blast(s, row, col, reach, direction):
    for _ in range(reach):
        row, col = row + ROWS_OF[direction], col + COLS_OF[direction]
        kind = ground_at(s, row, col)
        if kind == PILLAR:
            return
        s.blast[row, col] = 1
        if s.bomb_at[row, col] > 0:
            s.fuse[s.bomb_at[row, col] - 1] = 0
        if kind == CRATE:
            return


def clear_ground(s, random):
    for row in range(SIZE):
        for col in range(SIZE):
            if s.blast[row, col]:
                leaves = s.ground[row, col] == CRATE and chance(random, UPGRADES)
                s.ground[row, col] = LONGER + below(random, 2) if leaves else FLOOR


def hit_players(s, rewards):
    for player in range(PLAYERS):
        if s.active[player] and s.blast[s.row[player], s.col[player]]:
            s.active[player] = 0
            s.playing -= 1
            rewards[player] = -1.0
    for player in range(PLAYERS):
        if s.playing == 0:
            rewards[player] = 0.0
        elif s.playing == 1 and s.active[player]:
            rewards[player] = 1.0


def lay_bomb(s, player):
    row, col, slot = s.row[player], s.col[player], player * MOST_BOMBS
    if s.left[player] > 0 and s.bomb_at[row, col] == 0:
        slot += s.bomb_reach[slot] > 0  # the first may lie already
        s.left[player] -= 1
        s.bomb_at[row, col] = slot + 1
        s.bomb_row[slot], s.bomb_col[slot] = row, col
        s.bomb_reach[slot], s.fuse[slot] = s.reach[player], FUSE


def heuristic(s, player, random):
    """Lay a bomb beside a crate or near another player, if there is a way out; else go where no bomb reaches."""
    row, col, start = s.row[player], s.col[player], below(random, 4)
    wants_to = s.left[player] > 0 and is_safe(s, row, col) and is_worth_a_bomb(s, player)
    if wants_to and way_out(s, row, col, s.reach[player], start) > 0:
        return BOMB
    return way_out(s, row, col, 0, start)


def is_safe(s, row, col):
    """Whether no bomb reaches a cell; what stands in its way is not looked at."""
    safe = True
    for slot in range(SLOTS):
        safe = safe and not is_near(row - s.bomb_row[slot], col - s.bomb_col[slot], s.bomb_reach[slot])
    return safe


def is_near(down, right, reach):
    return reach > 0 and (down == 0 or right == 0) and abs(down + right) <= reach


def is_worth_a_bomb(s, player):
    row, col, worth = s.row[player], s.col[player], False
    for other in range(PLAYERS):
        worth = worth or (other != player and s.active[other] and is_near(s.row[other] - row, s.col[other] - col, 2))
    for way in range(UP, LEFT + 1):
        worth = worth or ground_at(s, row + ROWS_OF[way], col + COLS_OF[way]) == CRATE
    return worth


def way_out(s, row, col, reach, start):
    """The first step of a shortest way to a safe cell, also from a bomb here of such a reach; 0 if none is near."""
    for steps in range(1, 5):
        for way in range(1 << 2 * steps):  # two bits for each step
            if leads_out(s, row, col, reach, way ^ start, steps):
                return UP + (way ^ start) % 4
    return 0


def leads_out(s, from_row, from_col, reach, way, steps):
    row, col = from_row, from_col
    for _ in range(steps):
        row, col, way = row + ROWS_OF[UP + way % 4], col + COLS_OF[UP + way % 4], way >> 2
        if not is_open(s, row, col):
            return False
    return is_safe(s, row, col) and not is_near(row - from_row, col - from_col, reach)


def observe(s, player, planes):
    seen = planes.flat
    for row in range(SIZE):
        for col in range(SIZE):
            seen[(row * SIZE + col) * DEPTH + s.ground[row, col]] = 1
    for other in range(PLAYERS):
        if s.active[other]:
            row, col = s.row[other], s.col[other]
            planes[row, col, ME if other == player else OTHERS] = 1
            for k in range(s.left[other]):
                planes[row, col, ONE_BOMB + k] = 1
            for k in range(s.reach[other] - REACH):
                planes[row, col, REACH_3 + k] = 1
    for slot in range(SLOTS):
        if s.bomb_reach[slot] > 0:
            row, col = s.bomb_row[slot], s.bomb_col[slot]
            for k in range(FUSE - s.fuse[slot] + 1):  # the bomb itself, and how little of its fuse is left
                planes[row, col, BOMB_PLANE + k] = 1
            for k in range(s.bomb_reach[slot] - REACH):
                planes[row, col, BOMB_3 + k] = 1
    if s.burning:
        for row in range(SIZE):
            for col in range(SIZE):
                planes[row, col, BLAST] = s.blast[row, col]


GRASS, MOWN, SHADE, HEDGE = (112, 168, 84), (104, 160, 78), (80, 130, 62), (58, 78, 66)
STONE, STONE_LIGHT, STONE_DARK = (138, 142, 152), (176, 180, 188), (96, 100, 112)
WOOD, WOOD_LIGHT, WOOD_DARK = (186, 130, 72), (216, 164, 100), (130, 84, 44)
TILE, EDGE, IRON, GLOSS, CORD = (250, 240, 206), (214, 150, 60), (38, 40, 52), (150, 156, 172), (206, 184, 140)
FLAME, HEART, CORE = (238, 104, 38), (252, 178, 58), (255, 240, 180)
COATS = ((64, 124, 224), (222, 70, 64), (240, 186, 50), (150, 92, 200))
SKIN, EYE, RIM = (252, 226, 196), (30, 30, 40), (255, 255, 255)
BORDER = 0.5


def backdrop(canvas):
    fill(canvas, HEDGE)
    for cell in range(SIZE * SIZE):
        rect(canvas, cell % SIZE + BORDER, cell // SIZE + BORDER, 1, 1, GRASS if cell % 2 == 0 else MOWN)


def draw(s, player, canvas):
    for row in range(SIZE):
        for col in range(SIZE):
            draw_ground(canvas, col + BORDER, row + BORDER, s.ground[row, col])
            if s.blast[row, col]:
                disc(canvas, col + BORDER + 0.5, row + BORDER + 0.5, 0.49, FLAME)
                disc(canvas, col + BORDER + 0.5, row + BORDER + 0.5, 0.35, HEART)
                disc(canvas, col + BORDER + 0.5, row + BORDER + 0.5, 0.18, CORE)
    for slot in range(SLOTS):
        if s.bomb_reach[slot] > 0:
            draw_bomb(canvas, s.bomb_col[slot] + BORDER, s.bomb_row[slot] + BORDER, s.fuse[slot])
    for other in range(PLAYERS):
        if s.active[other]:
            draw_player(canvas, s.col[other] + BORDER, s.row[other] + BORDER, COATS[other], other == player)


def draw_ground(canvas, x, y, kind):
    if kind == PILLAR:
        rect(canvas, x, y, 1.0, 1.0, STONE_DARK)
        rect(canvas, x, y, 1.0, 0.8, STONE)
        rect(canvas, x + 0.08, y + 0.08, 0.84, 0.14, STONE_LIGHT)
    elif kind == CRATE:
        rect(canvas, x + 0.04, y + 0.06, 0.92, 0.9, WOOD_DARK)
        rect(canvas, x + 0.12, y + 0.14, 0.76, 0.68, WOOD)
        line(canvas, x + 0.16, y + 0.2, x + 0.84, y + 0.78, 0.14, WOOD_LIGHT)
        rect(canvas, x + 0.04, y + 0.06, 0.92, 0.12, WOOD_LIGHT)
    elif kind in (LONGER, EXTRA):
        rect(canvas, x + 0.12, y + 0.12, 0.76, 0.76, EDGE)
        rect(canvas, x + 0.18, y + 0.18, 0.64, 0.64, TILE)
        triangle(canvas, x + 0.5, y + 0.2, x + 0.3, y + 0.6, x + 0.7, y + 0.6, FLAME if kind == LONGER else TILE)
        disc(canvas, x + 0.5, y + 0.58, 0.22, FLAME if kind == LONGER else IRON)
        disc(canvas, x + 0.47, y + 0.56, 0.08, CORE)


def draw_bomb(canvas, x, y, fuse):
    """It swells and reddens while its cord burns down."""
    radius, long = 0.33 + 0.025 * (FUSE - fuse), 0.06 * fuse
    disc(canvas, x + 0.56, y + 0.64, radius, SHADE)
    disc(canvas, x + 0.5, y + 0.55, radius, (38 + 26 * (FUSE - fuse), 40, 52))
    disc(canvas, x + 0.4, y + 0.42, 0.09, GLOSS)
    line(canvas, x + 0.62, y + 0.3, x + 0.62 + long, y + 0.3 - long, 0.09, CORD)
    disc(canvas, x + 0.62 + long, y + 0.3 - long, 0.11, HEART)


def draw_player(canvas, x, y, coat, is_me):
    """A little fellow with a helmet; one's own has a white rim."""
    disc(canvas, x + 0.5, y + 0.5, 0.5, RIM if is_me else SHADE)
    ellipse(canvas, x + 0.24, y + 0.46, 0.52, 0.5, EYE)
    disc(canvas, x + 0.5, y + 0.4, 0.4, coat)
    ellipse(canvas, x + 0.2, y + 0.3, 0.6, 0.38, SKIN)
    rect(canvas, x + 0.34, y + 0.38, 0.1, 0.2, EYE)
    rect(canvas, x + 0.56, y + 0.38, 0.1, 0.2, EYE)
    ellipse(canvas, x + 0.28, y + 0.08, 0.2, 0.12, RIM)


GAME = Game(
    name="Bomber",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    players=PLAYERS,
    min_players=2,
    player_names=("blue", "red", "yellow", "purple"),
    shape=(SIZE, SIZE),
    planes=PLANES,
    actions=ACTIONS,
    keys={way: way for way in ACTIONS[1:5]} | {"w": "up", "d": "right", "s": "down", "a": "left", "space": "bomb"},
    second_keys={"w": "up", "d": "right", "s": "down", "a": "left", "e": "bomb"},
    canvas=(SIZE + 2 * BORDER, SIZE + 2 * BORDER),
    fps=6,
)
