"""What `help` and editors show of constructors that hand their arguments on to Stable-Baselines3's."""

from inspect import Parameter, signature

import pytest
import stable_baselines3
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

import ludus
from tests.agents.small import NAMES

OTHERS = {"PPO": stable_baselines3.PPO, "DQN": stable_baselines3.DQN}
OURS = {
    "PPO": {"normalize_reward", "time_limit", "precision", "num_threads", "group"},
    "DQN": {"replay_ratio", "double", "munchausen", "prioritized", "time_limit"},
    "PQN": {"q_lambda", "exploration_spread", "time_limit", "seed", "verbose", "policy_kwargs", "tensorboard_log"},
}


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_is_named(name):
    found = signature(getattr(ludus, name)).parameters
    assert all(p.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD) for p in found.values())
    assert {*found} >= OURS.get(name, set())
    if name in OTHERS:  # its arguments first, in its order and with its defaults
        theirs = signature(OTHERS[name]).parameters
        assert list(found)[: len(theirs)] == list(theirs)
        assert all(found[argument].default == p.default for argument, p in theirs.items())


@pytest.mark.parametrize("name", NAMES)
def test_learn_is_stable_baselines3s(name):
    theirs = signature(OTHERS.get(name, OnPolicyAlgorithm).learn).parameters
    assert {k: p.default for k, p in signature(getattr(ludus, name).learn).parameters.items()} == {
        k: p.default for k, p in theirs.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_is_taken(name):
    """Every argument with its own default, but for those that stand for the games."""
    given = {k: p.default for k, p in signature(getattr(ludus, name)).parameters.items() if p.default is not p.empty}
    agent = getattr(ludus, name)("mlp", ludus.make_sb3("Catch", 8), **given)
    assert agent.num_timesteps == 0
