"""Matrices whose axes are swapped."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.agents.compiled.kernel import Kernel
from ludus.agents.compiled.transpose import SIDE, transpose


@settings(deadline=None, max_examples=8)
@given(st.sampled_from([1, 3, 4, 6, 17]), st.sampled_from([1, 4, 15, 16, 18, 33]), st.integers(0, 5), st.integers(0, 5))
def test_a_weight_comes_to_its_place_with_its_axes_swapped(outputs, inputs, row, column):
    weight = torch.randn(outputs, inputs)
    out = torch.zeros(2, inputs + row + 3, outputs + column + 2)
    expected = out.clone()
    expected[1, row : row + inputs, column : column + outputs] = weight.T

    Kernel(transpose, weight, torch.tensor([1, row, column]), out, units=-(-inputs // SIDE))()

    assert torch.equal(out, expected)
