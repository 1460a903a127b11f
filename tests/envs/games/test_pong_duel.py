"""PongDuel: hits and points from positions set up by hand, mirrored games, and whole rallies calculated without steps.

The constants are repeated here from the game's description, not imported: a court of 32 x 20, measured from its middle.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Bot, Simulator
from tests.envs.trajectories import play_out

STAY, UP, DOWN = range(3)
PADDLE_X, REACH, TURN, END = 14.5, 1.75, 9.5, 16.0  # TURN: how far from the middle the ball bounces
SERVE, FASTEST, GAIN = 0.6, 3.0, 1.1


def position(sim=None, *, paddle=(0.0, 0.0), points=(0, 0), wait=0, **ball):
    """A simulator of one game whose ball has x, y, vx, vy and speed as given."""
    sim = sim or Simulator("PongDuel", 1, seed=0, autoreset="disabled")
    sim.reset()
    record = sim.records[0]
    record["paddle"], record["points"], record["wait"] = paddle, points, wait
    for name, value in ball.items():
        record[name] = value
    return sim


def step(sim, mine=STAY, theirs=STAY):
    sim.step(np.array([[mine, theirs]]))
    return sim.reward[0].tolist()


def ball(sim):
    return [float(sim.records[name][0]) for name in ("x", "y", "vx", "vy")]


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("part", [-1.0, -0.5, 0.0, 0.25, 1.0])
def test_the_part_of_the_paddle_sets_the_angle(side, part):
    """The middle returns the ball flat, the edge at 45 degrees, always 10 % faster."""
    sim = position(paddle=(2.0, 2.0), x=side * 14.0, y=2.0 + REACH * part, vx=side * 1.0, vy=0.0, speed=1.0)
    assert step(sim) == [0, 0]
    x, y, vx, vy = ball(sim)
    assert (x, y) == (side * PADDLE_X, 2.0 + REACH * part)
    assert vx * side < 0 and vy / abs(vx) == pytest.approx(part, abs=1e-12)
    assert math.hypot(vx, vy) == pytest.approx(GAIN, abs=1e-12)


@pytest.mark.parametrize(("part", "loses"), [(1.001, True), (0.999, False), (-0.999, False), (-1.001, True)])
def test_a_ball_beside_the_paddle_is_lost(part, loses):
    sim = position(x=-14.0, y=REACH * part, vx=-1.0, vy=0.0, speed=1.0)
    rewards = [step(sim) for _ in range(3)]
    assert rewards == ([[0, 0], [0, 0], [-1, 1]] if loses else [[0, 0]] * 3)
    assert sim.records["points"][0].tolist() == ([0, 1] if loses else [0, 0])


def test_a_ball_behind_the_paddle_cannot_be_saved():
    sim = position(paddle=(-2.0, 0.0), x=-14.75, y=-2.0, vx=-0.5, vy=0.0, speed=1.0)
    assert [step(sim, DOWN) for _ in range(3)] == [[0, 0], [0, 0], [-1, 1]]


def test_the_ball_is_hit_where_it_crosses_the_line():
    """Half a step before the end of the step, and after a bounce: at y = 9.5 - 0.25, not at 9.5 - 0.75."""
    sim = position(paddle=(8.25, 0.0), x=-14.0, y=9.25, vx=-1.0, vy=1.0, speed=math.sqrt(2))
    step(sim)
    assert ball(sim)[:2] == [-PADDLE_X, 9.25]


@pytest.mark.parametrize("side", [-1, 1])
def test_the_ball_bounces_off_the_sides(side):
    sim = position(x=0.0, y=side * 9.25, vx=0.5, vy=side * 0.75, speed=1.0)
    step(sim)
    assert ball(sim) == [0.5, side * 9.0, 0.5, -side * 0.75]


def test_paddles_stay_in_the_court():
    sim = position(wait=100)
    for _ in range(40):
        step(sim, UP, DOWN)
    assert sim.records["paddle"][0].tolist() == [-8.25, 8.25]
    step(sim, DOWN, STAY)
    assert sim.records["paddle"][0].tolist() == [-7.875, 8.25]


def test_the_ball_waits_ten_steps_and_goes_to_the_loser():
    sim = position(x=15.9, y=5.0, vx=0.5, vy=0.0, speed=0.5, paddle=(1.5, -3.0))
    assert step(sim) == [1, -1]
    assert sim.records["paddle"][0].tolist() == [1.5, -3.0]
    _, _, vx, vy = ball(sim)
    assert vx > 0 and abs(vy / vx) <= 0.5 and math.hypot(vx, vy) == pytest.approx(SERVE, abs=1e-12)
    for _ in range(10):
        assert ball(sim) == [0, 0, vx, vy]
        step(sim)
    step(sim)
    assert ball(sim) == [vx, vy, vx, vy]


@pytest.mark.parametrize("winner", [0, 1])
def test_five_points_end_the_game(winner):
    points = (4, 3) if winner == 0 else (2, 4)
    side = 1 if winner == 0 else -1
    sim = position(x=side * 15.9, y=5.0, vx=side * 0.5, vy=0.0, points=points)
    rewards = step(sim)
    assert rewards[winner] == 1 and sum(rewards) == 0 and sim.terminated[0]


def test_serves_are_fair():
    sim = Simulator("PongDuel", 4000, seed=3)
    sim.reset()
    to_the_right, grad = sim.records["vx"] > 0, sim.records["vy"] / np.abs(sim.records["vx"])
    assert abs(to_the_right.mean() - 0.5) < 0.04 and abs(grad.mean()) < 0.02
    assert -0.5 <= grad.min() < -0.49 and 0.49 < grad.max() <= 0.5


places = st.builds(
    dict,
    paddle=st.tuples(*[st.integers(-22, 22).map(lambda k: 0.375 * k)] * 2),
    points=st.tuples(*[st.integers(0, 4)] * 2),
    wait=st.sampled_from([0, 0, 0, 1]),
    x=st.one_of(st.floats(-15.9, 15.9), st.floats(12.0, 14.49)),
    y=st.floats(-TURN, TURN),
    vx=st.floats(0.4, 2.9).flatmap(lambda v: st.sampled_from([v, -v])),
    vy=st.floats(-2.0, 2.0),
    speed=st.floats(0.6, 3.0),
)
both = st.tuples(*[st.integers(0, 2)] * 2)
HERE = Simulator("PongDuel", 1, seed=0, autoreset="disabled")
THERE = Simulator("PongDuel", 1, seed=0, autoreset="disabled")


def pair(place, changed):
    """Two simulators with the same random numbers ahead, one of them in the changed position."""
    HERE.seed(1)
    THERE.seed(1)
    return position(HERE, **place), position(THERE, **{**place, **changed})


@settings(deadline=None, max_examples=500)
@given(place=places, actions=st.lists(both, min_size=1, max_size=30))
def test_players_are_treated_alike(place, actions):
    """Left and right swapped, with all that is theirs, gives the swapped game: to the last bit, also when a point is lost."""
    swapped = {"x": -place["x"], "vx": -place["vx"], "paddle": place["paddle"][::-1], "points": place["points"][::-1]}
    here, there = pair(place, swapped)
    for chosen in actions:
        here.step(np.array([chosen]))
        there.step(np.array([chosen[::-1]]))
        a, b = here.records[0], there.records[0]
        assert here.reward[0].tolist() == there.reward[0].tolist()[::-1]
        assert (a["x"], a["vx"], a["y"], a["vy"]) == (-b["x"], -b["vx"], b["y"], b["vy"])
        assert a["paddle"].tolist() == b["paddle"].tolist()[::-1] and a["points"].tolist() == b["points"].tolist()[::-1]
        assert (here.obs[0] == there.obs[0, ::-1]).all()
        if here.terminated[0]:
            break


@settings(deadline=None, max_examples=500)
@given(place=places, actions=st.lists(both, min_size=1, max_size=30))
def test_up_and_down_are_alike(place, actions):
    """Until the next serve, whose direction is drawn."""
    flipped = {"y": -place["y"], "vy": -place["vy"], "paddle": tuple(-y for y in place["paddle"])}
    here, there = pair(place, flipped)
    for chosen in actions:
        here.step(np.array([chosen]))
        there.step((3 - np.array([chosen])) % 3)
        assert here.reward.tolist() == there.reward.tolist()
        if here.reward.any():
            break
        a, b = here.records[0], there.records[0]
        assert (a["x"], a["vx"], a["y"], a["vy"]) == (b["x"], b["vx"], -b["y"], -b["vy"])


class Flight:
    """One flight of the ball, from serve or hit to the line of a paddle, calculated at once with bounces unfolded."""

    def __init__(self, x, y, speed, grad, side):
        self.speed, self.side = speed, side
        forward = speed / math.hypot(1.0, grad)
        self.steps = (PADDLE_X - x * side) / forward  # a fraction too
        swing = (y + forward * grad * self.steps + TURN) % (4 * TURN)
        self.y = min(swing, 4 * TURN - swing) - TURN
        self.lost_after = math.floor((END - x * side) / forward + 1e-9) + 1

    def reaches(self, paddle):
        return abs(self.y - paddle) <= REACH

    def returned(self, y, paddle):
        """The next flight. It begins at the y of the game, since every hit makes a difference 20 times larger."""
        faster = self.speed * GAIN if self.speed * GAIN <= FASTEST else self.speed
        return Flight(self.side * PADDLE_X, y, faster, (y - paddle) / REACH, -self.side)


def test_rallies_are_as_calculated():
    """Every flight of 64 games between players who mostly follow the ball, against its end foretold at its beginning."""
    count = 64
    sim = Simulator("PongDuel", count, seed=5, autoreset="same_step")
    sim.reset()
    bot, rng = Bot(sim, "heuristic", 1), np.random.default_rng(2)

    def served(k):
        r = sim.records[k]
        return Flight(0.0, 0.0, SERVE, r["vy"] / abs(r["vx"]), 1 if r["vx"] > 0 else -1)

    flights, waited = [served(k) for k in range(count)], [-10] * count
    hits, lost = 0, 0
    for _ in range(1500):
        actions = np.where(rng.random((count, 2)) < 0.85, bot.act(), rng.integers(0, 3, (count, 2)))
        sim.step(actions)
        for k in range(count):
            flight, record = flights[k], sim.records[k]
            waited[k] += 1
            receiver = 0 if flight.side < 0 else 1
            if waited[k] == math.ceil(flight.steps - 1e-9) and not sim.reward[k].any():
                paddle, returned = record["paddle"][receiver], record["vx"] * flight.side < 0
                if abs(abs(flight.y - paddle) - REACH) > 1e-9:  # not just on the edge
                    assert returned == flight.reaches(paddle)
                if returned:
                    assert record["y"] == pytest.approx(flight.y, abs=1e-11)
                    flights[k], waited[k], hits = flight.returned(record["y"], paddle), 0, hits + 1
                    assert math.hypot(record["vx"], record["vy"]) == pytest.approx(flights[k].speed, abs=1e-12)
            elif sim.reward[k].any():
                assert waited[k] == flight.lost_after
                assert sim.reward[k].tolist() == ([-1, 1] if receiver == 0 else [1, -1])
                flights[k], waited[k], lost = served(k), -10, lost + 1
    assert hits > 1000 and lost > 100


def test_the_simple_player_beats_chance():
    sim = Simulator("PongDuel", 64, seed=6)
    simple, chance = Bot(sim, "heuristic"), Bot(sim, "random")

    class Match:
        def act(self):
            return np.stack([simple.act()[:, 0], chance.act()[:, 1]], axis=1)

    returns, _ = play_out(sim, Match(), 64)
    assert returns.mean(axis=0)[0] > 4.5 and (returns.sum(axis=1) == 0).all()
