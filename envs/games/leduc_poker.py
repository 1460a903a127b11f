"""LeducPoker: two rounds of bets on your card and one that both players share; a pair wins.

Description
    A deck has six cards: jack, queen and king of hearts and of spades. Both players put one chip into the pot and are
    dealt a card that only they see. In each of two rounds the first player begins: a player may check (call when there is
    nothing to match), raise, call what the other raised, or fold, which gives up the pot. A raise is two chips in the
    first round and four in the second; there are at most two raises a round. The round ends when a raise is called or
    both check. After the first round, a third card is laid open. At the end, who has a pair with it wins, else the higher
    card; two equal cards share the pot.

Actions
    0 fold, 1 call (or check), 2 raise. Fold is legal only after a raise, raise while the round has had less than two.

Observation
    Features, as the mover knows them, 0 or 1 where nothing else is said: `jack`, `queen`, `king`, the card held; `open
    jack`, `open queen`, `open king`, the card on the table; `first`, whether the mover is the one who begins; of each
    round, whether it was opened with a check, and whether there was one raise and a second: `check 1`, `raise 1`,
    `reraise 1`, `check 2`, `raise 2`, `reraise 2`; `my chips`, `their chips`, those in the pot, divided by 13, the most
    there can be. Suits matter to nobody and are only drawn.

Start
    Three of the six cards are dealt, all ways equally likely; the third one stays hidden in the first round.

Reward
    At the end, in chips: what the mover wins of the other's, or loses, from -13 to 13; 0 if the pot is shared. The other
    player gets the opposite.

Termination
    A player folds, or the cards are shown.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    Southey et al. 2005, "Bayes' bluff: opponent modelling in poker"; the same as OpenSpiel's `leduc_poker`.

Version history
    1: first release.
"""

import numpy as np

from ..canvas import ellipse, fill, letter, number, rect, triangle
from ..game import Game, state
from ..rng import below, chance

JACK, QUEEN, KING = range(3)
CARDS, SUITS = 6, 2
ROUNDS = 2
MOST_RAISES, MOST_CHIPS = 2, 13
RAISES = (2, 4)  # chips, by round
FOLD, CALL, RAISE = range(3)
CHECK = 3  # a call with nothing to match: not an action of its own, but a word of its own
HEARTS = 1
PILE = 5
OPEN, FIRST, BETS, CHIPS_IN = 3, 6, 7, 13  # among the features

State = state(
    player="i1",  # whose turn it is
    round="i1",
    hands="(2,)i1",  # cards, rank * 2 + suit
    public="i1",  # the third card, hidden in the first round
    chips="(2,)i1",  # in the pot, from each player
    checked="(2,)i1",  # whether the round was opened with a check
    raises="(2,)i1",  # in the round
    last="(2,)i1",  # what each player did last: 0 nothing yet, 1 fold, 2 call, 3 raise, 4 check
    shown="?",  # the cards are on the table
)


def reset(s, random):
    first = below(random, CARDS)
    second = (first + 1 + below(random, CARDS - 1)) % CARDS
    left = below(random, CARDS - 2)  # how many of the others to leave out
    for card in range(CARDS):
        if card != first and card != second:
            if left == 0:
                s.public = card
            left -= 1
    s.hands[0], s.hands[1] = first, second
    s.chips[0], s.chips[1] = 1, 1


def step(s, action, random):
    mover, other = s.player, 1 - s.player
    to_match = s.raises[s.round] > 0
    s.last[mover] = 1 + (CHECK if action == CALL and not to_match else action)
    s.player = other
    if action == FOLD:
        return -float(s.chips[mover]), True
    if action == RAISE:
        s.chips[mover] = s.chips[other] + RAISES[s.round]
        s.raises[s.round] += 1
        return 0.0, False
    s.chips[mover] = s.chips[other]
    if not to_match and s.checked[s.round] == 0:
        s.checked[s.round] = 1
        return 0.0, False
    if s.round == 0:
        s.round, s.player = 1, 0
        return 0.0, False
    s.shown = True
    return showdown(s, mover), True


def showdown(s, player):
    """What the player wins when the cards are shown."""
    mine, theirs = strength(s, player), strength(s, 1 - player)
    if mine == theirs:
        return 0.0
    return float(s.chips[1 - player]) if mine > theirs else -float(s.chips[player])


def strength(s, player):
    rank = s.hands[player] // SUITS
    return rank + KING + 1 if rank == s.public // SUITS else rank


