"""A tree of sums against plain sums, and what is drawn from it against its priorities."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from ludus.agents.data.sum_tree import WIDTH, SumTree

SEEDS, SIZES = st.integers(0, 2**32 - 1), [1, 63, 64, 65, 5000]


def tree_of(values):
    tree = SumTree(len(values))
    tree.set(torch.arange(len(values)), torch.as_tensor(values, dtype=torch.float64))
    return tree


def points(*values):
    return torch.tensor(values, dtype=torch.float64)


def some_priorities(rng, size, empty=0.4):
    """Of which many are 0, but not all; the others are of very different size."""
    values = 10 ** rng.uniform(-6, 3, size) * (rng.random(size) >= empty)
    values[rng.integers(size)] = 0.1
    return values


def borders(tree):
    """Where a leaf or a node ends and another one begins, as sums in any order may have it; and a bit beyond all."""
    leaves, total = tree.leaves.numpy(), tree.total.item()
    nodes = [np.cumsum(level.numpy()) for level in tree.levels]
    backwards = total - np.cumsum(leaves[::-1])
    found = np.concatenate([*nodes, np.cumsum(leaves), backwards, [0.0, total]])
    around = [found, np.nextafter(found, np.inf), np.nextafter(found, -np.inf)]
    return torch.tensor(
        np.append(np.clip(around, 0, total).ravel(), [np.nextafter(total, np.inf), total * (1 + 1e-12)])
    )


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(SIZES), st.integers(1, 5), st.integers(1, 300))
def test_every_node_is_the_sum_of_what_lies_below(seed, size, sets, batch):
    rng, tree, plain = np.random.default_rng(seed), SumTree(size), np.zeros(size)
    for _ in range(sets):
        indices = rng.integers(size, size=batch)  # many come twice, if the tree is small
        values = rng.integers(0, 1000, size)[indices] / 64  # sums of these are exact
        plain[indices] = values
        tree.set(torch.tensor(indices), torch.tensor(values, dtype=torch.float32))
    assert (tree.leaves.numpy() == plain).all()
    assert tree.total.tolist() == [plain.sum()]
    span = 1
    for level in tree.levels:
        filled = np.zeros(len(level) * span)
        filled[:size] = plain
        assert (level.numpy() == filled.reshape(-1, span).sum(1)).all()
        span *= WIDTH


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from(SIZES))
def test_where_an_index_comes_twice_one_of_the_values_counts(seed, size):
    rng = np.random.default_rng(seed)
    tree, indices, values = SumTree(size), rng.integers(size, size=50), rng.random(50)
    tree.set(torch.tensor(indices), torch.tensor(values))
    leaves = tree.leaves.numpy()
    assert all(leaves[index] in values[indices == index] for index in set(indices))
    assert np.count_nonzero(leaves) == len(set(indices))
    assert tree.total.item() == pytest.approx(leaves.sum())


def test_no_error_piles_up_and_small_numbers_count():
    tree = tree_of(np.full(5000, 0.125))
    everything = torch.arange(5000)
    for _ in range(10):
        tree.set(everything[:100], torch.full((100,), 1e30))
        tree.set(everything[:100], torch.full((100,), 0.125))
    assert tree.total.item() == 625
    tree.set(everything[:1], points(1e12))
    assert tree.total.item() == 1e12 + 0.125 * 4999


@pytest.mark.parametrize("size", SIZES)
def test_refresh_adds_up_leaves_written_as_a_whole(size):
    values = np.random.default_rng(size).integers(0, 1000, size) / 64
    tree = SumTree(size)
    tree.leaves[:] = torch.tensor(values)
    tree.refresh()
    expected = tree_of(values)
    assert tree.total.item() == values.sum()
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(tree.levels, expected.levels, strict=True))


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(SIZES))
def test_find_equals_a_search_in_the_running_sum(seed, size):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, size) * (rng.random(size) < 0.7) + (np.arange(size) == rng.integers(size))
    ends = np.cumsum(values)
    at_borders = rng.permutation(ends[ends < ends[-1]])[:200]
    wanted = np.append(rng.integers(0, 4 * ends[-1], 100) / 4, at_borders)
    found = tree_of(values).find(torch.tensor(wanted))
    assert found.tolist() == np.searchsorted(ends, wanted, side="right").tolist()


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(SIZES))
def test_find_equals_a_search_for_any_numbers(seed, size):
    rng = np.random.default_rng(seed)
    values = some_priorities(rng, size)
    ends, wanted = np.cumsum(values), rng.uniform(0, values.sum(), 200)
    found = tree_of(values).find(torch.tensor(wanted)).numpy()
    slack = 1e-11 * ends[-1]
    assert (wanted <= ends[found] + slack).all()
    assert (wanted >= ends[found] - values[found] - slack).all()


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([1, 63, 64, 65, 200]), st.sampled_from([0.1, 0.5, 0.95]))
def test_what_has_no_priority_is_never_drawn(seed, size, empty):
    tree = tree_of(some_priorities(np.random.default_rng(seed), size, empty))
    found = tree.find(borders(tree))
    assert found.min() >= 0 and found.max() < size
    assert (tree.leaves[found] > 0).all()


def test_a_border_that_rounding_moves_is_still_no_empty_leaf():
    values = np.zeros(WIDTH * 3)
    values[1], values[WIDTH + 1] = 0.1, 0.2  # 0.1 + 0.2 - 0.2 is more than 0.1, the point where the second node begins
    assert tree_of(values).find(points(0.1)).tolist() == [WIDTH + 1]


def test_the_ends_are_the_first_and_the_last_that_are_not_empty():
    values = np.zeros(5000)
    values[[70, 200, 4000]] = 0.1, 0.2, 0.3
    tree = tree_of(values)
    assert tree.find(torch.cat([points(0.0), tree.total, 2 * tree.total])).tolist() == [70, 4000, 4000]


@pytest.mark.parametrize("size", SIZES)
def test_an_empty_tree_has_a_leaf_to_give(size):
    tree = SumTree(size)
    assert tree.total.item() == 0
    assert tree.find(points(0.0, 0.0)).tolist() == [0, 0]


@pytest.mark.parametrize("size", [3, 65, 1000])
def test_draws_are_in_proportion_to_priorities(size):
    rng = np.random.default_rng(0)
    values = rng.integers(1, 20, size) * (np.arange(size) % 5 != 1)
    tree = tree_of(values)
    noise = torch.empty(100_000, dtype=torch.float64).uniform_(generator=torch.Generator().manual_seed(0))
    drawn = np.bincount(tree.find(noise * tree.total).numpy(), minlength=size)
    assert not drawn[values == 0].any()
    there = values > 0
    expected = 100_000 * values[there] / values.sum()
    assert chisquare(drawn[there], expected).pvalue > 0.001
