"""`ludus evaluate`: how good an agent is."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..envs import OptionError
from ..envs.bots import STEP_LIMIT, Evaluation, evaluate_player, interval
from .arguments import parse
from .interrupts import INTERRUPTED
from .players import agent_in, is_bot, player_maker, seats
from .terminal import console, say

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 80  # of the table, at least


@dataclass
class Config:
    """Play whole episodes with an agent and report its returns."""

    agent: Path
    """The folder that `ludus train` wrote, or a game and a bot, as in Snake:heuristic or ConnectFour:search-4."""
    against: str | None = None
    """Who has the other seats in a game for several: heuristic, random, search-4, or an agent's folder; None: the
    agent itself."""
    episodes: int = 100
    """Episodes to play, one game each; in games of Ludus they are left after 100_000 steps."""
    deterministic: bool = True
    """Take the most likely action (greedy)."""
    sampled: bool = False
    """Draw actions from the policy, as --no-deterministic does."""
    search: int = 0
    """Simulations of tree search before each of the agent's moves; 0: it does not look ahead."""
    seed: int | None = 0
    """Of the games and of drawing actions; the same seed gives the same episodes; None: a new one every time."""
    max_episode_steps: int | None = None
    """Truncate episodes after this many steps (-1: never); None: as the agent was trained, or as the game's author says."""
    device: str = "cpu"
    """cpu, cuda, or auto, for an agent on its own; bots and games with --against are played on the CPU."""


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "evaluate")
    with Progress(config.episodes) as progress:
        found, title = evaluation(config, progress)
    say(title, f", {policy(config)}" if found.returns.ndim > 1 else "")
    if len(found.returns) > 0:
        wide = console()
        wide.width = max(wide.width, WIDTH)  # numbers are never cut
        wide.print(table_of(found, policy(config)))
    for line in remarks(found, config.episodes, progress):
        say(line)
    if policy(config) == "greedy":
        say("greedy: the most likely actions; --sampled draws them, as training does")
    return INTERRUPTED if progress.stopped else 0


def remarks(found: Evaluation, episodes: int, progress: Progress) -> Iterator[str]:
    """What to know of episodes that have no end."""
    if progress.stopped:
        yield f"interrupted after {progress.steps} steps"
    if found.unfinished:
        where = "then" if progress.stopped else f"after {STEP_LIMIT} steps, where they are left"
        yield f"{found.unfinished} of {episodes} episodes had not ended {where}; their return so far is counted"
    if found.unfinished and not progress.stopped:
        yield "--max-episode-steps N ends episodes sooner"
    if len(found.returns) < episodes:
        yield f"only {len(found.returns)} of {episodes} episodes had ended, which are counted"


class Progress:
    """What a person sees meanwhile, on standard error: a line that changes or, where that is no terminal, one now and then.

    From the first step on, Ctrl-C ends the evaluation with what there is; a second one ends all at once.

    Args:
        interval: seconds between two lines where there is no terminal.
    """

    def __init__(self, episodes: int, interval: float = 10.0) -> None:
        self.episodes, self.steps, self.ended = episodes, 0, 0
        self.most: int | None = None  # steps that an episode may have
        self.stopped, self.handler = False, signal.getsignal(signal.SIGINT)
        self.console = console(stderr=True)
        self.status = self.console.status("")
        self.interval = 0.2 if self.console.is_terminal else interval
        self.due = time.monotonic() + max(1.0, self.interval)  # what is done by then needs no words

    def tell(self, steps: int, ended: int) -> bool:
        """After each step of the games; returns whether to go on."""
        if self.steps == 0 and self.handler is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.stop)
        self.steps, self.ended = steps, ended
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + self.interval
            most = "" if self.most is None else f" of {self.most} at most"
            self.show(f"{ended} of {self.episodes} episodes ended after {steps} steps{most}")
        return not self.stopped

    def show(self, text: str) -> None:
        if self.console.is_terminal:
            self.status.update(f"{text}; Ctrl-C stops")
            self.status.start()
        else:
            self.console.print(text)

    def stop(self, *_: object) -> None:
        """The handler of the first Ctrl-C."""
        self.stopped = True
        signal.signal(signal.SIGINT, self.handler)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.status.stop()
        if signal.getsignal(signal.SIGINT) == self.stop:
            signal.signal(signal.SIGINT, self.handler)


def evaluation(config: Config, progress: Progress) -> tuple[Evaluation, str]:
    """What came of the episodes, and a heading."""
    limit = config.max_episode_steps
    changes = {} if limit is None else {"max_episode_steps": limit}
    most = STEP_LIMIT if limit in (None, -1) else min(limit, STEP_LIMIT)
    if is_bot(config.agent) or config.against is not None:
        if config.device not in ("auto", "cpu"):
            raise OptionError("--device is for an agent on its own: bots and opponents play on the CPU, leave it out")
        player, sim = seats(config.agent, config.against, config.seed, config.episodes, config.search, **changes)
        title = f"{sim.game.name}, {who(config)}" + (f" against {config.against}" if config.against else "")
        progress.most = most
        return evaluate_player(player, sim, not config.sampled, tell=progress.tell), title
    from ..agents.checkpoints.env_spec import title_of
    from ..agents.training.evaluation import evaluate

    agent = agent_in(config.agent, config.device)
    agent.set_random_seed(config.seed)
    progress.most = most if "game" in agent.environment else None
    player = player_maker(config.search, config.seed or 0) if config.search else None
    found = evaluate(
        agent, config.episodes, not config.sampled, config.seed, tell=progress.tell, player=player, **changes
    )
    played = {**agent.environment, "options": {**agent.environment.get("options", {}), **changes}}
    return found, f"{title_of(played)}, {who(config)}"


def who(config: Config) -> str:
    """Whose play it is."""
    return f"{config.agent}" + (f" with {config.search} simulations a move" if config.search else "")


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
