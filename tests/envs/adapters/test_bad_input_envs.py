"""Whatever is given wrongly is refused in one line that says what was wrong and what would be right."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import gymnasium
import numpy as np
import pytest

import ludus
from ludus.envs import (
    ActionError,
    Game,
    GameEnv,
    GameError,
    GameVectorEnv,
    LudusError,
    NotReset,
    OptionError,
    RuleError,
    Simulator,
    UnknownGame,
    all_games,
    register,
    state,
)
from ludus.envs.adapters.sb3 import LudusVecEnv
from ludus.envs.engine.simulator import STATE
from ludus.envs.rng import below

BREAKOUT, CATCH = all_games()["Breakout"], all_games()["Catch"]


def refused(error: type[LudusError], call: Callable[[], Any], *words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"


FACES: dict[str, Callable[..., Any]] = {
    "make": ludus.make,
    "make_vec": lambda game, **options: ludus.make_vec(game, num_envs=4, **options),
    "make_sb3": lambda game, **options: ludus.make_sb3(game, num_envs=4, **options),
    "Simulator": lambda game, **options: Simulator(game, 4, **options),
}
every_face = pytest.mark.parametrize("make", FACES.values(), ids=FACES)


@every_face
def test_unknown_game_names_the_nearest(make: Callable[..., Any]) -> None:
    refused(UnknownGame, lambda: make("Braekout"), "'Braekout'", "did you mean Breakout?")
    refused(UnknownGame, lambda: make("zzzz"), "'zzzz'", "Breakout", "Catch")
    refused(UnknownGame, lambda: make(7), "7", "Breakout")


@every_face
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frame_stak": 2}, ("'frame_stak'", "did you mean 'frame_stack'?")),
        ({"zzzz": 2}, ("'zzzz'", "obs_type", "levels")),
        ({"obs_type": "rbg"}, ("'rbg'", "planes, rgb, grayscale", "did you mean 'rgb'?")),
        ({"obs_type": "features"}, ("'features'", "Breakout has planes, rgb, grayscale")),
        ({"size": 4}, ("size", "from 8 to 4096", "4")),
        ({"size": 64.0}, ("size", "whole number", "64.0")),
        ({"frame_stack": 0}, ("frame_stack", "from 1", "0")),
        ({"repeat_action_probability": 1.5}, ("repeat_action_probability", "from 0 to 1", "1.5")),
        ({"repeat_action_probability": float("nan")}, ("repeat_action_probability", "from 0 to 1", "nan")),
        ({"max_episode_steps": 0}, ("max_episode_steps", "from 1", "0")),
        ({"levels": []}, ("levels", "range(200)")),
        ({"levels": [-1]}, ("levels", "range(200)")),
        ({"mode": "fast"}, ("mode", "'compiled', 'checked', 'python', 'debug'", "'fast'")),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else str(value),
)
def test_options_out_of_range(make: Callable[..., Any], options: dict[str, Any], words: tuple[str, ...]) -> None:
    refused(OptionError, lambda: make("Breakout", **options), *words)


@pytest.mark.parametrize("make", [GameVectorEnv, LudusVecEnv, Simulator])
@pytest.mark.parametrize("count", [0, -3, 2.0, "4", True])
def test_num_envs(make: Callable[..., Any], count: Any) -> None:
    refused(OptionError, lambda: make("Catch", count), "num_envs must be a whole number from 1", repr(count))


@pytest.mark.parametrize("make", [GameVectorEnv, LudusVecEnv, Simulator])
def test_device(make: Callable[..., Any]) -> None:
    refused(OptionError, lambda: make("Catch", 2, device="gpu"), "'cpu' or 'cuda'", "'gpu'")


def test_cuda_without_a_gpu() -> None:
    if find_spec("ludus.envs.engine.compile_cuda") is None:
        pytest.skip("this version has no CUDA backend")
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    refused(LudusError, lambda: Simulator("Catch", 2, device="cuda"), "cuda")


def test_arguments_of_the_faces() -> None:
    refused(OptionError, lambda: ludus.make("Catch", num_envs=3), "'num_envs'", "obs_type")
    refused(OptionError, lambda: ludus.make("Catch", device="cuda"), "'device'")
    refused(
        OptionError, lambda: ludus.make("Catch", render_mode="ansi"), "render_mode", "'rgb_array', 'human'", "'ansi'"
    )
    refused(OptionError, lambda: ludus.make_vec("Catch", 2, output="jax"), "output", "'numpy', 'torch'", "'jax'")
    refused(
        OptionError, lambda: ludus.make_vec("Catch", 2, autoreset_mode="Later"), "'NextStep', 'SameStep', 'Disabled'"
    )
    refused(OptionError, lambda: ludus.make_vec("Catch", 2, autoreset="same_step"), "'autoreset'")
    refused(OptionError, lambda: ludus.make_vec("Catch", 2, seed=-1), "seed must be a whole number from 0", "-1")
    for make in (ludus.envs.Simulator, ludus.make_vec, ludus.make_sb3):
        refused(
            OptionError, lambda make=make: make("Catch", 2, seed=2**64).reset(), f"from 0 to {2**64 - 1}", str(2**64)
        )
        make("Catch", 2, seed=2**64 - 1).reset()
    refused(OptionError, lambda: ludus.make("Catch").reset(seed=2**64), "seed must be", str(2**64))
    refused(OptionError, lambda: ludus.make_vec("Catch", 2).reset(seed=[1, 2**64]), "environment 1", str(2**64))
    refused(OptionError, lambda: ludus.envs.parallel_env("Tron").reset(seed=2**64), "seed must be", str(2**64))
    refused(OptionError, lambda: ludus.envs.aec_env("TicTacToe").reset(seed=2**64), "seed must be", str(2**64))
    refused(OptionError, lambda: ludus.make_sb3("Catch", 2, seed="x"), "seed must be a whole number from 0", "'x'")
    refused(OptionError, lambda: Simulator("Catch", 2, num_threads=0), "num_threads must be a whole number from 1", "0")
    refused(OptionError, lambda: gymnasium.make("ludus/Catch-v1", obs_type="rbg"), "did you mean 'rgb'?")
    refused(OptionError, lambda: gymnasium.make_vec("ludus/Catch-v1", num_envs=2, sise=3), "did you mean 'size'?")


def test_resets() -> None:
    env, envs, sb3 = ludus.make("Catch"), ludus.make_vec("Catch", 3), ludus.make_sb3("Catch", 3)
    refused(OptionError, lambda: env.reset(seed=-1), "seed must be a whole number from 0", "-1")
    refused(OptionError, lambda: env.reset(seed=1.5), "seed must be a whole number from 0", "1.5")
    refused(OptionError, lambda: env.reset(options={"level": 3}), "takes no options", "'level'")
    masked = {"reset_mask": np.array([True, False, False])}
    refused(NotReset, lambda: envs.reset(options=masked), "first reset must be of all games")
    envs.reset()
    refused(OptionError, lambda: envs.reset(seed=[1, 2]), "one seed a game", "expected 3, got 2")
    refused(OptionError, lambda: envs.reset(seed=[1, 2, -3]), "whole number from 0", "-3", "environment 2")
    refused(OptionError, lambda: envs.reset(options={"mask": 1}), "'mask'", "'reset_mask'")
    refused(OptionError, lambda: envs.reset(options={"reset_mask": np.ones(2, np.bool_)}), "(3,)", "(2,)")
    refused(OptionError, lambda: envs.reset(options={"reset_mask": np.ones(3)}), "bool", "float64")
    refused(OptionError, lambda: envs.reset(options={"reset_mask": np.zeros(3, np.bool_)}), "one game or more")
    sb3.set_options({"level": 3})
    refused(OptionError, sb3.reset, "takes no options", "'level'")


@every_face
def test_step_before_reset(make: Callable[..., Any]) -> None:
    env = make("Catch")
    actions = 1 if isinstance(env, GameEnv) else np.ones(4, np.int64)
    refused(NotReset, lambda: env.step(actions), "step before reset", "call reset()")


def state_of(simulator: Simulator) -> dict[str, bytes]:
    """All that a step can change."""
    results = ("final_obs", "reward", "terminated", "truncated", "episode_return", "episode_length")
    return {name: simulator._backend.read(name).tobytes() for name in (*STATE, *results)}


def test_wrong_actions_of_one_game_change_nothing() -> None:
    env = ludus.make("Breakout", repeat_action_probability=0.5)
    env.reset(seed=0)
    env.step(1)
    before = state_of(env.simulator)
    choices = "0 noop, 1 left, 2 right"
    for action in (3, -1, np.int64(99), np.array(7)):
        refused(ActionError, lambda action=action: env.step(action), str(action), "out of range", "Breakout", choices)
    for action in (1.0, "left", None, np.float32(1), [1], np.array([1]), np.zeros((30, 30)), 10**30):
        refused(ActionError, lambda action=action: env.step(action), "whole number below 3", "Breakout")
    assert state_of(env.simulator) == before
    env.step(np.int8(2)), env.step(np.array(2))  # what is right in another type
    assert state_of(env.simulator) != before


BAD_ACTIONS = [
    (np.array([0, 1, 3, 0]), ("action 3 of environment 2", "out of range", "Breakout", "0 noop, 1 left, 2 right")),
    (np.array([-1, 1, 1, 0]), ("action -1 of environment 0", "out of range")),
    (np.array([0, 1, 1]), ("shape (4,)", "(3,)")),
    (np.zeros((4, 1), np.int64), ("shape (4,)", "(4, 1)")),
    (np.int64(1), ("shape (4,)", "()")),
    (np.zeros(4, np.float32), ("whole numbers", "float32")),
    (np.zeros(4, np.bool_), ("whole numbers", "bool")),
    (["left"] * 4, ("whole numbers",)),
    (None, ("whole numbers",)),
]


@pytest.mark.parametrize("name", ["make_vec", "make_sb3", "Simulator"])
@pytest.mark.parametrize("mode", ["compiled", "python"])
def test_wrong_actions_of_many_games_change_nothing(name: str, mode: str) -> None:
    env = FACES[name]("Breakout", mode=mode, repeat_action_probability=0.5)
    env.reset()
    simulator = env if isinstance(env, Simulator) else env.simulator
    env.step(np.ones(4, np.int64))
    before = state_of(simulator)
    for actions, words in BAD_ACTIONS:
        refused(ActionError, lambda actions=actions: env.step(actions), *words)
    assert state_of(simulator) == before
    env.step(np.ones(4, np.int32)), env.step([0, 1, 2, 0])
    assert state_of(simulator) != before


def test_an_array_that_became_wrong_is_noticed() -> None:
    env = Simulator("Breakout", 2)
    env.reset()
    actions = np.zeros(2, np.int64)
    env.step(actions)
    actions[1] = 5
    refused(ActionError, lambda: env.step(actions), "action 5 of environment 1")


def test_a_step_after_the_end_changes_nothing() -> None:
    envs = ludus.make_vec("Catch", 2, autoreset_mode="Disabled")
    envs.reset()
    for _ in range(9):
        envs.step(np.ones(2, np.int64))
    before = state_of(envs.simulator)
    refused(NotReset, lambda: envs.step(np.ones(2, np.int64)), "environment 0 is over", "reset it")
    assert state_of(envs.simulator) == before


# --- games that break the contract ----------------------------------------------------------------------------------


def write_outside(s, action, random):
    s.bricks[action + 10, 0] = 1
    return 0.0, False


def overflow(s, action, random):
    s.paddle += 1000
    return 0.0, False


def not_a_number(s, action, random):
    return float("nan"), False


def no_reward(s, action, random):
    reward = None
    return reward, False


def the_wrong_way_round(s, action, random):
    reward, done = action - 1, False
    return done, reward + 0.0


def below_nothing(s, action, random):
    s.paddle = below(random, s.paddle * 0)
    return 0.0, False


def unknown_field(s, action, random):
    s.padle = 1
    return 0.0, False


def too_bright(s, planes):
    planes[0, 0, 0] = 7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step": write_outside}, ("Breakout: step: index 10 is outside an array",)),
        ({"step": overflow}, ("Breakout: step", "1004 out of bounds for int8")),
        ({"step": not_a_number}, ("Breakout: step", "reward nan", "not finite")),
        ({"step": no_reward}, ("Breakout: step returned None as the reward", "write return reward, terminated")),
        ({"step": the_wrong_way_round}, ("terminated as a bool, got -1.0", "write return reward, terminated")),
        ({"step": below_nothing}, ("below(random, n) takes a whole number from 1 as n, got 0", "s.paddle * 0")),
        ({"step": unknown_field}, ("Breakout: step", "no field 'padle'", "paddle")),
        ({"observe": too_bright}, ("Breakout: observe", "wrote 7", "0 and 1")),
    ],
    ids=["outside", "overflow", "nan", "none", "swapped", "below", "field", "plane"],
)
def test_debug_mode_catches_what_rules_do_wrong(change: dict[str, Any], words: tuple[str, ...]) -> None:
    def play() -> None:
        env = Simulator(replace(BREAKOUT, **change), 2, mode="debug")
        env.reset()
        env.step(np.zeros(2, np.int64))

    refused(RuleError, play, *words)


def test_declarations() -> None:
    def declare(**changes: Any) -> Callable[[], Game]:
        return lambda: replace(CATCH, **changes)

    refused(GameError, declare(name="My Game"), "My Game", "letters and digits")
    refused(GameError, declare(version=-1), "Catch", "version")
    refused(GameError, declare(State=np.dtype("i4")), "Catch", "state(...)")
    refused(GameError, declare(actions=()), "Catch", "1 to 256 actions")
    refused(GameError, declare(actions=("a", "a")), "Catch", "differ")
    refused(GameError, declare(features=("x",)), "Catch", "either planes", "features")
    refused(GameError, declare(keys={"up": "jump"}), "Catch", "'jump'", "left")
    refused(GameError, lambda: state(), "at least one field")
    for wrong in ("u1", "8x8 i1", "(-1,)i1", "", [8, 8], (8, 8), float, 3, None):
        refused(GameError, lambda wrong=wrong: state(x=wrong), f"x={wrong!r}", "i1", "'(3,10)i1'")
    refused(GameError, lambda: Game("Catch", 1, key={"up": "up"}), "Game has no field key: did you mean keys?")
    refused(GameError, lambda: Game(id="Catch"), "Game has no field id: it has name, version, State")


def test_registering() -> None:
    refused(GameError, lambda: register("Catch"), "takes a Game, got str")
    taken = replace(CATCH, step=overflow)  # rules of this file under a name that is taken
    refused(GameError, lambda: register(taken), "'Catch'", "registered already", "choose another name")


def test_more_levels_than_memory_holds_are_refused_at_once():
    with pytest.raises(
        OptionError, match=r"levels may be 10,000,000 at most, got range\(0, 1000000000000\); levels=None"
    ):
        Simulator("Catch", 4, levels=range(10**12))
    for stop in (2**63, 2**70):  # of which Python cannot tell the length
        with pytest.raises(OptionError, match="levels may be"):
            Simulator("Catch", 4, levels=range(stop))
    assert Simulator("Catch", 4, levels=range(5, 10**7, 7)).options.levels == range(5, 10**7, 7)


@pytest.mark.parametrize("mode", [None, [], np.zeros(0), np.zeros(2), "fast"], ids=str)
def test_a_mode_that_is_none(mode):
    with pytest.raises(OptionError, match=r"^mode must be one of 'compiled', 'checked', 'python', 'debug'; got"):
        Simulator("Catch", mode=mode)
