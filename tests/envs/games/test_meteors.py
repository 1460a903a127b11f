"""Meteors against the rules in its docstring: a second implementation in NumPy, conservation, and hand-made positions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Bot, Simulator
from tests.envs.trajectories import play_out

NOOP, LEFT, RIGHT, THRUST, FIRE = range(5)
RADII = np.array([0, 1.5, 3, 5])  # by size: 1 small, 2 middle, 3 big
SPEEDS = {1: (0.35, 0.65), 2: (0.22, 0.45), 3: (0.12, 0.28)}
PLACES, SPEED = st.floats(0, 63.9), st.floats(-0.6, 0.6)
few = settings(max_examples=40, deadline=None)  # the first example compiles


def one_game(rocks=(), **fields):
    """A ship that rests in the middle, and the given rocks (size, x, y, dx, dy); without any, a small one in a corner."""
    sim = Simulator("Meteors", 1, seed=1, autoreset="disabled")
    sim.reset()
    rocks = rocks or [(1, 0, 0, 0, 0)]
    for name, value in fields.items():
        sim.records[name] = value
    sim.records["rocks"] = len(rocks)
    for name, values in zip(
        ("rock_size", "rock_x", "rock_y", "rock_dx", "rock_dy"), zip(*rocks, strict=True), strict=True
    ):
        sim.records[name][0, : len(rocks)] = values
    return sim


def play(sim, *actions):
    for action in actions:
        sim.step(np.array([action]))
    return sim.records[0]


def ahead(heading):
    """To the right and down, for a heading in 48ths of a circle, clockwise from the top."""
    return np.array([np.sin(heading * np.pi / 24), -np.cos(heading * np.pi / 24)])


def around(difference):
    """The shorter way on a field whose edges are joined."""
    return (np.asarray(difference) + 32) % 64 - 32


def rocks_of(s):
    """(N, 2) places, (N, 2) speeds and (N,) sizes."""
    n = s["rocks"]
    return (
        np.stack([s["rock_x"], s["rock_y"]], 1)[:n],
        np.stack([s["rock_dx"], s["rock_dy"]], 1)[:n],
        s["rock_size"][:n].astype(int),
    )


def expected(s, action):
    """The ship, its rocks and its bullets after a step in which no bullet hits: a list of arrays, and the pause."""
    place, speed = np.array([s["x"], s["y"]]), np.array([s["dx"], s["dy"]])
    heading = (s["heading"] + (action == RIGHT) - (action == LEFT)) % 48
    life = s["bullet_life"].astype(int)
    bullets = np.stack([s["bullet_x"], s["bullet_y"]], 1)
    flights = np.stack([s["bullet_dx"], s["bullet_dy"]], 1)
    pause = max(s["pause"] - 1, 0)
    if action == THRUST:
        speed = speed + 0.04 * ahead(heading)
        speed = speed / max(1, np.hypot(*speed))
    if action == FIRE and pause == 0:
        free = s["next_bullet"]
        assert life[free] == 0
        life[free], bullets[free], flights[free], pause = 20, place, speed + 1.6 * ahead(heading), 5
    bullets = np.where(life[:, None] > 0, (bullets + flights) % 64, bullets)
    places, speeds, _ = rocks_of(s)
    ship = np.array([*((place + speed) % 64), *speed, heading])
    return ship, (places + speeds) % 64, bullets, np.maximum(life - 1, 0), pause


@pytest.mark.parametrize("kind", ["random", "heuristic"])
def test_every_step_is_that_of_the_second_implementation(kind):
    sim = Simulator("Meteors", 16, seed=2, autoreset="disabled")
    bot = Bot(sim, kind, seed=3)
    sim.reset()
    hits = crashes = compared = 0
    for _ in range(400):
        before, actions = sim.records.copy(), bot.act().copy()
        sim.step(actions)
        for s, now, action, reward, ended in zip(before, sim.records, actions, sim.reward, sim.terminated, strict=True):
            ship, places, bullets, life, pause = expected(s, action)
            _, _, sizes = rocks_of(s)
            assert around([now["x"] - ship[0], now["y"] - ship[1]]) == pytest.approx(0, abs=1e-9)
            assert [now[name] for name in ("dx", "dy", "heading")] == pytest.approx(list(ship[2:]), abs=1e-9)
            assert now["pause"] == pause
            flying = (life > 0) | (s["bullet_life"] > 0)
            inside = np.linalg.norm(around(bullets[:, None] - places), axis=2) < RADII[sizes]
            assert (reward > 0) == inside[flying].any()
            hits += reward > 0
            new_places, _, new_sizes = rocks_of(now)
            if reward == 0:
                compared += 1
                assert np.array_equal(new_sizes, sizes) and np.array_equal(now["bullet_life"], life)
                assert around(new_places - places) == pytest.approx(0, abs=1e-9)
                shots = np.stack([now["bullet_x"], now["bullet_y"]], 1)[life > 0]
                assert around(shots - bullets[life > 0]) == pytest.approx(0, abs=1e-9)
            gaps = np.hypot(*around(new_places - ship[:2]).T) - RADII[new_sizes]
            assert ended == (gaps.min() < 1.3)
            assert now["clearance"][: len(gaps)] == pytest.approx(gaps, abs=1e-9)
            crashes += ended
        sim.reset(sim.terminated.copy())
    assert compared > 5000 and hits > 100 and (kind == "heuristic" or crashes > 5)


@few
@given(PLACES, PLACES, SPEED, SPEED, st.lists(st.sampled_from([NOOP, LEFT, RIGHT]), min_size=1, max_size=60))
def test_without_thrust_the_ship_keeps_its_momentum(x, y, dx, dy, actions):
    """However it turns; the rock flies along with it and so never touches it."""
    rock = (1, (x + 20) % 64, y, dx, dy)
    s = play(one_game([rock], x=x, y=y, dx=dx, dy=dy), *actions)
    assert (s["dx"], s["dy"]) == (dx, dy)
    assert around(s["x"] - x - len(actions) * dx) == pytest.approx(0, abs=1e-9)
    assert around(s["y"] - y - len(actions) * dy) == pytest.approx(0, abs=1e-9)
    assert s["clearance"][0] == pytest.approx(20 - 1.5)


@few
@given(st.integers(0, 47), st.floats(-0.7, 0.7), st.floats(-0.7, 0.7))
def test_thrust_adds_to_the_speed_ahead_up_to_the_top(heading, dx, dy):
    s = play(one_game(heading=heading, dx=dx, dy=dy), THRUST)
    wanted = np.array([dx, dy]) + 0.04 * ahead(heading)
    assert [s["dx"], s["dy"]] == pytest.approx(wanted / max(1, np.hypot(*wanted)))
    assert np.hypot(s["dx"], s["dy"]) < 1 + 1e-12


def test_a_full_turn_takes_48_steps_and_both_ways_cancel():
    assert play(one_game(), *[RIGHT] * 48)["heading"] == 0
    assert play(one_game(), *[RIGHT] * 5, *[LEFT] * 7)["heading"] == 46


@pytest.mark.parametrize(("size", "reward"), [(3, 1), (2, 2), (1, 5)])
def test_a_hit_rock_breaks_into_two_of_the_next_size(size, reward):
    """The ship points up, the rock hangs 10 above it; another one, far away, stays as it is."""
    sim = one_game([(size, 32, 22, 0, 0), (3, 0, 0, 0, 0)])
    steps = 0
    play(sim, FIRE)
    while sim.reward[0] == 0:
        play(sim, NOOP)
        steps += 1
    s = sim.records[0]
    places, speeds, sizes = rocks_of(s)
    assert steps + 1 == np.floor((10 - RADII[size]) / 1.6) + 1 and sim.reward[0] == reward
    assert sorted(sizes) == sorted([3] + [size - 1] * (2 if size > 1 else 0))
    assert np.all(s["bullet_life"] == 0)
    for place, speed, part in zip(places, speeds, sizes, strict=True):
        if tuple(place) != (0, 0):
            assert tuple(place) == (32, 22)
            assert SPEEDS[part][0] <= np.hypot(*speed) <= SPEEDS[part][1]


def test_bullets_fly_twenty_steps_and_add_to_the_speed_of_the_ship():
    sim = one_game([(1, 0, 0, 0.5, 0.25)], dx=0.5, dy=0.25, heading=12)  # to the right; the rock stays 32 away
    s = play(sim, FIRE).copy()
    assert (s["bullet_x"][0], s["bullet_y"][0]) == (pytest.approx(32 + 2.1), pytest.approx(32.25))
    assert np.count_nonzero(play(sim, *[NOOP] * 18)["bullet_life"]) == 1
    assert np.count_nonzero(play(sim, NOOP)["bullet_life"]) == 0


def test_five_steps_lie_between_shots_and_four_bullets_fly():
    sim = one_game()
    flying = []
    for step in range(60):
        s = play(sim, FIRE)
        flying.append(np.count_nonzero(s["bullet_life"]))
        assert s["pause"] == 5 - step % 5
        assert sim.obs[0, 2] == (step % 5 == 4)
    assert flying[:16:5] == [1, 2, 3, 4] and max(flying) == 4


@pytest.mark.parametrize(("wave", "following"), [(3, 4), (5, 6), (6, 6)])
def test_after_the_last_rock_comes_the_next_wave_half_a_field_away(wave, following):
    sim = one_game([(1, 32, 29.5, 0, 0)], wave=wave)
    s = play(sim, FIRE)
    places, speeds, sizes = rocks_of(s)
    assert sim.reward[0] == 5 and s["wave"] == following
    assert list(sizes) == [3] * following
    assert np.all(np.abs(around(places - 32)).max(axis=1) == 32)
    assert np.all((np.hypot(*speeds.T) >= 0.12) & (np.hypot(*speeds.T) <= 0.28))


@few
@given(PLACES, PLACES, st.floats(0, 2 * np.pi), st.integers(1, 3), st.floats(-0.4, 0.4))
def test_a_game_ends_when_a_rock_touches_the_ship_across_edges_too(x, y, angle, size, gap):
    if abs(gap) < 1e-6:
        return
    way = RADII[size] + 1.3 + gap
    rock = (size, (x + way * np.cos(angle)) % 64, (y + way * np.sin(angle)) % 64, 0, 0)
    sim = one_game([rock], x=x, y=y)
    play(sim, NOOP)
    assert sim.terminated[0] == (gap < 0)


@few
@given(st.integers(0, 47), st.lists(st.tuples(st.integers(1, 3), PLACES, PLACES, SPEED, SPEED), min_size=1, max_size=9))
def test_features_are_the_nearest_rocks_as_the_ship_sees_them(heading, rocks):
    sim = one_game(rocks, heading=heading, dx=0.3, dy=-0.2)
    s = play(sim, NOOP)
    front = ahead(heading)
    side = np.array([-front[1], front[0]])
    places, speeds, sizes = rocks_of(s)
    ways = around(places - [s["x"], s["y"]])
    gaps = np.hypot(*ways.T) - RADII[sizes]
    seen = sim.obs[0, 4:].reshape(5, 5)
    speed = np.array([0.3, -0.2])
    assert sim.obs[0, :4] == pytest.approx([speed @ front, speed @ side, 1, len(rocks) / 24], abs=1e-6)
    for place, k in enumerate(np.argsort(gaps, kind="stable")[:5]):
        relative = speeds[k] - speed
        wanted = [ways[k] @ front / 32, ways[k] @ side / 32, relative @ front, relative @ side, sizes[k] / 3]
        assert seen[place] == pytest.approx(wanted, abs=1e-6)
    assert np.all(seen[len(rocks) :] == 0)


@few
@given(st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_rocks_never_outgrow_their_arrays(parts):
    """A big rock stands for four small ones, a middle one for two: what is left is never more than 24 of them."""
    worth = np.array([0, 1, 2, 4])
    sim = one_game([(size, 10 * k, 0, 0, 0) for k, size in enumerate(parts) if size] or [(3, 10, 0, 0, 0)])
    left = worth[rocks_of(sim.records[0])[2]].sum()
    for _ in range(60):  # shoot whatever is first in the arrays
        s = sim.records[0]
        hit, s["bullet_life"][0] = s["rock_size"][0], 1
        s["bullet_x"][0], s["bullet_y"][0] = s["rock_x"][0], s["rock_y"][0]
        s["bullet_dx"][0], s["bullet_dy"][0] = s["rock_dx"][0], s["rock_dy"][0]
        wave = s["wave"]
        now = play(sim, NOOP)
        if sim.terminated[0]:
            return
        if now["wave"] > wave:  # all gone
            assert left == 1
            return
        assert sim.reward[0] > 0 and hit > 0
        small = worth[rocks_of(now)[2]].sum()
        assert small == left - (1 if sim.reward[0] == 5 else 0) and now["rocks"] <= 24
        left = small


def test_the_heuristic_is_better_than_chance():
    sim = Simulator("Meteors", 64, seed=6, max_episode_steps=600)
    chance, skill = (play_out(sim, Bot(sim, kind), 64)[0].mean() for kind in ("random", "heuristic"))
    assert skill > 4 * chance > 4
