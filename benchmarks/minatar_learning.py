"""PPO on MinAtar's five games under their own protocol, several seeds each: final returns and curves.

    python benchmarks/minatar_learning.py [--steps 10000000] [--seeds 3] [--write]

Every run is a process of its own on one core, as many at once as there are cores, and is what `ludus train GAME --recipe`
does. The final agent, not the best checkpoint, plays 100 whole episodes greedily and 100 with actions drawn from the policy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from report import FOLDER, Table, describe, machine, write_results
from rich.console import Console
from stable_baselines3.common.callbacks import BaseCallback

from ludus.agents.evaluation import evaluate
from ludus.cli import train

PACKAGES = ("ludus", "torch", "stable-baselines3", "numpy")
EPISODES, POINTS = 100, 200
PUBLISHED = {  # mean returns, read off plots by their citers: see the note under the table
    "DQN, 5 M frames": {"Asterix": "17", "Breakout": "10", "Freeway": "50", "Seaquest": "20", "SpaceInvaders": "44"},
    "AC(λ), 5 M": {"Asterix": "19", "Breakout": "17.5", "Freeway": "47.5", "Seaquest": "16", "SpaceInvaders": "185"},
    "PPO of Pgx, 20 M": {
        "Asterix": "22-25", "Breakout": "50", "Freeway": "63.5", "Seaquest": "54", "SpaceInvaders": "145-153"
    },
}  # fmt: skip
GAMES = tuple(PUBLISHED["DQN, 5 M frames"])
HOW = """{machine}

`ludus train GAME --recipe --total-timesteps {steps} --num-threads 1`: sticky actions 0.1, all six actions, no limit of steps
(Freeway ends after 2500 by its own rules), CPU only. Mean return of the final agent over 100 whole episodes."""
NOTE = (
    "Published: DQN and AC(λ) of Young & Tian 2019 under the same protocol, read off plots; PPO of Pgx (Koyama et al. 2023) "
    "with the minimal action sets, which is easier. Seeds are 0, 1, 2 and so on."
)


class Curve(BaseCallback):
    """Points (steps, mean return of the last hundred episodes)."""

    def __init__(self, every: float) -> None:
        super().__init__()
        self.every, self.points = every, []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        episodes = self.model.ep_info_buffer
        if episodes and self.num_timesteps >= self.every * (len(self.points) + 1):
            self.points.append((self.num_timesteps, fmean(float(episode["r"]) for episode in episodes)))


def run(game: str, seed: int, steps: int) -> dict[str, Any]:
    """Train one agent and evaluate it."""
    config = train.from_recipe(game, seed=seed, device="cpu", tensorboard=False, total_timesteps=steps)
    config.settings.num_threads = 1
    agent = train.make_agent(config, train.make_env(config), Path())
    curve = Curve(steps / POINTS)
    agent.learn(steps, callback=curve)
    seconds = agent.elapsed()
    greedy, sampled = (evaluate(agent, EPISODES, deterministic=choice) for choice in (True, False))
    return {
        "game": game, "seed": seed, "steps": agent.num_timesteps, "seconds": seconds,
        "greedy": greedy.mean, "sampled": sampled.mean, "unfinished": greedy.unfinished + sampled.unfinished,
        "curve": curve.points,
    }  # fmt: skip


def run_apart(game: str, seed: int, steps: int) -> dict[str, Any]:
    """The same in a process of its own, on one core."""
    command = [sys.executable, __file__, "--one", game, str(seed), "--steps", str(steps)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{game}, seed {seed} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def table_of(runs: list[dict[str, Any]]) -> Table:
    """One row a game."""
    rows = []
    for game in GAMES:
        mine = sorted((run for run in runs if run["game"] == game), key=lambda run: run["seed"])
        if not mine:
            continue
        cells = [[run[how] for run in mine] for how in ("greedy", "sampled")]
        rows.append(
            [
                game, *(f"{np.mean(values):.1f} ({', '.join(f'{value:.1f}' for value in values)})" for values in cells),
                *(row[game] for row in PUBLISHED.values()),
            ]
        )  # fmt: skip
    unfinished = sum(run["unfinished"] for run in runs)
    note = NOTE + (f" {unfinished} episodes did not end and are left out." if unfinished else "")
    return Table("Mean returns", note, ["game", "greedy (seeds)", "sampled (seeds)", *PUBLISHED], rows)


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """Curves, a panel a game and a line a seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(GAMES), figsize=(3.2 * len(GAMES), 2.9), layout="constrained")
    for panel, game in zip(panels, GAMES, strict=True):
        for line in (run for run in runs if run["game"] == game):
            steps, returns = zip(*line["curve"], strict=True)
            panel.plot(np.array(steps) / 1e6, returns, linewidth=1.2, label=f"seed {line['seed']}")
        panel.set_title(game, fontsize=10)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_xlabel("million steps")
    panels[0].set_ylabel("mean return, last 100 episodes")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Train, evaluate, show, and with --write keep."""
    parser = argparse.ArgumentParser(description="PPO on MinAtar's five games under their own protocol.")
    parser.add_argument("--steps", type=int, default=10_000_000, help="of each training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--games", nargs="+", default=list(GAMES), choices=GAMES)
    parser.add_argument(
        "--one", nargs=2, metavar=("GAME", "SEED"), help="train this alone and print what came, as JSON"
    )
    parser.add_argument("--write", action="store_true", help="keep results in RESULTS.md and results/minatar.json")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run(arguments.one[0], int(arguments.one[1]), arguments.steps)))
        return
    facts, console, runs = machine(PACKAGES), Console(), []

    def one(case: tuple[int, str]) -> None:
        runs.append(run_apart(case[1], case[0], arguments.steps))
        console.print({name: value for name, value in runs[-1].items() if name != "curve"}, highlight=False)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, product(range(arguments.seeds), arguments.games)))
    console.print(table_of(runs).rich())
    if arguments.write:
        draw(runs, FOLDER / "results" / "minatar.png")
        how = HOW.format(machine=describe(facts), steps=arguments.steps)
        curves = "![Curves of every seed](results/minatar.png)"
        found = {"machine": facts, "runs": sorted(runs, key=lambda run: (run["game"], run["seed"]))}
        write_results("minatar", found, "\n\n".join(["## MinAtar", how, table_of(runs).markdown(), curves]))


if __name__ == "__main__":
    main()
