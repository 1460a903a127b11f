"""An agent that never misses in Catch, and a hand on the window's keyboard."""

import numpy as np
import pygame

LEFT, STAY, RIGHT = range(3)


class Catcher:
    """What the command line needs of an agent. Sampled, it always goes left."""

    channels_first = acts_on_values = False

    def __init__(self, **environment):
        self.environment = environment or {"game": "Catch", "version": 1, "options": {}}
        self.seeds, self.explained = [], 0

    def predict(self, obs, state=None, deterministic=False):
        ball, paddle = (int(obs[0, :, :, plane].sum(0).argmax()) for plane in (0, 1))
        action = STAY + int(np.sign(ball - paddle)) if deterministic else LEFT
        return np.array([action], np.int64), None

    def explain(self, obs, state=None):
        self.explained += 1
        return np.array([[0.2, 0.5, 0.3]], np.float32), np.array([0.75], np.float32)

    def set_random_seed(self, seed):
        self.seeds.append(seed)


def press(window, session, *keys):
    """Press and let go of keys on the window's keyboard; returns the window's pixels, (columns, rows, 3)."""
    for key in keys:
        for kind in (pygame.KEYDOWN, pygame.KEYUP):
            pygame.event.post(pygame.event.Event(kind, key=key))
    for key in window.pressed():
        session.press(key)
    window.show(session.scene())
    return pygame.surfarray.array3d(window.surface)
