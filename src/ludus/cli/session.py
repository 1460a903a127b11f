"""People in a game: what their keys do, and what the window tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..envs import Simulator
from ..envs.engine.kernel import SPECTATOR
from ..envs.viewer.places import Places
from ..envs.viewer.scene import CLOSED, RESERVED, Card, Mark, Scene, command, number, readable

IDLE = ("noop", "stay")  # names of the action taken where no key is held; without them, the last one goes on
THINKING = 0.5  # seconds that an opponent takes for a move
REPEAT_AFTER = 0.3  # seconds after which a key that is held acts again in a game that waits
REST = 0.6  # seconds after the end of a game in which keys that were meant for it start no other
FEW = 24  # places to choose from that are all marked; of more, only the one under the pointer
KEYS = {"p": "pause", "r": "restart", "h": "rules", "f11": "full screen", "q esc": "quit"}
ON = ("space", "enter")  # keys that go on from wherever the game stands still


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
        self.keys = [
            {key: offered[action] for key, action in keys.items() if action in offered and key not in RESERVED}
            for keys in maps
        ]
        self.idle = next((offered[name] for name in IDLE if name in offered), None)
        self.stage = "start"  # start, playing, paused, over
        self.closed = False
        self.returns: list[float] = []  # of the games that ended
        self.pointer: tuple[float, float] | None = None
        self.places = Places(sim.game, sim.actions)
        self.played: list[list[Any]] = []  # the actions of each game, in the order of resets
        self.restart()

    def restart(self) -> None:
        """Set up a new game."""
        self.sim.reset()
        self.played.append([])
        for other in self.others.values():
            other.restart()
        self.scores, self.steps, self.due = [0.0] * self.sim.num_players, 0, 0.0
        self.tapped: list[str] = []  # the keys pressed since the last step
        self.last: dict[int, int] = {}  # people's last actions, in a game that has none for doing nothing
        self.refused = False  # the last move was not allowed
        self.rested = 0.0  # seconds since the end

    # what people do

    def press(self, key: str) -> None:
        """Do what the key stands for."""
        name = command(key)
        if key == CLOSED or name in ("esc", "q"):
            self.closed = True
        elif self.stage == "start" or (self.stage == "paused" and name in ("p", *ON)):
            self.stage = "playing"
        elif name == "p" and self.stage == "playing":
            self.stage = "paused"
        elif name == "r" or (self.stage == "over" and name in ON and self.rested >= REST):
            self.restart()
            self.stage = "playing"
        elif self.stage == "playing" and any(key in keys for keys in self.keys):
            self.tap(key)

    def tap(self, key: str) -> None:
        """A key of the game: it counts for the next step, or is one."""
        if self.sim.game.waits:
            self.due = -REPEAT_AFTER * self.sim.game.fps
            self.move(self.keys[0][key])
        else:
            self.tapped.append(key)

    def click(self, x: float, y: float) -> None:
        """Somebody clicked at a place of the picture, in the game's own units."""
        if self.stage == "start":
            self.stage = "playing"
        elif self.stage == "playing":
            action = self.places.action_at(self.sim.records[0], x, y)
            if action >= 0:
                self.move(action)

    def point(self, place: tuple[float, float] | None) -> None:
        """Where the pointer is, in the game's own units; None: not on the picture."""
        self.pointer = place

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
            self.rested += seconds
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
        self.played[-1].append(actions[0].tolist())
        self.scores = [score + float(gain) for score, gain in zip(self.scores, self.sim.reward.flat, strict=True)]
        self.steps += 1
        self.due = min(self.due, 0.0) if self.sim.game.turns else self.due
        if over:
            self.returns.append(self.scores[self.me])
            self.stage, self.rested = "over", 0.0

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
        played, names = len(self.returns), self.sim.game.player_names
        several = enumerate(self.scores) if self.sim.num_players > 1 else ()
        return Scene(
            title=self.sim.game.name,
            subtitle=self.who(),
            score=self.scores[self.me],
            whose="score" if self.sim.num_players == 1 else f"score of {names[self.me]}",
            facts={
                **{names[seat]: number(score) for seat, score in several if seat != self.me},
                "steps": str(self.steps),
                "games": str(played),
                "mean score": number(sum(self.returns) / played) if played else "-",
                "best": number(max(self.returns)) if played else "-",
            },
            status=self.status(),
            live=self.stage == "playing",
            keys=KEYS,
            controls=self.labels(),
            asleep=self.asleep(),
            card=self.card(),
            result=Card(self.outcome(), self.result(), prompt="space to play again") if self.stage == "over" else None,
            marks=self.marks(),
            viewer=self.viewer,
        )

    def who(self) -> str:
        """Which players people are: "you: yellow"."""
        if self.sim.num_players == 1 or not self.people:
            return self.sim.game.id
        return f"you: {' and '.join(self.sim.game.player_names[seat] for seat in self.people)}"

    def labels(self) -> dict[str, str]:
        """The game's keys with what they do."""
        game, sides = self.sim.game, [""] if len(self.keys) == 1 else self.sim.game.player_names
        found = {"click": "choose"} if game.click is not None else {}
        for keys, actions, who in zip(self.keys, (game.keys, game.second_keys), sides, strict=False):
            found |= labels({key: actions[key] for key in keys}, f" ({who})" if who else "")
        return found

    def allowed(self) -> np.ndarray | None:
        """Which actions a person may take now, (actions,) bool; None: it is nobody's turn, or the game does not say."""
        if self.stage != "playing" or self.sim.legal is None or self.mover() not in self.people:
            return None
        return self.sim.legal[0]

    def asleep(self) -> frozenset[str]:
        """Those of the labels whose actions are not allowed now."""
        allowed, keys = self.allowed(), self.keys[0]
        if allowed is None:
            return frozenset()
        shown = labels({key: self.sim.game.keys[key] for key in keys})
        return frozenset(names for names in shown if not allowed[keys[names.split()[0]]])

    def marks(self) -> tuple[Mark, ...]:
        """Where one may move: all places if they are few, and the one under the pointer."""
        allowed = self.allowed()
        if allowed is None or self.sim.game.click is None:
            return ()
        record = self.sim.records[0]
        places = {action: place for action, place in self.places.of(record).items() if allowed[action]}
        aimed = self.places.action_at(record, *self.pointer) if self.pointer is not None else -1
        shown = places if len(places) <= FEW else places.keys() & {aimed}
        return tuple(Mark(*places[action], chosen=action == aimed, share=0.2 * (action == aimed)) for action in shown)

    def status(self) -> str:
        """What goes on, in a few words."""
        if self.stage == "over" and self.sim.truncated[0]:
            return "time is up"
        if self.stage == "playing" and self.refused:
            return "not allowed now"
        if self.stage == "playing" and self.sim.game.turns:
            mover = self.mover()
            name = self.sim.game.player_names[mover]
            if len(self.people) > 1:
                return f"{name} to move"
            return "your move" if mover in self.people else f"{name} is thinking"
        return {"start": "ready", "playing": "playing", "paused": "paused", "over": "game over"}[self.stage]

    def card(self) -> Card | None:
        """The words over the picture while the game stands still."""
        game = self.sim.game
        if self.stage == "start":
            about = game.summary[:1].upper() + game.summary[1:] + "."
            return Card(game.name, about, self.labels(), "press any key to start")
        return Card("Paused", prompt="space to go on") if self.stage == "paused" else None

    def outcome(self) -> str:
        """How it ended, in two words."""
        if self.sim.truncated[0]:
            return "Time is up"
        if self.sim.num_players == 1:
            return "Game over"
        draw = "A draw" if sum(self.scores) == 0 else "Game over"  # who play together all get the same
        if len(self.people) != 1:
            first = max(range(self.sim.num_players), key=self.scores.__getitem__)
            drawn = self.scores.count(self.scores[first]) > 1
            return draw if drawn else f"{self.sim.game.player_names[first].capitalize()} wins"
        mine, best = self.scores[self.me], max(score for seat, score in enumerate(self.scores) if seat != self.me)
        return "You win" if mine > best else "You lose" if mine < best else draw

    def result(self) -> str:
        """The score, or everybody's."""
        if self.sim.num_players > 1:
            pairs = zip(self.sim.game.player_names, self.scores, strict=False)
            return ", ".join(f"{name}: {number(score)}" for name, score in pairs) + "."
        best = max(self.returns)
        line = "Your best so far" if len(self.returns) > 1 and self.scores[0] == best else f"Best: {number(best)}"
        return f"Score {number(self.scores[0])}. {line}."


def labels(keys: Mapping[str, str], mark: str = "") -> dict[str, str]:
    """Keys with what they do, those of one action together: {"left a": "left"}."""
    found: dict[str, list[str]] = {}
    for key, action in keys.items():
        found.setdefault(action, []).append(key)
    return {" ".join(names): readable(action) + mark for action, names in found.items()}
