"""`ludus runs`: a table of what is in a folder, which damaged runs do not spoil."""

import os
import shutil
import time

import pytest

from ludus.__main__ import main
from ludus.agents.files.curve import CURVE, read_curve
from ludus.cli.runs import age

from .trained import train


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    now = time.time()
    for name, algo, hours in (("old", "ppo", 30), ("deep/new", "pqn", 0), ("middle", "ppo", 2)):
        train(folder / name, "Catch", "--algo", algo)
        os.utime(folder / name / "agent.json", (now - 3600 * hours - 5,) * 2)
    (folder / "notes").mkdir()
    return folder


@pytest.fixture
def listed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    def run(folder):
        assert main(["runs", str(folder)]) == 0
        return capsys.readouterr()

    return run


def test_the_newest_run_comes_first(runs, listed):
    found = listed(runs)
    rows = [line.split() for line in found.out.splitlines() if "Catch" in line]
    returns = [f"{read_curve(runs / name).returns[-1]:.2f}" for name in ("deep/new", "middle", "old")]
    assert [row[:3] for row in rows] == [
        ["deep/new", "Catch", "pqn"],
        ["middle", "Catch", "ppo"],
        ["old", "Catch", "ppo"],
    ]
    assert [row[5] for row in rows] == returns and [row[3:5] for row in rows] == [["1.02", "k"]] * 3
    assert [" ".join(row[6:]) for row in rows] == ["5 s", "2 h", "1 d"] and found.err == ""


def test_damaged_runs_are_a_line_each(runs, listed, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    folder = tmp_path / "runs"
    (folder / "old" / "agent.json").write_text("{")
    (folder / "deep" / "new" / CURVE).write_text("?")
    (folder / "waiting").mkdir()
    (folder / "waiting" / "train.json").write_text("{}")
    found = listed(folder)
    assert "middle" in found.out and "old" not in found.out
    assert (
        next(line for line in found.out.splitlines() if "new" in line).split()[5] == "-"
    )  # but for its curve, it is whole
    lines = found.err.splitlines()
    assert len(lines) == 3 and all(line.startswith("ludus: ") for line in lines)
    for part in ("old/agent.json is not JSON", f"new/{CURVE} is no curve", "waiting has no agent.json"):
        assert part in found.err


def test_a_description_of_odd_things_is_a_line(runs, listed, tmp_path):
    """With a digest that is right: somebody made it."""
    import json

    from ludus.agents.checkpoints.reader import digest_of

    shutil.copytree(runs / "old", tmp_path / "run")
    path = tmp_path / "run" / "agent.json"
    original = json.loads(path.read_text())
    odd = (
        {"environment": 3},
        {"timesteps": "many"},
        {"settings": []},
        {"environment": {"options": 3, "game": "Catch"}},
    )
    for change in odd:
        facts = {**original, **change}
        path.write_text(json.dumps({**facts, "sha256": digest_of(facts)}))
        found = listed(tmp_path)
        assert found.err.count("\n") == 1 and "run" in found.err and "Traceback" not in found.err


def test_a_run_without_a_curve_has_no_return(runs, listed, tmp_path):
    shutil.copytree(runs / "old", tmp_path / "run")
    (tmp_path / "run" / CURVE).unlink()
    row = next(line for line in listed(tmp_path).out.splitlines() if "Catch" in line)
    assert row.split()[5] == "-"


def test_long_names_leave_numbers_whole(runs, listed, tmp_path):
    name = "SpaceInvaders-ppo-20260101-120000-with-more-to-be-told-of-it-than-fits-into-a-line"
    shutil.copytree(runs / "old", tmp_path / name)
    out = listed(tmp_path).out
    assert max(map(len, out.splitlines())) <= 80 and "1.02 k" in out and "…" not in out


def test_a_run_can_be_named_itself(runs, listed):
    rows = [line.split() for line in listed(runs / "middle").out.splitlines()]
    assert sum("PPO" in row or "ppo" in row for row in rows) == 1


def test_no_runs_are_one_line(listed, tmp_path, capsys, monkeypatch):
    assert "no agents in" in listed(tmp_path).out
    monkeypatch.chdir(tmp_path)
    assert main(["runs"]) == 2
    assert "there is no folder runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (90_000, "1 d"), (4e7, "1 y")],
)
def test_ages(seconds, text):
    assert age(seconds) == text
