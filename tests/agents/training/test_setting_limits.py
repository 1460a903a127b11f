"""Numbers that no training can be made of are refused when the agent is made, or told to learn, in one line."""

import numpy as np
import pytest
from stable_baselines3.common.utils import LinearSchedule

import ludus
from ludus.agents import agent_class
from ludus.agents.checkpoints.schema import SCHEMAS
from ludus.envs import OptionError
from tests.agents.small import small

AGENTS = [(algo, agent_class(algo)) for algo in SCHEMAS]


def agent(algo, **changes):
    kind = dict(AGENTS)[algo]
    return kind(
        "mlp", ludus.make_sb3("Catch", 2), **{**small(algo, n_steps=8, batch_size=8), "device": "cpu", **changes}
    )


WRONG = {
    "gamma": [-0.1, 1.5, float("nan"), "much"],
    "learning_rate": [-1e-3, float("nan"), float("inf"), LinearSchedule(float("nan"), 0.0, 1.0)],
    "time_limit": [-1.0, 0, float("nan"), float("inf"), "long"],
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
CASES = [
    (algo, name, value)
    for algo, kind in SCHEMAS.items()
    for name, values in {**WRONG, **OWN.get(algo, {})}.items()
    for value in (values if name in {*kind.settings, *kind.schedules} else ())
]


@pytest.mark.parametrize(("algo", "name", "value"), CASES)
def test_a_setting_out_of_range_is_refused(algo, name, value):
    with pytest.raises((OptionError, ValueError, AssertionError)) as caught:
        agent(algo, **{name: value})
    assert "\n" not in str(caught.value).strip()


STRANGE = [
    ("ppo", "gamma", ()), ("ppo", "gamma", (0.9, "x")), ("ppo", "n_steps", (8,)), ("ppo", "learning_rate", ()),
    ("ppo", "gamma", np.zeros(2)), ("ppo", "rollout_buffer_class", np.zeros(2)), ("ppo", "rollout_buffer_kwargs", [1]),
    ("ppo", "group", True), ("ppo", "group", 0), ("ppo", "group", []), ("ppo", "group", np.zeros(2)),
    ("ppo", "device", 10**30), ("dqn", "replay_buffer_kwargs", "x"), ("dqn", "replay_buffer_kwargs", np.zeros(2)),
    ("dqn", "replay_buffer_class", "x"), ("dqn", "replay_buffer_class", np.zeros(2)), ("dqn", "dueling", ()),
    ("dqn", "train_freq", ()), ("dqn", "train_freq", (4,)), ("dqn", "train_freq", (4, "step", 1)), ("dqn", "tau", (1.0,)),
]  # fmt: skip


@pytest.mark.parametrize(("algo", "name", "value"), STRANGE, ids=str)
def test_what_is_no_setting_at_all_is_one_line_that_names_it(algo, name, value):
    with pytest.raises(OptionError, match=f"^{name} (must be|is not for)[^\n]*$"):
        agent(algo, **{name: value})


def test_a_setting_that_became_a_tuple_is_refused_before_learning():
    made = agent("ppo")
    made.gamma = (0.9, "x")
    with pytest.raises(OptionError, match="gamma must be a number from 0 to 1"):
        made.learn(16)


def test_how_often_to_learn_may_have_its_unit():
    assert agent("dqn", train_freq=(4, "step")).setting("train_freq") == 4


@pytest.mark.parametrize("algo", SCHEMAS)
def test_every_setting_at_its_own_default_is_taken_and_so_are_numpys_numbers(algo):
    made = agent(algo, gamma=np.float32(0.5), max_grad_norm=np.int64(3), learning_rate=np.float64(1e-3))
    assert (made.gamma, made.max_grad_norm) == (0.5, 3)
    agent(algo, learning_rate=lambda left: 1e-3 * left, time_limit=None)


@pytest.mark.parametrize("algo", SCHEMAS)
@pytest.mark.parametrize("steps", [-5, float("nan"), "many", None])
def test_learning_a_number_of_steps_that_is_none(algo, steps):
    made = agent(algo)
    with pytest.raises(OptionError, match="total_timesteps must be a number from 0"):
        made.learn(steps)
    assert made.num_timesteps == 0
    assert made.learn(0).num_timesteps in (0, 16)  # as Stable-Baselines3's does
