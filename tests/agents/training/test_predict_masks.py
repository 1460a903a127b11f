"""Predictions without masks, where a game tells what is legal: as Stable-Baselines3's `evaluate_policy` asks for them."""

import warnings

import numpy as np
import pytest
from stable_baselines3.common.evaluation import evaluate_policy

import ludus
from tests.agents.small import small

ALGORITHMS = ("ppo", "pqn", "dqn")


def agent_of(algo, game):
    env = ludus.make_sb3(game, 4, seed=0, max_episode_steps=20)
    return getattr(ludus, algo.upper())("mlp", env, seed=0, **small(algo))


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_it_is_said_that_masks_are_missing(algo):
    agent = agent_of(algo, "Game2048")
    with pytest.warns(UserWarning, match="Game2048 tells which actions are legal, predict was not told"):
        evaluate_policy(agent, agent.get_env(), 4)


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_nothing_is_said_where_there_is_nothing_to_say(algo):
    free, masked = agent_of(algo, "Catch"), agent_of(algo, "Game2048")
    with warnings.catch_warnings(action="always", record=True) as said:
        evaluate_policy(free, free.get_env(), 4)
        env = masked.get_env()
        masked.predict(env.reset(), action_masks=np.stack(env.env_method("action_masks")))
        masked.learn(64)
    assert said == []
