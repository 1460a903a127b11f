"""`ludus tune` from beginning to end at a small size; its report, its recipe, and what is refused."""

import dataclasses
import json
import re
import time
from types import SimpleNamespace

import optuna
import pytest

from ludus.__main__ import main
from ludus.cli import train, trials, tune
from ludus.cli.settings import SETTINGS
from ludus.cli.tune_table import TuneTable
from ludus.envs import LudusError, Options
from ludus.zoo.tuning.recipe import write_recipe
from ludus.zoo.tuning.report import Comparison, write_report
from ludus.zoo.tuning.space import parameters_of, space_of
from ludus.zoo.tuning.study import Stopped

SMALL = {"num_envs": 16, "n_steps": 8, "batch_size": 64, "n_epochs": 1}
KEPT = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def training(game="Catch", steps=1024, **settings):
    start = SETTINGS["ppo"](**SMALL, **settings)
    space = space_of("ppo", start, {*SMALL, "net_arch", "activation", "optimizer"})
    return trials.Training(game, "ppo", 0, "cpu", steps, Options(), start, space, threads=1)


def work_of(one, tuned=None):
    return trials.Work(one, "sqlite://", "study", 1, tuned)


def test_a_trial_trains_with_what_is_suggested_and_reports_its_curve():
    one = training()
    parameters = parameters_of(one.space, one.settings)
    asked = optuna.trial.FixedTrial(parameters)
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.NopPruner())
    study.enqueue_trial(parameters)
    study.optimize(lambda trial: trials.searched(trial, work_of(one), lambda: False), n_trials=1)
    (trial,) = study.trials
    assert trial.params == parameters and list(trial.intermediate_values)[-1] == trials.POINTS
    assert all(-1 <= score <= 1 for score in [*trial.intermediate_values.values(), trial.value])
    assert trials.searched(asked, work_of(one), lambda: False) == trial.value  # the same seed, the same agent
    with pytest.raises(Stopped):
        trials.searched(asked, work_of(one), lambda: True)


def test_a_training_that_fails_is_pruned_and_says_why(monkeypatch):
    def fail(*_):
        raise LudusError("the loss is nan at step 3")

    monkeypatch.setattr(trials, "train", fail)
    one = training()
    trial = optuna.trial.FixedTrial(parameters_of(one.space, one.settings))
    with pytest.raises(optuna.TrialPruned):
        trials.searched(trial, work_of(one), lambda: False)
    assert trial.user_attrs == {"error": "the loss is nan at step 3"}


def test_tuned_and_default_settings_are_trained_with_the_same_seeds(monkeypatch):
    seen = []
    monkeypatch.setattr(trials, "train", lambda one, *_: seen.append((one.settings.gamma, one.seed)) or 0.0)
    one = training()
    work = work_of(one, dataclasses.replace(one.settings, gamma=0.5))
    for which in (trials.TUNED, trials.DEFAULT):
        trials.compared(optuna.trial.FixedTrial({"settings": which, "seed": 7}), work, lambda: False)
    assert seen == [(0.5, 7), (one.settings.gamma, 7)]


@pytest.mark.parametrize(("game", "lowest", "highest"), [("TicTacToe", -1, 1), ("Pursuit", 0, 6)])
def test_scores_of_games_for_several(game, lowest, highest):
    """Games won minus lost against the heuristic, but where all are rewarded alike their mean return, here of six rabbits."""
    options = Options(max_episode_steps=50) if game == "Pursuit" else Options()
    one = dataclasses.replace(training(game, steps=256), options=options)
    points = []
    assert lowest <= trials.train(one, lambda *point: points.append(point), lambda: False) <= highest
    assert points and all(lowest <= score <= highest for _, score in points)


def test_what_came_out_is_said_and_kept(study, tmp_path, capsys):
    one = training()
    tuned = dataclasses.replace(one.settings, gamma=0.5)
    tune.conclude(tmp_path, one, study, [(3.0, 1.0), (4.0, 2.0)], tuned)
    out = capsys.readouterr().out
    assert "Over 2 fresh seeds: tuned 3.50, defaults 1.50, difference +2.00" in out
    assert f"ludus train Catch --algo ppo --recipe-file {tmp_path}/recipe.json" in out.replace("\n", " ")
    config = train.defaults(["Catch", "--recipe-file", str(tmp_path / "recipe.json")])
    assert config.settings == tuned and config.options == one.options
    assert config.total_timesteps == one.total_timesteps  # for which the settings were chosen
    assert "fresh seeds" in json.loads((tmp_path / "recipe.json").read_text())["about"]


@pytest.mark.slow
def test_it_works_from_beginning_to_end_and_again(tmp_path, capsys):
    words = [
        "tune",
        "Catch",
        *KEPT,
        "--net-arch",
        "8",
        "--activation",
        "tanh",
        "--optimizer",
        "adam",
        "--out",
        str(tmp_path),
    ]
    words += ["--total-timesteps", "1024", "--jobs", "1", "--seeds", "2"]
    assert main([*words, "--trials", "3"]) == 0
    storage = f"sqlite:///{tmp_path}/study.db"
    study = optuna.load_study(study_name="Catch ppo", storage=storage)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
    assert all("n_steps" not in trial.params and "gamma" in trial.params for trial in study.trials)
    start = SETTINGS["ppo"]()
    assert study.trials[0].params["learning_rate"] == start.learning_rate
    assert study.trials[1].params != study.trials[0].params
    assert (tmp_path / "report.html").exists()
    before = len(study.trials)
    assert main([*words, "--trials", "3"]) == 0
    assert len(study.trials) == before
    assert main([*words, "--total-timesteps", "512"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "begun with total_timesteps 1024, not 512" in error


def test_a_comparison_tells_what_is_chance():
    from scipy.stats import ttest_ind

    tuned, default = [3.0, 4.0, 5.0], [1.0, 2.5, 1.5]
    gain, low, high = Comparison(tuned, default).gain
    expected = ttest_ind(tuned, default, equal_var=False).confidence_interval(0.95)
    assert (gain, low, high) == pytest.approx((4 - 5 / 3, expected.low, expected.high))
    assert "Over 3 fresh seeds: tuned 4.00, defaults 1.67, difference +2.33" in str(Comparison(tuned, default))
    assert Comparison([1.0, 1.0], [1.0, 1.0]).gain == (0, 0, 0)


@pytest.fixture
def study():
    """One in memory, with curves, of which one trial was pruned."""
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.NopPruner())
    for number in range(6):
        trial = study.ask({"learning_rate": optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True)})
        for point in range(1, 6):
            trial.report(number * point / 5, point)
        if number == 1:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif number < 5:
            study.tell(trial, float(number))
    return study


