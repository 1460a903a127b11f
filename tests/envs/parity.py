"""Comparing a game with its reference, the package `minatar`, step by step and draw by draw.

An adapter is a file `reference_<game>.py` beside this one. It has

    GAME, REFERENCE               the game's name here and in `minatar`
    record_of(env, record)        write the reference's state into our record, which arrives zeroed

and, where the game needs them,

    translate(draws)              the reference's random draws as our rules want them; by default in the same order
    sensible(env)                 an action with which a player might get further, for states that are hard to come to
    spawned(before, after)        labels, whole numbers, of what was drawn in steps that draw
    started(records)              labels of what was drawn at the start of episodes
    EPISODE_STEPS                 where to cut episodes short when they are compared as wholes
    final(records)                a number by which the states at the end of episodes are compared, beside their returns

Steps are recorded on the reference and replayed on ours from the same states, compiled. A step in which the reference
draws random numbers is replayed as plain Python as well, with the reference's own draws put in place of ours, so that
its outcome is compared too; what the compiled rules draw by themselves is compared as a distribution.
"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import minatar
import numpy as np

from ludus.envs import Simulator, find_game
from ludus.envs.engine.plain import PlainRecord

from .engine.scripted_random import Draw, RecordedRandom, ScriptedRandom

NUM_ACTIONS = 6
STICKINESS = 0.1  # MinAtar's own


@dataclass(frozen=True)
class Adapter:
    """What the harness must know of a game; see the module's docstring."""

    game: str
    reference: str
    record_of: Callable[[Any, np.void], None]
    translate: Callable[[list[Draw]], list[Draw]]
    sensible: Callable[[Any], int] | None
    spawned: Callable[[np.ndarray, np.ndarray], np.ndarray] | None
    started: Callable[[np.ndarray], np.ndarray] | None
    episode_steps: int | None
    final: Callable[[np.ndarray], np.ndarray]

    @staticmethod
    def of(module: ModuleType) -> Adapter:
        def optional(name: str) -> Any:
            return getattr(module, name, None)

        return Adapter(
            module.GAME, module.REFERENCE, module.record_of, optional("translate") or list, optional("sensible"),
            optional("spawned"), optional("started"), optional("EPISODE_STEPS"), optional("final") or zeros,
        )  # fmt: skip

    def environment(self, seed: int) -> minatar.Environment:
        """The reference, seeded; its draws are kept in `env.random.draws`."""
        environment = minatar.Environment(self.reference, sticky_action_prob=STICKINESS)
        environment.seed(seed)
        environment.env.random = RecordedRandom(seed)
        environment.reset()
        return environment


def zeros(records: np.ndarray) -> np.ndarray:
    return np.zeros(len(records))


