"""`ludus watch`: what the keys do, and what the window tells.

What is expected follows from the rules of Catch: an episode is nine steps, catching the ball pays +1, missing it -1.
"""

import sys
from pathlib import Path

import numpy as np
import pygame
import pytest

from ludus.cli import watch
from ludus.cli.named import called
from ludus.cli.players import seated
from ludus.envs import Bot, OptionError, Simulator
from ludus.envs.viewer.scene import CLOSED, Sight
from ludus.envs.viewer.sight import WIDTH as SIGHT_WIDTH
from ludus.envs.viewer.window import BOARD, PANEL, NoDisplay, Window

from .catcher import STAY, Catcher, press

STEPS = 9  # of an episode


@pytest.fixture
def session():
    return watching()


def watching(agent=None, **settings):
    sim = Simulator("Catch", seed=1, autoreset="disabled")
    return watch.Session(seated(agent or Catcher(), sim), sim, watch.Config(Path("runs/catcher"), **settings))


@pytest.fixture
def window(session):
    with Window(session.sim, "test") as window:
        press(window, session)
        yield window


def test_time_passes_at_the_games_pace(session):
    session.advance(0.5)
    assert session.steps == 5  # of 10 a second
    assert session.sim.records["ball_row"][0] == 5


def test_space_pauses_and_goes_on(session, window):
    before = press(window, session)
    paused = press(window, session, pygame.K_SPACE)
    assert session.paused
    assert not np.array_equal(before[BOARD:], paused[BOARD:])
    session.advance(10.0)
    assert session.steps == 0
    press(window, session, pygame.K_SPACE)
    session.advance(0.1)
    assert session.steps == 1


@pytest.mark.parametrize("key", [pygame.K_n, pygame.K_RIGHT])
def test_single_steps_only_while_paused(session, window, key):
    press(window, session, key)
    assert session.steps == 0
    before = press(window, session, pygame.K_SPACE)
    after = press(window, session, key)
    assert session.steps == 1
    assert session.sim.records["ball_row"][0] == 1
    assert not np.array_equal(before[:BOARD], after[:BOARD])


def test_faster_and_slower_double_and_halve_within_limits(session, window):
    before = press(window, session)
    after = press(window, session, pygame.K_PLUS)
    assert session.speed == 2
    assert not np.array_equal(before[BOARD:], after[BOARD:])
    session.advance(0.25)
    assert session.steps == 5
    press(window, session, *[pygame.K_EQUALS] * 12)
    assert session.speed == 64
    press(window, session, *[pygame.K_MINUS] * 12)
    assert session.speed == 1 / 8


def test_restart_begins_an_episode_and_does_not_count_the_old_one(session, window):
    session.advance(0.4)
    before = press(window, session)
    after = press(window, session, pygame.K_r)
    assert (session.steps, session.scores[0], session.returns) == (0, 0.0, [])
    assert session.sim.records["ball_row"][0] == 0
    assert not np.array_equal(before[:BOARD], after[:BOARD])


def test_the_overlay_comes_and_goes_beside_the_picture(session, window):
    with_overlay = press(window, session)
    without = press(window, session, pygame.K_o)
    assert not session.overlay
    assert np.array_equal(with_overlay[:BOARD], without[:BOARD])
    assert not np.array_equal(with_overlay[BOARD:], without[BOARD:])
    assert np.array_equal(with_overlay, press(window, session, pygame.K_o))


def test_without_the_overlay_the_agent_is_not_asked_why():
    agent = Catcher()
    session = watching(agent)
    session.press("o")
    asked = agent.explained
    session.advance(0.5)
    assert agent.explained == asked
    session.press("o")
    assert agent.explained == asked + 1


SIGHT = Sight("Decoded planes", "1 of 4 cells wrong", 2, 2, bytes(range(12)))


class Seer:
    """A player that sees something, and counts how often it was asked."""

    def __init__(self, sim):
        self.sim, self.step, self.asked = sim, sim.step, []

    def restart(self):
        pass

    def decide(self, deterministic):
        return np.array([STAY])

    def explain(self):
        return np.full((1, 3), 1 / 3), np.zeros(1), False

    def sight(self, actions):
        self.asked.append((int(self.sim.records["ball_row"][0]), *actions.tolist()))
        return SIGHT


