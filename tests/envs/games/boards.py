"""Board games beside their counterparts in OpenSpiel, trees of positions counted by the Simulator, and simple players."""

import numpy as np

from ludus.envs import Bot, Simulator


def play_beside(name, rival, games, seed, signs, num_envs=256):
    """Play random games to their end in both, comparing all that can be seen; returns the first player's returns.

    Actions must be numbered alike; `mine` and `theirs` must be the first planes; `signs` are OpenSpiel's for a free cell,
    the first player's and the second's. Boards, which take long to read, are compared in the first 16 games of `num_envs`.
    """
    sim, rng = Simulator(name, num_envs, seed=seed), np.random.default_rng(seed)
    assert len(sim.actions) == rival.num_distinct_actions()
    sim.reset()
    states, returns = [rival.new_initial_state() for _ in range(num_envs)], []
    while len(returns) < games:
        actions = np.zeros(num_envs, np.int64)
        for k, state in enumerate(states):
            moves = state.legal_actions()
            assert sim.player[k] == state.current_player()
            assert np.flatnonzero(sim.legal[k]).tolist() == moves
            if k < 16:
                mover, board = state.current_player(), read_board(state, sim.obs_shape[:2], signs)
                assert np.array_equal(sim.obs[k, :, :, 0], board == mover + 1)
                assert np.array_equal(sim.obs[k, :, :, 1], board == 2 - mover)
            actions[k] = rng.choice(moves)
        sim.step(actions)
        for k, state in enumerate(states):
            state.apply_action(actions[k])
            assert sim.terminated[k] == state.is_terminal()
            assert sim.reward[k].tolist() == (state.returns() if state.is_terminal() else [0.0, 0.0])
            if state.is_terminal():
                returns.append(state.returns()[0])
                assert sim.episode_length[k] == state.move_number()
                states[k] = rival.new_initial_state()
    return np.array(returns)


def read_board(state, shape, signs):
    """OpenSpiel's text of a position as numbers: 0 free, 1 the first player's, 2 the second's.

    Titles, with words in them, and the names of rows and columns are left out.
    """
    lines = [line.strip("12345678 ").replace(" ", "") for line in str(state).splitlines()]
    rows = [[signs.index(sign) for sign in line] for line in lines if len(line) == shape[1] and set(line) <= set(signs)]
    return np.array(rows).reshape(shape)


def positions_after(name, plies, key):
    """How many distinct positions there are after 0, 1, .. `plies` moves; `key(records)` tells them apart."""
    return [len(records) for records, _, _ in _levels(name, plies, key)]


def leaves_after(name, plies):
    """Perft: how many sequences of 1, 2, .. `plies` moves there are, passes counted as moves."""
    return [int(legal[~over].sum()) for _, legal, over in _levels(name, plies - 1)]


def _levels(name, plies, key=None):
    """All positions after 0, 1, .. `plies` moves: records, allowed actions, and which of them are over."""
    sim = Simulator(name, seed=0)
    sim.reset()
    records, legal, over = sim.records.copy(), sim.legal.copy(), np.zeros(1, bool)
    yield records, legal, over
    for _ in range(plies):
        records, legal, over = _children(name, records[~over], legal[~over])
        if key is not None:
            _, first = np.unique(key(records), axis=0, return_index=True)
            records, legal, over = records[first], legal[first], over[first]
        yield records, legal, over


def _children(name, records, legal):
    """The positions after each allowed action in each of these positions, all of them games of one simulator."""
    parents, actions = np.nonzero(legal)
    sim = Simulator(name, len(parents), seed=0, autoreset="disabled")
    sim.reset()
    sim.records[:], sim.legal[:] = records[parents], legal[parents]
    sim.step(actions)
    return sim.records.copy(), sim.legal.copy(), sim.terminated.copy()


def heuristic_against_random(name, games):
    """The heuristic's mean return, half of the time as the first player."""
    sim = Simulator(name, 64, seed=0)
    heuristic, random = Bot(sim, "heuristic"), Bot(sim, "random")
    place = np.arange(64) % 2  # the heuristic's, in each game

    returns = []
    sim.reset()
    while len(returns) < games:
        sim.step(np.where(sim.player == place, heuristic.act(), random.act()))
        returns += sim.episode_return[sim.terminated, place[sim.terminated]].tolist()
    return np.mean(returns)
