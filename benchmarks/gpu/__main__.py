"""The day there is a GPU: everything that only one can tell, in at most eight minutes.

    python benchmarks/gpu              # `make gpu`: checks, measures, and writes the section of RESULTS.md
    python benchmarks/gpu --dry-run    # the same on a CPU, tiny, and writes nothing

Whether games are equal to a CPU's to the last bit, whether graphs learn as what runs without them, whether README's commands
run; then games alone, PPO, PQN and DQN, with the kernels that take the most time and what waits for the device.

Checks run one after the other in a process of their own. One that raises is noted, and the next one follows; after one that
hangs or takes the process down, a new process goes on with the next. What there was no time for is said.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))  # what benchmarks share lies beside this folder

from gpu.checks import checks
from gpu.common import DRY, Sizes, full_sizes
from report import Table, all_cores, describe, machine, write_results

LIMIT = 480.0  # seconds, for all
BROKEN = 75  # status of a process that can go on no more
SCRIPT = str(Path(__file__).parent)
PATIENCE = 220.0  # seconds, for one check
PACKAGES = ("ludus", "torch", "numba", "numba-cuda", "numpy", "stable-baselines3")
NOTE = (
    "Each check by itself; rates are of whole iterations once everything was captured, of one run. Games alone: random play "
    'of Breakout from a graph of 32 steps. "top" are the kernels of one iteration with how often they ran and their '
    'milliseconds; "waits" are calls of the host that wait for the device.'
)
Row = dict[str, Any]
console = Console()


def sizes_of(dry: bool) -> Sizes:
    return DRY if dry else full_sizes(all_cores())


def work(path: Path, dry: bool, first: int, deadline: float) -> None:
    """The child's part: run the checks from number `first` on, a line of JSON each."""
    for name, check in list(checks(sizes_of(dry)).items())[first:]:
        began = time.time()
        if began > deadline:
            return
        try:
            row: Row = {"check": name, "ok": True, "found": check()}
        except Exception as error:
            traceback.print_exc()
            row = {"check": name, "ok": False, "found": {"error": f"{type(error).__name__}: {error}"[:500]}}
        keep(path, {**row, "seconds": time.time() - began})
        if not dry and broken():
            sys.exit(BROKEN)


def broken() -> bool:
    """Whether the device can do no more for this process, as after an access outside of its memory."""
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False


def run(dry: bool, limit: float = LIMIT) -> list[Row]:
    """All checks in order, each with what came of it."""
    names, deadline = list(checks(sizes_of(dry))), time.time() + limit
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        path.touch()
        while len(rows) < len(names) and time.time() < deadline:
            command = [sys.executable, SCRIPT, "--work", str(path), "--deadline", str(deadline), *["--dry-run"] * dry]
            child = subprocess.Popen([*command, "--first", str(len(rows))])
            rows = follow(child, path, len(rows), deadline)
            if child.returncode != BROKEN and len(rows) < len(names) and time.time() < deadline:
                keep(path, {"check": names[len(rows)], "ok": False, "seconds": 0.0, "found": {"error": ended(child)}})
                rows = follow(child, path, len(rows), deadline)
    missed = [{"check": name, "ok": None, "seconds": 0.0, "found": {"error": "no time"}} for name in names[len(rows) :]]
    return rows + missed


def follow(
    child: subprocess.Popen[bytes], path: Path, shown: int, deadline: float, patience: float = PATIENCE
) -> list[Row]:
    """Show rows as they come, until the child ends or is ended because a check takes too long; returns all rows."""
    news = time.time()
    while True:
        running = child.poll() is None
        whole, _, _ = path.read_text().rpartition("\n")  # a line may be half written
        rows = [json.loads(line) for line in whole.splitlines()]
        for row in rows[shown:]:
            console.print("  ".join(cells(row)), markup=False, highlight=False, soft_wrap=True)
            shown, news = shown + 1, time.time()
        if not running:
            return rows
        if time.time() > min(news + patience, deadline + 5.0):
            child.kill()
            child.wait()
        time.sleep(0.1)


def keep(path: Path, row: Row) -> None:
    with path.open("a") as file:
        file.write(json.dumps(row, default=str) + "\n")


def ended(child: subprocess.Popen[bytes]) -> str:
    return "took too long" if child.returncode == -9 else f"ended its process, with status {child.returncode}"


def cells(row: Row) -> list[str]:
    """A line of the table."""
    facts = "; ".join(f"{name} {shown(value)}" for name, value in row["found"].items())
    right = {True: "yes", False: "NO", None: "-"}[row["ok"]]
    return [row["check"], right, facts.replace("|", "/"), f"{row['seconds']:.1f}"]


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def account(rows: list[Row], facts: dict[str, Any]) -> str:
    """The section of RESULTS.md."""
    table = Table("Everything at once", NOTE, ["check", "right", "found", "seconds"], [cells(row) for row in rows])
    return f"## On a GPU: {facts['gpu']}\n\n{describe(facts)}\n\n{table.markdown()}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Everything that only a GPU can tell, in at most eight minutes.")
    parser.add_argument("--dry-run", action="store_true", help="on a CPU, tiny; writes nothing")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--deadline", type=float, default=0.0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.dry_run, arguments.first, arguments.deadline)
        return 0
    if not arguments.dry_run and not torch.cuda.is_available():
        console.print("torch sees no GPU here; `--dry-run` shows on a CPU what would be done")
        return 2
    rows = run(arguments.dry_run)
    if not arguments.dry_run:
        facts = {**machine(PACKAGES), "gpu": torch.cuda.get_device_name()}
        write_results("gpu", {"machine": facts, "rows": rows}, account(rows, facts))
    wrong = [row["check"] for row in rows if row["ok"] is not True]
    console.print(f"{len(rows) - len(wrong)} of {len(rows)} checks came out right")
    for name in wrong:
        console.print(f"not: {name}", markup=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
