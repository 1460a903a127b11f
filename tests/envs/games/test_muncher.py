"""Muncher against the rules in its docstring: the maze by search, every step of played games, and hand-made positions."""

from collections import deque

import numpy as np
import pytest

from ludus.envs import Bot, Simulator
from ludus.envs.games.muncher import MAZE
from tests.envs.trajectories import play_out

NOOP, UP, LEFT, DOWN, RIGHT = range(5)
STEPS = ((-1, 0), (0, -1), (1, 0), (0, 1))  # up, left, down, right: in this order ghosts prefer them
CHASER, AMBUSHER, FICKLE, WANDERER = range(4)
WAITING, LEAVING, OUT, EYES = range(4)
CORNERS = ((0, 17), (0, 1), (20, 1), (20, 17))
LINES = [line[4:] for line in MAZE.strip("\n").split("\n") if line.strip()]
OPEN = {(row, col) for row, line in enumerate(LINES) for col, cell in enumerate(line) if cell in ".o "}
HOUSE = {(8, 9), (9, 8), (9, 9), (9, 10)}
POWER = {(row, col) for row, col in OPEN if LINES[row][col] == "o"}
GATE = (7, 9)


def moved(cell, way):
    return cell[0] + STEPS[way][0], (cell[1] + STEPS[way][1]) % 19


def ways_of(cell):
    return [way for way in range(4) if moved(cell, way) in OPEN]


def food_of(s):
    assert set(np.unique(s["food"])) <= {0, 1}
    return {(int(row), int(col)) for row, col in np.argwhere(s["food"])}


def ghost(s, g):
    return int(s["ghost_row"][g]), int(s["ghost_col"][g])


def one_game(ghosts=(), **fields):
    """A game in the given position. Ghosts {number: (row, col, heading)} are out; the others wait at home for long."""
    sim = Simulator("Muncher", 1, seed=1, autoreset="disabled")
    sim.reset()
    s = sim.records[0]
    s["mode"], s["wait"], s["rest"] = WAITING, 120, 100
    s["ghost_row"], s["ghost_col"] = 9, (9, 9, 8, 10)
    for g, (row, col, way) in dict(ghosts).items():
        s["mode"][g], s["ghost_row"][g], s["ghost_col"][g], s["ghost_heading"][g] = OUT, row, col, way
    for name, value in fields.items():
        s[name] = value
    return sim


def play(sim, *actions):
    for action in actions:
        sim.step(np.array([action]))
    return sim.records[0]


def test_the_maze_is_symmetric_without_dead_ends_and_every_pellet_can_be_reached():
    assert len(LINES) == 21 and all(len(line) == 19 and line == line[::-1] for line in LINES)
    assert all(len(ways_of(cell)) >= 2 for cell in OPEN)
    assert not any({(r + a, c + b) for a in (0, 1) for b in (0, 1)} <= OPEN for r, c in OPEN)
    seen, queue = {(15, 9)}, deque([(15, 9)])
    while queue:
        cell = queue.popleft()
        for way in ways_of(cell):
            if moved(cell, way) not in seen:
                seen.add(moved(cell, way))
                queue.append(moved(cell, way))
    sim = Simulator("Muncher", 1, seed=0)
    sim.reset()
    s = sim.records[0]
    assert seen == OPEN and food_of(s) == OPEN - {(15, 9)} and s["food_left"] == len(OPEN) - 1
    assert np.array_equal(sim.obs[0, :, :, 0], [[(r, c) in OPEN - {(15, 9)} for c in range(19)] for r in range(21)])
    assert {tuple(map(int, cell)) for cell in np.argwhere(sim.obs[0, :, :, 1])} == POWER


def target(s, g):
    """The rule of each ghost's target, from the docstring; the muncher has moved already."""
    row, col = int(s["row"]), int(s["col"])
    away = np.hypot(s["ghost_row"][g] - row, s["ghost_col"][g] - col)
    if s["phase"] % 2 == 0 or (g == FICKLE and away <= 8):
        return CORNERS[g]
    if g == AMBUSHER:
        down, right = STEPS[s["heading"]]
        return row + 4 * down, col + 4 * right
    return row, col


def towards(cell, goal, back):
    """The way that leads closest to a target, as the crow flies; the first of equals. The tunnel is no way to it."""
    lengths = {
        way: (cell[0] + STEPS[way][0] - goal[0]) ** 2 + (cell[1] + STEPS[way][1] - goal[1]) ** 2
        for way in ways_of(cell)
        if way != back
    }
    return min(lengths, key=lengths.get)


