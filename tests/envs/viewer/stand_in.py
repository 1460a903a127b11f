"""A stand-in for a game, and a hand on the window that shows it."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pygame

from ludus.envs import all_games
from ludus.envs.viewer.scene import Decision, Scene

GREEN = (10, 200, 30)
RULES = {"Description": "You walk.\n\nAnd you `run_away`.", "Observation": "Nothing.", "Reward": "None."}
OWN = [game for game in all_games().values() if game.step.__module__.startswith("ludus.")]


def stub(width=10.0, height=10.0):
    """A simulator that shows plain green."""

    def frame(_, size, player=-1):
        scale = size / max(width, height)
        return np.full((round(height * scale), round(width * scale), 3), GREEN, np.uint8)

    game = SimpleNamespace(canvas=(width, height), name="Game", summary="walk", sections=RULES)
    return SimpleNamespace(game=game, records=np.zeros(1, [("x", "i1")]), frame=frame)


def scene(**changes):
    facts, keys = {"steps": "12", "episodes": "3"}, {"q": "quit"}
    return replace(Scene("Game", "agent", 1.0, facts, "playing", live=True, keys=keys), **changes)


def decision(*probabilities, chosen=0, values=(1.0, 2.0, 1.5)):
    return Decision(tuple(f"action{k}" for k in range(len(probabilities))), probabilities, chosen, values)


def painted(window, scene):
    """The window's pixels, (columns, rows, 3)."""
    window.show(scene)
    return pygame.surfarray.array3d(window.surface)


def post(kind, **facts):
    pygame.event.post(pygame.event.Event(kind, **facts))


def press(window, *keys):
    for key in keys:
        post(pygame.KEYDOWN, key=key)
        post(pygame.KEYUP, key=key)
    return window.pressed()
