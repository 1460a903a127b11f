"""Returns over several steps against their definitions, and Munchausen's bonus against its formula."""

from math import exp, log, log1p

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.agents.compiled.kernel import Kernel
from ludus.agents.data.returns import generalized_advantages, lambda_returns, n_step_loop, n_step_returns
from ludus.agents.q_learning.targets import munchausen_bonus, soft_policy

SEEDS, SHARES = st.integers(0, 2**32 - 1), st.floats(0, 1)


def tensors(*arrays, dtype=torch.float64):
    return [torch.tensor(np.asarray(array), dtype=dtype) for array in arrays]


# -- n steps -------------------------------------------------------------------------------------------------------------


def by_recursion(rewards, ends, factors):
    """Return, factor of what follows and number of steps: G_0 = 0, G_n = r + factor * G_n-1 unless the episode ended."""
    if not len(rewards):
        return 0.0, 1.0, 0
    to_come = (0.0, 1.0, 0) if ends[0] else by_recursion(rewards[1:], ends[1:], factors[1:])
    return rewards[0] + factors[0] * to_come[0], factors[0] * to_come[1], 1 + to_come[2]


def some_steps(rng, shape, gamma):
    """Rewards, ends of episodes, and factors of either sign, as in a game for two."""
    return rng.normal(size=shape), rng.random(shape) < 0.3, gamma * rng.choice([-1, 1], shape)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 5), SHARES)
def test_n_step_returns_equal_their_recursion(seed, n, gamma):
    rewards, ends, factors = some_steps(np.random.default_rng(seed), (7, n), gamma)
    (r, f), (e,) = tensors(rewards, factors), tensors(ends, dtype=torch.bool)
    result = [x.tolist() for x in n_step_returns(r, e, f)]
    for i in range(7):
        total, discount, count = by_recursion(rewards[i], ends[i], factors[i])
        assert result[0][i] == pytest.approx(total, abs=1e-9)
        assert result[1][i] == pytest.approx(discount, abs=1e-9)
        assert result[2][i] == count


def test_three_steps_by_hand():
    rewards = torch.tensor([[1.0, 2.0, 4.0]] * 5)
    ends = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1]]).bool()
    returns, discounts, counts = n_step_returns(rewards, ends, torch.full((5, 3), 0.5))
    assert returns.tolist() == [3, 3, 2, 1, 1]  # 1 + 2 / 2 + 4 / 4
    assert discounts.tolist() == [0.125, 0.125, 0.25, 0.5, 0.5]
    assert counts.tolist() == [3, 3, 2, 1, 1]
    assert returns.dtype == discounts.dtype == torch.float32 and counts.dtype == torch.int64


def test_what_the_other_wins_is_lost():
    returns, discounts, _ = n_step_returns(
        torch.tensor([[1.0, 10.0, 100.0]]), torch.zeros(1, 3, dtype=torch.bool), torch.full((1, 3), -0.5)
    )
    assert returns.item() == 1 - 5 + 25
    assert discounts.item() == -0.125


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 4))
def test_n_step_returns_know_nothing_of_the_next_episode(seed, n):
    rng = np.random.default_rng(seed)
    (rewards, factors), ends = tensors(*rng.normal(size=(2, 20, 5))), torch.zeros(20, 5, dtype=torch.bool)
    ends[:, n - 1] = True
    expected = n_step_returns(rewards[:, :n], ends[:, :n], factors[:, :n])
    ends[:, n:] = torch.tensor(rng.random((20, 5 - n)) < 0.5)
    assert all(
        torch.equal(ours, theirs) for ours, theirs in zip(n_step_returns(rewards, ends, factors), expected, strict=True)
    )


# -- the same in a ring --------------------------------------------------------------------------------------------------

GAMES = 3


def some_ring(seed, rows, gamma):
    """Rewards, terminated, truncated and factors (rows, GAMES); an episode may do both at once."""
    rng = np.random.default_rng(seed)
    rewards, terminated, factors = some_steps(rng, (rows, GAMES), gamma)
    (r, f), (over, cut) = (
        tensors(rewards, factors, dtype=torch.float32),
        tensors(terminated, rng.random((rows, GAMES)) < 0.2, dtype=torch.bool),
    )
    return r, over, cut, f


