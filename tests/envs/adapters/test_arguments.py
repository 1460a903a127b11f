"""Every argument of every face, given wrongly: it is refused in one line that names it and says what would be right.

The tables hold all parameters that the signatures do, so that a new one needs its line here.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import gymnasium
import numpy as np
import pytest

import ludus
from ludus.envs import (
    Bot,
    Game,
    GameEnv,
    GameError,
    GameVectorEnv,
    OptionError,
    Options,
    Simulator,
    aec_env,
    all_games,
    evaluate_player,
    parallel_env,
)
from ludus.envs.adapters.sb3 import LudusVecEnv
from ludus.envs.errors import ActionError, LudusError, UnknownOption

NOT_WHOLE = ["3", 2.0, None, True, [3], np.ones(2, int)]
NOT_FLAGS = ["yes", 1, 0, None, np.ones(2, bool)]
OPTIONS: dict[str, list[Any]] = {
    "obs_type": ["rbg", "", 3, True, ["rgb"]],
    "size": [*NOT_WHOLE, 7, 4097, -64, 10**30, 84],  # of pixels that planes do not have
    "frame_stack": [*NOT_WHOLE, 0, 65],
    "repeat_action_probability": ["0.1", None, True, -0.1, 1.5, float("nan"), float("inf"), 1j, [0.1]],
    "full_action_space": NOT_FLAGS,
    "max_episode_steps": [one for one in NOT_WHOLE if one is not None] + [0, -2, -1.0, 2**31],  # -1: without end
    "players": [one for one in NOT_WHOLE if one is not None] + [0, 2],
    "levels": [5, "abc", "", [], range(0), [-1], range(-3, 4), [1.5], [True], {1, 2}, {1: 2}, iter([1]), [2**63], [[1]]],
}  # fmt: skip
SEEDS = ["3", 2.5, True, -1, np.ones(2), object()]
SIMULATORS: dict[str, list[Any]] = {
    **OPTIONS,
    "num_envs": [*NOT_WHOLE, 0, -3, 2**31, 2**63],
    "device": ["gpu", "CPU", "cuda:x", "cpu:7", "", None, 3],
    "seed": [*SEEDS, [1, 2]],
    "num_threads": [one for one in NOT_WHOLE if one is not None] + [0, -1, 10**9],
    "mode": ["fast", "", None, 3, ["python"]],
}
WINDOWS = ["ansi", "", 3, ["human"], True]
FACES: dict[Callable[..., Any], tuple[type, dict[str, list[Any]]]] = {
    ludus.make: (GameEnv, {**OPTIONS, "mode": SIMULATORS["mode"], "render_mode": WINDOWS}),
    ludus.make_vec: (
        GameVectorEnv,
        {
            **SIMULATORS,
            "autoreset_mode": ["same_step", "", None, 3, True],
            "copy": NOT_FLAGS,
            "output": ["jax", "", None, 3, []],
            "episode_info": NOT_FLAGS,
            "render_mode": [*WINDOWS, "human"],
        },
    ),
    ludus.make_sb3: (LudusVecEnv, {**SIMULATORS, "render_mode": WINDOWS}),
    Simulator: (Simulator, {**SIMULATORS, "autoreset": ["SameStep", "", None, 3, ["disabled"]]}),
}
WRONG = [(make, name, value) for make, (_, table) in FACES.items() for name in table for value in table[name]]


def line_of(error: type[LudusError], call: Callable[[], Any]) -> str:
    with pytest.raises(error) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def short(value: Any) -> str:
    return value.__name__ if callable(value) else re.sub(r" at 0x\w+", "", " ".join(repr(value).split()))


@pytest.mark.parametrize(("make", "name", "value"), WRONG, ids=short)
def test_a_wrong_argument_is_refused(make: Callable[..., Any], name: str, value: Any) -> None:
    given = {name: value} if make is ludus.make else {"num_envs": 2, name: value}
    line = line_of(OptionError, lambda: make("Breakout", **given))
    assert name in line and ("must be" in line or "has planes" in line), line
    assert np.ndim(value) or str(value)[:20] in line or repr(value) in line, line


def test_the_table_has_all_arguments() -> None:
    options = {f.name for f in fields(Options)}
    assert options == set(OPTIONS)
    for kind, table in FACES.values():
        assert set(inspect.signature(kind).parameters) - {"game", "options"} | options == set(table)


def test_arguments_of_numpys_kinds_are_as_good() -> None:
    given = {"size": np.int16(16), "frame_stack": np.uint8(2), "repeat_action_probability": np.float32(0.5)}
    limits = {"max_episode_steps": np.int64(9), "levels": np.arange(3), "full_action_space": np.True_}
    sim = Simulator("Breakout", np.int32(3), seed=np.int64(5), obs_type=np.str_("rgb"), **given, **limits)
    expected = Options("rgb", 16, 2, 0.5, True, 9, None, (0, 1, 2))
    assert sim.options == expected
    assert [type(value) for value in vars(sim.options).values()] == [type(value) for value in vars(expected).values()]
    assert sim.num_envs == 3 and sim.seed_used == 5 and type(sim.seed_used) is int


@pytest.mark.parametrize("seed", SEEDS, ids=short)
def test_wrong_seeds_of_resets(seed: Any) -> None:
    for env in (ludus.make("Catch"), ludus.make_vec("Catch", 3), aec_env("TicTacToe"), parallel_env("Tron")):
        assert "seed" in line_of(OptionError, lambda env=env: env.reset(seed=seed))
    if np.ndim(seed) == 0:
        several = ludus.make_vec("Catch", 3)
        assert "environment 2" in line_of(OptionError, lambda: several.reset(seed=[1, None, seed]))
    assert "seed" in line_of(OptionError, lambda: Bot(Simulator("Catch", 2), "random", seed))
    assert "seed" in line_of(OptionError, lambda: ludus.make_sb3("Catch", 3).seed(seed))


@pytest.mark.parametrize("sim", [5, None, "Catch", Game])
def test_bots_play_in_simulators(sim: Any) -> None:
    assert "a Bot plays in a Simulator" in line_of(OptionError, lambda: Bot(sim))


def test_more_games_than_there_is_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr("ludus.envs.engine.simulator.choose_backend", full)
    for make in (ludus.make_vec, ludus.make_sb3):
        assert "num_envs=5 take 0.0 GB or more" in line_of(OptionError, lambda make=make: make("Catch", 5))


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int8, np.uint64, int])
def test_seeds_of_any_whole_kind_are_the_same(kind: type) -> None:
    seed = kind(125)
    for make in (lambda: ludus.make("Breakout"), lambda: ludus.make_vec("Breakout", 5)):
        assert np.array_equal(make().reset(seed=seed)[0], make().reset(seed=125)[0])
    for make in (
        lambda seed: ludus.make_vec("Breakout", 5, seed=seed),
        lambda seed: ludus.make_sb3("Breakout", 5, seed=seed),
    ):
        assert np.array_equal(make(seed).reset()[0], make(125).reset()[0])
    assert ludus.make_vec("Breakout", 5).reset(seed=np.full(5, seed))[0].shape[0] == 5


@pytest.mark.parametrize(
    "mask", [np.ones(2, bool), np.ones((3, 1), bool), np.ones(3), [1, 0, 1], "yes", True, np.ones(3, int)], ids=short
)
def test_wrong_masks_of_resets(mask: Any) -> None:
    sim = Simulator("Catch", 3)
    sim.reset()
    assert "mask must be bool of shape (3,)" in line_of(OptionError, lambda: sim.reset(mask))


@pytest.mark.parametrize("options", [[1], "level", 3, {"level": 3}, {3: 4}], ids=short)
def test_wrong_options_of_resets(options: Any) -> None:
    for env in (ludus.make("Catch"), ludus.make_vec("Catch", 3)):
        assert "option" in line_of(OptionError, lambda env=env: env.reset(options=options))


@pytest.mark.parametrize("limit", [*NOT_WHOLE, 0], ids=short)
def test_wrong_limits_of_evaluations(limit: Any) -> None:
    sim = Simulator("Catch", 2)
    assert "step_limit must be" in line_of(OptionError, lambda: evaluate_player(Bot(sim), sim, step_limit=limit))


PLACES: dict[str, list[dict[str, Any]]] = {
    "frame": [{name: value} for name in ("index", "size", "player") for value in (*NOT_WHOLE, -2, 10**6)],
    "view": [{"player": value} for value in (*NOT_WHOLE, -1, 2)] + [{"player": 0, "index": 2}],
    "split": [{"count": value} for value in (*NOT_WHOLE, 0, 3)],
}


@pytest.mark.parametrize(("method", "given"), [(m, given) for m in PLACES for given in PLACES[m]], ids=short)
def test_what_there_is_not_cannot_be_seen(method: str, given: dict[str, Any]) -> None:
    sim = Simulator("ConnectFour", 2)
    sim.reset()
    assert f"{[*given][-1]} must be a whole number from" in line_of(OptionError, lambda: getattr(sim, method)(**given))


@pytest.mark.parametrize("mode", ["compiled", "python"])
@pytest.mark.parametrize(
    "actions", [None, [None, None], {}, object(), "ab", [[0, 0]], [[0], [0, 0]], [0.0, 0.0], True], ids=short
)
def test_the_first_step_takes_no_actions_that_are_none(mode: str, actions: Any) -> None:
    """None is what a backend knows before its first step, and played action 0."""
    sim = Simulator("Catch", 2, mode=mode)
    sim.reset()
    for one in (sim, *sim.split(2)):
        before = one.records.tobytes()
        assert "actions must" in line_of(ActionError, lambda one=one: one.step(actions))
        assert one.records.tobytes() == before


# --- unknown names --------------------------------------------------------------------------------------------------

MAKERS: dict[str, Callable[..., Any]] = {
    "make": lambda **wrong: ludus.make("Breakout", **wrong),
    "make_vec": lambda **wrong: ludus.make_vec("Breakout", 2, **wrong),
    "make_sb3": lambda **wrong: ludus.make_sb3("Breakout", 2, **wrong),
    "Simulator": lambda **wrong: Simulator("Breakout", 2, **wrong),
    "gymnasium.make": lambda **wrong: gymnasium.make("ludus/Breakout-v1", **wrong),
    "gymnasium.make_vec": lambda **wrong: gymnasium.make_vec("ludus/Breakout-v1", num_envs=2, **wrong),
    "gymnasium.make_vec, sync": lambda **wrong: gymnasium.make_vec(
        "ludus/Breakout-v1", num_envs=2, vectorization_mode="sync", **wrong
    ),
    "aec_env": lambda **wrong: aec_env("ConnectFour", **wrong),
    "parallel_env": lambda **wrong: parallel_env("Tron", **wrong),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_an_unknown_argument_is_pythons_type_error(make: Callable[..., Any]) -> None:
    """Libraries such as TorchRL try arguments, and go by Python's words."""
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'frameskip'") as caught:
        make(frameskip=1)
    assert isinstance(caught.value, OptionError) and isinstance(caught.value, UnknownOption)
    with pytest.raises(TypeError) as theirs:
        gymnasium.make("CartPole-v1", frameskip=1)
    assert "got an unexpected keyword argument 'frameskip'" in str(theirs.value)


