"""`ludus watch`: an agent plays in a window, which can show its action probabilities and values, and what it sees."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..envs import OptionError, Simulator
from ..envs.viewer.places import Places
from ..envs.viewer.scene import CLOSED, Decision, Mark, Scene, Sight, command, number
from .arguments import parse
from .named import called
from .players import seats

SLOWEST, FASTEST = 1 / 8, 64  # times the game's own pace
LAST_PICTURE = 0.8  # seconds for which the end of an episode stays, at the game's own pace
PATIENCE = 0.05  # seconds that the steps between two pictures may take
KEYS = {
    "space": "pause",
    "n": "step",
    "- +": "speed",
    "r": "restart",
    "o": "overlay",
    "g": "sampled",
    "h": "rules",
    "f11": "full screen",
    "q esc": "quit",
}
LEAST_SHARE = 0.01  # of an action that is marked on the picture
VIEW = 64  # pixels of pictures that are compared


@dataclass
class Config:
    """Watch an agent play in a window, which shows the keys: pause, single step, speed, what the agent expects and sees."""

    agent: Path
    """The folder that `ludus train` wrote; a game, for the zoo's agent; or a game and a bot, as in Snake:heuristic or
    ConnectFour:search-4."""
    against: str | None = None
    """Who has the other seats in a game for several: heuristic, random, search-4, or an agent's folder; None: the
    agent itself."""
    episodes: int | None = None
    """Close the window after this many episodes; None: never."""
    speed: float = 1.0
    """Speed at the start, as a multiple of the game's own pace, 1/8 to 64."""
    deterministic: bool = True
    """Take the most likely action (greedy)."""
    sampled: bool = False
    """Draw actions from the policy, as --no-deterministic does."""
    search: int = 0
    """Simulations of tree search before each of the agent's moves; 0: it does not look ahead."""
    seed: int | None = None
    """Of the games and of drawing actions; None: a new one every time."""


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "watch")
    if not SLOWEST <= config.speed <= FASTEST:
        raise OptionError(f"speed must be from {SLOWEST:g} to {FASTEST}, got {config.speed:g}")
    from ..envs.viewer.window import find_display, run

    find_display()  # before what takes long
    session = Session(*seats(config.agent, config.against, config.seed, search=config.search), config)
    run(session, f"{session.sim.game.name} - {config.agent}", session.sight() is not None)
    print(session.summary())
    return 0


