"""What `make demo` runs: train PQN on Breakout for two minutes, evaluate the agent, make a GIF of its play."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from .cli import record, train
from .cli.terminal import quoted, say

GAME, ALGO = "Breakout", "pqn"
SECONDS = 115.0  # of training


def main(folder: Path = Path("runs/demo"), seconds: float = SECONDS, seed: int = 0) -> int:
    """Returns the exit status; the agent, its logs and the GIF are in `folder` afterwards."""
    from .agents import load_agent
    from .agents.training.evaluation import evaluate
    from .agents.training.progress_bar import clock

    say("\n", ("Ludus", "bold"), f" learns {GAME} under MinAtar's rules, on {os.cpu_count()} cores, in two minutes.\n")
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

    mean = (f"Mean return over 100 episodes: {greedy.mean:.1f}", "bold")
    say("\n", mean, f" greedy, {exploring.mean:.1f} exploring")
    say(
        f"  trained for {clock(trained)}, {agent.num_timesteps:,} steps; everything took {clock(time.monotonic() - started)}"
    )
    say("  for comparison: a random player gets 0.5, DQN after 5 million frames 10 (Young & Tian 2019)\n")
    say("Next:")
    ludus = (
        Path(sys.argv[0]).parent / "ludus" if sys.argv[0].endswith("ludus") else Path(sys.executable).parent / "ludus"
    )
    command = os.path.relpath(ludus) if ludus.exists() else "ludus"
    say("  open ", (quoted(gif), "bold"))
    for line, why in (
        (f"{command} watch {quoted(folder)}", "watch it in a window"),
        (f"{command} play {GAME}", "play yourself"),
        (f"{command} train SpaceInvaders --algo {ALGO}", "train another game"),
    ):
        say("  ", (f"{line:<54}", "bold"), f" {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