def looked_ahead(ring, indices, n, pieces=1):
    """Returns, discounts and last places, as the compiled loop has them; in pieces, the last of them first."""
    size = len(indices)
    returns, discounts, lasts = (
        torch.full((size,), torch.nan),
        torch.full((size,), torch.nan),
        torch.full_like(indices, -1),
    )
    loop = Kernel(n_step_loop, *ring, indices, torch.tensor([n]), returns, discounts, lasts, units=size)
    borders = [size * i // pieces for i in range(pieces + 1)]
    for first, last in list(zip(borders, borders[1:], strict=False))[::-1]:
        loop.kernel(loop.table, first, last)
    return returns, discounts, lasts


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 5), st.integers(5, 9), SHARES)
def test_looking_ahead_in_a_ring_equals_n_step_returns(seed, n, rows, gamma):
    ring = rewards, terminated, truncated, factors = some_ring(seed, rows, gamma)
    indices = torch.arange(rows * GAMES).flip(0)  # every place: many of them wrap around
    returns, discounts, lasts = looked_ahead(ring, indices, n)
    steps = (indices.unsqueeze(1) + torch.arange(n) * GAMES) % (
        rows * GAMES
    )  # (B, n), a game's next row is GAMES places on
    expected, follows, counts = n_step_returns(
        rewards.view(-1)[steps], (terminated | truncated).view(-1)[steps], factors.view(-1)[steps]
    )
    last = steps[torch.arange(len(steps)), counts - 1]
    assert torch.equal(lasts, last)
    assert torch.allclose(returns, expected, atol=1e-5)
    assert torch.allclose(discounts, torch.where(terminated.view(-1)[last], 0.0, follows), atol=1e-6)


def test_looking_ahead_past_the_last_row():
    rewards = torch.tensor([[1.0] * GAMES, [10.0] * GAMES, [100.0] * GAMES, [1000.0] * GAMES])
    terminated, truncated = torch.zeros(2, 4, GAMES, dtype=torch.bool)
    terminated[0, 1], truncated[0, 2] = True, True  # right after the border
    ring = rewards, terminated, truncated, torch.full((4, GAMES), 0.5)
    indices = 3 * GAMES + torch.arange(3)
    returns, discounts, lasts = looked_ahead(ring, indices, 3)
    assert returns.tolist() == [1000 + 0.5 + 2.5, 1000.5, 1000.5]
    assert discounts.tolist() == [0.125, 0, 0.25]  # the last was cut off: what it led to counts
    assert lasts.tolist() == [GAMES, 1, 2]


def test_an_episode_that_ends_both_ways_is_over():
    ring = rewards, terminated, truncated, _ = some_ring(0, 6, 0.9)
    terminated[:], truncated[:] = True, True
    indices = torch.arange(6 * GAMES)
    returns, discounts, lasts = looked_ahead(ring, indices, 3)
    assert torch.equal(returns, rewards.view(-1)) and torch.equal(lasts, indices)
    assert not discounts.any()


def test_looking_ahead_in_pieces_and_in_plain_python_is_the_same():
    ring = some_ring(1, 8, 0.9)
    indices = torch.randint(8 * GAMES, (50,), generator=torch.Generator().manual_seed(0))
    whole = looked_ahead(ring, indices, 4)
    assert all(torch.equal(a, b) for a, b in zip(whole, looked_ahead(ring, indices, 4, pieces=7), strict=True))
    plain = [np.zeros(50, np.float32), np.zeros(50, np.float32), np.zeros(50, np.int64)]
    n_step_loop(*(x.numpy() for x in ring), indices.numpy(), np.array([4]), *plain, 0, 50)
    assert np.allclose(plain[0], whole[0], atol=1e-5) and np.allclose(plain[1], whole[1], atol=1e-6)
    assert (plain[2] == whole[2].numpy()).all()


# -- lambda --------------------------------------------------------------------------------------------------------------


def some_episodes(rng, steps, games=3):
    """Rewards, values of what followed, how much that counts, and ends: over, cut off, or another's turn, at any place."""
    rewards, next_values = rng.normal(size=(2, steps, games))
    over, cut = rng.random((2, steps, games)) < 0.2
    return rewards, next_values, np.where(over, 0, rng.choice([-1, 1], (steps, games))), (over | cut).astype(float)


