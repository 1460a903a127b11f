"""Simulators and environments in notebooks: they tell what they are, and looking at them changes nothing."""

import base64
import copy
import io
import pickle
import random
import re

import numpy as np
import pytest
import torch
from PIL import Image

import ludus
from ludus.envs import Game, Simulator, aec_env, find_game, parallel_env, state
from ludus.envs.canvas import fill
from ludus.envs.engine.game_html import observation_in_words, options_in_words
from ludus.envs.notebook import PIXELS
from ludus.envs.sb3 import vec_env

MAKERS = {
    "simulator": lambda: Simulator("Catch", 3, seed=5),
    "plain": lambda: Simulator("Catch", 3, seed=5, mode="python"),
    "env": lambda: ludus.make("Breakout", obs_type="rgb", size=16, repeat_action_probability=0.25),
    "vector": lambda: ludus.make_vec("Breakout", 3, seed=5, levels=range(4)),
    "sb3": lambda: ludus.make_sb3("Breakout", 3, seed=5),
    "self-play": lambda: vec_env("ConnectFour", 3, seed=5),
    "aec": lambda: aec_env("TicTacToe"),
    "aec of parallel": lambda: aec_env("Tron"),
    "parallel": lambda: parallel_env("Tron", players=3),
}


def simulator_of(env):
    return env if isinstance(env, Simulator) else getattr(env, "simulator", None) or env.unwrapped.simulator


def everything(env):
    """All that a simulator holds, and the random numbers of everybody else."""
    sim = simulator_of(env)
    results = {name: np.array(value) for name, value in vars(sim).items() if isinstance(value, np.ndarray)}
    others = random.getstate(), pickle.dumps(np.random.get_state()), torch.get_rng_state().numpy().tobytes()
    return {**sim.state_dict(), **results}, (sim._ready, sim.seed_used, *others)


def assert_same(before, after):
    assert before[0].keys() == after[0].keys() and before[1] == after[1]
    for name, value in before[0].items():
        assert np.array_equal(value, after[0][name]), name


def picture_in(html):
    """The picture of a card, (rows, columns, 3)."""
    source = re.search(r'src="data:image/png;base64,([^"]+)"', html)[1]
    with Image.open(io.BytesIO(base64.b64decode(source))) as image:
        return np.array(image)


def step(env):
    sim = simulator_of(env)
    together = np.zeros((sim.num_envs, sim.num_seats), np.int64)
    sim.step(together if sim.num_seats > 1 else together[:, 0] if sim.legal is None else sim.legal.argmax(1))


@pytest.mark.parametrize("name", MAKERS)
def test_looking_changes_nothing(name):
    env = MAKERS[name]()
    simulator_of(env).seed(7)
    before = everything(env)
    assert "before reset" in env._repr_html_()
    assert_same(before, everything(env))
    simulator_of(env).reset()
    for _ in range(2):
        before = everything(env)
        html = env._repr_html_()
        assert_same(before, everything(env))
        assert np.array_equal(picture_in(html), simulator_of(env).frame(0, PIXELS))
        step(env)


def test_who_is_looked_at_plays_on_as_who_is_not():
    sim = Simulator("Breakout", 16, seed=3, repeat_action_probability=0.25)
    other = copy.deepcopy(sim)
    sim._repr_html_()
    sim.reset(), other.reset()
    for k in range(200):
        sim._repr_html_() if k % 20 == 0 else None
        actions = np.random.default_rng(k).integers(0, 3, 16)
        sim.step(actions), other.step(actions)
        assert sim.records.tobytes() == other.records.tobytes() and np.array_equal(sim.obs, other.obs)


@pytest.mark.parametrize("mode", ["compiled", "python"])
def test_before_reset_it_is_what_that_begins_with(mode):
    sim = Simulator("Breakout", 2, seed=11, mode=mode, levels=(5, 6))
    html = sim._repr_html_()
    sim.reset()
    assert np.array_equal(picture_in(html), sim.frame(0, PIXELS))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("simulator", ("a simulator", "3 on cpu", "3: left, stay, right", "(10, 10, 2) uint8: ball, paddle")),
        ("env", ("a gymnasium.Env", "ludus/Breakout-v1", "(16, 16, 3) uint8: rgb", "repeat_action_probability=0.25")),
        ("vector", ("a gymnasium VectorEnv", "paddle, ball, trail, brick", "levels=range(0, 4)")),
        ("sb3", ("a Stable-Baselines3 VecEnv", "Keep the ball in play and break every brick")),
        ("self-play", ("a Stable-Baselines3 VecEnv", "2, in turn")),
        ("aec", ("a pettingzoo.AECEnv", "2, in turn")),
        ("aec of parallel", ("a pettingzoo.ParallelEnv", "4, at once")),
        ("parallel", ("a pettingzoo.ParallelEnv", "3, at once", "players=3")),
    ],
)
def test_it_tells_what_it_is(name, words):
    html = MAKERS[name]()._repr_html_()
    assert all(word in html for word in words), html[-900:]


def test_options_are_told_in_short():
    sim = Simulator("Catch", frame_stack=4, levels=tuple(range(1000)), max_episode_steps=5)
    assert options_in_words(sim.options) == "max_episode_steps=5, levels=(0, ..., 999; 1,000 in all)"
    assert observation_in_words(sim) == "(10, 10, 8) uint8: ball, paddle, 4 steps stacked"


def test_a_picture_that_cannot_be_drawn_is_left_out():
    def reset(s, random): ...

    def step(s, action, random):
        return 0.0, False

    def observe(s, planes):
        planes[0, 0, 0] = s.x

    def draw(s, canvas):
        fill(canvas, (0, 0, 1 // s.x))

    evil = "<script>alert(1)</script>"
    game = Game("Evil", 1, state(x="i1"), reset, step, observe, draw, (evil,), (1, 1), (evil,))
    sim = Simulator(game, mode="python")
    for _ in range(2):
        html = sim._repr_html_()
        assert "<img" not in html and "<script" not in html and html.count("&lt;script&gt;") == 2
        sim.reset()


def test_nobody_who_looks_gets_an_error():
    env = ludus.make("Catch")
    env.close()
    assert "Catch" in env._repr_html_()
    del env.simulator.game
    assert env._repr_html_() is None


def test_a_picture_is_small():
    sizes = {name: len(Simulator(name)._repr_html_()) for name in ("Breakout", "Tetris", "Wilds")}
    assert max(sizes.values()) < 10_000, sizes
    assert picture_in(Simulator(find_game("Tetris"))._repr_html_()).shape[0] == PIXELS
