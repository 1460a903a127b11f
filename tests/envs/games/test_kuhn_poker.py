"""KuhnPoker against OpenSpiel's `kuhn_poker`, the whole game tree, and its heuristic against the known equilibrium."""

import numpy as np
import pytest

from ludus.envs import Bot, Simulator

pyspiel = pytest.importorskip("pyspiel")
PASS, BET = range(2)
LINES = ((PASS, PASS), (PASS, BET, PASS), (PASS, BET, BET), (BET, PASS), (BET, BET))
# How often the heuristic bets, by OpenSpiel's information states (card, then moves); others not at all
BETS = {"0": 1 / 4, "2": 3 / 4, "1pb": 7 / 12, "2pb": 1, "0p": 1 / 3, "2p": 1, "1b": 1 / 3, "2b": 1}


def dealt(cards):
    state = pyspiel.load_game("kuhn_poker").new_initial_state()
    for card in cards:
        state.apply_action(int(card))
    return state


def decisions(state):
    """The information states in which somebody decides, from here on."""
    if state.is_terminal():
        return set()
    here = set() if state.is_chance_node() else {state.information_state_string()}
    return here.union(*(decisions(state.child(action)) for action in state.legal_actions()))


@pytest.mark.parametrize("obs_type", [None, "rgb"])
def test_the_whole_tree_is_the_references_and_shows_no_hidden_card(obs_type):
    sim = Simulator("KuhnPoker", 60, obs_type=obs_type, autoreset="disabled")
    views, ends = {}, 0
    for line in LINES:
        sim.seed(1)
        sim.reset()
        assert len(np.unique(sim.records["cards"], axis=0)) == 6
        theirs = [dealt(cards) for cards in sim.records["cards"]]
        for action in line:
            for k, state in enumerate(theirs):
                assert state.current_player() == sim.player[k]
                assert state.legal_actions() == np.flatnonzero(sim.legal[k]).tolist()
                views.setdefault(state.information_state_string(), set()).add(sim.obs[k].tobytes())
                state.apply_action(action)
            sim.step(np.full(60, action))
            assert sim.terminated.tolist() == [state.is_terminal() for state in theirs]
            assert sim.reward.tolist() == [state.returns() for state in theirs]
            ends += sim.terminated.sum()
    assert ends == 60 * len(LINES)
    assert set(views) == decisions(pyspiel.load_game("kuhn_poker").new_initial_state())
    assert len(views) == 12 == len(set.union(*views.values())) and all(len(view) == 1 for view in views.values())


def test_all_deals_are_equally_likely():
    sim = Simulator("KuhnPoker", 60_000, seed=2)
    sim.reset()
    _, counts = np.unique(sim.records["cards"], axis=0, return_counts=True)
    assert len(counts) == 6 and np.abs(counts - 10_000).max() < 4 * np.sqrt(60_000 * 5 / 36)


def test_the_heuristics_frequencies_are_an_equilibrium():
    from open_spiel.python import policy
    from open_spiel.python.algorithms import exploitability

    game = pyspiel.load_game("kuhn_poker")
    table = policy.TabularPolicy(game)
    for name, row in table.state_lookup.items():
        bets = BETS.get(name, 0.0)
        table.action_probability_array[row] = [1 - bets, bets]
    assert exploitability.nash_conv(game, table) == pytest.approx(0.0, abs=1e-12)


def test_the_heuristic_plays_that_equilibrium_and_wins_its_value():
    sim = Simulator("KuhnPoker", 4096, seed=3)
    bot = Bot(sim, seed=4)
    sim.reset()
    counts, returns = {}, []
    for _ in range(400):
        actions = bot.act()
        history, cards = sim.records["history"], sim.records["cards"]
        own = np.take_along_axis(cards, sim.player[:, None].astype(int), axis=1)[:, 0]
        codes = (own * 3 + history[:, 0]) * 3 + history[:, 1]
        for code in np.unique(codes):
            bets = actions[codes == code]
            total = counts.setdefault(int(code), np.zeros(2, int))
            total += [np.sum(bets), len(bets)]
        sim.step(actions)
        returns.append(sim.episode_return[sim.terminated, 0].copy())
    assert len(counts) == 12
    for code, (bets, visits) in counts.items():
        card, moves = code // 9, "".join(" pb"[move] for move in (code // 3 % 3, code % 3) if move)
        expected = BETS.get(f"{card}{moves}", 0.0)
        # each of the twelve fails by chance once in 16,000
        assert abs(bets / visits - expected) <= 4 * np.sqrt(expected * (1 - expected) / visits)
    returns = np.concatenate(returns)
    assert abs(returns.mean() + 1 / 18) < 4 * returns.std() / np.sqrt(len(returns)) < 0.01
