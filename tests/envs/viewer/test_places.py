"""Where on the picture actions are, by the numbers of those that are offered."""

import dataclasses

import numpy as np

from ludus.envs import find_game
from ludus.envs.viewer.places import Places


def halves(s, x, y):
    """A click on the left half means left, on the right half right, and on the lowest row nothing that is offered."""
    if y > 9:
        return 0
    return 1 if x < 5 else 3


def test_places_are_told_by_the_numbers_of_the_actions_offered():
    catch = find_game("Catch")
    game = dataclasses.replace(
        catch, name="Halves", click=halves, actions=("jump", *catch.actions), minimal_actions=catch.actions
    )
    record = np.zeros(1, game.State)[0]
    offered, whole = Places(game, game.minimal_actions), Places(game, game.actions)
    assert [offered.action_at(record, *at) for at in ((1, 1), (8, 1), (1, 9.5))] == [0, 2, -1]
    assert [whole.action_at(record, *at) for at in ((1, 1), (8, 1), (1, 9.5))] == [1, 3, 0]
    assert offered.of(record).keys() == {0, 2} and whole.of(record).keys() == {0, 1, 3}
