"""An agent that searches: its network is the guide, boards do not depend on each other, and what cannot guide is refused."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

import ludus
from ludus.agents import Search, evaluate, load_agent
from ludus.agents.training.search import tempered
from ludus.envs import Bot, Match, OptionError, Simulator, evaluate_player
from ludus.envs.adapters.sb3 import vec_env
from tests.agents.encoded import behind_an_encoder
from tests.agents.small import small
from tests.envs.engine.reference_search import Reference, positions


def agent_of(game, policy="mlp", algorithm="PPO", **given):
    env = vec_env(game, 4, seed=0, **given.pop("env", {}))
    return getattr(ludus, algorithm)(policy, env, seed=0, **small(algorithm), **given)


@pytest.fixture(scope="module")
def four():
    return agent_of("ConnectFour", "mlp", num_threads=1)


@pytest.mark.parametrize("temperature", [0.5, 4.0])
@pytest.mark.parametrize(("game", "policy"), [("ConnectFour", "mlp"), ("Game2048", "mlp"), ("Breakout", "mlp")])
def test_it_is_the_reference_guided_by_the_agents_policy_and_values(game, policy, temperature):
    """What PyTorch says of the policy is within rounding what compiled loops say, which the search asks."""
    agent = agent_of(game, policy)
    assert agent.network.why == "compiled loops"
    sim = positions(game, 4, 6, seed=1)
    search = Search(agent, sim, 40, seed=3, prior_temperature=temperature)
    moves = search.decide()
    shares, values, worth = search.explain()
    assert not worth and np.array_equal(moves, shares.argmax(1))

    def guide(obs, legal):
        mask = legal if sim.legal is not None else None
        probabilities, values = agent.explain(obs, None, mask)
        asked = search._guide(obs, legal)
        assert np.allclose(asked[0], with_temperature(probabilities, temperature), atol=1e-5)
        assert np.allclose(asked[1], values, atol=1e-5)
        return asked

    for k, record in enumerate(sim.records):
        expected = Reference(sim.game, record, 40, guide, agent.gamma, seed=3, index=k)
        assert (shares[k] * 40).round().astype(int).tolist() == expected.visits and values[k] == expected.value


def with_temperature(probabilities, temperature):
    """By the definition; the logarithm of a probability is a logit but for a constant."""
    with np.errstate(divide="ignore"):
        return softmax(np.log(probabilities) / temperature, axis=1)


logits = st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=9)


@settings(max_examples=50, deadline=None)
@given(logits, st.floats(0.1, 100), st.data())
def test_a_temperature_divides_logits(logits, temperature, data):
    legal = np.array(data.draw(st.lists(st.booleans(), min_size=len(logits), max_size=len(logits)).filter(any)))
    masked = np.where(legal, logits, -np.inf)[None].astype(np.float32)  # (1, A)
    found = tempered(softmax(masked, axis=1), temperature)
    assert found.dtype == np.float32 and np.allclose(found, softmax(masked / temperature, axis=1), atol=1e-5)
    assert not found[0, ~legal].any() and np.isclose(found.sum(), 1)


def test_a_high_temperature_tries_all_actions_alike():
    """As a search without a network does in its first steps, one for each action."""
    agent, sim = agent_of("ConnectFour"), Simulator("ConnectFour", 1)
    sim.reset()
    with torch.no_grad():
        agent.policy.action_net.bias[:] = torch.arange(7.0) * 8  # sure of the last column
        agent.policy.value_net.weight.zero_()
    tried = {t: Search(agent, sim, 14, prior_temperature=t) for t in (1, 100)}
    assert all(search.decide().tolist() == [6] for search in tried.values())
    assert np.count_nonzero(tried[1].explain()[0]) == 1 and np.count_nonzero(tried[100].explain()[0]) == 7


@pytest.mark.parametrize("temperature", [0, 0.05, 1000, "4", True, float("nan")])
def test_temperatures_out_of_range_are_refused(four, temperature):
    with pytest.raises(OptionError, match=r"prior_temperature must be from 0\.1 to 100"):
        Search(four, Simulator("ConnectFour"), prior_temperature=temperature)


def test_boards_and_threads_do_not_matter(four):
    sim, alone = positions("ConnectFour", 70, 9, seed=2), Simulator("ConnectFour", 1)
    alone.reset()
    search = Search(four, sim, 30)
    moves = search.decide()
    shares, values, _ = search.explain()
    assert np.array_equal(Search(agent_of("ConnectFour", "mlp", num_threads=2), sim, 30, num_threads=2).decide(), moves)
    for k in range(0, 70, 23):
        alone.records[0] = sim.records[k]
        single = Search(four, alone, 30)
        assert single.decide().tolist() == [moves[k]]
        assert np.array_equal(single.explain()[0][0], shares[k]) and single.explain()[1][0] == values[k]


def test_it_follows_the_weights_as_they_are_now(four):
    agent, sim = agent_of("ConnectFour", "mlp"), positions("ConnectFour", 20, 4, seed=2)
    search = Search(agent, sim, 20)
    search.decide()
    before = search.explain()[1]
    with torch.no_grad():
        agent.policy.value_net.bias += 0.5
    search.decide()
    assert not np.allclose(search.explain()[1], before)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda player: pickle.loads(pickle.dumps(player))])
def test_copies_go_on_as_the_original_would(copied):
    agent, sim = agent_of("Game2048"), positions("Game2048", 3, 5, seed=2)
    search = Search(agent, sim, 20)
    search.decide()  # random numbers have been drawn
    other = copied(search)
    assert np.array_equal(other.decide(), search.decide()) and np.array_equal(other.explain()[1], search.explain()[1])


def test_where_nothing_is_wanted_a_move_is_legal(four):
    sim = positions("ConnectFour", 60, 30, seed=4)
    wanted = np.arange(60) % 2 == 0
    for deterministic in (True, False):
        moves = Search(four, sim, 10).decide(deterministic, wanted)
        assert sim.legal[np.arange(60), moves].all()


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_sampled_moves_are_drawn_by_visits_and_the_temperature_of_the_priors(four, temperature):
    sim = Simulator("ConnectFour", 2000, seed=0)
    sim.reset()
    search = Search(four, sim, 20, seed=1, prior_temperature=temperature)
    moves = search.decide(deterministic=False)
    shares = search.explain()[0][0] ** temperature  # all boards are the same
    found = np.bincount(moves, minlength=7) / 2000
    assert np.abs(found - shares / shares.sum()).max() < 4 * 0.5 / np.sqrt(2000)  # four standard errors, at most


def test_sampled_moves_are_the_policys_where_the_search_finds_nothing_new(four, monkeypatch):
    """All values are 0, and priors are softened: of very many visits, they are drawn as the policy draws without a search."""
    sim = Simulator("ConnectFour", 3000, seed=0)
    sim.reset()
    policy = np.array([[0.4, 0.3, 0.2, 0.1, 0.0, 0.0, 0.0]])
    monkeypatch.setattr(
        Search, "_guide",
        lambda self, obs, legal: (np.float32(tempered(policy, 4.0)).repeat(len(obs), 0), np.zeros(len(obs), np.float32)),
    )  # fmt: skip
    search = Search(four, sim, 300, prior_temperature=4.0)
    found = np.bincount(search.decide(deterministic=False), minlength=7) / 3000
    assert np.abs(found - policy[0]).max() < 0.06


def test_looking_ahead_makes_an_agent_that_has_learned_nothing_better(four):
    sim = Simulator("ConnectFour", 60, seed=0)
    found = evaluate_player(Match(sim, [Search(four, sim, 100), Bot(sim, "random", 1)]), sim)
    assert found.mean > 0.7


def test_an_agent_alone_is_evaluated_with_search():
    agent = agent_of("Catch")
    found = evaluate(agent, 40, player=partial(Search, simulations=100))
    assert found.mean > evaluate(agent, 40).mean + 0.5


def test_values_of_normalised_rewards_are_taken_in_the_games_units(tmp_path):
    """Also of an agent that was saved and loaded to play."""
    agent = agent_of("Snake", normalize_reward=True).learn(2048)
    agent.save(tmp_path, resumable=False)
    back, sim = load_agent(tmp_path), Simulator("Snake", 8, seed=0)
    sim.reset()
    scale = float(agent.reward_normalizer.moments.variance.sqrt())
    assert back.reward_scale == agent.reward_scale == scale != 1.0
    search = Search(back, sim, 2)
    search.decide()  # which reads the weights
    values = search._guide(sim.obs, np.ones((8, 4), bool))[1]
    assert values == pytest.approx(scale * back.explain(sim.obs)[1], rel=1e-5)
    assert agent_of("Catch").reward_scale == 1.0


def test_pixels_are_seen_as_the_agent_sees_them():
    pixels = {"obs_type": "rgb", "size": 16}
    agent = agent_of("Catch", "cnn", env=pixels)
    assert agent.channels_first
    sim = Simulator("Catch", 3, seed=0, **pixels)
    sim.reset()
    search, asked = Search(agent, sim, 5), []
    search._tree.guide = lambda obs, legal: asked.append(obs.copy()) or search._guide(obs, legal)
    search.decide()
    assert np.array_equal(asked[0], sim.obs)  # at first, of the games as they are


@pytest.mark.parametrize("use", ["freeze", "decode"])
def test_frozen_encoders_look_at_every_position(use):
    agent = behind_an_encoder(use, **small("PPO"))
    sim = Simulator("Catch", 6, seed=0, obs_type="rgb", size=36)
    sim.reset()
    search = Search(agent, sim, 5)
    assert search.decide().shape == (6,)
    (probabilities, told), (priors, values) = agent.explain(sim.obs), search._guide(sim.obs, np.ones((6, 3), np.bool_))
    assert np.allclose(with_temperature(probabilities, search.prior_temperature), priors, atol=1e-5)
    assert np.allclose(told, values, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"algorithm": "DQN"}, "search needs a policy and values, and DQN has values of actions alone"),
        ({"algorithm": "PQN"}, "PQN has values of actions alone"),
        ({"policy_kwargs": {"memory": "mingru"}}, "this agent has a memory"),
        ({"normalize_reward": True}, "by how much its file does not say: train it anew"),
        ({"game": "TicTacToe"}, "the agent plays TicTacToe, not ConnectFour"),
    ],
)
def test_what_cannot_guide_is_refused(given, message):
    agent = agent_of(**{"game": "ConnectFour", **given})
    with pytest.raises(OptionError, match=message):
        Search(agent, Simulator("ConnectFour"))


def test_games_that_cannot_be_searched_are_refused():
    with pytest.raises(OptionError, match="players act together"):
        Search(agent_of("Tron"), Simulator("Tron"))


def test_other_environments_are_refused():
    from stable_baselines3.common.env_util import make_vec_env

    agent = ludus.PPO("mlp", make_vec_env("CartPole-v1", 2), **small("PPO"))
    with pytest.raises(OptionError, match="only games of Ludus can be searched"):
        evaluate(agent, 2, player=partial(Search, simulations=10))
