"""KuhnPoker: bet that your card is the higher of two, or bluff.

Description
    A deck has three cards: jack, queen and king. Both players put one chip into the pot and are dealt a card that only
    they see. The first player passes or bets one chip more; then the other does. After a bet, who passes gives up the
    pot, and who bets as well calls: the cards are shown and the higher one wins. If both pass, they are shown, too. If
    the first passes and the second bets, the first decides once more.

Actions
    0 pass, 1 bet (which after a bet means to fold, and to call). Both are always legal.

Observation
    Features, each 0 or 1, as the mover knows them: `jack`, `queen`, `king`, the card held; `first`, whether the mover is
    the one who began; `they passed`, `they bet`, what the other did last.

Start
    Two of the three cards are dealt, all ways equally likely. The first player begins.

Reward
    At the end, in chips: what the mover wins, +1 or +2, or loses, -1 or -2. The other player gets the opposite.

Termination
    A player folds, or the cards are shown.

Truncation
    None, unless `max_episode_steps` is given.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    Kuhn 1950, "A simplified two-person poker"; the same as OpenSpiel's `kuhn_poker`.

Version history
    1: first release.
"""

import numpy as np

from ..canvas import ellipse, fill, letter, rect, triangle
from ..game import Game, state
from ..rng import below, chance

JACK, QUEEN, KING = range(3)
CARDS, MOVES = 3, 3
PASS, BET = range(2)
FIRST, THEY = 3, 4  # among the features
BLUFF = 0.25  # how often the heuristic bets first with the jack; anything from 0 to 1/3 is an equilibrium

State = state(
    player="i1",  # whose turn it is
    cards="(2,)i1",
    moves="i1",  # made so far
    history="(3,)i1",  # 0 not made yet, 1 pass, 2 bet
    shown="?",  # the cards are on the table
)


def reset(s, random):
    s.cards[0] = below(random, CARDS)
    s.cards[1] = (s.cards[0] + 1 + below(random, CARDS - 1)) % CARDS


def step(s, action, random):
    mover, after_bet = s.player, faces_bet(s)
    s.history[s.moves] = action + 1
    s.moves += 1
    s.player = 1 - mover
    if after_bet and action == PASS:
        return -1.0, True
    if after_bet or (s.moves == 2 and action == PASS):
        s.shown = True
        stake = 2.0 if after_bet else 1.0
        return stake if s.cards[mover] > s.cards[1 - mover] else -stake, True
    return 0.0, False


def faces_bet(s):
    return s.moves > 0 and s.history[s.moves - 1] == 1 + BET


def legal(s, allowed):
    allowed[PASS] = True
    allowed[BET] = True


def heuristic(s, player, random):
    """Kuhn's equilibrium: the first player bluffs with the jack, and so has to bet the king only three times as often."""
    card, after_bet, first = s.cards[player], faces_bet(s), player == 0
    if card == KING:
        return BET if after_bet or not first or chance(random, 3.0 * BLUFF) else PASS
    if card == JACK:
        return BET if not after_bet and chance(random, BLUFF if first else 1.0 / 3.0) else PASS
    return BET if after_bet and chance(random, BLUFF + 1.0 / 3.0 if first else 1.0 / 3.0) else PASS


def observe(s, player, features):
    features[s.cards[player]] = 1.0
    features[FIRST] = player == 0
    move = last_move(s, 1 - player)
    if move >= 0:
        features[THEY + s.history[move] - 1] = 1.0


def last_move(s, player):
    """The number of the last move that the player made, negative if none."""
    return s.moves - 1 if (s.moves - 1) % 2 == player else s.moves - 2


TABLE, WIDTH, HEIGHT = 16.0, 3.2, 4.5  # the table's side, a card's sides
WOOD, WOOD_LIGHT, FELT, FELT_LIGHT, FELT_LINE = (72, 42, 26), (122, 76, 44), (22, 92, 66), (28, 108, 78), (74, 148, 112)
PAPER, EDGE, SHADOW, GOLD = (250, 247, 238), (176, 168, 150), (14, 62, 46), (250, 206, 92)
BLACK, RED = (34, 36, 46), (196, 44, 52)
BACK, BACK_LINE = (46, 74, 140), (150, 172, 220)
CHIPS, CHIP_EDGES = ((206, 66, 58), (66, 112, 200)), ((138, 36, 34), (38, 68, 134))
LETTERS = (19, 26, 20)  # J, Q and K in the canvas's alphabet
WORDS = np.array([[25, 10, 28, 28], [11, 14, 29, -1], [15, 24, 21, 13], [12, 10, 21, 21]])  # PASS, BET, FOLD, CALL


def backdrop(canvas):
    fill(canvas, WOOD)
    rounded(canvas, 0.15, 0.15, TABLE - 0.3, TABLE - 0.3, 1.6, WOOD_LIGHT)
    rounded(canvas, 0.5, 0.5, TABLE - 1.0, TABLE - 1.0, 1.3, FELT)
    ellipse(canvas, 1.6, 3.9, TABLE - 3.2, TABLE - 7.8, FELT_LINE)
    ellipse(canvas, 1.75, 4.05, TABLE - 3.5, TABLE - 8.1, FELT_LIGHT)
    draw_back(canvas, 2.2, 5.75)  # the card that nobody gets


