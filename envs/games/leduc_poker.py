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

from ..canvas import letter, number
from ..cards import (
    GOLD,
    HEARTS,
    KING,
    MIDDLE,
    QUEEN,
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

CARDS, SUITS = 6, 2
ROUNDS = 2
MOST_RAISES, MOST_CHIPS = 2, 13
RAISES = (2, 4)  # chips, by round
FOLD, CALL, RAISE = range(3)
CHECK = 3  # a call with nothing to match: not an action of its own, but a word of its own
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


CHIP, PILE = 1.6, 5  # how wide, and how many one on another
SUITS_OF = (SPADES, HEARTS)
WORDS = np.array(
    [[15, 24, 21, 13, -1], [12, 10, 21, 21, -1], [27, 10, 18, 28, 14], [12, 17, 14, 12, 20]]
)  # FOLD, CALL, RAISE, CHECK


def backdrop(canvas):
    draw_table(canvas)
    draw_back(canvas, 2.2, 5.75)  # the rest of the deck
    draw_back(canvas, 2.1, 5.65)
    draw_back(canvas, 2.0, 5.55)


def draw(s, player, canvas):
    near = max(player, 0)
    if s.round == 1:
        draw_card(canvas, MIDDLE, 5.75, s.public)
    for seat in range(2):
        is_near = seat == near
        y = 10.9 if is_near else 0.6
        if s.player == seat:
            draw_rim(canvas, MIDDLE, y)
        if is_near or player < 0 or s.shown:
            draw_card(canvas, MIDDLE, y, s.hands[seat])
        else:
            draw_back(canvas, MIDDLE, y)
        draw_stake(canvas, 13.7 if is_near else 3.5, s.chips[seat], seat)
        draw_word(s, canvas, seat, 11.4 if is_near else 3.2)


def draw_card(canvas, x, y, card):
    draw_face(canvas, x, y, card // SUITS, SUITS_OF[card % SUITS])


def draw_stake(canvas, y, count, seat):
    """Piles of chips beside the player's card, from the right, and their number below."""
    for pile in range((count + PILE - 1) // PILE):
        draw_chips(canvas, 4.6 - 1.65 * pile, y, min(count - PILE * pile, PILE), CHIP, seat)
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
    hidden=True,
    draw=draw,
    backdrop=backdrop,
    legal=legal,
    heuristic=heuristic,
    players=2,
    player_names=("red", "blue"),
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
