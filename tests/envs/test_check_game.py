"""`check_game` passes every game there is, and finds what is wrong with games that are not sound."""

import re
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from ludus.envs import Game, GameError, all_games, check_game, find_game
from ludus.envs.canvas import fill, rect
from ludus.envs.check import HEADINGS
from ludus.envs.games import catch
from ludus.envs.viewer.scene import RESERVED

GAMES = list(all_games().values())
CATCH = all_games()["Catch"]


@pytest.mark.parametrize("game", GAMES, ids=[game.name for game in GAMES])
def test_every_game_is_sound(game: Game) -> None:
    report = check_game(game)
    assert report.game == game.id
    assert report.steps == 102_400
    assert str(report).startswith(f"{game.id} is sound.")
    assert not report.undocumented
    assert report.lowest_reward <= report.highest_reward
    if report.episodes:
        assert 1 <= report.mean_length <= report.steps
        assert f"{report.episodes} episodes" in str(report)


def test_the_report_on_catch_is_what_chance_gives() -> None:
    report = check_game(CATCH)
    assert report.mean_length == 9  # nine rows to fall
    assert (report.lowest_reward, report.highest_reward) == (-1, 1)
    assert report.mean_return == pytest.approx(-0.8, abs=0.03)  # the ball's column is one in ten
    assert report.unseen == ()


def test_a_limit_of_the_games_own_ends_episodes() -> None:
    report = check_game(replace(CATCH, max_episode_steps=5), steps=20)
    assert (report.mean_length, report.mean_return) == (5, 0)


def step_writes_outside(s, action, random):
    s.bricks[s.paddle + 10, 0] = 1
    return 0.0, False


def step_overflows(s, action, random):
    s.ball_row += 200  # int8 ends at 127
    return 0.0, False


def step_gives_nan(s, action, random):
    zero = 0.0
    return zero * 1e999, False


def step_forgets_termination(s, action, random):
    return 0.0


def observe_counts(s, planes):
    planes[s.ball_row, s.ball_col, 0] = 2


def draw_leaves_a_border(s, canvas):
    rect(canvas, 0, 0, 9.5, 10, (0, 0, 0))


def backdrop_outside(canvas):
    lines = canvas[0]
    lines[lines.shape[0], 0] = 1


def draw_only_now_and_then(s, canvas):
    if s.ball_row != 5:
        fill(canvas, (9, 9, 9))


BROKEN = [
    (replace(all_games()["Breakout"], step=step_writes_outside), "Breakout: step: index .* is outside an array"),
    (replace(CATCH, step=step_overflows), "Catch: step: .*200 out of bounds for int8"),
    (replace(CATCH, step=step_gives_nan), "Catch: step returned the reward nan"),
    (replace(CATCH, step=step_forgets_termination), r"Catch: .*(reward, terminated|compile|unpack)"),
    (replace(CATCH, observe=observe_counts), "Catch: observe wrote 2 to a plane"),
    (replace(CATCH, backdrop=backdrop_outside), "Catch: backdrop: index .* is outside an array"),
    (replace(CATCH, draw=draw_leaves_a_border, backdrop=None), "Catch: draw does not paint the whole picture"),
    (replace(CATCH, draw=draw_only_now_and_then, backdrop=None), "Catch: draw does not paint the whole picture"),
]


@pytest.mark.parametrize(("game", "message"), BROKEN, ids=[str(k) for k in range(len(BROKEN))])
def test_what_is_wrong_is_said_in_one_line(game: Game, message: str) -> None:
    with pytest.raises(GameError) as caught:
        check_game(game, steps=40)
    assert re.search(message, str(caught.value))
    assert "\n" not in str(caught.value)


def without_start(doc: str) -> str:
    return doc.replace("\nStart\n", "\n")


def reward_before_start(doc: str) -> str:
    return doc.replace("\nStart\n", "\n~\n").replace("\nReward\n", "\nStart\n").replace("\n~\n", "\nReward\n")


