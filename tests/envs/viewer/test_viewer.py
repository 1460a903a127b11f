"""Several windows at once in one process: of environments, of `ludus watch`, and of other libraries."""

import copy
import gc
import pickle
import sys
from functools import partial

import gymnasium
import numpy as np
import pygame
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import render_test

from ludus.envs import Simulator, aec_env
from ludus.envs.viewer.human import Viewer
from ludus.envs.viewer.scene import CLOSED
from ludus.envs.viewer.window import Window


def human(name):
    env = gymnasium.make(f"ludus/{name}-v1", render_mode="human")
    env.unwrapped._viewer.fps = 0  # as fast as it goes
    env.reset(seed=0)
    return env


def shown(env):
    return pygame.surfarray.array3d(env.unwrapped._viewer.window.surface).swapaxes(0, 1)


def is_current(env):
    return np.array_equal(shown(env), env.unwrapped.simulator.frame(0, 480))


def close_by_hand(window):
    pygame.event.post(pygame.event.Event(pygame.WINDOWCLOSE, window=window.window))


def test_two_environments_have_a_window_each():
    catch, breakout = human("Catch"), human("Breakout")
    for _ in range(3):
        catch.step(1)
        breakout.step(1)
        assert is_current(catch) and is_current(breakout)
    assert not np.array_equal(shown(catch), shown(breakout))
    catch.close()
    breakout.step(1)
    assert is_current(breakout)
    breakout.close()
    assert not pygame.display.get_init()


def test_closing_one_window_by_hand_closes_no_other():
    catch, breakout = human("Catch"), human("Breakout")
    close_by_hand(catch.unwrapped._viewer.window)
    breakout.step(1)  # the other window hears of it first
    catch.step(1)
    assert catch.unwrapped._viewer.closed and not breakout.unwrapped._viewer.closed
    breakout.step(1)
    assert is_current(breakout)
    breakout.close()


def test_a_window_on_an_agent_beside_one_on_an_environment():
    env = human("Catch")
    with Window(Simulator("Breakout", seed=0), "test") as window:
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_n, window=window.desktop.window))
        pygame.event.post(
            pygame.event.Event(pygame.KEYDOWN, key=pygame.K_g, window=env.unwrapped._viewer.window.window)
        )
        env.step(1)  # takes all events, and keeps those of the other window for it
        assert window.pressed() == ["n"]
    assert pygame.display.get_init()
    env.step(1)
    assert is_current(env)
    env.close()
    assert not pygame.display.get_init()


@pytest.mark.parametrize(
    "quit_again", [pygame.quit, pygame.display.quit, lambda: (pygame.quit(), pygame.display.init())]
)
def test_a_window_that_others_close_is_opened_again(quit_again):
    """As Gymnasium's own environments do with pygame.quit() when they are closed."""
    env = human("Catch")
    quit_again()
    env.step(1)
    assert is_current(env)
    env.close()
    pygame.quit()


def test_a_window_on_an_agent_that_others_close_says_that_it_is_closed():
    with Window(Simulator("Catch", seed=0), "test") as window:
        pygame.quit()
        assert CLOSED in window.pressed()


def test_gymnasiums_windows_live_beside_ours():
    ours, theirs = human("Catch"), gymnasium.make("CartPole-v1", render_mode="human")
    theirs.reset(seed=0)
    theirs.unwrapped.metadata = {**theirs.unwrapped.metadata, "render_fps": 1000}
    for _ in range(2):
        theirs.step(0)
        ours.step(1)
        assert is_current(ours)
        assert pygame.surfarray.array3d(pygame.display.get_surface()).shape == (600, 400, 3)
    ours.close()
    theirs.step(0)
    assert pygame.display.get_surface() is not None
    theirs.close()


def test_a_board_of_several_players_beside_another():
    boards = [aec_env("TicTacToe", render_mode="human") for _ in range(2)]
    for board in boards:
        board.unwrapped._viewer.fps = 0
        board.reset(seed=0)
        board.step(4)
    surfaces = [board.unwrapped._viewer.window.surface for board in boards]
    assert surfaces[0] is not surfaces[1]
    assert np.array_equal(*(pygame.surfarray.array3d(surface) for surface in surfaces))
    for board in boards:
        board.close()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda viewer: pickle.loads(pickle.dumps(viewer))])
def test_a_copy_has_a_window_of_its_own(duplicate):
    viewer = Viewer("test", 0)
    viewer.show(np.full((20, 30, 3), 90, np.uint8))
    other = duplicate(viewer)
    assert other.window is None
    other.show(np.full((20, 30, 3), 40, np.uint8))
    assert viewer.window.surface.get_at((0, 0))[0] == 90 and other.window.surface.get_at((0, 0))[0] == 40
    viewer.close()
    other.close()


def test_an_environment_that_is_forgotten_leaves_no_window():
    kept, forgotten = human("Breakout"), human("Catch")
    window = forgotten.unwrapped._viewer.window.window
    assert window.size == (480, 480)
    del forgotten
    gc.collect()
    with pytest.raises(pygame.error):
        window.get_surface()
    kept.step(1)
    assert is_current(kept)
    kept.close()


# -- where there is no screen ------------------------------------------------------------------------------------------


@pytest.fixture
def no_screen(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")


def test_without_a_screen_one_warning_says_so_and_the_game_goes_on(no_screen):
    env = gymnasium.make("ludus/Catch-v1", render_mode="human")
    with pytest.warns(UserWarning, match="no display here.*rgb_array.*SDL_VIDEODRIVER=dummy") as told:
        env.reset(seed=0)
    assert len(told) == 1 and "\n" not in str(told[0].message)
    env.step(1)  # which warns no more, else it would raise here
    assert env.render() is None
    env.close()


@pytest.mark.filterwarnings("ignore:no display here", "ignore:.*[Ww]e recommend", "ignore:.*WARN")
def test_the_checks_of_other_libraries_pass_without_a_screen(no_screen):
    """As they do for those libraries' own environments."""
    for name in ("ludus/Catch-v1", "CartPole-v1"):
        check_env(gymnasium.make(name).unwrapped)
    render_test(partial(aec_env, "TicTacToe"))
