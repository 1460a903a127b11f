"""Playing, watching, recording and evaluating with several players, and with bots.

What is expected follows from the rules of tic-tac-toe and Tron, and from what each verb says that it does.
"""

from pathlib import Path

import numpy as np
import pytest

from ludus.__main__ import main
from ludus.cli import play, watch
from ludus.cli.players import seats
from ludus.cli.session import THINKING
from ludus.envs import Bot, Match, OptionError, Simulator
from ludus.envs.engine.kernel import SPECTATOR


class Scripted:
    """An opponent that marks the first free cell."""

    def __init__(self, sim):
        self.sim = sim

    def restart(self):
        pass

    def went_on(self):
        pass

    def decide(self, deterministic):
        return np.array([int(np.flatnonzero(self.sim.legal[0])[0])])


def sitting_down(others=(), game="TicTacToe", **options):
    sim = Simulator(game, seed=0, autoreset="disabled", **options)
    session = play.Session(sim, 1.0, {seat: Scripted(sim) for seat in others})
    session.press("space")
    return session


def board(session):
    """Who marked each cell: 0 nobody, 1 the first player, 2 the second."""
    first, second = session.sim.records["marks"][0].tolist()
    return [(first >> cell & 1) + 2 * (second >> cell & 1) for cell in range(9)]


def test_a_click_is_a_move_and_the_opponent_thinks_before_it_replies():
    session = sitting_down(others=[1])
    assert session.scene().status == "your move"
    session.click(1.5, 1.5)
    assert board(session) == [0, 0, 0, 0, 1, 0, 0, 0, 0] and session.scene().status == "nought is thinking"
    session.click(2.5, 2.5)  # not now
    session.advance(0.9 * THINKING, [])
    assert session.steps == 1
    session.advance(0.2 * THINKING, [])
    assert board(session) == [2, 0, 0, 0, 1, 0, 0, 0, 0] and session.scene().status == "your move"


def test_a_move_that_is_not_allowed_changes_nothing_and_says_so():
    session = sitting_down()
    session.click(0.5, 0.5)
    session.click(0.5, 0.5)
    assert session.steps == 1 and session.scene().status == "not allowed now"
    session.click(0.5, 1.5)
    assert session.steps == 2 and session.scene().status == "cross to move"


def test_two_people_share_a_board_and_the_end_says_who_won():
    session = sitting_down()
    for x, y in ((0.5, 0.5), (0.5, 1.5), (1.5, 0.5), (1.5, 1.5), (2.5, 0.5)):
        session.click(x, y)
    assert session.stage == "over" and session.scores == [1.0, -1.0]
    result = session.scene().result
    assert (result.title, result.text) == ("Cross wins", "cross: 1, nought: -1.")


