"""A study that processes share, on one machine or several: any of them may be killed and started again.

Who runs a trial tells the storage every `INTERVAL` seconds that it lives. A trial of which nothing was heard for `GRACE`
seconds is put back, with the same settings, for whoever asks next.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ...agents.runtime.extras import need
from ...envs import OptionError

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

INTERVAL, GRACE = 5, 30  # seconds
PATIENCE = 60.0  # seconds for which a database may be locked by others
BEGUN = "begun with"  # the attribute of a study that others wait for
RUNS = "runs as"  # the attribute of a trial that was heard of at least once: its number


class Stopped(BaseException):
    """Raised in a trial that is to be put back. Not an Exception, so that no `except Exception` on its way catches it."""


class Surplus(Exception):
    """Raised in a trial that two processes began at once where only one was left."""


def open_storage(url: str, interval: int = INTERVAL, grace: int = GRACE) -> RDBStorage:
    """The storage at a URL, such as sqlite:///study.db or that of a server; raises OptionError if there is none."""
    optuna = need("optuna", "tuning", "tune")
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    connect = {"connect_args": {"timeout": PATIENCE}} if url.startswith("sqlite") else {}
    for attempt in range(3):  # of processes that begin at once, only one makes each table
        try:
            storage = optuna.storages.RDBStorage(
                url, connect, heartbeat_interval=interval, grace_period=grace,
                heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
            )  # fmt: skip
            if url.startswith("sqlite"):
                lock_before_reading(storage.engine)
            return storage
        except (SQLAlchemyError, ImportError, ValueError, optuna.exceptions.StorageInternalError) as error:
            if attempt == 2:
                raise OptionError(f"--storage {url} cannot be opened: {' '.join(str(error).split())[:200]}") from error
            time.sleep(0.5)
    raise AssertionError


def lock_before_reading(engine: Any) -> None:
    """Let transactions of SQLite have the database from their beginning, as SQLAlchemy's documentation of it tells.

    Python's driver begins them with their first write, so that two processes could both read that a trial waits, and run it.
    """
    from sqlalchemy import event

    @event.listens_for(engine, "connect")
    def leave_transactions_alone(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin_with_a_lock(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # connections that were there before


def begin(
    storage: RDBStorage, name: str, facts: dict[str, Any], first: list[dict[str, Any]], prune: bool = True
) -> Study:
    """A study, begun with some trials, or the one of this name that is there; raises OptionError if that is of other facts.

    Args:
        facts: what all its trials have in common, as JSON can hold it.
        first: parameters of the trials that come first.
        prune: whether trials end early whose learning curves are below the median at that point.
    """
    import optuna

    try:
        study = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", sampler=sampler(), pruner=pruner(prune)
        )
    except optuna.exceptions.DuplicatedStudyError:
        study = load(storage, name, prune)
        wait_for(lambda: BEGUN in study.user_attrs)
    if BEGUN not in study.user_attrs:  # it is new, or who made it was killed
        for parameters in first:
            study.enqueue_trial(parameters, skip_if_exists=True)
        study.set_user_attr(BEGUN, facts)
    before = study.user_attrs[BEGUN]
    different = [key for key in {**before, **facts} if before.get(key) != facts.get(key)]
    if different:
        key = different[0]
        raise OptionError(
            f"the study {name!r} was begun with {key} {before.get(key)}, not {facts.get(key)}: give the same, or another "
            "--out or --storage"
        )
    return study


def load(storage: RDBStorage, name: str, prune: bool = True) -> Study:
    """A study that was begun."""
    import optuna

    return optuna.load_study(storage=storage, study_name=name, sampler=sampler(), pruner=pruner(prune))


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return when it holds, or after some time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def sampler() -> Any:
    """TPE over all parameters at once; its random numbers differ between processes, so that no two try the same."""
    import optuna

    return optuna.samplers.TPESampler(multivariate=True, group=True, constant_liar=True)


def pruner(prune: bool) -> Any:
    import optuna

    return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2) if prune else optuna.pruners.NopPruner()


def work(
    study: Study, trials: int, objective: Callable[[Trial], float], stopped: Callable[[], bool], grace: int = GRACE
) -> None:
    """Run trials until so many have ended, here or in other processes, or until it is stopped.

    Where all that are left run elsewhere, it waits, in case that one of them has to be put back.
    """
    from optuna.trial import TrialState

    def attempt(trial: Trial) -> float:
        others = study.get_trials(deepcopy=False)
        if sum(other.number < trial.number and other.state != TrialState.FAIL for other in others) >= trials:
            raise Surplus
        study._storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
        trial.set_user_attr(RUNS, trial.number)
        try:
            return objective(trial)
        except Stopped:
            put_back(study, trial.number)
            raise

    while not stopped():
        done = len(ended(study))
        if done >= trials:
            return
        if done + len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))) >= trials:
            time.sleep(0.5)
            put_back_lost(study, grace)
            continue
        try:
            study.optimize(attempt, n_trials=1, catch=(Surplus,))
        except Stopped:
            return


def ended(study: Study) -> list[FrozenTrial]:
    """The trials that were trained to the end, or pruned."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def put_back_lost(study: Study, grace: int) -> None:
    """Put back the trials of processes that are no more, also of those that were killed before they were heard of."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.storages import fail_stale_trials
    from optuna.trial import TrialState

    fail_stale_trials(study)
    latest = datetime.now() - timedelta(seconds=grace)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if (
            trial.user_attrs.get(RUNS) != trial.number
            and trial.datetime_start is not None
            and trial.datetime_start < latest
        ):
            with suppress(UpdateFinishedTrialError, ValueError):  # another process was quicker
                put_back(study, trial.number)


def put_back(study: Study, number: int) -> None:
    """End a trial here, and let others run it from its beginning."""
    from optuna.storages import RetryHeartbeatStaleTrialCallback
    from optuna.trial import TrialState

    study.tell(number, state=TrialState.FAIL)
    RetryHeartbeatStaleTrialCallback()(study, study.trials[number])
