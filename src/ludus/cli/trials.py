"""One training among many of the same kind: the trial of a study of `ludus tune`, and the processes that run them."""

from __future__ import annotations

import dataclasses
import importlib
import os
import signal
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..envs import Game, LudusError, Options
from .making import is_game, make_agent, make_env

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as OptunaTrial

POINTS = 10  # of a learning curve
EPISODES, FEW_EPISODES = 100, 20  # of an evaluation, and of a point of a curve that needs one
STEP_LIMIT = 10_000  # of an episode
EVALUATED = 2**31  # more than the seed of training is that of evaluation, whose games are others
TUNED, DEFAULT = "tuned", "default"  # what is compared


@dataclass
class Training:
    """What all trials have in common: see `settings_file.Training`, `space` for what is tried, and `threads` for each."""

    game: str
    algo: str
    seed: int | None
    device: str
    total_timesteps: int
    options: Options
    settings: Any
    space: dict[str, Any]
    threads: int
    time_limit: float | None = None
    tensorboard: bool = False
    out: Path | None = None
    overwrite: bool = False
    resume: bool = False


@dataclass(frozen=True)
class Work:
    """What a process is to do: run trials of a study in a storage, together with others.

    Attributes:
        tuned: settings to be compared with those of `training`; None: settings are searched for.
        packages: to import first, for their games.
        interval, grace: see `ludus.zoo.tuning.study`, in seconds.
    """

    training: Training
    url: str
    study: str
    trials: int
    tuned: Any = None
    packages: Sequence[str] = ()
    interval: int = 5
    grace: int = 30


def run(work: Work, stop: Event, parent: int) -> None:
    """The main function of such a process, which ends early if its parent does."""
    import torch

    from ..zoo.tuning.study import load, open_storage
    from ..zoo.tuning.study import work as run_trials

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it
    torch.set_num_threads(work.training.threads)
    warnings.simplefilter("ignore")  # of settings that are only tried
    for package in work.packages:
        importlib.import_module(package)
    study = load(open_storage(work.url, work.interval, work.grace), work.study, prune=work.tuned is None)
    stopped = lambda: stop.is_set() or os.getppid() != parent  # noqa: E731
    objective = searched if work.tuned is None else compared
    run_trials(study, work.trials, lambda trial: objective(trial, work, stopped), stopped, work.grace)


def searched(trial: OptunaTrial, work: Work, stopped: Callable[[], bool]) -> float:
    """Train with settings that Optuna suggests; the score."""
    import optuna

    from ..zoo.tuning.space import suggested

    training = work.training
    training = dataclasses.replace(training, settings=suggested(trial, training.space, training.settings))

    def report(point: int, score: float) -> None:
        trial.report(score, point)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        return train(training, report, stopped)
    except LudusError as error:  # such as weights that are no longer finite
        trial.set_user_attr("error", str(error))
        raise optuna.TrialPruned from error


def compared(trial: OptunaTrial, work: Work, stopped: Callable[[], bool]) -> float:
    """Train with the tuned settings or with the default ones, and a seed of their own; the score."""
    tuned, training = trial.suggest_categorical("settings", [DEFAULT, TUNED]) == TUNED, work.training
    settings = work.tuned if tuned else training.settings
    seed = trial.suggest_int("seed", 0, 2**31 - 1)
    return train(dataclasses.replace(training, settings=settings, seed=seed), lambda *_: None, stopped)


def train(training: Training, report: Callable[[int, float], None], stopped: Callable[[], bool]) -> float:
    """Train an agent and return its score.

    Args:
        report: called with the number of each point of the learning curve, from 1 to `POINTS`, and a score.
        stopped: whether to end with `Stopped`; asked after every rollout.
    """
    from stable_baselines3.common.callbacks import BaseCallback

    from ..zoo.tuning.study import Stopped

    class Curve(BaseCallback):
        """Reports the learning curve."""

        point = 0

        def _on_step(self) -> bool:
            return True

        def _on_rollout_end(self) -> None:
            if stopped():
                raise Stopped
            point = min(self.num_timesteps * POINTS // training.total_timesteps, POINTS)
            if point > self.point:
                self.point, score = point, score_so_far(self.model, training)
                if score is not None:
                    report(point, score)

    if training.settings.num_threads is None:
        training = dataclasses.replace(
            training, settings=dataclasses.replace(training.settings, num_threads=training.threads)
        )
    agent = make_agent(training, make_env(training), None)
    agent.learn(training.total_timesteps, callback=Curve())
    return score_of(agent, training)


def several(training: Training) -> bool:
    """Whether the game is for several players, where agents play against themselves and returns say little."""
    from ..envs import find_game

    return is_game(training.game) and find_game(training.game).players > 1


def score_in_words(training: Training) -> str:
    """What `score_of` returns."""
    limit = f", which are left after {STEP_LIMIT} steps" if is_game(training.game) else ""
    returns = f"mean return of {EPISODES} greedy episodes{limit}"
    if several(training):
        rival = rival_in(training.game)
        return f"games won minus games lost, of {EPISODES}, against {rival}; if all are rewarded alike, {returns}"
    return returns


def score_so_far(agent: Any, training: Training) -> float | None:
    """A point of the learning curve: the mean return of the last training episodes, if any has ended."""
    if several(training):
        return score_of(agent, training, FEW_EPISODES)
    returns = [episode["r"] for episode in agent.ep_info_buffer or ()]
    return sum(returns) / len(returns) if returns else None


def score_of(agent: Any, training: Training, episodes: int = EPISODES) -> float:
    """The mean return of greedy episodes, over all players if they are rewarded alike; in games that one wins and others
    lose, games won minus games lost, of all, against the heuristic."""
    from ..agents.training.evaluation import evaluate

    seed = ((training.seed or 0) + EVALUATED) % 2**32
    found = evaluate(agent, episodes, seed=seed, step_limit=STEP_LIMIT)
    if not several(training):
        return found.mean
    from ..zoo.round_robin import alike

    return found.mean if alike(found.returns) else margin(agent, episodes, seed)


def margin(agent: Any, games: int, seed: int) -> float:
    """Games won minus games lost, of all, against a bot."""
    from ..agents.checkpoints.env_spec import make_environment
    from ..agents.training.evaluation import Player
    from ..envs import Bot
    from ..zoo.round_robin import round_robin

    sim = make_environment(agent.environment, num_envs=games // 2, seed=seed).simulator
    found = round_robin(sim, [Player(agent, sim), Bot(sim, rival_in(sim.game), seed)], seed)
    won, lost = found.wins[0, 1], found.wins[1, 0]
    return float(won - lost) / float(won + lost + found.draws[0, 1])


def rival_in(game: str | Game) -> str:
    """The bot that agents are measured by."""
    from ..envs import find_game

    return "random" if find_game(game).heuristic is None else "heuristic"


def trial_settings(study: Study, number: int, training: Training) -> Any:
    """The settings of a trial that has ended."""
    from optuna.trial import FixedTrial

    from ..zoo.tuning.space import suggested

    return suggested(FixedTrial(study.trials[number].params), training.space, training.settings)
