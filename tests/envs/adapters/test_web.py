"""Games as WebAssembly: they play, draw and advise as on CPU cores, to the last bit, and need nothing from outside."""

import dataclasses
import json
import math

import numpy as np
import pytest

from ludus.envs import Bot, GameError, OptionError, Simulator, all_games, find_game
from ludus.envs.adapters.web import web_game
from ludus.envs.engine import wasm_module
from ludus.envs.engine.plain import PlainRecord
from tests.envs.wasm_runtime import WasmGame

PLAYED = (
    "clocks", "streams", "totals", "obs", "legal", "reward", "terminated", "truncated", "episode_return", "episode_length",
)  # fmt: skip
GAMES, SIZE = 40, 60
STEPS = [pytest.param(500, id="short"), pytest.param(25_000, id="long", marks=pytest.mark.long)]
NOBODY = np.int64(-7)


def as_bytes(array):
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def same(web, sim):
    """Whether all that is left of a step is the same, and which is not."""
    arrays = sim._backend.arrays
    differ = [name for name in PLAYED if not np.array_equal(as_bytes(getattr(web, name)), as_bytes(arrays[name]))]
    return not differ and np.array_equal(web.raw, as_bytes(arrays["raw"])), differ


def any_legal(random, sim):
    """Any legal actions, (N,) or (N, P)."""
    shape = sim._backend.arrays["actions"].reshape(sim.num_envs, -1).shape
    chances = random.random((*shape, len(sim.actions)))
    chances = chances if sim.legal is None else chances * sim.legal[:, None]
    chosen = chances.argmax(-1)
    return chosen if sim.num_seats > 1 else chosen[:, 0]


def asked(web, loop, streams):
    """What a bot does, whose random numbers are not the games'."""
    games = web.streams.copy()
    web.streams[:] = streams.reshape(-1)
    web.actions[:] = NOBODY
    web.call(loop)
    web.streams[:] = games
    return web.actions.copy()


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", all_games())
def test_it_is_the_game_of_cpu_cores(name, steps):
    """20,000 or 1,000,000 steps of forty games at random, with sticky actions for one player; then pictures, bots, clicks."""
    game = find_game(name)
    options = {"repeat_action_probability": 0.1, "full_action_space": True} if game.players == 1 else {}
    sim = Simulator(name, GAMES, seed=3, autoreset="disabled", **options)
    sim.reset()
    rows, columns, _ = sim.frame(0, SIZE).shape
    web = WasmGame(web_game(name, GAMES, **options), rows, columns)
    web.seed(3)
    web.reset()
    random, episodes = np.random.default_rng(0), 0
    for _ in range(steps):
        assert same(web, sim) == (True, [])
        actions = any_legal(random, sim)
        web.actions[:] = actions.reshape(-1)
        assert web.call("play") == sim.step(actions)
        over = sim.terminated | sim.truncated
        if over.any():
            assert same(web, sim) == (True, [])
            sim.reset(over)
            web.reset(over)
            episodes += over.sum()
    kinds = ["random"] if game.heuristic is None else ["random", "heuristic"]
    for kind, loop in zip(kinds, ("pick", "advise"), strict=False):
        bot = Bot(sim, kind, seed=5)
        found = asked(web, loop, bot._streams.copy())
        assert found.tolist() == bot.act().reshape(-1).tolist()
    for viewer in range(-1, sim.num_players if game.players > 1 else 0):
        web.viewers[:] = viewer
        web.call("draw")
        pictures = web.picture.reshape(GAMES, rows, columns, 3)
        assert all(np.array_equal(pictures[k], sim.frame(k, SIZE, viewer)) for k in range(3))
    if game.click is not None:
        web.places[:] = (random.random((GAMES, 2)) * game.canvas).reshape(-1)
        web.call("click")
        places = web.places.reshape(GAMES, 2)
        told = [int(game.click(PlainRecord(sim.records[k]), *map(float, places[k]))) for k in range(GAMES)]
        assert web.clicked.tolist() == told


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Maze", {"levels": range(5)}),
        ("Breakout", {"obs_type": "rgb", "size": 24, "frame_stack": 2}),
        ("Tron", {"players": 3, "max_episode_steps": 12}),
    ],
)
def test_options_are_the_simulators(name, options):
    sim = Simulator(name, 4, seed=1, autoreset="disabled", **options)
    web = WasmGame(web_game(name, 4, **options))
    for array in ("levels", "backdrop"):
        getattr(web, array)[:] = sim._backend.arrays[array].reshape(-1)
    web.seed(1)
    web.reset()
    sim.reset()
    random = np.random.default_rng(0)
    for _ in range(50):
        actions = any_legal(random, sim)
        web.actions[:] = actions.reshape(-1)
        web.call("play")
        sim.step(actions)
        assert same(web, sim) == (True, [])
        over = sim.terminated | sim.truncated
        if over.any():
            sim.reset(over)
            web.reset(over)


def test_a_page_is_told_all_that_it_needs():
    web = web_game("ConnectFour")
    facts = json.loads(json.dumps(web.facts))
    assert facts == web.facts and facts["name"] == "ConnectFour" and facts["turns"]
    assert facts["sections"]["Termination"] and facts["keys"] == dict(find_game("ConnectFour").keys)
    kind, place, shape = facts["record"]["player"]
    game = WasmGame(web)
    game.seed(0)
    game.reset()
    assert (kind, shape) == ("int8", []) and game.records[place] == 0
    game.actions[:] = 3
    game.call("play")
    assert game.records[place] == 1


def test_nothing_is_needed_but_memory_and_a_stack():
    code = web_game("Acrobot").code  # which computes sines
    assert {name for name, _ in wasm_module.imports(code)} <= {"__linear_memory", "__stack_pointer"}
    assert code[:8] == b"\0asm\1\0\0\0"


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (("Breakuot",), Exception, "did you mean"),
        (("Breakout", 1), OptionError, "frame_stack must be"),
    ],
)
def test_what_cannot_be_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        web_game(*given, **({"frame_stack": 0} if len(given) > 1 else {}))


def test_rules_that_need_a_function_from_outside_are_refused():
    """Whose result may be another in each browser."""

    def step(s, action, random):
        return math.sin(s.ball_row), False

    game = dataclasses.replace(find_game("Catch"), name="Waves", step=step)
    with pytest.raises(GameError, match="Waves: its rules need sin, which WebAssembly has not"):
        web_game(game)
