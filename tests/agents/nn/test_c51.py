"""C51: targets and losses against the paper's algorithm in plain loops."""

from math import ceil, exp, floor, log

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ludus.agents.nn.value_dists import Categorical
from tests.agents.nn.value_targets import SEEDS, some_target

DISCOUNTS = st.sampled_from([0.0, 0.99, -0.99, 1.0, -0.5])  # below 0 where it is the other's turn


def likely(logits):
    """Their probabilities, in plain numbers."""
    weights = [exp(x) for x in logits]
    return [x / sum(weights) for x in weights]


def algorithm_1(probabilities, reward, gamma, v_min, v_max):
    """Categorical algorithm (Bellemare et al. 2017) for the atoms of one action.

    As published it loses what falls on an atom exactly, where l = u; that atom gets it here, as all implementations have it.
    """
    atoms = len(probabilities)
    step = (v_max - v_min) / (atoms - 1)
    m = [0.0] * atoms
    for j in range(atoms):
        place = min(max(reward + gamma * (v_min + j * step), v_min), v_max)
        b = min((place - v_min) / step, atoms - 1)
        lower, upper = floor(b), ceil(b)
        if lower == upper:
            m[lower] += probabilities[j]
        else:
            m[lower] += probabilities[j] * (upper - b)
            m[upper] += probabilities[j] * (b - lower)
    return m


def project(atoms, places, v_min=-1.0, v_max=1.0):
    """Where a return ends up, for each of the places alone."""
    places = torch.tensor(places, dtype=torch.float32).unsqueeze(1)
    return Categorical(v_min, v_max, atoms).project(places, torch.ones_like(places))


def only(action, batch, choices):
    return torch.eye(choices)[action].expand(batch, -1)


@settings(max_examples=40, deadline=None)
@given(SEEDS, DISCOUNTS, st.sampled_from([2, 7, 51]))
def test_c51_target_of_the_best_action_is_algorithm_1(seed, discount, atoms):
    returns, out, _, _ = some_target(seed, atoms=atoms)
    result = Categorical(-2, 3, atoms).target(returns, torch.full((4,), discount), out, only(1, 4, 3), None)
    for i in range(4):
        expected = algorithm_1(likely(out[i, 1].tolist()), returns[i].item(), discount, -2, 3)
        assert result[i].tolist() == pytest.approx(expected, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(SEEDS, DISCOUNTS)
def test_c51_target_of_a_policy_with_a_bonus_mixes_what_its_actions_bring(seed, discount):
    returns, out, policy, bonus = some_target(seed)
    result = Categorical(-2, 3, 7).target(returns, torch.full((4,), discount), out, policy, bonus)
    for i in range(4):
        expected = np.zeros(7)
        for a in range(3):
            reward = returns[i].item() + discount * bonus[i, a].item()
            expected += policy[i, a].item() * np.array(algorithm_1(likely(out[i, a].tolist()), reward, discount, -2, 3))
        assert result[i].tolist() == pytest.approx(expected, abs=1e-5)


@settings(max_examples=100, deadline=None)
@given(st.floats(-30, 30), st.floats(0.1, 40), st.integers(2, 60), SEEDS)
@example(1.0, 9.0, 60, 0)  # where the highest return is a bit more than 59 steps above the lowest, in float32
def test_c51_projection_makes_probabilities(v_min, width, atoms, seed):
    distribution, rng = Categorical(v_min, v_min + width, atoms), np.random.default_rng(seed)
    places = v_min + width * np.append(rng.uniform(-0.5, 1.5, (3, 20)), [[0, 1], [-1, 2], [1, 1]], 1)
    weights = rng.dirichlet(np.ones(22), 3)
    result = distribution.project(*(torch.tensor(x, dtype=torch.float32) for x in (places, weights)))
    assert result.min() >= 0
    assert result.sum(1).tolist() == pytest.approx([1] * 3, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 0.5, -0.5]))
def test_c51_target_keeps_the_mean_where_nothing_is_clipped(seed, discount):
    returns, out, policy, _ = some_target(seed)
    distribution = Categorical(-10, 10, 7)
    returns = returns.clamp(-5, 5)  # so that all of returns +- 0.5 * 10 lies within
    result = distribution.target(returns, torch.full((4,), discount), out, policy, None)
    values = (policy * distribution.mean(out)).sum(1)
    assert torch.allclose(distribution.mean(result.log()), returns + discount * values, atol=1e-4)


