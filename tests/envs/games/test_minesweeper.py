"""Minesweeper against a convolution of the mines, a flood fill on sets, and logic worked out by brute force."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d
from scipy.stats import chisquare

from ludus.envs import Bot, Simulator
from tests.envs.trajectories import play_out

SIZE, CELLS, MINES, SAFE = 9, 81, 10, 71
SIM = Simulator("Minesweeper", seed=1, autoreset="disabled", num_threads=1)


def numbers_of(mines):
    """How many of the eight cells around each hide a mine, (9, 9)."""
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    return convolve2d(mines.reshape(SIZE, SIZE), ring, mode="same")


def neighbours(cell):
    row, col = divmod(cell, SIZE)
    rows, cols = range(max(row - 1, 0), min(row + 2, SIZE)), range(max(col - 1, 0), min(col + 2, SIZE))
    return {SIZE * r + c for r in rows for c in cols} - {cell}


def opened_by(cell, numbers, already):
    """The cells that are open after that one, as the smallest set that is closed under the rule."""
    opened = already | {cell}
    edge = {cell}
    while edge:
        edge = set().union(*(neighbours(k) for k in edge if numbers.flat[k] == 0)) - opened
        opened |= edge
    return opened


def cells_shown(planes):
    """The open cells, having checked that each cell is in one plane."""
    assert (planes.sum(axis=-1) == 1).all()
    return set(np.flatnonzero(planes[..., 0] == 0).tolist())


def follow(actions):
    """Play the only game beside the reference; returns how many cells were opened, and whether a mine was."""
    opened, total = set(), 0.0
    assert cells_shown(SIM.obs[0]) == opened
    for action in actions:
        before = SIM.obs[0].copy()
        SIM.step(np.full(1, action))
        mines = SIM.records["mines"][0].copy()
        assert mines.sum() == MINES
        numbers, reward = numbers_of(mines), SIM.reward[0]
        total += reward
        if action in opened:
            assert reward == 0 and not SIM.terminated[0] and np.array_equal(before, SIM.obs[0])
        elif mines[action]:
            assert opened and reward == -1 and SIM.terminated[0]
            assert np.array_equal(before, SIM.obs[0])
            return len(opened), True
        else:
            more = opened_by(action, numbers, opened)
            assert abs(reward - (len(more) - len(opened)) / SAFE) < 1e-6
            opened = more
            assert cells_shown(SIM.obs[0]) == opened
            assert all(SIM.obs[0, k // SIZE, k % SIZE, 1 + numbers.flat[k]] for k in opened)
            assert SIM.terminated[0] == (len(opened) == SAFE)
        assert set(np.flatnonzero(SIM.legal[0]).tolist()) == set(range(CELLS)) - opened
        if SIM.terminated[0]:
            assert abs(total - 1) < 1e-5 and not mines[list(opened)].any()
            break
    return len(opened), False


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, CELLS - 1), max_size=25))
def test_any_actions_do_what_the_reference_does(seed, actions):
    SIM.seed(seed)
    SIM.reset()
    follow(actions)


def test_games_of_the_heuristic_do_what_the_reference_does():
    ends = []
    for seed in range(60):
        SIM.seed(seed)
        SIM.reset()
        bot = Bot(SIM, "heuristic", seed)
        ends.append(follow(int(bot.act()[0]) for _ in range(CELLS)))
    assert sum(opened == SAFE for opened, _ in ends) > 20 and sum(lost for _, lost in ends) > 3


def test_the_first_cell_is_never_a_mine_and_all_others_are_as_often():
    games = 81 * 300
    sim = Simulator("Minesweeper", games, seed=2, num_threads=1)
    sim.reset()
    first = np.arange(games) % CELLS
    sim.step(first)
    assert not (sim.terminated & (sim.reward < 0)).any()
    going = ~sim.terminated
    assert going.mean() > 0.99  # a few are won at once, and begin anew
    mines = sim.records["mines"][going]
    assert (mines.sum(axis=1) == MINES).all()
    assert not mines[np.arange(len(mines)), first[going]].any()
    assert chisquare(mines.sum(axis=0), np.full(CELLS, mines.sum() / CELLS)).pvalue > 1e-4
    for cell in (0, 40, 80):  # and for one first cell alone
        sim.reset()
        sim.step(np.full(games, cell))
        assert chisquare(np.delete(sim.records["mines"][~sim.terminated].sum(axis=0), cell)).pvalue > 1e-4


def test_mines_lie_independently():
    """Any two cells hide mines together as often as drawing without putting back has it: 10/80 times 9/79."""
    games = 40_000
    sim = Simulator("Minesweeper", games, seed=3, num_threads=1)
    sim.reset()
    sim.step(np.full(games, 40))
    mines = sim.records["mines"][~sim.terminated].astype(np.int64)
    together = (mines.T @ mines)[np.triu_indices(CELLS, 1)]
    together = together[together > 0]
    expected = len(mines) * MINES * (MINES - 1) / (80 * 79)
    assert len(together) == 80 * 79 // 2
    assert abs((together - expected) / np.sqrt(expected)).max() < 5


def test_the_widest_opening_fits():
    """All mines in one corner, the first cell in the other: the stack must hold what waits."""
    for mines in (
        [*range(9), 9],
        [0, 1, 2, 9, 10, 11, 18, 19, 20, 27],
        [8 + 9 * k for k in range(9)] + [7],
        [*range(10)],
    ):
        for first in sorted({80, 72, 44, 40} - set(mines)):
            lay(mines, first)
            assert cells_shown(SIM.obs[0]) == opened_by(first, numbers_of(SIM.records["mines"][0]), set())


def lay(mines, *opened):
    """Put mines where a test wants them, and open some cells."""
    SIM.reset()
    SIM.records["mines"] = np.isin(np.arange(CELLS), mines)
    SIM.records["around"] = numbers_of(SIM.records["mines"][0]).ravel()
    SIM.records["opened"] = 1  # so that none are laid
    for cell in opened:
        SIM.step(np.full(1, cell))
    SIM.records["opened"] = SIM.records["open"][0].sum()


def certainly_safe(planes):
    """Unopened cells beside a number whose mines can all be found by counting, which is what the heuristic should see."""
    opened = cells_shown(planes)
    number = {cell: int(np.argmax(planes[cell // SIZE, cell % SIZE])) - 1 for cell in opened}
    hidden = {cell: neighbours(cell) - opened for cell in opened}
    mines = set().union(*(hidden[cell] for cell in opened if len(hidden[cell]) == number[cell]))
    safe = [hidden[cell] - mines for cell in opened if len(hidden[cell] & mines) == number[cell]]
    return set().union(*safe), mines


def consistent(planes, cell_is_mine):
    """Whether some laying of mines along the edge agrees with the numbers, and with a mine in that cell (small edges)."""
    opened = cells_shown(planes)
    number = {cell: int(np.argmax(planes[cell // SIZE, cell % SIZE])) - 1 for cell in opened}
    edge = sorted(set().union(*(neighbours(cell) for cell in opened)) - opened)
    for count in range(MINES + 1):
        for mines in combinations(edge, count):
            if cell_is_mine in mines and all(len(neighbours(k) & set(mines)) == number[k] for k in opened):
                return True
    return False


def test_the_heuristic_opens_what_is_safe_and_no_sure_mine():
    proved, checked = 0, 0
    for seed in range(40):
        SIM.seed(seed)
        SIM.reset()
        bot = Bot(SIM, "heuristic", seed)
        assert bot.act()[0] in (0, 8, 72, 80)
        while not SIM.terminated[0]:
            planes, action = SIM.obs[0].copy(), int(bot.act()[0])
            if not SIM.records["opened"][0]:
                SIM.step(bot.act())
                continue
            assert SIM.legal[0, action]
            safe, mines = certainly_safe(planes)
            assert action not in mines
            if safe:
                assert action in safe
                proved += 1
                opened = cells_shown(planes)
                if len(set().union(*(neighbours(k) for k in opened)) - opened) <= 11:
                    assert not consistent(planes, action)
                    checked += 1
            SIM.step(np.full(1, action))
            assert not (safe and SIM.reward[0] < 0)
    assert proved > 200 and checked > 10


def test_the_heuristic_wins_most_games():
    sim = Simulator("Minesweeper", 64, seed=4, num_threads=1)
    returns, _ = play_out(sim, Bot(sim, "heuristic"), 1024)
    assert np.mean(np.isclose(returns, 1, atol=1e-4)) > 0.6
