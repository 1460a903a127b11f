"""Numbers that are none end training with a line that names them, and the last good checkpoint is left as it was."""

import re
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env
from torch import nn

import ludus
from ludus.agents import load_agent
from ludus.agents.data.finite_checks import NotFinite, check_rollout
from ludus.agents.ppo.ppo import PPO
from ludus.agents.training.optimizer_step import check_gradients
from ludus.agents.training.save_callback import SaveCallback
from tests.agents.small import NAMES, small

BREAKS_AT = 50  # steps in each environment
ROLLOUT = 2 * 16


class Brittle(gymnasium.Env):
    """Fine for some steps; then `broken` are its observation and reward."""

    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, broken):
        self.broken, self.steps = broken, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.steps += 1
        obs, reward = self.broken if self.steps > BREAKS_AT else (0.0, 1.0)
        return np.array([0.0, obs, 0.0], np.float32), reward, False, False, {}


CASES = {
    "a NaN observation": ((np.nan, 1.0), {}, r"observation of environment 0 is nan at step 1\d\d"),
    "an infinite observation": ((np.inf, 1.0), {}, r"observation of environment 0 is inf at step 1\d\d"),
    "an infinite reward": ((0.0, np.inf), {}, r"reward of environment 0 is inf at step 1\d\d"),
    "a NaN reward, normalised": ((0.0, np.nan), {"normalize_reward": True}, r"reward of environment 0 is nan"),
    "a loss that overflows": ((0.0, 1e30), {}, r"the loss is inf in update \d after step 128"),
}


@pytest.mark.filterwarnings("ignore:not kept in the file:UserWarning")  # the environment is nobody's id
@pytest.mark.parametrize("case", CASES)
def test_training_stops_and_the_last_checkpoint_is_good(tmp_path, case):
    broken, settings, message = CASES[case]
    env = make_vec_env(lambda: Brittle(broken), n_envs=2)
    agent = PPO("MlpPolicy", env, n_steps=16, batch_size=32, n_epochs=1, seed=0, **settings)
    with pytest.raises(NotFinite, match=message) as caught:
        agent.learn(100 * ROLLOUT, callback=SaveCallback(tmp_path, interval=-1.0))
    assert "the last checkpoint is as it was" in str(caught.value) and "\n" not in str(caught.value)
    good = load_agent(tmp_path, env=env, device="cpu")
    assert good.num_timesteps == BREAKS_AT * 2 // ROLLOUT * ROLLOUT
    assert all(weight.isfinite().all() for weight in good.policy.parameters())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "PPO"])
@pytest.mark.parametrize("case", [*list(CASES)[:3], "a reward beyond single precision"])
def test_all_algorithms_name_it(name, case):
    broken, _, message = {**CASES, "a reward beyond single precision": ((0.0, 1e300), {}, "reward of .* is inf")}[case]
    env = make_vec_env(lambda: Brittle(broken), n_envs=2)
    with pytest.raises(NotFinite, match=message), np.errstate(over="ignore"):
        getattr(ludus, name)("MlpPolicy", env, seed=0, **small(name, buffer_size=500, train_freq=4)).learn(1000)


class Finishing(Brittle):
    """What an episode is cut off with is broken, and nothing else."""

    def step(self, action):
        obs, reward, _, _, info = super().step(action)
        self.steps %= BREAKS_AT + 1
        return obs, reward, False, not np.isfinite(obs).all(), info


@pytest.mark.parametrize("name", NAMES)
def test_what_an_episode_ended_with_is_looked_at(name):
    env = make_vec_env(lambda: Finishing((np.nan, 1.0)), n_envs=2)
    with pytest.raises(NotFinite, match="final observation of environment 0 is nan at step 100"):
        getattr(ludus, name)("MlpPolicy", env, seed=0, **small(name, buffer_size=500, train_freq=4)).learn(1000)


def test_a_loss_is_named_though_its_gradient_is_finite():
    """Huber's, of an error of any size."""
    with pytest.raises(NotFinite, match="the loss is inf in update 3 after step 64"):
        check_gradients([], torch.tensor(float("inf")), 1.0, 64, 3)


def test_a_step_that_is_far_too_long():
    env = make_vec_env(lambda: Brittle((0.0, 1.0)), n_envs=2)
    agent = PPO("MlpPolicy", env, n_steps=16, batch_size=32, seed=0)
    agent.lr_schedule = lambda _: 1e30
    with pytest.raises(NotFinite, match=r"policy output of environment \d is nan|the (loss|gradient|norm) "):
        agent.learn(100 * ROLLOUT)


def test_a_gradient_is_named():
    layer = nn.Linear(2, 2)
    for weight in layer.parameters():
        weight.grad = torch.zeros_like(weight)
    layer.bias.grad[1] = float("inf")
    named = list(layer.named_parameters())
    with pytest.raises(NotFinite, match="the gradient of bias is not finite in update 3 after step 64"):
        check_gradients(named, torch.tensor(1.0), torch.tensor(float("inf")), 64, 3)
    check_gradients(named, torch.tensor(1.0), torch.tensor(1.0), 64, 3)


def test_the_first_of_many_is_named():
    class Data:
        obs = {"near": torch.zeros(4, 2, 3), "image": torch.zeros(4, 2, 3, 3, dtype=torch.uint8)}  # noqa: RUF012
        rewards, values, params = torch.zeros(4, 2), torch.zeros(4, 2), torch.zeros(4, 2, 5)

    check_rollout(Data, 100)
    Data.rewards[2, 1] = float("-inf")
    Data.rewards[3, 0] = float("nan")
    with pytest.raises(NotFinite, match="reward of environment 1 is -inf at step 104"):
        check_rollout(Data, 100)
    Data.obs["near"][0, 0, 2] = float("nan")
    with pytest.raises(NotFinite, match="near of environment 0 is nan at step 100"):
        check_rollout(Data, 100)


GAMES = """
import ludus
from ludus.envs import Game, state

INF = float("inf")

def step(s, action, random):
    s.steps += 1
    return (INF if s.steps > 2000 else 1.0), False  # after those that a game of a user is tried for

ludus.register(Game("Brittle", 1, state(steps="i4"), lambda s, random: None, step, lambda s, planes: None,
                    lambda s, canvas: None, actions=("wait", "go"), shape=(2, 2), planes=("nothing",)))
"""


def test_the_command_line_says_it_in_one_line(tmp_path):
    (tmp_path / "brittle.py").write_text(GAMES)
    command = [
        sys.executable,
        "-m",
        "ludus",
        "--import",
        "brittle",
        "train",
        "Brittle",
        "--out",
        "run",
        "--num-envs",
        "4",
    ]
    command += ["--n-steps", "16", "--batch-size", "64", "--save-interval", "0", "--device", "cpu"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2
    assert re.fullmatch(
        r"ludus: reward of environment 0 is inf at step 8\d\d\d: training stopped, the last checkpoint is as it was\n",
        result.stderr,
    )
    look = "import brittle, sys; from ludus.agents import load_agent as f; print(f('run').num_timesteps)"
    result = subprocess.run([sys.executable, "-c", look], cwd=tmp_path, capture_output=True, text=True)
    assert int(result.stdout) == 2000 * 4 // 64 * 64, result.stderr
