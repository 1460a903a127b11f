"""Go against OpenSpiel's `go`: whole games at random, by the heuristic, and by both in turn."""

import numpy as np
import pytest

from ludus.envs import Bot, Simulator, find_game
from tests.envs.trajectories import Against, play_out

pyspiel = pytest.importorskip("pyspiel")
PASS, CELLS, KOMI = 81, 81, 7.5
GAMES = 64
CELL_OF = np.arange(CELLS).reshape(9, 9)[::-1].ravel()  # the reference's points go from a1 upwards, ours from a9 down
POINTS = np.array([11 * (row + 1) + col + 1 for row in range(9) for col in range(9)])  # in the record, with an edge


def theirs_of(action):
    return PASS if action == PASS else int(CELL_OF[action])


def new_state():
    return pyspiel.load_game("go", {"board_size": 9, "komi": KOMI}).new_initial_state()


def same_position(state, record, legal):
    assert state.current_player() == record["player"]
    assert sorted(theirs_of(action) for action in np.flatnonzero(legal)) == state.legal_actions()
    planes = np.array(state.observation_tensor()).reshape(4, CELLS)
    stones = record["stones"][POINTS]
    assert np.array_equal(stones[CELL_OF] == 1, planes[0] == 1) and np.array_equal(stones[CELL_OF] == 2, planes[1] == 1)


def same_end(state, mover, rewards):
    """The one difference: a repeated position is a draw there and lost by the mover here. Returns whether it was one."""
    assert state.is_terminal()
    repeated = state.returns() == [0.0, 0.0]  # with half a point of komi nothing else is a draw
    expected = [-1.0, 1.0] if mover == 0 else [1.0, -1.0]
    assert rewards.tolist() == (expected if repeated else state.returns())
    return repeated


@pytest.mark.parametrize(("kinds", "steps"), [(["random"], 300), (["heuristic"], 260), (["random", "heuristic"], 260)])
def test_games_are_the_references(kinds, steps):
    sim = Simulator("Go", GAMES, seed=1)
    bots = [Bot(sim, kind, seed=2) for kind in kinds]
    sim.reset()
    theirs, ends = [new_state() for _ in range(GAMES)], 0
    for step in range(steps):
        for k, state in enumerate(theirs):
            same_position(state, sim.records[k], sim.legal[k])
        actions, movers = bots[step // 5 % len(bots)].act().copy(), sim.player.copy()
        sim.step(actions)
        for k, state in enumerate(theirs):
            state.apply_action(theirs_of(actions[k]))
            assert state.is_terminal() == sim.terminated[k]
            if sim.terminated[k]:
                same_end(state, movers[k], sim.reward[k])
                theirs[k], ends = new_state(), ends + 1
            else:
                assert not sim.reward[k].any()
    assert ends >= 90


def play(names):
    """One game from the names of its moves; returns the simulator after the last and the reference."""
    sim, state, names = Simulator("Go", 1, seed=1, autoreset="disabled"), new_state(), names.split()
    sim.reset()
    for name in names:
        action = find_game("Go").actions.index(name)
        same_position(state, sim.records[0], sim.legal[0])
        mover = sim.player[0]
        sim.step(np.array([action]))
        state.apply_action(theirs_of(action))
    return sim, state, mover


def allowed(sim, name):
    return bool(sim.legal[0, find_game("Go").actions.index(name)])


def test_ko_may_be_taken_back_only_after_another_move():
    fight = "b9 c9 a8 d8 b7 c7 c8 b8"  # white's b8 takes c8
    sim, state, _ = play(fight)
    same_position(state, sim.records[0], sim.legal[0])
    assert sim.obs[0, 1, 2].tolist() == [0, 0, 0, 1, 0, 0] and not allowed(sim, "c8")
    sim, state, _ = play(f"{fight} pass pass")
    assert sim.terminated[0]
    sim, state, _ = play(f"{fight} j1 j2")
    same_position(state, sim.records[0], sim.legal[0])
    assert allowed(sim, "c8")


def test_who_repeats_a_position_loses():
    # Black sends a second stone into the corner, white takes both with one, and black takes that one back
    sim, state, mover = play("b1 a2 c2 b2 d1 j9 a1 c1 b1")
    assert sim.terminated[0] and sim.reward[0].tolist() == [-1.0, 1.0] and mover == 0
    assert same_end(state, mover, sim.reward[0])


def test_a_game_ends_after_as_many_moves_as_the_references():
    sim, state = Simulator("Go", 1, seed=1, autoreset="disabled"), new_state()
    sim.reset()
    rng = np.random.default_rng(5)
    while not sim.terminated[0]:
        free, mover = np.flatnonzero(sim.legal[0, :PASS]), sim.player[0]
        action = int(rng.choice(free)) if len(free) else PASS
        sim.step(np.array([action]))
        state.apply_action(theirs_of(action))
        assert state.is_terminal() == sim.terminated[0]
    assert state.move_number() == 162 == sim.episode_length[0]
    assert not same_end(state, mover, sim.reward[0])


def test_suicide_is_illegal_and_capture_is_not():
    sim, state, _ = play("a8 j1 b9 j2")
    same_position(state, sim.records[0], sim.legal[0])
    sim, state, _ = play("a8 j1 b9")
    same_position(state, sim.records[0], sim.legal[0])
    assert not allowed(sim, "a9")  # white would have no liberty
    sim, state, _ = play("a8 b8 b9 c9 j1 a7 j2")
    same_position(state, sim.records[0], sim.legal[0])
    assert allowed(sim, "a9")  # white takes both stones


@pytest.mark.parametrize("seat", [0, 1])
def test_the_heuristic_beats_chance_in_both_seats(seat):
    sim = Simulator("Go", 64, seed=3)
    bots = [Bot(sim, "random", 4), Bot(sim, "random", 5)]
    bots[seat] = Bot(sim, "heuristic", 6)
    returns, _ = play_out(sim, Against(sim, *bots), 256)
    assert returns[:, seat].mean() > 0.75  # seven of eight games
