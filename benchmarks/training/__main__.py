"""How fast agents learn, side by side with other packages.

    python benchmarks/training [--parts speed,breakdown,score,dqn,dqn-score,others,gpu] [--quick] [--write]

Every measurement is a process of its own, and what is compared runs interleaved, A B C A B C ...; each figure is the
median over the rounds. Compiling and the first iterations are left out. Parts can be measured one at a time, on different
machines: results/training.json has each part once for every processor, and --write leaves the others as they are.

    speed      steps per second of learning, on one core and on all
    breakdown  where the time of an iteration of ours goes, next to the same arithmetic in bare torch
    score      seconds of training until the mean return of the last hundred episodes passes a target
    dqn        steps and gradient steps per second of DQN, on one core and on all
    dqn-score  seconds until the target is passed, of DQN and PQN
    others     steps per second of learning in an environment of another library
    gpu        gpu-speed, gpu-games, gpu-score and gpu-dqn: the same on a GPU, the games alone, what waits for the device
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # what benchmarks share lies beside this folder

from report import machine, read_figures, write_results
from training.measure import MEASURE, Effort, console, say
from training.tables import TABLES, account

PACKAGES = ("ludus", "torch", "numpy", "stable-baselines3", "minatar", "sbx-rl", "jax", "gymnax")
GPU_PARTS = ("gpu-speed", "gpu-games", "gpu-score", "gpu-dqn")
DEFAULT_PARTS = "speed,breakdown,score,dqn,dqn-score,others,gpu"


def facts_of(part: str) -> dict[str, Any]:
    """The machine, with the GPU where the part ran on one."""
    facts = machine(PACKAGES)
    if part in GPU_PARTS:
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How fast agents learn, side by side with other packages.")
    parser.add_argument("--parts", default=DEFAULT_PARTS, help=f"of {', '.join(MEASURE)}; gpu: all on a GPU")
    parser.add_argument("--quick", action="store_true", help="one short round, one seed: rough")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which a training for score ends")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3, help="of each training of ours for score")
    parser.add_argument("--peer-seeds", type=int, default=1, help="of each training of a peer")
    parser.add_argument(
        "--remark", nargs=2, metavar=("PART", "TEXT"), help="keep this with a part until it is measured anew"
    )
    parser.add_argument("--only", default="", help="for score: candidates with this in their name; other rows stay")
    parser.add_argument("--write", action="store_true", help="keep results in RESULTS.md and results/training.json")
    return parser.parse_args()


def chosen_parts(text: str) -> list[str]:
    """Parts by name; those on a GPU only where there is one."""
    names = [name for word in text.split(",") for name in (GPU_PARTS if word == "gpu" else (word,))]
    unknown = [name for name in names if name not in MEASURE]
    if unknown:
        raise SystemExit(f"there is no part {unknown[0]}; there are {', '.join(MEASURE)}")
    if torch.cuda.is_available():
        return names
    if any(name in GPU_PARTS for name in names):
        say("no GPU here: its sections stay as they are; fill them with `--parts gpu --write` where there is one")
    return [name for name in names if name not in GPU_PARTS]


def main() -> None:
    """Measure, show, and with --write keep after every part."""
    arguments = parse()
    effort = Effort(arguments.rounds, 5.0, arguments.seeds, arguments.peer_seeds, arguments.limit, arguments.only)
    if arguments.quick:
        effort = Effort(1, 0.5, 1, 1, arguments.limit, arguments.only)
    found = read_figures("training")
    if arguments.remark:
        part, text = arguments.remark
        if part not in found:
            raise SystemExit(f"--remark {part}: this part was not measured; there are {', '.join(found)}")
        here = found[part].get(facts_of(part)["processor"])
        if here is None:
            raise SystemExit(f"--remark {part}: this part was not measured on this processor")
        here["remark"] = text
        write_results("training", found, account(found))
        return
    for part in chosen_parts(arguments.parts):
        facts, processors = facts_of(part), found.setdefault(part, {})
        earlier = processors.get(facts["processor"], {"rows": []})
        processors[facts["processor"]] = {"machine": facts, "effort": effort._asdict(), **MEASURE[part](effort)}
        if effort.only and part.endswith("score"):
            kept = [row for row in earlier["rows"] if effort.only not in row["candidate"]]
            processors[facts["processor"]]["rows"] += kept
        for table in TABLES[part](list(processors.values())):
            console.print(table.rich())
        if arguments.write:
            write_results("training", found, account(found))


if __name__ == "__main__":
    main()
