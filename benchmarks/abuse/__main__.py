"""What users, machines and strangers do to a program, counted: nothing may crash, hang, or fail without saying why.

    python benchmarks/abuse [--only threads,records,...] [--trials 20] [--write]

Each trial is a process of its own with a cache, a home and a folder of its own. It fails if a signal ended it, if it did
not end in time, if it shows a traceback, or if it did not do what its kind asks for:

    threads    four threads make a game at once in a fresh process, and step one simulator at once: all finish
    records    a simulator's state of random or changed bytes is loaded and played: refused in a line, or played on
    files      agents that are endless devices, pipes, links; kernels in folders of others: refused, or compiled anew
    homes      no HOME, a user without a name, an empty XDG_CACHE_HOME: games run, and nothing lies in the working folder
    readers    output that goes nowhere, a full device, a lost terminal: training ends as it should, with its agent saved
    names      control characters in an agent's files, odd folder names, two trainings in one folder: shown harmless, told
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))  # what benchmarks share lies beside this folder

from abuse.place import surroundings
from abuse.trials import KINDS
from report import Table, describe, machine, write_results

PACKAGES = ("ludus", "numpy", "numba", "torch")
HOW = """{machine} Made by `python benchmarks/abuse --trials {trials} --write`. A trial is a process that does something
that users, machines or strangers do; it is held if it ended in time, by itself, without a traceback, and did what its kind
asks for (see the script)."""


def measure(kinds: list[str], trials: int, say: Callable[[str], None]) -> dict[str, dict[str, object]]:
    """Of each kind: how many trials, how many held, and what went wrong in the others."""
    found: dict[str, dict[str, object]] = {}
    for kind in kinds:
        rng, wrong, count = random.Random(0), Counter[str](), 0
        ways = list(KINDS[kind]())
        for number in range(max(trials, len(ways))):
            name, trial = ways[number % len(ways)]
            with tempfile.TemporaryDirectory() as folder:
                what = trial(surroundings(Path(folder)), rng)
            count += 1
            if what:
                wrong[f"{name}: {what}"] += 1
                say(f"{kind}, {name}: {what}")
        found[kind] = {"ways": len(ways), "trials": count, "held": count - sum(wrong.values()), "wrong": dict(wrong)}
        say(f"{kind}: {found[kind]}")
    return found


def table(found: dict[str, dict[str, object]]) -> Table:
    lines = []
    for kind, facts in found.items():
        wrong = facts["wrong"]
        assert isinstance(wrong, dict)
        told = "; ".join(f"{what} ({times})" for what, times in wrong.items()) or "nothing"
        lines.append([kind, str(facts["ways"]), str(facts["trials"]), str(facts["held"]), told])
    return Table("Abuse", "Kinds of abuse, in how many ways, trials, and what did not hold.",
                 ["kind", "ways", "trials", "held", "what did not"], lines)  # fmt: skip


def main() -> None:
    """Try, show, and with --write keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default=",".join(KINDS), help="kinds, of " + ", ".join(KINDS))
    parser.add_argument("--trials", type=int, default=20, help="of each kind, at least one of each way")
    parser.add_argument("--write", action="store_true", help="keep the counts in RESULTS.md and results/abuse.json")
    arguments = parser.parse_args()
    console = Console()
    found = measure(arguments.only.split(","), arguments.trials, lambda line: console.print(line, markup=False))
    shown = table(found)
    console.print(shown.rich())
    if arguments.write:
        facts = machine(PACKAGES)
        how = HOW.format(machine=describe(facts), trials=arguments.trials)
        write_results("abuse", {"machine": facts, **found}, f"## Abuse\n\n{how}\n\n{shown.markdown()}")


if __name__ == "__main__":
    main()
