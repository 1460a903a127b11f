"""What `make demo` runs: train PQN on Breakout for two minutes, evaluate the agent, make a GIF of its play."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from .cli import record, train

GAME, ALGO = "Breakout", "pqn"
SECONDS = 115.0  # of training


def main(folder: Path = Path("runs/demo"), seconds: float = SECONDS, seed: int = 0) -> int:
    """Returns the exit status; the agent, its logs and the GIF are in `folder` afterwards."""
    from rich.console import Console

    from .agents.checkpoint import load_agent
    from .agents.evaluation import evaluate
    from .agents.progress import clock

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\n[bold]Ludus[/] learns {GAME} under MinAtar's rules, on {os.cpu_count()} cores, in two minutes.\n")
    started = time.monotonic()
    config = train.from_recipe(
        GAME, ALGO, out=folder, time_limit=seconds, total_timesteps=1_000_000_000, seed=seed, device="cpu", overwrite=True,
    )  # fmt: skip
    train.train(config)
    trained = time.monotonic() - started

    agent = load_agent(folder, device="cpu")
    agent.set_random_seed(seed)
    greedy, exploring = (evaluate(agent, 100, deterministic=choice) for choice in (True, False))
    gif = folder / "play.gif"
    record.main([str(folder), "--out", str(gif), "--best-of", "10", "--max-steps", "400", "--force"])

    console.print(f"\n[bold]Mean return over 100 episodes: {greedy.mean:.1f}[/] greedy, {exploring.mean:.1f} exploring")
    console.print(
        f"  trained for {clock(trained)}, {agent.num_timesteps:,} steps; everything took {clock(time.monotonic() - started)}"
    )
    console.print("  for comparison: a random player gets 0.5, DQN after 5 million frames 10 (Young & Tian 2019)\n")
    console.print("Next:")
    ludus = (
        Path(sys.argv[0]).parent / "ludus" if sys.argv[0].endswith("ludus") else Path(sys.executable).parent / "ludus"
    )
    command = os.path.relpath(ludus) if ludus.exists() else "ludus"
    console.print(f"  open [bold]{gif}[/]")
    for line, why in (
        (f"{command} watch {folder}", "watch it in a window"),
        (f"{command} play {GAME}", "play yourself"),
        (f"{command} train SpaceInvaders --algo {ALGO}", "train another game"),
    ):
        console.print(f"  [bold]{line:<54}[/] {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