@pytest.fixture
def seeing():
    sim = Simulator("Catch", seed=1, autoreset="disabled")
    return watch.Session(Seer(sim), sim, watch.Config(Path("runs/seer")))


def test_what_the_agent_sees_is_told_once_for_each_picture_that_is_shown(seeing):
    seeing.advance(0.3)
    assert seeing.player.asked == []  # nothing was shown yet
    assert [seeing.scene().sight for _ in range(3)] == [SIGHT] * 3
    assert seeing.player.asked == [(3, STAY)]
    seeing.advance(0.6)
    assert seeing.over and seeing.scene().sight == SIGHT
    assert seeing.player.asked == [(3, STAY), (9, STAY)]


def test_without_the_overlay_the_agent_is_not_asked_what_it_sees(seeing):
    seeing.press("o")
    seeing.advance(0.2)
    assert seeing.scene().sight is None and seeing.player.asked == []
    seeing.press("o")
    assert seeing.scene().sight == SIGHT and len(seeing.player.asked) == 1


def test_the_overlay_tells_what_the_agent_says():
    session = watching()
    session.advance(0.3)
    decision = session.scene().decision
    assert decision.actions == ("left", "stay", "right")
    assert decision.numbers == pytest.approx((0.2, 0.5, 0.3))
    assert decision.values == (0.75,) * 4  # at the start and after each step
    before = session.sim.records["paddle"][0]
    session.advance(0.1)
    assert (
        session.sim.records["paddle"][0] == before + decision.chosen - STAY
    )  # the highlighted action is the one taken


def test_greedy_and_sampled_differ_in_what_the_agent_does(session, window):
    before = press(window, session)
    after = press(window, session, pygame.K_g)
    assert session.sampled
    assert not np.array_equal(before[BOARD:], after[BOARD:])
    session.advance(0.5)
    assert session.sim.records["paddle"][0] == 0  # five steps to the left
    press(window, session, pygame.K_g)
    assert not session.sampled


@pytest.mark.parametrize("key", ["q", "escape", CLOSED])
def test_ways_to_leave(session, key):
    session.press(key)
    assert session.closed


def test_other_keys_do_nothing(session, window):
    before = press(window, session)
    assert np.array_equal(before, press(window, session, pygame.K_x, pygame.K_F5, pygame.K_LEFT))


def test_the_end_of_an_episode_can_be_seen_before_the_next_begins(session):
    session.advance(STEPS / 10 + 0.01)
    assert (session.over, session.returns, session.scores[0]) == (True, [1.0], 1.0)
    assert session.scene().status == "episode over"
    session.advance(0.7)
    assert session.over
    session.advance(0.3)
    assert (session.over, session.steps, session.scores[0]) == (False, 0, 0.0)


def test_the_mean_return_is_of_all_episodes_that_ended():
    session = watching()
    session.returns = [1.0, -1.0, 1.0, 1.0]
    assert session.scene().facts["mean return"] == "0.5"
    assert session.scene().facts["episodes"] == "4"
    assert session.summary() == "episodes: 4, mean return: 0.5, best: 1"


def test_an_episode_that_is_cut_off_says_so():
    sim = Simulator("Catch", seed=1, autoreset="disabled", max_episode_steps=4)
    session = watch.Session(seated(Catcher(), sim), sim, watch.Config(Path("runs/catcher")))
    session.advance(0.41)
    assert session.returns == [0.0]
    assert "cut off" in session.scene().status


def test_watch_closes_after_the_episodes_asked_for(agent, capsys):
    assert watch.main(["runs/catcher", "--episodes", "2", "--speed", "64", "--seed", "3"]) == 0
    assert capsys.readouterr().out == "episodes: 2, mean return: 1, best: 1\n"
    assert agent.seeds == [3]


def test_watch_sampled(agent, capsys):
    assert watch.main(["runs/catcher", "--episodes", "8", "--speed", "64", "--seed", "0", "--sampled"]) == 0
    mean = float(capsys.readouterr().out.split("mean return: ")[1].split(",")[0])
    assert mean < 1.0  # always left misses some


def test_deterministic_and_sampled_exclude_each_other(agent):
    with pytest.raises(OptionError, match="exclude each other"):
        watch.main(["runs/catcher", "--sampled", "--deterministic"])


