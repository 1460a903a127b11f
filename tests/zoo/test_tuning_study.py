"""A study that processes share: killed and resumed, and two at once, no trial is lost or run twice."""

import subprocess
import sys
import time
from collections import Counter

import optuna
import pytest

from ludus.envs import OptionError
from ludus.zoo.tuning.study import Stopped, begin, load, open_storage, work

TRIALS, INTERVAL, GRACE = 12, 1, 2
CHILD = f"""
import sys, time
from ludus.zoo.tuning.study import load, open_storage, work
def objective(trial):
    x = trial.suggest_int("x", 0, 99)
    print(x, flush=True)
    time.sleep(0.2)
    return float(x)
work(load(open_storage(sys.argv[1], {INTERVAL}, {GRACE}), "toy"), {TRIALS}, objective, lambda: False, {GRACE})
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


def toy(url):
    """A study whose trials are x = 0, 1, 2, ..."""
    return begin(open_storage(url, INTERVAL, GRACE), "toy", {"game": "none"}, [{"x": x} for x in range(TRIALS)])


@pytest.fixture
def child(url):
    """Begins a process that works on the study; none is left behind."""
    begun = []

    def begin_one():
        begun.append(subprocess.Popen([sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE, text=True))
        return begun[-1]

    yield begin_one
    for process in begun:
        with process:  # closes its pipe
            process.kill()


def ended(study):
    return Counter(trial.params["x"] for trial in study.trials if trial.state.name == "COMPLETE")


def killed(process):
    """Kill a process in its second trial."""
    for _ in range(2):
        process.stdout.readline()
    process.kill()
    process.communicate()


def test_two_processes_that_are_killed_and_resumed_run_each_trial_once(url, child):
    study = toy(url)
    for process in (child(), child()):
        killed(process)
    last = child()
    killed(child())
    printed, _ = last.communicate(timeout=60)
    assert last.returncode == 0 and printed
    assert ended(study) == Counter(range(TRIALS))
    assert {trial.state.name for trial in study.trials} == {"COMPLETE", "FAIL"}
    assert [trial for trial in study.trials if trial.state.name == "FAIL" and trial.params]  # which were killed


def test_a_trial_that_is_stopped_is_put_back(url):
    study, stop = toy(url), []

    def objective(trial):
        x = trial.suggest_int("x", 0, 99)
        if x == 3 and not stop:
            stop.append(True)
            raise Stopped
        return float(x)

    work(study, TRIALS, objective, lambda: bool(stop))
    assert ended(study) == Counter(range(3))
    work(study, TRIALS, objective, lambda: False)
    assert ended(study) == Counter(range(TRIALS))


def test_no_more_trials_are_run_than_are_wanted(url):
    study = toy(url)
    work(study, 5, lambda trial: float(trial.suggest_int("x", 0, 99)), lambda: False)
    assert ended(study) == Counter(range(5))
    work(study, 5, lambda trial: 1 / 0, lambda: False)
    assert len(study.trials) == TRIALS


def test_a_trial_too_many_that_two_began_at_once_is_given_up(url, monkeypatch):
    """The last one is taken by another process between the look at the study and the beginning of a trial."""
    study, begun = begin(open_storage(url), "toy", {}, []), []
    optimize = study.optimize

    def after_another(*arguments, **options):
        if not begun:
            with pytest.warns(UserWarning, match="Heartbeat"):
                begun.append(study.ask())
        return optimize(*arguments, **options)

    monkeypatch.setattr(study, "optimize", after_another)

    def objective(trial):
        raise AssertionError("this trial is one too many")

    def others_end():
        if len(study.trials) == 2:
            study.tell(begun[0], 1.0)
            return True
        return False

    work(study, 1, objective, others_end)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL"]


def test_hopeless_trials_are_pruned_by_their_curves(url):
    study = begin(open_storage(url), "toy", {}, [{"x": x} for x in (90, 88, 91, 89, 1)])

    def objective(trial):
        x = trial.suggest_int("x", 0, 99)
        for point in range(1, 11):
            trial.report(x * point, point)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(x)

    work(study, 5, objective, lambda: False)
    last = study.trials[4]
    assert last.params["x"] == 1 and last.state.name == "PRUNED" and 2 <= len(last.intermediate_values) <= 4


def test_a_study_of_something_else_is_refused(url):
    toy(url)
    with pytest.raises(OptionError, match=r"begun with game none, not Catch"):
        begin(open_storage(url), "toy", {"game": "Catch"}, [])
    assert len(load(open_storage(url), "toy").trials) == TRIALS


def test_a_storage_that_is_none_is_one_line(tmp_path):
    began = time.monotonic()
    for url in (f"sqlite:///{tmp_path}/no/folder.db", "nonsense"):
        with pytest.raises(OptionError, match=r"cannot be opened") as caught:
            open_storage(url)
        assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 10
