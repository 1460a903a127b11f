"""Tree search: equal to a plain reference to the last bit, blind to the games' random numbers, right where games end."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.envs import Game, OptionError, Simulator, TreeSearch, find_game, state
from ludus.envs.engine import tree_search
from ludus.envs.rng import below
from tests.envs.engine.reference_search import Reference, positions

GAMES = ("TicTacToe", "ConnectFour", "Othello", "Backgammon", "Game2048", "FrozenLake", "Catch", "Breakout")


def odd_guide(obs, legal):
    """Priors and values that depend on every bit of an observation, by whole numbers, so that no sum is rounded."""
    bits = obs.reshape(len(obs), -1).view(np.uint8).astype(np.int64)  # (n, bytes)
    places = np.arange(1, bits.shape[1] + 1)
    weights = legal * (1 + (bits @ places)[:, None] * np.arange(3, legal.shape[1] + 3) % 17)  # (n, A)
    priors = weights / weights.sum(1, keepdims=True)
    return priors.astype(np.float32), ((bits @ (places % 7) % 21 - 10) / 10).astype(np.float32)


@pytest.mark.parametrize("guide", [None, odd_guide], ids=["uniform", "guided"])
@pytest.mark.parametrize("name", GAMES)
def test_it_equals_the_reference_to_the_last_bit(name, guide):
    game, simulations = find_game(name), 60
    sim = positions(name, 4, 5, seed=1)
    found = TreeSearch(sim, simulations, guide, gamma=0.97, seed=5)()
    for k, record in enumerate(sim.records):
        expected = Reference(game, record, simulations, guide, 0.97, seed=5, index=k)
        assert found.visits[k].tolist() == expected.visits
        assert found.values[k] == expected.value


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 20), st.integers(1, 80))
def test_any_position_and_any_number_of_simulations(seed, plies, simulations):
    sim = positions("ConnectFour", 2, plies, seed)
    found = TreeSearch(sim, simulations, odd_guide)()
    for k in range(2):
        assert found.visits[k].tolist() == Reference(sim.game, sim.records[k], simulations, odd_guide).visits


@pytest.mark.parametrize("guide", [None, odd_guide], ids=["uniform", "guided"])
@pytest.mark.parametrize("name", ["ConnectFour", "Game2048"])
def test_threads_and_how_many_boards_fit_change_nothing(name, guide, monkeypatch):
    sim = positions(name, 50, 5, seed=2)
    expected = TreeSearch(sim, 40, guide)()
    for num_threads in (2, 3):
        search = TreeSearch(sim, 40, guide, num_threads=num_threads)
        assert equal(search(), expected)
        search.close()
    monkeypatch.setattr(tree_search, "MOST_BYTES", 150_000)
    search = TreeSearch(sim, 40, guide)
    assert search.boards < 25
    assert equal(search(), expected)


def equal(one, other):
    return np.array_equal(one.visits, other.visits) and np.array_equal(one.values, other.values)


def test_boards_together_are_what_they_are_one_by_one():
    sim, alone = positions("Othello", 20, 12, seed=3), Simulator("Othello", 1)
    alone.reset()
    together = TreeSearch(sim, 50, odd_guide)()
    for k in range(20):
        alone.records[0] = sim.records[k]
        found = TreeSearch(alone, 50, odd_guide)()
        assert np.array_equal(found.visits[0], together.visits[k]) and found.values[0] == together.values[k]


def test_games_in_which_nothing_is_wanted_are_left_out():
    sim = positions("ConnectFour", 10, 3, seed=4)
    wanted, everywhere = np.arange(10) % 3 == 0, TreeSearch(sim, 30)()
    found = TreeSearch(sim, 30)(wanted)
    assert np.array_equal(found.visits[wanted], everywhere.visits[wanted]) and not found.visits[~wanted].any()


@pytest.mark.parametrize("name", ["ConnectFour", "Othello", "Go", "Hex", "Gomoku", "Backgammon", "Game2048"])
def test_only_legal_moves_are_tried_and_the_games_stay_as_they_are(name):
    sim = positions(name, 8, 30, seed=5)
    before = {key: np.array(value) for key, value in sim.snapshot()[0].items()}
    visits = TreeSearch(sim, 25)().visits
    assert not visits[~sim.legal].any() and (visits.sum(1) == 25).all()
    for key, value in sim.snapshot()[0].items():
        assert np.array_equal(before[key], value), key


# chance

SAFE, DARE = 0.8, 1.0
Coin = state(told="?")


def reset_coin(s, random):
    s.told = False


def step_coin(s, action, random):
    if action == 0:
        return SAFE, True
    return DARE * below(random, 2), True


def observe_coin(s, features):
    features[0] = s.told


def draw_coin(s, canvas):
    pass


COIN = Game(
    "Coin", 1, Coin, reset_coin, step_coin, observe_coin, draw_coin, features=("told",), actions=("safe", "dare")
)


def test_nobody_looks_at_the_dice():
    """To dare pays 1 or 0: half of all players would be right to, if they knew, and nobody is who does not."""
    sim = Simulator(COIN, 200, seed=0, autoreset="disabled")
    sim.reset()
    found = TreeSearch(sim, 200)()
    assert (found.visits[:, 0] > found.visits[:, 1]).all()
    sim.step(np.ones(200, np.int64))
    assert 60 < (sim.reward == DARE).sum() < 140  # who looked ahead would have dared in as many games


@pytest.mark.parametrize("name", ["Game2048", "Backgammon", "FrozenLake", "Breakout"])
def test_the_random_numbers_of_the_games_do_not_matter(name):
    sim = positions(name, 10, 5, seed=6)
    found = TreeSearch(sim, 50)()
    sim.seed(123)  # other dice from here on
    assert equal(TreeSearch(sim, 50)(), found)


def test_an_action_is_worth_what_it_brings_on_average():
    sim = Simulator(COIN, 50, seed=0)
    sim.reset()
    values = TreeSearch(sim, 2000)()
    dared = (values.values * 2000 - SAFE * values.visits[:, 0]) / values.visits[:, 1]
    assert abs(dared.mean() - 0.5) < 4 * 0.5 / np.sqrt(values.visits[:, 1].sum())  # four standard errors of fair coins


def test_sticky_actions_are_chance_too():
    """Of three ways to move, the one that is repeated with probability 1 is the last, whatever is chosen."""
    sim = Simulator("Catch", 1, seed=0, repeat_action_probability=1.0)
    sim.reset()
    found = TreeSearch(sim, 30)()
    assert found.visits.tolist() == [[10, 10, 10]]


# ends


def tic_tac_toe(cross, nought, player):
    """One board with these cells marked."""
    sim = Simulator("TicTacToe", 1, seed=0, autoreset="disabled")
    sim.reset()
    sim.records["marks"][0] = sum(1 << cell for cell in cross), sum(1 << cell for cell in nought)
    sim.records["player"][0] = player
    return sim


def test_it_wins_where_it_can_and_stops_the_other_where_it_must():
    win, stop = tic_tac_toe((0, 1), (3, 4), 0), tic_tac_toe((0, 1), (4,), 1)
    assert TreeSearch(win, 100)().visits[0].argmax() == 2
    assert TreeSearch(stop, 200)().visits[0].argmax() == 2


def test_the_only_move_left_is_worth_what_the_rules_say():
    """The last cell completes a row, or leaves a draw."""
    won = TreeSearch(tic_tac_toe((0, 1, 5, 6), (3, 4, 7, 8), 0), 10)()
    assert won.visits[0].tolist() == [0, 0, 10, 0, 0, 0, 0, 0, 0] and won.values[0] == 1.0
    drawn = TreeSearch(tic_tac_toe((0, 2, 4, 5), (1, 3, 6, 8), 0), 10)()
    assert drawn.visits[0].tolist() == [0, 0, 0, 0, 0, 0, 0, 10, 0] and drawn.values[0] == 0.0


def test_where_an_episode_is_over_nothing_is_tried():
    sim = tic_tac_toe((0, 1), (3, 4), 0)
    sim.step(np.array([2]))
    found = TreeSearch(sim, 10)()
    assert not found.visits.any() and found.values[0] == 0.0


def test_what_a_limit_of_steps_cuts_off_is_worth_what_the_network_says():
    """Its value follows a step that pays nothing; in turns, what is cut off is a draw."""

    def five(obs, legal):
        return np.full(legal.shape, 1 / legal.shape[1], np.float32), np.full(len(obs), 5.0, np.float32)

    sim = Simulator("Catch", 3, seed=0, max_episode_steps=1)
    sim.reset()
    assert np.allclose(TreeSearch(sim, 12, five, gamma=0.5)().values, 2.5)
    sim = Simulator("ConnectFour", 3, seed=0, max_episode_steps=1)
    sim.reset()
    assert (TreeSearch(sim, 14, five)().values == 0).all()


@pytest.mark.parametrize("seat", [0, 1])
def test_tic_tac_toe_is_not_lost_against_anybody(seat):
    """Every reply of the other is tried against the searcher's move, to the end of all games."""
    boards, lost = {(0, 0, 0)}, 0
    while boards:
        searched = [board for board in boards if board[2] == seat]
        others = [(board, cell) for board in boards - set(searched) for cell in range(9)]
        moves = others + list(zip(searched, best_moves(tuple(searched)), strict=True)) if searched else others
        results = [after(board, cell) for board, cell in moves if not (board[0] | board[1]) >> cell & 1]
        lost += sum(gain == 1 and board[2] == seat for board, gain, over in results)  # the other has moved, and won
        boards = {board for board, _, over in results if not over}
    assert lost == 0