def test_c51_mean_is_the_sum_of_returns_by_their_probabilities():
    out = torch.tensor([[[0.0, log(2), log(5)], [7.0, 7.0, 7.0]]])
    assert Categorical(-1, 3, 3).mean(out)[0].tolist() == pytest.approx([-1 / 8 + 2 / 8 + 15 / 8, 1])


def test_c51_support_is_at_equal_distances():
    assert Categorical(-10, 10).support(torch.zeros(1)).tolist() == pytest.approx(
        [-10 + 0.4 * i for i in range(51)], abs=1e-5
    )


def test_c51_returns_on_an_atom_are_that_atom():
    assert torch.allclose(project(5, [-1, -0.5, 0, 0.5, 1]), torch.eye(5))
    assert torch.allclose(project(51, [-10 + 0.4 * i for i in range(51)], -10, 10), torch.eye(51), atol=1e-4)


def test_c51_returns_between_atoms_are_shared_by_how_near_they_are():
    assert project(3, [0.25, -0.9]).tolist() == [pytest.approx([0, 0.75, 0.25]), pytest.approx([0.9, 0.1, 0])]


def test_c51_returns_beyond_the_ends_count_as_the_ends():
    result = project(4, [-1.001, -1e9, -torch.inf, 1.001, 1e9, torch.inf])
    assert result.tolist() == [[1, 0, 0, 0]] * 3 + [[0, 0, 0, 1]] * 3


def test_c51_shift_by_whole_atoms():
    _, out, _, _ = some_target(0, choices=1)
    chances = out[:, 0].softmax(-1)
    result = Categorical(-3, 3, 7).target(torch.full((4,), 2.0), torch.ones(4), out, only(0, 4, 1), None)
    assert torch.allclose(result[:, 2:6], chances[:, :4], atol=1e-6)  # -3 becomes -1, and so on
    assert torch.allclose(result[:, 6], chances[:, 4:].sum(1), atol=1e-6)
    assert not result[:, :2].any()


def test_c51_of_a_game_that_is_over_is_its_return_alone():
    _, out, policy, bonus = some_target(0)
    result = Categorical(-3, 3, 7).target(torch.tensor([-3.0, 0, 0.25, 9]), torch.zeros(4), out, policy, bonus)
    expected = [[1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0.75, 0.25, 0, 0], [0, 0, 0, 0, 0, 0, 1]]
    assert torch.allclose(result, torch.tensor(expected, dtype=torch.float32), atol=1e-6)


def test_c51_of_the_others_turn_is_upside_down():
    _, out, _, _ = some_target(0, choices=1)
    result = Categorical(-3, 3, 7).target(torch.zeros(4), -torch.ones(4), out, only(0, 4, 1), None)
    assert torch.allclose(result, out[:, 0].softmax(-1).flip(-1), atol=1e-6)


def test_c51_of_numbers_that_are_none_is_none_and_no_index_beyond_the_end():
    returns, out, policy, bonus = some_target(0)
    out[1, 0, 2], bonus[2, 0], returns[3] = torch.nan, torch.nan, torch.nan
    result = Categorical(-3, 3, 7).target(returns, torch.full((4,), 0.9), out, policy, bonus)
    assert result.isnan().any(1).tolist() == [False, True, True, True]


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_c51_loss_is_cross_entropy_and_least_at_the_target(seed):
    rng = np.random.default_rng(seed)
    target = torch.tensor(rng.dirichlet(np.ones(7), 4))
    out = torch.tensor(rng.normal(size=(4, 7)), requires_grad=True)
    distribution = Categorical(-2, 3, 7)
    losses = distribution.loss(out, target)
    for i in range(4):
        chances = likely(out[i].tolist())
        expected = -sum(t * log(p) for t, p in zip(target[i].tolist(), chances, strict=True))
        assert losses[i].item() == pytest.approx(expected)
    least = distribution.loss(target.log(), target)
    assert torch.allclose(least, torch.distributions.Categorical(target).entropy())
    assert (losses >= least).all()
    (grad,) = torch.autograd.grad(losses.sum(), out)
    assert torch.allclose(grad, out.softmax(-1) - target)
