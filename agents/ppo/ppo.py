"""Proximal policy optimization (Schulman et al. 2017), with Stable-Baselines3's interface.

`PPO` is a subclass of Stable-Baselines3's. Its `learn` alternates between `collect_rollouts`, of `training.on_policy`, and
`train`, with gradients of `loss`; both work on tensors, and no Python runs for a single game of a Ludus simulator. Any other
`VecEnv` is stepped through `data.env_adapters`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from stable_baselines3 import PPO as StablePPO
from stable_baselines3.common.utils import FloatSchedule

from ..runtime.cuda_graph import graphed
from ..runtime.hardware import on_gpu
from ..training.kickstart import coefficient_of
from ..training.on_policy import OnPolicyActorCritic
from ..training.signatures import passes_on_to
from .config import PPOConfig
from .loss import PARTS, PPO_LOSS, Settings


class PPO(OnPolicyActorCritic, StablePPO):
    """Proximal policy optimization on tensors, with the arguments of Stable-Baselines3's `PPO` and more.

    Results repeat to the last bit for the same `num_threads` and, where the network is compiled, for any.
    """

    algorithm, config, loss = "ppo", PPOConfig, PPO_LOSS
    fixed: ClassVar[Mapping[str, Any]] = {}

    @passes_on_to(StablePPO.learn)
    def learn(self, *args: Any, **kwargs: Any) -> PPO:
        """Train, as Stable-Baselines3's `learn`; see `learn_call`."""
        return super().learn(*args, **kwargs)

    def _make_network(self) -> None:
        super()._make_network()
        self.train_epoch: Callable[[], Any] = self._train_epoch
        if self.target_kl is None:  # which is looked at after each minibatch
            self.train_epoch = graphed(self._train_epoch, self.device, self.constants)

    def rebuild(self) -> None:
        super().rebuild()
        self._clip, self._clip_vf = (torch.zeros((), device=self.device) for _ in range(2))  # in place, for CUDA graphs

    def train(self) -> None:
        """Train the policy on the rollout for `n_epochs`, or until it has changed by more than `target_kl` allows."""
        self._begin_update()
        for _ in range(self.n_epochs):
            torch.randperm(len(self.order), generator=self.generators[-1], out=self.order)
            going = self.train_epoch()
            self._n_updates += 1
            if going is False:
                break
        self._end_update()

    def _begin_update(self) -> None:
        super()._begin_update()
        remaining = self._current_progress_remaining
        clip: Any = FloatSchedule(self.clip_range)(remaining)  # also where a user put a number in place of the schedule
        clip_vf: Any = None if self.clip_range_vf is None else FloatSchedule(self.clip_range_vf)(remaining)
        if on_gpu(self.device):
            clip, clip_vf = self._clip.fill_(clip), None if clip_vf is None else self._clip_vf.fill_(clip_vf)
        self.loss_settings = Settings(clip, clip_vf, self.ent_coef, self.vf_coef, coefficient_of(self))

    def _train_epoch(self) -> bool:
        """One pass over the samples, in minibatches of `order`; returns False as soon as the policy changed too much."""
        recurrent = self.policy.core is not None  # then a row is a whole sequence
        rows_per_batch = max(1, self.batch_size // self.n_steps) if recurrent else self.batch_size
        for rows in self.order.split(rows_per_batch):
            columns = self.columns.index_select(0, rows)
            advantages = columns[..., 1]
            if self.normalize_advantage and advantages.numel() > 1:
                advantages.sub_(advantages.mean()).div_(advantages.std() + 1e-8)
            gradients, parts = self._gradients(rows, columns, self.loss_settings)
            if self.target_kl is not None and float(parts[PARTS.index("approx_kl")]) > 1.5 * self.target_kl:
                return False
            self.optimizer_step.step(gradients, parts[PARTS.index("loss")], self.max_grad_norm)
        return True

    def _log_update(self) -> None:
        super()._log_update()
        self.logger.record("train/clip_range", float(self.loss_settings.clip_range))
        if self.loss_settings.clip_range_vf is not None:
            self.logger.record("train/clip_range_vf", float(self.loss_settings.clip_range_vf))
        if self.advised:
            self.logger.record("train/kickstart_coef", self.loss_settings.kickstart_coef)
