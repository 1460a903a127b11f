"""`ludus play`: play a game yourself, alone, against others, or with somebody at the same keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..envs import OptionError, Options, Simulator
from .arguments import parse
from .interrupts import import_agents
from .players import opponent, to_play
from .session import Session
from .terminal import say

HUMAN = "human"


@dataclass
class Config:
    """Play a game yourself; the window shows the keys. Boards take clicks."""

    game: str
    """The game's name, see `ludus games`."""
    against: str | None = None
    """Who has the other seats in a game for several: heuristic, random, search-4, human, or an agent's folder; None: the
    game's heuristic, if it has one."""
    search: int = 0
    """Simulations of tree search before each move of an agent that you play against; 0: it does not look ahead."""
    seat: int = 1
    """Your own seat in a game for several, from 1."""
    speed: float = 1.0
    """Multiple of the game's own pace, 1/8 to 64."""
    seed: int | None = None
    """Of the games; None: a new one every time."""
    save: Path | None = None
    """Folder in which to keep what is played, a small file for each time; None: nothing is kept."""
    options: Options = field(default_factory=Options)


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "play")
    if not 1 / 8 <= config.speed <= 64:
        raise OptionError(f"speed must be from 0.125 to 64, got {config.speed:g}")
    from ..envs.viewer.window import find_display, run

    game = to_play(config.game)
    sim = Simulator(game, seed=config.seed, autoreset="disabled", **vars(config.options))
    others = opponents(sim, config.against, config.seat, config.seed or 0, config.search)
    find_display()  # before what takes long
    session = Session(sim, config.speed, others)
    with kept(session, config.save):
        run(session, game.name)
    return 0


@contextmanager
def kept(session: Session, folder: Path | None) -> Iterator[None]:
    """Write what is played within to a new file in a folder, however it ends."""
    if folder is None:
        yield
        return
    import_agents()
    from ..agents.pretraining.demonstrations import prepare_folder, write_demonstration

    prepare_folder(folder)
    try:
        yield
    finally:
        file = write_demonstration(folder, session.sim, session.played)
        say(f"{file}: {sum(map(len, session.played)):,} steps" if file else "nothing was played: nothing is saved")


def opponents(sim: Simulator, against: str | None, seat: int, seed: int = 0, search: int = 0) -> dict[int, Any]:
    """Who has which seat, but for those of people; seats count from 0 here."""
    if search and against in (None, HUMAN):
        raise OptionError("--search is for an agent to play against: give --against FOLDER, or leave --search out")
    if sim.num_players == 1:
        for flag in ["--against"] * (against is not None) + ["--seat"] * (seat != 1):
            raise OptionError(f"{sim.game.name} is for one player: leave {flag} out")
        return {}
    if not 1 <= seat <= sim.num_players:
        raise OptionError(f"seat must be from 1 to {sim.num_players} in {sim.game.name}, got {seat}")
    others = [k for k in range(sim.num_players) if k != seat - 1]
    if against == HUMAN:
        if sim.game.together and not sim.game.second_keys:
            raise OptionError(f"{sim.game.name} has no keys for a second person: use --against heuristic")
        others = others[1:]  # a keyboard has room for two
    default = "heuristic" if sim.game.heuristic is not None else "random"
    who = default if against in (None, HUMAN) else against
    return {k: opponent(who, sim, seed + k, search) for k in others}
