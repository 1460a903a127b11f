"""`ludus rate`: who plays, what is refused, what is printed and written."""

import json
import re
import shutil

import pytest

import ludus
from ludus.__main__ import main
from ludus.envs.adapters.sb3 import vec_env
from ludus.zoo import cards


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two agents that have not learned, in folders of the same name, and one of another game."""
    place = tmp_path_factory.mktemp("rate")
    for seed, path in enumerate(("one/agent", "two/agent")):
        ludus.PPO("mlp", vec_env("TicTacToe", 2), seed=seed, n_steps=8, batch_size=8).save(place / path)
    ludus.PPO("mlp", vec_env("TicTacToe", 2, max_episode_steps=5), n_steps=8, batch_size=8).save(place / "short")
    ludus.PPO("mlp", ludus.make_sb3("Catch", 2), n_steps=8, batch_size=8).save(place / "catch")
    return place


def rated(path, *arguments):
    out = path / "rated.json"
    assert main(["rate", "TicTacToe", *map(str, arguments), "--games", "20", "--json", str(out), "--force"]) == 0
    return json.loads(out.read_text())


def test_the_order_of_arguments_does_not_matter(folders, tmp_path, capsys):
    one, two = folders / "one/agent", folders / "two/agent"
    facts = rated(tmp_path, one, two)
    text = capsys.readouterr().out
    assert rated(tmp_path, two, "TicTacToe:heuristic", one) == facts
    assert capsys.readouterr().out == text
    assert set(facts["players"]) == {str(one), str(two), "heuristic", "random"}
    assert facts["ratings"][facts["players"].index("random")] == [0, 0, 0]
    games = [sum(row) for row in facts["wins"]]
    assert sum(games) + sum(map(sum, facts["draws"])) // 2 == 6 * 20


def test_tables_fit_80_columns_and_have_the_best_first(folders, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["rate", "TicTacToe", str(folders / "one/agent"), str(folders / "two/agent"), "--games", "10"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80 and "…" in out  # long names are cut at their beginning
    ratings = [int(number) for number in re.findall(r"^ \S+ +(-?\d+) .*%", out, re.M)]
    assert len(ratings) == 4 and ratings == sorted(ratings, reverse=True) and 0 in ratings


def test_greedy_players_of_a_game_without_chance_play_one_game(folders, capsys):
    folders = [str(folders / name) for name in ("one/agent", "two/agent")]
    assert main(["rate", "TicTacToe", *folders, "--games", "10", "--deterministic"]) == 0
    assert "the same game every time, which counts once" in capsys.readouterr().out
    assert main(["rate", "TicTacToe", *folders, "--games", "10", "--deterministic", "--opening", "3"]) == 0
    assert "the same game" not in capsys.readouterr().out


def test_an_agent_that_searches_is_a_player_of_its_own_and_a_better_one(folders, tmp_path):
    """One that has not learned and sees the end of the game coming beats itself, and random players."""
    one = folders / "one/agent"
    facts = rated(tmp_path, one, f"{one}:search-60", "search-2", "TicTacToe:search-3")
    players = facts["players"]
    assert set(players) == {str(one), f"{one}:search-60", "search-2", "search-3", "heuristic", "random"}
    alone, searching = (facts["wins"][players.index(who)] for who in (str(one), f"{one}:search-60"))
    assert searching[players.index(str(one))] > alone[players.index(f"{one}:search-60")]
    assert facts["ratings"][players.index(f"{one}:search-60")][1] > 0  # of the interval that begins at low
    assert (
        rated(tmp_path, "search-3", f"{one}:search-60", one, "search-2") == facts
    )  # searches draw the same numbers again


def test_the_zoos_agent_searches_by_the_games_name(folders, tmp_path, monkeypatch):
    """GAME:search-60 is the zoo's agent of this game with 60 simulations; it plays as the same agent in a folder does."""
    shutil.copytree(folders / "one/agent", tmp_path / "zoo/TicTacToe")
    (tmp_path / "zoo/TicTacToe" / cards.CARD).write_text("{}")
    cards.write_sums(tmp_path / "zoo")
    monkeypatch.setattr(cards, "AGENTS", tmp_path / "zoo")
    by_name, by_folder = (
        rated(tmp_path, who, f"{who}:search-60", "TicTacToe:search-2") for who in ("TicTacToe", folders / "one/agent")
    )
    assert by_name["players"] == ["TicTacToe", "TicTacToe:search-60", "heuristic", "random", "search-2"]
    assert by_name["wins"] == by_folder["wins"] and by_name["draws"] == by_folder["draws"]
    assert by_name["wins"][1][0] > by_name["wins"][0][1]


def test_the_game_alone_searches_only_where_the_zoo_has_an_agent(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cards, "AGENTS", tmp_path)
    assert main(["rate", "TicTacToe", "TicTacToe:search-60"]) == 2
    error = capsys.readouterr().err
    assert "the zoo has no agent for it" in error and error.count("\n") == 1


def test_a_file_that_is_there_stays_unless_told(folders, tmp_path, capsys):
    out = tmp_path / "kept.json"
    out.write_text("mine")
    command = ["rate", "TicTacToe", "--games", "2", "--json", str(out)]
    assert main(command) == 2
    assert "exists: give another name, or --force" in capsys.readouterr().err and out.read_text() == "mine"
    assert main([*command, "--force"]) == 0
    assert json.loads(out.read_text())["games"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["TicTacToe", "{one}", "{one}/../agent"], "is given twice"),
        (["TicTacToe", "random", "random"], "random is given twice"),
        (["TicTacToe", "{one}", "{short}"], "differ in max_episode_steps of their games"),
        (["TicTacToe", "nobody"], "nobody"),
        (["TicTacToe", "hueristic"], "did you mean heuristic?"),
        (["TicTacToe", "{catch}"], "plays Catch, not TicTacToe"),
        (["Catch"], "Catch is for one player"),
        (["TicTacToe", "--games", "7"], "--games must be even"),
        (["TicTacToe", "{one}:search-20", "{one}/../agent:search-20"], "is given twice"),
        (["TicTacToe", "{one}:search-9999999"], "search must be"),
        (["TicTacToe", "nobody:search-20"], "nobody"),
        (["TicTacToe", "--json", "nowhere/at/all.json"], "the folder nowhere/at cannot be written"),
        (["TicTacToe", "--json", "all.txt"], "--json must end in .json"),
        (["TicTacToe", "TicTacToe", "tictactoe"], "tictactoe is given twice"),
        (["TicTacToe", "--games", "2", "--opening", "20"], "all games ended within an opening of 20 steps"),
        ([], "ludus rate needs GAME"),
    ],
)
def test_what_cannot_be_rated_is_one_line(arguments, message, folders, capsys):
    places = {"one": folders / "one/agent", "catch": folders / "catch", "short": folders / "short"}
    assert main(["rate", *(word.format(**places) for word in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_players_may_stand_among_flags(folders, tmp_path):
    out = tmp_path / "out.json"
    assert (
        main(["rate", "--games", "4", "TicTacToe", "--json", str(out), str(folders / "one/agent"), "--seed", "1"]) == 0
    )
    assert len(json.loads(out.read_text())["players"]) == 3
