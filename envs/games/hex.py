"""Hex: build a chain of stones between your two edges, which keeps the other from building one between theirs.

Description
    Two players take turns to place a stone on a rhombus of eleven by eleven hexagons. The first, red, connects the top with
    the bottom, the second, blue, the left with the right. Exactly one of them succeeds in the end. There is no swap rule.

Actions
    The cells, row by row: `a1 b1 .. k1 a2 .. k11`, columns from the left, rows from the top. Free cells are legal.

Observation
    Planes, 11 x 11, as the mover sees them: `mine`, `theirs`, and `sideways`, 1 everywhere if the mover connects the left
    with the right. Each row lies half a cell to the right of the one above: the neighbours of a cell are those to the left
    and right, the one above and the next to the right of that, the one below and the next to the left of that.

Start
    The board is empty.

Reward
    +1 for the mover who connects both edges, and -1 for the other.

Termination
    A player's edges are connected.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    The board game of Piet Hein (1942) and John Nash (1948); the same as OpenSpiel's `hex(board_size=11)`.

Version history
    1: first release.
"""

from ..canvas import ellipse, fill, letter, rect, triangle
from ..game import Game, state
from ..rng import uniform

SIZE, CELLS = 11, 121
MINE, THEIRS, SIDEWAYS = range(3)

# The record's board has a border of stones: the first player's above and below, the second's left and right.
WIDE = SIZE + 2
PLACES = WIDE * WIDE
AROUND = (-WIDE, 1 - WIDE, 1, WIDE, WIDE - 1, -1)  # the six neighbours, clockwise
TOP, BOTTOM, LEFT, RIGHT = 0, PLACES - 1, WIDE, 2 * WIDE - 1  # a place on each edge
EDGES = ((TOP, BOTTOM), (LEFT, RIGHT))

State = state(
    player="i1",  # whose turn it is
    last="i2",  # the place of the last stone, or -1
    board="(169,)i1",  # 0 free, 1 the first player's, 2 the second's
    parents="(169,)i2",  # the next place on the way to the root of its group, which is its own parent
)


def reset(s, random):
    s.last = -1
    for place in range(PLACES):
        s.parents[place] = place
    for k in range(1, WIDE - 1):
        fence(s, WIDE * k, 2, LEFT)
        fence(s, WIDE * k + WIDE - 1, 2, RIGHT)
    for k in range(WIDE):
        fence(s, k, 1, TOP)
        fence(s, PLACES - 1 - k, 1, BOTTOM)


def fence(s, place, mark, edge):
    s.board[place] = mark
    s.parents[place] = edge


def step(s, action, random):
    mover, place = s.player, place_of(action)
    mark = mover + 1
    s.board[place] = mark
    s.last = place
    s.player = 1 - mover
    for k in range(6):
        if s.board[place + AROUND[k]] == mark:
            join(s, place, place + AROUND[k])
    if connected(s, mover):
        return 1.0, True
    return 0.0, False


