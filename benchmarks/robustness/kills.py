"""Training that is killed at random moments and continued, beside one that nobody touched."""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import statistics
import struct
import time
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import equal, set_num_threads

from ludus.__main__ import main as ludus
from ludus.agents import load_agent
from ludus.agents.training.save_callback import SaveCallback

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


def kill(folder: Path, algo: str, rng: random.Random) -> dict[str, Any]:
    """Start, kill at a random moment, and look at what is there."""
    board, had = Board(), (folder / "agent.json").exists()
    process = start(folder, algo, 10**9, INTERVAL, board)
    moment = rng.choice(("began", "saving", "saving", ""))  # to wait for; then, a random time
    while moment and not board[moment] and os.waitpid(process, os.WNOHANG)[0] == 0:
        time.sleep(0.0002)
    time.sleep(rng.uniform(0.0, {"began": 4 * INTERVAL, "saving": 0.02, "": 0.3}[moment]))
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
    rng = random.Random(seed)
    seen = [kill(folder / "killed", algo, rng) for _ in range(kills)]
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
