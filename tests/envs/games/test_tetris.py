"""Tetris against a second implementation with the published tables, and against what must hold in every game."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from ludus.envs import Bot, Simulator
from tests.envs.trajectories import play_out

from .reference_tetris import (
    BOXES,
    CLOCKWISE,
    COLS,
    COUNTERCLOCKWISE,
    HARD,
    JLSTZ,
    KINDS,
    LONG,
    NOOP,
    ROWS,
    Model,
)

SETTLED, FALLING, NEXT, PHASE = range(4)
FILLED = {0: 0, 1: 1, 3: 2, 5: 3, 8: 4}  # reward -> rows
SIM = Simulator("Tetris", seed=1, autoreset="disabled", num_threads=1)


def cells_of(plane):
    return {tuple(cell) for cell in np.argwhere(plane).tolist()}


def kind_in(plane):
    """Which piece lies there as pieces appear."""
    [kind] = [kind for kind in KINDS if set(Model(kind).falling()) == cells_of(plane)]
    return kind


def follow(sim, actions):
    """Play game 0 and the model side by side; returns what settled and how many rows were filled, in order."""
    planes = sim.obs[0]
    model, pieces, rows = Model(kind_in(planes[..., FALLING])), 0, 0
    for action in actions:
        coming = kind_in(planes[..., NEXT])
        sim.step(np.full(1, action))
        reward, terminated, settled = model.step(action, coming)
        pieces, rows = pieces + settled, rows + FILLED[reward]
        assert (sim.reward[0], sim.terminated[0]) == (reward, terminated)
        assert np.array_equal(planes[..., SETTLED], model.grid)
        assert cells_of(planes[..., FALLING]) == set(model.falling())
        assert cells_of(planes[..., PHASE]) == {(model.turn, model.ticks)}
        assert planes[..., SETTLED].sum() == 4 * pieces - 10 * rows
        assert settled or kind_in(planes[..., NEXT]) == coming
        if terminated:
            break
        assert not (planes[..., SETTLED] & planes[..., FALLING]).any()
    assert sim.records["lines"][0] == rows
    return pieces, rows


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 6), max_size=120))
def test_any_actions_do_what_the_reference_does(seed, actions):
    SIM.seed(seed)
    SIM.reset()
    follow(SIM, actions)


@pytest.mark.parametrize("wild", [0.0, 0.3])
def test_games_with_filled_rows_do_what_the_reference_does(wild):
    rows, rng = 0, np.random.default_rng(2)
    bot = Bot(SIM, "heuristic")
    for seed in range(4):
        SIM.seed(seed)
        SIM.reset()
        actions = (int(rng.integers(7)) if rng.random() < wild else int(bot.act()[0]) for _ in range(700))
        rows += follow(SIM, actions)[1]
    assert rows > 20


def put(sim, game, grid, kind, turn, row, col):
    """Make a game that position, its piece having just fallen."""
    record = sim.records[game : game + 1]
    record["rows"][0, 4:-4] = 0x1E007 | (grid << np.arange(3, 3 + COLS)).sum(axis=1)  # a wall of three and one of four
    record["colors"] = grid
    values = {"kind": KINDS.index(kind), "turn": turn, "row": row, "col": col, "ticks": 0}
    for name, value in values.items():
        record[name] = value


def test_every_wall_kick_is_the_published_one():
    """Pieces anywhere among random cells, turned once."""
    games, rng = 1500, np.random.default_rng(3)
    sim = Simulator("Tetris", games, seed=3, num_threads=1)
    seen, failed = set(), 0
    for _ in range(12):
        sim.reset()
        models, actions = [], rng.choice([CLOCKWISE, COUNTERCLOCKWISE], games)
        for game in range(games):
            kind, turn = KINDS[rng.integers(7)], int(rng.integers(4))
            model = Model(kind, rng.random((ROWS, COLS)) < rng.choice([0.0, 0.3, 0.5]))
            model.turn, model.row, model.col = turn, int(rng.integers(-1, ROWS - 1)), int(rng.integers(-1, COLS - 1))
            inside = [(r, c) for r, c in model.falling() if 0 <= r < ROWS and 0 <= c < COLS]
            if len(inside) < 4:
                model.appear(kind)
                inside = model.falling()
            for cell in inside:
                model.grid[cell] = False
            put(sim, game, model.grid, kind, model.turn, model.row, model.col)
            models.append(model)
        sim.step(actions)
        for game, (model, action) in enumerate(zip(models, actions, strict=True)):
            before = model.turn
            model.step(action, "I")
            record = sim.records[game]
            assert (record["turn"], record["row"], record["col"]) == (model.turn, model.row, model.col)
            failed += model.kick is None
            seen.add((model.kind == "I", before, int(action), model.kick))
    tries = {
        (long, turn, action, k) for long in (False, True) for turn in range(4) for action in (3, 4) for k in range(5)
    }
    assert tries <= seen and failed > 100


def test_the_published_tables_agree_with_themselves():
    """A turn and its reverse kick to opposite sides, which guards against slips of the pen here."""
    for table in (JLSTZ, LONG):
        for turn, kicks in table.items():
            assert [(-x, -y) for x, y in kicks] == list(table[turn[::-1]])
    assert all(len(cells) == 4 for cells in BOXES.values())


@pytest.mark.parametrize(("rows", "reward"), [(0, 0), (1, 1), (2, 3), (3, 5), (4, 8)])
def test_rows_filled_at_once(rows, reward):
    SIM.reset()
    grid = np.zeros((ROWS, COLS), bool)
    grid[ROWS - 6 :, 2:5] = True  # comes down with what lies below gone
    grid[ROWS - rows :, : COLS - 1] = True
    put(SIM, 0, grid, "I", 1, 0, COLS - 3)  # upright in the last column
    SIM.step(np.full(1, HARD))
    assert SIM.reward[0] == reward and SIM.records["lines"][0] == rows
    grid[ROWS - 4 :, COLS - 1] = True
    rest = grid[: ROWS - rows]
    expected = np.vstack([np.zeros((rows, COLS), bool), rest])
    assert np.array_equal(SIM.obs[0, ..., SETTLED], expected)
    assert np.array_equal(SIM.records["colors"][0] > 0, expected)


def test_a_piece_that_has_touched_down_can_still_be_moved():
    SIM.reset()
    put(SIM, 0, np.zeros((ROWS, COLS), bool), "T", 0, ROWS - 2, 3)
    for step in range(4):
        SIM.step(np.full(1, 2 if step == 2 else NOOP))
        assert not SIM.obs[0, ..., SETTLED].any()
    SIM.step(np.full(1, NOOP))
    assert cells_of(SIM.obs[0, ..., SETTLED]) == {(19, 4), (19, 5), (19, 6), (18, 5)}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_each_bag_holds_every_piece_once(seed):
    SIM.seed(seed)
    SIM.reset()
    bot, kinds, next_kind = Bot(SIM, "heuristic"), [kind_in(SIM.obs[0, ..., FALLING])], None
    while len(kinds) < 35:
        next_kind = kind_in(SIM.obs[0, ..., NEXT])
        before = SIM.obs[0, ..., SETTLED].copy()
        SIM.step(bot.act())
        assert not SIM.terminated[0]
        if not np.array_equal(before, SIM.obs[0, ..., SETTLED]):
            kinds.append(next_kind)
    for start in range(0, 35, 7):
        assert sorted(kinds[start : start + 7]) == sorted(KINDS)


def test_any_two_pieces_come_first():
    sim = Simulator("Tetris", 42_000, seed=4)
    sim.reset()
    pairs, counts = np.unique(7 * sim.records["kind"] + sim.records["next"], return_counts=True)
    assert len(pairs) == 42 and chisquare(counts).pvalue > 1e-4


def test_the_heuristic_fills_rows_where_random_play_does_not():
    returns = {}
    for kind in ("random", "heuristic"):
        sim = Simulator("Tetris", 16, seed=5, max_episode_steps=1000)
        returns[kind] = play_out(sim, Bot(sim, kind), 16)[0].mean()
    assert returns["random"] < 1 and returns["heuristic"] > 80
