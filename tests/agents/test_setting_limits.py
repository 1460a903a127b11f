"""Numbers that no training can be made of are refused when the agent is made, or told to learn, in one line."""

import numpy as np
import pytest
from stable_baselines3.common.utils import LinearSchedule

import ludus
from ludus.agents.kinds import KINDS
from ludus.envs import OptionError

SMALL = {"ppo": {"n_steps": 8, "batch_size": 8}, "dqn": {"buffer_size": 1000}, "pqn": {"n_steps": 8, "batch_size": 8}}
AGENTS = [(algo, kind.agent) for algo, kind in KINDS.items()]


def agent(algo, **changes):
    kind = dict(AGENTS)[algo]
    return kind("mlp", ludus.make_sb3("Catch", 2), **{**SMALL[algo], "device": "cpu", **changes})


WRONG = {
    "gamma": [-0.1, 1.5, float("nan"), "much"],
    "learning_rate": [-1e-3, float("nan"), float("inf"), LinearSchedule(float("nan"), 0.0, 1.0)],
    "time_limit": [-1.0, float("nan"), float("inf"), "long"],
    "max_grad_norm": [-1.0, float("nan")],
    "n_steps": [0, -1, 2.5, True],
    "batch_size": [-4, 2.5],
    "seed": [-1, 2**40, 1.5],
}
OWN = {
    "ppo": {
        "gae_lambda": [-0.1, 2.0], "clip_range": [-0.2, float("nan")], "clip_range_vf": [float("nan")], "n_epochs": [0, -1],
        "ent_coef": [float("nan")], "vf_coef": [float("inf")], "target_kl": [-1.0, float("nan")],
    },
    "dqn": {
        "tau": [-1.0, 2.0], "buffer_size": [0, 1.5], "train_freq": [0, -4], "target_update_interval": [0],
        "exploration_fraction": [0.0, 2.0], "exploration_final_eps": [-0.1, 1.1], "replay_ratio": [-1.0, float("nan")],
        "learning_starts": [-1], "priority_exponent": [float("nan")], "munchausen_temperature": [0.0, -1.0],
    },
    "pqn": {"q_lambda": [-0.1, 7.0], "n_epochs": [0], "exploration_initial_eps": [float("nan")]},
}  # fmt: skip
CASES = [(algo, name, value) for algo in OWN for name, values in {**WRONG, **OWN[algo]}.items() for value in values]


@pytest.mark.parametrize(("algo", "name", "value"), CASES)
def test_a_setting_out_of_range_is_refused(algo, name, value):
    with pytest.raises((OptionError, ValueError, AssertionError)) as caught:
        agent(algo, **{name: value})
    assert "\n" not in str(caught.value).strip()


@pytest.mark.parametrize("algo", KINDS)
def test_every_setting_at_its_own_default_is_taken_and_so_are_numpys_numbers(algo):
    made = agent(algo, gamma=np.float32(0.5), max_grad_norm=np.int64(3), learning_rate=np.float64(1e-3))
    assert (made.gamma, made.max_grad_norm) == (0.5, 3)
    agent(algo, learning_rate=lambda left: 1e-3 * left, time_limit=None)


@pytest.mark.parametrize("algo", KINDS)
@pytest.mark.parametrize("steps", [-5, float("nan"), "many", None])
def test_learning_a_number_of_steps_that_is_none(algo, steps):
    made = agent(algo)
    with pytest.raises(OptionError, match="total_timesteps must be a number from 0"):
        made.learn(steps)
    assert made.num_timesteps == 0
    assert made.learn(0).num_timesteps in (0, 16)  # as Stable-Baselines3's does