def by_forward_view(rewards, next_values, going_on, ends, gamma, lambda_):
    """R_t = (1 - lambda) sum_n lambda^(n-1) G_t^(n), the longest of them with all the weight that is left (eq. 12.3)."""
    result = []
    for t in range(len(rewards)):
        returns, total, weight = (
            [],
            0.0,
            1.0,
        )  # G^(1), G^(2), ... up to the episode's end or the last step that is known
        for k in range(t, len(rewards)):
            total += weight * rewards[k]
            weight *= gamma * going_on[k]
            returns.append(total + weight * next_values[k])
            if ends[k]:
                break
        shares = [(1 - lambda_) * lambda_**n for n in range(len(returns) - 1)] + [lambda_ ** (len(returns) - 1)]
        result.append(sum(share * value for share, value in zip(shares, returns, strict=True)))
    return result


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 12), SHARES, SHARES)
def test_lambda_returns_equal_the_forward_view(seed, steps, gamma, lambda_):
    episodes = some_episodes(np.random.default_rng(seed), steps)
    result = lambda_returns(*tensors(*episodes), gamma, lambda_).numpy()
    for game in range(3):
        expected = by_forward_view(*(x[:, game] for x in episodes), gamma, lambda_)
        assert result[:, game] == pytest.approx(expected, abs=1e-9)


def test_lambda_0_looks_one_step_ahead():
    rewards, next_values, going_on, ends = tensors(*some_episodes(np.random.default_rng(0), 9))
    result = lambda_returns(rewards, next_values, going_on, ends, 0.9, 0.0)
    assert torch.allclose(result, rewards + 0.9 * going_on * next_values)


def test_lambda_1_is_the_discounted_sum_to_the_end():
    rng = np.random.default_rng(0)
    rewards, next_values = rng.normal(size=(2, 8, 1))
    result = lambda_returns(*tensors(rewards, next_values, np.ones((8, 1)), np.zeros((8, 1))), 0.9, 1.0)
    expected = sum(0.9**t * rewards[t, 0] for t in range(8)) + 0.9**8 * next_values[-1, 0]
    assert result[0].item() == pytest.approx(expected)


@pytest.mark.parametrize("lambda_", [0.0, 0.65, 1.0])
def test_constant_rewards_add_up_to_a_geometric_series(lambda_):
    ones, zeros = torch.ones(20, 2, dtype=torch.float64), torch.zeros(20, 2, dtype=torch.float64)
    result = lambda_returns(3 * ones, zeros, ones, zeros, 0.9, lambda_)
    decay = 0.9 * lambda_
    for t in range(20):
        assert result[t].tolist() == pytest.approx([3 * (1 - decay ** (20 - t)) / (1 - decay)] * 2)


@pytest.mark.parametrize("lambda_", [0.0, 0.65, 1.0])
def test_true_values_stay_as_they_are(lambda_):
    ones = torch.ones(20, 2, dtype=torch.float64)
    result = lambda_returns(ones, 10 * ones, ones, 0 * ones, 0.9, lambda_)  # 1 + 0.9 + 0.81 + ... = 10
    assert torch.allclose(result, 10 * ones)


def test_where_the_rules_end_an_episode_nothing_follows():
    ends = torch.tensor([[0.0], [1], [0], [0]])
    rewards = torch.tensor([[1.0], [2], [50], [60]])
    next_values = torch.tensor([[7.0], [1000], [8], [9]])
    result = lambda_returns(rewards, next_values, 1 - ends, ends, 0.5, 1.0)
    assert result[:2].flatten().tolist() == [2, 2]  # 1 + 2 / 2, and 2


def test_where_an_episode_is_cut_off_its_value_follows_but_not_the_next_episode():
    ends, ones = torch.tensor([[0.0], [1], [0], [0]]), torch.ones(4, 1)
    rewards = torch.tensor([[1.0], [2], [50], [60]])
    next_values = torch.tensor([[7.0], [4], [8], [9]])
    result = lambda_returns(rewards, next_values, ones, ends, 0.5, 1.0)
    assert result[:2].flatten().tolist() == [3, 4]  # 1 + 4 / 2, and 2 + 4 / 2
    other = lambda_returns(rewards * torch.tensor([[1.0], [1], [9], [9]]), next_values, ones, ends, 0.5, 1.0)
    assert torch.equal(result[:2], other[:2]) and not torch.equal(result[2:], other[2:])


