"""Parallelised Q-network (Gallici et al. 2025): Q(lambda) over many games at once, without replay or a target network.

Layer normalisation keeps the values from running away, and many games at once make the data varied enough. An iteration is a
rollout, the lambda-returns of it, and a few passes over it in minibatches.
"""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import explained_variance
from torch import Tensor

from ..data.env_adapters import EnvAdapter, adapter_of
from ..data.returns import lambda_returns
from ..nn.actor_critic import each, keep_obs
from ..nn.value_dists import Scalar
from ..runtime.cuda_graph import Graphed
from ..runtime.hardware import on_gpu
from ..training.finite_checks import check_rollout
from ..training.optimizer_step import check_update
from ..training.signatures import passes_on_to
from ..training.training_state import capture
from .base import QAgent
from .compiled_collect import CompiledQCollector
from .exploration import Steps, choose, spread
from .value_fit import ValueFit

NOT_ITS_OWN = (  # Stable-Baselines3's arguments that PQN has no use for
    "gae_lambda", "ent_coef", "vf_coef", "use_sde", "sde_sample_freq", "rollout_buffer_class", "rollout_buffer_kwargs",
    "supported_action_spaces",
)  # fmt: skip


class PQN(QAgent, OnPolicyAlgorithm):
    """PQN on tensors, with the interface of Stable-Baselines3's algorithms.

    Args:
        policy: one of Ludus's networks, "mlp", "cnn", "nature" or "impala", or Stable-Baselines3's "MlpPolicy", "CnnPolicy"
            or "MultiInputPolicy" (see `q_network`).
        env: a `VecEnv`, a Gymnasium environment, or the name of one; also of a Ludus game (then eight games are made).
        learning_rate: Adam's step size, or a schedule of it.
        n_steps: steps in each game between two updates.
        batch_size: transitions in a minibatch.
        n_epochs: passes over the rollout in an update.
        gamma: discount of the reward one step later.
        q_lambda: how far targets look ahead, see `returns.lambda_returns`.
        exploration_fraction: part of training over which the chance of a random action falls.
        exploration_initial_eps, exploration_final_eps: from where to where.
        exploration_spread: games explore less the later they come, see `exploration.spread`; 0: all alike.
        max_grad_norm: the gradient is cut to this norm.
        dueling, layer_norm: see `q_network.QNet`.
        time_limit, num_threads: see `DQN`.
        stats_window_size, tensorboard_log, policy_kwargs, verbose, seed, device: as in Stable-Baselines3.

    Raises:
        OptionError: an argument is wrong; the message says what would be right.
    """

    algorithm = "pqn"
    network_settings = ("dueling", "layer_norm")
    policy: Any

    @passes_on_to(OnPolicyAlgorithm.__init__, without=NOT_ITS_OWN)
    def __init__(
        self,
        policy: Any,
        env: Any,
        learning_rate: Any = 5e-4,
        n_steps: int = 32,
        batch_size: int = 128,
        n_epochs: int = 2,
        gamma: float = 0.99,
        q_lambda: float = 0.65,
        exploration_fraction: float = 0.1,
        exploration_initial_eps: float = 1.0,
        exploration_final_eps: float = 0.05,
        exploration_spread: float = 0.0,
        max_grad_norm: float = 10.0,
        dueling: bool = False,
        layer_norm: bool = True,
        time_limit: float | None = None,
        num_threads: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._begin(policy, time_limit, num_threads)
        self.batch_size, self.n_epochs, self.q_lambda = batch_size, n_epochs, q_lambda
        self.exploration_fraction, self.exploration_spread = exploration_fraction, exploration_spread
        self.exploration_initial_eps, self.exploration_final_eps = exploration_initial_eps, exploration_final_eps
        self.exploration_rate, self.dueling, self.layer_norm = 0.0, dueling, layer_norm
        super().__init__(
            policy, env, learning_rate, n_steps, gamma, gae_lambda=q_lambda, ent_coef=0.0, vf_coef=0.0,
            max_grad_norm=max_grad_norm, use_sde=False, sde_sample_freq=-1, **kwargs,
        )  # fmt: skip

    @staticmethod
    def network_arguments(settings: dict[str, Any]) -> dict[str, Any]:
        return {"dueling": settings["dueling"], "layer_norm": settings["layer_norm"], "distribution": Scalar()}

    def _setup_model(self) -> None:
        self._check_actions()
        self._make_policy()
        self.rollout_buffer: Any = None  # made when training begins
        self.rebuild()

    def rebuild(self) -> None:
        super().rebuild()
        self.learner = ValueFit(self, self.policy.q_net, self.policy.optimizer)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        answer = super()._setup_learn(*args, **kwargs)
        self.prepare()
        self.learner.refresh()
        return answer

    def prepare(self) -> None:
        """The games, and room for a rollout of them."""
        self.adapter = adapter_of(self)
        self.data = self.rollout_buffer = QRollout(self.n_steps, self.adapter, self.device)
        self.order = torch.zeros(self.n_steps * self.adapter.num_envs, dtype=torch.int64, device=self.device)
        self.epsilon = torch.zeros(self.adapter.num_envs, device=self.device)
        self.collector = self._make_rounds(self.data, judged=True)
        self.play: Any = self._play
        self.look_back: Any = self._look_back
        self.one_pass: Any = self._one_pass
        if on_gpu(self.device):
            self.look_back = Graphed(self._look_back, self.device, self.constants)
            self.one_pass = Graphed(self._one_pass, self.device, self.constants)
            if self.simulator is not None:
                self.play = Graphed(self._play, self.device, self.constants, self.generators[:1])

    def collect_rollouts(self, env: Any, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int) -> bool:
        """Play `n_steps` in every game, with exploration, and look back; returns False to end training."""
        if self._time_is_up():
            return False
        assert self.adapter is not None
        self._set_training_mode(False)
        callback.on_rollout_start()
        before = self.num_timesteps
        self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
        self.exploration_rate = self.exploration_schedule(self._current_progress_remaining)
        spread(self.exploration_rate, self.exploration_spread, out=self.epsilon)
        if not on_gpu(self.device):
            self.boundary = capture(self)
        if not self._play_and_tell(callback, self.data):
            return False
        check_rollout(self.data, before)
        self.look_back()
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def obs_of(self, t: int) -> Any:
        return (
            each(lambda x: x[t].cpu().numpy().copy(), self.data.obs) if t < self.n_steps else self.present_obs().copy()
        )

    def step_locals(self, t: int) -> dict[str, Any]:
        return {"rollout_buffer": self.data, "n_rollout_steps": self.n_steps, "n_steps": t}

    def _play(self, on_step: Any = None) -> bool:
        assert self.adapter is not None
        if self.collector is not None:
            return self.data.play(self.collector, self.generators[0], self.learner.values, on_step)
        return self.data.collect(self.adapter, self.learner.values, self.epsilon, self.generators[0], on_step)

    def _look_back(self) -> None:
        """Fill in the returns."""
        data = self.data
        data.returns.copy_(
            lambda_returns(data.rewards, data.next_values, data.going_on, data.dones, self.gamma, self.q_lambda)
        )

    def train(self) -> None:
        """Fit the values to the rollout's returns for `n_epochs`."""
        self._set_training_mode(True)
        rate, learner = self.lr_schedule(self._current_progress_remaining), self.learner
        learner.optimizer_step.set_learning_rate(rate)
        for _ in range(self.n_epochs):
            torch.randperm(len(self.order), generator=self.generators[-1], out=self.order)
            self.one_pass()
            self._n_updates += 1
        if learner.on_gpu:
            check_update(float(learner.loss), learner.online, self.num_timesteps, self._n_updates)
        self._log_update(rate)
        self.boundary = None

    def _one_pass(self) -> None:
        """Over all of the data, in the order drawn."""
        data, learner = self.data, self.learner
        obs = each(lambda x: x.flatten(0, 1), data.obs)  # (T, N, *shape) -> (T * N, *shape)
        actions, returns = data.actions.view(-1), data.returns.view(-1)
        for rows in self.order.split(self.batch_size):
            seen = each(lambda x: x.index_select(0, rows), obs)  # noqa: B023
            learner.fit(seen, actions.index_select(0, rows), returns.index_select(0, rows).unsqueeze(-1))

    def _log_update(self, rate: float) -> None:
        record, data = self.logger.record, self.data
        record("train/learning_rate", rate)
        record("train/loss", float(self.learner.loss))
        record("train/q_value", float(self.learner.mean_value))
        record(
            "train/explained_variance",
            explained_variance(*(x.cpu().numpy().ravel() for x in (data.values, data.returns))),
        )
        record("train/n_updates", self._n_updates)
        record("rollout/exploration_rate", self.exploration_rate)


class QRollout(Steps):
    """What N games did in T steps, and what the network expected.

    Attributes:
        obs: (T, N, *shape), as the policy takes them; a dictionary for dictionary spaces.
        values, next_values, returns: (T, N) float32, what was expected of the action, of the best one after it, and what is
            learned.
        going_on: (T, N) float32, how much of what follows counts; see `returns.lambda_returns`.
    """

    def __init__(self, steps: int, adapter: EnvAdapter, device: torch.device) -> None:
        super().__init__(steps, adapter.num_envs, device)
        self.obs = each(lambda x: torch.zeros((steps, *x.shape), dtype=x.dtype, device=device), adapter.obs)
        self.values, self.next_values, self.returns, self.going_on = (torch.zeros_like(self.rewards) for _ in range(4))

    @torch.no_grad()
    def collect(
        self, adapter: EnvAdapter, values_of: Any, epsilon: Tensor, generator: torch.Generator, on_step: Any = None
    ) -> bool:
        """Play T steps in every game; returns False if `on_step(t)` asked to stop."""
        steps, games = self.rewards.shape
        values = _legal(values_of(adapter.obs), adapter)
        noise = torch.empty((steps, games, values.shape[1] + 1), device=values.device).uniform_(generator=generator)
        for t in range(steps):
            keep_obs(self.obs, t, adapter.obs)
            actions = self.actions[t].copy_(choose(values, adapter.mask, epsilon, noise[t]))
            self.values[t] = values.gather(1, actions.unsqueeze(1)).squeeze(1)
            adapter.step(actions)
            self.note(t, adapter, actions)
            self.going_on[t] = (
                1.0 - adapter.terminated.float() if adapter.signs is None else adapter.signs * ~adapter.terminated
            )
            values = _legal(values_of(adapter.obs), adapter)
            self.next_values[t] = values.max(1).values
            if adapter.can_truncate:
                values = self._look_beyond(t, adapter, values_of, values)
            if on_step is not None and not on_step(t):
                return False
        return True

    @torch.no_grad()
    def play(self, rounds: CompiledQCollector, generator: torch.Generator, values_of: Any, on_step: Any = None) -> bool:
        """The same by loops."""
        adapter, beyond = rounds.adapter, []
        keeps = rounds.keeps(self.obs, rounds.clock)

        def after(t: int, ended: int) -> bool:
            if ended:
                torch.sub(1.0, adapter.terminated.float(), out=self.going_on[t])
                cut = adapter.truncated.nonzero().squeeze(-1)
                if len(cut):
                    final_obs = each(lambda x: x[cut], adapter.final_obs)
                    beyond.append((t, cut, values_of(final_obs).max(1).values.clone()))
            else:
                self.going_on[t] = 1.0
            return on_step is None or on_step(t)

        if not rounds.play(generator, keeps, after):
            return False
        rounds.look_ahead()
        self.values.copy_(rounds.values)
        self.next_values.copy_(rounds.bests[1:])
        for t, cut, values in beyond:
            self.next_values[t, cut] = values
        return True

    def _look_beyond(self, t: int, adapter: EnvAdapter, values_of: Any, values: Tensor) -> Tensor:
        """Where an episode was cut off, what comes next is worth what its final observation is; returns `values`."""
        if not on_gpu(values.device):
            cut = adapter.truncated.nonzero().squeeze(-1)
            if len(cut):
                values = values.clone()  # loops write over theirs
                self.next_values[t, cut] = values_of(each(lambda x: x[cut], adapter.final_obs)).max(1).values
            return values
        beyond = values_of(adapter.final_obs).max(1).values
        self.next_values[t] = torch.where(adapter.truncated, beyond, self.next_values[t])
        return values


def _legal(values: Tensor, adapter: EnvAdapter) -> Tensor:
    """Values (N, A) of legal actions; of others, minus infinity."""
    return values if adapter.mask is None else values.masked_fill(~adapter.mask, -torch.inf)
