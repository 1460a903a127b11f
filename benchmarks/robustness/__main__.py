"""Whether checkpoints withstand what can happen: processes killed at any moment, and files with any damage.

    python benchmarks/robustness [--algo ppo,dqn,pqn] --kills 200 --mutations 10000 --write

`ludus train ... --resume` is killed (SIGKILL) again and again and then left to finish; weights, optimizer, games, random
numbers and buffers must equal those of a run that nobody touched, bit for bit. And files of a checkpoint are
changed at random: each must be refused with one line, or load and be the same agent, or, if the digests were made to fit, be
an agent that can be trained on. Without --write, the figures are printed as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # what benchmarks share lies beside this folder

from report import Table, describe, machine, write_results
from robustness.damage import mutate_often
from robustness.kills import INTERVAL, SETTINGS, kill_often

PACKAGES = ("ludus", "torch", "safetensors", "numpy")
NAMES = {"ppo": "PPO", "dqn": "DQN with a prioritized replay buffer of 1000 transitions", "pqn": "PQN"}
HOW = """{machine} Made by `python benchmarks/robustness --algo {algos} --kills {kills} --mutations {mutations} --write`.

{names}; on Catch, 16 games, two frames stacked, sticky actions, seven steps at most, a checkpoint every {interval:g} s.
SIGKILL comes at a random moment, in half of the cases anywhere in start, loading and training, in the other half within a
save."""


def account(found: dict[str, dict[str, Any]]) -> list[str]:
    """The section of RESULTS.md, of what was found for each algorithm."""
    kills = Table(
        "Killed and continued",
        "Loadable: of the kills after which there had been a first checkpoint. Lost is the time trained since the moment "
        "found in the folder: an interval, the save before it, and the rollout, update or save under way, which take "
        "longer on a busy machine.",
        ["algorithm", "kills", "in a save", "a file half written", "loadable", "median lost", "most lost", "steps", "equal"],
        [
            [
                algo, str(killed["kills"]), str(killed["while_saving"]),
                str(killed["while_a_file_was_half_written"]),
                f"{killed['loadable']} of {killed['kills'] - killed['before_the_first_checkpoint']}",
                f"{killed['median_lost']:.3f} s", f"{killed['most_lost']:.3f} s", str(killed["steps"]),
                "bit for bit" if killed["equal"] else "no",
            ]
            for algo, killed in ((algo, one["kills"]) for algo, one in found.items())
        ],
    )  # fmt: skip
    results = {algo: one["mutations"]["results"] for algo, one in found.items()}
    kinds = sorted({what for counts in results.values() for what in counts})
    failures = sum(len(one["mutations"]["failures"]) for one in found.values())
    damage = Table(
        "Damaged files",
        f"{next(iter(found.values()))['mutations']['mutations']} checkpoints with a random change in one file; for half of "
        "them, the digests were made to fit again, where the description still was JSON, and what loaded was trained on for "
        f"a rollout. Other exceptions, messages of two lines, or other agents with digests of their own: {failures}.",
        ["what came of it", *results],
        [[what, *(str(counts.get(what, 0)) for counts in results.values())] for what in kinds],
    )
    return [kills.markdown(), damage.markdown()]


def main() -> None:
    """Kill, damage, and print or keep."""
    parser = argparse.ArgumentParser(description="Whether checkpoints withstand kills and damage.")
    parser.add_argument("--algo", type=lambda text: text.split(","), default=[*SETTINGS], metavar="ALGO,ALGO")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="keep results in RESULTS.md and results/robustness.json")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    found = {}
    for algo in arguments.algo:
        with tempfile.TemporaryDirectory() as folder:
            found[algo] = {
                "kills": kill_often(Path(folder), algo, arguments.kills, arguments.seed),
                "mutations": mutate_often(Path(folder), algo, arguments.mutations, arguments.seed),
            }
    print(json.dumps(found, indent=2))
    if arguments.write:
        facts = machine(PACKAGES)
        how = HOW.format(
            machine=describe(facts), algos=",".join(found),
            names="; ".join(NAMES.get(str(algo), str(algo).upper()) for algo in found),
            kills=arguments.kills, mutations=arguments.mutations, interval=INTERVAL,
        )  # fmt: skip
        text = "\n\n".join(["## Robustness", how, *account(found)])
        write_results("robustness", {"machine": facts, **found}, text)


if __name__ == "__main__":
    main()
