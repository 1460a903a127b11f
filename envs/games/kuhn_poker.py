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

from ..canvas import letter
from ..cards import (
    CLUBS,
    GOLD,
    HEARTS,
    JACK,
    KING,
    MIDDLE,
    SPADES,
    TABLE,
    draw_back,
    draw_chips,
    draw_face,
    draw_rim,
    draw_table,
)
from ..game import Game, state
from ..rng import below, chance

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


CHIP = 1.8  # how wide
SUITS = (CLUBS, HEARTS, SPADES)  # of the three cards
WORDS = np.array([[25, 10, 28, 28], [11, 14, 29, -1], [15, 24, 21, 13], [12, 10, 21, 21]])  # PASS, BET, FOLD, CALL


def backdrop(canvas):
    draw_table(canvas)
    draw_back(canvas, 2.2, 5.75)  # the card that nobody gets


def draw(s, player, canvas):
    near = max(player, 0)
    for seat in range(2):
        is_near = seat == near
        y = 10.9 if is_near else 0.6
        if s.player == seat:
            draw_rim(canvas, MIDDLE, y)
        if is_near or player < 0 or s.shown:
            draw_face(canvas, MIDDLE, y, s.cards[seat], SUITS[s.cards[seat]])
        else:
            draw_back(canvas, MIDDLE, y)
        draw_chips(canvas, 7.2 if is_near else 9.2, 9.4 if is_near else 6.9, stake_of(s, seat), CHIP, seat)
        draw_word(s, canvas, seat, 11.3 if is_near else 3.3)


def stake_of(s, seat):
    """Chips in the pot from one of the players."""
    chips = 1
    for move in range(seat, MOVES, 2):
        chips += s.history[move] == 1 + BET
    return chips


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
    hidden=True,
    draw=draw,
    backdrop=backdrop,
    legal=legal,
    heuristic=heuristic,
    players=2,
    player_names=("red", "blue"),
    features=("jack", "queen", "king", "first", "they passed", "they bet"),
    actions=("pass", "bet"),
    keys={"left": "pass", "right": "bet", "a": "pass", "d": "bet"},
    canvas=(TABLE, TABLE),
    fps=2,
)