def check_ghost(s, now, g, turn):
    """One ghost's step; `s` is the position before, with the muncher and the clocks moved on."""
    at, to, heading = ghost(s, g), ghost(now, g), s["ghost_heading"][g]
    back = (heading + 2) % 4
    if s["mode"][g] == WAITING:
        assert at == to and at in HOUSE
    elif s["mode"][g] == LEAVING or (s["mode"][g] == EYES and at in HOUSE | {GATE}):
        assert {at, to} <= HOUSE | {GATE} and abs(at[0] - to[0]) + abs(at[1] - to[1]) == 1
    elif s["mode"][g] == OUT and at == to:
        assert s["blink"] == 0 if s["scared"][g] else s["rest"] == 0
    else:
        way = now["ghost_heading"][g]
        assert to in OPEN and to == moved(at, way)
        assert (way == back) == bool(turn)
        if not turn and s["mode"][g] == EYES:
            assert way == towards(at, GATE, back)
        elif not turn and not s["scared"][g] and not (g == WANDERER and s["phase"] % 2 == 1):
            assert way == towards(at, target(s, g), back)
        return True
    return False


@pytest.mark.parametrize("kind", ["random", "heuristic"])
def test_every_step_of_played_games_follows_the_rules(kind):
    sim = Simulator("Muncher", 8, seed=2, autoreset="disabled")
    bot = Bot(sim, kind, seed=3)
    sim.reset()
    checked = ended = ate = levels = 0
    for _ in range(600):
        before, actions = sim.records.copy(), bot.act().copy()
        sim.step(actions)
        for s, now, action, reward, over in zip(
            before, sim.records.copy(), actions, sim.reward, sim.terminated, strict=True
        ):
            way = action - 1 if action and action - 1 in ways_of((s["row"], s["col"])) else s["heading"]
            cell, left = (int(s["row"]), int(s["col"])), food_of(s)
            cell = moved(cell, way) if way in ways_of(cell) else cell
            worth = (5 if cell in POWER else 1) if cell in left else 0
            assert reward - worth in (0, 20, 40, 60, 80, 120, 140, 160, 240, 280, 300)  # runs of 20, 40, 80, 160
            ended += over
            ate += reward - worth > 0
            if now["food_left"] > s["food_left"]:  # the next level, which begins anew
                assert s["food_left"] == worth > 0 and now["level"] == min(s["level"] + 1, 3)
                levels += 1
                continue
            assert (now["row"], now["col"], now["heading"]) == (*cell, way)
            assert food_of(now) == left - {cell} and now["food_left"] == len(left - {cell})
            middle = s.copy()
            for name in ("row", "col", "heading", "phase", "blink", "rest", "scared"):
                middle[name] = now[name]
            scared_now = worth == 5
            turns = (now["phase"] != s["phase"]) | scared_now | s["turn"]
            for g in range(4):
                touched = ghost(s, g) == cell or ghost(now, g) == cell
                if not over and not touched:
                    turn = s["turn"][g] or ((now["phase"] != s["phase"] or scared_now) and s["mode"][g] == OUT)
                    checked += check_ghost(middle, now, g, turn)
            assert np.all(now["turn"] <= turns)
            caught = any(ghost(now, g) == cell and now["mode"][g] != EYES for g in range(4))
            assert over == caught
        sim.reset(sim.terminated.copy())
    assert checked > 4000 and ended > 8 and (kind == "random" or (ate > 20 and levels > 0))


@pytest.mark.parametrize(
    ("g", "muncher", "heading", "way"),
    [
        # at (5, 9) a ghost that comes from below may go left, right or up; a target on the right, on the left, above
        (CHASER, (5, 15), 0, RIGHT),
        (CHASER, (5, 3), 0, LEFT),
        (CHASER, (1, 9), 1, UP),
        (AMBUSHER, (5, 11), 1, LEFT),  # the muncher goes to (5, 10); four cells to its left is (5, 6)
        (AMBUSHER, (4, 9), 3, RIGHT),  # four cells to its right is (4, 13): 10 from (5, 10), 16 from (4, 9), squared
        (FICKLE, (5, 15), 0, LEFT),  # 6 away: to its corner below on the left
        (FICKLE, (13, 15), 0, RIGHT),  # 10 away: to the muncher
    ],
)
def test_where_ways_part_each_ghost_goes_by_its_own_target(g, muncher, heading, way):
    sim = one_game({g: (5, 9, 0)}, row=muncher[0], col=muncher[1], heading=heading, phase=1, phase_left=100, food=0)
    sim.records["food_left"] = 5
    s = play(sim, NOOP)
    assert s["ghost_heading"][g] == way - 1


