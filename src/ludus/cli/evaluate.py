"""`ludus evaluate`: how good an agent is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ..envs import OptionError
from ..envs.bots import Evaluation, evaluate_player, interval
from .players import is_bot, seats

if TYPE_CHECKING:
    from rich.table import Table


@dataclass
class Config:
    """Play whole episodes with an agent and report its returns."""

    agent: Annotated[Path, tyro.conf.Positional]
    """The folder that `ludus train` wrote, or a game and a bot, as in Snake:heuristic or Snake:random."""
    against: str | None = None
    """Who has the other seats in a game for several: heuristic, random, or an agent's folder; None: the agent itself."""
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

    found, title = evaluation(config)
    console = Console()
    console.print(table_of(found, title, policy(config)))
    if found.unfinished:
        console.print(f"{found.unfinished} episodes did not end; their return so far is counted")
    return 0


def evaluation(config: Config) -> tuple[Evaluation, str]:
    """What came of the episodes, and a heading."""
    if is_bot(config.agent) or config.against is not None:
        player, sim = seats(config.agent, config.against, config.seed, config.episodes)
        title = f"{sim.game.name}, {config.agent}" + (f" against {config.against}" if config.against else "")
        return evaluate_player(player, sim, not config.sampled), title
    from ..agents.checkpoint import load_agent
    from ..agents.environments import title_of
    from ..agents.evaluation import evaluate

    agent = load_agent(config.agent, device=config.device)
    agent.set_random_seed(config.seed)
    found = evaluate(agent, config.episodes, deterministic=not config.sampled, seed=config.seed)
    return found, f"{title_of(agent.environment)}, {config.agent}"


def policy(config: Config) -> str:
    """How actions were chosen."""
    if is_bot(config.agent):
        return str(config.agent).rpartition(":")[2]
    return "sampled" if config.sampled else "greedy"


def table_of(found: Evaluation, title: str, policy: str) -> Table:
    """A row of returns, or one for each player."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    several = found.returns.ndim > 1
    if several:
        table.title = f"{title}, {policy}"
    for column in ("player" if several else "policy", "episodes", "return", "95 % interval", "std", "min", "max"):
        table.add_column(column, justify="left" if column == "policy" else "right", no_wrap=True)
    table.add_column("length", justify="right", no_wrap=True)
    for k, returns in enumerate(found.returns.T if several else [found.returns]):
        low, high = interval(returns)
        table.add_row(
            str(k + 1) if several else policy, str(len(returns)), f"{returns.mean():.2f}", f"{low:.2f} to {high:.2f}",
            f"{returns.std():.2f}", f"{returns.min():g}", f"{returns.max():g}", f"{found.lengths.mean():.0f}",
        )  # fmt: skip
    return table
