"""`ludus play`: what the keys do, and what the window tells.

What is expected follows from the rules of Catch: an episode is nine steps, catching the ball pays +1, missing it -1.
"""

import sys
from dataclasses import replace

import numpy as np
import pygame
import pytest

from ludus.cli import play
from ludus.cli.session import REST
from ludus.envs import OptionError, Simulator, UnknownGame, find_game
from ludus.envs.viewer.scene import CLOSED
from ludus.envs.viewer.window import BOARD, NoDisplay, Window

from .catcher import press

STEPS = 9  # of an episode


def playing(game="Catch", **options):
    session = play.Session(Simulator(game, seed=1, autoreset="disabled", **options))
    session.press("return")
    return session


def paddle(session):
    return int(session.sim.records["paddle"][0])


def test_the_game_waits_for_any_key_and_shows_the_keys():
    session = play.Session(Simulator("Catch", seed=1, autoreset="disabled"))
    session.advance(5.0, [])
    assert (session.stage, session.steps) == ("start", 0)
    card = session.scene().card
    assert card.title == "Catch"
    assert card.keys == {"left a": "left", "right d": "right"}
    assert card.prompt == "press any key to start"
    session.press("x")
    assert session.stage == "playing"
    assert session.scene().card is None


def test_without_a_key_the_game_goes_on_at_its_pace():
    session = playing()
    session.advance(0.5, [])
    assert (session.steps, paddle(session)) == (5, 5)


@pytest.mark.parametrize(
    ("held", "expected"), [(["left"], 2), (["d"], 8), (["left", "right"], 8), (["x"], 5), (["a", "x"], 2)]
)
def test_keys_that_are_held_act_in_every_step_the_last_one_first(held, expected):
    session = playing()
    session.advance(0.3, held)
    assert paddle(session) == expected


def test_a_tap_between_two_steps_counts_once():
    session = playing()
    session.advance(0.05, [])
    session.press("left")  # and let go at once
    session.advance(0.05, [])
    assert paddle(session) == 4
    session.advance(0.3, [])
    assert paddle(session) == 4


def test_through_the_window_a_held_key_moves_the_paddle():
    session = playing()
    with Window(session.sim, "test") as window:
        before = press(window, session)
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_RIGHT))
        for key in window.pressed():
            session.press(key)
        session.advance(0.2, window.held)
        after = press(window, session)
    assert paddle(session) == 7
    assert not np.array_equal(before[:BOARD], after[:BOARD])


def test_pause_stops_time():
    session = playing()
    session.press("p")
    session.advance(3.0, ["left"])
    assert (session.stage, session.steps) == ("paused", 0)
    assert session.scene().card.title == "Paused"
    session.press("p")
    session.advance(0.1, [])
    assert session.steps == 1


def test_game_over_shows_the_score_and_r_plays_again():
    session = playing()
    target = int(session.sim.records["ball_col"][0])
    session.advance(abs(target - 5) / 10 + 0.001, ["left" if target < 5 else "right"])
    session.advance(2.0, [])
    assert (session.stage, session.scores[0], session.returns) == ("over", 1.0, [1.0])
    scene = session.scene()
    assert scene.card is None  # the picture stays as it is
    assert scene.result.title == "Game over"
    assert "Score 1." in scene.result.text
    assert scene.result.prompt == "space to play again"
    session.advance(5.0, [])
    assert session.steps == STEPS
    session.press("r")
    assert (session.stage, session.steps, session.scores[0]) == ("playing", 0, 0.0)
    session.advance(2.0, ["left" if session.sim.records["ball_col"][0] >= 5 else "right"])
    assert session.returns == [1.0, -1.0]
    assert session.scene().facts == {"steps": "9", "games": "2", "mean score": "0", "best": "1"}


@pytest.mark.parametrize("key", ["r", "space", "return"])
def test_after_the_end_several_keys_play_again(key):
    session = playing()
    session.advance(2.0, [])
    assert session.stage == "over"
    session.advance(REST, [])
    session.press(key)
    assert (session.stage, session.steps) == ("playing", 0)
    assert session.scene().result is None