@pytest.mark.parametrize("g", range(4))
def test_at_first_ghosts_go_to_their_corners(g):
    sim = one_game({g: (7, 9, 1)}, phase_left=200)
    sim.records["row"], sim.records["col"] = (19, 9) if g < 2 else (1, 9)
    closest = 100
    for _ in range(60):
        s = play(sim, NOOP)
        closest = min(closest, np.hypot(s["ghost_row"][g] - CORNERS[g][0], s["ghost_col"][g] - CORNERS[g][1]))
    assert closest <= 2 and not sim.terminated[0]


def test_ghosts_scatter_and_hunt_by_the_clock_and_turn_round():
    sim = one_game(food=0, food_left=5)
    phases = []
    for _ in range(640):
        phases.append(int(play(sim, NOOP)["phase"]))
        sim.records["wait"] = 120
    changes = [k + 1 for k in range(1, 640) if phases[k] != phases[k - 1]]
    assert changes == list(np.cumsum([50, 150, 50, 150, 40, 150, 40]))

    s = play(one_game({CHASER: (7, 5, 1)}, phase_left=1, food=0, food_left=5), NOOP)
    assert s["phase"] == 1 and ghost(s, CHASER) == (7, 6) and s["ghost_heading"][CHASER] == 3


def test_a_power_pellet_scares_turns_and_slows_ghosts_for_forty_steps():
    """The muncher eats it in the corner (15, 1) and then stands in the corner (19, 1)."""
    sim = one_game({CHASER: (1, 6, 1)}, row=14, col=1, heading=2, phase=1, phase_left=100)
    s = play(sim, NOOP)
    assert sim.reward[0] == 5 and s["scare"] == 40 and list(s["scared"]) == [1, 1, 1, 1] and s["phase_left"] == 99
    moves, last, steps = 0, (1, 6), 0
    while sim.records[0]["scared"][CHASER]:
        s = play(sim, NOOP)
        moves, last, steps = moves + (ghost(s, CHASER) != last), ghost(s, CHASER), steps + 1
        sim.records["row"], sim.records["col"] = 19, 1
        assert sim.obs[0, :, :, 8].sum() in (0, 3, 4)  # waiting ghosts too; two of them share a cell
        shown = sim.obs[0, last[0], last[1], 4]
        assert shown == (s["scare"] <= 8)
    assert steps == 40 and moves in (20, 21) and s["phase_left"] == 99


def test_ghosts_eaten_in_a_row_are_worth_20_40_80_160_and_eyes_go_home():
    cells = ((19, 4), (19, 3), (19, 2), (19, 1))
    ghosts = {g: (row, col, 3) for g, (row, col) in enumerate(cells)}
    sim = one_game(ghosts, row=19, col=5, heading=1, scare=40, scared=1, food=0, food_left=5)
    gains = []
    for _ in range(8):
        play(sim, LEFT)
        gains.append(int(sim.reward[0]))
    assert sum(gains) == 300 and not sim.terminated[0] and list(sim.records[0]["mode"]) == [EYES] * 4
    home = set()
    for _ in range(60):
        sim.records["row"], sim.records["col"] = 1, 1
        s = play(sim, NOOP)
        assert all(ghost(s, g) in OPEN | HOUSE for g in range(4))
        for g in np.flatnonzero(s["mode"] == OUT):  # it has come out again; we keep it from hunting
            assert ghost(s, g) == GATE and not s["scared"][g]
            home.add(int(g))
            s["mode"][g], s["wait"][g] = WAITING, 120
    assert home == {0, 1, 2, 3}


def test_eyes_find_home_from_everywhere():
    cells = sorted(OPEN - {(1, 1), (1, 2), (2, 1)})
    starts = [(*cell, way) for cell in cells for way in range(4) if (way + 2) % 4 in ways_of(cell)]
    sim = Simulator("Muncher", len(starts), seed=3, autoreset="disabled")
    sim.reset()
    s = sim.records
    s["mode"], s["wait"], s["row"], s["col"], s["heading"] = WAITING, 120, 1, 1, 1
    s["ghost_row"][:, 0], s["ghost_col"][:, 0], s["ghost_heading"][:, 0] = np.array(starts).T
    s["mode"][:, 0] = EYES
    left = np.ones(len(starts), bool)
    for _ in range(45):
        sim.step(np.full(len(starts), NOOP))
        left &= sim.records["mode"][:, 0] == EYES
    assert not left.any()


