"""Observations and actions of every kind, wherever their spaces begin to count."""

import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium import spaces

import ludus
from ludus.envs import OptionError
from tests.agents.conformance import OURS, Strict, agent_of

pytestmark = pytest.mark.usefixtures("one_thread")

PARTS = {
    "a": spaces.Discrete(3, start=2),
    "b": spaces.Box(-1, 1, (2, 2)),
    "c": spaces.Box(0, 255, (36, 36, 1), np.uint8),
}
OBSERVATIONS = {
    "Discrete": spaces.Discrete(5),
    "Discrete from 3": spaces.Discrete(5, start=3),
    "MultiDiscrete": spaces.MultiDiscrete([3, 4]),
    "MultiDiscrete from 1 and -2": spaces.MultiDiscrete([3, 4], start=[1, -2]),
    "MultiDiscrete of bytes": spaces.MultiDiscrete([3, 4], dtype=np.uint8),
    "MultiBinary": spaces.MultiBinary(4),
    "Dict": spaces.Dict(PARTS),
}


@pytest.mark.parametrize("policy", ["mlp", "theirs"])
@pytest.mark.parametrize("space", OBSERVATIONS)
@pytest.mark.parametrize(("library", "name"), OURS)
def test_observations_of_every_kind(library, name, space, policy):
    space = OBSERVATIONS[space]
    policy = {"mlp": "mlp", "theirs": "MultiInputPolicy" if isinstance(space, spaces.Dict) else "MlpPolicy"}[policy]
    env = Strict(space, spaces.Discrete(3, start=-4))
    agent = agent_of(library, name, policy, env).learn(24)
    for deterministic in (True, False):
        action, _ = agent.predict(space.sample(), deterministic=deterministic)
        assert env.action_space.contains(action[()])
        assert env.action_space.contains(agent.policy.predict(space.sample(), deterministic=deterministic)[0][()])


def test_numbers_are_seen_one_hot_as_stable_baselines3_sees_them():
    for space in (spaces.Discrete(5), spaces.MultiDiscrete([3, 4])):
        ours, theirs = (
            agent_of(lib, "PPO", env=Strict(space, spaces.Discrete(2))) for lib in (ludus, stable_baselines3)
        )
        ours.policy.load_state_dict(theirs.policy.state_dict())
        obs, _ = ours.policy.obs_to_tensor(np.stack([space.sample() for _ in range(9)]))
        assert torch.equal(ours.policy.predict_values(obs), theirs.policy.predict_values(obs))
        shifted = type(space)(space.n, start=7) if isinstance(space, spaces.Discrete) else None
        if shifted:
            moved = agent_of(ludus, "PPO", env=Strict(shifted, spaces.Discrete(2)))
            moved.policy.load_state_dict(theirs.policy.state_dict())
            assert torch.equal(moved.policy.predict_values(obs + 7), theirs.policy.predict_values(obs))


@pytest.mark.parametrize("start", [0, 5])
def test_actions_count_from_where_their_space_does(start):
    env = Strict(spaces.Box(-1, 1, (3,)), spaces.MultiDiscrete([2, 3], start=[start, -1]))
    agent = agent_of(ludus, "PPO", env=env).learn(32)
    assert env.action_space.contains(agent.predict(env.observation_space.sample())[0])


@pytest.mark.parametrize("space", [spaces.Tuple([spaces.Discrete(3)]), spaces.Box(-1, 1, ())])
@pytest.mark.parametrize(("library", "name"), OURS)
def test_observations_that_no_network_takes_are_refused(library, name, space):
    with pytest.raises(OptionError, match=r"wrap the environment in gymnasium\.wrappers\.FlattenObservation"):
        agent_of(library, name, "mlp", Strict(space, spaces.Discrete(2)))


def test_actions_that_no_network_takes_are_refused():
    with pytest.raises(OptionError, match="MultiDiscrete spaces of one axis"):
        agent_of(ludus, "PPO", "mlp", Strict(spaces.Discrete(2), spaces.MultiDiscrete([[2, 3], [2, 2]])))
    with pytest.raises(
        OptionError, match=r"encoder 'cnn' takes images or planes, got observations Discrete\(2\): use 'mlp'"
    ):
        agent_of(ludus, "PPO", "cnn", Strict(spaces.Discrete(2), spaces.Discrete(2)))
