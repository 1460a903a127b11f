"""Whether checkpoints withstand what can happen: processes killed at any moment, and files with any damage.

    python benchmarks/robustness.py [--algo ppo,dqn,pqn] --kills 200 --mutations 10000 --write

`ludus train ... --resume` is killed (SIGKILL) again and again and then left to finish; weights, optimiser, games, random
numbers and what is remembered must equal those of a run that nobody touched, bit for bit. And files of a checkpoint are
changed at random: each must be refused with one line, or load and be the same agent, or, if the digests were made to fit, be
an agent that can be trained on. Without --write, the figures are printed as JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import mmap
import os
import random
import shutil
import signal
import statistics
import struct
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import equal, set_num_threads

from ludus.__main__ import main as ludus
from ludus.agents import load_agent
from ludus.agents.checkpoints.reader import digest_of
from ludus.agents.files.safe_io import CheckpointError, to_json
from ludus.agents.training.save_callback import SaveCallback
from ludus.envs import LudusError

PACKAGES = ("ludus", "torch", "safetensors", "numpy")
INTERVAL = 0.05  # seconds between two checkpoints
ROLLOUT = 16 * 8
COMMON = [
    "--num-envs", "16", "--no-anneal", "--no-tensorboard", "--device", "cpu", "--repeat-action-probability", "0.1",
    "--frame-stack", "2", "--max-episode-steps", "7",
]  # fmt: skip
SETTINGS = {  # a rollout is of 16 * 8 steps; what falls over a training would depend on how long it is to be
    "ppo": ["--n-steps", "8", "--batch-size", "64", "--n-epochs", "1", "--precision", "fp32"],
    "dqn": [
        "--train-freq", "8", "--n-steps", "3", "--batch-size", "32", "--buffer-size", "1000", "--learning-starts", "200",
        "--replay-ratio", "0.5", "--prioritized", "--importance-exponent", "1", "--exploration-initial-eps", "0.1",
        "--exploration-final-eps", "0.1",
    ],
    "pqn": ["--n-steps", "8", "--batch-size", "64", "--n-epochs", "1", "--exploration-initial-eps", "0.1",
        "--exploration-final-eps", "0.1",
    ],
}  # fmt: skip
NAMES = {"ppo": "PPO", "dqn": "DQN with a prioritised memory of 1000 transitions", "pqn": "PQN"}
HOW = """{machine} Made by `python benchmarks/robustness.py --algo {algos} --kills {kills} --mutations {mutations} --write`.

{names}; on Catch, 16 games, two frames stacked, sticky actions, seven steps at most, a checkpoint every {interval:g} s.
SIGKILL comes at a random moment, in half of the cases anywhere in start, loading and training, in the other half within a
save."""


# -- kills -------------------------------------------------------------------------------------------------------------


class Board:
    """Numbers that a process which may be killed leaves for its parent: times of the monotonic clock, and steps."""

    names = ("began", "rollout", "longest", "steps", "saved", "steps_before", "saved_before", "saving")

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, 8 * len(self.names))

    def __getitem__(self, name: str) -> float:
        return struct.unpack_from("d", self.memory, 8 * self.names.index(name))[0]

    def __setitem__(self, name: str, value: float) -> None:
        struct.pack_into("d", self.memory, 8 * self.names.index(name), value)


def watch(board: Board) -> None:
    """Have this process's saves and rollouts noted."""
    begin, save = SaveCallback._on_rollout_start, SaveCallback.save

    def noted_begin(self: SaveCallback) -> None:
        now = time.monotonic()
        if board["rollout"]:
            board["longest"] = max(board["longest"], now - board["rollout"])
        board["began"], board["rollout"] = board["began"] or now, now
        begin(self)

    def noted_save(self: SaveCallback) -> None:
        board["steps_before"], board["saved_before"] = board["steps"], board["saved"]
        board["saved"], board["steps"] = time.monotonic(), self.model.num_timesteps
        board["saving"] = 1.0
        save(self)
        board["saving"] = 0.0

    SaveCallback._on_rollout_start, SaveCallback.save = noted_begin, noted_save


set_num_threads(1)  # forked processes must not wait for threads of PyTorch's that only their parent has


def start(folder: Path, algo: str, steps: int, interval: float, board: Board | None = None) -> int:
    """`ludus train` in a process of its own; returns its number."""
    process = os.fork()
    if process:
        return process
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    if board is not None:
        watch(board)
    arguments = ["train", "Catch", "--algo", algo, "--out", str(folder), "--resume", "--total-timesteps", str(steps)]
    os._exit(ludus([*arguments, "--save-interval", str(interval), *COMMON, *SETTINGS[algo]]))


