"""Whole trainings, each in a process of its own on one core, as many at once as there are cores.

    python runs.py '{"game": "Breakout", "seed": 0, "steps": 100000, "algo": "dqn"}'

trains one, as `ludus train Breakout --recipe --algo dqn` does, and prints what became of it as a line of JSON. The final
agent, not the best checkpoint, plays 100 whole episodes greedily and 100 with its exploration.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recipe_agent import agent_by_recipe
from report import all_cores

from ludus.agents.files.curve import read_curve
from ludus.agents.training.curve_callback import CurveCallback
from ludus.agents.training.evaluation import evaluate

EPISODES, POINTS = 100, 200


class RunFailed(RuntimeError):
    """A training came to no end; the message is the end of what it said."""


@dataclass(frozen=True)
class Case:
    """A training: the zoo's recipe for a game on one thread.

    Attributes:
        steps: of the environment.
        changes: settings of the algorithm that differ from the recipe's.
        name: what the agent is called where several are compared.
    """

    game: str
    seed: int
    steps: int
    algo: str = "ppo"
    changes: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name or self.algo} on {self.game}, seed {self.seed}"


def run(case: Case) -> dict[str, Any]:
    """Train one agent and evaluate it."""
    about: dict[str, Any] = {"seed": case.seed, "total_timesteps": case.steps}
    _, agent = agent_by_recipe(case.game, case.algo, **about, **case.changes)
    with TemporaryDirectory() as folder:
        agent.learn(case.steps, callback=CurveCallback(Path(folder)))
        curve = read_curve(Path(folder)).thinned(POINTS)
    seconds = agent.elapsed()
    greedy, sampled = (evaluate(agent, EPISODES, deterministic=choice) for choice in (True, False))
    return {
        "game": case.game, "seed": case.seed, "steps": agent.num_timesteps, "seconds": seconds,
        "greedy": greedy.mean, "sampled": sampled.mean, "unfinished": greedy.unfinished + sampled.unfinished,
        "curve": list(zip(curve.steps.astype(int).tolist(), curve.returns.tolist(), strict=True)),
    }  # fmt: skip


def comparison_parser(description: str, steps: int, seeds: int) -> argparse.ArgumentParser:
    """What every comparison of agents on MinAtar's games can be told; these are the defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=lambda text: int(float(text)), default=steps, help="of each training")
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--games", type=lambda text: text.split(","), default=["Breakout", "Asterix"])
    parser.add_argument("--write", action="store_true", help="keep the table in RESULTS.md")
    return parser


def cut_off(count: int) -> str:
    """What is to be said of episodes that did not end; nothing if there were none."""
    return f" {count} episodes were cut off after 100,000 steps, with their return so far." if count else ""


def run_apart(case: Case) -> dict[str, Any]:
    """The same in a process of its own, on one core; raises RunFailed."""
    command = [sys.executable, __file__, json.dumps(asdict(case))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RunFailed(f"{case} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run_all(cases: Iterable[Case], keep: Callable[[Case, dict[str, Any]], None]) -> None:
    """Run all, and tell of each as soon as it ends; the program ends after the last if any failed."""
    pool, failures = ThreadPoolExecutor(all_cores()), []
    running = {pool.submit(run_apart, case): case for case in cases}
    try:
        for done in as_completed(running):
            try:
                keep(running[done], done.result())
            except RunFailed as failure:
                failures.append(str(failure))
    finally:
        pool.shutdown(cancel_futures=True)
    if failures:
        raise SystemExit("\n".join(failures))


if __name__ == "__main__":
    with redirect_stdout(sys.stderr):  # what libraries print
        result = run(Case(**json.loads(sys.argv[1])))
    print(json.dumps(result))
