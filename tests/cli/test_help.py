"""Help and tables on terminals of every width."""

import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from ludus.__main__ import VERBS, main
from ludus.cli.train import CONFIGS


@pytest.fixture
def shown(monkeypatch, capsys):
    """What a command prints on a terminal of 80 columns, without colours."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal

    def run(*arguments):
        with suppress(SystemExit):
            main(list(arguments))
        return re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)

    return run


SCREENS = {
    "usage": [],
    "games": ["games"],
    "bots": ["evaluate", "Lander:random", "--episodes", "5"],
    "comparison": [
        "compare",
        "Catch:heuristic",
        "Snake:heuristic",
        "--to",
        "Catch:random",
        "Snake:random",
        "--episodes",
        "5",
    ],
    "several bots": ["evaluate", "TicTacToe:random", "--episodes", "5"],
    **{f"{verb} {flag}": [verb, flag] for verb in VERBS for flag in ("--help", "--help-all")},
    **{f"train {algo}": ["train", "--algo", algo, "--help-all"] for algo in CONFIGS},
}


@pytest.mark.parametrize("screen", SCREENS)
def test_every_table_fits_80_columns(screen, shown):
    lines = shown(*SCREENS[screen]).splitlines()
    assert lines and max(map(len, lines)) <= 80, max(lines, key=len)


def test_numbers_of_any_size_are_whole_in_80_columns(monkeypatch, capsys):
    from ludus.cli.episodes import Entry
    from ludus.cli.evaluate_report import Played, Report, summary, table_of
    from ludus.cli.terminal import console
    from ludus.envs import Evaluation

    monkeypatch.setenv("COLUMNS", "80")
    found = Evaluation(np.array([-123456.789, 123456.789]), np.array([100000, 100000]), True)
    report = Report(
        [Played(Entry(Path("Catch:heuristic"), None, {"options": {}}, {}), "heuristic", "", 0, found)], True, 2
    )
    for table in (table_of(report), summary(report)):
        console().print(table)
    out = capsys.readouterr().out
    assert "…" not in out and "-123457" in out and max(map(len, out.splitlines())) <= 80


def test_help_begins_with_the_game_and_has_few_flags(shown):
    text = shown("train", "--help")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert lines[0] == "usage: ludus train GAME [flags]" and lines[2].startswith("GAME")
    assert lines[4].startswith("--algo ppo|dqn|pqn")
    flags = [line for line in lines if line.startswith("--")]
    assert 8 <= len(flags) <= 12 and len(text.splitlines()) < 36
    assert "--help-all" in lines[-1]
    everything = shown("train", "--help-all")
    assert shown("help", "train", "--help-all") == everything
    assert all(flag.split()[0] in everything for flag in flags) and everything.count("\n  --") > 40


def test_help_of_a_verb_has_two_ways(shown):
    assert shown("help", "train") == shown("train", "--help") != ""
    assert shown("help") == shown() == shown("--help")


def test_help_shows_what_must_be_given_and_what_holds_else(shown):
    assert shown("record", "--help").startswith("usage: ludus record AGENT --out PATH [flags]\n")
    text = shown("train", "Breakout", "--recipe", "--help-all")
    assert "--repeat-action-probability X" in text and "(0.1)" in text  # the recipe's


@pytest.mark.parametrize("columns", ["40", "200"])
def test_help_on_narrow_and_wide_terminals(columns, monkeypatch, shown):
    monkeypatch.setenv("COLUMNS", columns)
    assert max(map(len, shown("watch", "--help").splitlines())) <= min(int(columns), 100)
