"""Cards and chips on a canvas, in plain Python."""

import numpy as np
import pytest

from ludus.envs.cards import (
    CLUBS,
    HEARTS,
    HEIGHT,
    JACK,
    KING,
    QUEEN,
    RED,
    SPADES,
    TABLE,
    WIDTH,
    draw_back,
    draw_chips,
    draw_face,
)

DOTS = 20  # pixels a unit


def picture(draw, *arguments):
    """The pixels, (rows, columns, 3), that a call leaves on a black table."""
    side = int(TABLE) * DOTS
    lines = np.zeros((side, side * 3), np.uint8)
    draw((lines, TABLE, TABLE, 3, 3), *arguments)
    return lines.reshape(side, side, 3)


def test_all_faces_and_the_back_differ():
    faces = {picture(draw_face, 2, 3, r, s).tobytes() for r in (JACK, QUEEN, KING) for s in (CLUBS, HEARTS, SPADES)}
    assert len(faces | {picture(draw_back, 2, 3).tobytes()}) == 10


@pytest.mark.parametrize("suit", [CLUBS, HEARTS, SPADES])
def test_only_hearts_are_red(suit):
    assert (picture(draw_face, 2, 3, QUEEN, suit) == RED).all(axis=2).any() == (suit == HEARTS)


def test_both_sides_of_a_card_have_the_same_outline():
    face, back = (pixels.any(axis=2) for pixels in (picture(draw_face, 2, 3, KING, SPADES), picture(draw_back, 2, 3)))
    assert np.array_equal(face, back)
    rows, columns = np.nonzero(face)
    assert rows.min() == 3 * DOTS and columns.min() == 2 * DOTS
    assert rows.max() == pytest.approx((3 + HEIGHT) * DOTS, abs=0.2 * DOTS)  # with its shadow
    assert columns.max() == pytest.approx((2 + WIDTH) * DOTS, abs=0.2 * DOTS)


def test_a_pile_grows_upwards_by_chips():
    tops = [np.nonzero(picture(draw_chips, 8, 8, count, 1.8, 0).any(axis=2))[0].min() for count in range(1, 5)]
    assert np.diff(tops) == pytest.approx(-0.19 * 1.8 * DOTS, abs=1)


def test_players_have_chips_of_their_own():
    assert not np.array_equal(picture(draw_chips, 8, 8, 3, 1.8, 0), picture(draw_chips, 8, 8, 3, 1.8, 1))
