"""What an agent sees, beside the picture: where it is, how large, and when it goes."""

from dataclasses import replace

import numpy as np
import pygame
import pytest

from ludus.envs.viewer.brush import NIGHT, Brush
from ludus.envs.viewer.scene import Sight
from ludus.envs.viewer.sight import WIDTH, paint_sight, scaled
from ludus.envs.viewer.window import BOARD, PANEL, SMALLEST, Window

from .stand_in import GREEN, decision, painted, scene, stub
from .test_window import resize

RED, BLUE = (200, 30, 30), (30, 30, 200)
PLAIN = Sight("Saliency", "gradient of the logit of left", 8, 8, bytes(RED) * 64)
SQUARES = Sight("Decoded planes", "1 of 4 cells wrong", 6, 6, bytes(RED) * 36, 3, (("enemy", RED), ("my_gold", BLUE)))


@pytest.fixture
def window():
    with Window(stub(), "test", sight=True) as window:
        yield window


def share(pixels, color):
    return np.all(pixels == color, axis=-1).mean()


def test_it_stands_between_the_picture_and_the_panel(window):
    without = painted(window, scene())
    with_it = painted(window, scene(sight=PLAIN))
    assert with_it.shape == (BOARD + WIDTH + PANEL, BOARD, 3)
    assert np.all(np.abs(with_it[:BOARD].astype(int) - GREEN) < 3)  # the picture is whole
    assert share(with_it[BOARD : BOARD + WIDTH], RED) > 0.3
    assert np.array_equal(with_it[BOARD + WIDTH :], without[BOARD + WIDTH :])  # and so is the panel


@pytest.mark.parametrize(
    "change", [{"title": "x"}, {"note": "x"}, {"rgb": bytes(BLUE) * 36}, {"cell": 2}, {"legend": (("enemy", BLUE),)}]
)
def test_everything_told_can_be_seen(window, change):
    before = painted(window, scene(sight=SQUARES))
    after = painted(window, scene(sight=replace(SQUARES, **change)))
    assert not np.array_equal(before, after)
    assert np.array_equal(
        np.delete(before, slice(BOARD, BOARD + WIDTH), 0), np.delete(after, slice(BOARD, BOARD + WIDTH), 0)
    )


@pytest.mark.parametrize(
    ("size", "seen"),
    [((1280, 640), True), ((1920, 1080), True), ((1600, 1200), True), ((980, 640), True), ((980, 370), True),
     ((979, 640), False), ((700, 500), False), ((1280, 369), False), (SMALLEST, False)],
)  # fmt: skip
def test_where_there_is_little_room_it_goes_first(window, size, seen):
    resize(window, size)
    facts = dict.fromkeys("abcd", "1")
    told = scene(facts=facts, decision=decision(0.7, 0.3))
    without, with_it = painted(window, told), painted(window, replace(told, sight=PLAIN))
    assert (share(with_it, RED) > 0.02) == seen
    if not seen:
        assert np.array_equal(without, with_it)
    else:
        beside = round(PANEL * window.brush.scale)
        assert np.array_equal(without[-beside:], with_it[-beside:])  # score, facts, decision and keys are as they were
        assert np.all(np.abs(with_it.astype(int) - GREEN) < 30, axis=-1).mean() > 0.15


def test_squares_are_all_alike_and_a_picture_fills_the_width():
    picture = scaled(SQUARES, 101.0, 400.0)
    assert picture.get_size() == (100, 100)
    pixels = pygame.surfarray.array3d(picture)
    assert np.array_equal(pixels[:50, :50], pixels[50:, 50:]) and tuple(pixels[50, 10]) == NIGHT
    assert scaled(PLAIN, 101.0, 400.0).get_size() == (101, 101)
    assert scaled(PLAIN, 300.0, 60.4).get_size() == (60, 60)
    assert scaled(SQUARES, 0.5, 0.5).get_size() == (2, 2)


def written(monkeypatch, sight, height):
    words = []
    monkeypatch.setattr(Brush, "text", lambda brush, line, *_, **__: words.append(line))
    paint_sight(Brush(pygame.Surface((WIDTH, height))), sight, 0, height)
    return words[2:]


def test_of_a_long_legend_is_shown_what_fits(monkeypatch):
    sight = replace(SQUARES, legend=tuple((f"plane_{k}", RED) for k in range(20)))
    names = [f"plane {k}" for k in range(20)]
    assert written(monkeypatch, sight, BOARD) == names
    few = written(monkeypatch, sight, 420)
    assert few[0] == f"AND {20 - len(few[1:])} OTHERS" and 2 <= len(few[1:]) < 20 and few[1:] == names[: len(few[1:])]
    assert len(written(monkeypatch, sight, 370)) >= 1


def test_clicks_find_the_picture_where_it_is(window):
    resize(window, (980, 640))
    painted(window, scene(sight=PLAIN))
    assert window._place_of((170, 320)) == pytest.approx((5.0, 5.0))
    assert window._place_of((500, 320)) is None
    painted(window, scene())
    assert window._place_of((320, 320)) == pytest.approx((5.0, 5.0))
