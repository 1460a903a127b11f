"""The curve that a training keeps beside its agent."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

from ludus.agents.files.curve import CURVE, Curve, add_point, read_curve, write_curve
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.training import curve_callback
from ludus.agents.training.curve_callback import CurveCallback

POINTS = [(100, 0.5, -1.0, 9.0), (200, 1.0, 0.25, 12.5), (300, 2.0, 1.0, 15.0)]


def keep(folder, points=POINTS):
    write_curve(folder)
    for point in points:
        add_point(folder, *point)


def training(folder, steps=0, resumed=False, episodes=2):
    """A callback in a training whose agent can be set to any step."""
    seen = [{"r": float(k), "l": 9 + k} for k in range(episodes)]
    agent = SimpleNamespace(num_timesteps=steps, ep_info_buffer=seen, elapsed=lambda: agent.num_timesteps / 100)
    callback = CurveCallback(folder, resumed)
    callback.model = agent
    callback._on_training_start()
    return callback, agent


def test_what_is_kept_is_read_again(tmp_path):
    keep(tmp_path)
    curve = read_curve(tmp_path)
    assert np.array_equal(np.array(list(vars(curve).values())).T, POINTS)
    assert curve.until(250).steps.tolist() == [100, 200] and curve.until(0).returns.tolist() == []
    write_curve(tmp_path, curve.until(200))
    assert read_curve(tmp_path).steps.tolist() == [100, 200]


def test_a_spreadsheet_reads_it(tmp_path):
    keep(tmp_path)
    with open(tmp_path / CURVE, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["steps", "seconds", "return", "length"]
    assert [float(row["return"]) for row in rows] == [-1, 0.25, 1]


def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path):
    keep(tmp_path)
    whole = (tmp_path / CURVE).read_bytes()
    for cut in range(1, 8):
        (tmp_path / CURVE).write_bytes(whole[:-cut])
        assert read_curve(tmp_path).steps.tolist() == [100, 200]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no curve of a training"),
        ("time,score\n1,2\n", "it begins with 'time,score'"),
        ("steps,seconds,return,length\n1,2,3\n", "line 2: '1,2,3' is no point"),
        ("steps,seconds,return,length\n1,2,x,4\n", "line 2"),
        ("steps,seconds,return,length\n1,2,nan,4\n", "line 2"),
        ("steps,seconds,return,length\n9,2,3,4\n8,2,3,4\n", "line 3"),
    ],
)
def test_a_damaged_curve_is_one_line(tmp_path, text, message):
    (tmp_path / CURVE).write_text(text)
    with pytest.raises(CheckpointError, match=message):
        read_curve(tmp_path)


def test_no_curve_is_one_line(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no curve\.csv"):
        read_curve(tmp_path)


def test_a_training_adds_points_now_and_then(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(curve_callback.time, "monotonic", lambda: now[0])
    callback, agent = training(tmp_path)
    for agent.num_timesteps in range(100, 10_100, 100):  # a second of training, and 0.05 of this clock, each
        callback._on_rollout_end()
        now[0] += 0.05
    callback._on_training_end()
    callback._on_training_end()
    curve = read_curve(tmp_path)
    assert curve.steps[0] == 100 and curve.steps[-1] == 10_000 and (np.diff(curve.steps) > 0).all()
    assert 15 <= len(curve.steps) <= 25 and set(curve.returns) == {0.5} and set(curve.lengths) == {9.5}
    assert curve.seconds == pytest.approx(curve.steps / 100)


def test_nothing_is_kept_before_an_episode_has_ended(tmp_path):
    callback, agent = training(tmp_path, episodes=0)
    agent.num_timesteps = 100
    callback.add()
    assert len(read_curve(tmp_path).steps) == 0


def test_a_training_that_goes_on_drops_what_came_after_its_checkpoint(tmp_path):
    keep(tmp_path)
    callback, agent = training(tmp_path, steps=250, resumed=True)
    callback.add()  # no step yet
    agent.num_timesteps = 400
    callback.add()
    assert read_curve(tmp_path).steps.tolist() == [100, 200, 400]
    training(tmp_path)
    assert len(read_curve(tmp_path).steps) == 0


def test_a_damaged_curve_ends_no_training(tmp_path):
    (tmp_path / CURVE).write_text("?")
    with pytest.warns(UserWarning, match="a new curve begins"):
        training(tmp_path, resumed=True)
    assert isinstance(read_curve(tmp_path), Curve)


def test_a_full_disk_ends_no_training(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    callback, agent = training(tmp_path)
    monkeypatch.setattr(curve_callback, "add_point", full)
    agent.num_timesteps = 100
    with pytest.warns(UserWarning, match="the curve cannot be written: No space left on device; training goes on"):
        callback.add()
    agent.num_timesteps = 200
    callback.add()  # said once


def test_fewer_points_are_spread_over_all_steps():
    steps = np.array([0.0, 1, 2, 3, 50, 99, 100])
    curve = Curve(steps, steps / 10, -steps, steps)
    few = curve.thinned(2)
    assert few.steps.tolist() == [50, 100] and few.returns.tolist() == [-50, -100] and few.seconds.tolist() == [5, 10]
    assert curve.thinned(1000).steps.tolist() == steps[1:].tolist()
    assert len(Curve(*np.zeros((4, 0))).thinned(5).steps) == 0