def legal(s, allowed):
    allowed[FOLD] = s.chips[s.player] < s.chips[1 - s.player]
    allowed[CALL] = True
    allowed[RAISE] = s.raises[s.round] < MOST_RAISES


def heuristic(s, player, random):
    """Raise with a pair, or a king until the open card comes; call with a fair card; bluff with a poor one now and then."""
    rank = s.hands[player] // SUITS
    after_raise = s.chips[player] < s.chips[1 - player]
    good = rank == KING if s.round == 0 else strength(s, player) > KING
    fair = rank == QUEEN if s.round == 0 else rank == KING
    if good:
        return RAISE if s.raises[s.round] < MOST_RAISES else CALL
    if fair:
        return RAISE if not after_raise and chance(random, 0.5) else CALL
    if after_raise:
        return CALL if rank == QUEEN and chance(random, 0.5) else FOLD
    return RAISE if chance(random, 0.15) else CALL


def observe(s, player, features):
    features[s.hands[player] // SUITS] = 1.0
    if s.round == 1:
        features[OPEN + s.public // SUITS] = 1.0
    features[FIRST] = player == 0
    for turn in range(ROUNDS):
        features[BETS + 3 * turn] = s.checked[turn]
        features[BETS + 3 * turn + 1] = s.raises[turn] > 0
        features[BETS + 3 * turn + 2] = s.raises[turn] > 1
    features[CHIPS_IN] = s.chips[player] / MOST_CHIPS
    features[CHIPS_IN + 1] = s.chips[1 - player] / MOST_CHIPS


TABLE, WIDTH, HEIGHT = 16.0, 3.2, 4.5  # the table's side, a card's sides
WOOD, WOOD_LIGHT, FELT, FELT_LIGHT, FELT_LINE = (72, 42, 26), (122, 76, 44), (22, 92, 66), (28, 108, 78), (74, 148, 112)
PAPER, EDGE, SHADOW, GOLD = (250, 247, 238), (176, 168, 150), (14, 62, 46), (250, 206, 92)
BLACK, RED = (34, 36, 46), (196, 44, 52)
BACK, BACK_LINE = (46, 74, 140), (150, 172, 220)
CHIPS, CHIP_EDGES = ((206, 66, 58), (66, 112, 200)), ((138, 36, 34), (38, 68, 134))
LETTERS = (19, 26, 20)  # J, Q and K in the canvas's alphabet
WORDS = np.array(
    [[15, 24, 21, 13, -1], [12, 10, 21, 21, -1], [27, 10, 18, 28, 14], [12, 17, 14, 12, 20]]
)  # FOLD, CALL, RAISE, CHECK


def backdrop(canvas):
    fill(canvas, WOOD)
    rounded(canvas, 0.15, 0.15, TABLE - 0.3, TABLE - 0.3, 1.6, WOOD_LIGHT)
    rounded(canvas, 0.5, 0.5, TABLE - 1.0, TABLE - 1.0, 1.3, FELT)
    ellipse(canvas, 1.6, 3.9, TABLE - 3.2, TABLE - 7.8, FELT_LINE)
    ellipse(canvas, 1.75, 4.05, TABLE - 3.5, TABLE - 8.1, FELT_LIGHT)
    draw_back(canvas, 2.2, 5.75)  # the rest of the deck
    draw_back(canvas, 2.1, 5.65)
    draw_back(canvas, 2.0, 5.55)


def rounded(canvas, x, y, width, height, corner, color):
    """A rectangle with round corners."""
    rect(canvas, x + corner, y, width - 2 * corner, height, color)
    rect(canvas, x, y + corner, width, height - 2 * corner, color)
    for right in range(2):
        for down in range(2):
            left, top = x + right * (width - 2 * corner), y + down * (height - 2 * corner)
            ellipse(canvas, left, top, 2 * corner, 2 * corner, color)


def draw(s, player, canvas):
    near, middle = max(player, 0), (TABLE - WIDTH) / 2
    if s.round == 1:
        draw_face(canvas, middle, 5.75, s.public)
    for seat in range(2):
        is_near = seat == near
        y = 10.9 if is_near else 0.6
        if s.player == seat:
            rounded(canvas, middle - 0.22, y - 0.22, WIDTH + 0.44, HEIGHT + 0.44, 0.5, GOLD)
        if is_near or player < 0 or s.shown:
            draw_face(canvas, middle, y, s.hands[seat])
        else:
            draw_back(canvas, middle, y)
        draw_chips(canvas, 13.7 if is_near else 3.5, s.chips[seat], seat)
        draw_word(s, canvas, seat, 11.4 if is_near else 3.2)


def draw_face(canvas, x, y, card):
    rank, suit = card // SUITS, card % SUITS
    color = RED if suit == HEARTS else BLACK
    rounded(canvas, x + 0.12, y + 0.16, WIDTH, HEIGHT, 0.36, SHADOW)
    rounded(canvas, x, y, WIDTH, HEIGHT, 0.36, EDGE)
    rounded(canvas, x + 0.06, y + 0.06, WIDTH - 0.12, HEIGHT - 0.12, 0.3, PAPER)
    letter(canvas, LETTERS[rank], x + 0.34, y + 0.36, 1.3, 1.75, color)
    draw_suit(canvas, suit, x + 1.35, y + 2.35, 1.6, color)
    draw_suit(canvas, suit, x + 2.15, y + 0.42, 0.7, color)


def draw_suit(canvas, suit, x, y, size, color):
    """A heart or a spade in a square of that size."""
    part = size / 2
    if suit == HEARTS:
        ellipse(canvas, x, y, part * 1.06, part * 1.06, color)
        ellipse(canvas, x + part * 0.94, y, part * 1.06, part * 1.06, color)
        triangle(canvas, x + 0.03 * size, y + part * 0.72, x + 0.97 * size, y + part * 0.72, x + part, y + size, color)
    else:
        triangle(canvas, x + part, y + part, x + 0.25 * size, y + size, x + 0.75 * size, y + size, color)
        triangle(canvas, x + part, y, x + 0.03 * size, y + part * 1.1, x + 0.97 * size, y + part * 1.1, color)
        ellipse(canvas, x, y + part * 0.66, part * 1.06, part * 1.0, color)
        ellipse(canvas, x + part * 0.94, y + part * 0.66, part * 1.06, part * 1.0, color)


def draw_back(canvas, x, y):
    rounded(canvas, x + 0.12, y + 0.16, WIDTH, HEIGHT, 0.36, SHADOW)
    rounded(canvas, x, y, WIDTH, HEIGHT, 0.36, PAPER)
    rounded(canvas, x + 0.22, y + 0.22, WIDTH - 0.44, HEIGHT - 0.44, 0.22, BACK)
    for row in range(5):
        for col in range(3):
            left, top = x + 0.4 + 0.8 * col, y + 0.42 + 0.74 * row
            triangle(canvas, left + 0.4, top, left + 0.1, top + 0.36, left + 0.7, top + 0.36, BACK_LINE)
            triangle(canvas, left + 0.4, top + 0.72, left + 0.1, top + 0.36, left + 0.7, top + 0.36, BACK_LINE)
            ellipse(canvas, left + 0.27, top + 0.23, 0.26, 0.26, BACK)


def draw_chips(canvas, y, count, seat):
    """Piles of five chips beside the player's card, from the right, and their number below."""
    for chip in range(count):
        x, top = 4.6 - 1.65 * (chip // PILE), y - 0.34 * (chip % PILE)
        if chip % PILE == 0:
            ellipse(canvas, x - 0.72, top - 0.3, 1.65, 1.0, SHADOW)
        ellipse(canvas, x - 0.8, top - 0.45, 1.6, 1.0, CHIP_EDGES[seat])
        ellipse(canvas, x - 0.8, top - 0.65, 1.6, 1.0, CHIPS[seat])
        ellipse(canvas, x - 0.56, top - 0.5, 1.12, 0.7, PAPER)
        ellipse(canvas, x - 0.47, top - 0.44, 0.94, 0.58, CHIPS[seat])
    number(canvas, count, 3.8, y + 0.7, 1.6, 0.75, GOLD)


def draw_word(s, canvas, seat, y):
    """What the player did last."""
    word = s.last[seat] - 1
    if word < 0:
        return
    for k in range(5):
        if WORDS[word, k] >= 0:
            letter(canvas, WORDS[word, k], 10.2 + 1.0 * k, y, 0.8, 1.2, GOLD)


GAME = Game(
    name="LeducPoker",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    legal=legal,
    heuristic=heuristic,
    players=2,
    features=(
        *("jack", "queen", "king", "open jack", "open queen", "open king", "first"),
        *(f"{what} {turn}" for turn in (1, 2) for what in ("check", "raise", "reraise")),
        *("my chips", "their chips"),
    ),
    actions=("fold", "call", "raise"),
    keys={"left": "fold", "down": "call", "right": "raise", "a": "fold", "s": "call", "d": "raise"},
    canvas=(TABLE, TABLE),
    fps=2,
)
