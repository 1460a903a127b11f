"""Backgammon: bring your fifteen men home and off the board before the other does.

Description
    Two players race around 24 points in opposite directions. Each counts them from the far end, 24, down to 1; the last
    six are home. The mover rolls two dice and moves a man for each, or four men after a double. A point with two or more
    men of the other's is closed. A single man is hit by one that arrives there: it goes to the bar and has to enter on the
    other's last six points (from the bar at 25) before its owner may do anything else. When all men of a player are home,
    they are borne off: from the point that the die shows, or, with a higher die, from the last point that has any.

Actions
    One man at a time: 0 `pass`; `1 by 1` .. `1 by 6`, `2 by 1` .. `24 by 6`, `bar by 1` .. `bar by 6`, number 6 * (point -
    1) + die, points as the mover counts. Both dice must be used if that is possible, so a move is illegal after which the
    other die cannot be, while another move leaves it usable. If either die can be used but not both, it must be the
    higher. `pass` is legal if nothing else is, at the start of a turn; later, the turn ends by itself.

Observation
    Features: for each of my men and theirs, and each point from 1 to 24 as I count, four numbers: whether there is one
    man, are two, are three or more, and by how many more, divided by 12; `my bar`, `their bar`, `my men off`, `their men
    off`, divided by 15; and for each face how many dice that show it are left, divided by 4.

Start
    The men stand on 24 (2), 13 (5), 8 (3) and 6 (5). Both roll one die until they differ: the higher begins, with both.

Reward
    At the end, for the winner: +1; +2 if the other has borne off no man (gammon); +3 if, besides, one is on the bar or in
    the winner's home (backgammon). The other player gets the opposite. There is no doubling cube.

Termination
    A player has borne off all men.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    Common knowledge (backgammon galore, bkgm.com/rules.html); the same as OpenSpiel's `backgammon` with full scoring,
    which moves two men at a time. Features after Tesauro 1995, "Temporal difference learning and TD-Gammon".

Version history
    1: first release.
"""

import math

from ..canvas import ellipse, fill, rect, triangle
from ..game import Game, state
from ..rng import below

OFF, HOME, POINTS, BAR = 0, 6, 24, 25
MEN, FACES = 15, 6
PASS = 0
START_POINTS, START_MEN = (24, 13, 8, 6), (2, 5, 3, 5)
BARS, MEN_OFF, DICE = 192, 194, 195  # among the features; dice from face 1

State = state(
    player="i1",  # whose turn it is
    men="(2,26)i1",  # each player's, by point as that player counts; 0 is off, 25 the bar
    dice="(2,)i1",
    left="(2,)i1",  # how often each may still be used; after a double the first four times, the second not at all
    usable="(2,)i4",  # from which points each may be used now, a bit for each point
)


def reset(s, random):
    for player in range(2):
        for k in range(4):
            s.men[player, START_POINTS[k]] = START_MEN[k]
    mine = below(random, FACES)
    theirs = (mine + 1 + below(random, FACES - 1)) % FACES
    s.player = 0 if mine > theirs else 1
    take_dice(s, mine + 1, theirs + 1)


def take_dice(s, one, other):
    s.dice[0], s.dice[1] = one, other
    s.left[0], s.left[1] = (4, 0) if one == other else (1, 1)
    find_moves(s)


def step(s, action, random):
    mover = s.player
    if action != PASS:
        point, die = (action - 1) // FACES + 1, (action - 1) % FACES + 1
        move(s, mover, point, die)
        if s.men[mover, OFF] == MEN:
            return value_of_win(s, 1 - mover), True
        s.left[0 if s.dice[0] == die else 1] -= 1
        find_moves(s)
    if s.usable[0] == 0 and s.usable[1] == 0:
        s.player = 1 - mover
        take_dice(s, below(random, FACES) + 1, below(random, FACES) + 1)
    return 0.0, False


def move(s, player, point, die):
    target = max(point - die, OFF)
    s.men[player, point] -= 1
    s.men[player, target] += 1
    if target != OFF and s.men[1 - player, BAR - target] == 1:
        s.men[1 - player, BAR - target] = 0
        s.men[1 - player, BAR] += 1


def value_of_win(s, loser):
    if s.men[loser, OFF] > 0:
        return 1.0
    for point in range(BAR - HOME, BAR + 1):
        if s.men[loser, point] > 0:
            return 3.0
    return 2.0


def find_moves(s):
    """Work out which points each die may be used from. Points are bits: 1 << 24 is point 24."""
    mine, closed = 0, 0
    for point in range(1, BAR + 1):
        if s.men[s.player, point] > 0:
            mine |= 1 << point
        if s.men[1 - s.player, BAR - point] > 1 and point < BAR:
            closed |= 1 << point
    for k in range(2):
        s.usable[k] = sources(mine, closed, s.dice[k]) if s.left[k] > 0 else 0
    if s.left[0] > 0 and s.left[1] > 0:  # two different dice
        first, second = leading_on(s, mine, closed, 0), leading_on(s, mine, closed, 1)
        if first != 0 or second != 0:
            s.usable[0], s.usable[1] = first, second
        elif s.usable[0] != 0 and s.usable[1] != 0:
            s.usable[0 if s.dice[0] < s.dice[1] else 1] = 0


