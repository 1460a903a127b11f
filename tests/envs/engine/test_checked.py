"""Compiled rules with their indices checked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ludus.envs import Game, GameError, OptionError, Simulator, all_games, check_game, state
from ludus.envs.canvas import fill
from ludus.envs.rng import below
from tests.envs.trajectories import assert_same

CATCH = all_games()["Catch"]


def observe_beside_the_planes(s, planes):
    planes[s.ball_row + 2, s.ball_col, 0] = 1  # the planes have ten rows


def test_an_index_outside_its_array_is_an_error():
    sim = Simulator(replace(CATCH, observe=observe_beside_the_planes), 4, mode="checked")
    sim.reset()
    for _ in range(7):  # up to row 7, whose mark is in row 9
        sim.step(np.ones(4, np.int64))
    with pytest.raises(GameError, match="Catch: a rule raised an index outside its array"):
        sim.step(np.ones(4, np.int64))


@pytest.mark.parametrize("game", ["Catch", "TicTacToe", "Tron"])
def test_checks_change_nothing(game):
    assert assert_same(Simulator(game, 4, seed=3, mode="checked"), Simulator(game, 4, seed=3), 200) > 0


def test_modes_are_named():
    with pytest.raises(OptionError, match=r"mode must be one of 'compiled', .*; got 'fast'"):
        Simulator("Catch", mode="fast")
    for mode in ("checked", "python", "debug"):
        with pytest.raises(OptionError, match=f"^mode='{mode}' is for device='cpu': a GPU plays compiled games only$"):
            Simulator("Catch", device="cuda:1", mode=mode)


def reset(s, random):
    s.x = 3


def step_for_ever(s, action, random):
    while s.x != 100:
        s.x = (s.x + action) % 128
    s.x = 3
    return 1.0, False


def step_beside(s, action, random):
    s.board.flat[s.x + action * 3] = 1  # Numba does not check this index
    return 1.0, False


def observe(s, planes):
    planes[0, 0, 0] = 1


def draw(s, canvas):
    pass


def checked(step):
    parts = {"planes": ("x",), "shape": (1, 1), "actions": ("none", "one")}
    sim = Simulator(
        Game("Odd", 1, state(x="i2", board="(2,2)i1"), reset, step, observe, draw, **parts), 4, mode="checked"
    )
    sim.reset()
    return sim


def test_a_loop_without_end_is_an_error():
    sim = checked(step_for_ever)
    sim.step(np.ones(4, np.int64))
    with pytest.raises(GameError, match=r"^Odd: a loop in a rule does not end; check_game says which$"):
        sim.step(np.array([1, 1, 0, 1]))
    sim.step(np.ones(4, np.int64))
    assert sim.reward.tolist() == [1.0] * 4


def test_flat_indices_are_checked_too():
    sim = checked(step_beside)
    sim.step(np.zeros(4, np.int64))
    assert (sim.records["board"] == [[0, 0], [0, 1]]).all()
    with pytest.raises(GameError, match="Odd: a rule raised an index outside its array"):
        sim.step(np.array([0, 0, 0, 1]))


# numbers: what plain Python raises, and what is no number any more, on a line that is reached once in thousands of steps


def reset_seldom(s, random):
    s.x = 1


def seldom(s, random):
    s.x = below(random, 4000)
    return s.x == 17


def observe_feature(s, features):
    features[0] = s.f


def observe_large_feature(s, features):
    features[0] = 1e39 * (s.x == 17)


def draw_black(s, canvas):
    fill(canvas, (0, 0, 0))


def reward_by_zero(s, action, random):
    return 1.0 / (0 if seldom(s, random) else 2), False


def constant_by_zero(s, action, random):
    if seldom(s, random):
        return 1 / 0, False
    return 0.0, False


def whole_by_zero(s, action, random):
    return 0.0, 5 // (0 if seldom(s, random) else 2) > 100


def rest_by_zero(s, action, random):
    return 0.0, 5 % (0 if seldom(s, random) else 2) > 100


def float_rest_by_zero(s, action, random):
    return 0.0, 5.5 % (0.0 if seldom(s, random) else 2.0) > 100.0


def infinite_field(s, action, random):
    s.f = (1e200 if seldom(s, random) else 0.0) * 1e200
    return 0.0, False


def infinite_reward(s, action, random):
    return (1e200 if seldom(s, random) else 0.0) * 1e200, False


def large_reward(s, action, random):
    return (1e39 if seldom(s, random) else 0.0), False


def large_return(s, action, random):
    return 3e38, seldom(s, random)


def sound(s, action, random):
    return 0.0, seldom(s, random)


NOT_FINITE = [
    (reward_by_zero, observe_feature, "step: (float )?division by zero", 1),
    (constant_by_zero, observe_feature, "step: division by zero", 2),
    (whole_by_zero, observe_feature, "step: integer division or modulo by zero", 1),
    (rest_by_zero, observe_feature, "step: integer modulo by zero", 1),
    (float_rest_by_zero, observe_feature, "step: float modulo by zero", 1),
    (infinite_field, observe_feature, "step left f = inf in the record, which is not finite", 0),
    (infinite_reward, observe_feature, "step returned the reward inf, which is not finite", 0),
    (large_reward, observe_feature, r"step returned the reward 1e\+39, which is too large for float32", 0),
    (large_return, observe_feature, "the rewards of an episode add up to inf, which is not finite", 0),
    (sound, observe_large_feature, "observe wrote a feature that is not finite", 0),
]


def of_features(step, observe) -> Game:
    parts = {"features": ("f",), "actions": ("none", "one"), "canvas": (1, 1)}
    return Game("Odd", 1, state(x="i4", f="f8"), reset_seldom, step, observe, draw_black, **parts)


@pytest.mark.parametrize(
    ("step", "observe", "message", "line"), NOT_FINITE, ids=[step.__name__ for step, *_ in NOT_FINITE]
)
def test_numbers_that_are_seldom_none_are_refused(step, observe, message: str, line: int) -> None:
    """By the trial of whoever makes the game, and by `check_game`, which looks again where chance fell otherwise."""
    where = rf" \({Path(__file__).name}, line {step.__code__.co_firstlineno + line}: .*\)" if line else ""
    game = of_features(step, observe)
    for play in (Simulator, check_game):
        with pytest.raises(GameError, match=f"^Odd: {message}{where}$"):
            play(replace(game))


def large_plane(s, planes):
    planes[0, 0, 0] = 999 * (s.x == 17)


def large_planes(s, planes):
    planes[:, 0, 0] = -(s.x == 17)


def large_field(s, action, random):
    s.small = 128 if seldom(s, random) else 127
    return 0.0, False


def large_element(s, action, random):
    s.row[1] -= 20000 * seldom(s, random) - s.row[1]
    s.row[1] *= 2
    return 0.0, False


def ended_twice(s, action, random):
    return 0.0, 2 * seldom(s, random)


def plane_of_zeros(s, planes):
    planes[0, 0, 0] = 0


NOT_FITTING = [
    (sound, large_plane, "observe: Python integer 999 out of bounds for uint8", 1),
    (sound, large_planes, "observe: Python integer -1 out of bounds for uint8", 1),
    (large_field, plane_of_zeros, "step: Python integer 128 out of bounds for int8: declare the field 'i2'", 1),
    (large_element, plane_of_zeros, "step: Python integer -40000 out of bounds for int16: declare the field 'i4'", 2),
    (ended_twice, plane_of_zeros, "step must return terminated as a bool, got 2: write return reward, terminated", 0),
]


@pytest.mark.parametrize(("step", "observe", "message", "line"), NOT_FITTING, ids=[row[2][:30] for row in NOT_FITTING])
def test_whole_numbers_that_seldom_fit_are_refused(step, observe, message: str, line: int) -> None:
    fields, parts = state(x="i4", small="i1", row="(2,)i2"), {"planes": ("x",), "shape": (2, 2), "actions": ("a", "b")}
    game = Game("Odd", 1, fields, reset_seldom, step, observe, draw_black, **parts)
    at = (observe if message.startswith("observe") else step).__code__.co_firstlineno + line
    where = rf" \({Path(__file__).name}, line {at}: .*\)" if line else ""
    with pytest.raises(GameError, match=f"^Odd: {message}{where}$"):
        Simulator(game)
    sim = Simulator(game, 64, seed=0, mode="checked")
    sim.reset()
    with pytest.raises(GameError, match=r"^Odd: a rule raised .* exception"):  # noqa: PT012 - in one of many steps
        for _ in range(1600):
            sim.step(np.zeros(64, np.int64))


CHECKED = [
    (reward_by_zero, observe_feature, "a rule raised .* exception; .*"),
    (infinite_reward, observe_feature, "step gave the reward inf, which is not finite"),
    (infinite_field, observe_feature, "a rule left f = inf, which is not finite"),
    (sound, observe_large_feature, "observe wrote the feature inf, which is not finite"),
    (large_return, observe_feature, "the rewards of an episode add up to inf, which is not finite"),
]


@pytest.mark.parametrize(("step", "observe", "message"), CHECKED, ids=[message for *_, message in CHECKED])
def test_checked_rules_give_finite_numbers(step, observe, message: str) -> None:
    sim = Simulator(of_features(step, observe), 1000, seed=0, mode="checked")

    def play() -> None:
        sim.reset()
        for _ in range(100):
            sim.step(np.zeros(1000, np.int64))

    with pytest.raises(GameError, match=f"^Odd: {message}$"):
        play()
