"""Drawing card games inside compiled rules: the table, cards from both sides and piles of chips.

All are drawn on a `canvas` of TABLE x TABLE units, with the shapes of `ludus.envs.canvas`; what lies on the table is the
game's.
"""

from .canvas import ellipse, fill, letter, rect, rounded_rect, triangle

JACK, QUEEN, KING = range(3)  # ranks
CLUBS, HEARTS, SPADES = range(3)  # suits

TABLE = 16.0  # the table's side
WIDTH, HEIGHT = 3.2, 4.5  # of a card
MIDDLE = (TABLE - WIDTH) / 2  # x of a card that lies in the middle
WOOD, WOOD_LIGHT, FELT, FELT_LIGHT, FELT_LINE = (72, 42, 26), (122, 76, 44), (22, 92, 66), (28, 108, 78), (74, 148, 112)
PAPER, EDGE, SHADOW, GOLD = (250, 247, 238), (176, 168, 150), (14, 62, 46), (250, 206, 92)
BLACK, RED = (34, 36, 46), (196, 44, 52)
BACK, BACK_LINE = (46, 74, 140), (150, 172, 220)
CHIPS, CHIP_EDGES = ((206, 66, 58), (66, 112, 200)), ((138, 36, 34), (38, 68, 134))  # by player
LETTERS = (19, 26, 20)  # J, Q and K in the canvas's alphabet


def draw_table(canvas):
    fill(canvas, WOOD)
    rounded_rect(canvas, 0.15, 0.15, TABLE - 0.3, TABLE - 0.3, 1.6, WOOD_LIGHT)
    rounded_rect(canvas, 0.5, 0.5, TABLE - 1.0, TABLE - 1.0, 1.3, FELT)
    ellipse(canvas, 1.6, 3.9, TABLE - 3.2, TABLE - 7.8, FELT_LINE)
    ellipse(canvas, 1.75, 4.05, TABLE - 3.5, TABLE - 8.1, FELT_LIGHT)


def draw_rim(canvas, x, y):
    """A golden rim for a card at (x, y): it is its player's turn."""
    rounded_rect(canvas, x - 0.22, y - 0.22, WIDTH + 0.44, HEIGHT + 0.44, 0.5, GOLD)


def draw_face(canvas, x, y, rank, suit):
    """A card, face up; (x, y) is its top left corner."""
    color = RED if suit == HEARTS else BLACK
    rounded_rect(canvas, x + 0.12, y + 0.16, WIDTH, HEIGHT, 0.36, SHADOW)
    rounded_rect(canvas, x, y, WIDTH, HEIGHT, 0.36, EDGE)
    rounded_rect(canvas, x + 0.06, y + 0.06, WIDTH - 0.12, HEIGHT - 0.12, 0.3, PAPER)
    letter(canvas, LETTERS[rank], x + 0.34, y + 0.36, 1.3, 1.75, color)
    draw_suit(canvas, suit, x + 1.35, y + 2.35, 1.6, color)
    draw_suit(canvas, suit, x + 2.15, y + 0.42, 0.7, color)


def draw_suit(canvas, suit, x, y, size, color):
    """The sign of a suit in a square of that size."""
    part = size / 2
    if suit == HEARTS:
        ellipse(canvas, x, y, part * 1.06, part * 1.06, color)
        ellipse(canvas, x + part * 0.94, y, part * 1.06, part * 1.06, color)
        triangle(canvas, x + 0.03 * size, y + part * 0.72, x + 0.97 * size, y + part * 0.72, x + part, y + size, color)
        return
    triangle(canvas, x + part, y + part, x + 0.25 * size, y + size, x + 0.75 * size, y + size, color)
    if suit == SPADES:
        triangle(canvas, x + part, y, x + 0.03 * size, y + part * 1.1, x + 0.97 * size, y + part * 1.1, color)
        ellipse(canvas, x, y + part * 0.66, part * 1.06, part * 1.0, color)
        ellipse(canvas, x + part * 0.94, y + part * 0.66, part * 1.06, part * 1.0, color)
    else:
        ellipse(canvas, x + part * 0.5, y, part, part, color)
        ellipse(canvas, x, y + part * 0.74, part, part, color)
        ellipse(canvas, x + part, y + part * 0.74, part, part, color)
        rect(canvas, x + part * 0.7, y + part * 0.7, part * 0.6, part * 0.7, color)


def draw_back(canvas, x, y):
    """A card, face down; (x, y) is its top left corner."""
    rounded_rect(canvas, x + 0.12, y + 0.16, WIDTH, HEIGHT, 0.36, SHADOW)
    rounded_rect(canvas, x, y, WIDTH, HEIGHT, 0.36, PAPER)
    rounded_rect(canvas, x + 0.22, y + 0.22, WIDTH - 0.44, HEIGHT - 0.44, 0.22, BACK)
    for row in range(5):
        for col in range(3):
            left, top = x + 0.4 + 0.8 * col, y + 0.42 + 0.74 * row
            triangle(canvas, left + 0.4, top, left + 0.1, top + 0.36, left + 0.7, top + 0.36, BACK_LINE)
            triangle(canvas, left + 0.4, top + 0.72, left + 0.1, top + 0.36, left + 0.7, top + 0.36, BACK_LINE)
            ellipse(canvas, left + 0.27, top + 0.23, 0.26, 0.26, BACK)


def draw_chips(canvas, x, y, count, size, player):
    """A pile of a player's chips; (x, y) is the middle of the lowest, `size` its width."""
    draw_flat(canvas, x + 0.07 * size, y + 0.13 * size, 1.06 * size, SHADOW)
    for chip in range(count):
        top = y - 0.19 * size * chip
        draw_flat(canvas, x, top + 0.03 * size, size, CHIP_EDGES[player])
        draw_flat(canvas, x, top - 0.08 * size, size, CHIPS[player])
        draw_flat(canvas, x, top - 0.08 * size, 0.7 * size, PAPER)
        draw_flat(canvas, x, top - 0.08 * size, 0.58 * size, CHIPS[player])


def draw_flat(canvas, x, y, size, color):
    """A disc that lies on the table, `size` wide, around (x, y)."""
    ellipse(canvas, x - size / 2, y - 0.31 * size, size, 0.62 * size, color)
