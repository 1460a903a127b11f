"""Rules as plain Python: what compiled rules would do without a word is an error with its line."""

import threading
import time
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

import ludus
from ludus.envs import Game, GameError, OptionError, RuleError, Simulator, all_games, check_game, state
from ludus.envs.canvas import fill, rect
from ludus.envs.engine import watchdog
from ludus.envs.engine.watchdog import EndlessError, Watchdog
from ludus.envs.rng import below

TABLE = np.array([1, 2, 3], np.int8)
LARGE = np.int8(100)


def reset(s, random):
    s.x = below(random, 3)


def step(s, action, random):
    return 0.0, False


def observe(s, planes):
    planes[0, 0, 0] = 1


def draw(s, canvas):
    fill(canvas, (0, 0, 0))


TOY = Game(
    "Toy", 1, state(x="i1", f="f8", row="(5,)i2"), reset, step, observe, draw, ("a", "b"), (3, 3), ("one",)
)  # fmt: skip


def cut_in_a_field(s, action, random):
    s.x += 0.75
    return 0.0, False


def cut_in_an_array(s, action, random):
    s.row[1] = s.f + 1.5
    return 0.0, False


def number_for_an_array(s, action, random):
    setattr(s, "row", 0)  # noqa: B010 - so that the reader of the source does not see it first
    return 0.0, False


def negative_index(s, action, random):
    s.row[s.x - 4] = 1
    return 0.0, False


def negative_index_of_a_constant(s, action, random):
    s.x = TABLE[s.x - 4]
    return 0.0, False


def too_large(s, action, random):
    s.row[0] = 40_000
    return 0.0, False


def unbound(s, action, random):
    if action > 5:
        k = 1
    return k, False


def asserts(s, action, random):
    assert action > 5, "no such thing"
    return 0.0, False


WRONG = [
    (cut_in_a_field, r"step: the float \d.75 is stored in a whole number \(int8\), which would cut it: write int"),
    (cut_in_an_array, r"step: the float 1.5 is stored in a whole number \(int16\)"),
    (number_for_an_array, r"step: row is an array: write to its elements, row\[...\] = 0"),
    (negative_index, r"step: index -\d counts from the end"),
    (negative_index_of_a_constant, r"step: index -\d counts from the end"),
    (too_large, r"step: Python integer 40000 out of bounds for int16: declare the field 'i4'"),
    (unbound, r"step: cannot access local variable 'k'"),
    (asserts, r"step: no such thing"),
]


@pytest.mark.parametrize(("rule", "message"), WRONG, ids=[rule.__name__ for rule, _ in WRONG])
def test_what_is_wrong_is_said_with_its_line(rule, message: str) -> None:
    sim = Simulator(replace(TOY, step=rule), 2, seed=0, mode="debug")
    sim.reset()
    with pytest.raises(RuleError, match=f"^Toy: {message}") as caught:
        sim.step(np.zeros(2, np.int64))
    assert f"test_plain.py, line {rule.__code__.co_firstlineno + 1 + (rule is unbound) * 2}: " in str(caught.value)
    assert "\n" not in str(caught.value)


def constants_written_out(s, action, random):
    s.row[-1] = s.row[-2] + TABLE[-1]
    s.row[-1] += 1
    s.row[0] = TABLE[s.x] * LARGE
    for number in s.row:
        s.f += number * 1000
    return 0.0, False


def test_a_constant_index_from_the_end_is_meant_and_numbers_are_python_s() -> None:
    sims = [Simulator(replace(TOY, step=constants_written_out), 2, seed=0, mode=mode) for mode in ("debug", "compiled")]
    for sim in sims:
        sim.reset()
        for _ in range(3):
            sim.step(np.zeros(2, np.int64))
    assert sims[0].records.tobytes() == sims[1].records.tobytes()
    assert sims[0].records["row"][0, 4] == 4
    assert sims[0].records["row"][0, 0] % 100 == 0


