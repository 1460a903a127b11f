"""Actions at random or the best, how often which, and what of that is kept."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from ludus.agents.data.env_adapters import SimulatorAdapter
from ludus.agents.data.replay_buffer import ReplayTensors
from ludus.agents.q_learning.collect import Collector, Steps, epsilon_greedy, epsilon_per_game
from ludus.envs import Simulator

CPU = torch.device("cpu")


def noise_of(games, actions, seed=0):
    return torch.rand(games, actions + 1, generator=torch.Generator().manual_seed(seed))


def chances_of(epsilon, games, power):
    """Of random actions; written where they are wanted, since graphs know that place."""
    out = torch.full((games,), -1.0)
    assert epsilon_per_game(epsilon, power, out=out) is out
    return out


# -- how much ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.floats(0.001, 1.0), st.integers(2, 300), st.floats(0.0, 10.0))
def test_games_explore_less_the_later_they_come(epsilon, games, power):
    """epsilon^(1 + power * i / (N - 1))."""
    chances = chances_of(epsilon, games, power)
    expected = [epsilon ** (1 + power * i / (games - 1)) for i in range(games)]
    assert chances.shape == (games,) and chances.dtype == torch.float32
    assert np.allclose(chances.numpy(), expected, rtol=1e-4)
    assert float(chances[0]) == pytest.approx(epsilon, rel=1e-6)
    assert (chances.diff() <= 1e-6).all()  # as single precision rounds


@pytest.mark.parametrize("epsilon", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("games", [1, 2, 64])
def test_without_a_spread_all_games_explore_alike(epsilon, games):
    assert torch.equal(chances_of(epsilon, games, 0.0), torch.full((games,), epsilon))


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_one_game_alone_explores_as_asked(epsilon):
    assert chances_of(epsilon, 1, 7.0).tolist() == pytest.approx([epsilon])


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_never_and_always_stay_so_whatever_the_spread(edge):
    assert torch.equal(chances_of(edge, 9, 7.0), torch.full((9,), edge))


# -- which -------------------------------------------------------------------------------------------------------------


@st.composite
def masks_and_noise(draw):
    games, actions = draw(st.integers(1, 12)), draw(st.integers(1, 9))
    rows = st.lists(st.booleans(), min_size=actions, max_size=actions).filter(any)
    mask = torch.tensor(draw(st.lists(rows, min_size=games, max_size=games)))
    seed = draw(st.integers(0, 2**16))
    values = torch.randn(games, actions, generator=torch.Generator().manual_seed(seed)) * draw(
        st.sampled_from([1, 1e6])
    )
    return values, mask, noise_of(games, actions, seed)


@settings(deadline=None)
@given(masks_and_noise(), st.sampled_from([0.0, 0.5, 1.0]))
def test_no_action_is_chosen_that_is_not_legal(drawn, epsilon):
    values, mask, noise = drawn
    before = values.clone(), mask.clone(), noise.clone()
    actions = epsilon_greedy(values, mask, torch.full((len(values),), epsilon), noise)
    assert actions.dtype == torch.int64 and mask.gather(1, actions.unsqueeze(1)).all()
    assert all(torch.equal(x, y) for x, y in zip((values, mask, noise), before, strict=True))


@settings(deadline=None)
@given(masks_and_noise())
def test_without_exploration_the_best_legal_action_is_chosen(drawn):
    values, mask, noise = drawn
    epsilon = torch.zeros(len(values))
    best = [
        max((float(v), k) for k, v in enumerate(row) if legal[k])[1] for row, legal in zip(values, mask, strict=True)
    ]
    assert epsilon_greedy(values, mask, epsilon, noise).tolist() == best
    assert torch.equal(epsilon_greedy(values, None, epsilon, noise), values.argmax(1))


def test_a_choice_of_values_that_are_all_below_zero_is_the_highest_legal_one():
    values, mask = torch.tensor([[-5.0, -2.0, -9.0]]), torch.tensor([[True, False, True]])
    assert epsilon_greedy(values, mask, torch.zeros(1), noise_of(1, 3)).item() == 0


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 0.9])
def test_random_actions_are_as_frequent_as_asked(epsilon):
    """Of 4 actions a random one is the best one, too, in a quarter of cases."""
    games, actions = 40_000, 4
    values = torch.tensor([0.0, 0.0, 1.0, 0.0]).expand(games, -1)
    chosen = epsilon_greedy(values, None, torch.full((games,), epsilon), noise_of(games, actions))
    others = int((chosen != 2).sum())
    assert binomtest(others, games, epsilon * 3 / 4).pvalue > 1e-3
    counts = torch.bincount(chosen, minlength=actions)[[0, 1, 3]]
    assert chisquare(counts.numpy()).pvalue > 1e-3


def test_random_actions_are_equally_likely_among_those_that_are_legal():
    games = 30_000
    mask = torch.tensor([[True, False, True, True, False]]).expand(games, -1)
    chosen = epsilon_greedy(torch.randn(games, 5), mask, torch.ones(games), noise_of(games, 5))
    counts = torch.bincount(chosen, minlength=5)
    assert counts[1] == counts[4] == 0
    assert chisquare(counts[[0, 2, 3]].numpy()).pvalue > 1e-3


def test_each_game_has_its_own_chance():
    games = 20_000
    epsilon = torch.tensor([0.0, 1.0]).repeat(games // 2)
    values = torch.tensor([0.0, 1.0]).expand(games, -1)
    chosen = epsilon_greedy(values, None, epsilon, noise_of(games, 2))
    assert (chosen[::2] == 1).all()
    assert binomtest(int(chosen[1::2].sum()), games // 2, 0.5).pvalue > 1e-3


def test_whether_to_explore_and_what_to_try_are_independent():
    games = 40_000
    chosen = epsilon_greedy(
        torch.tensor([[1.0, 0.0, 0.0]]).expand(games, -1), None, torch.full((games,), 0.2), noise_of(games, 3)
    )
    counts = torch.bincount(chosen, minlength=3).double()
    expected = games * torch.tensor([0.8 + 0.2 / 3, 0.2 / 3, 0.2 / 3], dtype=torch.float64)
    assert chisquare(counts.numpy(), expected.numpy()).pvalue > 1e-3


# -- playing -----------------------------------------------------------------------------------------------------------


def made(games=3, count=20):
    sim = Simulator("Game2048", games, seed=4, mode="python", max_episode_steps=7)
    sim.reset()
    adapter = SimulatorAdapter(sim, channels_first=False)
    return adapter, ReplayTensors(adapter, 40, choices=4), Steps(count, games, CPU)


class Network:
    """Of values that a function of observations gives."""

    def __init__(self, values, choices):
        self.values, self.network = values, SimpleNamespace(choices=choices)


def explore(adapter, values, replay, steps, epsilon, generator, on_step=lambda t: True):
    """Steps into a replay buffer, as DQN collects them."""
    collector = Collector(Network(values, replay.choices), adapter, steps, epsilon)
    collector.store_in(replay)

    def after(t, ended):
        collector.store_step(ended)
        return on_step(t)

    return collector.collect(generator, collector.store_obs, after)


def values_of(obs):
    """Some values that depend on what is seen."""
    return obs.float().flatten(1) @ torch.arange(obs[0].numel() * 4.0).view(-1, 4).sin()


@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_what_is_played_is_what_is_kept_and_noted(epsilon):
    """The same games in another simulator, led by the actions that were noted."""
    adapter, replay, steps = made()
    assert explore(adapter, values_of, replay, steps, torch.full((3,), epsilon), torch.Generator().manual_seed(0))
    again = Simulator("Game2048", 3, seed=4, mode="python", max_episode_steps=7)
    again.reset()
    greedy = 0
    for t in range(20):
        obs, legal = torch.as_tensor(again.obs).clone(), torch.as_tensor(again.legal).clone()
        actions = steps.actions[t]
        assert torch.equal(replay.frames[t], obs) and torch.equal(replay.masks[t], legal)
        assert torch.equal(replay.actions[t], actions) and legal.gather(1, actions.unsqueeze(1)).all()
        greedy += int((values_of(obs).masked_fill(~legal, -torch.inf).argmax(1) == actions).sum())
        again.step(actions.numpy())
        for name in ("rewards", "truncated"):
            told = torch.as_tensor(again.reward if name == "rewards" else again.truncated)
            assert torch.equal(getattr(steps, name)[t], told) and torch.equal(getattr(replay, name)[t], told)
        ended = again.terminated | again.truncated
        assert steps.dones[t].tolist() == ended.astype(float).tolist()
        assert np.array_equal(steps.episode_return[t].numpy()[ended], again.episode_return[ended])
        assert np.array_equal(steps.episode_length[t].numpy()[ended], again.episode_length[ended])
    assert greedy == 60 if epsilon == 0.0 else 20 < greedy < 60
    assert int(replay.count) == 20 and steps.truncated.any()


def test_games_are_the_same_for_the_same_seed_and_others_for_another():
    def actions(seed):
        adapter, replay, steps = made()
        explore(adapter, values_of, replay, steps, torch.ones(3), torch.Generator().manual_seed(seed))
        return steps.actions

    assert torch.equal(actions(1), actions(1)) and not torch.equal(actions(1), actions(2))


def test_random_actions_of_one_step_say_nothing_of_the_next():
    sim = Simulator("Catch", 2, seed=4, mode="python")
    sim.reset()
    adapter, steps = SimulatorAdapter(sim, channels_first=False), Steps(700, 2, CPU)
    replay = ReplayTensors(adapter, 9, choices=3)
    explore(adapter, lambda obs: torch.zeros(2, 3), replay, steps, torch.ones(2), torch.Generator().manual_seed(0))
    pairs = (steps.actions[:-1] * 3 + steps.actions[1:]).flatten()
    assert chisquare(torch.bincount(pairs, minlength=9).numpy()).pvalue > 1e-3


def test_who_is_told_of_steps_can_end_it():
    adapter, replay, steps = made()
    told = []
    going = explore(
        adapter, values_of, replay, steps, torch.zeros(3), torch.Generator(), lambda t: told.append(t) or t < 4
    )
    assert not going and told == [0, 1, 2, 3, 4] and int(replay.count) == 5


def test_nothing_is_remembered_for_gradients_while_games_are_played():
    adapter, replay, steps = made()
    weights, enabled = torch.ones(4, requires_grad=True), []

    def valued(obs):
        enabled.append((values_of(obs) * weights).requires_grad)
        return values_of(obs)

    assert explore(adapter, valued, replay, steps, torch.zeros(3), torch.Generator())
    assert enabled == [False] * 20
