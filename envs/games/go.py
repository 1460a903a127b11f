"""Go: surround more of the board than the other does.

Description
    Black and white take turns to put a stone on a free point of a board of nine by nine lines, or pass. Stones of a colour
    that are joined along lines form a chain, and the free points next to it are its liberties. A stone takes the last
    liberty of chains of the other colour: they are captured and leave the board.

Actions
    The points row by row from the top, `a9 b9 .. j9`, `a8` .. `j1` (no i), and 81 `pass`, which is always legal. A free
    point is legal unless the stone's own chain would be left without a liberty (suicide), or it would take back at once
    the one stone that just captured one stone (ko).

Observation
    Planes, 9 x 9, as the mover sees them: `mine` and `theirs`, the stones; `last`, the stone just placed; `ko`, where ko
    forbids to play; all ones or zeros are `passed`, whether the other just passed, and `white`, whether the mover is white.

Start
    The board is empty. Black, the first player, begins.

Reward
    +1 for the winner, -1 for the other. Points with a stone, and free ones from which only that colour can be reached
    along free points, are a colour's area (Tromp-Taylor scoring: dead stones must be captured). White gets 7.5 more, so
    there is no draw.

Termination
    Both players pass in a row, or 162 moves have been made: the areas decide. Or a stone brings back a position of the
    board that was there before (positional superko): who placed it loses.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    Tromp & Taylor 1995, "The logical rules of Go"; the same as Pgx's `go_9x9`, and as OpenSpiel's `go(board_size=9,
    komi=7.5)` except that there a position brought back makes a draw.

Version history
    1: first release.
"""

import numpy as np

from ..canvas import ellipse, fill, letter, line, raster, rect
from ..game import Game, state
from ..rng import below, mix

SIZE, CELLS = 9, 81
WIDE = SIZE + 2  # with the edge around it
PASS, MOST_MOVES, KOMI = CELLS, 2 * CELLS, 7.5
EMPTY, BLACK, WHITE, EDGE = range(4)
POINTS = np.array([WIDE * (row + 1) + col + 1 for row in range(SIZE) for col in range(SIZE)])
NEIGHBOURS = (-WIDE, -1, 1, WIDE)
DIAGONALS = (-WIDE - 1, -WIDE + 1, WIDE - 1, WIDE + 1)
MINE, THEIRS, LAST, KO, PASSED, IS_WHITE = range(6)
# one random number for a stone of each colour on each point; those on the board, combined by xor, tell positions apart
KEYS = mix(np.arange(1, 2 * WIDE * WIDE + 1, dtype=np.uint64)).astype(np.int64).reshape(2, WIDE * WIDE)

State = state(
    player="i1",  # whose turn it is: 0 black, 1 white
    ko="i1",  # the point that may not be taken back, 0 none
    last="i1",  # the point of the stone just placed, 0 none
    passed="?",  # the last move was a pass
    moves="i2",
    stones="(121,)i1",
    head="(121,)i1",  # the point that names the stone's chain
    next="(121,)i1",  # the chain's next stone, round in a ring
    reach="(121,)i1",  # while scoring: 1 black can be reached from here, 2 white, 3 both
    # For each chain, over all pairs of a stone and a free point next to it: how many, and the sum of the points and of
    # their squares. All pairs have the same point, so the chain is in atari, just if sum * sum == pairs * squares.
    pairs="(121,)i2",
    sum="(121,)i2",
    squares="(121,)i4",
    key="i8",  # of the position
    placed="i2",
    keys="(162,)i8",  # of the positions after each stone placed
)


def reset(s, random):
    for k in range(WIDE):
        s.stones[k], s.stones[WIDE * WIDE - 1 - k] = EDGE, EDGE
        s.stones[WIDE * k], s.stones[WIDE * k + WIDE - 1] = EDGE, EDGE


def step(s, action, random):
    mover, over = s.player, False
    s.player = 1 - mover
    s.moves += 1
    s.ko, s.last = 0, 0
    if action == PASS:
        over = s.passed
        s.passed = True
    else:
        s.passed = False
        s.last = POINTS[action]
        place(s, s.last, mover + 1)
        if repeats(s):
            return -1.0, True
    if over or s.moves == MOST_MOVES:
        return 1.0 if (lead_of_black(s) > KOMI) == (mover == 0) else -1.0, True
    return 0.0, False


def place(s, point, color):
    s.stones[point] = color
    s.key ^= KEYS[color - 1, point]
    s.head[point], s.next[point] = point, point
    s.pairs[point], s.sum[point], s.squares[point] = 0, 0, 0
    for way in NEIGHBOURS:
        near = point + way
        if s.stones[near] == EMPTY:
            add_pairs(s, point, near, 1)
        elif s.stones[near] != EDGE:
            add_pairs(s, s.head[near], point, -1)
    captured, taken = 0, 0
    for way in NEIGHBOURS:
        near = point + way
        if s.stones[near] == color:
            join(s, point, near)
        elif s.stones[near] == 3 - color and s.pairs[s.head[near]] == 0:
            captured += capture(s, near)
            taken = near
    if captured == 1 and s.next[point] == point and s.pairs[point] == 1:
        s.ko = taken


