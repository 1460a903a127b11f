"""The window: what it paints, what keys it hears, how it opens and closes. No agents, and no screen, are needed."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pygame
import pytest

from ludus.cli import watch
from ludus.cli.play import KEYS, labels
from ludus.envs import LudusError, Simulator, all_games, desktop
from ludus.envs.board import rules_of
from ludus.envs.brush import ACCENT, Brush
from ludus.envs.overlay import most_likely
from ludus.envs.scene import CLOSED, Card, Mark, Scene, Thoughts, command, number, readable
from ludus.envs.window import BOARD, PANEL, SMALLEST, NoDisplay, Window, run

GREEN = (10, 200, 30)
RULES = {"Description": "You walk.\n\nAnd you `run_away`.", "Observation": "Nothing.", "Reward": "None."}
OWN = [game for game in all_games().values() if game.step.__module__.startswith("ludus.")]


def stub(width=10.0, height=10.0):
    """A simulator that shows plain green."""

    def frame(_, size, player=-1):
        scale = size / max(width, height)
        return np.full((round(height * scale), round(width * scale), 3), GREEN, np.uint8)

    game = SimpleNamespace(canvas=(width, height), name="Game", summary="walk", sections=RULES)
    return SimpleNamespace(game=game, records=np.zeros(1, [("x", "i1")]), frame=frame)


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
    pixels = painted(window, scene(thoughts=thoughts(0.7, 0.3), card=card, **EVERYTHING))
    assert pixels.shape[:2] == size
    assert np.ptp(pixels) > 0


def test_people_cannot_make_it_smaller_than_it_makes_sense(window):
    resize(window, (50, 50))
    assert window.surface.get_size() == SMALLEST
    assert painted(window, scene()).shape[:2] == SMALLEST


def test_where_there_is_little_room_the_overlay_goes_first_and_the_picture_stays(window):
    def seen(size):
        """How much of the window is the picture, what is beside it, and whether thoughts are."""
        resize(window, size)
        without, told = painted(window, scene()), painted(window, scene(thoughts=thoughts(0.7, 0.3)))
        green = np.all(np.abs(without.astype(int) - GREEN) < 3, axis=-1)
        return green.mean(), window.areas()[1], not np.array_equal(without, told)

    large, medium, low, small = (seen(size) for size in ((980, 640), (700, 420), (700, 300), SMALLEST))
    assert [part[1] for part in (large, medium, low, small)] == ["panel", "panel", "panel", "strip"]
    assert [part[2] for part in (large, medium, low, small)] == [True, True, False, False]
    assert small[0] > 0.5 and low[0] > 0.3


def test_a_larger_window_has_larger_letters(window):
    usual = window.brush.font("title").get_height()
    resize(window, (2 * (BOARD + PANEL), 2 * BOARD))
    assert window.brush.scale == 2
    assert window.brush.font("title").get_height() == pytest.approx(2 * usual, abs=2)


def test_it_works_without_any_system_font(monkeypatch):
    monkeypatch.setattr(pygame.font, "match_font", lambda *_, **__: None)
    with Window(stub(), "test") as window:
        empty = painted(window, scene(title=""))
        assert not np.array_equal(empty, painted(window, scene(title="Game")))


def test_nothing_is_painted_twice(window, monkeypatch):
    flips = []
    monkeypatch.setattr(window.desktop, "flip", lambda: flips.append(1))
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
        {"controls": {"a": "left"}},
        {"whose": "yellow"},
        {"result": Card("You win", "yellow: 1")},
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


def test_the_end_of_a_game_leaves_the_picture_as_it_is(window):
    before = painted(window, scene())
    after = painted(window, scene(result=Card("Game over", "Score 3.", prompt="space to play again")))
    assert np.array_equal(before[:BOARD], after[:BOARD])
    assert not np.array_equal(before[BOARD:], after[BOARD:])


def test_marks_are_where_actions_are(window):
    before, after = painted(window, scene()), painted(window, scene(marks=(Mark(2.5, 7.5, 0.5, chosen=True),)))
    changed = np.argwhere(np.any(before != after, axis=-1))
    assert np.abs(changed.mean(0) - (2.5 * BOARD / 10, 7.5 * BOARD / 10)).max() < 1
    assert tuple(after[160, 480]) == ACCENT


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


@pytest.fixture(params=["the system's font", "pygame's own font"])
def cut(request, monkeypatch):
    """The words that did not fit where they were written."""
    found = []
    monkeypatch.setattr(Brush, "shorten", lambda brush, words, *_: found.append(words) or words)
    if request.param == "pygame's own font":
        monkeypatch.setattr("ludus.envs.brush.font_path", lambda bold: None)
    return found


class Shown:
    """What is written in a window on a game."""

    def __init__(self, game, monkeypatch):
        self.words = []
        self.sim = stub(*game.canvas)
        self.sim.game = game
        text = Brush.text

        def write(brush, words, *arguments, **settings):
            self.words.append(words)
            text(brush, words, *arguments, **settings)

        monkeypatch.setattr(Brush, "text", write)


@pytest.mark.parametrize("game", OWN, ids=[game.name for game in OWN])
def test_every_games_keys_are_shown_whole(game, cut, monkeypatch):
    seen = Shown(game, monkeypatch)
    controls = labels(game.keys)
    names = {name: "-12.25" for name in game.player_names if game.players > 1}
    facts = names | dict.fromkeys(("steps", "games", "mean score", "best"), "1234")
    with Window(seen.sim, "test") as window:
        window.show(scene(title=game.name, facts=facts, controls=controls, keys=KEYS, status="not allowed now"))
    assert cut == []
    assert {*controls.values(), *KEYS.values()} <= set(seen.words)


@pytest.mark.parametrize("worth", [False, True])
@pytest.mark.parametrize("game", OWN, ids=[game.name for game in OWN])
def test_every_action_is_in_the_overlay_and_whole(game, worth, cut, monkeypatch):
    """On boards of more than 25 actions, those in the overlay are the possible ones, which here are every seventh."""
    seen, count = Shown(game, monkeypatch), len(game.actions)
    able = range(0, count, 7 if count > 25 else 1)
    numbers = [-np.inf if worth else 0.0] * count
    for k in able:
        numbers[k] = -9.25 if worth else 1 / len(able)
    with Window(seen.sim, "test") as window:
        mind = Thoughts(game.actions, tuple(numbers), 0, (1.0,), worth)
        window.show(scene(facts=dict.fromkeys("abcd", "1"), keys=watch.KEYS, thoughts=mind))
    assert cut == []
    assert {readable(game.actions[k]) for k in able} <= set(seen.words)
    assert not any("OTHERS" in words for words in seen.words)


@pytest.mark.parametrize("game", OWN, ids=[game.name for game in OWN])
def test_the_rules_of_every_game_fit_the_window_or_can_be_scrolled(game, monkeypatch):
    seen = Shown(game, monkeypatch)
    with Window(seen.sim, "test") as window:
        window.rules = True
        for _ in range(40):
            window.show(scene(controls=labels(game.keys)))
            window._scroll += 2
    written = " ".join(seen.words)
    assert all(word in written for word in readable(game.sections["Description"]).replace("`", "").split())
    assert "Reward" in seen.words and "Termination" in seen.words


def test_rules_are_what_the_docstring_tells_people():
    rules = dict(rules_of(stub().game, {"left a": "left"}))
    assert rules["Game"] == "Walk." and rules["Keys"] == "left or a: left."
    assert rules["Description"] == "You walk.\n\nAnd you run away." and rules["Reward"] == "None."
    assert "Observation" not in rules


def press(window, *keys):
    for key in keys:
        post(pygame.KEYDOWN, key=key)
        post(pygame.KEYUP, key=key)
    return window.pressed()


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


def test_long_rules_can_be_scrolled_as_far_as_they_go(window):
    window.sim.game.sections = {"Description": " ".join(f"word{k}" for k in range(3000))}
    press(window, pygame.K_h)
    first = painted(window, scene())
    press(window, pygame.K_DOWN)
    second = painted(window, scene())
    assert window.rules and not np.array_equal(first, second)
    press(window, *[pygame.K_DOWN] * 400)
    last = painted(window, scene())
    press(window, pygame.K_UP)
    assert not np.array_equal(last, painted(window, scene()))
    post(pygame.MOUSEWHEEL, y=1000)
    window.pressed()
    assert np.array_equal(first, painted(window, scene()))


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
    monkeypatch.setattr(desktop.DesktopWindow, "icon", lambda window, picture: icons.append(picture))
    with Window(stub(20, 10), "test") as window:
        window.show(scene())
        window.show(scene(score=2.0))
    assert [icon.get_size() for icon in icons] == [(64, 32)]
    assert np.abs(np.array(icons[0].get_at((5, 5))[:3]) - GREEN).max() < 4  # as smoothscale rounds


def test_the_pointer_is_told_in_the_games_units(window):
    post(pygame.MOUSEMOTION, pos=(BOARD // 2, BOARD // 4), rel=(0, 0), buttons=(0, 0, 0))
    window.pressed()
    assert window.pointer == pytest.approx((5.0, 2.5))
    post(pygame.MOUSEMOTION, pos=(BOARD + 50, 20), rel=(0, 0), buttons=(0, 0, 0))
    window.pressed()
    assert window.pointer is None


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


@pytest.mark.parametrize(
    ("value", "text"), [(3.0, "3"), (3.25, "3.25"), (-1, "-1"), (1 / 3, "0.33"), (-0.001, "0"), (100, "100")]
)
def test_numbers_for_people(value, text):
    assert number(value) == text
