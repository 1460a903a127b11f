"""LeducPoker against OpenSpiel's `leduc_poker`: the whole game tree, with every deal."""

from itertools import permutations

import numpy as np
import pytest

from ludus.envs import Bot, Simulator
from tests.envs.trajectories import Against, play_out

pyspiel = pytest.importorskip("pyspiel")
SUITS, GAMES = 2, 1200  # enough games for all 120 deals
RGB = {"obs_type": "rgb", "size": 32}
FOLD, CALL, RAISE = range(3)


def start(game, deal, ranks_only):
    """The reference after the hands are dealt, and its name for the third card."""
    cards = [int(card) // SUITS if ranks_only else int(card) for card in deal]
    state = game.new_initial_state()
    for card in cards[:2]:
        state.apply_action(card)
    return state, cards[2]


def act(state, action, public):
    state.apply_action(action)
    if state.is_chance_node():
        state.apply_action(public)


def lines_of_play(state, public):
    """Every sequence of actions to an end; they do not depend on the cards."""
    if state.is_terminal():
        return [()]
    found = []
    for action in state.legal_actions():
        after = state.clone()
        act(after, action, public)
        found += [(action, *rest) for rest in lines_of_play(after, public)]
    return found


# Observations are of ranks: one for each information state of the game in which suits are not told apart, 288 as in the
# literature. Pictures have suits, and must not show what the reference does not; 936 is the number with suits.
@pytest.mark.parametrize(("view", "ranks_only", "states"), [({}, True, 288), (RGB, False, 936)])
def test_the_whole_tree_is_the_references_and_shows_no_hidden_card(view, ranks_only, states):
    game = pyspiel.load_game("leduc_poker", {"suit_isomorphism": ranks_only})
    sim = Simulator("LeducPoker", GAMES, autoreset="disabled", **view)
    views = {}
    lines = lines_of_play(*start(game, (0, 2, 4), ranks_only))
    assert len(lines) == 4 + 5 * 9  # round one: four ways to fold, five to go on; round two: nine ways to end
    for line in lines:
        sim.seed(1)
        sim.reset()
        deals, chosen = np.unique(
            np.column_stack([sim.records["hands"], sim.records["public"]]), axis=0, return_index=True
        )
        assert deals.tolist() == [list(deal) for deal in permutations(range(6), 3)]
        theirs = [start(game, deal, ranks_only) for deal in deals]
        for action in line:
            for k, (state, public) in zip(chosen, theirs, strict=True):
                assert state.current_player() == sim.player[k]
                assert state.legal_actions() == np.flatnonzero(sim.legal[k]).tolist()
                views.setdefault(state.information_state_string(), set()).add(sim.obs[k].tobytes())
                act(state, action, public)
            sim.step(np.full(GAMES, action))
            assert sim.terminated[chosen].tolist() == [state.is_terminal() for state, _ in theirs]
            assert sim.reward[chosen].tolist() == [state.returns() for state, _ in theirs]
        assert sim.terminated.all()
    assert len(views) == states and all(len(seen) == 1 for seen in views.values())
    assert view or len(set.union(*views.values())) == states


def test_all_deals_are_equally_likely():
    sim = Simulator("LeducPoker", 120_000, seed=2)
    sim.reset()
    deals = np.column_stack([sim.records["hands"], sim.records["public"]])
    _, counts = np.unique(deals, axis=0, return_counts=True)
    assert len(counts) == 120 and np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


@pytest.mark.parametrize("seat", [0, 1])
def test_the_heuristic_beats_chance_in_both_seats(seat):
    sim = Simulator("LeducPoker", 256, seed=3)
    bots = [Bot(sim, "random", 4), Bot(sim, "random", 5)]
    bots[seat] = Bot(sim, "heuristic", 6)
    returns, _ = play_out(sim, Against(sim, *bots), 20_000)
    mean, error = returns[:, seat].mean(), returns[:, seat].std() / np.sqrt(len(returns))
    assert mean - 4 * error > 0.4