def test_a_ghost_catches_the_muncher_from_the_front_and_from_behind():
    for row, col, way in ((5, 4, 1), (5, 1, 3)):
        sim = one_game({CHASER: (row, col, way)}, row=5, col=3, heading=1, phase=1, phase_left=100)
        play(sim, RIGHT if col == 4 else NOOP)
        if not sim.terminated[0]:
            play(sim, NOOP)
        assert sim.terminated[0] and sim.reward[0] in (0, 1)


def test_the_muncher_goes_on_turns_only_where_it_can_and_passes_the_tunnel():
    sim = one_game(row=15, col=9, heading=1)
    assert (play(sim, UP)["row"], sim.records[0]["col"]) == (14, 9)
    sim = one_game(row=15, col=9, heading=1)
    assert [(int(play(sim, DOWN)["row"]), int(sim.records[0]["col"])) for _ in range(2)] == [(15, 8), (15, 7)]
    sim = one_game(row=1, col=1, heading=1)
    s = play(sim, NOOP)
    assert (s["row"], s["col"], sim.reward[0]) == (1, 1, 1)
    sim = one_game(row=9, col=0, heading=1)
    assert play(sim, NOOP)["col"] == 18 and play(sim, RIGHT)["col"] == 0


def test_the_last_pellet_starts_the_next_level():
    food = np.zeros((21, 19), np.int8)
    food[19, 2] = 1
    sim = one_game(row=19, col=1, heading=1, food=food, food_left=1)
    s = play(sim, RIGHT)
    assert sim.reward[0] == 1 and not sim.terminated[0]
    assert (s["level"], s["food_left"], s["row"], s["col"]) == (1, len(OPEN) - 1, 15, 9)


@pytest.mark.parametrize(("level", "pause", "scare"), [(0, 8, 40), (1, 12, 32), (2, 16, 24), (3, 24, 16)])
def test_ghosts_rest_more_rarely_from_level_to_level(level, pause, scare):
    sim = one_game({CHASER: (7, 9, 1)}, level=level, rest=pause, row=1, col=1, heading=1, food=0, food_left=5)
    last, rests = GATE, []
    for step in range(1, 49):
        s = play(sim, NOOP)
        if ghost(s, CHASER) == last:
            rests.append(step)
        last = ghost(s, CHASER)
    assert rests == list(range(pause, 49, pause))
    sim = one_game(level=level, row=14, col=1, heading=2)
    assert play(sim, NOOP)["scare"] == scare


def test_ghosts_leave_their_house_one_after_the_other():
    sim = Simulator("Muncher", 1, seed=5, autoreset="disabled")
    sim.reset()
    sim.records["row"], sim.records["col"], sim.records["heading"] = 1, 1, 1
    out = {}
    for step in range(1, 50):
        s = play(sim, NOOP)
        sim.records["row"], sim.records["col"] = 19, 1
        for g in range(1, 4):
            if s["mode"][g] == OUT:
                out.setdefault(g, step)
    assert out == {1: 8 + 2, 2: 24 + 3, 3: 40 + 3}  # and the way to the gate


def test_planes_are_where_things_are():
    sim = one_game({CHASER: (5, 9, 0), WANDERER: (11, 9, 1)}, row=7, col=3, heading=1, rest=1)
    s = play(sim, NOOP)  # into (7, 2)? a wall: the muncher stays, and the ghosts rest
    assert (s["row"], s["col"]) == (7, 3) and ghost(s, CHASER) == (5, 9)
    planes = {k: {tuple(map(int, cell)) for cell in np.argwhere(sim.obs[0, :, :, k])} for k in range(10)}
    assert planes[2] == {(7, 3)} and planes[3] == {(6, 3), (7, 4)}
    assert [planes[k] for k in (4, 5, 6, 7, 8)] == [{(5, 9)}, {(9, 9)}, {(9, 8)}, {(11, 9)}, set()]
    assert {(7, 4), (6, 9), (11, 10)} <= planes[9] and len(planes[9]) <= 5


def test_the_heuristic_is_far_better_than_chance():
    sim = Simulator("Muncher", 64, seed=6, max_episode_steps=500)
    chance, skill = (play_out(sim, Bot(sim, kind), 64)[0].mean() for kind in ("random", "heuristic"))
    assert skill > 8 * chance > 8
