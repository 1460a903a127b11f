"""The solver of ConnectFour against published scores, brute force and the game's rules; and what its benchmark counts."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ludus
from ludus.envs import Bot, Simulator
from ludus.envs.adapters.sb3 import vec_env
from tests.agents.small import small

ROWS, COLS = 6, 7
PUBLISHED = """
4455 18                                     44455554221 -15
2252576253462244111563365343671351441 -1    7422341735647741166133573473242566 1
23163416124767223154467471272416755633 0    71255763773133525731261364622167124446454 0
65214673556155731566316327373221417 -1      52677675164321472411331752454 0
67152117737262713366376314254 6             2762751722231276466633475674533 5
3642756176227637211322113551637574556 2     3575316255751336464276636772271112 -3
5554224333234511764415115 4                 52753311433677442422121 8
1233722555341451114725221333 -1             274552224131661 0
5455174361263362 -1                         2531276566711153 2
32164625 11                                 243335424257 12
"""  # Pons, "Solving Connect Four", part 2: the text's examples, and the first positions of its test sets


@pytest.fixture(scope="module")
def import_benchmark():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
        yield importlib.import_module


@pytest.fixture(scope="module")
def module(import_benchmark):
    return import_benchmark("four_solver")


@pytest.fixture(scope="module")
def solver(module):
    return module.Solver()


@pytest.fixture(scope="module")
def benchmark(import_benchmark):
    return import_benchmark("connect_four")


def test_published_scores(module, solver):
    words = PUBLISHED.split()
    for columns, score in zip(words[::2], map(int, words[1::2]), strict=True):
        asked = module.position(columns)
        assert (solver.score(asked), solver.outcome(asked)) == (score, np.sign(score)), columns
    assert solver.nodes > len(words)


class Rack:
    """The game in plain words: columns of the players' numbers."""

    def __init__(self, columns=""):
        self.cols = [[] for _ in range(COLS)]
        self.moves = 0
        for col in columns:
            self.drop(int(col) - 1)

    def drop(self, col):
        """Whether that lines up four."""
        mark = self.moves % 2
        self.cols[col].append(mark)
        self.moves += 1
        row = len(self.cols[col]) - 1
        return any(
            1 + self.run(col, row, x, y, mark) + self.run(col, row, -x, -y, mark) >= 4
            for x, y in ((0, 1), (1, 0), (1, 1), (1, -1))
        )

    def run(self, col, row, x, y, mark):
        n = 0
        while True:
            col, row = col + x, row + y
            if not (0 <= col < COLS and 0 <= row < len(self.cols[col]) and self.cols[col][row] == mark):
                return n
            n += 1

    def take(self, col):
        self.cols[col].pop()
        self.moves -= 1

    def open_columns(self):
        return [col for col in range(COLS) if len(self.cols[col]) < ROWS]

    def worths(self):
        """The score of each move, by trying all there is: 22 less the winner's discs at the end."""
        found = {}
        for col in self.open_columns():
            if self.drop(col):
                found[col] = 22 - (self.moves + 1) // 2
            else:
                found[col] = -max(self.worths().values(), default=0)
            self.take(col)
        return found


def late_game(seed, discs):
    """Columns of a random game in which nobody has won yet; shorter if there was no way on."""
    random, rack, columns = np.random.default_rng(seed), Rack(), ""
    while rack.moves < discs:
        for col in random.permutation(rack.open_columns()):
            if not rack.drop(col):
                columns += str(col + 1)
                break
            rack.take(col)
        else:
            break
    return columns


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(33, 42))
def test_brute_force_finds_the_same(module, solver, benchmark, seed, discs):
    columns = late_game(seed, discs)
    if len(columns) < 33:
        return
    worths, asked = Rack(columns).worths(), module.position(columns)
    best = max(worths.values(), default=0)
    assert solver.score(asked) == best and solver.outcome(asked) == np.sign(best)
    for col, worth in worths.items():
        slow = benchmark.SLOW if np.sign(worth) == np.sign(best) else benchmark.WRONG
        assert benchmark.verdict(solver, asked, col, best) == (benchmark.RIGHT if worth == best else slow)


def test_bitboards_are_what_the_rules_record(module):
    sim = Simulator("ConnectFour", 50, seed=3)
    sim.reset()
    bot, games, running = Bot(sim, "random", 3), [""] * 50, np.ones(50, bool)
    while running.any():
        asked, moves, movers = module.positions_of(sim.records), bot.decide(), sim.player.copy()
        sim.step(moves)
        for k in np.flatnonzero(running):
            assert asked[k] == module.position(games[k])
            assert asked[k].wins(int(moves[k])) == (sim.reward[k, movers[k]] == 1)
            games[k] += str(moves[k] + 1)
        running &= ~sim.terminated
    with pytest.raises(ValueError, match="column 1 is full"):
        module.position("1111111")


def test_sampled_positions_differ_and_are_of_their_phase(module, benchmark, solver):
    found = benchmark.sampled(4, solver)
    assert list(found) == list(benchmark.PHASES) and found == benchmark.sampled(4, solver)
    for phase, known in found.items():
        assert len({module.position(columns) for columns, _ in known}) == 4
        assert all(len(columns) in benchmark.PHASES[phase] for columns, _ in known)


def test_who_sees_the_end_never_errs(module, benchmark, solver):
    """search-10 in the last ten plies; and one that takes any column does err, somewhere."""
    games = {late_game(seed, 32 + seed % 3) for seed in range(60)}
    known = [(columns, solver.score(module.position(columns))) for columns in games if len(columns) >= 32]
    assert len(known) > 20
    assert benchmark.WRONG not in benchmark.verdicts(solver, "search-10", known)
    assert benchmark.WRONG in benchmark.verdicts(solver, "random", known)


def test_agents_decide_in_the_positions_given(module, benchmark, tmp_path):
    """Alone and with search, each in positions of different length."""
    env = vec_env("ConnectFour", 2, seed=0)
    ludus.PPO("mlp", env, seed=0, **small("PPO")).save(tmp_path / "four")
    columns = ["4455", "1", "444", "2727"]
    for who in ("four", "four:search-200"):
        found = benchmark.decided(str(tmp_path / who), columns)
        assert [asked for asked, _ in found] == [module.position(moves) for moves in columns]
        assert all(0 <= col < COLS for _, col in found)
    assert [col for _, col in benchmark.decided(str(tmp_path / "four:search-200"), ["112233", "717273"])] == [3, 6]


def test_files_and_tables(benchmark, tmp_path):
    file = tmp_path / "Test_L2_R3"
    file.write_text("4455 18\n44455554221 -15\n2252576253462244111563365343671351441 -1\n")
    assert benchmark.published([file], 2) == {"Middle-Hard": [("4455", 18), ("44455554221", -15)]}
    table = benchmark.table_of(
        {"End": {"one": [benchmark.RIGHT] * 9 + [benchmark.SLOW], "two": [benchmark.WRONG] * 10}}
    )
    assert table.rows == [  # Wilson (1927): 0 of 10 is 0 to 27.8 %
        ["End", "10", "one", "0.0", "0.0 to 27.8", "10.0"],
        ["End", "10", "two", "100.0", "72.2 to 100.0", "0.0"],
    ]
