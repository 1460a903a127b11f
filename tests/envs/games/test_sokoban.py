"""Sokoban against a reference that knows the rules in terms of sets of cells, and a solver built on it."""

import numpy as np

from ludus.envs import Simulator

from .reference_sokoban import WAYS, area, solve

PLANES = WALL, TARGET, CRATE, KEEPER = range(4)
LEVELS = 120
ROUNDING = 1e-5  # rewards are float32


def cells_of(plane):
    return {tuple(cell) for cell in np.argwhere(plane).tolist()}


def simulator(count, seed):
    sim = Simulator("Sokoban", count, seed=seed, autoreset="disabled")
    sim.reset()
    return sim


def test_levels_are_well_formed():
    sim = simulator(2000, seed=1)
    for planes in sim.obs:
        walls, targets, crates, keeper = (cells_of(planes[:, :, plane]) for plane in PLANES)
        floor = {(row, col) for row in range(10) for col in range(10)} - walls
        assert len(targets) == len(crates) == 4 and len(keeper) == 1
        assert not crates & targets, "every crate starts away from the targets"
        assert not keeper & crates and targets | crates | keeper <= floor
        assert all(0 < row < 9 and 0 < col < 9 for row, col in floor)
        assert len(floor) >= 24 and area(floor, min(floor))[1] == floor, "one connected room"
    assert len({planes.tobytes() for planes in sim.obs}) == 2000, "all levels differ"


def test_levels_can_be_solved_and_are_not_trivial():
    sim = simulator(LEVELS, seed=2)
    lengths = []
    for planes in sim.obs:
        keeper = tuple(np.argwhere(planes[:, :, KEEPER])[0].tolist())
        solution = solve(*(planes[:, :, plane] > 0 for plane in (WALL, TARGET, CRATE)), keeper, budget=200_000)
        assert solution is not None
        lengths.append(len(solution))
        level = simulator(1, seed=0)
        level.records[:] = sim.records[len(lengths) - 1]
        returned = 0.0
        for number, action in enumerate(solution, start=1):
            level.step(np.array([action]))
            returned += level.reward[0]
            assert level.terminated[0] == (number == len(solution))
        assert abs(returned - (4 + 10 - 0.1 * len(solution))) < 1e-3
    assert min(lengths) >= 8 and np.median(lengths) > 30


def test_steps_are_the_references():
    sim = simulator(50, seed=3)
    random = np.random.default_rng(3)
    pushed = 0
    for _ in range(300):
        before, actions = sim.obs.copy(), random.integers(0, 5, 50)
        sim.step(actions)
        for planes, after, action, reward in zip(before, sim.obs, actions.tolist(), sim.reward, strict=True):
            walls, targets, crates, keeper = (cells_of(planes[:, :, plane]) for plane in PLANES)
            gain, moved, keeper = walk(walls, targets, crates, keeper.pop(), action)
            pushed += moved != crates
            assert abs(reward - (gain - 0.1)) < ROUNDING
            assert [cells_of(after[:, :, plane]) for plane in PLANES] == [walls, targets, moved, {keeper}]
        assert not sim.terminated.any()
    assert pushed > 300


def walk(walls, targets, crates, keeper, action):
    """The reference: change of crates on targets, crates and keeper after one step."""
    if action == 0:
        return 0, crates, keeper
    down, right = WAYS[action]
    ahead, behind = (keeper[0] + down, keeper[1] + right), (keeper[0] + 2 * down, keeper[1] + 2 * right)
    if ahead in walls or (ahead in crates and (behind in walls or behind in crates)):
        return 0, crates, keeper
    if ahead in crates:
        after = crates - {ahead} | {behind}
        return len(after & targets) - len(crates & targets), after, ahead
    return 0, crates, ahead


def test_the_last_crate_brings_the_end():
    """Three crates are home; the keeper takes one off and pushes it back on."""
    sim = simulator(1, seed=4)
    cells = np.full((10, 10), 1, np.int8)
    cells[1:9, 1:9] = 0
    cells[2, 2:6] = [6, 6, 6, 2]
    cells[3, 5] = 4
    sim.records["cells"][0], sim.records["keeper"], sim.records["off_target"] = cells.ravel(), 45, 1
    sim.step(np.array([1]))
    assert sim.terminated[0] and abs(sim.reward[0] - 10.9) < ROUNDING
    cells[2, 4], cells[2, 5], cells[3, 5] = 6, 2, 0
    cells[4, 4] = 4
    sim = simulator(1, seed=4)
    sim.records["cells"][0], sim.records["keeper"], sim.records["off_target"] = cells.ravel(), 34, 1
    sim.step(np.array([1]))  # pushes (2, 4) up and off its target
    assert not sim.terminated[0] and abs(sim.reward[0] + 1.1) < ROUNDING and sim.records["off_target"][0] == 2
