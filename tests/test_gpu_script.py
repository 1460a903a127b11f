"""`make gpu`, on the days without one."""

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TROUBLE = """
import os, sys
sys.path.insert(0, {folder!r})
from gpu import __main__ as gpu

def raises():
    raise RuntimeError("no [good]")

gpu.checks = lambda sizes: {{
    "good": lambda: {{"rate": 1.23456}}, "raises": raises, "dies": lambda: os._exit(3),
    "last": lambda: {{"top": [("kernel|name", 2, 0.5)]}},
}}
if __name__ == "__main__":
    sys.exit(gpu.main())
"""


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("gpu.__main__")


@pytest.fixture
def trouble(gpu, monkeypatch, tmp_path):
    """The script with four checks, of which two come out right."""
    script = tmp_path / "trouble.py"
    script.write_text(TROUBLE.format(folder=str(BENCHMARKS)))
    monkeypatch.setattr(gpu, "SCRIPT", str(script))
    monkeypatch.setattr(gpu, "checks", lambda sizes: dict.fromkeys(["good", "raises", "dies", "last"]))
    return gpu


def test_it_goes_on_past_what_raises_and_dies(trouble):
    rows = trouble.run(dry=True)
    assert [(row["check"], row["ok"]) for row in rows] == [
        ("good", True), ("raises", False), ("dies", False), ("last", True)
    ]  # fmt: skip
    errors = [row["found"].get("error", "") for row in rows]
    assert errors == ["", "RuntimeError: no [good]", "ended its process, with status 3", ""]


def test_what_hangs_is_ended(gpu, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"check": "earlier", "ok": true, "found": {}, "seconds": 1.0}\n')
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    assert len(gpu.follow(child, rows, 1, deadline=time.time() + 100.0, patience=0.2)) == 1
    assert gpu.ended(child) == "took too long"


def test_it_says_what_there_was_no_time_for(trouble):
    rows = trouble.run(dry=True, limit=-1.0)
    assert {row["ok"] for row in rows} == {None} and {row["found"]["error"] for row in rows} == {"no time"}


def test_its_section_names_the_gpu(gpu):
    rows = [{"check": "games", "ok": True, "seconds": 1.0, "found": {"M steps/s": 12.345, "top": [["a|b", 2, 0.5]]}}]
    text = gpu.account(rows, {**gpu.machine(gpu.PACKAGES), "gpu": "NVIDIA H200"})
    assert (
        text.startswith("## On a GPU: NVIDIA H200\n")
        and "| games | yes | M steps/s 12.3; top ['a/b', 2, 0.5] | 1.0 |" in text
    )


def test_dry_run(gpu):
    """Every check runs, and RESULTS.md stays as it is."""
    before = (BENCHMARKS / "RESULTS.md").read_bytes()
    command = [sys.executable, str(BENCHMARKS / "gpu"), "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=BENCHMARKS)
    names = gpu.checks(gpu.sizes_of(dry=True))
    assert f"{len(names)} of {len(names)} checks came out right" in done.stdout, (
        done.stdout[-3000:] + done.stderr[-3000:]
    )
    assert done.returncode == 0 and all(name in done.stdout for name in names)
    assert (BENCHMARKS / "RESULTS.md").read_bytes() == before and not (BENCHMARKS / "results" / "gpu.json").exists()


def test_without_a_gpu_it_says_so_and_writes_nothing(gpu, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu"])
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    assert gpu.main() == 2 and "no GPU here" in capsys.readouterr().out


def test_rows_are_json(gpu):
    assert json.loads(json.dumps(gpu.DRY._asdict()))["device"] == "cpu"