def sources(mine, closed, die):
    """From which of my points a die can be used, in bits."""
    if mine >> BAR == 1:
        return (1 << BAR) & ~(closed << die)
    found = mine & ~(closed << die) & -(2 << die)  # from points above the die, to others that are not closed
    if mine < 2 << HOME:  # all are home
        found |= mine & (1 << die)
        if mine < 1 << die:
            found |= last_of(mine)
    return found


def last_of(mine):
    """The last point at home with a man, in bits."""
    last = 0
    for point in range(1, HOME + 1):
        if mine >> point & 1 == 1:
            last = 1 << point
    return last


def leading_on(s, mine, closed, k):
    """From which points one die may be used so that the other can be used afterwards, in bits."""
    found, die, then = 0, s.dice[k], s.dice[1 - k]
    for point in range(1, BAR + 1):
        if s.usable[k] >> point & 1 == 1:
            after = mine
            if s.men[s.player, point] == 1:
                after ^= 1 << point
            if point > die:
                after |= 1 << (point - die)
            if sources(after, closed, then) != 0:
                found |= 1 << point
    return found


def legal(s, allowed):
    allowed[PASS] = s.usable[0] == 0 and s.usable[1] == 0
    for k in range(2):
        for point in range(1, BAR + 1):
            if s.usable[k] >> point & 1 == 1:
                allowed[FACES * (point - 1) + s.dice[k]] = True


def heuristic(s, player, random):
    """Hit, make points, leave no man alone where it can be hit, and bring the last men on first."""
    best, most = PASS, -1000
    for k in range(2):
        for point in range(1, BAR + 1):
            if s.usable[k] >> point & 1 == 1:
                value = gain(s, player, point, s.dice[k])
                if value > most:
                    best, most = FACES * (point - 1) + s.dice[k], value
    return best


def gain(s, player, point, die):
    """How much better a move makes things, in pips, roughly."""
    target = point - die
    value = cost(s, player, point, s.men[player, point]) - cost(s, player, point, s.men[player, point] - 1)
    if target <= OFF:
        return value + 6
    there = s.men[player, target]
    value += cost(s, player, target, there) - cost(s, player, target, there + 1)
    if s.men[1 - player, BAR - target] == 1:
        value += target + 6
    return value + point // 8


def cost(s, player, point, men):
    """What it costs to have so many men on a point: what could be lost, less what a closed point is worth."""
    if men == 0 or point == BAR:
        return 0
    if men > 1:
        return -8 if 4 <= point <= 7 else -4
    for behind in range(1, point):
        if s.men[1 - player, BAR - behind] > 0:
            return (BAR - point) // 2
    return (BAR - point) // 2 if s.men[1 - player, BAR] > 0 else 0


def observe(s, player, features):
    for side in range(2):
        for point in range(1, POINTS + 1):
            men = s.men[player, point] if side == 0 else s.men[1 - player, BAR - point]
            if men > 0:
                first = 4 * (POINTS * side + point - 1)
                features[first + min(men, 3) - 1] = 1.0
                features[first + 3] = max(men - 3, 0) / 12
        owner = player if side == 0 else 1 - player
        features[BARS + side] = s.men[owner, BAR] / MEN
        features[MEN_OFF + side] = s.men[owner, OFF] / MEN
    for k in range(2):
        if s.left[k] > 0:
            features[DICE + s.dice[k]] = s.left[k] / 4


SIDE, MIDDLE, EDGE = 16.0, 8.0, 0.5
LEFT_HALF, RIGHT_HALF, TRAY = 0.5, 7.7, 14.1  # where the two halves of the board and the men that are off begin
FRAME, FRAME_LIGHT, BOARD, HOLLOW = (74, 40, 26), (108, 62, 38), (40, 84, 76), (52, 28, 18)
TRIANGLES = ((214, 178, 126), (158, 62, 44))
SHADOW = (28, 60, 54)
RIMS, FACE, SHINE = ((190, 180, 158), (22, 22, 28)), ((240, 233, 214), (58, 58, 70)), ((255, 252, 242), (88, 88, 104))
DIE, USED, PIP = (250, 248, 240), (128, 142, 132), (30, 32, 40)
DOTS = (0, 16, 257, 273, 325, 341, 365)  # each face in a grid of three by three, a bit a dot


def backdrop(canvas):
    fill(canvas, FRAME)
    rect(canvas, 0.12, 0.12, SIDE - 0.24, 0.12, FRAME_LIGHT)
    rect(canvas, 0.12, 0.12, 0.12, SIDE - 0.24, FRAME_LIGHT)
    for half in range(2):
        left = RIGHT_HALF if half == 1 else LEFT_HALF
        rect(canvas, left, EDGE, 6.0, SIDE - 2 * EDGE, BOARD)
        rect(canvas, TRAY, EDGE + 7.8 * half, 1.4, 7.2, HOLLOW)
        for k in range(6):
            x, color = left + k, TRIANGLES[k % 2]
            triangle(canvas, x + 0.06, EDGE, x + 0.94, EDGE, x + 0.5, 6.4, color)
            color = TRIANGLES[1 - k % 2]
            triangle(canvas, x + 0.06, SIDE - EDGE, x + 0.94, SIDE - EDGE, x + 0.5, SIDE - 6.4, color)
    rect(canvas, RIGHT_HALF - 0.65, EDGE, 0.1, SIDE - 2 * EDGE, HOLLOW)  # the hinge


