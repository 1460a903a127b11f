"""The window: what it paints, what keys it hears, how it opens and closes. No agents, and no screen, are needed."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pygame
import pytest

from ludus.envs import LudusError, Simulator
from ludus.envs import window as module
from ludus.envs.scene import CLOSED, Card, Scene, Thoughts, command, number
from ludus.envs.window import ACCENT, BOARD, PANEL, NoDisplay, Window, most_likely, run

GREEN = (10, 200, 30)


def stub(width=10.0, height=10.0):
    """A simulator that shows plain green."""

    def frame(_, size, player=-1):
        scale = size / max(width, height)
        return np.full((round(height * scale), round(width * scale), 3), GREEN, np.uint8)

    return SimpleNamespace(
        game=SimpleNamespace(canvas=(width, height)), records=np.zeros(1, [("x", "i1")]), frame=frame
    )


def scene(**changes):
    facts, keys = {"steps": "12", "episodes": "3"}, {"q": "quit"}
    return replace(Scene("Game", "agent", 1.0, facts, "playing", live=True, keys=keys), **changes)


def thoughts(*probabilities, chosen=0, values=(1.0, 2.0, 1.5)):
    return Thoughts(tuple(f"action{k}" for k in range(len(probabilities))), probabilities, chosen, values)


def painted(window, scene):
    """The window's pixels, (columns, rows, 3)."""
    window.show(scene)
    return pygame.surfarray.array3d(window.surface)


def post(kind, **facts):
    pygame.event.post(pygame.event.Event(kind, **facts))


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


@pytest.mark.parametrize("size", [(1300, 900), (620, 480), (200, 100), (1, 1)])
def test_the_window_can_be_resized(window, size):
    pygame.display.set_mode(size, pygame.RESIZABLE)
    pixels = painted(
        window, scene(thoughts=thoughts(0.7, 0.3), card=Card("Paused", "Some text.", {"a b": "left"}, "p"))
    )
    assert pixels.shape[:2] == size


def test_it_works_without_any_system_font(monkeypatch):
    monkeypatch.setattr(pygame.font, "match_font", lambda *_, **__: None)
    with Window(stub(), "test") as window:
        empty = painted(window, scene(title=""))
        assert not np.array_equal(empty, painted(window, scene(title="Game")))


def test_nothing_is_painted_twice(window, monkeypatch):
    flips = []
    monkeypatch.setattr(pygame.display, "flip", lambda: flips.append(1))
    for _ in range(3):
        window.show(scene())
    assert len(flips) == 1
    window.show(scene(score=2.0))
    assert len(flips) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Other"},
        {"subtitle": "other"},
        {"score": 7.0},
        {"facts": {"steps": "13", "episodes": "3"}},
        {"status": "paused"},
        {"live": False},
        {"keys": {"q": "quit", "p": "pause"}},
        {"thoughts": thoughts(0.5, 0.5)},
    ],
)
def test_everything_told_can_be_seen_in_the_panel_alone(window, change):
    before, after = painted(window, scene()), painted(window, scene(**change))
    assert np.array_equal(before[:BOARD], after[:BOARD])
    assert not np.array_equal(before[BOARD:], after[BOARD:])


def test_a_card_covers_the_picture_alone(window):
    before, after = painted(window, scene()), painted(window, scene(card=Card("Game over", prompt="r to play again")))
    assert after[:BOARD].mean() < 0.5 * before[:BOARD].mean()  # dimmed
    assert np.array_equal(before[BOARD:], after[BOARD:])


def bar_lengths(pixels, color):
    """Longest run of a colour in each row that has a long one."""
    rows = np.all(pixels[BOARD:] == color, axis=-1).sum(0)
    return [int(n) for n in rows if n > 30]


def test_bars_are_as_long_as_actions_are_likely(window):
    half = bar_lengths(painted(window, scene(thoughts=thoughts(0.5, 0.5))), ACCENT)
    whole = bar_lengths(painted(window, scene(thoughts=thoughts(1.0, 0.0))), ACCENT)
    assert max(whole) == pytest.approx(2 * max(half), abs=4)


def test_only_the_chosen_action_is_highlighted(window):
    first = painted(window, scene(thoughts=thoughts(0.5, 0.5, chosen=0)))
    second = painted(window, scene(thoughts=thoughts(0.5, 0.5, chosen=1)))
    rows = [np.nonzero(np.all(p[BOARD:] == ACCENT, axis=-1).sum(0) > 30)[0] for p in (first, second)]
    assert len(rows[0]) == len(rows[1]) == 6  # the height of one bar
    assert np.all(rows[1] - rows[0] == 22)  # one line further down


def test_of_too_many_actions_the_likely_ones_are_shown_and_always_the_chosen_one():
    mind = thoughts(0.1, 0.3, 0.0, 0.4, 0.2, chosen=2)
    assert list(most_likely(mind, 3)) == [1, 2, 3]
    assert list(most_likely(mind, 9)) == [0, 1, 2, 3, 4]
    assert list(most_likely(mind, 1)) == [2]


def test_thirty_two_actions_leave_the_keys_readable(window):
    many = thoughts(*[1 / 32] * 32, chosen=31)
    below = slice(BOARD - 60, BOARD)  # the keys
    assert np.array_equal(painted(window, scene())[:, below], painted(window, scene(thoughts=many))[:, below])


def test_long_words_are_cut_to_the_panel(window):
    pixels = painted(window, scene(title="W" * 200, subtitle="w" * 400, status="w" * 400))
    assert np.array_equal(pixels[-8:], painted(window, scene())[-8:])  # nothing reaches the margin


def test_wrapped_lines_fit_and_lose_no_word(window):
    words = "keep the ball in play and break every brick of the wall above the paddle"
    lines = window.brush.wrap(words, "message", 150)
    assert " ".join(lines) == words
    assert len(lines) > 2
    assert all(window.brush.width(line, "message") <= 150 for line in lines)


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
        module.find_display()
    monkeypatch.setenv("SDL_VIDEODRIVER", "offscreen")
    module.find_display()


@pytest.mark.parametrize(
    ("value", "text"), [(3.0, "3"), (3.25, "3.25"), (-1, "-1"), (1 / 3, "0.33"), (-0.001, "0"), (100, "100")]
)
def test_numbers_for_people(value, text):
    assert number(value) == text
