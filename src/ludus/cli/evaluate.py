"""`ludus evaluate`: how good an agent is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..envs.bots import Evaluation, evaluate_player, interval
from .arguments import parse
from .players import agent_in, is_bot, seats
from .terminal import console, say

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 80  # of the table, at least


@dataclass
class Config:
    """Play whole episodes with an agent and report its returns."""

    agent: Path
    """The folder that `ludus train` wrote, or a game and a bot, as in Snake:heuristic or Snake:random."""
    against: str | None = None
    """Who has the other seats in a game for several: heuristic, random, or an agent's folder; None: the agent itself."""
    episodes: int = 100
    """Episodes to play, one game each."""
    sampled: bool = False
    """Draw actions from the policy instead of taking the most likely one (greedy)."""
    seed: int = 0
    """Of the games; the same seed gives the same episodes."""
    max_episode_steps: int | None = None
    """Truncate episodes after this many steps (-1: never); None: as the agent was trained, or as the game's author says."""
    device: str = "cpu"
    """cpu or cuda."""


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "evaluate")
    with Progress(config.episodes) as progress:
        found, title = evaluation(config, progress.tell)
    say(title, f", {policy(config)}" if found.returns.ndim > 1 else "")
    wide = console()
    wide.width = max(wide.width, WIDTH)  # numbers are never cut
    wide.print(table_of(found, policy(config)))
    if found.unfinished:
        say(f"{found.unfinished} episodes did not end; their return so far is counted")
    return 0


class Progress:
    """What a person sees meanwhile, on standard error: a line that changes or, where that is no terminal, one now and then.

    Args:
        interval: seconds between two lines where there is no terminal.
    """

    def __init__(self, episodes: int, interval: float = 10.0) -> None:
        self.episodes = episodes
        self.console = console(stderr=True)
        self.status = self.console.status("")
        self.interval = 0.2 if self.console.is_terminal else interval
        self.due = time.monotonic() + max(1.0, self.interval)  # what is done by then needs no words

    def tell(self, steps: int, ended: int) -> None:
        """After each step of the games."""
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + self.interval
        text = f"{ended} of {self.episodes} episodes ended after {steps} steps"
        if self.console.is_terminal:
            self.status.update(text)
            self.status.start()
        else:
            self.console.print(text)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.status.stop()


def evaluation(config: Config, tell: Callable[[int, int], None]) -> tuple[Evaluation, str]:
    """What came of the episodes, and a heading."""
    limit = config.max_episode_steps
    changes = {} if limit is None else {"max_episode_steps": limit}
    if is_bot(config.agent) or config.against is not None:
        player, sim = seats(config.agent, config.against, config.seed, config.episodes, **changes)
        title = f"{sim.game.name}, {config.agent}" + (f" against {config.against}" if config.against else "")
        return evaluate_player(player, sim, not config.sampled, tell=tell), title
    from ..agents.environments import title_of
    from ..agents.evaluation import evaluate

    agent = agent_in(config.agent, config.device)
    agent.set_random_seed(config.seed)
    found = evaluate(agent, config.episodes, not config.sampled, config.seed, tell=tell, **changes)
    played = {**agent.environment, "options": {**agent.environment.get("options", {}), **changes}}
    return found, f"{title_of(played)}, {config.agent}"


def policy(config: Config) -> str:
    """How actions were chosen."""
    if is_bot(config.agent):
        return str(config.agent).rpartition(":")[2]
    return "sampled" if config.sampled else "greedy"


def table_of(found: Evaluation, policy: str) -> Table:
    """A row of returns, or one for each player."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    several = found.returns.ndim > 1
    for column in ("player" if several else "policy", "episodes", "return", "95 % interval", "std", "min", "max"):
        table.add_column(column, justify="left" if column == "policy" else "right", no_wrap=True)
    table.add_column("length", justify="right", no_wrap=True)
    for k, returns in enumerate(found.returns.T if several else [found.returns]):
        low, high = interval(returns)
        table.add_row(
            str(k + 1) if several else policy, str(len(returns)), figure(returns.mean()), f"{figure(low)} to {figure(high)}",
            figure(returns.std()), f"{returns.min():g}", f"{returns.max():g}", f"{found.lengths.mean():.0f}",
        )  # fmt: skip
    return table


def figure(number: float) -> str:
    """With decimals where they say something."""
    return f"{number:.2f}" if abs(number) < 10_000 else f"{number:.0f}"
