"""Lander against a second implementation from its description, and what any such world has to obey."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ludus.envs import Bot, Simulator
from tests.envs.trajectories import play_out

from .reference_lander import ReferenceLander

NUMBERS = ("x", "y", "velocity_x", "velocity_y", "angle", "spin")
SEEDS = st.integers(0, 2**32 - 1)


def lander(count=1, seed=0):
    sim = Simulator("Lander", count, seed=seed, autoreset="disabled", num_threads=1)
    sim.reset()
    return sim


def put(sim, **numbers):
    """All games into one position, over the pad and at rest but for what is given."""
    for name, value in ({"x": 10.0} | dict.fromkeys(NUMBERS[2:], 0.0) | numbers).items():
        sim.records[name] = value


@pytest.mark.parametrize(("skill", "steps"), [(0.0, 500), (0.8, 500), (1.0, 450)])
def test_every_step_is_the_references(skill, steps):
    """Episodes at random, of a careless and of a careful pilot: falls, crashes, bounces and landings."""
    count, rng = 24, np.random.default_rng(1)
    sim = lander(count, seed=int(10 * skill))
    bot = Bot(sim)
    theirs = [ReferenceLander(record) for record in sim.records]
    rewards, touched = [], 0
    for _ in range(steps):
        actions = np.where(rng.random(count) < skill, bot.act(), rng.integers(0, 4, count))
        sim.step(actions)
        for k, reference in enumerate(theirs):
            reward, terminated = reference.step(sim.actions[actions[k]])
            ours = [sim.records[name][k] for name in NUMBERS]
            state = (reference.place, reference.velocity, reference.angle + 1j * reference.spin)
            assert np.abs(np.array(ours).view(complex) - state).max() < 1e-9
            assert np.abs(sim.obs[k] - reference.observation()).max() < 1e-5
            assert sim.reward[k] == pytest.approx(reward, abs=1e-4) and sim.terminated[k] == terminated
        touched += int(sim.obs[:, 6:8].any(axis=1).sum())
        rewards += sim.reward[sim.terminated].tolist()
        if sim.terminated.any():
            over = np.flatnonzero(sim.terminated)
            sim.reset(sim.terminated.copy())
            for k in over:
                theirs[k] = ReferenceLander(sim.records[k])
    assert touched > 20 and len(rewards) > 24
    assert -100 in rewards if skill < 1 else 100 in rewards


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_every_start_is_fair(seed):
    sim = lander(64, seed)
    heights = sim.records["ground"]
    assert (heights[:, 8:13] == 3.0).all() and heights.min() >= 0.5 and heights.max() <= 6.0
    assert sim.records["x"].min() >= 5 and sim.records["x"].max() <= 15
    assert sim.records["y"].min() - 1.2 > heights.max() and sim.records["y"].max() <= 12.5
    assert not sim.obs[:, 6:8].any()


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.lists(st.integers(0, 3), min_size=1, max_size=400))
def test_the_mirrored_world_goes_the_mirrored_way(seed, actions):
    """Nothing in the rules knows left from right."""
    sim = lander(2, seed)
    mine, mirrored = sim.records
    for name in sim.records.dtype.names:
        mirrored[name] = mine[name]
    mirrored["ground"] = mine["ground"][::-1]
    mirrored["x"] = 20 - mine["x"]
    for name in ("velocity_x", "angle", "spin"):
        mirrored[name] = -mine[name]
    for action in actions:
        sim.step(np.array([action, (0, 3, 2, 1)[action]]))
        mine, mirrored = sim.records
        assert mirrored["x"] == pytest.approx(20 - mine["x"], abs=1e-8)
        assert mirrored["y"] == pytest.approx(mine["y"], abs=1e-8)
        assert mirrored["angle"] == pytest.approx(-mine["angle"], abs=1e-8)
        assert (mirrored["left_leg"], mirrored["right_leg"]) == (mine["right_leg"], mine["left_leg"])
        assert sim.reward[1] == pytest.approx(sim.reward[0], abs=1e-4)
        assert sim.terminated[1] == sim.terminated[0]
        if sim.terminated[0]:
            break


@settings(max_examples=50, deadline=None)
@given(st.floats(-1.5, 1.5), st.floats(-1, 1), st.floats(-0.5, 0.5), st.integers(1, 30))
def test_free_fall_is_galileis(sideways, up, spin, steps):
    """Velocities change by gravity alone, and in the sum of the steps the place follows from them."""
    sim = lander()
    put(sim, y=11.0, velocity_x=sideways, velocity_y=up, spin=spin)
    for _ in range(steps):
        sim.step(np.array([0]))
    time = steps * 0.04
    record = sim.records[0]
    assert record["velocity_x"] == pytest.approx(sideways) and record["angle"] == pytest.approx(spin * time)
    assert record["x"] == pytest.approx(10 + sideways * time)
    assert record["velocity_y"] == pytest.approx(up - 1.62 * time)
    assert record["y"] == pytest.approx(11 + up * time - 1.62 * time * (time + 0.04) / 2)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.05, 0.8), st.floats(-0.8, 0.8), st.floats(-0.1, 0.1))
@example(0.78125, 0.75, 0.0625)  # lands on one leg and turns, so that the other meets the ground too fast
def test_a_gentle_drop_ends_at_rest_on_the_pad(height, sideways, angle):
    sim = lander()
    put(sim, y=3.8 + height, velocity_x=sideways, angle=angle)
    reference = ReferenceLander(sim.records[0])
    for _ in range(300):
        sim.step(np.array([0]))
        reference.step("noop")
        if sim.terminated[0]:
            break
    if reference.broken:
        assert height > 0.65 and sim.terminated[0] and sim.reward[0] == -100
        return
    assert sim.terminated[0] and sim.reward[0] == 100
    assert sim.obs[0, 6:8].all() and abs(sim.records["angle"][0]) < 0.05
    assert sim.records["y"][0] == pytest.approx(3.8, abs=0.1)


@pytest.mark.parametrize(
    "start",
    [
        {"y": 6.0},  # falls 2.2 metres: the legs break
        {"y": 4.2, "angle": 2.0},  # upside down: the hull hits the ground
        {"y": 9.0, "velocity_x": 12.0},  # past the side
        {"y": 13.5, "velocity_y": 4.0},  # past the top
    ],
)
def test_crashes(start):
    sim = lander()
    put(sim, **start)
    for _ in range(100):
        sim.step(np.array([0]))
        if sim.terminated[0]:
            break
    assert sim.terminated[0] and sim.reward[0] == -100


def test_the_heuristic_lands_most_of_the_time():
    sim = Simulator("Lander", 64, seed=5, max_episode_steps=1000, num_threads=1)
    returns, _ = play_out(sim, Bot(sim), 512)
    assert np.mean(returns > 100) > 0.95
