"""Pursuit: captures from drawings, turned meadows, and every move of thousands of steps judged by the rules.

In drawings `b` is a bush, digits are foxes (the first is 0), letters from `r` are rabbits (the first is r); what is not
drawn is free. Cells are counted from the meadow's corner.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Bot, Simulator
from tests.envs.trajectories import play_out

SIZE, MARGIN = 12, 3
STAY, UP, RIGHT, DOWN, LEFT = range(5)
WAYS = {STAY: (0, 0), UP: (-1, 0), RIGHT: (0, 1), DOWN: (1, 0), LEFT: (0, -1)}
FREE, BUSH, FOX, RABBIT = range(4)


def meadow(foxes, rabbits, bushes=(), sim=None):
    """A simulator of one game; foxes and rabbits are lists of cells."""
    sim = sim or Simulator("Pursuit", 1, seed=0, players=4, autoreset="disabled")
    sim.reset()
    record = sim.records[0]
    cells = record["cells"][MARGIN:-MARGIN, MARGIN:-MARGIN]
    cells[...] = FREE
    for name in ("active", "is_free"):
        record[name] = 0
    for at in bushes:
        cells[at] = BUSH
    for fox, (row, col) in enumerate(foxes):
        record["active"][fox], record["row"][fox], record["col"][fox], cells[row, col] = (
            1,
            row + MARGIN,
            col + MARGIN,
            FOX,
        )
    for rabbit, (row, col) in enumerate(rabbits):
        record["rabbit_row"][rabbit], record["rabbit_col"][rabbit] = row + MARGIN, col + MARGIN
        record["is_free"][rabbit], cells[row, col] = 1, RABBIT
    record["left"] = len(rabbits)
    return sim


def drawn(drawing):
    at = {
        letter: (row, col)
        for row, line in enumerate(drawing.split())
        for col, letter in enumerate(line)
        if letter not in ".b"
    }
    bushes = [(row, col) for row, line in enumerate(drawing.split()) for col, x in enumerate(line) if x == "b"]
    return meadow([at[x] for x in sorted(at) if x.isdigit()], [at[x] for x in sorted(at) if x.isalpha()], bushes=bushes)


def step(sim, *actions):
    sim.step(np.array([[*actions, *[STAY] * (4 - len(actions))]]))
    return sim.reward[0].tolist()


@pytest.mark.parametrize(
    ("drawing", "caught"),
    [
        ("... .0. .r. .1.", 1),  # from two sides
        ("... 0r. .1.", 1),
        (".0. .r. ... .1.", 0),  # one is not enough ...
        ("0.1 .r.", 0),  # ... and corners do not touch
        ("r0 1.", 1),
        ("r0 ..", 0),
        ("r0 b.", 1),  # hemmed in by one fox and a bush
        ("r0 s.", 1),  # or another rabbit
        ("rb s. ..", 0),  # without a fox nobody is caught
        ("r1 s0 2.", 2),  # one is hemmed in only as long as the other is there:
        ("s1 r0 2.", 2),  # both are judged as they stand, in whatever order
        ("rbb sb. 0..", 1),  # s touches one fox, r none
        (".0. r1s .2.", 0),
        (".0r1. ..2..", 1),
        ("r0s 1.2", 2),  # one fox may help to catch two
    ],
)
def test_who_is_caught(drawing, caught):
    sim = drawn(drawing)
    free, foxes = int(sim.records["left"][0]), int(sim.records["active"][0].sum())
    if foxes < 2:
        drawing += " ............" * (8 - len(drawing.split())) + " ...........9"
        sim = drawn(drawing)
        foxes += 1
    rewards = step(sim)
    assert rewards == [caught] * foxes + [0] * (4 - foxes)
    assert sim.records["left"][0] == free - caught == sim.records["is_free"][0].sum()
    assert (sim.records["cells"][0] == RABBIT).sum() == free - caught
    assert bool(sim.terminated[0]) == (free == caught)


def test_foxes_move_before_rabbits_are_caught():
    sim = meadow([(5, 4), (4, 6)], [(4, 4)])
    assert step(sim, STAY, LEFT) == [1, 1, 0, 0] and sim.terminated[0]


def test_foxes_are_barred_by_bushes_the_border_and_each_other():
    sim = meadow([(0, 0), (0, 1), (1, 0)], [(9, 9)], [(1, 1)])
    for actions in ([UP, DOWN, RIGHT], [LEFT, LEFT, UP], [RIGHT, STAY, STAY]):
        step(sim, *actions)
        assert fox_cells(sim.records[0])[:3] == [(0, 0), (0, 1), (1, 0)]
    step(sim, RIGHT, RIGHT, STAY)  # the first finds the way barred before the second makes room
    assert fox_cells(sim.records[0])[:3] == [(0, 0), (0, 2), (1, 0)]
    step(sim, RIGHT, RIGHT, UP)  # the third follows the first
    assert fox_cells(sim.records[0])[:3] == [(0, 1), (0, 3), (0, 0)]


def fox_cells(record):
    return list(zip((record["row"] - MARGIN).tolist(), (record["col"] - MARGIN).tolist(), strict=True))


def rabbit_cells(record):
    return list(zip((record["rabbit_row"] - MARGIN).tolist(), (record["rabbit_col"] - MARGIN).tolist(), strict=True))


def test_foxes_see_seven_by_seven_cells():
    sim = meadow([(0, 0), (3, 3), (0, 4)], [(2, 1), (5, 4), (11, 11)], [(1, 1)])
    record = sim.records[0]
    record["is_free"] = 0  # so that rabbits stay where they are
    step(sim)
    free, bush, fox, rabbit = (sim.obs[0, 0, :, :, k] for k in range(4))
    assert (free + bush + fox + rabbit == 1).all()
    assert bush[:3].all() and bush[:, :3].all() and bush[4, 4] and bush[3:, 3:].sum() == 1
    assert np.argwhere(fox).tolist() == [[3, 3], [6, 6]] and np.argwhere(rabbit).tolist() == [[5, 4]]
    assert np.argwhere(sim.obs[0, 1, :, :, 3]).tolist() == [[2, 1], [5, 4]]


@pytest.mark.parametrize("players", [2, 3, 4])
def test_starts(players):
    sim = Simulator("Pursuit", 300, seed=3, players=players)
    sim.reset()
    bushes = []
    for record in sim.records:
        cells = record["cells"][MARGIN:-MARGIN, MARGIN:-MARGIN]
        assert [(cells == kind).sum() for kind in (FOX, RABBIT)] == [players, 6] and record["left"] == 6
        assert all(cells[at] == FOX for at in fox_cells(record)[:players])
        assert all(cells[at] == RABBIT for at in rabbit_cells(record))
        at = np.argwhere(cells == BUSH)
        assert at.min() >= 1 and at.max() <= SIZE - 2
        apart = np.abs(at[:, None] - at[None]).max(axis=2) + 9 * np.eye(len(at), dtype=int)
        assert apart.min() > 1
        bushes.append(len(at))
        outside = record["cells"].copy()
        outside[MARGIN:-MARGIN, MARGIN:-MARGIN] = BUSH
        assert (outside == BUSH).all()
    assert max(bushes) <= 16 and 8 < np.mean(bushes) < 12


cell = st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1))
near = st.tuples(st.integers(0, 3), st.integers(0, 3))
HERE, THERE = (Simulator("Pursuit", 1, seed=0, players=4, autoreset="disabled") for _ in range(2))


@settings(deadline=None, max_examples=300)
@given(
    places=st.one_of(st.lists(cell, min_size=14, max_size=14, unique=True), st.permutations(range(16)).map(
        lambda order: [(k // 4, k % 4) for k in order[:14]])),
    actions=st.tuples(*[st.integers(0, 4)] * 4),
)  # fmt: skip
def test_turning_the_meadow_turns_the_outcome(places, actions):
    """A quarter turn to the right; what rabbits do then is drawn."""
    foxes, rabbits, bushes = places[:4], places[4:10], places[10:]
    meadow(foxes, rabbits, bushes, HERE)
    meadow(*([(col, SIZE - 1 - row) for row, col in kind] for kind in (foxes, rabbits, bushes)), THERE)
    HERE.step(np.array([actions]))
    THERE.step(np.array([[action % 4 + 1 if action else 0 for action in actions]]))
    here, there = HERE.records[0], THERE.records[0]
    assert HERE.reward.tolist() == THERE.reward.tolist() and here["is_free"].tolist() == there["is_free"].tolist()
    assert [(col, SIZE - 1 - row) for row, col in fox_cells(here)] == fox_cells(there)


def distance(one, other):
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def beside(at):
    return [(at[0] + down, at[1] + right) for way, (down, right) in WAYS.items() if way != STAY]


def foxes_after(foxes, rabbits, actions, open_cells):
    """Where the foxes are after their actions, one after the other."""
    foxes = dict(enumerate(foxes))
    for fox, action in enumerate(actions):
        there = (foxes[fox][0] + WAYS[action][0], foxes[fox][1] + WAYS[action][1])
        if there in open_cells - set(foxes.values()) - set(rabbits.values()):
            foxes[fox] = there
    return list(foxes.values())


def caught_by(foxes, rabbits, open_cells):
    """The rabbits that two foxes touch, or one where no cell beside is free."""
    taken, caught = {*foxes, *rabbits.values()}, set()
    for rabbit, at in rabbits.items():
        touching = sum(cell in foxes for cell in beside(at))
        if touching >= 2 or (touching == 1 and not set(beside(at)) & (open_cells - taken)):
            caught.add(rabbit)
    return caught


def check_rabbits(foxes, rabbits, moved, open_cells, rested, wandered):
    """Rabbits went where they may; notes whether frightened ones rested, and where others wandered."""
    for rabbit, to in enumerate(moved):
        if rabbit not in rabbits:
            continue
        at, others = rabbits[rabbit], {*foxes, *(rabbits.values())} - {rabbits[rabbit]}
        options = [cell for cell in beside(at) if cell in open_cells - others]
        assert to == at or to in options
        fear = min(distance(at, fox) for fox in foxes)
        reach = {cell: min(distance(cell, fox) for fox in foxes) for cell in [at, *options]}
        if fear <= 3:
            best = max(reach.values())
            assert to == at or (reach[to] == best > fear)
            if best > fear:
                rested.append(to == at)
        elif len(options) == 4:
            wandered.append((to[0] - at[0], to[1] - at[1]))
        rabbits[rabbit] = to


@pytest.mark.parametrize("players", [2, 4])
def test_every_move_of_thousands_of_steps_is_right(players):
    """Foxes and captures must be as calculated with sets; rabbits may do what the rules allow, as often as they say."""
    games = 16
    sim = Simulator("Pursuit", games, seed=players, players=players, autoreset="disabled")
    sim.reset()
    bot, rng = Bot(sim, "heuristic", 1), np.random.default_rng(players)
    rested, wandered, caught_in_all, ended = [], [], 0, 0
    for _ in range(250):
        before = sim.records.copy()
        actions = np.where(rng.random((games, players)) < 0.1, rng.integers(0, 5, (games, players)), bot.act())
        sim.step(actions)
        for k in range(games):
            old, new = before[k], sim.records[k]
            inner = old["cells"][MARGIN:-MARGIN, MARGIN:-MARGIN]
            bushes = {(int(row), int(col)) for row, col in np.argwhere(inner == BUSH)}
            open_cells = {(row, col) for row in range(SIZE) for col in range(SIZE)} - bushes
            rabbits = {r: at for r, at in enumerate(rabbit_cells(old)) if old["is_free"][r]}
            foxes = foxes_after(fox_cells(old)[:players], rabbits, actions[k].tolist(), open_cells)
            assert foxes == fox_cells(new)[:players]

            caught = caught_by(foxes, rabbits, open_cells)
            assert sim.reward[k].tolist() == [len(caught)] * players
            rabbits = {rabbit: at for rabbit, at in rabbits.items() if rabbit not in caught}
            assert new["is_free"].tolist() == [r in rabbits for r in range(6)] and new["left"] == len(rabbits)
            assert bool(sim.terminated[k]) == (not rabbits)
            caught_in_all += len(caught)
            check_rabbits(foxes, rabbits, rabbit_cells(new), open_cells, rested, wandered)
        over = sim.terminated.copy()
        ended += int(over.sum())
        if over.any():
            sim.reset(over)
    assert caught_in_all > 50 and ended > 3
    assert abs(np.mean(rested) - 0.25) < 0.03 and len(rested) > 2000
    shares = [np.mean([way == went for went in wandered]) for way in WAYS.values()]
    np.testing.assert_allclose(shares, [0.25, *[0.1875] * 4], atol=0.03)


def test_the_simple_player_catches_all():
    sim = Simulator("Pursuit", 64, seed=4, max_episode_steps=300)
    returns, lengths = play_out(sim, Bot(sim, "heuristic"), 64)
    chance, _ = play_out(sim, Bot(sim, "random"), 64)
    assert (returns == 6).all() and lengths.max() < 300 and chance.mean() < 2
