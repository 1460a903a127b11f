"""How good an agent is: whole episodes, each counted once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..envs import Simulator

if TYPE_CHECKING:
    from .ppo import PPO


@dataclass(frozen=True)
class Evaluation:
    """Returns and lengths of the episodes played, in the order of the games' seeds."""

    returns: np.ndarray  # (episodes,) float64
    lengths: np.ndarray  # (episodes,) int64, in steps
    deterministic: bool
    unfinished: int = 0  # episodes cut off by `step_limit`; their return so far is counted

    @property
    def mean(self) -> float:
        return float(self.returns.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % bootstrap interval of the mean, from 10,000 resamples with a fixed seed."""
        rng = np.random.default_rng(0)
        means = rng.choice(self.returns, (10_000, len(self.returns))).mean(1)
        low, high = np.quantile(means, (0.025, 0.975))
        return float(low), float(high)


def evaluate(
    agent: PPO, episodes: int = 100, deterministic: bool = True, seed: int | None = 0, step_limit: int = 100_000
) -> Evaluation:
    """Play `episodes` whole episodes, with one game for each, so that short episodes are not counted more often.

    Args:
        agent: a PPO agent on a Ludus game or a Gymnasium environment.
        deterministic: the most likely action (greedy), or one drawn from the policy (sampled).
        seed: game k is seeded with seed + k, as Stable-Baselines3 does; None: with what the system gives.
        step_limit: stop an episode here, in steps, so that an agent that never loses does not play for ever.
    """
    from .checkpoint import make_environment

    env = make_environment(agent.environment, num_envs=episodes, seed=seed)
    try:
        if hasattr(env, "simulator"):
            env.reset()
            return _on_simulator(agent, env.simulator, deterministic, step_limit)
        from stable_baselines3.common.evaluation import evaluate_policy

        returns, lengths = evaluate_policy(
            agent, env, n_eval_episodes=episodes, deterministic=deterministic, return_episode_rewards=True
        )
        return Evaluation(np.array(returns, np.float64), np.array(lengths, np.int64), deterministic)
    finally:
        env.close()


class Player:
    """An agent in the N games of a simulator, with what it remembers of their episodes."""

    def __init__(self, agent: PPO, sim: Simulator) -> None:
        self.agent, self.sim = agent, sim
        self.restart()

    def restart(self) -> None:
        """The games begin anew."""
        self.state: Any = None  # the recurrent policy's, before it saw what the games show now
        self._next: Any = None

    def decide(self, deterministic: bool) -> np.ndarray:
        """Actions (N,) for what the games show; asked again, it decides again."""
        actions, self._next = self.agent.predict(self._observations(), self.state, deterministic=deterministic)
        return actions

    def explain(self) -> tuple[np.ndarray, np.ndarray]:
        """Action probabilities (N, A) and values (N,) of what the games show."""
        return self.agent.explain(self._observations(), self.state)

    def step(self, actions: np.ndarray) -> int:
        """Take the step decided on; returns how many episodes ended."""
        self.state = self._next
        return self.sim.step(actions)

    def _observations(self) -> np.ndarray:
        """(N, ...) as the policy takes them."""
        obs = host(self.sim.obs)
        return obs.transpose(0, 3, 1, 2) if self.agent.channels_first else obs


def _on_simulator(agent: PPO, sim: Simulator, deterministic: bool, step_limit: int) -> Evaluation:
    """Step games that were just reset until the first episode of each is over."""
    returns, lengths = np.zeros(sim.num_envs), np.zeros(sim.num_envs, np.int64)
    running, player = np.ones(sim.num_envs, np.bool_), Player(agent, sim)
    for _ in range(step_limit):
        finished = player.step(player.decide(deterministic))
        returns[running] += host(sim.reward)[running]
        lengths[running] += 1
        if finished:
            running &= ~(host(sim.terminated) | host(sim.truncated))
            if not running.any():
                break
    return Evaluation(returns, lengths, deterministic, int(running.sum()))


def host(array: Any) -> np.ndarray:
    """An array of the simulator as NumPy, wherever it lives."""
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()
