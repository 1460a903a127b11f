"""Evaluation of an agent over whole episodes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...envs import Evaluation, Observer, OptionError, Simulator, evaluate_player
from ...envs.adapters.shared import seed_games
from ...envs.bots import STEP_LIMIT, host
from ..checkpoints.env_spec import make_environment
from ..runtime.threads import undivided
from .sight import decoded, saliency

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

    from ...envs.viewer.scene import Sight
    from .agent import Agent


def evaluate(
    agent: Agent,
    episodes: int = 100,
    deterministic: bool = True,
    seed: int | None = 0,
    step_limit: int = STEP_LIMIT,
    tell: Callable[[int, int], bool | None] | None = None,
    player: Callable[[Agent, Simulator], Any] | None = None,
    **changes: Any,
) -> Evaluation:
    """Play `episodes` whole episodes, with one game for each, so that short episodes are not counted more often.

    Args:
        agent: an agent on a Ludus game or a Gymnasium environment.
        deterministic: take the most likely action (greedy), else sample from the policy.
        seed: game k is seeded with seed + k, as Stable-Baselines3 does; None: at random.
        step_limit: end an episode after so many steps, so that an agent that never loses does not play for ever.
        tell: called after each step of the games with the steps so far and how many episodes have ended; evaluation ends if
            it returns False. In environments of other libraries, only episodes that have ended are counted then.
        player: makes of agent and games who decides, as `partial(Search, simulations=200)` does; None: the agent as it is.
        **changes: options of the game in place of those the agent was trained with, such as max_episode_steps=500.

    Raises:
        OptionError: `changes` or `player` for an environment of another library.
    """
    if player is not None and "game" not in agent.environment:
        raise OptionError("only games of Ludus can be searched; this agent plays another environment")
    if changes and "game" not in agent.environment:
        raise OptionError(f"{', '.join(changes)} is for games of Ludus; this agent plays another environment")
    env = make_environment(agent.environment, num_envs=episodes, seed=seed, **changes)
    try:
        if hasattr(env, "simulator"):
            if seed is not None:
                seed_games(env.simulator, seed)
            with undivided():  # batches of a hundred are too small for several cores, which would wait for each other
                who = (player or Player)(agent, env.simulator)
                return evaluate_player(who, env.simulator, deterministic, step_limit, tell)
        return _evaluate_in_vec_env(agent, env, episodes, deterministic, tell)
    finally:
        env.close()


def _evaluate_in_vec_env(agent: Agent, env: VecEnv, episodes: int, deterministic: bool, tell: Any) -> Evaluation:
    """`evaluate` in environments of other libraries, by Stable-Baselines3's `evaluate_policy`."""
    from stable_baselines3.common.evaluation import evaluate_policy

    returns: Any = []
    lengths: Any = []

    def callback(local: dict[str, Any], _: Any) -> None:
        nonlocal returns, lengths
        returns, lengths = local["episode_rewards"], local["episode_lengths"]
        ended = int(local["episode_counts"].sum())
        if tell is not None and tell(int(local["current_lengths"].max()), ended) is False:
            raise _Ended

    with suppress(_Ended):
        evaluate_policy(agent, env, n_eval_episodes=episodes, deterministic=deterministic, callback=callback)
    return Evaluation(np.array(returns, np.float64), np.array(lengths, np.int64), deterministic)


class _Ended(Exception):
    """`tell` ended the evaluation."""


class Player:
    """An agent that plays the N games of a simulator, with its recurrent state in each of them."""

    def __init__(self, agent: Agent, sim: Simulator) -> None:
        self.agent, self.sim = agent, sim
        self.restart()

    def restart(self) -> None:
        """Start new episodes in all games."""
        self.state: Any = None  # of a recurrent policy, before the present observations
        self._next: Any = None

    def decide(self, deterministic: bool) -> np.ndarray:
        """Actions, (N,) or (N, P), for the present observations; the recurrent state advances with `step`."""
        sim = self.sim
        actions, self._next = self.agent.predict(
            self._observations(), self.state, deterministic=deterministic, **self._masks()
        )
        return actions if sim.num_seats == 1 else actions.reshape(sim.num_envs, sim.num_seats)

    def explain(self) -> tuple[np.ndarray, np.ndarray, bool]:
        """For the present observations: a number for each action (N, A), values (N,), and whether those numbers are action
        values, else probabilities."""
        numbers, values = self.agent.explain(self._observations(), self.state, **self._masks())
        return numbers, values, self.agent.acts_on_values

    def sight(self, actions: np.ndarray) -> Sight | None:
        """What the agent sees in the first game: planes that its encoder tells, or pixels and how much each matters to the
        first of the actions decided on. None: it sees what the game tells."""
        options, action = self.sim.options, int(actions.flat[0])
        if options.obs_type not in ("rgb", "grayscale"):
            return None
        obs = self._observations()[:1]
        state = None if self.state is None else tuple(part[:1] for part in self.state)
        frozen = getattr(self.agent.policy, "frozen", None)
        if frozen is not None and frozen.tells_planes:
            planes = self.agent.policy.obs_to_tensor(obs)[0][0].cpu().numpy()
            names = frozen.network.planes
            planes = planes[..., -len(names) :]  # of the newest picture
            return decoded(planes, names, self._planes() if names == self.sim.game.planes else None)
        return saliency(self.agent, obs, state, action, options.frame_stack, self.sim.actions[action])

    def _planes(self) -> np.ndarray:
        """(rows, columns, P) uint8, the game's own planes in the first game."""
        viewer = self.sim.player[:1] if self.sim.game.turns else 0
        return self._observer(host(self.sim.records)[:1], viewer)[0]

    @cached_property
    def _observer(self) -> Observer:
        return Observer(self.sim.game, players=self.sim.options.players)

    def _masks(self) -> dict[str, np.ndarray]:
        return {} if self.sim.legal is None else {"action_masks": host(self.sim.legal)}

    def went_on(self) -> None:
        """Advance the recurrent state, after a step was taken with the last actions."""
        self.state = self._next

    def step(self, actions: np.ndarray) -> int:
        """Take a step with the last actions; returns how many episodes ended."""
        self.went_on()
        return self.sim.step(actions)

    def _observations(self) -> np.ndarray:
        """(N * seats, ...) as the policy takes them."""
        obs = host(self.sim.obs).reshape(-1, *self.sim.obs_shape)
        return obs.transpose(0, 3, 1, 2) if self.agent.channels_first else obs
