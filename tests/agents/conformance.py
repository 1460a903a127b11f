"""What conformance tests share: agents of both libraries, games that are strict, callbacks that listen."""

import gymnasium
import numpy as np
import pytest
import stable_baselines3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv

import ludus
from tests.agents.small import NAMES, small

SETTINGS = {name: small(name, buffer_size=500) for name in NAMES}
BOTH = [(library, name) for name in NAMES for library in (stable_baselines3, ludus) if hasattr(library, name)]
OURS = [pytest.param(ludus, name, id=name) for name in SETTINGS]
IDS = [f"{library.__name__}-{name}" for library, name in BOTH]
both = pytest.mark.parametrize(("library", "name"), BOTH, ids=IDS)


def agent_of(library, name, policy="MlpPolicy", env=None, **settings):
    env = make_vec_env("CartPole-v1", n_envs=2, seed=0) if env is None else env
    settings = {**SETTINGS[name], **settings}
    if "batch_size" in settings and not hasattr(env, "num_envs"):
        settings["batch_size"] = 16  # a rollout of one game
    return getattr(library, name)(policy, env, seed=0, **settings)


class Counted(DummyVecEnv):
    """Two CartPoles that count their steps."""

    def __init__(self):
        super().__init__([lambda: gymnasium.make("CartPole-v1")] * 2)
        self.steps = self.resets = 0

    def step_async(self, actions):
        self.steps += 1
        super().step_async(actions)

    def reset(self):
        self.resets += 1
        return super().reset()


class Strict(gymnasium.Env):
    """Shows anything, and takes nothing but what its space has."""

    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space, self.steps = observation_space, action_space, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action), f"{action} is not in {self.action_space}"
        self.steps += 1
        return self.observation_space.sample(), 0.0, self.steps % 7 == 0, self.steps % 5 == 0, {}


class Listen(BaseCallback):
    """Notes the local variables at each step, and what buffers say when a rollout is over."""

    def __init__(self):
        super().__init__()
        self.heard, self.rollouts, self.last_obs = [], [], []

    def _on_step(self):
        self.heard.append(dict(self.locals))
        self.last_obs.append(np.copy(self.model._last_obs))
        return True

    def _on_rollout_end(self):
        buffer = self.locals.get("rollout_buffer")
        if hasattr(buffer, "observations"):
            names = (
                "observations",
                "actions",
                "rewards",
                "returns",
                "advantages",
                "values",
                "log_probs",
                "episode_starts",
            )
            self.rollouts.append(
                {name: np.copy(np.asarray(getattr(buffer, name))).reshape(16, 2, -1) for name in names}
            )
            self.rollouts[-1] |= {"size": buffer.size(), "pos": buffer.pos, "full": buffer.full}
