"""Mazes solved by breadth-first search over places and keys, with rules of its own, and the solutions played."""

from collections import deque

import numpy as np
import pytest

from ludus.envs import Bot, Simulator
from tests.envs.trajectories import play_out

FLOOR, WALL, RED_DOOR, BLUE_DOOR, RED_KEY, BLUE_KEY, EXIT = range(7)
PLANES = {WALL: 0, RED_DOOR: 1, BLUE_DOOR: 2, RED_KEY: 3, BLUE_KEY: 4, EXIT: 5}
OUTSIDE, HAS_RED, HAS_BLUE = 6, 7, 8
WAYS = {1: (-1, 0), 2: (0, 1), 3: (1, 0), 4: (0, -1)}
DOOR_OF = {RED_KEY: RED_DOOR, BLUE_KEY: BLUE_DOOR}
MAZES = 600


@pytest.fixture(scope="module")
def records():
    """Mazes at their start."""
    sim = Simulator("Maze", MAZES, seed=1)
    sim.reset()
    return sim.records.copy()


def start_of(record):
    return int(record["row"]), int(record["col"])


def search(cells, start, openable=(RED_DOOR, BLUE_DOOR)):
    """Actions of a shortest way to the exit, or None; only the given doors can ever be opened."""
    came, wave = {(start, frozenset()): ()}, deque([(start, frozenset())])
    while wave:
        (row, col), held = state = wave.popleft()
        for action, (down, right) in WAYS.items():
            cell = (row + down, col + right)
            kind = int(cells[cell])
            if kind == WALL or (kind in (RED_DOOR, BLUE_DOOR) and kind not in held):
                continue
            door = DOOR_OF.get(kind)
            after = (cell, held | {door} if door in openable else held)
            if after not in came:
                came[after] = (*came[state], action)
                wave.append(after)
                if kind == EXIT:
                    return came[after]
    return None


def test_every_maze_can_be_solved_in_play(records):
    sim = Simulator("Maze", 1, seed=0, autoreset="disabled")
    lengths = []
    for record in records:
        sim.reset()
        sim.records[0] = record
        way = search(record["cells"], start_of(record))
        assert way is not None
        returned = 0.0
        for number, action in enumerate(way, start=1):
            sim.step(np.array([action]))
            returned += sim.reward[0]
            assert sim.terminated[0] == (number == len(way))
        assert returned == pytest.approx(1 - 0.001 * len(way), abs=1e-4)
        lengths.append(len(way))
    assert 50 < np.mean(lengths) < 120


def test_both_doors_lock(records):
    for record in records:
        for openable in ((), (RED_DOOR,), (BLUE_DOOR,)):
            assert search(record["cells"], start_of(record), openable) is None


def test_mazes_are_trees_with_one_of_each_thing(records):
    for record in records:
        cells = record["cells"]
        assert all(np.sum(cells == kind) == 1 for kind in (RED_DOOR, BLUE_DOOR, RED_KEY, BLUE_KEY, EXIT))
        assert np.all(cells[1::2, 1::2] != WALL) and np.all(cells[::2, ::2] == WALL)
        assert np.all(cells[[0, -1]] == WALL) and np.all(cells[:, [0, -1]] == WALL)
        assert np.sum(cells[1::2, 1::2] != WALL) - 1 == np.sum(cells != WALL) - 49, "rooms - 1 passages"
        assert len(reached(cells, start_of(record))) == 49 + 48, "and all connected, so no cycle"
        assert cells[start_of(record)] == FLOOR
    assert len({record["cells"].tobytes() for record in records}) == MAZES


def reached(cells, start):
    seen, wave = {start}, [start]
    for row, col in wave:
        for down, right in WAYS.values():
            cell = (row + down, col + right)
            if cells[cell] != WALL and cell not in seen:
                seen.add(cell)
                wave.append(cell)
    return seen


def test_the_red_key_is_the_first_to_be_had(records):
    for record in records:
        cells, start = record["cells"].copy(), start_of(record)
        key = {kind: tuple(np.argwhere(cells == kind)[0].tolist()) for kind in (RED_KEY, BLUE_KEY)}
        cells[cells == BLUE_DOOR] = WALL
        assert key[BLUE_KEY] in reached(cells, start)
        cells[cells == RED_DOOR] = WALL
        assert key[RED_KEY] in reached(cells, start) and key[BLUE_KEY] not in reached(cells, start)


def test_random_steps_and_views_are_the_references():
    """A plain model of walking, keys and doors, and the window cut out of a padded map."""
    sim = Simulator("Maze", 60, seed=2, autoreset="disabled")
    sim.reset()
    sim.records["row"], sim.records["col"] = sim.records["key_row"][:, 0], sim.records["key_col"][:, 0]
    maps = sim.records["cells"].copy()
    places, held = [start_of(record) for record in sim.records], [set() for _ in range(60)]
    random = np.random.default_rng(2)
    picked = opened = refused = 0
    for _ in range(400):
        actions = random.integers(0, 5, 60)
        for i, action in enumerate(actions.tolist()):
            down, right = WAYS.get(action, (0, 0))
            cell = (places[i][0] + down, places[i][1] + right)
            kind = int(maps[i][cell])
            if action == 0 or kind == WALL or (kind in (RED_DOOR, BLUE_DOOR) and kind not in held[i]):
                refused += kind in (RED_DOOR, BLUE_DOOR)
                continue
            places[i] = cell
            if kind in DOOR_OF:
                held[i].add(DOOR_OF[kind])
                picked += 1
            elif kind in (RED_DOOR, BLUE_DOOR):
                held[i].remove(kind)
                opened += 1
            maps[i][cell] = FLOOR
        sim.step(actions)
        assert not sim.terminated.any() and np.allclose(sim.reward, -0.001)
        assert np.array_equal(maps, sim.records["cells"])
        for i, planes in enumerate(sim.obs):
            assert np.array_equal(planes, view(maps[i], places[i], held[i]))
    assert picked > 20 and opened > 3 and refused > 20


def view(cells, place, held):
    padded = np.pad(cells, 3, constant_values=OUTSIDE + 10)
    window = padded[place[0] : place[0] + 7, place[1] : place[1] + 7]
    planes = np.zeros((7, 7, 9), np.uint8)
    for kind, plane in PLANES.items():
        planes[:, :, plane] = window == kind
    planes[:, :, OUTSIDE] = window == OUTSIDE + 10
    planes[:, :, HAS_RED], planes[:, :, HAS_BLUE] = RED_DOOR in held, BLUE_DOOR in held
    return planes


def test_the_heuristic_takes_the_shortest_way(records):
    sim = Simulator("Maze", MAZES, seed=1)
    returns, lengths = play_out(sim, Bot(sim), MAZES)
    shortest = [len(search(record["cells"], start_of(record))) for record in records]
    assert sorted(lengths) == sorted(shortest) and returns.min() > 0.8