def returned_float(s):
    return s.f * 2


def cut_of_a_helpers_result(s, action, random):
    if action > 5:
        s.x = returned_float(s)
    return 0.0, False


def cut_in_an_array_rarely(s, action, random):
    if action > 5:
        s.row[1] = returned_float(s)
    return 0.0, False


@pytest.mark.parametrize("rule", [cut_of_a_helpers_result, cut_in_an_array_rarely])
def test_compiled_rules_refuse_floats_in_whole_numbers_too(rule) -> None:
    line = rule.__code__.co_firstlineno + 2
    with pytest.raises(GameError, match=f"^Toy: test_plain.py, line {line}: a float is stored in .*write int"):
        Simulator(replace(TOY, step=rule), 1)


PAIR = (3, 4)
PALETTE = ((1, 2, 3), (300, 2, 3), (1, 2, 3, 255))


def outside_a_tuple(s, action, random):
    s.x = PAIR[action + 2]
    return 0.0, False


def outside_the_second_axis(s, action, random):
    s.x = TABLES[0, action + 3]
    return 0.0, False


TABLES = np.zeros((2, 3), np.int8)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (outside_a_tuple, "index 2 is outside a tuple of length 2"),
        (outside_the_second_axis, "index 3 is outside an array of length 3 along axis 1"),
    ],
)
def test_an_index_is_named_with_the_length(rule, message: str) -> None:
    sim = Simulator(replace(TOY, step=rule), 1, mode="debug")
    sim.reset()
    with pytest.raises(RuleError, match=rf"^Toy: step: {message} \(test_plain.py, line "):
        sim.step(np.zeros(1, np.int64))


def draw_too_bright(s, canvas):
    fill(canvas, (9, 9, 9))
    rect(canvas, 0, 0, 1, 1, (s.x + 300, 0, 0))


def draw_see_through(s, canvas):
    fill(canvas, PALETTE[s.x * 0 + 2])


def draw_outside(s, canvas):
    rect(canvas, 5, 5, 1, 1, color=PALETTE[s.x * 0 + 1])


@pytest.mark.parametrize(
    ("draw", "color"),
    [(draw_too_bright, r"\(30\d, 0, 0\)"), (draw_see_through, r"\(1, 2, 3, 255\)"), (draw_outside, r"\(300, 2, 3\)")],
)
def test_colours_that_are_computed_are_looked_at(draw, color: str) -> None:
    with pytest.raises(GameError, match=rf"^Toy: draw: {color} as a colour: write .* \(test_plain.py, line \d+: "):
        check_game(replace(TOY, draw=draw), steps=20)


def half_in_a_plane(s, planes):
    planes[0, 0, 0] = 0.5


def before_the_first_row(s, planes):
    planes[s.x - 3, 0, 0] = 1


