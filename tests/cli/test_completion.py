"""What the Tab key offers, asked of Ludus and, where they are installed, of the shells themselves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ludus.__main__ import VERBS, main
from ludus.agents import ALGORITHMS
from ludus.cli.completion import SCRIPTS, ways_on
from ludus.envs import all_games


def words(*line):
    return [word for word, _ in ways_on(line)]


def test_verbs_and_games():
    assert words("") == [*VERBS, "help"]
    assert words("tr") == ["train"] and words("help", "tr") == ["train"]
    assert words("train", "") == list(all_games())
    assert words("play", "Break") == ["Breakout"]
    assert words("no-verb", "") == []


def test_flags_are_those_of_the_algorithm():
    assert words("train", "--algo") == ["--algo"]
    assert words("train", "--dueling") == [] and words("train", "X", "--algo", "dqn", "--dueling") == ["--dueling"]
    assert words("train", "--algo=pqn", "--q-l") == ["--q-lambda"]
    assert words("watch", "--help") == ["--help", "--help-all"]


def test_values():
    assert words("train", "--algo", "") == [*ALGORITHMS] and [*ALGORITHMS][:3] == ["ppo", "dqn", "pqn"]
    assert words("train", "--algo=d") == ["--algo=dqn"]
    assert words("export", "--format", "s") == ["sb3"]
    assert words("record", "--out", "") == []  # the shell's own: names of files
    assert words("completion", "") == [*SCRIPTS]


def test_agents_are_folders_and_bots(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("runs/one", "runs/other"):
        Path(name).mkdir(parents=True)
    Path("runs/one/agent.json").touch()
    assert words("watch", "") == ["runs/one"] and words("evaluate", "runs/") == ["runs/one"]
    assert words("watch", "Snake:") == ["Snake:heuristic", "Snake:random"]
    assert words("play", "Hex", "--against", "h") == ["heuristic"]
    assert words("evaluate", "runs/other", "r") == ["runs/one"] and words("compare", "x", "--to", "ru") == ["runs/one"]
    assert words("compare", "Snake:") == ["Snake:heuristic", "Snake:random"]
    assert words("plot", "ru") == ["runs/one"] and words("plot", "Snake:") == []  # bots have no curve
    assert words("runs", "") == []  # the shell's own: folders


def test_packages_of_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mygames/__init__.py", "walk.py", "notes.txt", "runs/one/agent.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert words("--import", "") == ["mygames", "walk"] and words("train", "X", "--import", "w") == ["walk"]
    assert words("--import", "walk", "tra") == ["train"] and words("--import", "walk", "train", "Brea") == ["Breakout"]
    assert words("export", "b.zip", "--env", "Brea") == ["Breakout"]


def test_completing_imports_nothing(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    assert main(["completion", "bash", "ludus", "--import", "mine", "tr"]) == 0


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_says_where_it_goes(shell, capsys):
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out.startswith("# To have this always")


def test_another_shell_is_one_line(capsys):
    assert main(["completion", "tcsh"]) == 2
    assert capsys.readouterr().err == "ludus: completion is for bash, zsh, fish, not for 'tcsh'\n"


LINES = {
    "ludus train Breako": "Breakout",
    "ludus train --algo=d": "dqn",
    "ludus watch Snake:heu": "heuristic",
    "ludus record x --out nam": "name of a file",
}
ASK = {  # what the shell would offer, one a line
    "bash": 'eval "$(ludus completion bash)"; COMP_LINE="$1"; COMP_POINT=${#1}; _ludus; '
    'if [[ ${#COMPREPLY[@]} -gt 0 ]]; then printf "%s\\n" "${COMPREPLY[@]}"; else compgen -f -- "${1##* }"; fi',
    "fish": "ludus completion fish | source; complete -C $argv[1] | string split -f1 \\t",
}


@pytest.mark.parametrize("shell", ASK)
def test_the_shell_completes(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    command = tmp_path / "bin" / "ludus"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m ludus "$@"\n')
    command.chmod(0o755)
    (tmp_path / "name of a file").touch()
    environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"}
    for line, expected in LINES.items():
        asked = [shell, "-c", ASK[shell], *(["-"] if shell == "bash" else []), line]
        result = subprocess.run(asked, cwd=tmp_path, env=environment, capture_output=True, text=True)
        (offered,) = result.stdout.splitlines()
        assert offered.endswith(expected), (line, result.stderr)