@pytest.mark.parametrize(("seat", "title"), [(0, "You win"), (1, "You lose")])
def test_the_only_person_wins_or_loses(seat, title):
    """The first player marks the upper row from the left, the other the middle row, whoever they are."""
    session = sitting_down(others=[1 - seat])
    session.others[1 - seat].decide = lambda _: np.array([next(row)])
    row = iter((0, 1, 2) if seat == 1 else (3, 4, 5))
    mine = iter((0, 1, 2) if seat == 0 else (3, 4, 5))
    while session.stage == "playing":
        if session.mover() == seat:
            cell = next(mine)
            session.click(cell % 3 + 0.5, cell // 3 + 0.5)
        else:
            session.advance(1.1 * THINKING, [])
    assert session.scene().result.title == title


def test_the_window_says_who_is_who():
    assert sitting_down(others=[1]).scene().subtitle == "you: cross"
    assert sitting_down(others=[0], game="ConnectFour").scene().subtitle == "you: red"
    assert sitting_down(game="Go").scene().subtitle == "you: black and white"
    assert sitting_down(others=[0]).scene().status == "cross is thinking"


def places(session):
    return {(round(mark.x, 1), round(mark.y, 1)) for mark in session.scene().marks}


def test_places_where_one_may_move_are_marked():
    session = sitting_down(others=[1])
    assert places(session) == {(x + 0.5, y + 0.5) for x in range(3) for y in range(3)}
    session.click(1.5, 1.5)
    assert places(session) == set()  # not my move
    session.advance(1.1 * THINKING, [])
    assert len(places(session)) == 7 and not {(1.5, 1.5), (0.5, 0.5)} & places(session)
    session.point((2.4, 2.4))
    assert [(mark.x, mark.y) for mark in session.scene().marks if mark.chosen] == [pytest.approx((2.5, 2.5), abs=0.02)]


def test_of_very_many_places_only_the_one_under_the_pointer_is_marked():
    session = sitting_down(game="Gomoku")
    assert places(session) == set()
    x, y = session.places.of(session.sim.records[0])[40]
    session.point((x, y))
    assert places(session) == {(round(x, 1), round(y, 1))}
    session.click(x, y)
    assert places(session) == set()  # taken


def test_a_place_is_one_that_a_click_understands_in_every_game():
    """Each place that is marked stands for its own action, and no action that a click can mean is left out."""
    for name in ("ConnectFour", "Go", "Hex", "Othello", "Minesweeper", "Backgammon"):
        session = sitting_down(game=name)
        record = session.sim.records[0]
        found = session.places.of(record)
        assert found and all(session.places.action_at(record, *place) == action for action, place in found.items())
        everywhere = {
            session.places.action_at(record, x, y) for x, y in np.random.default_rng(0).random((4000, 2)) * 8.99
        }
        assert everywhere - {-1} <= found.keys()


def test_no_time_passes_while_a_person_thinks():
    session = sitting_down(others=[1])
    session.advance(100.0, [])
    assert session.steps == 0


def test_people_at_one_keyboard_have_keys_of_their_own():
    sim = Simulator("Tron", seed=0, autoreset="disabled", players=2)
    session = play.Session(sim, 1.0, play.opponents(sim, "human", 1))
    assert session.people == [0, 1] and session.others == {}
    session.press("space")
    up, left = sim.actions.index("up"), sim.actions.index("left")
    first = next(key for key, name in sim.game.keys.items() if name == "up")
    second = next(key for key, name in sim.game.second_keys.items() if name == "left")
    assert session.choose([first, second]).tolist() == [[up, left]]
    assert session.scene().controls["left"] == "left (blue)" and session.scene().controls["a"] == "left (orange)"


def test_others_play_beside_a_person():
    sim = Simulator("Tron", seed=0, autoreset="disabled", players=3)
    session = play.Session(sim, 1.0, play.opponents(sim, None, 2))
    assert session.people == [1] and {other.kind for other in session.others.values()} == {"heuristic"}
    session.press("space")
    session.advance(0.5, [])
    assert session.steps == 0  # nothing stands for doing nothing: it begins with the first key
    session.advance(0.25, ["up"])
    session.advance(0.25, [])  # and goes on as it was
    assert session.steps == 4 and session.last == {1: sim.actions.index("up")}  # of 8 a second


def test_cards_are_shown_to_who_may_see_them():
    assert sitting_down(others=[1]).viewer == 0
    assert sitting_down(others=[0]).viewer == 1
    assert sitting_down().viewer == 0  # whose turn it is
    assert sitting_down(game="Tron", others=[]).viewer == SPECTATOR


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["play", "Catch", "--against", "random"], "Catch is for one player: leave --against out"),
        (["play", "TicTacToe", "--seat", "3"], "seat must be from 1 to 2 in TicTacToe, got 3"),
        (["evaluate", "Catch:random", "--against", "random"], "Catch is for one player: leave --against out"),
        (["evaluate", "Catsh:random"], "unknown game 'Catsh': did you mean Catch?"),
        (["evaluate", "TicTacToe:random", "--against", "nobody"], "nobody"),
    ],
)
def test_what_cannot_be_is_one_line(arguments, message, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_bots_are_evaluated_seat_by_seat(capsys):
    assert main(["evaluate", "TicTacToe:heuristic", "--against", "random", "--episodes", "200"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip().startswith(("1 ", "2 "))]
    assert [row[0] for row in rows] == ["1", "2"] and [row[1] for row in rows] == ["200", "200"]
    assert float(rows[0][2]) == -float(rows[1][2]) > 0.5


def test_the_same_bot_can_have_all_seats(capsys):
    assert main(["evaluate", "Tron:random", "--episodes", "20"]) == 0
    assert sum(line.strip().startswith(("1 ", "2 ", "3 ", "4 ")) for line in capsys.readouterr().out.splitlines()) == 4


def test_a_bots_game_is_recorded(tmp_path, capsys):
    out = tmp_path / "tron.gif"
    assert main(["record", "Tron:heuristic", "--against", "random", "--out", str(out), "--size", "64"]) == 0
    assert out.read_bytes()[:3] == b"GIF"


def test_watching_bots_counts_everybodys_score():
    player, sim = seats("TicTacToe:heuristic", "random", 0)
    session = watch.Session(player, sim, watch.Config(Path("TicTacToe:heuristic"), episodes=3))
    while not session.closed:
        session.advance(1.0)
    assert len(session.returns) == 3
    scene = session.scene()
    assert "nought" in scene.facts and scene.whose == "score of cross" and scene.decision is None


def test_a_match_needs_a_player_for_every_seat():
    sim = Simulator("TicTacToe", 1)
    with pytest.raises(OptionError, match="TicTacToe needs 2 players here, got 1"):
        Match(sim, [Bot(sim, "random")])
