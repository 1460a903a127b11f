"""What DQN and PQN share: the network, collecting with epsilon-greedy actions, the gradient step, and predictions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import LinearSchedule
from torch import Tensor

from ...envs import OptionError
from ..compiled.kernel import ThreadPool
from ..data.env_adapters import EnvAdapter
from ..nn.noisy import has_modes, set_training_mode
from ..nn.q_network import Q_POLICIES, STABLE_Q_POLICIES, QPolicy
from ..nn.starts import into_space
from ..runtime.cuda_graph import graphed
from ..runtime.hardware import on_gpu
from ..training.arguments import check_observation, check_observation_space, warn_without_masks
from ..training.optimizer_step import OptimizerStep, check_update
from ..training.saved_agent import SavedAgent
from .collect import Collector, CompiledCollector, Steps, epsilon_greedy
from .network import q_network_of


class QAgent(SavedAgent):
    """An agent whose policy has a network of action values, `q_net`.

    Attributes:
        network: computes outputs and gradients of `q_net`.
        loss, mean_value: () float32, of the last minibatch: its loss, and the mean value of the actions taken.
        epsilon: (N,) or (T, N) float32, probabilities of random actions.
        collect: `_collect`, or a CUDA graph of it.
    """

    acts_on_values = True
    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {**Q_POLICIES}
    policy_base, stable_policies = QPolicy, STABLE_Q_POLICIES
    collect: Any
    epsilon: Tensor
    exploration_rate: float
    exploration_initial_eps: float
    exploration_fraction: float
    exploration_final_eps: float
    batch_size: int
    max_grad_norm: float

    def _make_policy(self) -> None:
        """Environments, schedules, seeds and networks, as Stable-Baselines3's `_setup_model`, without its buffers."""
        check_observation_space(self.observation_space)
        self._look_at_env()
        self._setup_lr_schedule()
        self.set_random_seed(self.seed)
        kwargs = {**self.network_arguments(vars(self)), **self.policy_kwargs}
        policy: Any = self.policy_class(self.observation_space, self.action_space, self.lr_schedule, **kwargs)
        self.policy = policy.to(self.device)
        self._remember_settings()
        self._scheduled_exploration: Any = None
        self._renew_schedules()
        self.exploration_rate = self.exploration_final_eps  # of an agent that was loaded to play
        self._provide_generators(2)  # the first is for collecting, the second for learning

    def rebuild(self) -> None:
        self._look_at_env()
        self._renew_schedules()
        self.pool = ThreadPool.for_rows(self.num_threads, max(self.batch_size, self.n_envs))
        self.adapter: EnvAdapter | None = None  # made where training begins
        self._make_network()
        self.loss, self.mean_value = (torch.zeros((), device=self.device) for _ in range(2))

    def _make_network(self) -> None:
        self.has_modes = has_modes(self.policy)
        q_net: Any = self.policy.q_net
        self.network = q_network_of(q_net, self.pool, compiled=not on_gpu(self.device))
        self.optimizer_step = OptimizerStep(self, q_net, self.policy.optimizer, self.network.fixed_gradients)

    def _renew_schedules(self) -> None:
        super()._renew_schedules()
        numbers = self.exploration_initial_eps, self.exploration_final_eps, self.exploration_fraction
        if numbers != self._scheduled_exploration:
            self.exploration_schedule, self._scheduled_exploration = LinearSchedule(*numbers), numbers

    # -- collecting ----------------------------------------------------------------------------------------------------

    def _collector_of(self, steps: Steps, values: Any = None) -> Collector:
        """As loops on a CPU, where the adapter's tensors stay where they are; see `Collector` for the arguments."""
        adapter = self.adapter
        assert adapter is not None
        if not on_gpu(self.device) and adapter.stays:
            return CompiledCollector(self.network, adapter, steps, self.epsilon, values, self.pool)
        return Collector(self.network, adapter, steps, self.epsilon, values)

    def _graphed(self, function: Any, generators: Any = (), games: bool = True) -> Any:
        """A function as a CUDA graph, on a GPU; if it needs Ludus's `games`, only where they are such."""
        if games and self.simulator is None:
            return function
        return graphed(function, self.device, self.constants, generators)

    # -- learning ------------------------------------------------------------------------------------------------------

    def _gradient_step(
        self, obs: Any, actions: Tensor, target: Tensor, weights: Tensor | None = None, fractions: Tensor | None = None
    ) -> Tensor:
        """One optimizer step on a minibatch; returns TD errors or losses (B,). See `loss.loss_of` for the arguments."""
        gradients, found = self.network.gradients(obs, actions, target, weights, fractions)
        with torch.no_grad():  # in place, for CUDA graphs
            self.loss.copy_(found.loss)
            self.mean_value.copy_(found.mean_value)
        self.optimizer_step.step(gradients, self.loss, self.max_grad_norm)
        self.network.refresh()
        return found.errors

    def _check_update(self) -> None:
        """Raise NotFinite after an update on a GPU, which is not waited for within it."""
        if on_gpu(self.device):
            check_update(float(self.loss), self.network.network, self.num_timesteps, self._n_updates)

    def _record_losses(self) -> None:
        """Of the last minibatch; waits for the device."""
        self.logger.record("train/loss", float(self.loss))
        self.logger.record("train/q_value", float(self.mean_value))

    def _set_training_mode(self, mode: bool) -> None:
        """On in updates, off while collecting, if any layer differs: to set it in each takes a while."""
        if self.has_modes:
            set_training_mode(self.policy, mode)

    def _check_actions(self) -> None:
        if not isinstance(self.action_space, spaces.Discrete):
            name = type(self).__name__
            raise OptionError(f"{name} acts in Discrete spaces, not in {self.action_space}: use PPO")

    # -- predictions ---------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def q_values(self, obs: Any, action_masks: np.ndarray | None = None) -> Tensor:
        """Action values (N, A) of observations (N, ...), minus infinity where action masks (N, A) are false."""
        self.policy.set_training_mode(False)
        tensor, _ = self.policy.obs_to_tensor(obs)
        values = self.policy.q_net(tensor)  # type: ignore[operator]
        if action_masks is None:
            return values
        mask = torch.as_tensor(action_masks, device=self.device).reshape(values.shape).bool()
        return values.masked_fill(~mask, -torch.inf)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
        action_masks: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Any]:
        """Actions for observations (N, ...) or one of them: the best or, each with probability `exploration_rate`, a random
        one.

        Random numbers come from PyTorch's own generator, so that predictions do not change a training.

        Args:
            action_masks: (N, A) bool, true for legal actions.
        """
        check_observation(observation)
        if action_masks is None:
            warn_without_masks(self)
        _, vectorized = self.policy.obs_to_tensor(observation)
        values = self.q_values(observation, action_masks)
        if deterministic:
            actions = values.argmax(1).cpu().numpy()
        else:
            noise = torch.rand((len(values), values.shape[1] + 1), device=self.device)
            epsilon = torch.full_like(noise[:, 0], self.exploration_rate)
            actions = epsilon_greedy(values, values > -torch.inf, epsilon, noise).cpu().numpy()
        actions = into_space(actions, self.action_space)
        return (actions if vectorized else actions.squeeze(0)), state

    def explain(self, obs: Any, state: Any = None, action_masks: np.ndarray | None = None) -> tuple[Any, Any]:
        """Action values (N, A) and the best of them (N,) for observations (N, ...), as NumPy arrays."""
        values = self.q_values(obs, action_masks)
        return values.cpu().numpy(), values.max(-1).values.cpu().numpy()
