"""`ludus export --format web`: what it writes, and what it refuses in a line."""

import dataclasses
import gzip
import json
import os
import re
import shlex

import pytest

import ludus
from ludus.__main__ import main
from ludus.cli import export_web
from ludus.envs import OptionError, find_game


def refused(capsys, *arguments):
    """The one line with which the command ends."""
    assert main(["export", *map(str, arguments), "--format", "web"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def facts_of(page):
    """What a page is told."""
    return json.loads(re.search(r'id="facts-of-page">(.*?)</script>', page.read_text(), re.DOTALL)[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agent") / "run"
    options = {"obs_type": "planes", "repeat_action_probability": 0.25}
    ludus.PPO("mlp", ludus.make_sb3("Catch", 1, **options), n_steps=16, batch_size=16, device="cpu").save(folder)
    return folder


def test_a_folder_exports_its_agent_with_its_options(folder, tmp_path, capsys):
    out = tmp_path / "site"
    assert main(["export", str(folder), "--format", "web", "--out", str(out)]) == 0
    assert f"python -m http.server --directory {out}" in capsys.readouterr().out
    facts = facts_of(out / "index.html")
    assert facts["agent"]["kind"] == "policy"
    assert (out / facts["agent"]["weights"]["path"]).stat().st_size == facts["agent"]["bytes"]
    assert facts["settings"] != facts["settings_of_people"]


def test_options_that_an_agent_does_not_know_are_refused(folder, tmp_path, capsys):
    assert "with these options" in refused(capsys, folder, "--frame-stack", "2", "--out", tmp_path / "site")


def test_the_zoos_agents_can_be_left_out(tmp_path):
    out = tmp_path / "site"
    assert main(["export", "Catch", "--format", "web", "--no-agents", "--out", str(out)]) == 0
    assert "agent" not in facts_of(out / "index.html")
    assert not (out / "games" / "Catch.weights").exists()


def test_a_game_whose_agent_no_page_can_run_goes_without(tmp_path, capsys):
    out = tmp_path / "maze.html"
    assert main(["export", "Maze", "--format", "web", "--single-file", "--out", str(out)]) == 0
    assert "Maze: without the zoo's agent; a page cannot run this agent: recurrent" in capsys.readouterr().out
    assert "agent" not in facts_of(out)


def test_all_is_every_game_of_ludus_and_no_other(tmp_path, capsys, monkeypatch):
    games = {name: find_game(name) for name in ("CartPole", "Catch")}
    games["Another"] = dataclasses.replace(games["Catch"], name="Another")
    monkeypatch.setattr(export_web, "all_games", lambda: games)
    monkeypatch.setattr(export_web, "exhibit_of_agent", unable)
    out = tmp_path / "arcade"
    assert main(["export", "all", "--format", "web", "--out", str(out)]) == 0
    assert sorted(page.stem for page in out.glob("*.html")) == ["CartPole", "Catch", "index"]
    assert "CartPole, Catch: without the zoo's agent; a reason" in capsys.readouterr().out.splitlines()


def unable(*_):
    raise OptionError("a reason")


def test_an_agent_that_no_page_can_run_is_refused(tmp_path, capsys):
    env = ludus.make_sb3("Catch", 1, obs_type="rgb", size=16)
    ludus.PPO("mlp", env, n_steps=16, batch_size=16, device="cpu").save(tmp_path / "run")
    assert "sees pictures" in refused(capsys, tmp_path / "run", "--out", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_what_exists_needs_force(folder, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert "exists: give another name, or --force" in refused(capsys, folder, "--out", tmp_path)
    assert main(["export", str(folder), "--format", "web", "--out", str(tmp_path), "--force"]) == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Braekout",), "did you mean Breakout"),
        (("Catch", "Catch"), "Catch is there twice"),
        (("Catch", "Breakout", "--single-file"), "--single-file is for one game, got 2"),
        (("all", "--single-file"), "--single-file is for one game, got all"),
        (("all", "Catch"), "all is every game of Ludus: leave the other names out"),
        (("all", "--frame-stack", "2"), "frame-stack must be 1 where players take turns"),
        (("Catch", "--single-file"), "must be a file that ends in .html"),
        (("Catch", "--env", "Catch"), "--env is for --format ludus"),
        (("Catch:random",), "give Catch, the game"),
        (("Catch", "--max-episode-steps", "0"), "--max-episode-steps must be a whole number"),
        ((), "needs AGENT"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_makes_no_page_is_one_line(arguments, message, tmp_path, capsys):
    assert message in refused(capsys, *arguments, "--out", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_site_leaves_nothing_of_an_earlier_one_and_nothing_else_is_touched(tmp_path, capsys):
    out = tmp_path / "a 'site'"
    assert main(["export", "Catch", "Snake", "--no-agents", "--format", "web", "--out", str(out)]) == 0
    assert shlex.split(capsys.readouterr().out)[-1] == str(out)  # the command can be pasted
    for own in ("mine.html", "games/mine.txt"):
        (out / own).write_text("mine")
    (out / "folder.html").mkdir()
    os.mkfifo(out / "pipe.html")
    assert main(["export", "Catch", "Pong", "--no-agents", "--format", "web", "--out", str(out), "--force"]) == 0
    pages, games = ({path.name for path in (out / folder).iterdir()} for folder in (".", "games"))
    assert pages == {"index.html", "Catch.html", "Pong.html", "mine.html", "folder.html", "pipe.html", "games", "ludus"}
    assert games == {"Catch.wasm.gz", "Pong.wasm.gz", "mine.txt"}


def test_what_is_in_the_way_is_told_before_anything_is_compiled(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    for out, more in (("file/site", ()), ("file/page.html", ("--single-file",))):
        told = refused(capsys, "Catch", *more, "--out", tmp_path / out)
        assert f"{tmp_path / 'file'} is a file, not a folder" in told


def test_a_game_may_have_any_name_that_a_site_has_room_for(tmp_path, capsys, monkeypatch):
    games = {name: dataclasses.replace(find_game("Catch"), name=name) for name in ("Index", "network")}
    monkeypatch.setattr("ludus.envs.registry._registered", games)
    assert "Index is the name of a site's first page" in refused(capsys, "Index", "Catch", "--out", tmp_path / "a")
    agent = ludus.PPO("mlp", ludus.make_sb3("network", 1), n_steps=16, batch_size=16, device="cpu")
    agent.save(tmp_path / "agent")
    out = tmp_path / "site"
    assert main(["export", str(tmp_path / "agent"), "--format", "web", "--out", str(out)]) == 0
    paths = ("games/network.wasm.gz", "ludus/network.wasm.gz")
    rules, network = (gzip.decompress((out / path).read_bytes()) for path in paths)
    assert rules != network and rules[:4] == network[:4] == b"\0asm"


def test_flags_of_pages_are_for_pages(folder, tmp_path, capsys):
    for flag in ("--single-file", "--no-agents"):
        assert main(["export", str(folder), "--out", str(tmp_path / "a.zip"), flag]) == 2
        assert f"{flag} is for --format web" in capsys.readouterr().err
    assert main(["export", str(folder), str(folder), "--out", str(tmp_path / "a.zip")]) == 2
    assert "--format sb3 takes one agent, got 2" in capsys.readouterr().err
    assert main(["export", "all", "--out", str(tmp_path / "a.zip")]) == 2
    assert "all is every game as web pages: give --format web" in capsys.readouterr().err
