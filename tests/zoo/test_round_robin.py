"""Round robins between players whose results follow from the rules of tic-tac-toe and Tron."""

import numpy as np
import pytest

from ludus.envs import Bot, OptionError, Simulator
from ludus.zoo.round_robin import OpenedMatch, round_robin


class Line:
    """Marks the first free cells of an order."""

    def __init__(self, sim, order):
        self.sim, self.order = sim, np.array(order)

    def restart(self):
        pass

    def went_on(self):
        pass

    def decide(self, deterministic):
        return self.order[self.sim.legal[:, self.order].argmax(1)]


ROW, COLUMN = (0, 1, 2, 3, 4, 5, 6, 7, 8), (3, 4, 5, 6, 7, 8, 0, 1, 2)  # each completes a row if it begins


def test_each_begins_half_of_the_games_and_equal_games_count_once():
    sim = Simulator("TicTacToe", 5)
    found = round_robin(sim, [Line(sim, ROW), Line(sim, COLUMN)])
    assert found.wins.tolist() == [[0, 1], [1, 0]] and not found.draws.any()
    assert set(found.repeated) == {(0, 1), (1, 0)} and found.unfinished == 0


def test_a_random_opening_makes_games_differ_and_is_the_same_for_both():
    sim = Simulator("TicTacToe", 20)
    players = [Line(sim, ROW), Line(sim, COLUMN)]
    found = round_robin(sim, players, opening=2)
    assert found.repeated == () and (found.wins + found.wins.T + found.draws)[0, 1] == 40
    boards = []
    for pair in (players, players[::-1]):
        sim.seed(3)
        sim.reset()
        match = OpenedMatch(sim, pair, 2, 3)
        for _ in range(2):
            match.step(match.decide())
        boards.append(sim.records.copy())
    assert (boards[0] == boards[1]).all() and len({board.tobytes() for board in boards[0]}) > 10


def test_games_that_end_in_the_opening_are_left_out():
    sim = Simulator("TicTacToe", 64)
    found = round_robin(sim, [Bot(sim, "heuristic"), Bot(sim, "random", 3)], opening=7)
    games = found.wins.sum() + found.draws[0, 1]
    assert 0 < found.in_opening < 128 and games == 128 - found.in_opening
    with pytest.raises(OptionError, match="all games ended within an opening of 9 steps"):
        round_robin(sim, [Bot(sim, "heuristic"), Bot(sim, "random", 3)], opening=9)


@pytest.mark.parametrize("players", [2, 3, 4])
def test_bots_meet_in_every_game_of_several(players):
    sim = Simulator("Tron", 20, players=players)
    found = round_robin(sim, [Bot(sim, "random"), Bot(sim, "heuristic")], seed=1)
    assert found.wins.sum() + found.draws.sum() // 2 == 40
    assert found.wins[1, 0] > 30 and (found.draws == found.draws.T).all()


def test_a_player_against_itself_is_even():
    sim = Simulator("TicTacToe", 200)
    found = round_robin(sim, [Bot(sim, "random", 1), Bot(sim, "random", 2)])
    won, lost = found.wins[0, 1], found.wins[1, 0]
    assert abs(won - lost) < 4 * np.sqrt(won + lost)


@pytest.mark.parametrize(("game", "message"), [("Catch", "for one player"), ("Pursuit", "rewards all players alike")])
def test_where_nobody_wins_there_is_nothing_to_rate(game, message):
    sim = Simulator(game, 4)
    with pytest.raises(OptionError, match=message):
        round_robin(sim, [Bot(sim, "random"), Bot(sim, "heuristic")])
