"""Bots that search: equal to plain minimax, which looks at everything; of equal moves any one, by the seed."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Bot, GameError, Match, OptionError, Simulator, check_game, evaluate_player, find_game
from ludus.envs.bots import bots_of
from tests.envs.engine.reference_search import Position, minimax, positions, value_after


def check_against_minimax(name, depth, plies, seed):
    """The moves of a bot in random positions are among the best there are."""
    sim = positions(name, 3, plies, seed)
    moves = Bot(sim, f"search-{depth}", seed).act()
    for record, move in zip(sim.records, moves.tolist(), strict=True):
        here = Position(sim.game, record)
        worth = {action: value_after(here, action, depth, here.player, 0.0, 1.0) for action in here.legal()}
        assert worth[move] == max(worth.values()) == minimax(here, depth)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 8), st.integers(0, 2**31), st.integers(1, 4))
def test_it_is_minimax_in_tic_tac_toe(plies, seed, depth):
    check_against_minimax("TicTacToe", depth, plies, seed)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 41), st.integers(0, 2**31), st.integers(1, 3))
def test_it_is_minimax_in_connect_four(plies, seed, depth):
    check_against_minimax("ConnectFour", depth, plies, seed)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 55), st.integers(0, 2**31), st.integers(1, 2))
def test_it_is_minimax_in_othello(plies, seed, depth):
    check_against_minimax("Othello", depth, plies, seed)


def count(position, depth):
    """Steps that minimax takes."""
    below = [position.after(action, None) for action in position.legal()]
    return sum(1 + (0 if over or depth == 1 else count(there, depth - 1)) for there, _, over in below)


def test_it_leaves_out_what_cannot_matter():
    sim = positions("ConnectFour", 4, 8, seed=0)
    bot = Bot(sim, "search-4")
    bot.act()
    for record, nodes in zip(sim.records, bot.nodes.tolist(), strict=True):
        assert 4 <= nodes < 0.5 * count(Position(sim.game, record), 4)


def test_of_equal_moves_it_takes_any_one_by_the_seed():
    """Nobody can win in two moves of an empty board, so that all nine are equal."""
    sim = Simulator("TicTacToe", 300, seed=0)
    sim.reset()
    moves = Bot(sim, "search-2", seed=1).act().copy()
    assert set(moves.tolist()) == set(range(9))
    assert np.array_equal(Bot(sim, "search-2", seed=1).act(), moves)
    assert not np.array_equal(Bot(sim, "search-2", seed=2).act(), moves)


def test_a_win_at_once_comes_before_a_win_later():
    """Cross has two in a row, and a fork that would win, too."""
    sim = Simulator("TicTacToe", 20, seed=0)
    sim.reset()
    sim.records["marks"][:] = 1 << 0 | 1 << 4, 1 << 1 | 1 << 5
    assert (Bot(sim, "search-5").act() == 8).all()


@pytest.mark.parametrize("seat", [0, 1])
def test_who_sees_to_the_end_does_not_lose(seat):
    sim = Simulator("TicTacToe", 200, seed=0)
    players = [Bot(sim, "search-9"), Bot(sim, "random", 1)]
    found = evaluate_player(Match(sim, players[:: 1 - 2 * seat]), sim)
    assert (found.returns[:, seat] >= 0).all() and found.returns[:, seat].mean() > 0.5


@pytest.mark.parametrize("name", ["ConnectFour", "Othello"])
def test_it_is_better_than_the_simple_player(name):
    sim = Simulator(name, 100, seed=0)
    found = evaluate_player(Match(sim, [Bot(sim, "search-3"), Bot(sim, "heuristic", 1)]), sim)
    assert found.mean > 0.5  # of 100 games


def test_it_searches_only_where_it_has_the_turn():
    sim = Simulator("ConnectFour", 10, seed=0)
    sim.reset()
    one, two = Bot(sim, "search-2"), Bot(sim, "search-2")
    Match(sim, [one, two]).decide()
    assert (one.nodes > 0).all() and (two.nodes == 0).all()


def test_where_it_does_not_search_its_action_is_legal():
    sim = positions("ConnectFour", 60, 30, seed=4)
    actions = Bot(sim, "search-3").decide(wanted=np.zeros(60, np.bool_))
    assert sim.legal[np.arange(60), actions].all()


def test_a_copy_decides_as_the_original_would():
    bot = Bot(positions("ConnectFour", 5, 4, seed=4), "search-2")
    bot.act()
    other = copy.deepcopy(bot)
    assert np.array_equal(other.act(), bot.act()) and np.array_equal(other.nodes, bot.nodes)


def test_an_episode_that_has_ended_is_not_searched_on():
    """Searching boards whose episodes are counted already would only take time."""
    sim, asked = Simulator("TicTacToe", 40, seed=0), []
    bot = Bot(sim, "search-2")
    bot.act, act = lambda wanted=None: asked.append(wanted.sum()) or act(wanted), bot.act
    found = evaluate_player(bot, sim)
    assert asked == [(found.lengths > step).sum() for step in range(found.lengths.max())]


def test_it_does_not_move_where_an_episode_is_over():
    sim = Simulator("TicTacToe", 1, seed=0, autoreset="disabled")
    sim.reset()
    for cell in (0, 3, 1, 4, 2):
        sim.step(np.array([cell]))
    bot = Bot(sim, "search-3")
    bot.act()
    assert bot.nodes.tolist() == [0]


def test_the_rules_as_plain_python_decide_the_same():
    fast, plain = positions("ConnectFour", 2, 9, seed=3), Simulator("ConnectFour", 2, mode="python")
    plain.reset()
    plain.records[:] = fast.records
    assert np.array_equal(Bot(fast, "search-2").act(), Bot(plain, "search-2", plain=True).act())


def test_a_state_from_elsewhere_is_searched_with_indices_checked():
    sim = positions("ConnectFour", 4, 9, seed=3)
    moves = Bot(sim, "search-3").act().copy()
    sim.load_state_dict({**sim.state_dict(), "seal": b"another's"})
    assert np.array_equal(Bot(sim, "search-3").act(), moves)


@pytest.mark.parametrize(
    ("game", "kind", "message"),
    [
        ("Backgammon", "search-2", "search-2 does not know of chance, which Backgammon has"),
        ("KuhnPoker", "search-2", "its record holds what players are not to know"),
        ("Tron", "search-2", "its players act together"),
        ("Breakout", "search-2", "search-2 is for two who take turns, and Breakout is for one player"),
        ("ConnectFour", "search-0", "kind must be one of 'random', 'heuristic', 'search-4'"),
        ("ConnectFour", "search-11", "kind must be"),
        ("ConnectFour", "serch-4", "kind must be one of"),
    ],
)
def test_what_cannot_be_searched_is_refused(game, kind, message):
    with pytest.raises(OptionError, match=message):
        Bot(Simulator(game), kind)


def test_which_bots_a_game_has():
    assert bots_of(find_game("ConnectFour")) == ["heuristic", "random", "search-4"]
    assert bots_of(find_game("Backgammon")) == ["heuristic", "random"]
    assert "search-4" not in bots_of(find_game("Breakout"))


# the rule `value`


def not_a_number(s, player):
    return math.inf - math.inf


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": not_a_number}, "value must return a finite number, got nan"),
        ({"value": lambda s: 0.0}, r"value takes \(s\): write def value\(s, player\)"),
    ],
)
def test_check_game_looks_at_what_positions_are_worth(changes, message):
    with pytest.raises(GameError, match=message):
        check_game(replace(find_game("TicTacToe"), **changes), steps=20)


def test_a_game_for_one_has_no_value_of_positions():
    with pytest.raises(GameError, match="value is for two players who take turns"):
        replace(find_game("Catch"), value=not_a_number)


def prefers_the_middle(s, player):
    return 0.1 * ((s.marks[player] >> 4 & 1) - (s.marks[1 - player] >> 4 & 1))


def test_where_nothing_is_gained_positions_are_judged_by_the_rule():
    sim = Simulator(replace(find_game("TicTacToe"), value=prefers_the_middle), 20, seed=0)
    sim.reset()
    assert (Bot(sim, "search-1").act() == 4).all()
