"""Games of users are played with every index checked before they run unchecked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ludus
from ludus.envs import Bot, Game, GameError, Simulator, all_games
from ludus.envs.canvas import fill
from ludus.envs.engine import checked_play
from tests.envs.trajectories import assert_same

CATCH = replace(all_games()["Catch"], backdrop=None)
SHADES = np.array([10, 20, 30])


def reset_outside(s, random):
    s.paddle = SHADES[s.ball_row + 3]


def step_outside(s, action, random):
    s.ball_row += 1
    return SHADES[s.ball_row] / 10, s.ball_row == 9


def observe_outside(s, planes):
    planes[s.ball_row + 2, s.ball_col, 0] = 1  # the planes have ten rows


def draw_outside(s, canvas):
    fill(canvas, (0, 0, SHADES[s.ball_row]))


def backdrop_outside(canvas):
    fill(canvas, (0, 0, SHADES[int(canvas[1])]))


def heuristic_outside(s, random):
    return SHADES[s.paddle]


def heuristic_of_no_action(s, random):
    return s.paddle


PIXELS: dict[str, Any] = {"obs_type": "rgb", "size": 8}
FAULTS: dict[str, tuple[Callable[..., Any], dict[str, Any], int]] = {
    "reset": (reset_outside, {}, 3),
    "step": (step_outside, {}, 3),
    "observe": (observe_outside, {}, 10),
    "draw": (draw_outside, PIXELS, 3),
    "backdrop": (backdrop_outside, PIXELS, 10),
}
FACES: tuple[Callable[..., Any], ...] = (Simulator, ludus.make, ludus.make_vec, ludus.make_sb3)


@pytest.mark.parametrize("rule", FAULTS)
def test_an_index_outside_is_an_error_that_says_where(rule: str) -> None:
    function, options, index = FAULTS[rule]
    length = 10 if rule == "observe" else 3
    game = replace(CATCH, **{rule: function})
    for make in FACES:
        with pytest.raises(GameError) as caught:
            make(game, **options)
        message = str(caught.value)
        assert message.startswith(f"Catch: {rule}: index {index} is outside an array of length {length} (")
        assert f"({Path(__file__).name}, line " in message
        assert "\n" not in message


def test_games_for_a_gpu_are_tried_on_the_cpu() -> None:
    with pytest.raises(GameError, match="index 10 is outside an array"):
        Simulator(replace(CATCH, observe=observe_outside), device="cuda")


@pytest.mark.parametrize("rule", ["draw", "backdrop"])
def test_pictures_are_drawn_with_indices_checked(rule: str) -> None:
    sim = Simulator(replace(CATCH, **{rule: FAULTS[rule][0]}), seed=0)
    sim.reset()
    for _ in range(3):  # to the fourth row, which has no shade
        sim.step([1])
    with pytest.raises(GameError, match=r"Catch: a rule raised an index outside its array.*; check_game says where"):
        sim.frame()


@pytest.mark.parametrize(
    ("heuristic", "message"),
    [
        (heuristic_outside, "a rule raised an index outside its array.*; check_game says where"),
        (heuristic_of_no_action, "heuristic must return a whole number from 0 to 2, got 5"),
    ],
)
def test_simple_players_decide_with_indices_checked(heuristic: Callable[..., int], message: str) -> None:
    sim = Simulator(replace(CATCH, heuristic=heuristic), seed=0)
    sim.reset()
    with pytest.raises(GameError, match=f"^Catch: {message}$"):
        Bot(sim).act()


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What is tried, with nothing known before: the game, and how many of it."""
    seen: list[tuple[str, int]] = []
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(checked_play, "_play", lambda simulator, game, count, options: seen.append((game.name, count)))
    return seen


def as_another_process_has_it(game: Game) -> Game:
    return replace(game)


def test_a_game_is_tried_once(tried: list[tuple[str, int]]) -> None:
    game = as_another_process_has_it(CATCH)
    Simulator(game)
    Simulator(game, 3, full_action_space=True, repeat_action_probability=0.1, max_episode_steps=9, levels=[3])
    Simulator(as_another_process_has_it(game))
    assert tried == [("Catch", checked_play.GAMES)]
    Simulator(game, **PIXELS)
    assert tried == [("Catch", checked_play.GAMES)] * 2
    for mode in ("checked", "python", "debug"):
        Simulator(replace(game, observe=observe_outside), mode=mode)
    Simulator("Catch")
    assert len(tried) == 2


def test_without_a_cache_a_game_is_tried_once_in_each_process(tried: list[tuple[str, int]], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    game = as_another_process_has_it(CATCH)
    for _ in range(2):
        Simulator(game)
    assert len(tried) == 1
    Simulator(as_another_process_has_it(game))
    assert len(tried) == 2


def test_large_pictures_are_tried_in_few_games(tried: list[tuple[str, int]]) -> None:
    checked_play.try_rules(Simulator(CATCH, obs_type="rgb", size=2048, mode="debug")._layout, Simulator)
    assert tried == [("Catch", 1)]


def test_a_slow_game_is_tried_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    monkeypatch.setattr(
        checked_play, "_choose", lambda sim, random, step: steps.append(step) or np.ones(sim.num_envs, int)
    )
    monkeypatch.setattr(checked_play, "thread_time", lambda: 0.5 * len(steps))
    checked_play._play(Simulator, CATCH, 2, {})
    assert len(steps) == 5  # two seconds, and the step that makes them more


@pytest.mark.parametrize("name", ["Game2048", "KuhnPoker", "PongDuel"])
def test_games_of_every_kind_pass(name: str) -> None:
    game = replace(all_games()[name])
    options: dict[str, Any] = {"seed": 0, "max_episode_steps": 5}
    assert assert_same(Simulator(game, 2, **options), Simulator(name, 2, **options), 20) > 0
