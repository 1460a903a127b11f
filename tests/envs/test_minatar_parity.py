"""Ours against the package `minatar`, all games: moves exactly alike, chance alike in distribution.

Whole episodes are played at random by both, with sticky actions. Two things are levelled first. MinAtar carries the
last action over into the next episode, ours forgets it: the reference is made to forget it too. And an adapter may cut
episodes short where the reference would take minutes: Freeway's, which always last 2501 steps, are cut to 100. The step
by step comparison goes to their end. `make check` compares many more steps and episodes.

Seeds are fixed and each test fails by chance once in 10,000, had the seeds been others.
"""

import numpy as np
import pytest
from scipy.stats import binomtest, chi2_contingency, ks_2samp

from ludus.envs import Simulator, find_game

from . import parity, parity_episodes

ALPHA = 1e-4
CASES = parity.adapters()


@pytest.fixture(scope="module", params=CASES, ids=[case.game for case in CASES])
def adapter(request):
    return request.param


@pytest.fixture(scope="module", params=[1, pytest.param(5, marks=pytest.mark.long)], ids=["few", "many"])
def amount(request):
    return request.param


@pytest.fixture(scope="module")
def steps(adapter, amount):
    """Random steps, and some that come further."""
    random = parity.record_steps(adapter, 20_000 * amount, seed=1)
    return random, parity.record_steps(adapter, 10_000 * amount, seed=2, persistent=True)


def same_distribution(theirs, ours):
    """The p-value of a chi-square test that two samples of labels come from one distribution."""
    labels = np.unique(np.concatenate([theirs, ours]))
    counts = np.array([[np.sum(sample == label) for label in labels] for sample in (theirs, ours)])
    rare = counts.sum(axis=0) < 10
    if rare.any():
        counts = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    return 1.0 if counts.shape[1] == 1 else chi2_contingency(counts).pvalue


def test_actions_and_planes_are_the_references(adapter):
    game, env = find_game(adapter.game), adapter.environment(seed=0).env
    assert [name[0] for name in game.actions] == env.action_map
    assert [game.actions.index(name) for name in game.minimal_actions] == env.minimal_action_set()
    assert [*game.shape, len(game.planes)] == env.state_shape()


def test_steps_without_chance_are_identical(adapter, steps):
    for recorded in steps:
        fixed = recorded[~recorded.drew]
        assert not parity.differences(fixed, parity.replay(adapter, fixed, seed=3))


def test_steps_with_the_same_random_numbers_are_identical(adapter, steps):
    for recorded in steps:
        drawn = recorded[recorded.drew]
        assert not parity.differences(drawn, parity.replay_scripted(adapter, drawn))
    assert any(recorded.drew.any() for recorded in steps) == (adapter.spawned is not None)


def test_starts_with_the_same_random_numbers_are_identical(adapter):
    env = adapter.environment(seed=4).env
    for _ in range(100):
        env.random.take()
        env.reset()
        theirs = np.zeros(1, find_game(adapter.game).State)
        adapter.record_of(env, theirs[0])
        assert parity.scripted_start(adapter, env.random.take()) == theirs


def test_what_is_drawn_in_a_step_has_the_references_distribution(adapter, steps):
    if adapter.spawned is None:
        pytest.skip("draws nothing in a step")
    for recorded in steps:
        drawn = recorded[recorded.drew]
        ours = parity.replay(adapter, drawn, seed=5)
        theirs = adapter.spawned(drawn.before, drawn.after)
        assert same_distribution(theirs, adapter.spawned(drawn.before, ours.after)) > ALPHA


def test_starts_have_the_references_distribution(adapter):
    if adapter.started is None:
        pytest.skip("starts are all alike")
    env, theirs = adapter.environment(seed=6).env, np.zeros(2000, find_game(adapter.game).State)
    for record in theirs:
        env.reset()
        adapter.record_of(env, record)
    sim = Simulator(adapter.game, 2000, seed=6)
    sim.reset()
    assert same_distribution(adapter.started(theirs), adapter.started(sim.records)) > ALPHA


def test_sticky_actions_have_the_references_distribution(adapter, amount):
    theirs = repeats(parity_episodes.reference_choices(adapter, 20_000 * amount, seed=7))
    ours = repeats(parity_episodes.our_choices(adapter, 20_000 * amount, seed=8))
    assert same_distribution(theirs, ours) > ALPHA
    assert binomtest(int(ours.sum()), len(ours), parity.STICKINESS).pvalue > ALPHA


def repeats(choices):
    """Whether the action before was repeated, wherever the one given was another; nothing else is ever taken."""
    before, given, taken = choices.T
    assert np.all((taken == given) | (taken == before))
    return (taken == before)[given != before]


def test_random_episodes_have_the_references_distribution(adapter, amount):
    theirs, ours = (
        parity_episodes.reference_episodes(adapter, 2_000 * amount, seed=9),
        parity_episodes.our_episodes(adapter, 2_000 * amount, seed=10),
    )
    assert same_distribution(theirs.returns, ours.returns) > ALPHA
    assert ks_2samp(theirs.lengths, ours.lengths, method="asymp").pvalue > ALPHA
    assert ks_2samp(theirs.final, ours.final, method="asymp").pvalue > ALPHA
