"""The guide `docs/web.md`: its commands work, and it says what pages do."""

import re
import shlex
from pathlib import Path

import pytest

from ludus.__main__ import main
from ludus.cli import export_web
from ludus.envs import find_game
from ludus.web.page import linked

GUIDE = (Path(__file__).parents[2] / "docs" / "web.md").read_text()
COMMANDS = [line[2:].split(" #")[0].rstrip() for line in GUIDE.splitlines() if line.startswith("$ ludus export")]


def made_small(command):
    """The words after `ludus`, on a small game."""
    small = command.replace("ConnectFour Othello Tron", "Catch TicTacToe").removeprefix("ludus ")
    return shlex.split(re.sub("Breakout|Snake|runs/mine", "Catch", small))


def test_the_commands_write_what_they_say(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export_web, "all_games", lambda: {name: find_game(name) for name in ("Catch", "TicTacToe")})
    assert len(COMMANDS) == 6
    for command in COMMANDS:
        assert main([*made_small(command), "--force"]) == 0, command
    assert {path.name for path in tmp_path.iterdir()} == {"site", "breakout.html", "boards", "arcade", "snake"}
    for several in ("boards", "arcade"):
        pages = {path.name for path in (tmp_path / several).glob("*.html")}
        assert pages == {"index.html", "Catch.html", "TicTacToe.html"}


def test_the_policy_is_the_one_of_pages():
    told = " ".join(" ".join(line.split()) for line in GUIDE.splitlines() if line.startswith("    ") and "-src" in line)
    assert told == linked(())[0]


@pytest.mark.parametrize("key", ["p", "n", "r", "h", "+", "-"])
def test_keys_are_those_of_the_page(key):
    from ludus.web.page import source_of

    assert f"`{key}`" in GUIDE
    assert re.search(rf'(\b|"){re.escape(key)}"?: "', source_of("stage.js"))
