"""`ludus play`: play a game yourself, alone, against others, or with somebody at the same keyboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..envs import OptionError, Options, Simulator, find_game
from ..envs.kernel import SPECTATOR
from ..envs.plain import PlainRecord
from ..envs.scene import CLOSED, Card, Scene, command, number
from .arguments import parse
from .players import opponent

IDLE = ("noop", "stay")  # names of the action taken where no key is held; without them, the last one goes on
THINKING = 0.5  # seconds that an opponent takes for a move
REPEAT_AFTER = 0.3  # seconds after which a key that is held acts again in a game that waits
HUMAN = "human"


@dataclass
class Config:
    """Play a game yourself; the window shows the keys. Boards take clicks."""

    game: str
    """The game's name, see `ludus games`."""
    against: str | None = None
    """Who has the other seats in a game for several: heuristic, random, human, or an agent's folder; None: the game's
    heuristic, if it has one."""
    seat: int = 1
    """Your own seat in a game for several, from 1."""
    speed: float = 1.0
    """Multiple of the game's own pace, 1/8 to 64."""
    seed: int | None = None
    """Of the games; None: a new one every time."""
    options: Options = field(default_factory=Options)


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "play")
    if not 1 / 8 <= config.speed <= 64:
        raise OptionError(f"speed must be from 0.125 to 64, got {config.speed:g}")
    from ..envs.window import find_display, run

    game = find_game(config.game)
    sim = Simulator(game, seed=config.seed, autoreset="disabled", **vars(config.options))
    others = opponents(sim, config.against, config.seat, config.seed or 0)
    find_display()  # before what takes long
    run(Session(sim, config.speed, others), game.name)
    return 0


def opponents(sim: Simulator, against: str | None, seat: int, seed: int = 0) -> dict[int, Any]:
    """Who has which seat, but for those of people; seats count from 0 here."""
    if sim.num_players == 1:
        if against is not None:
            raise OptionError(f"{sim.game.name} is for one player: leave --against out")
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
    return {k: opponent(who, sim, seed + k) for k in others}


