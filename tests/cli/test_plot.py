"""`ludus plot`: which runs are one line, what the lines are, and what is refused."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import trim_mean

from ludus.__main__ import main
from ludus.agents.files.curve import CURVE, Curve, read_curve, write_curve
from ludus.cli.plot import by_environment
from ludus.cli.run_facts import grouped, labels, read_run, short_names

from .trained import train

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in ("0", "1"):
        train(folder / f"fast{seed}", "Catch", "--seed", seed)
        train(folder / f"slow{seed}", "Catch", "--seed", seed, "--learning-rate", "1e-4")
    train(folder / "q", "Catch", "--algo", "pqn")
    train(folder / "sticky", "Catch", "--repeat-action-probability", "0.1")
    return folder


def curve(returns, seconds=10.0):
    points = len(returns)
    steps = np.linspace(100, 1000, points)
    return Curve(steps, np.linspace(1, seconds, points), np.array(returns, float), np.full(points, 9.0))


def test_seeds_of_one_setting_are_one_line(runs):
    found = by_environment([read_run(path) for path in sorted(runs.iterdir())])
    assert {title: {label: len(curves) for label, curves in lines.items()} for title, lines in found.items()} == {
        "Catch": {"PPO, learning_rate 0.0025 to 0": 2, "PPO, learning_rate 0.0001 to 0": 2, "PQN": 1},
        "Catch (repeat_action_probability=0.1)": {"PPO": 1},
    }


def test_one_setting_needs_no_word(runs):
    (group,) = grouped([read_run(runs / "fast0"), read_run(runs / "fast1")])
    assert labels([group[0]]) == ["PPO"]


def test_a_setting_looks_the_same_in_every_game():
    from ludus.zoo.plots import learning_curves

    one = curve([1, 2])
    figure = learning_curves({"Catch": {"PPO": [one], "DQN": [one]}, "Snake": {"DQN": [one, one]}})
    assert figure.axes[0].lines[1].get_color() == figure.axes[2].lines[0].get_color()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["PPO", "DQN (1 or 2 runs)"]


def test_no_two_settings_have_one_label(runs):
    run = read_run(runs / "fast0")
    others = [dataclasses.replace(run, path=Path(name), environment={"game": name}) for name in ("a", "b")]
    assert labels(others) == ["PPO, a", "PPO, b"]
    many = {f"option_{k}": 0 for k in range(9)}
    label = labels(
        [dataclasses.replace(run, settings=many | {"z": 9}), dataclasses.replace(run, settings=run.settings)]
    )[0]
    assert label == "PPO, option_0 0, option_1 0, option_2 0, ..."


def test_names_are_as_short_as_they_may_be():
    assert short_names([Path("runs/a"), Path("runs/b")]) == ["a", "b"]
    assert short_names([Path("runs/a"), Path("more/a")]) == ["runs/a", "more/a"]
    assert short_names([Path("runs/a")]) == ["runs/a"]


def test_a_line_is_the_interquartile_mean_of_its_runs():
    from ludus.zoo.plots import learning_curves

    curves = [curve([k, 2 * k, 4 * k]) for k in (0, 1, 2, 10)]
    figure = learning_curves({"Catch": {"PPO": curves, "DQN": [curve([5, 6, 7])]}})
    by_steps, by_time = figure.axes
    line, single = by_steps.lines
    at = np.interp([100, 550, 1000], line.get_xdata(), line.get_ydata())
    assert at == pytest.approx([trim_mean([c.returns[k] for c in curves], 0.25) for k in range(3)], abs=0.05)
    assert single.get_ydata().tolist() == [5, 6, 7] and len(by_steps.collections) == 1  # no band of one run
    low, high = (pick(by_steps.collections[0].get_paths()[0].vertices[:, 1]) for pick in (np.min, np.max))
    assert low == 0 and high == 40  # resamples of one run alone are among those of four
    assert by_steps.get_xlabel() == "steps" and by_time.get_xlabel() == "seconds"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["PPO (4 runs)", "DQN"]
    assert "interquartile mean" in legend.get_title().get_text()
    assert line.get_linestyle() != single.get_linestyle() and line.get_color() != single.get_color()


@pytest.mark.parametrize(("seconds", "unit"), [(100, "seconds"), (1000, "minutes"), (20_000, "hours")])
def test_time_has_a_unit_that_suits_it(seconds, unit):
    from ludus.zoo.plots import learning_curves

    axes = learning_curves({"Catch": {"PPO": [curve([1, 2], seconds)]}}).axes[1]
    assert axes.get_xlim()[0] == 0 and axes.get_xlim()[1] >= axes.lines[0].get_xdata()[-1]
    assert axes.get_xlabel() == unit and 3 <= axes.lines[0].get_xdata()[-1] <= 200


def test_lines_go_as_far_as_all_their_runs():
    from ludus.zoo.plots import learning_curves

    short = Curve(*(column[:2] for column in vars(curve([1, 2, 3])).values()))
    axes = learning_curves({"Catch": {"PPO": [curve([1, 2, 3]), short]}}).axes[0]
    assert axes.lines[0].get_xdata()[-1] == 550


def test_names_are_drawn_letter_by_letter(tmp_path):
    from ludus.zoo.plots import learning_curves

    figure = learning_curves({"$\\frac$": {"PPO, name $x$": [curve([1, 2])]}})
    figure.savefig(tmp_path / "a.svg")
    assert figure.legends[0].get_texts()[0].get_text() == r"PPO, name \$x\$"


def test_a_training_that_goes_on_has_one_curve(tmp_path):
    run = Path(train(tmp_path / "run"))
    before = read_curve(run)
    assert before.steps[-1] == 1024 and (before.lengths == 9).all()  # of every episode of Catch
    train(run, "Catch", "--resume", "--total-timesteps", "2048")
    after = read_curve(run)
    count = len(before.steps)
    assert (after.steps[:count] == before.steps).all() and after.steps[count] > 1024 and after.steps[-1] == 2048
    assert (np.diff(after.seconds) > 0).all()
    train(run, "Catch", "--overwrite")
    assert read_curve(run).steps[-1] == 1024


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_is_written(runs, tmp_path, capsys, suffix):
    out = tmp_path / f"curves.{suffix}"
    assert main(["plot", str(runs / "fast0"), "--out", str(out), str(runs / "q")]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Catch: PPO" in text and "Catch: PQN" in text and f"saved in {out}" in text
    assert out.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml"}[suffix])


@pytest.mark.parametrize("verb", [["plot"], ["compare", "Catch:random"]])
def test_without_matplotlib_a_line_says_what_to_install(verb, runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main([*verb, str(runs / "fast0"), "--out", str(tmp_path / "curves.png")]) == 2
    assert capsys.readouterr() == ("", "ludus: a figure needs matplotlib: pip install 'matplotlib>=3.8'\n")


def test_bad_input_is_one_line(runs, tmp_path, capsys):
    train(tmp_path / "run")
    run, out = str(tmp_path / "run"), str(tmp_path / "curves.png")
    (tmp_path / "taken.png").write_text("precious")
    lines = [
        (["plot", "nowhere", "--out", out], "there is no folder nowhere"),
        (["plot", run, "--out", "curves.pdf"], "--out must end in .png or .svg"),
        (["plot", run, "--out", str(tmp_path / "taken.png")], "--force"),
        (["plot", "--out", out], "needs RUN"),
    ]
    write_curve(tmp_path / "run")
    lines.append((["plot", run, "--out", out], "fewer than two points"))
    for arguments, message in lines:
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    (tmp_path / "run" / CURVE).unlink()
    assert main(["plot", run, "--out", out]) == 2 and "has no curve.csv" in capsys.readouterr().err
    assert (tmp_path / "taken.png").read_text() == "precious" and not Path(out).exists()
