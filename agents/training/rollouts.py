"""Rollouts with callbacks: what all on-policy algorithms have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from ..data.env_adapters import EnvAdapter
from ..data.finite_checks import check_rollout
from ..data.rollout_buffer import OnStep
from ..nn.actor_critic import each
from ..runtime.hardware import on_gpu
from .callbacks import collect_and_call
from .saved_agent import SavedAgent
from .training_state import capture


class OnPolicyAgent(SavedAgent):
    """To be put before Stable-Baselines3's `OnPolicyAlgorithm`, whose `learn` alternates `collect_rollouts` and `train`.

    Attributes:
        data: the rollout, tensors (T, N, ...); its observations are `data.obs`.
        adapters: the environments, or as many parts of them as threads step.
        collect: `_collect`, or a CUDA graph of it.
    """

    fixed: ClassVar[Mapping[str, Any]] = {
        "gae_lambda": 1.0, "ent_coef": 0.0, "vf_coef": 0.5, "use_sde": False, "sde_sample_freq": -1,
        "rollout_buffer_class": None, "rollout_buffer_kwargs": None, "supported_action_spaces": None,
    }  # fmt: skip
    data: Any
    adapters: list[EnvAdapter]
    collect: Any

    def prepare(self) -> None:
        """Make what needs environments that were reset, such as `adapters` and `collect`."""
        raise NotImplementedError

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        answer = super()._setup_learn(*args, **kwargs)
        self.prepare()
        self.network.refresh()
        return answer

    def collect_rollouts(self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int) -> bool:
        """Collect `n_steps` of every game, and compute what is learned from; returns False to end training.

        That is if time is up or a callback asks to stop.
        """
        if self._time_is_up():
            return False
        self._set_training_mode(False)
        callback.on_rollout_start()
        timesteps = self.num_timesteps
        self._begin_rollout()
        if not on_gpu(self.device):
            self.boundary = capture(self)
        if self._any(not collect_and_call(self, callback, self.data, self.adapters)):
            return False
        check_rollout(self.data, timesteps)
        self._end_rollout()
        rollout_buffer = self.rollout_buffer
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _set_training_mode(self, mode: bool) -> None:
        self.policy.set_training_mode(mode)

    def _begin_rollout(self) -> None:
        """Before the first step."""

    def _collect(self, on_step: OnStep | None = None) -> bool:
        """Collect a rollout into `data`; returns False if `on_step(t)` asked to stop."""
        raise NotImplementedError

    def _end_rollout(self) -> None:
        """Compute what `train` learns from, when callbacks were called for all steps."""

    def obs_of(self, t: int) -> Any:
        obs = self.data.obs
        if t == self.n_steps:
            return torch.cat([adapter.obs for adapter in self.adapters]).cpu().numpy()
        return each(lambda x: x[t].cpu().numpy().copy(), obs)
