"""Stable-Baselines3's agents and ours in an environment of another library, with the settings that the former has by itself.

Both act by the same network, weight by weight, in Gymnasium's CartPole-v1, monitored and stepped by `DummyVecEnv`. Of DQN it
is the most of a training that is measured, in which one action in twenty is random.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import stable_baselines3
from training.ppo_peers import Side

ENVIRONMENT = "CartPole-v1"
LATE = {"DQN": {"exploration_initial_eps": 0.05}, "PPO": {}}


class OwnSettings(NamedTuple):
    """Whose, and in how many environments."""

    learner: str
    num_envs: int
    network: str = "MlpPolicy"

    algo = "others"

    def __str__(self) -> str:
        return f"{self.learner}, {self.num_envs} environment" + "s" * (self.num_envs > 1)

    @property
    def warm_up(self) -> int:
        """Iterations not counted: of DQN, which has many, those before it learns and some more."""
        return 100 if self.learner == "DQN" else 2


def environments(num_envs: int, seed: int, device: str) -> Any:
    from stable_baselines3.common.env_util import make_vec_env

    return make_vec_env(ENVIRONMENT, n_envs=num_envs, seed=seed)


def stable_agent(settings: OwnSettings, games: Any, device: str, threads: int) -> Any:
    """Stable-Baselines3's."""
    made = getattr(stable_baselines3, settings.learner)
    return made(settings.network, games, seed=0, device=device, **LATE[settings.learner])


def ludus_agent(settings: OwnSettings, games: Any, device: str, threads: int) -> Any:
    """Ours."""
    import ludus

    made, changes = getattr(ludus, settings.learner), LATE[settings.learner]
    return made(settings.network, games, seed=0, device=device, num_threads=threads, **changes)


OTHER_SIDES = {
    "SB3": Side(stable_agent, environments, ("MlpPolicy",)),
    "Ludus": Side(ludus_agent, environments, ("MlpPolicy",)),
}
OTHER_SHAPES = tuple(OwnSettings(learner, count) for learner in LATE for count in (1, 8))