def finish(folder: Path, algo: str, steps: int) -> None:
    """Train to the end."""
    _, status = os.waitpid(start(folder, algo, steps, 1000.0), 0)
    if status:
        raise SystemExit(f"training in {folder} ended with status {status}")


def kill(folder: Path, algo: str, chance: random.Random) -> dict[str, Any]:
    """Start, kill at a random moment, and look at what is there."""
    board, had = Board(), (folder / "agent.json").exists()
    process = start(folder, algo, 10**9, INTERVAL, board)
    moment = chance.choice(("began", "saving", "saving", ""))  # to wait for; then, a random time
    while moment and not board[moment] and os.waitpid(process, os.WNOHANG)[0] == 0:
        time.sleep(0.0002)
    time.sleep(chance.uniform(0.0, {"began": 4 * INTERVAL, "saving": 0.02, "": 0.3}[moment]))
    os.kill(process, signal.SIGKILL)
    killed = time.monotonic()
    os.waitpid(process, 0)
    found: dict[str, Any] = {"saving": board["saving"] > 0, "trained": board["began"] > 0}
    found["half_written"] = len(list(folder.glob(f".*.{process}.tmp"))) > 0
    if had or (folder / "agent.json").exists():
        found["steps"] = load_agent(folder, resume=True, device="cpu").num_timesteps
        since = {board["steps"]: board["saved"], board["steps_before"]: board["saved_before"]}
        since = {steps: moment for steps, moment in since.items() if moment}
        if found["trained"]:
            found["lost"] = killed - since.get(found["steps"], board["began"])
            found["allowed"] = INTERVAL + 3 * max(board["longest"], killed - board["rollout"])
    return found