def test_the_report_is_one_file_that_asks_no_host(study, tmp_path):
    path = tmp_path / "report.html"
    write_report(path, "Catch <&>", "mean return", study, Comparison([3.0, 4.0], [1.0, 2.0]), {"gamma": 0.9})
    text = path.read_text()
    assert not re.search(r"<(script|link|img|iframe)[^>]* (src|href)=", text.replace('src="data:', ""))
    assert text.count("<h2>") == 6 and "Catch &lt;&amp;&gt;" in text and "Catch <&>" not in text
    assert "4 trials trained to the end, 1 were pruned" in text and "Score: mean return." in text
    write_report(path, "Catch", "mean return", study, None, {})
    assert "None was better than the default settings" in path.read_text()


def test_the_table_shows_what_runs_and_the_best(study, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    table = TuneTable(study, 10, "trials")
    table.console.print(table.table(study.trials))
    lines = capsys.readouterr().err.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].strip() == "trials: 5 of 10 ended, 1 of them pruned, 1 running, best score 4.00"
    rows = [line.split() for line in lines[4:] if line.strip()]
    assert [row[0] for row in rows] == ["5", "4", "3", "2", "0"]
    assert rows[1][1] == "4.00" and rows[1][2] == "▂▄▅▇█" and "learning_rate" in rows[1]


def test_time_is_kept_for_the_comparison():
    def ended(seconds):
        return SimpleNamespace(
            state=SimpleNamespace(name="COMPLETE"), duration=SimpleNamespace(total_seconds=lambda: seconds)
        )

    study = SimpleNamespace(get_trials=lambda deepcopy: [ended(4), ended(6), ended(50)])
    config = tune.Config("Catch", seeds=5, jobs=2, time_limit=1000)
    assert tune.reserve(study, config) == tune.START + 5 * 6
    config.time_limit = 40
    assert tune.reserve(study, config) == 20


def test_a_recipe_begins_a_training(tmp_path):
    path = tmp_path / "recipe.json"
    write_recipe(path, "ppo", 1234, "About.", {"size": 32, "obs_type": "rgb"}, {"gamma": 0.9, "net_arch": [64, 64]})
    assert json.loads(path.read_text()).keys() == {"about", "algo", "total_timesteps", "options", "ppo"}
    config = train.defaults(["Catch", "--recipe-file", str(path)])
    assert (config.settings.gamma, config.settings.net_arch, config.options.size) == (0.9, (64, 64), 32)
    assert config.settings.learning_rate == SETTINGS["ppo"]().learning_rate


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Catch", "--seeds", "1"], "--seeds must be 2 or more"),
        (["Catch", "--algo", "sac"], "unknown algorithm 'sac'"),
        (["Catsh"], "did you mean Catch?"),
        (["Catch", "--recipe"], "there is no recipe for Catch"),
        (["CartPole-v1", "--recipe"], "--recipe is for games of Ludus"),
        (["Catch", "--policy", "resnet"], "unknown policy 'resnet'"),
        (["Catch", "--storage", "nonsense"], "--storage nonsense cannot be opened"),
        (["Catch", "--trails", "3"], "did you mean --trials?"),
    ],
)
def test_what_cannot_be_tuned_is_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ludus.zoo.recipe_names", lambda: ["Asterix"])
    assert main(["tune", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_what_is_fixed_and_what_is_common():
    config, given = tune.defaults(["Catch", "--algo", "dqn", "--gamma", "0.9"])
    assert given == {"game", "algo", "gamma"} and config.algo == "dqn" and config.options == Options()
    assert tune.defaults(["CartPole-v1"])[0].settings.num_envs == 8


def test_it_begins_with_what_training_begins_with():
    for words in (["Asterix"], ["Asterix", "--algo", "dqn"], ["Asterix", "--no-recipe"], ["Catch"], ["CartPole-v1"]):
        own, theirs = tune.defaults(words)[0], train.defaults(words)
        for name in ("algo", "settings", "options", "recipe"):
            assert getattr(own, name) == getattr(theirs, name), words
    assert tune.defaults(["Asterix"])[0].options.repeat_action_probability == 0.1


def test_settings_are_pickled_for_processes():
    import pickle

    settings = SETTINGS["pqn"](gamma=0.5)
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_the_line_of_a_terminal_that_is_none_comes_now_and_then(study, capsys):
    table = TuneTable(study, 10, "trials", interval=0.2)
    with table:
        for _ in range(3):
            table.show()
        time.sleep(0.25)
        table.show()
    assert capsys.readouterr().err.count("trials: 5 of 10 ended") == 3
