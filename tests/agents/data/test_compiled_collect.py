"""Rollouts as loops against the same in PyTorch's operations."""

import pytest
import torch

import ludus
from ludus.agents.data.rollout_buffer import collect
from ludus.agents.ppo.ppo import PPO
from ludus.agents.training.network import TorchNetwork

TOLD = ("obs", "actions", "rewards", "dones")  # to the last bit
COMPUTED = ("params", "values", "log_probs", "bootstrap", "last_values")
OF_EPISODES = ("truncated", "episode_return", "episode_length")  # where one ended


def agent_of(policy, threads, game="Breakout", **options):
    games = ludus.make_sb3(game, 5, seed=3, repeat_action_probability=0.1, **options)
    return PPO(policy, games, n_steps=60, batch_size=100, seed=0, num_threads=threads)


def rollout_of(agent, in_loops):
    agent._setup_learn(1)
    data, adapter = agent.data, agent.collector.adapters[0]
    if in_loops:
        assert agent.collector.collect() and agent.collector.compiled is not None
    else:
        assert collect(TorchNetwork(agent.policy, agent.loss, agent.workers), adapter, data, agent.generators[0], None)
    return data


def assert_same(ours, theirs, cut_off):
    for name in TOLD:
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
    for name in COMPUTED:
        assert torch.allclose(getattr(ours, name), getattr(theirs, name), atol=1e-5), name
    ended = theirs.dones.bool()
    assert ended.any() and theirs.truncated.any() == cut_off
    for name in OF_EPISODES:
        assert torch.equal(getattr(ours, name)[ended], getattr(theirs, name)[ended]), name


@pytest.mark.parametrize("policy", ["mlp", "cnn"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("options", [{}, {"max_episode_steps": 7}], ids=["endless", "cut off"])
def test_the_same_rollout(policy, threads, options):
    ours, theirs = (rollout_of(agent_of(policy, threads, **options), in_loops) for in_loops in (True, False))
    assert_same(ours, theirs, bool(options))


@pytest.mark.parametrize("policy", ["mlp", "cnn"])
def test_the_same_rollout_with_action_masks(policy):
    ours, theirs = (
        rollout_of(agent_of(policy, 1, "Game2048", max_episode_steps=30), in_loops) for in_loops in (True, False)
    )
    assert_same(ours, theirs, True)
    assert torch.equal(ours.masks, theirs.masks) and not ours.masks.all()
    assert ours.masks.gather(2, ours.actions.unsqueeze(-1)).all()


def test_learning_goes_by_loops():
    agent = agent_of("mlp", 1)
    agent.learn(300)
    assert agent.collector.compiled is not None
