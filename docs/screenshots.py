"""Pictures of the window to look at: games of every kind, at several sizes, played, watched and lost.

    python docs/screenshots.py FOLDER [--cases NAME,...]
    python docs/screenshots.py docs --cases window        # the one that the guide shows

It needs no screen, but takes one where SDL_VIDEODRIVER or DISPLAY names it. But for that one, the minds that are
watched are made up: what is looked at is how they are shown.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

from ludus.cli import play, watch
from ludus.cli.players import seats
from ludus.envs import Bot, Observer, Simulator
from ludus.envs.viewer.window import Window

SEED, STEPS, SECOND = 3, 12, 1.0
SMALL, LOW, WIDE, LARGE = (320, 240), (700, 420), (1600, 500), (1920, 1080)
NARROW, LEAST = (1000, 640), (980, 370)  # windows that have just room for what an agent sees
WRONG = 0.01  # of the cells that an encoder tells


class Mind:
    """A bot that claims to have thought about it, and to have seen something: "planes", "saliency" or nothing ("")."""

    def __init__(self, sim: Simulator, worth: bool, sees: str) -> None:
        self.sim, self.worth, self.sees, self.random = sim, worth, sees, np.random.default_rng(SEED)
        self.bot = Bot(sim, "random" if sim.game.heuristic is None else "heuristic", SEED)
        self.restart, self.step = self.bot.restart, self.bot.step

    def decide(self, deterministic: bool) -> np.ndarray:
        self.actions = self.bot.decide(deterministic)
        return self.actions

    def explain(self) -> tuple[Any, ...]:
        numbers = self.random.normal(size=len(self.sim.actions))
        numbers[self.actions.flat[0]] = numbers.max() + 1
        numbers = np.where(True if self.sim.legal is None else self.sim.legal[0], numbers, -np.inf)
        shares = np.exp(numbers) / np.exp(numbers).sum()
        return (numbers if self.worth else shares)[None], numbers[None].max(1), self.worth

    def sight(self, actions: np.ndarray) -> Any:
        from ludus.agents.training.sight import decoded, saliency_map

        game = self.sim.game
        if self.sees == "planes":
            true = Observer(game)(self.sim.records)[0]
            return decoded(true ^ (self.random.random(true.shape) < WRONG), game.planes, true)
        if self.sees == "saliency":
            picture = self.sim.frame(0, 64).mean(-1)
            rows, columns = np.indices(picture.shape)
            gradient = np.exp(-((rows - 20) ** 2 + (columns - 40) ** 2) / 200)
            return saliency_map(picture, gradient, f"logit of {self.sim.actions[actions.flat[0]]}")
        return None


def playing(
    game: str, do: Callable[[Any, Window], Any] = lambda session, window: None, **options: Any
) -> Callable[[], Any]:
    """A person's game in which something is done."""

    def begin() -> tuple[Any, Callable[[Window], None]]:
        sim = Simulator(game, seed=SEED, autoreset="disabled", **options)
        against = "human" if options.get("players") == 2 else None
        session = play.Session(sim, 1.0, play.opponents(sim, against, 1))
        return session, lambda window: (session.press("return"), session.advance(0.0), do(session, window))[0]

    return begin


def starting(game: str) -> Callable[[], Any]:
    """A game that waits for a person."""
    return lambda: (play.Session(Simulator(game, seed=SEED, autoreset="disabled")), lambda window: None)


def watching(game: str, worth: bool = False, sees: str = "") -> Callable[[], Any]:
    """An agent's game after some steps."""

    def begin() -> tuple[Any, Callable[[Window], None]]:
        sim = Simulator(game, seed=SEED, autoreset="disabled")
        session = watch.Session(Mind(sim, worth, sees), sim, watch.Config(Path(f"runs/{game}-ppo")))
        return session, lambda window: [session.advance(1.01 / sim.game.fps) for _ in range(STEPS)][-1]

    return begin


def agents_game(game: str, steps: int) -> Callable[[], Any]:
    """The zoo's agent after so many steps."""

    def begin() -> tuple[Any, Callable[[Window], None]]:
        config = watch.Config(Path(game))
        session = watch.Session(*seats(config.agent, None, SEED), config)
        return session, lambda window: [session.advance(1.01 / session.sim.game.fps) for _ in range(steps)][-1]

    return begin


def to_the_end(session: Any, window: Window) -> None:
    """The first action that is allowed, again and again."""
    while session.stage == "playing":
        if session.sim.game.waits and session.mover() in session.people:
            session.move(int(np.flatnonzero(session.sim.legal[0])[0]))
        else:
            session.advance(SECOND, list(session.keys[0])[-1:])


def rules(session: Any, window: Window) -> None:
    window.rules = True


CASES: dict[str, tuple[Callable[[], Any], tuple[int, int] | None]] = {
    "window": (agents_game("SpaceInvaders", 60), None),
    "breakout-start": (starting("Breakout"), None),
    "wilds": (playing("Wilds"), None),
    "wilds-small": (playing("Wilds"), SMALL),
    "wilds-rules": (playing("Wilds", rules), None),
    "wilds-watched": (watching("Wilds", worth=True), None),
    "kuhn": (playing("KuhnPoker"), None),
    "leduc": (playing("LeducPoker"), LOW),
    "tetris": (playing("Tetris"), None),
    "tetris-paused": (playing("Tetris", lambda session, window: session.press("p")), WIDE),
    "four-lost": (playing("ConnectFour", to_the_end), None),
    "mines-lost": (playing("Minesweeper", to_the_end), None),
    "bomber-lost": (playing("Bomber", to_the_end), LOW),
    "tron-two": (playing("Tron", players=2), None),
    "othello": (playing("Othello"), None),
    "go-large": (playing("Go", lambda session, window: session.point((5.0, 5.0))), LARGE),
    "go-watched": (watching("Go"), None),
    "backgammon-watched": (watching("Backgammon"), LARGE),
    "breakout-watched": (watching("Breakout"), None),
    "asterix-planes": (watching("Asterix", sees="planes"), None),
    "asterix-planes-least": (watching("Asterix", sees="planes"), LEAST),
    "asterix-planes-small": (watching("Asterix", sees="planes"), SMALL),
    "invaders-planes": (watching("SpaceInvaders", worth=True, sees="planes"), NARROW),
    "tetris-planes": (watching("Tetris", sees="planes"), None),
    "seaquest-planes": (watching("Seaquest", sees="planes"), LARGE),
    "wilds-planes": (watching("Wilds", sees="planes"), None),
    "wilds-planes-low": (watching("Wilds", sees="planes"), LOW),
    "muncher-planes": (watching("Muncher", sees="planes"), WIDE),
    "othello-planes": (watching("Othello", sees="planes"), None),
    "breakout-saliency": (watching("Breakout", sees="saliency"), None),
    "freeway-saliency": (watching("Freeway", sees="saliency"), WIDE),
}


def shoot(name: str, folder: Path) -> Path:
    """Paint one of the cases; returns the file."""
    import pygame

    begin, size = CASES[name]
    session, go_on = begin()
    with Window(session.sim, name, session.scene().sight is not None) as window:
        if size is not None:
            window.desktop.window.size = size
        go_on(window)
        window.show(session.scene())
        pygame.image.save(window.surface, folder / f"{name}.png")
    return folder / f"{name}.png"


def main() -> int:
    parser = argparse.ArgumentParser(description="Write pictures of the window.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", default=",".join(CASES), help="some of them, with commas between")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.cases.split(","):
        print(shoot(name, arguments.folder), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
