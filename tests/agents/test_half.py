"""Layers with gradients by products of bfloat16, against products of numbers that were rounded before."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ludus.agents.layers import Dense, Flow, HalfDense, Norm, Place, in_half
from ludus.agents.loops import Crew
from ludus.agents.network_loops import filled_up

even = st.integers(1, 40).map(lambda half: 2 * half)


def rounded(x):
    return x.bfloat16().double()


def close(mine, exact, terms):
    """Single precision's error in a sum of so many products."""
    return torch.allclose(mine.double(), exact, rtol=1e-5, atol=1e-6 * terms)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 2),
    st.integers(1, 80),
    even,
    st.sampled_from([16, 48, 144]),
    st.sampled_from([1, 2]),
    st.integers(0, 2**16),
)
def test_gradients_are_products_of_rounded_numbers(groups, inputs, outputs, samples, threads, seed):
    torch.manual_seed(seed)
    modules = [nn.Linear(inputs, outputs) for _ in range(groups)]
    places = [Place(module, group) for group, module in enumerate(modules)]
    layer, crew = HalfDense(groups, filled_up(inputs), filled_up(outputs), places), Crew(threads)
    layer.read()
    x = Flow(torch.relu(torch.randn(samples, groups, filled_up(inputs))).flatten(1))
    out, forward = layer.forward(x)
    x.slope, out.slope = torch.randn_like(x.numbers), torch.zeros_like(out.numbers)
    crew.run(*forward)
    numbers = x.numbers.view(samples, groups, -1)
    slope = out.slope.view(samples, groups, -1)
    slope[:, :, :outputs] = torch.randn(samples, groups, outputs)
    crew.run(*layer.backward(x, out))
    layer.collect()
    crew.close()
    for group, module in enumerate(modules):
        seen, back = rounded(numbers[:, group, :inputs]), rounded(slope[:, group, :outputs])
        weight = rounded(module.weight)
        exact = torch.relu(numbers[:, group, :inputs].double() @ module.weight.double().T + module.bias.double())
        assert close(out.numbers.view(samples, groups, -1)[:, group, :outputs], exact, inputs)
        assert close(layer.gradients[id(module.weight)], back.T @ seen, samples)
        assert close(layer.gradients[id(module.bias)], slope[:, group, :outputs].double().sum(0), samples)
        passed_on = back @ weight * (numbers[:, group, :inputs] > 0)
        assert close(x.slope.view(samples, groups, -1)[:, group, :inputs], passed_on, outputs)


def ones_through(module):
    """A layer, what passes through it, and its loops back, for inputs and slopes of 1."""
    layer = HalfDense(1, 16, 16, [Place(module)])
    x = Flow(torch.ones(16, 16), slope=torch.zeros(16, 16))
    out, _ = layer.forward(x)
    out.slope = torch.zeros(16, 16)
    out.slope[:, :6] = 1
    return layer, x, out, layer.backward(x, out)


def test_new_weights_are_noticed():
    module = nn.Linear(4, 6)
    layer, x, _, loops = ones_through(module)
    for weight in (2.0, 3.0):
        module.weight = nn.Parameter(torch.full((6, 4), weight))  # in another place, too
        layer.read()
        Crew(1).run(*loops)
        assert (x.slope[:, :4] == 6 * weight).all()


def test_what_is_not_a_number_comes_through():
    module = nn.Linear(4, 6)
    layer, x, out, loops = ones_through(module)
    layer.read()
    out.slope[3, 2] = float("nan")
    Crew(1).run(*loops)
    layer.collect()
    assert x.slope[3, :4].isnan().all() and not x.slope[4].isnan().any()
    change = layer.gradients[id(module.weight)]
    assert change[2].isnan().all() and (change[3] == 16).all()


@pytest.mark.parametrize(
    ("layer", "half"),
    [
        (Dense(1, 16, 16, [Place(nn.Linear(10, 12))]), True),
        (Dense(2, 16, 16, [Place(nn.Linear(10, 12), group) for group in (0, 1)]), True),
        (Dense(1, 16, 16, [Place(nn.Linear(9, 12))]), True),
        (Dense(1, 16, 16, [Place(nn.Linear(10, 11))]), False),  # pairs need two
        (Dense(1, 16, 16, [Place(nn.Linear(10, 12))], relu=False), False),  # small differences matter
        (Dense(1, 16, 32, [Place(nn.Linear(10, 12)), Place(nn.Linear(10, 12), first_output=12)]), False),
        (Norm(nn.LayerNorm(10), 1, 16), False),
    ],
)
def test_which_layers_can(layer, half):
    found = in_half(layer)
    assert type(found) is HalfDense if half else found is layer