def test_a_key_meant_for_the_game_does_not_start_the_next_one():
    session = playing()
    session.advance(2.0, [])
    session.advance(REST / 2, [])
    session.press("space")
    assert session.stage == "over"


@pytest.mark.parametrize("key", ["p", "space", "return"])
def test_several_keys_end_a_pause(key):
    session = playing()
    session.press("p")
    session.press(key)
    assert session.stage == "playing"


def test_a_key_that_the_window_has_for_itself_is_never_the_games():
    """What is shown beside the picture is what keys do, even in a game that nobody checked."""
    game = replace(find_game("Catch"), keys={"p": "left", "q": "right", "left": "left"})
    session = play.Session(Simulator(game, seed=1, autoreset="disabled"))
    session.press("space")
    assert session.scene().controls == {"left": "left"}
    session.press("p")
    assert session.stage == "paused"
    session.press("q")
    assert session.closed


def test_time_is_up_when_the_episode_is_cut_off():
    session = playing(max_episode_steps=3)
    session.advance(1.0, [])
    assert session.steps == 3
    assert session.scene().result.title == "Time is up"


def test_only_keys_whose_actions_are_offered_act():
    minimal, full = playing("Breakout"), playing("Breakout", full_action_space=True)
    assert minimal.sim.actions == ("noop", "left", "right")
    assert minimal.keys[0] == {"left": 1, "right": 2, "a": 1, "d": 2}
    assert full.keys[0] == {"left": 1, "right": 3, "a": 1, "d": 3}
    assert minimal.idle == full.idle == 0
    full.advance(0.2, ["right"])
    assert paddle(full) == 6


@pytest.mark.parametrize("key", ["q", "escape", CLOSED])
@pytest.mark.parametrize("stage", ["start", "playing", "paused", "over"])
def test_play_can_always_be_left(key, stage):
    session = playing()
    session.stage = stage
    session.returns = [0.0]
    session.press(key)
    assert session.closed


def test_play_from_the_command_line_takes_the_games_options(monkeypatch):
    sessions = []
    monkeypatch.setattr("ludus.envs.viewer.window.run", lambda session, caption: sessions.append(session))
    arguments = ["breakout", "--repeat-action-probability", "0.1", "--full-action-space", "--max-episode-steps", "50"]
    assert play.main([*arguments, "--seed", "4", "--speed", "2"]) == 0
    options = sessions[0].sim.options
    assert sessions[0].sim.game.name == "Breakout"
    assert (options.repeat_action_probability, options.full_action_space, options.max_episode_steps) == (0.1, True, 50)
    assert (sessions[0].sim.seed_used, sessions[0].speed) == (4, 2.0)


def test_play_refuses_what_it_does_not_know():
    with pytest.raises(UnknownGame, match="did you mean Breakout"):
        play.main(["Brekout"])
    with pytest.raises(OptionError, match="speed"):
        play.main(["Catch", "--speed", "0"])
    with pytest.raises(OptionError, match="repeat_action_probability"):
        play.main(["Catch", "--repeat-action-probability", "2"])


def test_without_a_display_nothing_is_loaded(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(NoDisplay):
        play.main(["Catch"])


def test_names_are_for_people():
    session = play.Session(Simulator("Wilds", seed=1, autoreset="disabled"))
    controls = session.scene().controls
    assert controls["1"] == "make wood pickaxe"
    assert not any("_" in what for what in controls.values())


def test_keys_of_moves_that_are_not_allowed_are_asleep():
    """In Leduc poker, folding is legal only after a raise."""
    session = play.Session(Simulator("LeducPoker", seed=1, autoreset="disabled"))
    assert session.scene().asleep == frozenset()  # not yet
    session.press("space")
    assert session.scene().asleep == {"left a"}
    session.press("right")
    assert session.scene().asleep == frozenset()