def rounded(canvas, x, y, width, height, corner, color):
    """A rectangle with round corners."""
    rect(canvas, x + corner, y, width - 2 * corner, height, color)
    rect(canvas, x, y + corner, width, height - 2 * corner, color)
    for right in range(2):
        for down in range(2):
            left, top = x + right * (width - 2 * corner), y + down * (height - 2 * corner)
            ellipse(canvas, left, top, 2 * corner, 2 * corner, color)


def draw(s, player, canvas):
    near = max(player, 0)
    for seat in range(2):
        is_near = seat == near
        x, y = (TABLE - WIDTH) / 2, 10.9 if is_near else 0.6
        if s.player == seat:
            rounded(canvas, x - 0.22, y - 0.22, WIDTH + 0.44, HEIGHT + 0.44, 0.5, GOLD)
        if is_near or player < 0 or s.shown:
            draw_face(canvas, x, y, s.cards[seat])
        else:
            draw_back(canvas, x, y)
        draw_chips(canvas, 7.2 if is_near else 9.2, 9.4 if is_near else 6.9, stake_of(s, seat), seat)
        draw_word(s, canvas, seat, 11.3 if is_near else 3.3)


def stake_of(s, seat):
    """Chips in the pot from one of the players."""
    chips = 1
    for move in range(seat, MOVES, 2):
        chips += s.history[move] == 1 + BET
    return chips


def draw_face(canvas, x, y, card):
    color = RED if card == QUEEN else BLACK
    rounded(canvas, x + 0.12, y + 0.16, WIDTH, HEIGHT, 0.36, SHADOW)
    rounded(canvas, x, y, WIDTH, HEIGHT, 0.36, EDGE)
    rounded(canvas, x + 0.06, y + 0.06, WIDTH - 0.12, HEIGHT - 0.12, 0.3, PAPER)
    letter(canvas, LETTERS[card], x + 0.34, y + 0.36, 1.3, 1.75, color)
    draw_suit(canvas, card, x + 1.35, y + 2.35, 1.6, color)
    draw_suit(canvas, card, x + 2.15, y + 0.42, 0.7, color)


def draw_suit(canvas, card, x, y, size, color):
    """Clubs for the jack, hearts for the queen, spades for the king, in a square of that size."""
    part = size / 2
    if card == QUEEN:
        ellipse(canvas, x, y, part * 1.06, part * 1.06, color)
        ellipse(canvas, x + part * 0.94, y, part * 1.06, part * 1.06, color)
        triangle(canvas, x + 0.03 * size, y + part * 0.72, x + 0.97 * size, y + part * 0.72, x + part, y + size, color)
        return
    triangle(canvas, x + part, y + part, x + 0.25 * size, y + size, x + 0.75 * size, y + size, color)
    if card == KING:
        triangle(canvas, x + part, y, x + 0.03 * size, y + part * 1.1, x + 0.97 * size, y + part * 1.1, color)
        ellipse(canvas, x, y + part * 0.66, part * 1.06, part * 1.0, color)
        ellipse(canvas, x + part * 0.94, y + part * 0.66, part * 1.06, part * 1.0, color)
        return
    ellipse(canvas, x + part * 0.5, y, part, part, color)
    ellipse(canvas, x, y + part * 0.74, part, part, color)
    ellipse(canvas, x + part, y + part * 0.74, part, part, color)
    rect(canvas, x + part * 0.7, y + part * 0.7, part * 0.6, part * 0.7, color)


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


def draw_chips(canvas, x, y, count, seat):
    """A pile of chips; (x, y) is the middle of the lowest."""
    ellipse(canvas, x - 0.82, y - 0.32, 1.9, 1.1, SHADOW)
    for chip in range(count):
        top = y - 0.34 * chip
        ellipse(canvas, x - 0.9, top - 0.5, 1.8, 1.1, CHIP_EDGES[seat])
        ellipse(canvas, x - 0.9, top - 0.7, 1.8, 1.1, CHIPS[seat])
        ellipse(canvas, x - 0.62, top - 0.53, 1.24, 0.76, PAPER)
        ellipse(canvas, x - 0.52, top - 0.47, 1.04, 0.64, CHIPS[seat])


def draw_word(s, canvas, seat, y):
    """What the player did last."""
    move = last_move(s, seat)
    if move < 0:
        return
    after_bet = move > 0 and s.history[move - 1] == 1 + BET
    word = s.history[move] - 1 + 2 * after_bet
    for k in range(4):
        if WORDS[word, k] >= 0:
            letter(canvas, WORDS[word, k], 10.4 + 1.2 * k, y, 1.0, 1.4, GOLD)


GAME = Game(
    name="KuhnPoker",
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
    features=("jack", "queen", "king", "first", "they passed", "they bet"),
    actions=("pass", "bet"),
    keys={"left": "pass", "right": "bet", "a": "pass", "d": "bet", "p": "pass", "b": "bet"},
    canvas=(TABLE, TABLE),
    fps=2,
)