def kill_often(folder: Path, algo: str, kills: int, seed: int) -> dict[str, Any]:
    """Kill a training `kills` times, finish it, and compare with one that nobody touched."""
    chance = random.Random(seed)
    seen = [kill(folder / "killed", algo, chance) for _ in range(kills)]
    steps = [found["steps"] for found in seen if "steps" in found]
    lost = [found["lost"] for found in seen if "lost" in found]
    total = (max(steps, default=0) // ROLLOUT + 10) * ROLLOUT
    for name in ("killed", "whole"):
        finish(folder / name, algo, total)
    return {
        "kills": kills,
        "while_training": sum(found["trained"] for found in seen),
        "while_saving": sum(found["saving"] for found in seen),
        "while_a_file_was_half_written": sum(found["half_written"] for found in seen),
        "before_the_first_checkpoint": kills - len(steps),
        "loadable": len(steps),
        "went_back": sum(b < a for a, b in zip(steps[:-1], steps[1:], strict=True)),
        "median_lost": statistics.median(lost) if lost else 0.0,
        "most_lost": max(lost, default=0.0),
        "lost_too_much": sum(found["lost"] > found["allowed"] for found in seen if "lost" in found),
        "steps": total,
        "equal": same_training(folder / "killed", folder / "whole"),
    }


def same_training(one: Path, other: Path) -> bool:
    """Whether two folders hold the same agent and the same state of training, but for the time that episodes ended."""
    for part in ("weights", "training"):
        numbers = [
            load_file(folder / json.loads((folder / "agent.json").read_text())[part]["file"]) for folder in (one, other)
        ]
        for tensors in numbers:
            if part == "training":
                tensors["episodes"] = tensors["episodes"][:, :2]
        if set(numbers[0]) != set(numbers[1]) or not all(equal(x, numbers[1][name]) for name, x in numbers[0].items()):
            return False
    return True


# -- damage ------------------------------------------------------------------------------------------------------------


def flip_bits(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def flip_a_bit_near_the_start(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(min(len(content), 2000))] ^= 1 << chance.randrange(8)


def truncate(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def insert(content: bytearray, chance: random.Random) -> None:
    where = chance.randrange(len(content))
    content[where:where] = chance.randbytes(chance.randrange(1, 20))


def blank_out(content: bytearray, chance: random.Random) -> None:
    where = chance.randrange(len(content))
    content[where : where + 512] = bytes(len(content[where : where + 512]))


def repeat(content: bytearray, chance: random.Random) -> None:
    where = chance.randrange(len(content))
    content[where:where] = content[where : where + chance.randrange(1, 200)]


def other_digits(content: bytearray, chance: random.Random) -> None:
    digits = [k for k, byte in enumerate(content[:5000]) if 48 <= byte <= 57]
    for k in chance.sample(digits, min(len(digits), chance.choice((1, 2, 5)))):
        content[k] = chance.randrange(48, 58)


DAMAGE: Sequence[Callable[[bytearray, random.Random], None]] = (
    flip_bits, flip_bits, flip_a_bit_near_the_start, truncate, insert, blank_out, repeat, other_digits,
)  # fmt: skip


def mutate(folder: Path, chance: random.Random) -> tuple[str, bool]:
    """Damage a file of a checkpoint; returns which, and whether the digests were made to fit again."""
    part, seal = chance.choice(("agent", "weights", "training")), chance.random() < 0.5
    path = folder / "agent.json" if part == "agent" else next(folder.glob(f"{part}-*"))
    content = bytearray(path.read_bytes())
    chance.choice(DAMAGE)(content, chance)
    path.write_bytes(content)
    return part, seal and reseal(folder, part)


def reseal(folder: Path, part: str) -> bool:
    """Make the digests fit what is there, as somebody who means harm would."""
    import hashlib

    try:
        facts = json.loads((folder / "agent.json").read_bytes())
        if part != "agent":
            facts[part]["sha256"] = hashlib.sha256((folder / facts[part]["file"]).read_bytes()).hexdigest()
        facts["sha256"] = digest_of(facts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    (folder / "agent.json").write_bytes(to_json(facts))
    return True


def mutate_often(folder: Path, algo: str, mutations: int, seed: int) -> dict[str, Any]:
    """Load `mutations` damaged checkpoints; counts what came of it."""
    import resource

    chance, good, bad = random.Random(seed), folder / "good", folder / "bad"
    if not (good / "agent.json").exists():
        finish(good, algo, 20 * ROLLOUT)
    (good / "train.json").unlink(missing_ok=True)
    load_agent(good, resume=True, device="cpu")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results, failures = Counter(), []
    for k in range(mutations):
        if k % 20 == 0:
            gc.collect()  # agents refer to their parts and these to them
        shutil.rmtree(bad, ignore_errors=True)
        shutil.copytree(good, bad)
        part, sealed = mutate(bad, chance)
        try:
            agent = load_agent(bad, resume=True, device="cpu")
            if sealed and not survives_training(agent):
                failures.append(f"mutation {k} of {part}: trained on, the process died")
            what = "other numbers, digests made to fit" if sealed else "the same agent"
            if not sealed and not same_description(good, bad):
                failures.append(f"mutation {k} of {part}: another agent was loaded")
        except CheckpointError as error:
            what = "refused"
            if "\n" in str(error) or len(str(error)) > 600:
                failures.append(f"mutation {k} of {part}: {error}")
        except Exception as error:
            failures.append(f"mutation {k} of {part}: {type(error).__name__}: {error}")
            continue
        results[f"{part}: {what}"] += 1
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    return {
        "mutations": mutations,
        "results": dict(sorted(results.items())),
        "failures": failures,
        "more_memory_kib": more,
    }


def survives_training(agent: Any) -> bool:
    """Whether a process that trains it for a rollout lives to tell; numbers that are none may end it, with an error."""
    process = os.fork()
    if not process:
        with suppress(LudusError):
            agent.learn(ROLLOUT, reset_num_timesteps=False)
        os._exit(0)
    return os.waitpid(process, 0)[1] == 0


def same_description(one: Path, other: Path) -> bool:
    """Whether two descriptions say the same, and name files of the same content."""
    facts = [json.loads((folder / "agent.json").read_bytes()) for folder in (one, other)]
    files = [facts[0][part]["file"] for part in ("weights", "training")]
    return facts[0] == facts[1] and all((one / name).read_bytes() == (other / name).read_bytes() for name in files)


# -- account -----------------------------------------------------------------------------------------------------------


def account(found: dict[str, dict[str, Any]]) -> list[str]:
    """The section of RESULTS.md, of what was found for each algorithm."""
    from report import Table

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
        from report import describe, machine, write_results

        facts = machine(PACKAGES)
        how = HOW.format(
            machine=describe(facts), algos=",".join(found), names="; ".join(NAMES[algo] for algo in found),
            kills=arguments.kills, mutations=arguments.mutations, interval=INTERVAL,
        )  # fmt: skip
        text = "\n\n".join(["## Robustness", how, *account(found)])
        write_results("robustness", {"machine": facts, **found}, text)


if __name__ == "__main__":
    main()
