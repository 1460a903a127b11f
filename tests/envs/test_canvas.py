"""Shapes, letters and numbers on a canvas, in plain Python: where pixels are and where they are not."""

import numpy as np
import pytest

from ludus.envs.canvas import FONT, bitmap, blend, disc, ellipse, letter, line, number, rect, rounded_rect

WHITE = (255, 255, 255)


def drawn(draw, *arguments, size=60, units=6.0):
    """The pixels, (size, size) bool, that a call paints on a black square of so many units."""
    lines = np.zeros((size, size * 3), np.uint8)
    draw((lines, units, units, 3, 3), *arguments, WHITE)
    return lines.reshape(size, size, 3).any(axis=2)


def test_a_blend_lies_between_two_colours():
    assert blend((0, 100, 50), (200, 0, 50), 0, 4) == (0, 100, 50)
    assert blend((0, 100, 50), (200, 0, 50), 1, 4) == (50, 75, 50)
    assert blend((0, 100, 50), (200, 0, 50), 4, 4) == (200, 0, 50)


@pytest.mark.parametrize("color", [(300, 0, 0), (0, -1, 0), (1, 2, 3, 255), (1, 2), (0.5, 0, 0), 3, "red"])
def test_a_bitmap_takes_colours(color):
    with pytest.raises(ValueError, match=r"^bitmap takes x=.* as a colour: write \(red, green, blue\), whole numbers"):
        bitmap("x", x=color)


def test_a_disc_is_an_ellipse_around_its_middle():
    assert np.array_equal(drawn(disc, 3, 2.5, 2), drawn(ellipse, 1, 0.5, 4, 4))


def test_a_rounded_rectangle_lacks_only_what_is_outside_its_corners():
    whole, rounded = drawn(rect, 1, 1, 4, 3), drawn(rounded_rect, 1, 1, 4, 3, 1)
    assert not (rounded & ~whole).any()
    assert rounded[20:30, 10:50].all() and rounded[10:40, 20:40].all()
    assert (whole & ~rounded).sum() / 100 == pytest.approx(4 - np.pi, rel=0.05)  # the area, in units
    assert np.array_equal(rounded, rounded[::, ::-1]) and np.array_equal(rounded[10:40], rounded[10:40][::-1])


def test_a_rounded_rectangle_ends_as_an_ellipse_or_a_rectangle():
    assert np.array_equal(drawn(rounded_rect, 1, 1, 4, 4, 2), drawn(ellipse, 1, 1, 4, 4))
    assert np.array_equal(drawn(rounded_rect, 1, 2, 4, 3, 0), drawn(rect, 1, 2, 4, 3))


def test_a_level_line_is_a_rectangle_of_its_thickness():
    expected = np.zeros((60, 60), bool)
    expected[25:35, 10:50] = True
    assert np.array_equal(drawn(line, 1, 3, 5, 3, 1), expected)
    assert np.array_equal(drawn(line, 3, 5, 3, 1, 1), expected.T)


def test_a_slanted_line_is_as_long_and_as_wide_as_asked():
    pixels = drawn(line, 1, 1, 5, 5, 0.5)
    assert pixels.sum() / 100 == pytest.approx(4 * 2**0.5 * 0.5, rel=0.05)  # the area, in units
    assert np.array_equal(pixels, pixels.T)
    rows, columns = np.nonzero(pixels)
    assert np.abs(rows - columns).max() <= 0.25 * 2**0.5 * 10


def test_a_line_without_length_is_nothing():
    assert not drawn(line, 2, 2, 2, 2, 1).any()


@pytest.mark.parametrize("index", range(36))
def test_a_letter_fills_its_rectangle_dot_by_dot(index):
    pixels = drawn(letter, index, 1, 1, 2.5, 3.5)
    dots = pixels[10:45, 10:35].reshape(7, 5, 5, 5).transpose(0, 2, 1, 3)
    assert np.array_equal(dots.all(axis=(2, 3)), FONT[index] > 0)
    assert np.array_equal(dots.any(axis=(2, 3)), FONT[index] > 0)
    assert pixels.sum() == dots.sum()


def test_letters_differ():
    assert FONT.shape == (36, 7, 5)
    assert len({glyph.tobytes() for glyph in FONT}) == 36


@pytest.mark.parametrize("value", [0, 7, 10, 256, 131072])
def test_a_number_is_in_the_middle_and_inside(value):
    pixels = drawn(number, value, 1, 2, 4, 2, size=240)
    rows, columns = np.nonzero(pixels)
    assert rows.min() >= 80 and rows.max() < 160 and columns.min() >= 40 and columns.max() < 200
    assert abs((rows.min() + rows.max() + 1) / 2 - 120) <= 2
    assert abs((columns.min() + columns.max() + 1) / 2 - 120) <= 20  # a 1 is narrower than its place