@pytest.mark.parametrize("make", [ludus.make_vec, ludus.make_sb3, Simulator], ids=short)
def test_an_unknown_argument_may_mean_another_than_an_option(make: Callable[..., Any]) -> None:
    """`n_envs` is Stable-Baselines3's word."""
    assert "did you mean 'num_envs'?" in line_of(UnknownOption, lambda: make("Catch", n_envs=4))
    assert "did you mean 'frame_stack'?" in line_of(UnknownOption, lambda: make("Catch", framestack=4))


# --- games ----------------------------------------------------------------------------------------------------------

NOT_NAMES = ["lit", 3, None, [1, 2], {"lit": 1}]
GAME: dict[str, list[Any]] = {
    "name": ["My Game", "", 3, None, "1st"],
    "version": [-1, "1", 1.0, True, None],
    "State": [np.dtype("i4"), 3, None, {"x": "i1"}],
    **{rule: [3, "step"] for rule in ("backdrop", "legal", "click", "heuristic")},
    **{rule: [3, "step", None] for rule in ("reset", "step", "observe", "draw")},
    "actions": [*NOT_NAMES, (), ("a", "a"), tuple(map(str, range(257)))],
    "minimal_actions": [*NOT_NAMES, ("jump",)],
    "planes": [*NOT_NAMES, ("a", "a"), ()],
    "features": [*NOT_NAMES, ("x",)],
    "shape": [(5,), 5, None, (2, 2, 2), ("2", 2), (0, 5), (2.0, 2), "ab"],
    "players": [0, -1, "2", True, 1.0, None],
    "min_players": [-1, 3, "1", True, None],
    "player_names": [*NOT_NAMES, ("red", "yellow")],
    "max_episode_steps": [0, -1, "9", 9.0, True],
    "keys": [{"up": "jump"}, {3: "left"}, [("left", "left")], None, "left"],
    "second_keys": [{"up": "jump"}, {3: "left"}, None],
    "waits": ["no", 1, None],
    "hidden": ["no", 1, None],
    "value": [3, "value"],
    "canvas": [(0, 3), (-1, 3), 3, (1,), "ab", ("1", 2), None],
    "fps": [0, -1, "x", 2.5, True, None],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in GAME for value in GAME[name]], ids=short)
def test_a_wrong_declaration_is_refused(name: str, value: Any) -> None:
    line = line_of(GameError, lambda: replace(all_games()["Catch"], **{name: value}))
    assert name.removesuffix("_actions").removesuffix("second_") in line or name in line or "'jump'" in line, line


def test_the_table_has_all_fields_of_a_game() -> None:
    assert {f.name for f in fields(Game)} == set(GAME)


def test_lists_are_as_good_as_tuples() -> None:
    catch = all_games()["Catch"]
    game = replace(catch, shape=[10, 10], planes=["ball", "paddle"], actions=list(catch.actions), canvas=[10, 10.0])
    assert (game.shape, game.planes, game.actions, game.canvas) == (
        catch.shape,
        catch.planes,
        catch.actions,
        catch.canvas,
    )
