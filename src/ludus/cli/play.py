"""`ludus play`: play a game yourself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import tyro

from ..envs import Game, OptionError, Options, Simulator, find_game
from ..envs.scene import CLOSED, Card, Scene, command, number

IDLE = ("noop", "stay")  # names of the action taken where no key is held; without them, the first action


@dataclass
class Config:
    """Play a game yourself; the window shows the keys."""

    game: Annotated[str, tyro.conf.Positional]
    """The game's name, see `ludus games`."""
    speed: float = 1.0
    """Multiple of the game's own pace, 1/8 to 64."""
    seed: int | None = None
    """Of the games; None: a new one every time."""
    options: tyro.conf.OmitArgPrefixes[Options] = field(default_factory=Options)


def main(argv: list[str]) -> int:
    config = tyro.cli(Config, args=argv, prog="ludus play")
    if not 1 / 8 <= config.speed <= 64:
        raise OptionError(f"speed must be from 0.125 to 64, got {config.speed:g}")
    from ..envs.window import find_display, run

    game = find_game(config.game)
    find_display()  # before what takes long
    sim = Simulator(game, seed=config.seed, autoreset="disabled", **vars(config.options))
    run(Session(sim, config.speed), game.name)
    return 0


class Session:
    """A person in a game. Keys arrive in `press`, time passes in `advance`, and `scene` is what the window tells."""

    def __init__(self, sim: Simulator, speed: float = 1.0) -> None:
        self.sim, self.speed = sim, speed
        offered = {name: index for index, name in enumerate(sim.actions)}
        self.keys = {key: offered[action] for key, action in sim.game.keys.items() if action in offered}
        self.idle = next((offered[name] for name in IDLE if name in offered), 0)
        self.stage = "start"  # start, playing, paused, over
        self.closed = False
        self.returns: list[float] = []  # of the games that ended
        self.restart()

    def restart(self) -> None:
        """Set up a new game."""
        self.sim.reset()
        self.score, self.steps, self.due = 0.0, 0, 0.0
        self.tapped: str | None = None  # the last key pressed since the last step

    def press(self, key: str) -> None:
        """Do what the key stands for; while playing, the game's own keys come first."""
        name = command(key)
        if key == CLOSED or name == "esc":
            self.closed = True
        elif self.stage == "playing" and key in self.keys:
            self.tapped = key
        elif name == "q":
            self.closed = True
        elif self.stage == "start" or (self.stage == "paused" and name == "p"):
            self.stage = "playing"
        elif name == "p" and self.stage == "playing":
            self.stage = "paused"
        elif name == "r":
            self.restart()
            self.stage = "playing"

    def advance(self, seconds: float, held: list[str] | None = None) -> None:
        """Let time pass: take the steps that are due; `held` are the keys that are down, the last pressed last."""
        if self.stage != "playing":
            return
        self.due += seconds * self.sim.game.fps * self.speed
        while self.due >= 1 and self.stage == "playing":
            self.due -= 1
            self.step(self.choose(held or []))

    def choose(self, held: list[str]) -> int:
        """The action: of a key that was tapped since the last step, else of the last that is held, else none."""
        wanted = [*(key for key in held if key in self.keys), *([self.tapped] if self.tapped else [])]
        self.tapped = None
        return self.keys[wanted[-1]] if wanted else self.idle

    def step(self, action: int) -> None:
        over = self.sim.step(np.array([action])) > 0
        self.score += float(self.sim.reward[0])
        self.steps += 1
        if over:
            self.returns.append(self.score)
            self.stage = "over"

    def scene(self) -> Scene:
        played = len(self.returns)
        return Scene(
            title=self.sim.game.name,
            subtitle=self.sim.game.id,
            score=self.score,
            facts={
                "steps": str(self.steps),
                "games": str(played),
                "mean score": number(sum(self.returns) / played) if played else "-",
                "best": number(max(self.returns)) if played else "-",
            },
            status=self.status(),
            live=self.stage == "playing",
            keys={**labels(self.sim.game, self.keys), "p": "pause", "r": "restart", "q": "quit"},
            card=self.card(),
        )

    def status(self) -> str:
        """What goes on, in a few words."""
        if self.stage == "over" and self.sim.truncated[0]:
            return "time is up"
        return {"start": "ready", "playing": "playing", "paused": "paused", "over": "game over"}[self.stage]

    def card(self) -> Card | None:
        """The words over the picture while the game stands still."""
        game = self.sim.game
        if self.stage == "start":
            about = game.summary[:1].upper() + game.summary[1:] + "."
            return Card(game.name, about, labels(game, self.keys), "press any key to start")
        if self.stage == "paused":
            return Card("Paused", prompt="p to go on")
        if self.stage == "over":
            title = "Time is up" if self.sim.truncated[0] else "Game over"
            best = max(self.returns)
            line = "Your best so far" if len(self.returns) > 1 and self.score == best else f"Best: {number(best)}"
            return Card(title, f"Score {number(self.score)}. {line}.", prompt="r to play again")
        return None


def labels(game: Game, keys: dict[str, int]) -> dict[str, str]:
    """Keys with what they do, those of one action together: {"left a": "left"}."""
    actions: dict[str, list[str]] = {}
    for key in keys:
        actions.setdefault(game.keys[key], []).append(key)
    return {" ".join(names): action for action, names in actions.items()}