def adapters() -> list[Adapter]:
    """One for every `reference_<game>.py`."""
    found = []
    for path in sorted(Path(__file__).parent.glob("reference_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(Adapter.of(module))
    return found


# Recording the reference


@dataclass
class Steps:
    """N steps of the reference."""

    before: np.ndarray  # (N,) records
    actions: np.ndarray  # (N,) int64
    draws: list[list[Draw]]  # what was drawn in each
    after: np.ndarray  # (N,) records
    planes: np.ndarray  # (N, rows, columns, planes) uint8, after the step
    reward: np.ndarray  # (N,) float64
    terminated: np.ndarray  # (N,) bool

    def __len__(self) -> int:
        return len(self.actions)

    def __getitem__(self, chosen: np.ndarray) -> Steps:
        draws = [self.draws[i] for i in np.flatnonzero(chosen)]
        arrays = (self.actions, self.after, self.planes, self.reward, self.terminated)
        actions, after, planes, reward, terminated = (array[chosen] for array in arrays)
        return Steps(self.before[chosen], actions, draws, after, planes, reward, terminated)

    @property
    def drew(self) -> np.ndarray:
        """Which steps drew random numbers, (N,) bool."""
        return np.array([bool(draws) for draws in self.draws])


def record_steps(adapter: Adapter, count: int, seed: int, persistent: bool = False) -> Steps:
    """Let the reference take `count` steps with random actions, restarting it when an episode ends.

    With `persistent`, a death is taken back by 5 to 10 steps and played differently, and four actions of five are
    the adapter's `sensible` ones, or one that is liked for a while: so play comes to states that random actions hardly
    reach, such as a field without bricks.
    """
    game = find_game(adapter.game)
    environment, rng = adapter.environment(seed), np.random.default_rng(seed)
    env = environment.env
    env.random.take()
    before, after = np.zeros(count, game.State), np.zeros(count, game.State)
    actions, draws = rng.integers(NUM_ACTIONS, size=count), []
    planes = np.zeros((count, *game.shape, len(game.planes)), np.uint8)
    reward, terminated = np.zeros(count), np.zeros(count, np.bool_)
    player = Persistence(adapter, env, rng) if persistent else None
    for i in range(count):
        if player is not None:
            actions[i] = player.act(env, actions[i])
        adapter.record_of(env, before[i])
        reward[i], terminated[i] = env.act(actions[i])
        adapter.record_of(env, after[i])
        planes[i] = env.state()
        draws.append(env.random.take())
        if terminated[i] and player is not None:
            env = player.after_end(env)
        if env.terminal:
            env.reset()
            env.random.take()
            if player is not None:
                player.begin(env)
    return Steps(before, actions, draws, after, planes, reward, terminated)


class Persistence:
    """Random play that takes its deaths back: see `record_steps`."""

    EVERY, PATIENCE = 5, 60  # steps between copies of the state; how often to return to the same one

    def __init__(self, adapter: Adapter, env: Any, rng: np.random.Generator) -> None:
        self.sensible, self.rng = adapter.sensible, rng
        self.begin(env)

    def begin(self, env: Any) -> None:
        self.returns = 0
        self.go_on_from(copy_of(env))

    def go_on_from(self, env: Any) -> None:
        self.age, self.earlier, self.latest = 0, env, env

    def act(self, env: Any, action: int) -> int:
        """The action to take in place of `action`."""
        if self.age % self.EVERY == 0:
            self.earlier, self.latest = self.latest, copy_of(env)
            self.liked = self.rng.integers(NUM_ACTIONS)
            if self.age == 2 * self.EVERY:  # the state that it returned to is behind it
                self.returns = 0
        self.age += 1
        if self.rng.random() < 0.2:
            return action
        return self.liked if self.sensible is None else self.sensible(env)

    def after_end(self, env: Any) -> Any:
        """The game to go on with; ended still, if it is to start again."""
        self.returns += 1
        if self.returns <= self.PATIENCE:
            self.go_on_from(self.earlier)
            return copy_of(self.earlier)
        return env


def copy_of(env: Any) -> Any:
    """A copy of the reference's game that draws on from the same random numbers."""
    return copy.deepcopy(env, {id(env.random): env.random})


# Playing the same on ours


@dataclass
class Result:
    """What N steps led to."""

    after: np.ndarray  # as in Steps
    planes: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray


def replay(adapter: Adapter, steps: Steps, seed: int) -> Result:
    """Our compiled rules in the same states, with the same actions and with random numbers of their own."""
    sim = Simulator(adapter.game, len(steps), seed=seed, autoreset="disabled", full_action_space=True, num_threads=1)
    sim.reset()
    sim.records[:] = steps.before  # not by load_state_dict, which would have the step played by a checked kernel
    sim.step(steps.actions)
    return Result(sim.records.copy(), sim.obs, sim.reward, sim.terminated)


def replay_scripted(adapter: Adapter, steps: Steps) -> Result:
    """Our rules as plain Python in the same states, with the same actions and the reference's random numbers."""
    game = find_game(adapter.game)
    reward, terminated = np.zeros(len(steps)), np.zeros(len(steps), np.bool_)
    result = Result(steps.before.copy(), np.zeros_like(steps.planes), reward, terminated)
    for i, draws in enumerate(steps.draws):
        random, record = ScriptedRandom(adapter.translate(draws)), PlainRecord(result.after[i])
        with np.errstate(over="ignore"):  # counters wrap around
            reward[i], terminated[i] = game.step(record, int(steps.actions[i]), random)
        assert not random.left, f"our rules drew {len(random.left)} random numbers less than the reference"
        game.observe(record, result.planes[i])
    return result


def scripted_start(adapter: Adapter, draws: list[Draw]) -> np.ndarray:
    """Our start of an episode with the reference's random numbers, shape (1,)."""
    game = find_game(adapter.game)
    record, random = np.zeros(1, game.State), ScriptedRandom(adapter.translate(draws))
    with np.errstate(over="ignore"):
        game.reset(PlainRecord(record[0]), random)
    assert not random.left, f"our rules drew {len(random.left)} random numbers less than the reference"
    return record


def differences(steps: Steps, result: Result) -> list[str]:
    """The parts of `result` that are not the reference's, each with the first step in which they differ."""
    pairs = {
        "reward": (steps.reward, result.reward),
        "terminated": (steps.terminated, result.terminated),
        "planes": (steps.planes, result.planes),
        **{name: (steps.after[name], result.after[name]) for name in steps.after.dtype.names or ()},
    }
    found = []
    for name, (theirs, ours) in pairs.items():
        unlike = np.any(theirs != ours, axis=tuple(range(1, theirs.ndim)))
        if unlike.any():
            i = int(unlike.argmax())
            found.append(
                f"{name} differs in {unlike.sum()} of {len(steps)} steps, first in step {i}: the reference goes to "
                f"{steps.after[i]}, ours to {result.after[i]}, from {steps.before[i]} with action {steps.actions[i]}"
            )
    return found
