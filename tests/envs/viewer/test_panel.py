"""What stands beside and over the picture: nothing is cut, nothing is left out, nothing covers the picture."""

import numpy as np
import pygame
import pytest

from ludus.cli import watch
from ludus.cli.session import KEYS, labels
from ludus.envs.viewer.board import paint_rules, rules_of
from ludus.envs.viewer.brush import ACCENT, Brush
from ludus.envs.viewer.overlay import most_likely
from ludus.envs.viewer.panel import WIDTH as PANEL
from ludus.envs.viewer.panel import paint_panel
from ludus.envs.viewer.scene import Card, Decision, Mark, number, readable
from ludus.envs.viewer.window import BOARD, LEAST_PANEL, Window

from .stand_in import OWN, decision, painted, post, press, scene, stub


@pytest.fixture
def window():
    with Window(stub(), "test") as window:
        yield window


def test_it_works_without_any_system_font(monkeypatch):
    monkeypatch.setattr(pygame.font, "match_font", lambda *_, **__: None)
    with Window(stub(), "test") as window:
        empty = painted(window, scene(title=""))
        assert not np.array_equal(empty, painted(window, scene(title="Game")))


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
        {"decision": decision(0.5, 0.5)},
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
    half = bar_lengths(painted(window, scene(decision=decision(0.5, 0.5))), ACCENT)
    whole = bar_lengths(painted(window, scene(decision=decision(1.0, 0.0))), ACCENT)
    assert max(whole) == pytest.approx(2 * max(half), abs=4)


def test_only_the_chosen_action_is_highlighted(window):
    first = painted(window, scene(decision=decision(0.5, 0.5, chosen=0)))
    second = painted(window, scene(decision=decision(0.5, 0.5, chosen=1)))
    rows = [np.nonzero(np.all(p[BOARD:] == ACCENT, axis=-1).sum(0) > 30)[0] for p in (first, second)]
    assert len(rows[0]) == len(rows[1]) == 6  # the height of one bar
    assert np.all(rows[1] - rows[0] == 22)  # one line further down


def test_of_too_many_actions_the_likely_ones_are_shown_and_always_the_chosen_one():
    mind = decision(0.1, 0.3, 0.0, 0.4, 0.2, chosen=2)
    assert list(most_likely(mind, 3)) == [1, 2, 3]
    assert list(most_likely(mind, 9)) == [0, 1, 2, 3, 4]
    assert list(most_likely(mind, 1)) == [2]


def test_thirty_two_actions_leave_the_keys_readable(window):
    many = decision(*[1 / 32] * 32, chosen=31)
    below = slice(BOARD - 60, BOARD)  # the keys
    assert np.array_equal(painted(window, scene())[:, below], painted(window, scene(decision=many))[:, below])


def test_long_words_are_cut_to_the_panel(window):
    pixels = painted(window, scene(title="W" * 200, subtitle="w" * 400, status="w" * 400))
    assert np.array_equal(pixels[-8:], painted(window, scene())[-8:])  # nothing reaches the margin


def test_wrapped_lines_fit_and_lose_no_word(window):
    words = "keep the ball in play and break every brick of the wall above the paddle"
    lines = window.brush.wrap(words, "message", 150)
    assert " ".join(lines) == words
    assert len(lines) > 2
    assert all(window.brush.width(line, "message") <= 150 for line in lines)


@pytest.fixture(params=["the system's font", "pygame's own font"])
def cut(request, monkeypatch):
    """The words that did not fit where they were written."""
    found = []
    monkeypatch.setattr(Brush, "shorten", lambda brush, words, *_: found.append(words) or words)
    if request.param == "pygame's own font":
        monkeypatch.setattr("ludus.envs.viewer.brush.font_path", lambda bold: None)
    return found


@pytest.fixture
def written(monkeypatch):
    """All that was written."""
    words, text = [], Brush.text

    def write(brush, line, *arguments, **settings):
        words.append(line)
        text(brush, line, *arguments, **settings)

    monkeypatch.setattr(Brush, "text", write)
    return words


def beside(scene, height=BOARD):
    """Paint the panel of a window of the usual size; returns its pixels."""
    surface = pygame.Surface((PANEL, height))
    paint_panel(Brush(surface), scene, 0, height)
    return pygame.surfarray.array3d(surface)


@pytest.mark.parametrize("height", [LEAST_PANEL, 420, BOARD])
def test_the_end_of_a_game_covers_no_key(height):
    """Facts make room, where there is little."""
    facts = dict.fromkeys("abcdefg", "1")
    end = Card("You lose", "blue: -1, red: -1, yellow: 1, purple: -1.", prompt="space to play again")
    before, after = (beside(scene(keys=KEYS, facts=facts, result=card), height) for card in (None, end))
    assert np.array_equal(before[:, -95:], after[:, -95:])
    assert not np.array_equal(before, after)


@pytest.mark.parametrize("game", OWN, ids=[game.name for game in OWN])
def test_every_games_keys_are_shown_whole(game, cut, written):
    controls = labels(game.keys)
    names = {name: "-12.25" for name in game.player_names if game.players > 1}
    facts = names | dict.fromkeys(("steps", "games", "mean score", "best"), "1234")
    beside(scene(title=game.name, facts=facts, controls=controls, keys=KEYS, status="not allowed now"))
    assert cut == []
    assert {*controls.values(), *KEYS.values()} <= set(written)


@pytest.mark.parametrize("worth", [False, True])
@pytest.mark.parametrize("game", OWN, ids=[game.name for game in OWN])
def test_every_action_is_in_the_overlay_and_whole(game, worth, cut, written):
    """On boards of more than 25 actions, those in the overlay are the possible ones, which here are every seventh."""
    count = len(game.actions)
    able = range(0, count, 7 if count > 25 else 1)
    numbers = [-np.inf if worth else 0.0] * count
    for k in able:
        numbers[k] = -9.25 if worth else 1 / len(able)
    mind = Decision(game.actions, tuple(numbers), 0, (1.0,), worth)
    beside(scene(facts=dict.fromkeys("abcd", "1"), keys=watch.KEYS, decision=mind))
    assert cut == []
    assert {readable(game.actions[k]) for k in able} <= set(written)
    assert not any("OTHERS" in words for words in written)


@pytest.mark.parametrize("game", OWN, ids=[game.name for game in OWN])
def test_the_rules_of_every_game_fit_the_window_or_can_be_scrolled(game, written):
    brush, rules = Brush(pygame.Surface((BOARD + PANEL, BOARD))), rules_of(game, labels(game.keys))
    paint_rules(brush, rules, paint_rules(brush, rules, 0))
    text = " ".join(written)
    assert all(word in text for word in readable(game.sections["Description"]).replace("`", "").split())
    assert "Reward" in written and "Termination" in written


def test_rules_are_what_the_docstring_tells_people():
    rules = dict(rules_of(stub().game, {"left a": "left"}))
    assert rules["Game"] == "Walk." and rules["Keys"] == "left or a: left."
    assert rules["Description"] == "You walk.\n\nAnd you run away." and rules["Reward"] == "None."
    assert "Observation" not in rules


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


@pytest.mark.parametrize(
    ("value", "text"), [(3.0, "3"), (3.25, "3.25"), (-1, "-1"), (1 / 3, "0.33"), (-0.001, "0"), (100, "100")]
)
def test_numbers_for_people(value, text):
    assert number(value) == text