@pytest.mark.parametrize("wrong", [["--episodes", "0"], ["--speed", "0"], ["--speed", "100"]])
def test_watch_refuses_settings_out_of_range(agent, wrong):
    with pytest.raises(OptionError, match=wrong[0].strip("-")):
        watch.main(["runs/catcher", *wrong])


def test_without_a_display_nothing_is_loaded(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(NoDisplay):
        watch.main(["Catch"])


class Clock:
    """A clock that is moved by hand."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(watch.time, "monotonic", lambda: self.now)


def test_the_pace_is_measured_and_not_computed(monkeypatch):
    """At 64 times ten steps a second, on a machine that takes a quarter of a second for two steps."""
    clock, session = Clock(monkeypatch), watching(speed=64.0)
    assert session.status() == "greedy actions"
    for _ in range(4):
        session.due = 2.0
        session.advance(0.0)
        clock.now += 0.25
    assert session.steps == STEPS - 1
    assert session.status() == "greedy, 8 steps a second"


@pytest.mark.parametrize(("pause", "rate"), [(0.01, 100), (0.25, 4), (0.5, 2), (4.0, 0.25)])
def test_the_rate_is_of_the_last_second_or_of_the_last_two_steps(monkeypatch, pause, rate):
    clock, measured = Clock(monkeypatch), watch.Rate()
    assert measured.a_second() is None
    for _ in range(300):
        measured.count()
        clock.now += pause
    assert measured.a_second() == pytest.approx(rate, rel=0.02)
    assert len(measured.times) <= 102


def test_steps_that_come_in_bursts_are_not_taken_for_a_pace(monkeypatch):
    clock, measured = Clock(monkeypatch), watch.Rate()
    for _ in range(10):
        for _ in range(8):
            measured.count()
            clock.now += 0.001
        clock.now += 0.492
    assert 15 <= measured.a_second() <= 17


class Undecided:
    """A player that could do anything, and does the first that is allowed."""

    def __init__(self, sim):
        self.sim, self.step = sim, sim.step

    def restart(self):
        pass

    def decide(self, deterministic):
        return np.flatnonzero(self.sim.legal[0])[:1]

    def explain(self):
        return self.sim.legal / self.sim.legal.sum(), np.zeros(1), False

    def sight(self, actions):
        pass


@pytest.mark.parametrize(("game", "second"), [("TicTacToe", True), ("Backgammon", False)])
def test_an_agents_moves_are_marked_where_they_are(game, second):
    """In Backgammon the second player sees the board from the other side: no mark is better than a wrong one."""
    sim, seen = Simulator(game, seed=4, autoreset="disabled"), [set(), set()]
    session = watch.Session(Undecided(sim), sim, watch.Config(Path("x")))
    for _ in range(6):
        marks = session.scene().marks
        assert not marks or len(marks) == sum(sim.legal[0, : 9 if game == "TicTacToe" else None])
        seen[int(sim.player[0])].add(bool(marks))
        session.step()
    assert seen == [{True}, {second}]


def test_games_that_take_no_clicks_have_no_marks(session):
    assert session.scene().decision is not None and session.scene().marks == ()


@pytest.mark.parametrize("kind", [Bot, Seer])
def test_agents_that_see_get_a_wider_window(kind, monkeypatch):
    sizes, sim = set(), Simulator("Catch", seed=1, autoreset="disabled")
    monkeypatch.setattr(Window, "show", lambda window, _: sizes.add(window.surface.get_size()))
    monkeypatch.setattr(watch, "seats", lambda *_, **__: (kind(sim), sim))
    watch.main(["runs/x", "--episodes", "1", "--speed", "64"])
    assert sizes == {(BOARD + PANEL + (SIGHT_WIDTH if kind is Seer else 0), BOARD)}


def test_the_window_says_whose_agent_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert called(Path("Breakout")) == called(Path("breakout")) == "the zoo's agent"
    assert called(Path("Snake:heuristic")) == "Snake:heuristic" and called(Path("runs/mine")) == "runs/mine"
    assert watching().scene().subtitle == "catcher"
    (tmp_path / "Breakout").mkdir()
    assert called(Path("Breakout")) == "Breakout"