class Session:
    """A player in its game. Keys arrive in `press`, time passes in `advance`, and `scene` is what the window tells."""

    def __init__(self, player: Any, sim: Simulator, config: Config) -> None:
        self.sim, self.config, self.player = sim, config, player
        self.sampled, self.speed = config.sampled, config.speed
        self.overlay, self.paused, self.closed = True, False, False
        self.returns: list[float] = []  # of the episodes that ended
        self.rate, self.places = Rate(), Places(sim.game, sim.actions)
        self.restart()

    def restart(self) -> None:
        """Begin a new episode; one that has not ended does not count."""
        self.sim.reset()
        self.player.restart()
        self.scores, self.steps, self.over = [0.0] * self.sim.num_players, 0, False
        self.due = 0.0  # steps of the game; below zero, a pause
        self.values: dict[int, float] = {}  # the return expected, by step
        self.decide()

    def decide(self) -> None:
        """Ask the agent what it does next and, if that is shown, why."""
        self.actions = self.player.decide(not self.sampled)
        self._sight: Sight | None = None
        explained = self.player.explain() if self.overlay else None
        if explained is not None:
            numbers, values, self.worth = explained
            self.numbers = tuple(float(p) for p in numbers[0])
            self.values[self.steps] = float(values[0])

    def advance(self, seconds: float, held: list[str] | None = None) -> None:
        """Let time pass: take the steps that are due, unless they take too long for the window to stay lively."""
        if self.paused:
            return
        self.due += seconds * self.sim.game.fps * self.speed
        deadline = time.monotonic() + PATIENCE
        while self.due >= 1 and not self.closed:
            self.due -= 1
            self.step()
            if time.monotonic() > deadline:
                self.due = min(self.due, 0.0)

    def step(self) -> None:
        """Take one step of the game or, after the end of an episode, begin the next."""
        if self.over:
            self.closed = self.config.episodes is not None and len(self.returns) >= self.config.episodes
            if not self.closed:
                self.restart()
            return
        self.over = self.player.step(self.actions) > 0
        self._sight = None
        self.scores = [score + float(gain) for score, gain in zip(self.scores, self.sim.reward.flat, strict=True)]
        self.steps += 1
        self.rate.count()
        if self.over:
            self.returns.append(self.scores[0])
            self.due = -LAST_PICTURE * self.sim.game.fps
        else:
            self.decide()

    def click(self, x: float, y: float) -> None:
        """An agent's game is not to be touched."""

    def point(self, place: tuple[float, float] | None) -> None:
        """Nor to be pointed at."""

    def press(self, key: str) -> None:
        """Do what the key stands for; any other key is ignored."""
        key = command(key)
        if key == "space":
            self.paused = not self.paused
            self.rate = Rate()
        elif key in ("n", "right") and self.paused:
            self.step()
        elif key == "+":
            self.speed = min(self.speed * 2, FASTEST)
        elif key == "-":
            self.speed = max(self.speed / 2, SLOWEST)
        elif key == "r":
            self.restart()
        elif key == "o":
            self.overlay = not self.overlay
        elif key == "g":
            self.sampled = not self.sampled
        elif key in ("q", "esc", CLOSED):
            self.closed = True
        if key in ("o", "g") and not self.over:
            self.decide()

    def scene(self) -> Scene:
        played, limit, names = len(self.returns), self.config.episodes, self.sim.game.player_names
        decision = self.decision() if self.overlay and self.values else None
        return Scene(
            title=self.sim.game.name,
            subtitle=Path(called(self.config.agent)).name,
            score=self.scores[0],
            whose="score" if self.sim.num_players == 1 else f"score of {names[0]}",
            facts={
                **{names[k]: number(score) for k, score in enumerate(self.scores) if k > 0},
                "steps": str(self.steps),
                "episodes": f"{played} of {limit}" if limit else str(played),
                "mean return": number(sum(self.returns) / played) if played else "-",
                "speed": f"{number(self.speed, 3)} x",
            },
            status=self.status(),
            live=not (self.paused or self.over),
            keys={**KEYS, "space": "play" if self.paused else "pause", "g": "greedy" if self.sampled else "sampled"},
            decision=decision,
            sight=self.sight(),
            marks=() if decision is None or self.over else self.marks(decision),
        )

    def status(self) -> str:
        """What goes on, in a few words."""
        if self.over:
            return "cut off at the last step allowed" if self.sim.truncated[0] else "episode over"
        policy = "sampled" if self.sampled else "greedy"
        measured = self.rate.a_second()
        if self.paused or measured is None:
            return f"{'paused, ' if self.paused else ''}{policy} actions"
        return f"{policy}, {number(measured, 0 if measured >= 10 else 1)} steps a second"

    def decision(self) -> Decision:
        expected = tuple(self.values.values())
        return Decision(self.sim.actions, self.numbers, int(self.actions.flat[0]), expected, self.worth)

    def sight(self) -> Sight | None:
        """What the agent sees now. It is asked once, and for pictures that are shown: at high speed most are not."""
        if self.overlay and self._sight is None:
            self._sight = self.player.sight(self.actions)
        return self._sight if self.overlay else None

    def marks(self, decision: Decision) -> tuple[Mark, ...]:
        """On a board that takes clicks, the actions in their places, the larger the likelier or the better."""
        shares = {k: decision.share(k) for k in range(len(decision.actions))}
        seen = {k for k, share in shares.items() if share >= LEAST_SHARE}
        if self.sim.game.turns and not self.same_view(int(self.sim.player[0])):
            return ()  # in the mover's view actions lie elsewhere
        places = self.places.of(self.sim.records[0])
        return tuple(Mark(*places[k], shares[k], k == decision.chosen) for k in sorted(seen & places.keys()))

    def same_view(self, player: int) -> bool:
        """Whether a player sees what the window shows."""
        return np.array_equal(self.sim.frame(0, VIEW), self.sim.frame(0, VIEW, player))

    def summary(self) -> str:
        """A line for the terminal."""
        if not self.returns:
            return "no episode ended"
        mean, best = sum(self.returns) / len(self.returns), max(self.returns)
        return f"episodes: {len(self.returns)}, mean return: {number(mean)}, best: {number(best)}"


class Rate:
    """How many steps there really were in the last second or, where steps are rare, how fast the last two came."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.times: deque[float] = deque()

    def count(self) -> None:
        """A step was taken."""
        now = time.monotonic()
        while len(self.times) > 1 and now - self.times[0] > 1:
            self.times.popleft()
        self.times.append(now)

    def a_second(self) -> float | None:
        """None before a second has passed, and two steps."""
        now = time.monotonic()
        if now - self.began < 1 or len(self.times) < 2:
            return None
        recent = sum(now - taken <= 1 for taken in self.times)
        return float(recent) if recent >= 2 else 1 / (self.times[-1] - self.times[-2])
