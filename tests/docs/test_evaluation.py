"""The guide `docs/evaluation.md`, followed to the letter, at a small size."""

import re
import shlex
from pathlib import Path

import pytest

from ludus.__main__ import main

GUIDE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
COMMANDS = [line[2:].split(" # ")[0].rstrip() for line in GUIDE.splitlines() if line.startswith("$ ludus ")]
COMMANDS.remove("ludus zoo reproduce Catch")  # which trains to the end: tests/zoo has it
CODE = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.M | re.S)
SMALL = "--num-envs 16 --n-steps 16 --total-timesteps 1024 --device cpu"


def made_small(command):
    """The words after `ludus`, on a small game without a recipe."""
    command = re.sub("Breakout|Snake", "Catch", command.removeprefix("ludus "))
    command = re.sub(r"\$\(seq (\d+) (\d+)\)", lambda m: " ".join(map(str, range(int(m[1]), int(m[2]) + 1))), command)
    few = {"train": SMALL, "evaluate": "--episodes 10", "compare": "--episodes 10", "rate": "--games 2"}
    more = few.get(command.split()[0], "")
    more += " --batch-size 64" if command.startswith("train") and "pqn" not in command else ""
    return shlex.split(f"{command} {more}")


def test_the_commands_lead_from_seeds_to_a_comparison(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) == 16
    for command in COMMANDS:
        assert main(made_small(command)) == 0, command
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        "over 2 runs",
        "A: runs/pqn-0, runs/pqn-1",
        "PQN (2 runs)",
        "generalization gap, sampled",
        "four:search-200",
        "LeducPoker:random random 2.37",
    ):
        assert part in text
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_code_runs(capsys):
    scores, exploited = CODE
    exec(scores, {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and float(lines[0].split()[0]) > 10
    exec(exploited, {})
    assert capsys.readouterr().out.startswith("0.4583")