@pytest.mark.parametrize(
    ("rule", "message"), [(half_in_a_plane, "the float 0.5 is"), (before_the_first_row, r"index \(-\d, 0, 0\) counts")]
)
def test_planes_are_watched_too(rule, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        Simulator(replace(TOY, observe=rule), 1, mode="debug").reset()


def endless_step(s, action, random):
    k = 0 * s.x
    while k < 5:
        s.x = 1
    return 0.0, False


def endless_once_in_a_while(s, action, random):
    s.f += 1.0
    while s.f > 350.0:
        s.row[0] = 1
    return 0.0, False


@pytest.mark.parametrize(("rule", "offset"), [(endless_step, 2), (endless_once_in_a_while, 2)])
def test_a_loop_without_end_is_stopped_and_named(rule, offset: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As plain Python; and compiled, long after plain Python has passed."""
    monkeypatch.setattr(watchdog, "PATIENCE", 0.5)
    line = rule.__code__.co_firstlineno + offset
    with pytest.raises(GameError, match=f"^Toy: step: it has not come to an end.*test_plain.py, line {line}: while"):
        check_game(replace(TOY, step=rule))


def compute_for(seconds: float) -> None:
    start = time.thread_time()
    while time.thread_time() - start < seconds:
        pass


def test_the_watchdog_stops_only_who_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "PATIENCE", 0.2)
    with Watchdog() as dog:
        start = time.thread_time()
        while time.thread_time() - start < 0.5:
            dog.alive()
    with pytest.raises(EndlessError), Watchdog():
        compute_for(60)
    assert threading.active_count() < 20
    assert sum(range(100_000)) == 4999950000  # nothing comes late


def advice_out_of_range(s, random):
    return 2


def click_a_string(s, x, y):
    return "a"


def click_outside(s, x, y):
    return s.row[int(x) + 3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heuristic": advice_out_of_range}, "heuristic must return a whole number from 0 to 1, got 2"),
        ({"click": click_a_string}, "the string 'a': let numbers"),
        ({"click": click_outside}, "click: index 5 is outside an array of length 5"),
        ({"click": lambda x, s, y: 0}, r"click takes \(x, s, y\): write def click\(s, x, y\)"),
        ({"heuristic": lambda s: 0}, r"heuristic takes \(s\): write def heuristic\(s, random\)"),
        ({"reset": lambda random, s: None}, r"reset takes \(random, s\): write def reset\(s, random\)"),
        ({"observe": lambda s, planes, more: None}, r"observe takes \(s, planes, more\)"),
        ({"draw": print}, "draw is no plain function but builtin_function_or_method"),
    ],
)
def test_check_game_looks_at_every_rule(changes, message: str) -> None:
    with pytest.raises(GameError, match=message):
        check_game(replace(TOY, **changes), steps=120)


def test_without_source_numba_s_words_come_in_one_line() -> None:
    scope = {"__name__": "prompt"}
    exec("def step(s, action, random):\n    a = [1, 2]\n    s.x = a[action]\n    return 0.0, False", scope)
    with pytest.raises(GameError) as caught:
        Simulator(replace(TOY, step=scope["step"]), 1)
    assert str(caught.value).startswith("Toy: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


LIMITED = replace(all_games()["CliffWalking"], name="LimitedCliff", max_episode_steps=7)


@pytest.mark.parametrize(("given", "length"), [({}, 7), ({"max_episode_steps": 4}, 4), ({"max_episode_steps": -1}, 0)])
def test_the_authors_limit_of_steps_is_a_default(given: dict[str, int], length: int) -> None:
    sim = Simulator(LIMITED, 1, seed=0, **given)
    sim.reset()
    ended = [k for k in range(1, 20) if sim.step(np.zeros(1, np.int64)) and sim.truncated[0]]
    assert ended[:1] == ([length] if length else [])
    again = Simulator(LIMITED, 1, seed=0, **vars(sim.options))
    assert again.options.step_limit == sim.options.step_limit == (length or None)


def test_gymnasium_knows_the_authors_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from ludus.envs import registry

    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(LIMITED.step, "__module__", "of_a_test")
    ludus.register(LIMITED)
    try:
        for given, length in (({}, 7), ({"max_episode_steps": 12}, 12)):
            env = gymnasium.make(LIMITED.id, **given)
            env.reset(seed=0)
            ended = next(k for k in range(1, 20) if env.step(0)[3])
            assert (ended, env.spec.max_episode_steps) == (length, length)
            many = gymnasium.make_vec(LIMITED.id, num_envs=2, **given)
            many.reset(seed=0)
            assert next(k for k in range(1, 20) if many.step(np.zeros(2, np.int64))[3].all()) == length
    finally:
        del gymnasium.registry[LIMITED.id]


def test_a_limit_is_a_whole_number() -> None:
    with pytest.raises(GameError, match="max_episode_steps must be a whole number from 1, or None, got 0"):
        replace(TOY, max_episode_steps=0)
    with pytest.raises(OptionError, match="max_episode_steps must be a whole number from 1"):
        Simulator(TOY, max_episode_steps=-2)