def draw(s, player, canvas):
    near = max(player, 0)  # the player whose home is at the bottom
    for owner in range(2):
        is_near = owner == near
        for point in range(1, POINTS + 1):
            seen = point if is_near else BAR - point
            draw_men(canvas, column(seen), seen > 12, s.men[owner, point], owner)
        for k in range(s.men[owner, BAR]):
            y = MIDDLE + 1.3 + 0.95 * k if is_near else MIDDLE - 1.3 - 0.95 * k
            draw_man(canvas, 7.1, y, owner)
        for k in range(s.men[owner, OFF]):
            y = SIDE - EDGE - 0.44 * (k + 1) if is_near else EDGE + 0.44 * k
            rect(canvas, TRAY + 0.12, y, 1.16, 0.4, RIMS[owner])
            rect(canvas, TRAY + 0.12, y + 0.04, 1.16, 0.26, FACE[owner])
    x = RIGHT_HALF + 3.0 if s.player == near else LEFT_HALF + 3.0
    if s.dice[0] == s.dice[1]:
        for k in range(4):
            draw_die(canvas, x - 2.72 + 1.44 * k, s.dice[0], k < s.left[0], s.player)
    else:
        for k in range(2):
            draw_die(canvas, x - 1.28 + 1.44 * k, s.dice[k], s.left[k] > 0, s.player)


def column(point):
    """The middle of a point, as the player at the bottom counts."""
    if point <= 6:
        return RIGHT_HALF + 6.5 - point
    if point <= 12:
        return LEFT_HALF + 12.5 - point
    if point <= 18:
        return LEFT_HALF + point - 12.5
    return RIGHT_HALF + point - 18.5


def draw_men(canvas, x, at_top, count, owner):
    pitch = min(0.94, 5.6 / max(count, 1))  # many stand closer
    for k in range(count):
        y = EDGE + 0.5 + pitch * k if at_top else SIDE - EDGE - 0.5 - pitch * k
        draw_man(canvas, x, y, owner)


def draw_man(canvas, x, y, owner):
    ellipse(canvas, x - 0.4, y - 0.38, 0.92, 0.94, SHADOW)
    ellipse(canvas, x - 0.47, y - 0.47, 0.94, 0.94, RIMS[owner])
    ellipse(canvas, x - 0.4, y - 0.4, 0.8, 0.8, FACE[owner])
    ellipse(canvas, x - 0.27, y - 0.27, 0.54, 0.54, RIMS[owner])
    ellipse(canvas, x - 0.21, y - 0.21, 0.42, 0.42, SHINE[owner])


def draw_die(canvas, x, face, unused, owner):
    y = MIDDLE - 0.64
    rect(canvas, x + 0.1, y + 0.12, 1.28, 1.28, SHADOW)
    rect(canvas, x, y, 1.28, 1.28, RIMS[owner])
    rect(canvas, x + 0.06, y + 0.06, 1.16, 1.16, DIE if unused else USED)
    for k in range(9):
        if DOTS[face] >> k & 1 == 1:
            ellipse(canvas, x + 0.16 + 0.34 * (k % 3), y + 0.16 + 0.34 * (k // 3), 0.28, 0.28, PIP)


def click(s, x, y):
    """A man on a point or the bar: at the edge by the left die, towards the middle by the right one, if both are unused."""
    if LEFT_HALF + 6 <= x < RIGHT_HALF:
        point, inner = BAR, abs(y - MIDDLE) < 2.5
    else:
        col = math.floor(x - LEFT_HALF) if x < RIGHT_HALF else 6 + math.floor(x - RIGHT_HALF)
        if not 0 <= col < 12:
            return -1
        point, inner = (13 + col if y < MIDDLE else 12 - col), abs(y - MIDDLE) < MIDDLE - EDGE - 3
    k = 1 if inner else 0
    die = s.dice[k] if s.left[k] > 0 else s.dice[1 - k]
    return 1 + FACES * (point - 1) + die - 1 if die > 0 else -1


GAME = Game(
    name="Backgammon",
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
    player_names=("white", "black"),
    features=(
        *(
            f"{whose} {point} {what}"
            for whose in ("my", "their")
            for point in range(1, POINTS + 1)
            for what in ("one", "two", "three", "more")
        ),
        *("my bar", "their bar", "my men off", "their men off"),
        *(f"dice {face}" for face in range(1, FACES + 1)),
    ),
    actions=(
        "pass",
        *(f"{point if point < BAR else 'bar'} by {die}" for point in range(1, BAR + 1) for die in range(1, FACES + 1)),
    ),
    keys={"space": "pass"},
    canvas=(SIDE, SIDE),
    fps=2,
)
