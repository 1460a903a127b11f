"""Looking ahead on the command line: --search for agents, search-4 for who has none."""

import re
from pathlib import Path

import numpy as np
import pytest

import ludus
from ludus.__main__ import main
from ludus.agents import Search
from ludus.cli import play, watch
from ludus.cli.players import is_bot, seats
from ludus.envs import Bot, OptionError, Simulator, find_game
from ludus.envs.adapters.sb3 import vec_env
from ludus.envs.bots import bots_of
from tests.agents.small import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An agent that has learned nothing."""
    path = tmp_path_factory.mktemp("runs") / "toe"
    ludus.PPO("mlp", vec_env("TicTacToe", 4, seed=0), seed=0, **small("PPO")).save(path)
    return path


def first_return(text):
    """The mean return of the first row of the table."""
    return float(re.search(r"^ *(?:1|greedy|search-\d+) +\d+ +(\S+)", text, re.MULTILINE)[1])


def test_evaluate_says_that_it_searches_and_plays_better(folder, capsys):
    common = ["evaluate", str(folder), "--against", "random", "--episodes", "60"]
    assert main(common) == 0
    alone = first_return(capsys.readouterr().out)
    assert main([*common, "--search", "100"]) == 0
    text = capsys.readouterr().out
    assert "with 100 simulations a move" in text
    assert first_return(text) > max(alone, 0.6)


def test_an_agent_alone_searches_for_both_sides(folder, capsys):
    assert main(["evaluate", str(folder), "--episodes", "3", "--search", "30"]) == 0
    assert "with 30 simulations a move" in capsys.readouterr().out


def test_a_bot_that_searches_is_evaluated_and_is_an_opponent(capsys):
    assert main(["evaluate", "TicTacToe:search-9", "--against", "search-2", "--episodes", "20"]) == 0
    assert first_return(capsys.readouterr().out) >= 0


def test_watch_shows_what_the_search_found(folder):
    config = watch.Config(folder, search=40, seed=0)
    session = watch.Session(*seats(config.agent, None, config.seed, search=config.search), config)
    assert isinstance(session.player, Search)
    decision = session.scene().decision
    assert sum(decision.numbers) == pytest.approx(1.0) and decision.numbers[decision.chosen] == max(decision.numbers)
    assert np.allclose(np.array(decision.numbers) * 40 % 1, 0)  # whole visits
    session.step()
    assert session.steps == 1


def test_people_play_against_an_agent_that_searches(folder):
    sim = Simulator("TicTacToe", seed=0, autoreset="disabled")
    others = play.opponents(sim, str(folder), 1, 0, 25)
    assert isinstance(others[1], Search)
    sim.reset()
    assert sim.legal[0, others[1].decide(True)[0]]


def test_people_play_against_a_bot_that_searches():
    sim = Simulator("TicTacToe", seed=0, autoreset="disabled")
    others = play.opponents(sim, "search-9", 2)
    assert isinstance(others[0], Bot) and others[0].kind == "search-9"


def test_names_of_bots():
    assert is_bot("TicTacToe:search-4") and not is_bot("TicTacToe:search-0") and not is_bot(Path("search-4"))
    assert bots_of(find_game("TicTacToe")) == ["heuristic", "random", "search-4"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["TicTacToe:heuristic", "--search", "5"], "--search is for agents, whose networks guide it: leave it out for"),
        (["TicTacToe:search-4", "--search", "5"], "--search is for agents"),
        (["FOLDER", "--search", "-3"], "search must be a whole number from 0"),
        (["FOLDER", "--against", "serch-4"], "there is no opponent 'serch-4': did you mean search-4?"),
        (["Backgammon:search-3"], "search-3 does not know of chance, which Backgammon has"),
        (["TicTacToe:search-99"], "there is no bot 'search-99': give TicTacToe:heuristic or TicTacToe:random or"),
    ],
)
def test_what_cannot_be_is_one_line(given, message, folder, capsys):
    words = [str(folder) if word == "FOLDER" else word for word in given]
    assert main(["evaluate", *words, "--episodes", "2"]) != 0
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1


def test_who_plays_against_no_agent_has_nothing_to_search_with():
    sim = Simulator("TicTacToe", seed=0)
    for against, message in (
        (None, "--search is for an agent to play against"),
        ("heuristic", "--search is for agents"),
    ):
        with pytest.raises(OptionError, match=message):
            play.opponents(sim, against, 1, 0, 25)
