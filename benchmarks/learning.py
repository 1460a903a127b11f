"""What two minutes on Breakout teach, over several seeds, under MinAtar's own protocol.

    python benchmarks/learning.py [--algo pqn] --seeds 5 --write

Each seed trains in a process of its own, as a user would, with `ludus train Breakout --recipe --algo ... --time-limit ...`;
PQN is what `make demo` trains. The final agent, not the best checkpoint, plays 100 whole episodes greedily and 100 as it
explores; Stable-Baselines3's `evaluate_policy` plays the greedy ones again as a check.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from report import Table, amount, between, describe, machine, sampled_as, write_results
from rich.console import Console

from ludus.agents import load_agent
from ludus.agents.checkpoints.env_spec import make_environment
from ludus.agents.training.evaluation import evaluate
from ludus.demo import ALGO, GAME, SECONDS

PACKAGES = ("ludus", "torch", "stable-baselines3", "numpy")
EPISODES = 100
HOW = """{machine}

`ludus train Breakout --recipe --algo {algo} --time-limit {seconds:g}`: sticky actions 0.1, all six actions, no limit of
steps, CPU only. Mean return of the final agent over 100 whole episodes. Published under the same protocol: DQN after 5 M
frames 10 (Young & Tian 2019, read off a plot). The training is timed, so a faster or busier machine gets another figure."""


def run_seed(algo: str, seed: int, seconds: float) -> dict[str, Any]:
    """Train one agent and evaluate it three ways."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ludus", "train", GAME, "--recipe", "--algo", algo]
        command += ["--time-limit", str(seconds)]
        command += ["--total-timesteps", "1000000000", "--seed", str(seed), "--out", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        agent = load_agent(Path(folder), device="cpu")
    agent.set_random_seed(seed)
    greedy, sampled = (evaluate(agent, EPISODES, deterministic=choice) for choice in (True, False))
    return {
        "seed": seed,
        "steps": agent.num_timesteps,
        "steps_per_second": agent.num_timesteps / seconds,
        "greedy": greedy.mean,
        "greedy_interval": greedy.interval,
        "sampled": sampled.mean,
        "sampled_interval": sampled.interval,
        "evaluate_policy": check_with_stable_baselines3(agent),
    }


def check_with_stable_baselines3(agent: Any) -> float:
    """Mean greedy return as Stable-Baselines3's own function finds it, on the same episodes."""
    from stable_baselines3.common.evaluation import evaluate_policy

    env = make_environment(agent.environment, num_envs=EPISODES, seed=0)
    mean, _ = evaluate_policy(agent, env, n_eval_episodes=EPISODES, deterministic=True)
    env.close()
    return float(np.mean(mean))


def table_of(algo: str, runs: list[dict[str, Any]]) -> Table:
    """One row a seed, and their mean."""
    columns = ["seed", "steps", "steps/s", "greedy", "95 %", sampled_as(algo), "95 %", "evaluate_policy, greedy"]
    rows = [
        [
            str(run["seed"]), amount(run["steps"]), amount(run["steps_per_second"]),
            f"{run['greedy']:.1f}", between(run["greedy_interval"]),
            f"{run['sampled']:.1f}", between(run["sampled_interval"]), f"{run['evaluate_policy']:.1f}",
        ]
        for run in runs
    ]  # fmt: skip
    greedy, sampled = (np.array([run[name] for run in runs]) for name in ("greedy", "sampled"))
    rows.append(["mean of seeds", "", "", f"{greedy.mean():.1f}", "", f"{sampled.mean():.1f}", "", ""])
    lowest = f"Lowest seed: greedy {greedy.min():.1f}, {sampled_as(algo)} {sampled.min():.1f}."
    note = f"{lowest} The intervals are over the 100 episodes."
    return Table("Two minutes on Breakout", note, columns, rows)


def main() -> None:
    """Train, evaluate, show, and with --write keep."""
    parser = argparse.ArgumentParser(description="What two minutes on Breakout teach.")
    parser.add_argument("--algo", default=ALGO, choices=("ppo", "dqn", "pqn"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of training, each")
    parser.add_argument("--write", action="store_true", help="keep results in RESULTS.md and results/learning*.json")
    arguments = parser.parse_args()
    algo, facts, console = arguments.algo, machine(PACKAGES), Console()
    runs = []
    for seed in range(arguments.seeds):
        runs.append(run_seed(algo, seed, arguments.seconds))
        console.print(table_of(algo, runs).rich())
    if arguments.write:
        name, title = ("learning", "Learning") if algo == ALGO else (f"learning-{algo}", f"Learning, {algo.upper()}")
        how = HOW.format(machine=describe(facts), algo=algo, seconds=arguments.seconds)
        found = {"machine": facts, "seconds": arguments.seconds, "runs": runs}
        write_results(name, found, "\n\n".join([f"## {title}", how, table_of(algo, runs).markdown()]))


if __name__ == "__main__":
    main()
