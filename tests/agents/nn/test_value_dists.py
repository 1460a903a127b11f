"""Distributions of values: quantiles, single numbers and what all have in common, against the papers' equations in loops."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ludus.agents.nn.value_dists import DISTRIBUTIONS, Categorical, Distribution, Quantile, Scalar, distribution_of
from ludus.envs import OptionError
from tests.agents.nn.value_targets import SEEDS, some_target

# -- quantiles -----------------------------------------------------------------------------------------------------------


def equation_10(theta, targets, fractions, kappa):
    """sum_i of the mean over j of rho_tau_i(target_j - theta_i) (Dabney et al. 2018a), over kappa as in eq. 3 of 2018b."""
    total = 0.0
    for i in range(len(theta)):
        for target in targets:
            u = target - theta[i]
            huber = 0.5 * u * u if abs(u) <= kappa else kappa * (abs(u) - 0.5 * kappa)
            total += abs(fractions[i] - (1 if u < 0 else 0)) * huber / kappa / len(targets)
    return total


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 6), st.integers(1, 6), st.sampled_from([0.5, 1.0, 2.0]))
def test_quantile_loss_is_equation_10(seed, atoms, targets, kappa):
    rng = np.random.default_rng(seed)
    theta, target = rng.normal(size=(3, atoms)) * 2, rng.normal(size=(3, targets)) * 2
    losses = Quantile(atoms, kappa).loss(torch.tensor(theta), torch.tensor(target))
    middles = [(2 * i + 1) / (2 * atoms) for i in range(atoms)]  # lemma 2
    for i in range(3):
        assert losses[i].item() == pytest.approx(equation_10(theta[i], target[i], middles, kappa))


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 6), st.integers(1, 6))
def test_quantile_loss_at_other_fractions(seed, atoms, targets):
    rng = np.random.default_rng(seed)
    theta, target, fractions = rng.normal(size=(3, atoms)), rng.normal(size=(3, targets)), rng.random((3, atoms))
    numbers = torch.tensor(theta), torch.tensor(target)
    losses = Quantile(atoms).loss(*numbers, torch.tensor(fractions))
    same_for_all = Quantile(atoms).loss(*numbers, torch.tensor(fractions[0]))
    for i in range(3):
        assert losses[i].item() == pytest.approx(equation_10(theta[i], target[i], fractions[i], 1))
        assert same_for_all[i].item() == pytest.approx(equation_10(theta[i], target[i], fractions[0], 1))


def test_quantile_loss_by_hand():
    distribution = Quantile(1)  # the median
    out, target = torch.tensor([[0.0]] * 4), torch.tensor([[0.5], [-0.5], [3.0], [0.0]])
    assert distribution.loss(out, target).tolist() == [0.0625, 0.0625, 1.25, 0]
    assert distribution.loss(out, target, torch.tensor([0.75])).tolist() == [0.09375, 0.03125, 1.875, 0]


@pytest.mark.parametrize("fractions", [None, [0.045, 0.31, 0.5, 0.905]])
def test_quantile_loss_is_least_at_the_quantiles(fractions):
    samples = torch.randperm(101, generator=torch.Generator().manual_seed(0)).double()  # 0 to 100
    theta = torch.full((4,), 50.0, dtype=torch.float64, requires_grad=True)
    distribution = Quantile(4, kappa=0.01)  # nearly the plain quantile loss: Huber's would shift them
    given_ones = None if fractions is None else torch.tensor(fractions, dtype=torch.float64)
    for step in range(500):
        loss = distribution.loss(theta.unsqueeze(0), samples.unsqueeze(0), given_ones).sum()
        (grad,) = torch.autograd.grad(loss, theta)
        theta.data -= 50 * 0.98**step * grad
    expected = np.quantile(samples, fractions or [0.125, 0.375, 0.625, 0.875], method="inverted_cdf")
    assert theta.tolist() == pytest.approx(expected.tolist(), abs=0.05)


def test_fractions_are_the_middles_of_equal_steps():
    assert Quantile(4).fractions(torch.zeros(2, 4)).tolist() == [0.125, 0.375, 0.625, 0.875]


def test_mean_of_quantiles_is_theirs():
    assert Quantile(3).mean(torch.tensor([[[1.0, 2, 6], [0, 0, -3]]])).tolist() == [[3, -1]]


# -- one number ----------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.floats(-5, 5), st.floats(-5, 5))
@example(1.0, 0.0)
def test_scalar_losses_are_their_formulas(value, target):
    out, wanted = (torch.tensor([[x]], dtype=torch.float64) for x in (value, target))
    error = abs(value - target)
    assert Scalar().loss(out, wanted).tolist() == pytest.approx([error**2 / 2])
    assert Scalar(huber=True).loss(out, wanted).tolist() == pytest.approx([error**2 / 2 if error < 1 else error - 0.5])


def test_scalar_mean_is_the_number():
    assert Scalar().mean(torch.tensor([[[1.0], [2.0]]])).tolist() == [[1, 2]]


# -- all -----------------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans(), st.integers(1, 5))
def test_shifted_mixture_equals_loops(seed, with_bonus, atoms):
    returns, out, policy, bonus = some_target(seed, atoms=atoms)
    discounts = torch.tensor([0.0, 0.99, -0.99, 1.0])
    result = Distribution().target(returns, discounts, out, policy, bonus if with_bonus else None)
    assert result.shape == (4, atoms)
    for i in range(4):
        for z in range(atoms):
            after = 0.0
            for a in range(3):
                after += policy[i, a].item() * (out[i, a, z].item() + (bonus[i, a].item() if with_bonus else 0))
            assert result[i, z].item() == pytest.approx(returns[i].item() + discounts[i].item() * after, abs=1e-5)


@pytest.mark.parametrize("distribution", [Scalar(), Scalar(huber=True), Quantile(5)])
def test_targets_of_numbers_are_shifted_mixtures(distribution):
    numbers = some_target(0, atoms=distribution.atoms)
    returns, out, policy, bonus = numbers
    discounts = torch.tensor([0.0, 0.99, -0.99, 1.0])
    result = distribution.target(returns, discounts, out, policy, bonus)
    assert torch.equal(result, Distribution().target(returns, discounts, out, policy, bonus))
    assert torch.equal(result[0], returns[:1].expand(distribution.atoms))  # over


@pytest.mark.parametrize("distribution", [Scalar(), Categorical(-2, 3, 5), Quantile(5)])
@pytest.mark.parametrize("with_bonus", [False, True])
def test_what_all_kinds_give(distribution, with_bonus):
    returns, out, policy, bonus = some_target(0, atoms=distribution.atoms)
    target = distribution.target(returns, torch.full((4,), 0.9), out, policy, bonus if with_bonus else None)
    assert distribution.mean(out).shape == (4, 3)
    assert target.shape == (4, distribution.atoms)
    assert distribution.loss(out[:, 0], target).shape == (4,)
    assert {distribution.mean(out).dtype, target.dtype, distribution.loss(out[:, 0], target).dtype} == {torch.float32}


@pytest.mark.parametrize("distribution", [Scalar(), Scalar(huber=True), Categorical(-2, 3, 5), Quantile(5)])
def test_values_learned_are_the_mean_of_random_returns(distribution):
    """For a game that is over and pays -1 or 2: half of each."""
    out = torch.zeros(1, 1, distribution.atoms, requires_grad=True)
    returns = torch.tensor([-0.25, 0.5])
    nothing = torch.zeros(2, 1, distribution.atoms)
    target = distribution.target(returns, torch.zeros(2), nothing, torch.ones(2, 1), None)
    for _ in range(60):
        (grad,) = torch.autograd.grad(distribution.loss(out[:, 0].expand(2, -1), target).mean(), out)
        out.data -= 1.5 * grad
    assert distribution.mean(out).item() == pytest.approx(0.125, abs=0.02)


# -- by name -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "atoms", "kind", "expected"),
    [
        (None, None, Scalar, 1),
        ("c51", None, Categorical, 51),
        ("c51", 11, Categorical, 11),
        ("qr", None, Quantile, 32),
        ("qr", 200, Quantile, 200),
        ("iqn", 8, Quantile, 8),
    ],
)
def test_by_name(name, atoms, kind, expected):
    distribution = distribution_of(name, atoms, -10, 10, False)
    assert type(distribution) is kind and distribution.atoms == expected


def test_all_names_are_known():
    assert {type(distribution_of(name, None, -1, 1, False)) for name in DISTRIBUTIONS} == {Categorical, Quantile}


def test_settings_arrive():
    c51, huber, half = (
        distribution_of(*x) for x in (("c51", 5, -2, 3, 0), (None, 5, 0, 0, True), (None, 5, 0, 0, False))
    )
    assert isinstance(c51, Categorical) and (c51.v_min, c51.v_max, c51.step) == (-2, 3, 1.25)
    assert isinstance(huber, Scalar) and huber.huber
    assert isinstance(half, Scalar) and not half.huber


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("C51", None, -1.0, 1.0), r"distribution must be None or one of c51, qr, iqn, got 'C51'"),
        (("", None, -1.0, 1.0), r"distribution must be None or one of c51, qr, iqn, got ''"),
        (("c51", None, 1.0, 1.0), r"v_min must be below v_max.*got 1\.0 and 1\.0"),
        (("c51", None, 2.0, -1.0), r"v_min must be below v_max.*got 2\.0 and -1\.0"),
        (("c51", None, float("nan"), 1.0), r"v_min must be below v_max.*got nan and 1\.0"),
        (("c51", None, float("-inf"), 1.0), r"finite, got -inf and 1\.0"),
        (("c51", None, -1.0, float("inf")), r"finite, got -1\.0 and inf"),
        (("c51", 1, -1.0, 1.0), r"atoms of c51 must be 2 or more, got 1"),
        (("c51", 0, -1.0, 1.0), r"atoms of c51 must be 2 or more, got 0"),
        (("qr", 0, -1.0, 1.0), r"atoms must be 1 or more, got 0"),
        (("iqn", -3, -1.0, 1.0), r"atoms must be 1 or more, got -3"),
    ],
)
def test_bad_settings_get_one_line(arguments, words):
    with pytest.raises(OptionError, match=words) as error:
        distribution_of(*arguments, False)
    assert "\n" not in str(error.value)
