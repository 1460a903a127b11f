"""Parallelised Q-network (Gallici et al. 2025): Q(lambda) over many games at once, without replay or a target network.

Layer normalisation keeps the values from running away, and many games at once make the data varied enough. An iteration is a
rollout, the lambda-returns of it, and a few passes over it in minibatches.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import explained_variance

from ..data.env_adapters import EnvAdapter, adapter_of
from ..data.returns import lambda_returns
from ..data.rollout_buffer import bootstrap
from ..nn.actor_critic import each
from ..nn.value_dists import Scalar
from ..training.rollouts import OnPolicyAgent
from ..training.sb3_buffer import refuse_to_be_filled
from .base import QAgent
from .collect import Steps, epsilon_per_game
from .config import PQNConfig


class PQN(QAgent, OnPolicyAgent, OnPolicyAlgorithm):
    """Parallelised Q-network on tensors, with the interface of Stable-Baselines3's algorithms."""

    algorithm, config = "pqn", PQNConfig
    network_settings = ("dueling", "layer_norm")
    policy: Any

    @staticmethod
    def network_arguments(settings: dict[str, Any]) -> dict[str, Any]:
        return {"dueling": settings["dueling"], "layer_norm": settings["layer_norm"], "distribution": Scalar()}

    def _setup_model(self) -> None:
        self._check_actions()
        self._make_policy()
        self.rollout_buffer: Any = None  # made when training begins
        self.rebuild()

    def prepare(self) -> None:
        self.adapter = adapter_of(self)
        self.adapters = [self.adapter]
        self.data = self.rollout_buffer = QRollout(self.n_steps, self.adapter, self.device)
        self.order = torch.zeros(self.n_steps * self.adapter.num_envs, dtype=torch.int64, device=self.device)
        self.epsilon = torch.zeros(self.adapter.num_envs, device=self.device)
        self._make_collector()
        self.compute_returns = self._graphed(self._compute_returns, games=False)

    def _make_network(self) -> None:
        super()._make_network()
        self.one_epoch = self._graphed(self._one_epoch, games=False)

    def _make_collector(self) -> None:
        self.collector = self._collector_of(self.data, (self.data.values, self.data.best_values))
        self._write_obs = self.collector.obs_writer(self.data.obs)
        self.collect = self._graphed(self._collect, self.generators[:1])

    # -- collecting ----------------------------------------------------------------------------------------------------

    def _begin_rollout(self) -> None:
        self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
        self.exploration_rate = self.exploration_schedule(self._current_progress_remaining)
        epsilon_per_game(self.exploration_rate, self.exploration_spread, out=self.epsilon)

    def _end_rollout(self) -> None:
        self.compute_returns()

    def _collect(self, on_step: Any = None) -> bool:
        assert self.adapter is not None
        after = partial(self._after_step, self.data, self.adapter, on_step)
        if not self.collector.collect(self.generators[0], self._write_obs, after):
            return False
        self.data.fill_next_values(self.adapter)
        return True

    def _after_step(self, data: QRollout, adapter: EnvAdapter, on_step: Any, t: int, ended: int) -> bool:
        if adapter.signs is not None:
            data.going_on[t] = adapter.signs * ~adapter.terminated
        elif ended:
            torch.sub(1.0, adapter.terminated.float(), out=data.going_on[t])
        else:
            data.going_on[t] = 1.0
        if ended and adapter.can_truncate:
            bootstrap(data.final_values, t, adapter, lambda obs, _: self.network.values(obs).max(1).values)
        return on_step is None or on_step(t)

    def _compute_returns(self) -> None:
        """Peng's Q(lambda) of the rollout."""
        data = self.data
        given = data.rewards, data.next_values, data.going_on, data.dones
        data.returns.copy_(lambda_returns(*given, self.gamma, self.q_lambda))

    # -- learning ------------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Fit the action values to the rollout's returns, for `n_epochs`."""
        self._set_learning_rate()
        self._set_training_mode(True)
        for _ in range(self.n_epochs):
            torch.randperm(len(self.order), generator=self.generators[-1], out=self.order)
            self.one_epoch()
            self._n_updates += 1
        self._check_update()
        self._log_update()
        self.boundary = None

    def _one_epoch(self) -> None:
        """Minibatches of all samples, in the order drawn."""
        data = self.data
        obs = each(lambda x: x.flatten(0, 1), data.obs)  # (T, N, *shape) -> (T * N, *shape)
        actions, returns = data.actions.view(-1), data.returns.view(-1)
        for rows in self.order.split(self.batch_size):
            minibatch = each(lambda x: x.index_select(0, rows), obs)  # noqa: B023
            target = returns.index_select(0, rows).unsqueeze(-1)  # (B,) -> (B, 1)
            self._gradient_step(minibatch, actions.index_select(0, rows), target)

    def _log_update(self) -> None:
        record, data = self.logger.record, self.data
        self._record_losses()
        values, returns = (x.cpu().numpy().ravel() for x in (data.values, data.returns))
        record("train/explained_variance", explained_variance(values, returns))
        record("train/n_updates", self._n_updates)
        record("rollout/exploration_rate", self.exploration_rate)

    # -- for callbacks -------------------------------------------------------------------------------------------------

    def step_locals(self, t: int) -> dict[str, Any]:
        return {"rollout_buffer": self.data, "n_rollout_steps": self.n_steps, "n_steps": t}


class QRollout(Steps):
    """T steps of N games, and action values before their update.

    Attributes:
        obs: (T, N, *shape), as the policy takes them; a dictionary for dictionary spaces.
        values, next_values, returns: (T, N) float32, of the action chosen, of the best one after it, and the target.
        best_values: (T + 1, N) float32, of the best action before each step and after the last.
        final_values: (T, N) float32, where an episode was truncated: of the best action for its final observation.
        going_on: (T, N) float32, the factor of `next_values`, see `returns.lambda_returns`.
    """

    def __init__(self, steps: int, adapter: EnvAdapter, device: torch.device) -> None:
        games = adapter.num_envs
        super().__init__(steps, games, device)
        self.obs = each(lambda x: torch.zeros((steps, *x.shape), dtype=x.dtype, device=device), adapter.obs)
        self.values, self.next_values, self.returns, self.going_on, self.final_values = (
            torch.zeros_like(self.rewards) for _ in range(5)
        )
        self.best_values = torch.zeros((steps + 1, games), device=device)

    def reset(self) -> None:
        """Stable-Baselines3's `collect_rollouts` calls it."""
        refuse_to_be_filled()

    def fill_next_values(self, adapter: EnvAdapter) -> None:
        """`next_values`, when all steps are stored."""
        following = self.best_values[1:]
        if adapter.can_truncate:
            following = torch.where(self.truncated, self.final_values, following)
        self.next_values.copy_(following)