def of_another_name(doc: str) -> str:
    return doc.replace("Catch: ", "Fetch: ", 1)


def none(doc: str) -> None:
    return None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_start, "no heading 'Start'"),
        (reward_before_start, "in the order Description, Actions"),
        (of_another_name, "must begin with 'Catch: '"),
        (none, "its file has no docstring: it begins with 'Catch: ' and a summary, and has the headings Description, "),
    ],
)
def test_a_sound_game_is_told_what_its_docstring_lacks(change, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("documented_elsewhere", change(catch.__doc__))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(catch.step, "__module__", module.__name__)
    report = check_game(CATCH, steps=20)
    assert message in report.undocumented
    first, *_, last = str(report).splitlines()
    assert first.startswith("ludus/Catch-v1 is sound.")
    assert last == f"  not yet fit to be published: {report.undocumented}"


def test_headings_are_the_same_in_every_game() -> None:
    for game in GAMES:
        assert [line for line in game.doc.split("\n") if line in HEADINGS] == list(HEADINGS)


def test_only_games_are_checked() -> None:
    with pytest.raises(GameError, match="takes a Game, got str"):
        check_game("Catch")


@pytest.mark.parametrize("key", sorted(RESERVED))
@pytest.mark.parametrize("field", ["keys", "second_keys"])
def test_the_windows_own_keys_are_refused(key: str, field: str) -> None:
    with pytest.raises(GameError, match=f"Catch: the key '{key}' is the window's own .*: take another"):
        check_game(replace(CATCH, **{field: {key: "left"}}))


def test_a_key_that_does_not_exist_is_refused() -> None:
    with pytest.raises(GameError, match="Catch: 'spase' is no key that pygame knows: did you mean 'space'"):
        check_game(replace(CATCH, keys={"spase": "left"}))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("arrow_left", "left"),
        ("LeftArrow", "left"),
        ("K_UP", "up"),
        ("key_space", "space"),
        ("left_shift", "left shift"),
    ],
)
def test_keys_by_the_names_of_other_libraries_are_told_pygames(given: str, meant: str) -> None:
    with pytest.raises(GameError, match=f"Catch: '{given}' is no key that pygame knows: did you mean '{meant}'"):
        check_game(replace(CATCH, keys={given: "left"}))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"actions": ("", "stay", "right")}, "actions must be of 1 to 200 characters that can be shown, got ''"),
        ({"actions": ("x" * 3000, "stay", "right")}, "actions must be of 1 to 200 characters"),
        ({"actions": ("half \ud800", "stay", "right")}, "actions must be of 1 to 200 characters"),
        ({"keys": {"": "right"}}, "keys must be names of keys"),
        ({"canvas": (float("inf"), 1.0)}, "canvas must be (width, height) above 0, neither over 100 times the other"),
        ({"canvas": (float("nan"), 1.0)}, "canvas must be"),
        ({"canvas": (9000.0, 1.0)}, "canvas must be"),
    ],
)
def test_what_cannot_be_shown_is_refused_when_a_game_is_declared(given, message) -> None:
    with pytest.raises(GameError) as caught:
        replace(find_game("Catch"), **given)
    assert str(caught.value).startswith(f"Catch: {message}") and len(str(caught.value)) < 300


def test_player_names_are_one_for_each_and_different() -> None:
    tron = all_games()["Tron"]
    assert replace(tron, player_names=()).player_names == ("player 1", "player 2", "player 3", "player 4")
    for wrong in (("a", "b"), ("a", "a", "b", "c"), "abcd", ("a", "b", "c", 4)):
        with pytest.raises(GameError, match="Tron: player_names must be "):
            replace(tron, player_names=wrong)


@pytest.mark.parametrize("game", GAMES, ids=[game.name for game in GAMES])
def test_no_game_takes_a_key_of_the_window(game: Game) -> None:
    assert not {*game.keys, *game.second_keys} & RESERVED.keys()
    assert game.players == 1 or "player 1" not in game.player_names