def add_pairs(s, head, point, count):
    s.pairs[head] += count
    s.sum[head] += count * point
    s.squares[head] += count * point * point


def join(s, stone, other):
    """Make one chain of two, unless they are one already."""
    head, gone = s.head[other], s.head[stone]
    if head == gone:
        return
    s.pairs[head] += s.pairs[gone]
    s.sum[head] += s.sum[gone]
    s.squares[head] += s.squares[gone]
    at = stone
    while s.head[at] != head:
        s.head[at] = head
        at = s.next[at]
    s.next[stone], s.next[other] = s.next[other], s.next[stone]


def capture(s, stone):
    """Take a chain off the board; its points are liberties of chains around it."""
    color, at, count = s.stones[stone], stone, 0
    while s.stones[at] != EMPTY:
        s.stones[at] = EMPTY
        s.key ^= KEYS[color - 1, at]
        for way in NEIGHBOURS:
            if s.stones[at + way] == 3 - color:
                add_pairs(s, s.head[at + way], at, 1)
        count += 1
        at = s.next[at]
    return count


def in_atari(s, stone):
    """Whether the stone's chain has one liberty left."""
    head = s.head[stone]
    return s.sum[head] * s.sum[head] == s.pairs[head] * s.squares[head]


def repeats(s):
    """Whether the position was there before; remember it."""
    found = False
    for k in range(s.placed):
        found |= s.keys[k] == s.key
    s.keys[s.placed] = s.key
    s.placed += 1
    return found


def lead_of_black(s):
    """Black's area less white's, without komi."""
    for cell in range(CELLS):
        s.reach[POINTS[cell]] = s.stones[POINTS[cell]]
    changed, sweep = True, 0
    while changed:  # sweep to and fro until what can be reached has spread everywhere
        changed = False
        for k in range(CELLS):
            point = POINTS[k if sweep % 2 == 0 else CELLS - 1 - k]
            if s.stones[point] == EMPTY:
                around = s.reach[point]
                for way in NEIGHBOURS:
                    around |= s.reach[point + way]
                changed |= around != s.reach[point]
                s.reach[point] = around
        sweep += 1
    lead = 0
    for cell in range(CELLS):
        lead += (s.reach[POINTS[cell]] == BLACK) - (s.reach[POINTS[cell]] == WHITE)
    return lead


def legal(s, allowed):
    for cell in range(CELLS):
        allowed[cell] = can_play(s, POINTS[cell], s.player + 1)
    allowed[PASS] = True


def can_play(s, point, color):
    if s.stones[point] != EMPTY or point == s.ko:
        return False
    for way in NEIGHBOURS:
        stone = s.stones[point + way]
        if stone == EMPTY:
            return True
        if stone != EDGE and (stone == color) != in_atari(s, point + way):
            return True  # it joins a chain that keeps a liberty, or captures
    return False


