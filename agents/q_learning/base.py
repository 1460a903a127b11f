"""What agents have in common that act on values: exploration, training steps side by side, and what they say."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import LinearSchedule
from torch import Tensor

from ...envs import OptionError
from ..compiled.kernel import ThreadPool
from ..data.env_adapters import EnvAdapter, SimulatorAdapter, VecEnvAdapter
from ..nn.noisy import has_modes, set_training_mode
from ..nn.q_network import Q_POLICIES, STABLE_Q_POLICIES, QPolicy
from ..nn.starts import into_space
from ..runtime.hardware import on_gpu, threads_worth
from ..training.arguments import check_observation
from ..training.callbacks import call_after_rollout, call_after_step
from ..training.learn_call import learn_call
from ..training.saved_agent import SavedAgent
from ..training.signatures import passes_on_to
from .compiled_collect import CompiledQCollector
from .exploration import Steps, choose

ROWS_A_THREAD = 64  # of a loop in `compiled_q_network`


class QAgent(SavedAgent):
    """An agent whose policy has a network of values, `q_net`."""

    acts_on_values = True
    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {**Q_POLICIES}
    policy_base, stable_policies = QPolicy, STABLE_Q_POLICIES
    play: Any  # `_play`, or a graph of it
    epsilon: Tensor  # (N,), each game's chance of a random action
    exploration_rate: float
    exploration_initial_eps: float
    exploration_fraction: float
    exploration_final_eps: float
    batch_size: int

    def _make_policy(self) -> None:
        """Games, schedules, seeds and networks, as Stable-Baselines3's `_setup_model` makes them, without its buffers."""
        self._check_observations()
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
        self._provide_generators(2)  # the first is for play, the second for learning

    def rebuild(self) -> None:
        self._look_at_env()
        self._renew_schedules()
        self.pool = ThreadPool(threads_worth(self.num_threads, max(self.batch_size, self.n_envs) // ROWS_A_THREAD))
        self.adapter: EnvAdapter | None = None  # made where training begins
        self.has_modes = has_modes(self.policy)

    def _renew_schedules(self) -> None:
        super()._renew_schedules()
        numbers = self.exploration_initial_eps, self.exploration_final_eps, self.exploration_fraction
        if numbers != self._scheduled_exploration:
            self.exploration_schedule, self._scheduled_exploration = LinearSchedule(*numbers), numbers

    def _play_and_tell(self, callback: BaseCallback, data: Steps) -> bool:
        """Play, and let callbacks hear of it; returns False if one asked to stop.

        They hear of the steps in other libraries' environments as they happen, and in Ludus's games when all are over, one
        call for each step.
        """
        if isinstance(self.adapter, VecEnvAdapter):
            self.adapter.observe(self._last_obs)
            return self._play(partial(call_after_step, self, callback, self.adapter, data))
        assert self.simulator is not None and self.adapter is not None
        self._keep_endings([self.adapter])
        self.play()
        self.simulator.check()
        return call_after_rollout(self, callback, data, [self.adapter])

    def _make_rounds(self, steps: Steps, judged: bool) -> CompiledQCollector | None:
        """Steps as loops, on a CPU in adapters whose tensors stay where they are; see `CompiledQCollector`."""
        if on_gpu(self.device) or not isinstance(self.adapter, (SimulatorAdapter, VecEnvAdapter)):
            return None
        return CompiledQCollector(self.learner, self.adapter, steps, self.epsilon, judged)

    def _play(self, on_step: Any = None) -> bool:
        """Play; returns False if `on_step(t)` asked to stop."""
        raise NotImplementedError

    def _set_training_mode(self, mode: bool) -> None:
        """On in updates, off while playing, where that makes a difference: to tell each layer takes a while."""
        if self.has_modes:
            set_training_mode(self.policy, mode)

    def _check_actions(self) -> None:
        if not isinstance(self.action_space, spaces.Discrete):
            name = type(self).__name__
            raise OptionError(f"{name} acts in Discrete spaces, not in {self.action_space}: use PPO")

    @passes_on_to(OnPolicyAlgorithm.learn)  # PQN's; DQN has one of its own
    def learn(self, *args: Any, **kwargs: Any) -> Any:
        """Train, as Stable-Baselines3's `learn`; see `learn_call`."""
        with learn_call(self, super().learn, args, kwargs):
            return super().learn(*args, **kwargs)

    # -- what an agent says of an observation --------------------------------------------------------------------------

    @torch.no_grad()
    def q_values(self, obs: Any, action_masks: np.ndarray | None = None) -> Tensor:
        """Values (N, A) of observations (N, ...)."""
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
        """Actions for observations (N, ...) or one of them: the best or, each with a chance of `exploration_rate`, any.

        What is random comes from PyTorch's own generator, so that to ask does not change a training.

        Args:
            action_masks: (N, A) bool, true where an action is legal.
        """
        check_observation(observation)
        _, vectorized = self.policy.obs_to_tensor(observation)
        values = self.q_values(observation, action_masks)
        if deterministic:
            actions = values.argmax(1).cpu().numpy()
        else:
            noise = torch.rand((len(values), values.shape[1] + 1), device=self.device)
            rate = torch.full_like(noise[:, 0], self.exploration_rate)
            actions = choose(values, values > -torch.inf, rate, noise).cpu().numpy()
        actions = into_space(actions, self.action_space)
        return (actions if vectorized else actions.squeeze(0)), state

    def explain(self, obs: Any, state: Any = None, action_masks: np.ndarray | None = None) -> tuple[Any, Any]:
        """Values of actions (N, A) and the best of them (N,) for observations (N, ...), as NumPy arrays."""
        values = self.q_values(obs, action_masks)
        return values.cpu().numpy(), values.max(-1).values.cpu().numpy()