@cache
def best_moves(boards):
    sim = Simulator("TicTacToe", len(boards), seed=0)
    sim.reset()
    sim.records["marks"], sim.records["player"] = [board[:2] for board in boards], [board[2] for board in boards]
    return TreeSearch(sim, 2500)().visits.argmax(1).tolist()


LINES = [{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {0, 3, 6}, {1, 4, 7}, {2, 5, 8}, {0, 4, 8}, {2, 4, 6}]


def after(board, cell):
    """The board after a move, whether the mover has won, and whether it is over; rules of the test's own."""
    marks = list(board[:2])
    marks[board[2]] |= 1 << cell
    cells = {k for k in range(9) if marks[board[2]] >> k & 1}
    won = any(line <= cells for line in LINES)
    return (*marks, 1 - board[2]), int(won), won or marks[0] | marks[1] == 511


# what is refused


@pytest.mark.parametrize(
    ("game", "options", "message"),
    [
        ("Tron", {}, "Tron cannot be searched: its players act together"),
        ("KuhnPoker", {}, "KuhnPoker cannot be searched: its record holds what players are not to know"),
        ("Minesweeper", {}, "what players are not to know"),
        ("Breakout", {"frame_stack": 4}, "frame_stack must be 1 for a search"),
    ],
)
def test_what_cannot_be_searched_is_refused(game, options, message):
    with pytest.raises(OptionError, match=message):
        TreeSearch(Simulator(game, 2, **options))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"simulations": 0}, "simulations must be"),
        ({"gamma": 1.5}, "gamma must be"),
        ({"num_threads": 0}, "num_threads"),
    ],
)
def test_arguments_are_checked(given, message):
    with pytest.raises(OptionError, match=message):
        TreeSearch(Simulator("TicTacToe"), **given)


@pytest.mark.parametrize(("prior", "value"), [(np.nan, 0.0), (-1.0, 0.0), (0.1, np.nan), (0.1, np.inf)])
def test_a_network_that_has_gone_astray_is_refused(prior, value):
    def astray(obs, legal):
        return np.full(legal.shape, prior, np.float32), np.full(len(obs), value, np.float32)

    sim = Simulator("ConnectFour", 2, seed=0)
    sim.reset()
    with pytest.raises(OptionError, match="priors from 0 and finite values"):
        TreeSearch(sim, 10, astray)()


def test_only_a_simulator_is_searched():
    with pytest.raises(OptionError, match="a search plays in a Simulator"):
        TreeSearch("TicTacToe")


def test_a_state_from_elsewhere_is_not_searched():
    sim = Simulator("ConnectFour", 2, seed=0)
    sim.reset()
    sim.load_state_dict({**sim.state_dict(), "seal": b"another's"})
    with pytest.raises(OptionError, match="made elsewhere"):
        TreeSearch(sim, 10)()