def heuristic(s, player, random):
    """Capture; else save a chain in atari; else play anywhere but in an eye or into atari; else pass."""
    color, best, most = player + 1, PASS, 0
    for cell in range(CELLS):
        point = POINTS[cell]
        if s.stones[point] != EMPTY and s.head[point] == point and in_atari(s, point):
            liberty = s.sum[point] // s.pairs[point]
            theirs = s.stones[point] != color
            value = 2 if theirs else 1
            if value > most and can_play(s, liberty, color) and (theirs or is_safe(s, liberty, color)):
                best, most = SIZE * (liberty // WIDE - 1) + liberty % WIDE - 1, value
    if most > 0:
        return best
    start = below(random, CELLS)
    for k in range(CELLS):
        cell = (start + 34 * k) % CELLS  # each once, here and there
        point = POINTS[cell]
        if can_play(s, point, color) and is_safe(s, point, color) and not is_eye(s, point, color):
            return cell
    return PASS


def is_safe(s, point, color):
    """Whether a stone there has two liberties, as far as can be seen at once."""
    free = 0
    for way in NEIGHBOURS:
        stone = s.stones[point + way]
        free += stone == EMPTY
        if stone == color and not in_atari(s, point + way):
            free += 1 if s.pairs[s.head[point + way]] < 3 else 2
    return free >= 2


def is_eye(s, point, color):
    """Whether the point is surrounded by that colour, and no two diagonals (one at the edge) are the other's."""
    for way in NEIGHBOURS:
        if s.stones[point + way] != color and s.stones[point + way] != EDGE:
            return False
    lost, at_edge = 0, 0
    for way in DIAGONALS:
        lost += s.stones[point + way] == 3 - color
        at_edge |= s.stones[point + way] == EDGE
    return lost + at_edge < 2


def observe(s, player, planes):
    for row in range(SIZE):
        for col in range(SIZE):
            stone = s.stones[WIDE * (row + 1) + col + 1]
            planes[row, col, MINE] = stone == player + 1
            planes[row, col, THEIRS] = stone == 2 - player
            planes[row, col, PASSED] = s.passed
            planes[row, col, IS_WHITE] = player
    if s.last > 0:
        planes[s.last // WIDE - 1, s.last % WIDE - 1, LAST] = 1
    if s.ko > 0:
        planes[s.ko // WIDE - 1, s.ko % WIDE - 1, KO] = 1


SIDE = 32.0 / 3.0  # the picture's side, so that points are six pixels of 64 apart ...
LEFT, TOP = 19.0 / 12.0, 15.0 / 12.0  # ... and in the middle of a pixel; where a9 is
WOOD, GRAIN, RIM, INK = (222, 178, 108), (214, 168, 98), (176, 128, 66), (62, 44, 26)
STAR_ROWS, STAR_COLS = (2, 2, 4, 6, 6), (2, 6, 4, 2, 6)
SHADOW, MARK = (166, 122, 64), (222, 62, 54)
SHADES = ((20, 21, 26), (44, 46, 54), (84, 87, 98)), ((196, 192, 182), (234, 231, 223), (255, 254, 250))
WORD = (25, 10, 28, 28)  # PASS in the canvas's alphabet


def backdrop(canvas):
    fill(canvas, RIM)
    rect(canvas, 0.12, 0.12, SIDE - 0.24, SIDE - 0.24, WOOD)
    for k in range(26):
        rect(canvas, 0.12, 0.2 + 0.4 * k + 0.05 * (k % 3), SIDE - 0.24, 0.06 + 0.05 * (k * 7 % 4), GRAIN)
    pixel = 1.0 / raster(canvas)[3]
    for k in range(SIZE):
        thick = max(0.07 if k % (SIZE - 1) == 0 else 0.045, pixel)  # no line is lost in a small picture
        rect(canvas, LEFT - thick / 2, TOP + k - thick / 2, SIZE - 1 + thick, thick, INK)
        rect(canvas, LEFT + k - thick / 2, TOP - thick / 2, thick, SIZE - 1 + thick, INK)
        if pixel < 0.08:  # else they cannot be read
            letter(canvas, SIZE - k, 0.46, TOP + k - 0.22, 0.32, 0.44, INK)
            letter(canvas, 10 + k + (k == SIZE - 1), LEFT + k - 0.16, SIDE - 0.78, 0.32, 0.44, INK)
    for k in range(5):
        ellipse(canvas, LEFT + STAR_COLS[k] - 0.11, TOP + STAR_ROWS[k] - 0.11, 0.22, 0.22, INK)


def draw(s, player, canvas):
    for row in range(SIZE):
        for col in range(SIZE):
            stone = s.stones[WIDE * (row + 1) + col + 1]
            if stone != EMPTY:
                draw_stone(canvas, LEFT + col, TOP + row, 0.47, stone - 1)
    if s.last > 0:
        ellipse(canvas, LEFT + s.last % WIDE - 1.17, TOP + s.last // WIDE - 1.17, 0.34, 0.34, MARK)
    if s.ko > 0:
        x, y = LEFT + s.ko % WIDE - 1, TOP + s.ko // WIDE - 1
        line(canvas, x - 0.2, y - 0.2, x + 0.2, y + 0.2, 0.09, MARK)
        line(canvas, x - 0.2, y + 0.2, x + 0.2, y - 0.2, 0.09, MARK)
    draw_stone(canvas, SIDE - 0.55, 0.52, 0.32, s.player)  # whose turn it is
    if s.passed:
        for k in range(4):
            letter(canvas, WORD[k], LEFT + 3.08 + 0.5 * k, 0.25, 0.36, 0.5, INK)


def draw_stone(canvas, x, y, radius, color):
    ellipse(canvas, x - radius + 0.06, y - radius + 0.09, 2 * radius, 2 * radius, SHADOW)
    for k in range(3):
        size, aside = radius * (1.0 - 0.3 * k), radius * (0.02 + 0.14 * k)
        ellipse(canvas, x - size - aside, y - size - aside, 2 * size, 2 * size, SHADES[color][k])


def click(s, x, y):
    """The nearest point."""
    row, col = round(y - TOP), round(x - LEFT)
    return SIZE * row + col if 0 <= row < SIZE and 0 <= col < SIZE else -1


GAME = Game(
    name="Go",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    click=click,
    backdrop=backdrop,
    legal=legal,
    heuristic=heuristic,
    players=2,
    player_names=("black", "white"),
    shape=(SIZE, SIZE),
    planes=("mine", "theirs", "last", "ko", "passed", "white"),
    actions=(*(f"{file}{rank}" for rank in range(9, 0, -1) for file in "abcdefghj"), "pass"),
    keys={"space": "pass"},
    canvas=(SIDE, SIDE),
    fps=2,
)
