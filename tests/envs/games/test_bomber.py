"""Bomber: blasts from positions drawn by hand, a mirrored arena, and a reference of the rules played step by step.

In drawings `#` is a pillar, `x` a crate, `+` a longer reach, `*` an extra bomb. They show the top left of the arena,
whose pillars stand in every other row and column; what is not drawn is floor.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Bot, Simulator
from ludus.envs.games.bomber import PLANES
from tests.envs.games.arenas import play_with_and_without_who_left, returns_of_random_games
from tests.envs.games.reference_bomber import (
    BOMB,
    CRATE,
    DOWN,
    EXTRA,
    FLOOR,
    LEFT,
    LONGER,
    NOOP,
    PILLAR,
    RIGHT,
    UP,
    Reference,
)
from tests.envs.trajectories import play_out

AWAY = {2: (10, 10), 3: (10, 0)}  # who only have to be there, far from everything


def arena(drawing="", players=None, bombs=(), active=4, sim=None):
    """A simulator of one game; players are `number: (row, column)`, bombs (owner, row, column, fuse, reach)."""
    sim = sim or Simulator("Bomber", 1, seed=0, players=active, autoreset="disabled")
    sim.reset()
    record, players = sim.records[0], players or {}
    for name in ("active", "ground", "bomb_at", "bomb_reach", "fuse", "blast", "left"):
        record[name][...] = 0
    record["ground"][1::2, 1::2] = PILLAR
    for row, line in enumerate(drawing.split()):
        for col, letter in enumerate(line):
            record["ground"][row, col] = ".#x+*".index(letter)
    record["playing"] = len(players)
    for player, (row, col) in players.items():
        record["active"][player], record["row"][player], record["col"][player] = 1, row, col
        record["reach"][player], record["bombs"][player], record["left"][player] = 2, 1, 1
    for owner, row, col, fuse, reach in bombs:
        slot = 2 * owner + int(record["bomb_reach"][2 * owner] > 0)
        record["bomb_at"][row, col] = slot + 1
        record["bomb_row"][slot], record["bomb_col"][slot] = row, col
        record["fuse"][slot], record["bomb_reach"][slot] = fuse, reach
        record["bombs"][owner] = max(record["bombs"][owner], slot - 2 * owner + 1)
        record["left"][owner] = record["bombs"][owner] - (slot - 2 * owner + 1)
    return sim


def step(sim, **actions):
    """One step in which all wait, but for those named, as in `step(sim, p0=BOMB)`."""
    chosen = np.zeros((1, sim.num_players), np.int64)
    for name, action in actions.items():
        chosen[0, int(name[1:])] = action
    sim.step(chosen)
    return sim.reward[0].tolist()


def burned(sim):
    return {(int(row), int(col)) for row, col in np.argwhere(sim.records["blast"][0])}


def bombs(sim):
    return {(int(row), int(col)) for row, col in np.argwhere(sim.records["bomb_at"][0])}


def plane(sim, name, player=0):
    return sim.obs[0, player, :, :, PLANES.index(name)]


def test_a_bomb_explodes_six_steps_after_it_was_laid():
    sim = arena(players={0: (4, 4), **AWAY})
    step(sim, p0=BOMB)
    assert bombs(sim) == {(4, 4)} and not plane(sim, "one_bomb")[4, 4] and not plane(sim, "fuse_5").any()
    for left, way in zip((5, 4, 3, 2, 1), (UP, UP, LEFT, LEFT, NOOP), strict=True):
        step(sim, p0=way)
        shown = [plane(sim, f"fuse_{n}")[4, 4] for n in (5, 4, 3, 2, 1)]
        assert shown == [n >= left for n in (5, 4, 3, 2, 1)] and not burned(sim)
    assert step(sim) == [0, 0, 0, 0]
    assert burned(sim) == {(4, 4), (3, 4), (2, 4), (5, 4), (6, 4), (4, 3), (4, 2), (4, 5), (4, 6)}
    assert not bombs(sim) and plane(sim, "one_bomb")[2, 2] and plane(sim, "blast").sum() == 9
    step(sim)
    assert not burned(sim) and not plane(sim, "blast").any()


def test_pillars_and_the_border_stop_a_blast():
    sim = arena(players=AWAY, bombs=[(0, 0, 1, 1, 4)])
    step(sim)
    assert burned(sim) == {(0, col) for col in range(6)}
    sim = arena(players=AWAY, bombs=[(0, 3, 4, 1, 4)])
    step(sim)
    assert burned(sim) == {(row, 4) for row in range(8)}


def test_the_first_crate_stops_a_blast_and_is_gone():
    sim = arena("..xx.", players=AWAY, bombs=[(0, 0, 0, 1, 4)])
    step(sim)
    assert burned(sim) == {(0, 0), (0, 1), (0, 2), *((row, 0) for row in range(1, 5))}
    ground = sim.records["ground"][0]
    assert ground[0, 2] in (FLOOR, LONGER, EXTRA) and ground[0, 3] == CRATE


def test_a_crate_between_two_blasts_stops_both():
    sim = arena("..x..", players={0: (0, 4), 1: (10, 5), **AWAY}, bombs=[(2, 0, 0, 1, 4), (3, 0, 3, 1, 2)])
    assert step(sim) == [-1, 0, 0, 0]
    sim = arena(".xx..", players={0: (0, 4), 1: (10, 5), **AWAY}, bombs=[(2, 0, 0, 1, 4), (3, 0, 3, 2, 1)])
    assert step(sim) == [0, 0, 0, 0]
    assert sim.records["ground"][0, 0, 2] == CRATE
    assert step(sim) == [-1, 0, 0, 0]
    assert sim.records["ground"][0, 0, 2] != CRATE


def test_bombs_light_each_other_in_the_same_step():
    chain = [(0, 0, 0, 1, 2), (1, 0, 2, 6, 2), (2, 2, 2, 5, 3), (3, 2, 5, 4, 2), (3, 6, 6, 3, 2)]
    sim = arena(players={0: (4, 10), 1: (2, 7), **AWAY}, bombs=chain)
    assert step(sim) == [0, -1, 0, 0]
    assert bombs(sim) == {(6, 6)} and {(0, 4), (4, 2), (2, 7)} <= burned(sim)
    assert sim.records["left"][0].tolist() == [1, 1, 1, 1] and sim.records["bombs"][0, 3] == 2


def test_a_crate_breaks_the_chain():
    sim = arena("..x..", players=AWAY, bombs=[(0, 0, 0, 1, 4), (1, 0, 3, 6, 2)])
    step(sim)
    assert bombs(sim) == {(0, 3)} and sim.records["fuse"][0, 2] == 5


def test_a_bomb_laid_in_the_step_of_a_blast_is_not_lit_by_it():
    """Only who is not hit lays one, so its cell cannot burn; the next cell may."""
    sim = arena(players={0: (0, 3), **AWAY}, bombs=[(1, 0, 0, 1, 2)])
    step(sim, p0=BOMB)
    assert bombs(sim) == {(0, 3)} and (0, 2) in burned(sim)


def test_bombs_bar_the_way_but_not_out():
    sim = arena(players={0: (0, 0), 1: (0, 2), **AWAY})
    step(sim, p0=BOMB)
    step(sim, p0=RIGHT)
    step(sim, p0=LEFT, p1=LEFT)
    record = sim.records[0]
    assert record["col"][:2].tolist() == [1, 1]
    step(sim, p0=DOWN, p1=UP)
    assert record["row"][:2].tolist() == [0, 0] and record["col"][:2].tolist() == [1, 1]


def test_crates_and_the_border_bar_the_way():
    sim = arena(".x.", players={0: (0, 0), **AWAY})
    for way in (UP, LEFT, RIGHT):
        step(sim, p0=way)
        assert (sim.records["row"][0, 0], sim.records["col"][0, 0]) == (0, 0)


def test_one_bomb_to_a_cell_and_to_a_player():
    sim = arena(players={0: (0, 0), 1: (0, 0), **AWAY})
    step(sim, p0=BOMB, p1=BOMB)
    assert bombs(sim) == {(0, 0)} and sim.records["left"][0, :2].tolist() == [0, 1]
    step(sim, p0=RIGHT)
    step(sim, p0=BOMB, p1=BOMB)
    assert bombs(sim) == {(0, 0)}


def test_upgrades():
    sim = arena("+..\n.#.\n*", players={0: (0, 1), 1: (1, 0), **AWAY})
    step(sim, p0=LEFT, p1=UP)
    record = sim.records[0]
    assert record["reach"].tolist()[:2] == [3, 3] and record["ground"][0, 0] == FLOOR
    step(sim, p1=DOWN)
    step(sim, p1=DOWN)
    assert record["bombs"][1] == record["left"][1] == 2 and plane(sim, "two_bombs")[2, 0]
    step(sim, p1=BOMB)
    step(sim, p1=DOWN)
    step(sim, p1=BOMB)
    assert bombs(sim) == {(2, 0), (3, 0)} and record["left"][1] == 0
    assert plane(sim, "bomb_3")[2, 0] and not plane(sim, "bomb_4").any()


def test_upgrades_have_a_limit():
    sim = arena("+++\n*#.\n*", players={0: (0, 1), 1: (0, 0), **AWAY})
    for way in (RIGHT, LEFT, LEFT):
        step(sim, p0=way)
    assert sim.records["reach"][0, :2].tolist() == [4, 3]
    for way in (DOWN, DOWN):
        step(sim, p0=way)
    assert sim.records["bombs"][0, 0] == sim.records["left"][0, 0] == 2


def test_a_blast_burns_upgrades_and_goes_on():
    sim = arena(".+.*.", players=AWAY, bombs=[(0, 0, 0, 1, 4)])
    step(sim)
    assert (sim.records["ground"][0, 0, :5] == FLOOR).all() and (0, 4) in burned(sim)


def test_an_upgrade_is_taken_before_the_blast():
    sim = arena(".+", players={0: (0, 2), **AWAY}, bombs=[(1, 0, 0, 1, 1)])
    assert step(sim, p0=LEFT) == [-1, 0, 0, 0]
    assert sim.records["reach"][0, 0] == 3


def test_a_third_of_the_crates_leaves_an_upgrade():
    sim = Simulator("Bomber", 6000, seed=1, players=4, autoreset="disabled")
    sim.reset()
    sim.records[:] = arena("..x", players=AWAY, bombs=[(0, 0, 0, 1, 2)]).records[0]
    sim.step(np.zeros((6000, 4), np.int64))
    share = np.bincount(sim.records["ground"][:, 0, 2], minlength=5) / 6000
    np.testing.assert_allclose(share, [2 / 3, 0, 0, 1 / 6, 1 / 6], atol=0.025)


def test_the_last_one_left_wins():
    sim = arena(players={0: (0, 1), 1: (9, 10), 2: (1, 0)}, bombs=[(1, 0, 0, 1, 2)])
    assert step(sim) == [-1, 1, -1, 0] and sim.terminated[0]


def test_nobody_wins_if_the_last_are_hit_together():
    sim = arena(players={0: (0, 1), 1: (9, 10), 2: (1, 0)}, bombs=[(1, 0, 0, 1, 2), (2, 9, 9, 2, 1)])
    sim.records["active"][0, 3], sim.records["row"][0, 3], sim.records["col"][0, 3] = 1, 10, 10
    sim.records["playing"] = 4
    sim.records["bomb_row"][0, 4], sim.records["bomb_col"][0, 4] = 10, 9
    sim.records["bomb_at"][0, 9, 9], sim.records["bomb_at"][0, 10, 9] = 0, 5
    assert step(sim) == [-1, 0, -1, 0] and not sim.terminated[0]
    assert step(sim, p1=DOWN) == [0, 0, 0, 0] and sim.terminated[0]
    assert sim.active[0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("players", [2, 3, 4])
def test_starts_are_fair(players):
    sim = Simulator("Bomber", 500, seed=2, players=players)
    sim.reset()
    ground, record = sim.records["ground"], sim.records
    assert (ground == ground[:, ::-1]).all() and (ground == ground[:, :, ::-1]).all()
    assert (ground[:, 1::2, 1::2] == PILLAR).all() and set(np.unique(ground)) == {FLOOR, PILLAR, CRATE}
    corners = list(zip(record["row"][0].tolist(), record["col"][0].tolist(), strict=True))[:players]
    assert corners == [(0, 0), (10, 10), (0, 10), (10, 0)][:players]
    for row, col in ((0, 0), (0, 1), (1, 0)):
        assert (ground[:, row, col] == FLOOR).all()
    others = [(row, col) for row in range(6) for col in range(6) if row + col > 1 and not (row % 2 and col % 2)]
    crates = np.mean([ground[:, row, col] == CRATE for row, col in others])
    assert abs(crates - 0.7) < 0.02 and (record["playing"] == players).all()


cell = st.tuples(st.integers(0, 10), st.integers(0, 10)).filter(lambda at: not (at[0] % 2 and at[1] % 2))
HERE, THERE = (Simulator("Bomber", 1, seed=0, players=4, autoreset="disabled") for _ in range(2))


@settings(deadline=None, max_examples=300)
@given(
    places=st.tuples(*[cell] * 4),
    laid=st.lists(st.tuples(cell, st.integers(1, 6), st.integers(2, 4)), max_size=8, unique_by=lambda bomb: bomb[0]),
    actions=st.lists(st.tuples(*[st.integers(0, 5)] * 4), min_size=1, max_size=8),
)
def test_mirroring_the_arena_mirrors_the_outcome(places, laid, actions):
    """Left and right; there are no crates, since what they leave behind is drawn."""
    players = dict(enumerate(places))
    lying = [(k // 2, row, col, fuse, reach) for k, ((row, col), fuse, reach) in enumerate(laid)]
    arena(players=players, bombs=lying, sim=HERE)
    arena(
        players={k: (row, 10 - col) for k, (row, col) in players.items()},
        bombs=[(owner, row, 10 - col, fuse, reach) for owner, row, col, fuse, reach in lying],
        sim=THERE,
    )
    mirror = {RIGHT: LEFT, LEFT: RIGHT}
    for chosen in actions:
        HERE.step(np.array([chosen]))
        THERE.step(np.array([[mirror.get(action, action) for action in chosen]]))
        assert HERE.reward.tolist() == THERE.reward.tolist() and HERE.terminated[0] == THERE.terminated[0]
        assert (HERE.obs[0] == THERE.obs[0, :, :, ::-1]).all()
        if HERE.terminated[0]:
            break


@pytest.mark.parametrize("players", [2, 3, 4])
def test_thousands_of_steps_are_as_the_reference_plays_them(players):
    games = 16
    sim = Simulator("Bomber", games, seed=players, players=players, autoreset="disabled")
    sim.reset()
    references = [Reference(record, players) for record in sim.records]
    bot, rng = Bot(sim, "heuristic", players), np.random.default_rng(players)
    ended, chains, broken, best = 0, 0, 0, 0
    for t in range(300):
        wild = rng.random((games, players)) < 0.1
        actions = np.where(wild, rng.integers(0, 6, (games, players)), bot.act())
        sim.step(actions)
        for k, reference in enumerate(references):
            rewards, over = reference.step(actions[k], sim.records["ground"][k])
            assert sim.reward[k].tolist() == rewards and bool(sim.terminated[k]) == over
            assert sim.active[k].tolist() == [number in reference.players for number in range(players)]
            np.testing.assert_array_equal(sim.obs[k, t % players], reference.planes(t % players))
        over = sim.terminated.copy()
        ended += int(over.sum())
        best = max(best, int(sim.records["reach"].max()))
        if over.any():
            chains += sum(references[k].chains for k in np.flatnonzero(over))
            broken += sum(references[k].broken for k in np.flatnonzero(over))
            sim.reset(over)
            references = [Reference(sim.records[k], players) if over[k] else references[k] for k in range(games)]
    assert ended > 20 and chains > 0 and broken > 200 and best >= 3


def test_rewards_are_one_winner_or_a_draw():
    seen = returns_of_random_games("Bomber")
    assert {(1, 0), (0, 2)} <= seen
    assert all((won, drew) == (1, 0) or (won == 0 and drew >= 2) for won, drew in seen)


def test_who_left_gets_nothing_and_changes_nothing():
    play_with_and_without_who_left("Bomber")


def test_the_simple_player_beats_chance():
    sim = Simulator("Bomber", 64, seed=6, players=2)
    simple, chance = Bot(sim, "heuristic"), Bot(sim, "random")

    class Match:
        def act(self):
            return np.stack([simple.act()[:, 0], chance.act()[:, 1]], axis=1)

    returns, _ = play_out(sim, Match(), 128)
    assert returns.mean(axis=0)[0] > 0.7
