"""The exact sine and cosine, held against the C library's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludus.envs.exact import cos, sin

angles = st.floats(-1e6, 1e6)


@given(angles)
def test_they_are_the_sine_and_the_cosine(x):
    assert sin(x) == pytest.approx(math.sin(x), abs=3e-16)
    assert cos(x) == pytest.approx(math.cos(x), abs=3e-16)


@given(angles)
def test_they_are_symmetric_and_on_the_circle(x):
    assert sin(-x) == pytest.approx(-sin(x), abs=2e-16) and cos(-x) == pytest.approx(cos(x), abs=2e-16)
    assert sin(x) * sin(x) + cos(x) * cos(x) == pytest.approx(1, abs=1e-15)


def test_known_values_and_quarter_turns():
    assert (sin(0.0), cos(0.0)) == (0.0, 1.0)
    for quarter in range(-8, 9):
        assert sin(quarter * math.pi / 2) == pytest.approx(math.sin(quarter * math.pi / 2), abs=1e-16)
    assert sin(math.pi / 6) == pytest.approx(0.5, abs=1e-16)


def test_compiled_they_give_the_same_bits():
    from numba import njit

    jit = {"error_model": "numpy"}
    near, far = njit(**jit)(sin.__globals__["sine_near_zero"]), njit(**jit)(sin.__globals__["cosine_near_zero"])
    for x in np.random.default_rng(0).uniform(-math.pi / 4, math.pi / 4, 2000).tolist():
        assert near(x) == sin.__globals__["sine_near_zero"](x) and far(x) == sin.__globals__["cosine_near_zero"](x)
