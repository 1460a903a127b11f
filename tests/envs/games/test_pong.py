"""Pong against the rules in its docstring: a second implementation, hand-made positions, and what always holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Bot, Simulator
from tests.envs.trajectories import play_out

STAY, UP, DOWN = range(3)
PADDLES, BALLS = st.floats(4, 44), st.floats(1, 47)
few = settings(max_examples=50, deadline=None)  # the first example compiles


def one_game(**fields):
    """A game in the given position; a still ball in the middle unless told otherwise."""
    sim = Simulator("Pong", 1, seed=1, autoreset="disabled")
    sim.reset()
    position = {"paddle": 24, "rival": 24, "ball_x": 32, "ball_y": 24, "ball_dx": 0, "ball_dy": 0, "aim": 0} | fields
    for name, value in position.items():
        sim.records[name] = value
    return sim


def after(sim, action=STAY):
    sim.step(np.array([action]))
    return sim.records[0]


def expected(s, action):
    """What the docstring says of one step: the next position, the reward, and whether the ball is served anew."""
    paddle, rival, x, y, dx, dy = (s[name] for name in ("paddle", "rival", "ball_x", "ball_y", "ball_dx", "ball_dy"))
    paddle = np.clip(paddle + (0.0, -1.2, 1.2)[action], 4.0, 44.0)
    wanted = y + s["aim"] if dx < 0 else 24.0
    rival = np.clip(rival + np.clip(wanted - rival, -0.62, 0.62), 4.0, 44.0)
    old_x, x, y = x, x + dx, y + dy
    if not 1.0 <= y <= 47.0:
        y, dy = (2.0 if y < 1.0 else 94.0) - y, -dy
    for line, side, bat in ((59.0, 1, paddle), (5.0, -1, rival)):
        if (old_x - line) * side < 0 <= (x - line) * side and abs(y - bat) <= 5.0:
            speed = min(1.05 * abs(dx), 2.0)
            x, dx, dy = 2 * line - x, -side * speed, speed * (y - bat) / 5.0
    reward = int(x < 0) - int(x > 64)
    return (paddle, rival, x, y, dx, dy), reward


@pytest.mark.parametrize("kind", ["random", "heuristic"])
def test_every_step_is_that_of_the_second_implementation(kind):
    sim = Simulator("Pong", 16, seed=2, autoreset="disabled")
    bot = Bot(sim, kind, seed=3)
    sim.reset()
    hits = points = 0
    for _ in range(1500):
        before, actions = sim.records.copy(), bot.act().copy()
        sim.step(actions)
        for s, now, action, reward, ended in zip(before, sim.records, actions, sim.reward, sim.terminated, strict=True):
            position, points_won = expected(s, action)
            assert reward == points_won
            assert now["score"] - s["score"] == (reward > 0)
            assert now["rival_score"] - s["rival_score"] == (reward < 0)
            assert ended == (max(now["score"], now["rival_score"]) == 5)
            hits += np.sign(position[4]) != np.sign(s["ball_dx"])
            points += reward != 0
            fields = ("paddle", "rival", "ball_x", "ball_y", "ball_dx", "ball_dy")[: 6 if reward == 0 else 2]
            assert [now[name] for name in fields] == pytest.approx(position[: len(fields)], abs=1e-9)
        sim.reset(sim.terminated.copy())
    assert hits > 100 and points > 20  # or nothing was compared


@few
@given(y=BALLS, dy=st.floats(-2, 2))
def test_long_walls_reflect_and_keep_the_speed(y, dy):
    s = after(one_game(ball_y=y, ball_dx=1.0, ball_dy=dy))
    assert 1 <= s["ball_y"] <= 47
    assert (s["ball_dx"], abs(s["ball_dy"])) == (1.0, abs(dy))
    assert (s["ball_dy"] == dy) == (1 <= y + dy <= 47)


@few
@given(paddle=PADDLES, offset=st.floats(-4.99, 4.99), speed=st.floats(1, 2), right=st.booleans())
def test_a_paddle_sends_the_ball_back_at_the_stated_angle_and_faster(paddle, offset, speed, right):
    y = min(max(paddle + offset, 1.0), 47.0)
    if right:
        s = after(one_game(paddle=paddle, ball_x=58.5, ball_y=y, ball_dx=speed))
    else:
        s = after(one_game(rival=paddle, aim=paddle - y, ball_x=5.5, ball_y=y, ball_dx=-speed))
    faster = min(1.05 * speed, 2.0)
    assert s["ball_dx"] == pytest.approx(-faster if right else faster)
    assert s["ball_dy"] == pytest.approx(faster * (y - paddle) / 5, abs=1e-9)
    assert s["ball_x"] == pytest.approx(59 - (speed - 0.5) if right else 5 + (speed - 0.5))


@pytest.mark.parametrize(("x", "dx", "reward"), [(58.5, 1.0, -1), (5.5, -1.0, 1)])
def test_a_ball_beside_the_paddle_leaves_the_court_and_is_a_point(x, dx, reward):
    sim = one_game(ball_x=x, ball_dx=dx, ball_y=24, paddle=30, rival=40)
    s = sim.records[0]
    steps = 0
    while sim.reward[0] == 0:
        sim.step(np.array([STAY]))
        steps += 1
    assert sim.reward[0] == reward and steps == 6  # 5.5 to the court's end
    assert (s["score"], s["rival_score"]) == ((1, 0) if reward > 0 else (0, 1))
    assert s["ball_x"] == 32 and 12 <= s["ball_y"] <= 36 and abs(s["ball_dx"]) == 1 and abs(s["ball_dy"]) <= 0.8


def test_a_ball_that_is_past_the_paddle_cannot_be_hit_any_more():
    s = after(one_game(ball_x=59.5, ball_dx=1.0))
    assert s["ball_dx"] == 1.0 and s["ball_x"] == 60.5


@pytest.mark.parametrize(("mine", "theirs", "reward", "over"), [(4, 4, 1, True), (4, 4, -1, True), (3, 4, 1, False)])
def test_five_points_end_the_game(mine, theirs, reward, over):
    sim = one_game(score=mine, rival_score=theirs, ball_x=64 if reward < 0 else 0, ball_dx=-reward)
    after(sim)
    assert (sim.reward[0], sim.terminated[0]) == (reward, over)


@few
@given(paddle=PADDLES, rival=PADDLES, action=st.integers(0, 2))
def test_paddles_stay_inside_and_move_at_their_speeds(paddle, rival, action):
    s = after(one_game(paddle=paddle, rival=rival, ball_dx=-1.0, ball_y=1.0, aim=-4.0), action)
    assert s["paddle"] == pytest.approx(min(max(paddle + (0, -1.2, 1.2)[action], 4), 44))
    assert s["rival"] == pytest.approx(max(rival - 0.62, 4))


@few
@given(y=BALLS, grad=st.floats(-1.5, 1.5), paddle=PADDLES)
def test_the_heuristic_knows_where_a_ball_will_come(y, grad, paddle):
    """It goes to a place where it hits the ball: from close enough, it always does."""
    sim = one_game(ball_x=20, ball_y=y, ball_dx=1.0, ball_dy=grad, paddle=paddle)
    bot = Bot(sim)
    while sim.records[0]["ball_dx"] == 1.0 and sim.reward[0] == 0:
        sim.step(bot.act())
    assert sim.reward[0] == 0


def test_features_are_where_things_are():
    sim = one_game(paddle=8, rival=40, ball_x=48, ball_y=8, ball_dx=2.0, ball_dy=-1.0, score=1, rival_score=4)
    s = after(sim)
    wanted = [(8 - 24) / 32, (39.38 - 24) / 32, (50 - 32) / 32, (7 - 24) / 32, 1.0, -0.5, 0.2, 0.8]
    assert sim.obs[0] == pytest.approx(wanted, abs=1e-6) and s["ball_x"] == 50


def test_serves_go_either_way_from_the_middle():
    sim = Simulator("Pong", 2000, seed=4)
    sim.reset()
    s = sim.records
    assert np.all(s["ball_x"] == 32) and np.all(abs(s["ball_dx"]) == 1)
    assert abs(s["ball_dx"].mean()) < 0.1  # 4.5 standard deviations
    assert 11.9 < (s["ball_y"] - 24).max() <= 12 and -12 <= (s["ball_y"] - 24).min() < -11.9
    assert 0.79 < s["ball_dy"].max() <= 0.8 and -0.8 <= s["ball_dy"].min() < -0.79
    assert 4.4 < s["aim"].max() <= 4.5 and -4.5 <= s["aim"].min() < -4.4


@pytest.mark.parametrize(("kind", "low", "high"), [("heuristic", 3, 5), ("random", -5, -3)])
def test_the_heuristic_wins_and_chance_loses(kind, low, high):
    sim = Simulator("Pong", 64, seed=5)
    returns, _ = play_out(sim, Bot(sim, kind), 64)
    assert low < returns.mean() < high
