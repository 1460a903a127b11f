"""Episodes that agents and bots play to be judged, and what a person sees meanwhile."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from ..envs import find_game
from ..envs.bots import STEP_LIMIT, Evaluation, evaluate_player
from .players import agent_in, is_bot, player_maker, seats
from .terminal import console, shown


@dataclass
class Episodes:
    """Flags of verbs that let agents play whole episodes."""

    agent: tuple[Path, ...]
    """Who plays."""
    episodes: int = 100
    """Episodes to play, one game each; in games of Ludus they are left after 100_000 steps."""
    deterministic: bool = True
    """Take the most likely action (greedy)."""
    sampled: bool = False
    """Draw actions from the policy, as --no-deterministic does."""
    search: int = 0
    """Simulations of tree search before each of an agent's moves; 0: it does not look ahead."""
    seed: int | None = 0
    """Of the games and of drawing actions; the same seed gives the same episodes; None: a new one every time."""
    max_episode_steps: int | None = None
    """Truncate episodes after this many steps (-1: never); None: as the agent was trained, or as the game's author says."""
    device: str = "cpu"
    """cpu, cuda, or auto, for an agent on its own; bots and games with --against are played on the CPU."""


LONG = 10_000  # steps, after which an agent may well go in circles
LOOKS = ("obs_type", "size", "frame_stack")  # options that change what agents see, not what they play


@dataclass(frozen=True)
class Entry:
    """Who plays, where.

    Attributes:
        who: an agent's folder, or a game and a bot.
        agent: None of a bot.
        environment: as `agents.checkpoints.env_spec` tells it, with what flags change.
        options: of the game, in place of those that the agent was trained with; a bot's are those of the agents beside it.
    """

    who: Path
    agent: Any
    environment: dict[str, Any]
    options: dict[str, Any]

    @property
    def game(self) -> str:
        """The environment's name."""
        return str(self.environment.get("game") or self.environment.get("gymnasium"))

    @property
    def title(self) -> str:
        """The environment in words."""
        return titled(self.environment)

    @property
    def rules(self) -> str:
        """What is played, in words, whatever agents see of it."""
        return titled({**self.environment, "options": without_looks(self.environment["options"])})


def titled(environment: Mapping[str, Any]) -> str:
    """An environment in words; a game as it is without PyTorch, which takes seconds."""
    if "game" in environment and not environment["options"]:
        return environment["game"]
    from ..agents.checkpoints.env_spec import title_of

    return title_of(environment)


def entries(agents: Sequence[Path], config: Episodes) -> list[Entry]:
    """Who plays, in the order given; raises LudusError for what is no agent."""
    limit = config.max_episode_steps
    changes = {} if limit is None else {"max_episode_steps": limit}
    loaded = {who: agent_in(who, config.device) for who in agents if not is_bot(who)}
    played = {agent.environment.get("game"): agent.environment.get("options", {}) for agent in loaded.values()}
    found = []
    for who in agents:
        if who in loaded:
            facts, own = loaded[who].environment, changes
        else:
            game = find_game(str(who).rpartition(":")[0]).name
            facts = {"game": game, "options": without_looks(played.get(game, {}))}
            own = {**options_of(facts), **changes}
        told = {**facts, "options": {**facts.get("options", {}), **changes}}
        found.append(Entry(who, loaded.get(who), told, own))
    return found


def options_of(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Options as a game takes them."""
    if not environment.get("options"):
        return {}
    from ..agents.checkpoints.env_spec import read_options

    return read_options(environment["options"])


def without_looks(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a game that change what is played."""
    return {name: value for name, value in options.items() if name not in LOOKS}


def play(
    entry: Entry,
    config: Episodes,
    progress: Progress,
    against: str | None = None,
    sampled: bool = False,
    **options: Any,
) -> Evaluation:
    """What came of the episodes; `options` of the game replace the entry's."""
    options = {**entry.options, **options}
    limit = options.get("max_episode_steps")
    most = STEP_LIMIT if limit in (None, -1) else min(limit, STEP_LIMIT)
    if entry.agent is None or against is not None:
        player, sim = seats(entry.who, against, config.seed, config.episodes, config.search, **options)
        progress.begin(str(entry.who), most)
        return evaluate_player(player, sim, not sampled, tell=progress.tell)
    from ..agents.training.evaluation import evaluate

    progress.begin(str(entry.who), most if "game" in entry.environment else None)
    entry.agent.set_random_seed(config.seed)
    player = player_maker(config.search, config.seed or 0) if config.search else None
    return evaluate(
        entry.agent, config.episodes, not sampled, config.seed, tell=progress.tell, player=player, **options
    )


class Progress:
    """What a person sees meanwhile, on standard error: a line that changes or, where that is no terminal, one now and then.

    From the first step on, Ctrl-C ends the evaluation with what there is; a second one ends all at once.

    Args:
        interval: seconds between two lines where there is no terminal.
    """

    def __init__(self, episodes: int, interval: float = 10.0) -> None:
        self.episodes, self.steps, self.ended = episodes, 0, 0
        self.who, self.most = "", None  # who plays, and how many steps an episode may have
        self.stopped, self.handler = False, signal.getsignal(signal.SIGINT)
        self.console = console(stderr=True)
        self.status = self.console.status("")
        self.interval = 0.2 if self.console.is_terminal else interval
        self.due = time.monotonic() + max(1.0, self.interval)  # what is done by then needs no words

    def begin(self, who: str, most: int | None) -> None:
        """Before the games of one player; None: how many steps an episode may have is not known."""
        self.who, self.steps, self.ended, self.most = who, 0, 0, most

    def tell(self, steps: int, ended: int) -> bool:
        """After each step of the games; returns whether to go on."""
        if self.steps == 0 and self.handler is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.stop)
        self.steps, self.ended = steps, ended
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + self.interval
            most = "" if self.most is None else f" of {self.most} at most"
            most += "; --max-episode-steps N ends them sooner" if steps >= LONG and self.most == STEP_LIMIT else ""
            who = f"{self.who}: " if self.who else ""
            self.show(f"{who}{ended} of {self.episodes} episodes ended after {steps} steps{most}")
        return not self.stopped

    def show(self, text: str) -> None:
        if self.console.is_terminal:
            self.status.update(Text(f"{shown(text)}; Ctrl-C stops"))
            self.status.start()
        else:
            self.console.print(shown(text), soft_wrap=True)

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
