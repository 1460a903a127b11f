"""The window: what it shows where, what keys it hears, how it opens and closes. No agents, and no screen, are needed."""

import sys
from types import SimpleNamespace

import numpy as np
import pygame
import pytest

from ludus.envs import LudusError, Simulator
from ludus.envs.viewer import desktop
from ludus.envs.viewer.scene import CLOSED, Card, Mark, command
from ludus.envs.viewer.window import BOARD, PANEL, SMALLEST, NoDisplay, Window, run

from .stand_in import GREEN, decision, painted, post, press, scene, stub


@pytest.fixture
def window():
    with Window(stub(), "test") as window:
        yield window


def test_the_picture_is_the_games():
    sim = Simulator("Catch", seed=0, autoreset="disabled")
    sim.reset()
    with Window(sim, "Catch") as window:
        pixels = painted(window, scene())
        assert pixels.shape == (BOARD + PANEL, BOARD, 3)
        difference = np.abs(pixels[:BOARD].swapaxes(0, 1).astype(int) - sim.frame(0, BOARD))
        assert np.mean(difference > 8) < 0.01  # but for smoothed edges
        sim.step(np.array([2]))
        moved = painted(window, scene())
        assert not np.array_equal(pixels[:BOARD], moved[:BOARD])
        assert np.array_equal(pixels[BOARD:], moved[BOARD:])


@pytest.mark.parametrize(
    ("width", "height", "size"), [(20, 10, (640, 640)), (10, 20, (320, 640)), (10, 10, (640, 640))]
)
def test_pictures_keep_their_proportions(width, height, size):
    with Window(stub(width, height), "test") as window:
        pixels = painted(window, scene())
        assert pixels.shape[:2] == (size[0] + PANEL, size[1])
        columns, rows = np.nonzero(np.all(pixels[: size[0]] == GREEN, axis=-1))
        assert np.ptp(columns) + 1 == round(640 * width / max(width, height))
        assert np.ptp(rows) + 1 == round(640 * height / max(width, height))


EVERYTHING = {
    "controls": {"a b": "left"},
    "result": Card("Game over", "Score 1.", prompt="r"),
    "marks": (Mark(5, 5, 0.5),),
}


def resize(window, size, smallest=SMALLEST):
    window.desktop.window.minimum_size = smallest
    window.desktop.window.size = size


@pytest.mark.parametrize("rules", [False, True])
@pytest.mark.parametrize("size", [(1300, 900), (620, 480), (700, 240), (200, 100), (1, 1)])
def test_the_window_can_be_resized(window, size, rules):
    resize(window, size, (1, 1))
    window.rules = rules
    card = Card("Paused", "Some text.", {"a b": "left"}, "p")
    pixels = painted(window, scene(decision=decision(0.7, 0.3), card=card, **EVERYTHING))
    assert pixels.shape[:2] == size
    assert np.ptp(pixels) > 0


def test_people_cannot_make_it_smaller_than_it_makes_sense(window):
    resize(window, (50, 50))
    assert window.surface.get_size() == SMALLEST
    assert painted(window, scene()).shape[:2] == SMALLEST


def test_where_there_is_little_room_the_overlay_goes_first_and_the_picture_stays(window):
    def seen(size):
        """How much of the window is the picture, what is beside it, and whether decision are."""
        resize(window, size)
        facts = dict.fromkeys("abcdefgh", "1")
        without = painted(window, scene(facts=facts))
        told = painted(window, scene(facts=facts, decision=decision(0.7, 0.3)))
        green = np.all(np.abs(without.astype(int) - GREEN) < 3, axis=-1)
        return green.mean(), window.areas()[1], not np.array_equal(without, told)

    large, medium, low, small = (seen(size) for size in ((980, 640), (700, 500), (700, 380), SMALLEST))
    assert [part[1] for part in (large, medium, low, small)] == ["panel", "panel", "panel", "strip"]
    assert [part[2] for part in (large, medium, low, small)] == [True, True, False, False]
    assert small[0] > 0.5 and low[0] > 0.3


def test_a_larger_window_has_larger_letters(window):
    usual = window.brush.font("title").get_height()
    resize(window, (2 * (BOARD + PANEL), 2 * BOARD))
    assert window.brush.scale == 2
    assert window.brush.font("title").get_height() == pytest.approx(2 * usual, abs=2)


def test_nothing_is_painted_twice(window, monkeypatch):
    flips = []
    monkeypatch.setattr(window.desktop, "flip", lambda: flips.append(1))
    for _ in range(3):
        window.show(scene())
    assert len(flips) == 1
    window.show(scene(score=2.0))
    assert len(flips) == 2


def test_h_shows_the_rules_and_any_key_goes_on(window):
    window.pressed()
    before = painted(window, scene())
    assert press(window, pygame.K_h) == []  # no session hears of it
    assert window.rules and not np.array_equal(before, painted(window, scene()))
    assert press(window, pygame.K_ESCAPE) == []
    assert not window.rules and np.array_equal(before, painted(window, scene()))
    press(window, pygame.K_h)
    post(pygame.MOUSEBUTTONDOWN, pos=(10, 10), button=1)
    assert window.pressed() == [] and window.clicks == [] and not window.rules


def test_time_stands_still_while_the_rules_are_shown():
    class Reader(Visitor):
        def scene(self):
            self.shown = getattr(self, "shown", 0) + 1
            if self.shown == 1:
                post(pygame.KEYDOWN, key=pygame.K_h)
            self.closed = self.shown == 6
            return scene()

    reader = Reader()
    run(reader, "test")
    assert len(reader.times) == 1