def place_of(cell):
    return WIDE * (cell // SIZE + 1) + cell % SIZE + 1


def join(s, place, neighbour):
    """Make one group of two; the neighbour is then next to the root, which keeps the ways there short."""
    top = root(s, neighbour)
    s.parents[neighbour] = top
    s.parents[root(s, place)] = top


def root(s, place):
    """What all places of a group have in common."""
    while s.parents[place] != place:
        place = s.parents[place]
    return place


def connected(s, player):
    return root(s, EDGES[player][0]) == root(s, EDGES[player][1])


def legal(s, allowed):
    for row in range(SIZE):
        for col in range(SIZE):
            allowed[SIZE * row + col] = s.board[WIDE * (row + 1) + col + 1] == 0


TIE, BRIDGE, STEP = 100.0, 1.0, 0.4
ATTACK, CENTRE = 1.1, 0.1


def heuristic(s, player, random):
    """Take the cell that is of most use to both players: it saves or cuts a bridge, or brings a chain nearer to an edge."""
    best, highest = 0, -1.0e9
    for cell in range(CELLS):
        place = place_of(cell)
        if s.board[place] == 0:
            off_centre = abs(cell // SIZE - SIZE // 2) + abs(cell % SIZE - SIZE // 2)
            value = ATTACK * use(s, place, player) + use(s, place, 1 - player)
            value += 0.5 * uniform(random) - CENTRE * off_centre
            if value > highest:
                best, highest = cell, value
    return best


def use(s, place, player):
    """What a stone there does for a player.

    Two stones with two free cells between them are a bridge: if the other takes one cell, the second one still joins them.
    """
    mark, value = player + 1, 0.0
    for k in range(6):
        one, two, three = place + AROUND[k], place + AROUND[(k + 1) % 6], place + AROUND[(k + 2) % 6]
        if s.board[one] == mark:
            value += STEP * gain(place, one, player)
            if s.board[three] == mark and s.board[two] == 2 - player and root(s, one) != root(s, three):
                value += TIE
        elif s.board[one] == 0 and s.board[two] == 0 and s.board[one + two - place] == mark:
            value += BRIDGE * gain(place, one + two - place, player)
    return value


def gain(place, stone, player):
    """How much further than a stone that is from the middle between the player's edges; an edge has nothing to gain."""
    there, here = (place // WIDE, stone // WIDE) if player == 0 else (place % WIDE, stone % WIDE)
    middle = WIDE // 2
    return 0 if here == 0 or here == WIDE - 1 else abs(there - middle) - abs(here - middle)


def observe(s, player, planes):
    for row in range(SIZE):
        for col in range(SIZE):
            owner = s.board[WIDE * (row + 1) + col + 1]
            planes[row, col, MINE] = owner == player + 1
            planes[row, col, THEIRS] = owner == 2 - player
            planes[row, col, SIDEWAYS] = player


NIGHT, TILE, TILE_LIGHT, SEAM = (30, 33, 48), (214, 212, 202), (226, 224, 215), (150, 149, 148)
COLORS = ((222, 74, 66), (52, 116, 214))
SHADES = ((160, 42, 44), (30, 74, 156))
GLINTS = ((255, 176, 158), (158, 202, 255))
INK, MARK = (150, 154, 178), (255, 255, 255)
PITCH, POINT = 0.8660254037844386, 0.5773502691896258  # from row to row, and from the middle of a cell to its points
X, Y = 1.3, 1.6  # the middle of the first cell
RIM = 0.3  # how far the edges stick out


def backdrop(canvas):
    fill(canvas, NIGHT)
    for k in range(SIZE):
        last = SIZE - 1
        hexagon(canvas, X + k, Y - RIM, 1.0, COLORS[0])
        hexagon(canvas, X + k + 0.5 * last, Y + PITCH * last + RIM, 1.0, COLORS[0])
    for k in range(SIZE):
        x, y = X + 0.5 * k, Y + PITCH * k
        hexagon(canvas, x - PITCH * RIM, y + 0.5 * RIM, 1.0, COLORS[1])
        hexagon(canvas, x + last + PITCH * RIM, y - 0.5 * RIM, 1.0, COLORS[1])
    for cell in range(CELLS):
        x, y = X + cell % SIZE + 0.5 * (cell // SIZE), Y + PITCH * (cell // SIZE)
        hexagon(canvas, x, y, 1.02, SEAM)
        hexagon(canvas, x, y, 0.92, TILE)
        hexagon(canvas, x, y - 0.02, 0.8, TILE_LIGHT)
    for k in range(SIZE):
        letter(canvas, 10 + k, X + k - 0.4, Y - 1.35, 0.22, 0.3, INK)
        row_number(canvas, k + 1, X + 0.5 * k - 1.12, Y + PITCH * k - 0.02)


def hexagon(canvas, x, y, size, color):
    """A cell of the given size, standing on a point, around (x, y)."""
    side, point = 0.5 * size, POINT * size
    rect(canvas, x - side, y - 0.5 * point, 2.0 * side, point, color)
    triangle(canvas, x - side, y - 0.5 * point, x, y - point, x + side, y - 0.5 * point, color)
    triangle(canvas, x - side, y + 0.5 * point, x, y + point, x + side, y + 0.5 * point, color)


def row_number(canvas, row, x, y):
    if row > 9:
        letter(canvas, row // 10, x - 0.27, y, 0.22, 0.3, INK)
    letter(canvas, row % 10, x, y, 0.22, 0.3, INK)


def draw(s, player, canvas):
    for cell in range(CELLS):
        place = place_of(cell)
        if s.board[place] != 0:
            x, y = X + cell % SIZE + 0.5 * (cell // SIZE), Y + PITCH * (cell // SIZE)
            owner = s.board[place] - 1
            draw_stone(canvas, x, y, owner)
            if place == s.last or (connected(s, owner) and root(s, place) == root(s, EDGES[owner][0])):
                ellipse(canvas, x - 0.13, y - 0.13, 0.26, 0.26, MARK)
    draw_stone(canvas, 1.5, Y + PITCH * (SIZE - 1), s.player)  # whose turn it is


def draw_stone(canvas, x, y, owner):
    hexagon(canvas, x, y, 0.92, SHADES[owner])
    ellipse(canvas, x - 0.4, y - 0.4, 0.8, 0.8, COLORS[owner])
    ellipse(canvas, x - 0.22, y - 0.3, 0.3, 0.18, GLINTS[owner])


def click(s, x, y):
    """The cell whose middle is nearest."""
    row = min(max(round((y - Y) / PITCH), 0), SIZE - 1)
    col = round(x - X - 0.5 * row)
    return SIZE * row + col if 0 <= col < SIZE else -1


GAME = Game(
    name="Hex",
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
    player_names=("red", "blue"),
    shape=(SIZE, SIZE),
    planes=("mine", "theirs", "sideways"),
    actions=tuple(f"{col}{row}" for row in range(1, SIZE + 1) for col in "abcdefghijk"),
    canvas=(17.6, 11.6),
)
