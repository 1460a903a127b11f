"""Functions that several kernels call are compiled once; what reads other values is another function."""

import numpy as np
import pytest

from ludus.envs import Simulator
from ludus.envs.engine import compile_cpu, numba_pipeline
from ludus.envs.engine.compile_cpu import Buffer, Table
from tests.envs.trajectories import assert_same

AMOUNT = 1


def amount():
    return AMOUNT


def add_amount(x, out, first, last):
    for row in range(first, last):
        for column in range(x.shape[1]):
            out[row, column] = x[row, column] + amount()
    return 0


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """Names of functions as they are compiled, nothing kept from before."""
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compile_cpu, "_engines", {})
    monkeypatch.setattr(numba_pipeline, "_shared", type(numba_pipeline._shared)())
    names, compile = [], numba_pipeline.QuickDispatcher.compile

    def noted(self, sig):
        before = len(self.overloads)
        result = compile(self, sig)
        names.extend([self.py_func.__name__] * (len(self.overloads) - before))
        return result

    monkeypatch.setattr(numba_pipeline.QuickDispatcher, "compile", noted)
    return names


def added(columns):
    """What `add_amount` makes of zeros, (3, columns)."""
    arrays = np.zeros((3, columns)), np.empty((3, columns))
    buffers = [Buffer.of(array) for array in arrays]
    table = Table(arrays, buffers)
    assert compile_cpu.compile_cpu("loop", add_amount, {}, buffers)(table.address, 0, 3) == 0
    return arrays[1]


def test_a_loop_is_translated_once_for_all_sizes(compiled):
    assert added(4).shape == (3, 4) and added(7).shape == (3, 7)
    assert (added(4) == 1).all() and (added(7) == 1).all()
    assert sorted(compiled) == ["add_amount", "amount"]


@pytest.mark.parametrize("values", [(1, 2), (1, 1.5), (2, True), (0.0, -0.0), ((1, 2), (1, 2.5))])
def test_another_constant_makes_another_function(compiled, monkeypatch, values):
    for value in values:
        monkeypatch.setattr(f"{__name__}.AMOUNT", value)
        if isinstance(value, tuple):
            monkeypatch.setattr(f"{__name__}.amount", second_of)
        expected = value[1] if isinstance(value, tuple) else 0.0 + value
        assert (added(2) == expected).all(), value
    assert compiled.count("add_amount") == 2


def second_of():
    return AMOUNT[1]


@pytest.mark.parametrize("change", ["value", "type", "shape"])
def test_arrays_are_told_by_their_contents(compiled, monkeypatch, change):
    first = np.array([1, 2, 3, 4], "i4")
    second = {"value": first + 1, "type": first.view("u4"), "shape": first.reshape(2, 2)[:1]}[change]
    monkeypatch.setattr(f"{__name__}.amount", length_and_first)
    for array in (first, first.copy(), second):
        monkeypatch.setattr(f"{__name__}.AMOUNT", array)
        assert (added(2) == len(array) + array.flat[0]).all()
    assert compiled.count("length_and_first") == 2


def length_and_first():
    return len(AMOUNT) + AMOUNT.flat[0]


def test_closures_are_told_by_what_they_hold(compiled, monkeypatch):
    for value in (3, 4):
        monkeypatch.setattr(f"{__name__}.amount", holding(value))
        assert (added(2) == value).all()


def holding(value):
    return lambda: value


def test_a_game_is_stepped_by_the_same_function_whatever_is_shown(compiled):
    Simulator("Breakout", 2)
    planes = list(compiled)
    Simulator("Breakout", 2, obs_type="rgb", size=20)
    Simulator("Breakout", 2, obs_type="rgb", size=30)
    pixels = compiled[len(planes) :]
    assert "step" in planes and "step" not in pixels and "play_games" in pixels
    assert pixels.count("play_games") == 1


def test_checked_kernels_have_functions_of_their_own(compiled):
    Simulator("Catch", 2)
    assert compiled.count("step") == 1
    Simulator("Catch", 2, mode="checked")
    assert compiled.count("step") == 2


def test_few_are_kept_and_all_still_work(compiled, monkeypatch):
    monkeypatch.setattr(numba_pipeline, "MOST_SHARED", 3)
    for game in ("Catch", "Breakout", "Catch"):
        sims = [Simulator(game, 2, seed=1, obs_type="rgb", size=22, mode=mode) for mode in ("compiled", "python")]
        assert_same(*sims, steps=30)
        assert len(numba_pipeline._shared) == 3