def test_f11_fills_the_screen_and_comes_back(window):
    window.pressed()
    assert press(window, pygame.K_F11) == []
    assert window.surface.get_size() == pygame.display.get_desktop_sizes()[0]
    painted(window, scene())
    assert press(window, pygame.K_F11) == []
    assert window.surface.get_size() == (BOARD + PANEL, BOARD)


def test_the_window_has_an_icon_the_game_itself(monkeypatch):
    icons = []
    with Window(stub(20, 10), "test") as window:
        shown = SimpleNamespace(set_icon=icons.append, get_surface=window.desktop.window.get_surface, flip=lambda: None)
        monkeypatch.setattr(window.desktop, "window", shown)
        window.show(scene())
        window.show(scene(score=2.0))
        monkeypatch.undo()
    assert [icon.get_size() for icon in icons] == [(64, 32)]
    assert np.abs(np.array(icons[0].get_at((5, 5))[:3]) - GREEN).max() < 4  # as smoothscale rounds


def test_the_pointer_is_told_in_the_games_units(window):
    post(pygame.MOUSEMOTION, pos=(BOARD // 2, BOARD // 4), rel=(0, 0), buttons=(0, 0, 0))
    window.pressed()
    assert window.pointer == pytest.approx((5.0, 2.5))
    post(pygame.MOUSEMOTION, pos=(BOARD + 50, 20), rel=(0, 0), buttons=(0, 0, 0))
    window.pressed()
    assert window.pointer is None


def test_keys_are_heard_in_order_and_held_until_let_go(window):
    window.pressed()
    post(pygame.KEYDOWN, key=pygame.K_LEFT)
    post(pygame.KEYDOWN, key=pygame.K_a)
    assert window.pressed() == ["left", "a"]
    assert window.held == ["left", "a"]
    post(pygame.KEYUP, key=pygame.K_a)
    assert window.pressed() == []
    assert window.held == ["left"]
    post(pygame.KEYDOWN, key=pygame.K_SPACE)
    post(pygame.KEYUP, key=pygame.K_SPACE)
    assert window.pressed() == ["space"]
    assert window.held == ["left"]
    post(pygame.WINDOWFOCUSLOST)
    assert window.pressed() == []
    assert window.held == []


def test_closing_the_window_is_heard(window):
    post(pygame.QUIT)
    assert CLOSED in window.pressed()


@pytest.mark.parametrize(
    ("key", "sign", "expected"),
    [
        (pygame.K_EQUALS, "", "+"),
        (pygame.K_EQUALS, "+", "+"),
        (pygame.K_KP_PLUS, "", "+"),
        (pygame.K_MINUS, "-", "-"),
        (pygame.K_KP_MINUS, "", "-"),
        (pygame.K_ESCAPE, "", "esc"),
        (pygame.K_n, "n", "n"),
    ],
)
def test_keyboards_differ_in_where_the_signs_are(window, key, sign, expected):
    window.pressed()
    post(pygame.KEYDOWN, key=key, unicode=sign)
    assert [command(name) for name in window.pressed()] == [expected]


def test_a_tick_is_never_longer_than_a_quarter_second(window, monkeypatch):
    monkeypatch.setattr(window, "clock", SimpleNamespace(tick=lambda _: 5000))
    assert window.tick() == 0.25
    monkeypatch.setattr(window, "clock", SimpleNamespace(tick=lambda _: 20))
    assert window.tick() == pytest.approx(0.02)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_window_closes_whatever_happens(error):
    def fail():
        with Window(stub(), "test"):
            assert pygame.display.get_init()
            raise error

    with pytest.raises(error):
        fail()
    assert not pygame.display.get_init()


class Visitor:
    """A session that stays for three pictures."""

    def __init__(self, error=None):
        self.sim, self.closed, self.error, self.times, self.keys = stub(), False, error, [], []

    def press(self, key):
        self.keys.append(key)

    def advance(self, seconds, held):
        self.times.append(seconds)
        self.closed = len(self.times) == 3
        if self.error is not None:
            raise self.error
        post(pygame.KEYDOWN, key=pygame.K_n)

    def point(self, place):
        self.pointed = place

    def scene(self):
        return scene()


def test_run_hands_over_time_and_keys_until_the_session_closes():
    visitor = Visitor()
    run(visitor, "test")
    assert len(visitor.times) == 3
    assert all(0 <= seconds <= 0.25 for seconds in visitor.times)
    assert visitor.keys.count("n") == 2
    assert not pygame.display.get_init()


def test_ctrl_c_closes_the_window_quietly():
    run(Visitor(KeyboardInterrupt()), "test")
    assert not pygame.display.get_init()


def no_screen(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_display_the_error_names_the_way_out(monkeypatch):
    no_screen(monkeypatch)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(NoDisplay, match=r"ludus record AGENT --out play\.gif") as caught:
        Window(stub(), "test")
    assert isinstance(caught.value, LudusError)
    assert "\n" not in str(caught.value)


def test_a_video_driver_that_does_not_start_is_no_display(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "nonsense")
    with pytest.raises(NoDisplay):
        Window(stub(), "test")
    assert not pygame.display.get_init()


def test_a_driver_that_shows_nothing_is_no_display_unless_asked_for(monkeypatch):
    no_screen(monkeypatch)
    monkeypatch.setenv("DISPLAY", ":no-such-screen")
    monkeypatch.setattr(pygame.display, "init", lambda: None)
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    with pytest.raises(NoDisplay):
        desktop.find_display()
    monkeypatch.setenv("SDL_VIDEODRIVER", "offscreen")
    desktop.find_display()
    monkeypatch.setattr(desktop, "_connected", False)
