"""`ludus evaluate`: how good an agent is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..envs import OptionError


@dataclass
class Config:
    """Play whole episodes with an agent and report its returns."""

    agent: Annotated[Path, tyro.conf.Positional]
    """The folder that `ludus train` wrote."""
    episodes: int = 100
    """Episodes to play, one game each."""
    sampled: bool = False
    """Draw actions from the policy instead of taking the most likely one (greedy)."""
    seed: int = 0
    """Of the games; the same seed gives the same episodes."""
    device: str = "cpu"
    """cpu or cuda."""


def main(argv: list[str]) -> int:
    config = tyro.cli(Config, args=argv, prog="ludus evaluate")
    if config.episodes < 1:
        raise OptionError(f"episodes must be 1 or more, got {config.episodes}")
    from rich.console import Console
    from rich.table import Table

    from ..agents.checkpoint import load_agent
    from ..agents.evaluation import evaluate

    agent = load_agent(config.agent, device=config.device)
    agent.set_random_seed(config.seed)
    result = evaluate(agent, config.episodes, deterministic=not config.sampled, seed=config.seed)
    low, high = result.interval
    facts = agent.environment
    table = Table(title=f"{facts.get('game') or facts.get('gymnasium')}, {config.agent}", title_justify="left")
    for column in ("policy", "episodes", "mean return", "95 % interval", "std", "min", "max", "mean length"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    r = result.returns
    table.add_row(
        "sampled" if config.sampled else "greedy", str(len(r)), f"{r.mean():.2f}", f"{low:.2f} to {high:.2f}",
        f"{r.std():.2f}", f"{r.min():g}", f"{r.max():g}", f"{result.lengths.mean():.0f}",
    )  # fmt: skip
    console = Console()
    console.print(table)
    if result.unfinished:
        console.print(f"{result.unfinished} episodes did not end; their return so far is counted")
    return 0