class Session:
    """People in a game. Keys arrive in `press`, time passes in `advance`, and `scene` is what the window tells."""

    def __init__(self, sim: Simulator, speed: float = 1.0, others: Mapping[int, Any] | None = None) -> None:
        self.sim, self.speed, self.others = sim, speed, dict(others or {})
        self.people = [seat for seat in range(sim.num_players) if seat not in self.others]
        offered = {name: index for index, name in enumerate(sim.actions)}
        first, second = sim.game.keys, sim.game.second_keys
        if sim.num_seats > 1 and len(self.people) > 1:
            maps = [{key: action for key, action in first.items() if key not in second}, second]
        else:
            maps = [first]  # everybody's keys are the same where one acts at a time
        self.keys = [{key: offered[action] for key, action in keys.items() if action in offered} for keys in maps]
        self.idle = next((offered[name] for name in IDLE if name in offered), None)
        self.stage = "start"  # start, playing, paused, over
        self.closed = False
        self.returns: list[float] = []  # of the games that ended
        self.restart()

    def restart(self) -> None:
        """Set up a new game."""
        self.sim.reset()
        for other in self.others.values():
            other.restart()
        self.scores, self.steps, self.due = [0.0] * self.sim.num_players, 0, 0.0
        self.tapped: list[str] = []  # the keys pressed since the last step
        self.last: dict[int, int] = {}  # people's last actions, in a game that has none for doing nothing
        self.refused = False  # the last move was not allowed

    # what people do

    def press(self, key: str) -> None:
        """Do what the key stands for; while playing, the game's own keys come first."""
        name = command(key)
        if key == CLOSED or name == "esc":
            self.closed = True
        elif self.stage == "playing" and any(key in keys for keys in self.keys):
            self.tap(key)
        elif name == "q":
            self.closed = True
        elif self.stage == "start" or (self.stage == "paused" and name == "p"):
            self.stage = "playing"
        elif name == "p" and self.stage == "playing":
            self.stage = "paused"
        elif name == "r":
            self.restart()
            self.stage = "playing"

    def tap(self, key: str) -> None:
        """A key of the game: it counts for the next step, or is one."""
        if self.sim.game.waits:
            self.due = -REPEAT_AFTER * self.sim.game.fps
            self.move(self.keys[0][key])
        else:
            self.tapped.append(key)

    def click(self, x: float, y: float) -> None:
        """Somebody pointed at a place of the picture, in the game's own units."""
        if self.stage == "start":
            self.stage = "playing"
        elif self.stage == "playing" and self.sim.game.click is not None:
            action = int(self.sim.game.click(PlainRecord(self.sim.records[0]), x, y))
            if action >= 0:
                self.move(action)

    def move(self, action: int) -> None:
        """A person's action in a game that waits for it."""
        if self.mover() not in self.people:
            return
        legal = self.sim.legal
        self.refused = legal is not None and not legal[0, action]
        if not self.refused:
            self.step(np.array([action]))

    def mover(self) -> int:
        """Whose turn it is, in a game in which one acts at a time."""
        return int(self.sim.player[0]) if self.sim.game.turns else 0

    # what time does

    def advance(self, seconds: float, held: list[str] | None = None) -> None:
        """Let time pass: take the steps that are due; `held` are the keys that are down, the last pressed last."""
        if self.stage != "playing":
            return
        if self.sim.game.waits:
            self.wait(seconds, held or [])
            return
        self.due += seconds * self.sim.game.fps * self.speed
        while self.due >= 1 and self.stage == "playing":
            self.due -= 1
            actions = self.choose(held or [])
            if actions is not None:
                self.step(actions)

    def wait(self, seconds: float, held: list[str]) -> None:
        """In a game that waits: an opponent thinks for a while, and a key that is held acts again and again."""
        mover = self.mover()
        down = [key for key in held if key in self.keys[0]]
        self.due += seconds * self.sim.game.fps * self.speed
        if mover in self.others:
            if self.due >= THINKING * self.sim.game.fps:
                self.step(self.others[mover].decide(True))
        elif self.sim.game.turns or not down:
            self.due = min(self.due, 0.0)
        elif self.due >= 1:
            self.due -= 1
            self.move(self.keys[0][down[-1]])

    def choose(self, held: list[str]) -> np.ndarray | None:
        """Everybody's action, (1,) or (1, players): people's keys, and what the others decide; None: not begun yet."""
        actions = np.zeros((1, self.sim.num_seats), np.int64)
        for seat, keys in zip(self.people, self.keys, strict=False):
            pressed = [key for key in (*held, *self.tapped) if key in keys]
            action = keys[pressed[-1]] if pressed else self.last.get(seat) if self.idle is None else self.idle
            if action is None:
                return None
            actions[0, seat] = self.last[seat] = action
        for seat, other in self.others.items():
            actions[0, seat] = other.decide(True)[0, seat]
        self.tapped = []
        return actions[:, 0] if self.sim.num_seats == 1 else actions

    def step(self, actions: np.ndarray) -> None:
        for other in self.others.values():
            other.went_on()
        over = self.sim.step(actions) > 0
        self.scores = [score + float(gain) for score, gain in zip(self.scores, self.sim.reward.flat, strict=True)]
        self.steps += 1
        self.due = min(self.due, 0.0) if self.sim.game.turns else self.due
        if over:
            self.returns.append(self.scores[self.me])
            self.stage = "over"

    # what the window tells

    @property
    def me(self) -> int:
        """The seat whose score counts: the first that a person has."""
        return self.people[0] if self.people else 0

    @property
    def viewer(self) -> int:
        """Whose view the picture is: the only person's, or of those two the one to move."""
        if self.sim.num_players == 1 or self.stage == "over" or self.sim.game.together:
            return SPECTATOR
        return self.mover() if len(self.people) > 1 else self.me

    def scene(self) -> Scene:
        played = len(self.returns)
        several = enumerate(self.scores) if self.sim.num_players > 1 else ()
        return Scene(
            title=self.sim.game.name,
            subtitle=self.sim.game.id,
            score=self.scores[self.me],
            facts={
                **{f"player {seat + 1}": number(score) for seat, score in several if seat != self.me},
                "steps": str(self.steps),
                "games": str(played),
                "mean score": number(sum(self.returns) / played) if played else "-",
                "best": number(max(self.returns)) if played else "-",
            },
            status=self.status(),
            live=self.stage == "playing",
            keys={**self.labels(), "p": "pause", "r": "restart", "q": "quit"},
            card=self.card(),
            viewer=self.viewer,
        )

    def labels(self) -> dict[str, str]:
        """The game's keys with what they do."""
        found = labels(self.sim.game.keys, self.keys[0])
        if len(self.keys) > 1:
            found |= labels(self.sim.game.second_keys, self.keys[1], " (2)")
        return {"click": "choose", **found} if self.sim.game.click is not None else found

    def status(self) -> str:
        """What goes on, in a few words."""
        if self.stage == "over" and self.sim.truncated[0]:
            return "time is up"
        if self.stage == "playing" and self.refused:
            return "not allowed now"
        if self.stage == "playing" and self.sim.game.turns:
            mover = self.mover()
            if len(self.people) > 1:
                return f"player {mover + 1} to move"
            return "your move" if mover in self.people else "thinking"
        return {"start": "ready", "playing": "playing", "paused": "paused", "over": "game over"}[self.stage]

    def card(self) -> Card | None:
        """The words over the picture while the game stands still."""
        game = self.sim.game
        if self.stage == "start":
            about = game.summary[:1].upper() + game.summary[1:] + "."
            return Card(game.name, about, self.labels(), "press any key to start")
        if self.stage == "paused":
            return Card("Paused", prompt="p to go on")
        if self.stage == "over":
            return Card(self.outcome(), self.result(), prompt="r to play again")
        return None

    def outcome(self) -> str:
        """How it ended, in two words."""
        if self.sim.truncated[0]:
            return "Time is up"
        if self.sim.num_players == 1 or len(self.people) != 1:
            return "Game over"
        mine, best = self.scores[self.me], max(score for seat, score in enumerate(self.scores) if seat != self.me)
        return "You win" if mine > best else "You lose" if mine < best else "A draw"

    def result(self) -> str:
        """The score, or everybody's."""
        if self.sim.num_players > 1:
            return ", ".join(f"player {seat + 1}: {number(score)}" for seat, score in enumerate(self.scores)) + "."
        best = max(self.returns)
        line = "Your best so far" if len(self.returns) > 1 and self.scores[0] == best else f"Best: {number(best)}"
        return f"Score {number(self.scores[0])}. {line}."


def labels(actions: Mapping[str, str], keys: Mapping[str, int], mark: str = "") -> dict[str, str]:
    """Keys with what they do, those of one action together: {"left a": "left"}."""
    found: dict[str, list[str]] = {}
    for key in keys:
        found.setdefault(actions[key], []).append(key)
    return {" ".join(names): action + mark for action, names in found.items()}
