"""Flappy against the rules in its docstring: the parabola of a fall, hand-made positions, and geometry written anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Bot, Simulator
from tests.envs.trajectories import play_out

NOOP, FLAP = range(2)
few = settings(max_examples=50, deadline=None)  # the first example compiles


def one_game(**fields):
    """A game in the given position; pipes are far away and the bird stands still unless told otherwise."""
    sim = Simulator("Flappy", 1, seed=1, autoreset="disabled")
    sim.reset()
    position = {"y": 32, "velocity": 0, "pipe": 50, "gaps": [32, 32, 32]} | fields
    for name, value in position.items():
        sim.records[name] = value
    return sim


def touches(s):
    """Whether the bird's square overlaps a pipe or leaves the sky, from the corners of all rectangles."""
    left, right, top, bottom = 12, 16, s["y"] - 2, s["y"] + 2
    pipe, gap = s["pipe"], s["gaps"][1]
    in_pipes = left < pipe and right > pipe - 8 and (top < gap - 9 or bottom > gap + 9)
    return in_pipes or top < 0 or bottom > 64


@few
@given(y=st.floats(2, 40), speed=st.floats(-1.5, 1.5), steps=st.integers(1, 12))
def test_a_fall_is_a_parabola(y, speed, steps):
    sim = one_game(y=y, velocity=speed)
    for _ in range(steps):
        sim.step(np.array([NOOP]))
        if sim.terminated[0]:
            return
    s = sim.records[0]
    assert s["y"] == pytest.approx(y + steps * speed + 0.12 * steps * (steps + 1) / 2)
    assert s["velocity"] == pytest.approx(speed + 0.12 * steps)
    assert s["pipe"] == pytest.approx(50 - 0.6 * steps)


@few
@given(y=st.floats(10, 50), speed=st.floats(-1.5, 4))
def test_a_flap_sets_the_speed_whatever_it_was(y, speed):
    sim = one_game(y=y, velocity=speed)
    sim.step(np.array([FLAP]))
    assert (sim.records["velocity"][0], sim.records["y"][0]) == (-1.5, y - 1.5)


def test_a_flap_lifts_the_bird_by_less_than_a_gap():
    """With 1.5 upwards and 0.12 of gravity the highest point comes after 12 steps more, 1.5 * 13 - 0.12 * 78 higher."""
    sim = one_game(y=40)
    sim.step(np.array([FLAP]))
    heights = [sim.records["y"][0]]
    for _ in range(20):
        sim.step(np.array([NOOP]))
        heights.append(sim.records["y"][0])
    assert np.argmin(heights) == 12
    assert 40 - min(heights) == pytest.approx(1.5 * 13 - 0.12 * 78)
    assert 40 - min(heights) < 18 - 4


@pytest.mark.parametrize("kind", ["random", "heuristic"])
def test_games_end_where_rectangles_overlap_and_pipes_are_counted(kind):
    sim = Simulator("Flappy", 32, seed=2, autoreset="disabled")
    bot = Bot(sim, kind, seed=3)
    sim.reset()
    ended = passed = 0
    rng = np.random.default_rng(4)
    for _ in range(1500):
        before, actions = sim.records.copy(), bot.act().copy()
        if kind == "heuristic":  # and a slip now and then, to end games at pipes
            slips = rng.random(32) < 0.01
            actions[slips] = 1 - actions[slips]
        sim.step(actions)
        for s, now, action, reward, over in zip(before, sim.records, actions, sim.reward, sim.terminated, strict=True):
            moved = s.copy()
            moved["velocity"] = -1.5 if action == FLAP else s["velocity"] + 0.12
            moved["y"] = s["y"] + moved["velocity"]
            moved["pipe"] = s["pipe"] - 0.6
            behind = moved["pipe"] <= 12
            assert over == touches(moved)
            assert reward == (-1 if over else int(behind))
            assert now["passed"] - s["passed"] == (reward > 0)
            if reward > 0:
                assert now["pipe"] == moved["pipe"] + 32
                assert list(now["gaps"][:2]) == list(s["gaps"][1:]) and 16 <= now["gaps"][2] < 46
            else:
                assert now["pipe"] == moved["pipe"] and np.array_equal(now["gaps"], s["gaps"])
            ended, passed = ended + over, passed + (reward > 0)
        sim.reset(sim.terminated.copy())
    assert ended > 50 and (kind == "random" or passed > 500)


@pytest.mark.parametrize(
    ("y", "gap", "over"),
    [(25.2, 32, False), (24.8, 32, True), (38.8, 32, False), (39.2, 32, True), (2.2, 9, False), (1.8, 9, True)],
)
def test_the_edges_of_a_gap_and_of_the_sky(y, gap, over):
    sim = one_game(y=y - 0.12, pipe=20, gaps=[gap, gap, gap])
    sim.step(np.array([NOOP]))
    assert (sim.terminated[0], sim.reward[0]) == (over, -1 if over else 0)


def test_pipes_touch_from_the_beak_to_the_tail():
    """In a pipe's height the bird is safe until its beak, at 16, reaches the near end, and again when its tail is past."""
    for pipe, over in ((24.7, False), (24.5, True), (12.7, True), (12.5, False)):
        sim = one_game(y=50, pipe=pipe)
        sim.step(np.array([NOOP]))
        assert sim.terminated[0] == over, pipe


def test_gaps_are_anywhere_in_their_range():
    sim = Simulator("Flappy", 3000, seed=5)
    sim.reset()
    for gaps in sim.records["gaps"][:, 1:].T:
        assert np.all(np.histogram(gaps, bins=10, range=(16, 46))[0] > 230)  # of 300; fewer is 4 standard deviations
        assert gaps.min() >= 16 and gaps.max() < 46
    assert abs(np.corrcoef(sim.records["gaps"][:, 1:].T)[0, 1]) < 0.07


def test_features_are_where_things_are():
    sim = one_game(y=20, velocity=0.6, pipe=44.6, gaps=[30, 28, 40])
    sim.step(np.array([NOOP]))
    y = 20.72
    wanted = [(32 - y) / 32, -0.72 / 1.5, 1, (y - 28) / 32, (y - 40) / 32]
    assert sim.obs[0] == pytest.approx(wanted, abs=1e-6)


def test_the_heuristic_flies_far_and_chance_does_not():
    sim = Simulator("Flappy", 64, seed=6, max_episode_steps=1000)
    assert play_out(sim, Bot(sim, "heuristic"), 64)[0].mean() > 15  # of 18 that fit
    assert play_out(sim, Bot(sim, "random"), 64)[0].max() < 2