@settings(max_examples=30, deadline=None)
@given(SEEDS, SHARES, SHARES)
def test_lambda_returns_are_generalized_advantages_and_values(seed, gamma, lambda_):
    rng = np.random.default_rng(seed)
    rewards, values, going_on, last = tensors(
        rng.normal(size=(9, 3)), rng.normal(size=(9, 3)), rng.integers(-1, 2, (9, 3)), rng.normal(size=3)
    )
    next_values = torch.cat([values[1:], last[None]])
    result = lambda_returns(rewards, next_values, going_on, (going_on == 0).double(), gamma, lambda_)
    expected = values + generalized_advantages(rewards, values, going_on, last, gamma, lambda_)
    assert torch.allclose(result, expected, atol=1e-9)


# -- Munchausen ----------------------------------------------------------------------------------------------------------

VALUES = st.lists(st.floats(-20, 20), min_size=2, max_size=6)


@settings(max_examples=60, deadline=None)
@given(VALUES, st.floats(0.03, 10))
def test_a_soft_policy_is_one_and_its_entropy_makes_up_for_the_rest(q, temperature):
    (values,) = tensors([q])
    policy, scaled = soft_policy(values, temperature)
    assert policy.sum().item() == pytest.approx(1)
    assert policy.min() >= 0 and scaled.max() <= 0
    # tau logsumexp(q / tau) = sum_a pi (q - tau log pi)
    best = max(q)
    soft = best + temperature * log(sum(exp((x - best) / temperature) for x in q))
    assert (policy * (values - scaled)).sum().item() == pytest.approx(soft, abs=1e-9)
    assert (values - scaled)[0].tolist() == pytest.approx([soft] * len(q), abs=1e-9)


def test_actions_are_as_likely_as_their_values_say():
    policy, scaled = soft_policy(torch.tensor([[0.0, 0.5 * log(2), 0.5 * log(5)]]), 0.5)
    assert policy[0].tolist() == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert scaled[0].tolist() == pytest.approx([0.5 * log(1 / 8), 0.5 * log(2 / 8), 0.5 * log(5 / 8)])


def test_a_cold_policy_takes_the_best_action():
    policy, scaled = soft_policy(torch.tensor([[1.0, 3.0, 2.0]]), 1e-3)
    assert policy[0].tolist() == [0, 1, 0]
    assert scaled[0].tolist() == pytest.approx([-2, 0, -1], abs=1e-5)


def test_forbidden_actions_are_never_likely_and_cost_nothing():
    policy, scaled = soft_policy(torch.tensor([[1.0, -1e8, 1.0]]), 0.03)
    assert policy[0].tolist() == [0.5, 0, 0.5]
    assert (policy * scaled).sum().item() == pytest.approx(0.03 * log(0.5))


@settings(max_examples=60, deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.1, 5), SHARES, st.floats(-3, -0.01))
def test_bonus_for_two_actions(one, other, temperature, alpha, lowest):
    q = torch.tensor([[one, other], [one, other]], dtype=torch.float64)
    result = munchausen_bonus(q, torch.tensor([0, 1]), temperature, alpha, lowest)
    # log pi of one action is -log(1 + exp((the other's value - its own) / tau))
    logs = [-temperature * log1p(exp((b - a) / temperature)) for a, b in ((one, other), (other, one))]
    assert result.tolist() == pytest.approx([alpha * max(x, lowest) for x in logs], abs=1e-9)


def test_bonus_is_cut_off_and_never_above_zero():
    q = torch.tensor([[0.0, 100.0]] * 2)
    assert munchausen_bonus(q, torch.tensor([0, 1]), 0.03, 0.9, -1.0).tolist() == pytest.approx([-0.9, 0])


def test_bonus_where_all_actions_are_alike():
    result = munchausen_bonus(torch.full((5, 4), 7.0), torch.tensor([0, 1, 2, 3, 0]), 0.5, 0.9, -10.0)
    assert result.tolist() == pytest.approx([-0.9 * 0.5 * log(4)] * 5)
