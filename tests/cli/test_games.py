"""`ludus games`: the table of games."""

from ludus.cli import games
from ludus.envs import all_games


def test_games_lists_every_game(capsys):
    assert games.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    for game in all_games().values():
        (line,) = [line for line in lines if line.split()[:1] == [game.name]]
        assert game.summary in line


def test_games_says_what_is_observed_and_how_many_actions_there_are():
    breakout, catch = all_games()["Breakout"], all_games()["Catch"]
    assert games.observation(breakout) == "10 x 10 x 4 uint8"  # MinAtar's
    assert games.actions(breakout) == "3 (of 6)"  # MinAtar's minimal set
    assert games.actions(catch) == "3"


def test_games_says_who_plays():
    found = {name: games.players(game) for name, game in all_games().items()}
    assert (found["Catch"], found["TicTacToe"], found["Tron"]) == ("1", "2 in turn", "2-4 at once")
