"""Tron: positions set up by hand, turned arenas, and another account of the rules played step by step.

Positions are written as `rider: (row, column, heading)`; the arena has 16 rows and columns.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Simulator
from tests.envs.games.arenas import play_with_and_without_who_left, returns_of_random_games

SIZE = 16
UP, RIGHT, DOWN, LEFT = range(4)
AHEAD = {UP: (-1, 0), RIGHT: (0, 1), DOWN: (1, 0), LEFT: (0, -1)}


def arena(riders, walls=(), players=4):
    """A simulator of one game; `walls` are (row, column, whose), and those who ride stand on walls of their own."""
    sim = Simulator("Tron", 1, seed=0, players=players, autoreset="disabled")
    sim.reset()
    record = sim.records[0]
    for name in ("active", "walls", "built"):
        record[name][...] = 0
    record["riding"] = len(riders)
    for rider, (row, col, heading) in riders.items():
        record["active"][rider] = 1
        record["row"][rider], record["col"][rider], record["heading"][rider] = row, col, heading
    for row, col, rider in [*walls, *((row, col, rider) for rider, (row, col, _) in riders.items())]:
        record["walls"][row, col] = record["built"][rider, row, col] = 1
    return sim


def step(sim, **actions):
    """One step in which the riders go straight on, but for those whose action is given, as in `step(sim, r0=UP)`."""
    chosen = sim.records["heading"][:, : sim.num_players].astype(np.int64)
    for name, action in actions.items():
        chosen[0, int(name[1:])] = action
    sim.step(chosen)
    return sim.reward[0].tolist()


def test_riders_drive_and_leave_walls():
    sim = arena({0: (5, 3, RIGHT), 1: (9, 9, UP)}, players=2)
    assert step(sim) == [0, 0]
    record = sim.records[0]
    assert record["row"][:2].tolist() == [5, 8] and record["col"][:2].tolist() == [4, 9]
    assert np.argwhere(record["walls"]).tolist() == [[5, 3], [5, 4], [8, 9], [9, 9]]
    assert np.argwhere(record["built"][0]).tolist() == [[5, 3], [5, 4]]


@pytest.mark.parametrize("heading", range(4))
def test_turning_straight_back_goes_straight_on(heading):
    sim = arena({0: (8, 8, heading), 1: (1, 1, RIGHT)}, players=2)
    assert step(sim, r0=(heading + 2) % 4) == [0, 0]
    record = sim.records[0]
    assert (record["row"][0] - 8, record["col"][0] - 8) == AHEAD[heading] and record["heading"][0] == heading


@pytest.mark.parametrize(("row", "col", "heading"), [(0, 4, UP), (4, 15, RIGHT), (15, 4, DOWN), (4, 0, LEFT)])
def test_the_border_is_a_wall(row, col, heading):
    sim = arena({0: (row, col, heading), 1: (8, 8, RIGHT)}, players=2)
    assert step(sim) == [-1, 1]
    assert sim.terminated[0]


@pytest.mark.parametrize("whose", [0, 1])
def test_ones_own_wall_is_as_hard_as_the_others(whose):
    sim = arena({0: (5, 5, RIGHT), 1: (10, 10, RIGHT)}, [(5, 6, whose)], players=2)
    assert step(sim) == [-1, 1]


def test_head_on_in_the_same_cell():
    sim = arena({0: (5, 5, RIGHT), 1: (5, 7, LEFT)}, players=2)
    assert step(sim) == [0, 0] and sim.terminated[0]
    assert sim.records["active"][0].sum() == 0
    assert sim.records["walls"][0, 5, 6] == 0


def test_head_on_with_nothing_between_them():
    """They would swap cells, and each meets the wall of the other."""
    sim = arena({0: (5, 5, RIGHT), 1: (5, 6, LEFT), 2: (1, 1, RIGHT)})
    assert step(sim) == [-1, -1, 1, 0] and sim.terminated[0]


def test_three_meet_and_the_fourth_wins():
    sim = arena({0: (5, 5, RIGHT), 1: (5, 7, LEFT), 2: (4, 6, DOWN), 3: (15, 2, RIGHT)})
    assert step(sim) == [-1, -1, -1, 1] and sim.terminated[0]


def test_all_are_out_in_the_same_step():
    sim = arena({0: (0, 5, UP), 1: (5, 15, RIGHT), 2: (15, 5, DOWN), 3: (5, 0, LEFT)})
    assert step(sim) == [0, 0, 0, 0] and sim.terminated[0]
    assert sim.active[0].tolist() == [0, 0, 0, 0]


def test_the_last_two_are_out_in_the_same_step():
    """Who left before keeps the -1 of that step; of the last two nobody loses."""
    sim = arena({0: (0, 5, UP), 1: (5, 14, RIGHT), 2: (14, 5, DOWN)})
    assert step(sim) == [-1, 0, 0, 0] and not sim.terminated[0]
    assert step(sim) == [0, 0, 0, 0] and sim.terminated[0]


def test_walls_of_those_who_left_stay():
    sim = arena({0: (0, 5, UP), 1: (2, 5, UP), 2: (9, 9, RIGHT)}, [(1, 5, 0)])
    assert step(sim) == [-1, -1, 1, 0]
    sim = arena({0: (0, 5, UP), 1: (2, 4, UP), 2: (9, 9, RIGHT)}, [(1, 5, 0)])
    assert step(sim) == [-1, 0, 0, 0]
    assert step(sim, r1=RIGHT) == [0, -1, 1, 0] and sim.terminated[0]


def test_the_cell_of_a_crash_stays_free():
    sim = arena({0: (5, 5, RIGHT), 1: (5, 7, LEFT), 2: (3, 6, DOWN), 3: (12, 2, RIGHT)})
    assert step(sim) == [-1, -1, 0, 0]
    assert step(sim) == [0, 0, 0, 0]
    assert (sim.records["row"][0, 2], sim.records["col"][0, 2]) == (5, 6)


@pytest.mark.parametrize("players", [2, 3, 4])
def test_starts_are_fair(players):
    """A quarter turn takes the start of each rider to that of the next: left, top, right, bottom."""
    sim = Simulator("Tron", 200, seed=4, players=players)
    sim.reset()
    assert (sim.active == 1).all() and (sim.records["riding"] == players).all()
    assert (sim.records["active"][:, players:] == 0).all()
    left, right, top, bottom = (
        np.stack([sim.records[name][:, rider] for name in ("row", "col", "heading")], axis=1) for rider in range(4)
    )
    np.testing.assert_array_equal(turned(turned(left)), right)
    if players > 2:
        np.testing.assert_array_equal(turned(left), top)
    if players > 3:
        np.testing.assert_array_equal(turned(right), bottom)
    assert set(left[:, 0].tolist()) == set(range(4, 12))
    assert (sim.records["walls"].sum(axis=(1, 2)) == players).all()


def turned(riders):
    """(row, column, heading) after a quarter turn to the right."""
    row, col, heading = riders.T
    return np.stack([col, SIZE - 1 - row, (heading + 1) % 4], axis=1)


cells = st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1))


@settings(deadline=None, max_examples=200)
@given(
    places=st.lists(cells, min_size=4, max_size=4, unique=True),
    headings=st.tuples(*[st.integers(0, 3)] * 4),
    actions=st.tuples(*[st.integers(0, 3)] * 4),
    walls=st.lists(st.tuples(cells, st.integers(0, 3)), max_size=40),
    close=st.booleans(),
)
def test_turning_the_arena_turns_the_outcome(places, headings, actions, walls, close):
    if close:  # together in a corner, where they meet more often
        places = [(row % 4, col % 4) for row, col in places]
        if len(set(places)) < 4:
            return
    riders = {k: (*places[k], headings[k]) for k in range(4)}
    walls = [(row, col, whose) for (row, col), whose in walls if (row, col) not in places]
    here = arena(riders, walls)
    there = arena(
        {k: (col, SIZE - 1 - row, (heading + 1) % 4) for k, (row, col, heading) in riders.items()},
        [(col, SIZE - 1 - row, whose) for row, col, whose in walls],
    )
    here.step(np.array([actions]))
    there.step((np.array([actions]) + 1) % 4)
    assert here.reward.tolist() == there.reward.tolist() and here.terminated[0] == there.terminated[0]
    assert here.active.tolist() == there.active.tolist()
    assert (np.rot90(here.obs[0], -1, axes=(1, 2)) == there.obs[0]).all()


class Reference:
    """The rules once more: walls are a dictionary from cells to riders, and who crashes is found by counting arrivals."""

    def __init__(self, record, players):
        self.pose = {
            k: (int(record["row"][k]), int(record["col"][k]), int(record["heading"][k])) for k in range(players)
        }
        self.walls = {pose[:2]: rider for rider, pose in self.pose.items()}
        self.players = players

    def step(self, actions):
        arrivals = {}
        for rider, (row, col, heading) in self.pose.items():
            heading = heading if (actions[rider] - heading) % 4 == 2 else int(actions[rider])
            down, right = AHEAD[heading]
            arrivals[rider] = (row + down, col + right, heading)
        at = [pose[:2] for pose in arrivals.values()]
        safe = {
            rider: pose
            for rider, pose in arrivals.items()
            if set(pose[:2]) <= set(range(SIZE)) and pose[:2] not in self.walls and at.count(pose[:2]) == 1
        }
        rewards = [-1.0 if k in self.pose and k not in safe and safe else 0.0 for k in range(self.players)]
        if len(safe) == 1:
            rewards[next(iter(safe))] = 1.0
        self.pose = safe
        self.walls.update({pose[:2]: rider for rider, pose in safe.items()})
        return rewards, len(safe) <= 1

    def planes(self, player):
        planes = np.zeros((SIZE, SIZE, 4), np.uint8)
        for rider, (row, col, _) in self.pose.items():
            planes[row, col, 0 if rider == player else 1] = 1
        for (row, col), rider in self.walls.items():
            planes[row, col, 2 if rider == player else 3] = 1
        return planes


@pytest.mark.parametrize("players", [2, 3, 4])
def test_thousands_of_steps_are_as_the_reference_plays_them(players):
    games = 24
    sim = Simulator("Tron", games, seed=players, players=players, autoreset="disabled")
    sim.reset()
    references = [Reference(record, players) for record in sim.records]
    rng, ended, draws = np.random.default_rng(players), 0, 0
    for _ in range(150):
        straight = sim.records["heading"][:, :players].astype(np.int64)
        actions = np.where(rng.random((games, players)) < 0.6, straight, rng.integers(0, 4, (games, players)))
        sim.step(actions)
        for k, reference in enumerate(references):
            rewards, over = reference.step(actions[k])
            assert sim.reward[k].tolist() == rewards and bool(sim.terminated[k]) == over
            assert sim.active[k].tolist() == [rider in reference.pose for rider in range(players)]
            for player in range(players):
                np.testing.assert_array_equal(sim.obs[k, player], reference.planes(player))
            draws += over and not any(rewards)
        over = sim.terminated.copy()
        ended += int(over.sum())
        if over.any():
            sim.reset(over)
            references = [Reference(sim.records[k], players) if over[k] else references[k] for k in range(games)]
    assert ended > 100 and draws > 0


def test_rewards_are_one_winner_or_a_draw():
    seen = returns_of_random_games("Tron")
    assert {(1, 0), (0, 2)} <= seen
    assert all((won, drew) == (1, 0) or (won == 0 and drew >= 2) for won, drew in seen)


def test_who_left_gets_nothing_and_changes_nothing():
    play_with_and_without_who_left("Tron")
