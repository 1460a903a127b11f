"""One update of PPO, from a rollout to new weights; on a GPU as a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from stable_baselines3.common.utils import FloatSchedule
from torch import Tensor

from ..data.rollout_buffer import RolloutTensors
from ..runtime.cuda_graph import Graphed
from ..runtime.hardware import on_gpu
from ..runtime.threads import WorkerThreads
from ..training.optimizer_step import OptimizerStep, check_update
from .loss import PARTS, Autograd, Settings, epoch

if TYPE_CHECKING:
    from .ppo import PPO

KL, LOSS = PARTS.index("approx_kl"), PARTS.index("loss")


class Learner:
    """The optimiser's side of an agent. What changes from update to update lies in tensors that stay where they are.

    Attributes:
        sums: what the parts of the loss, in the order of `PARTS`, came to in the last update's minibatches.
        batches: () float32, how many those were.
    """

    def __init__(self, agent: PPO) -> None:
        self.agent, self.device, self.on_gpu = agent, agent.device, on_gpu(agent.device)
        self.order = torch.zeros(0, dtype=torch.int64, device=self.device)
        self.sums, self.batches = torch.zeros(len(PARTS), device=self.device), torch.zeros((), device=self.device)
        self.clip, self.clip_vf = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        self.optimizer_step = OptimizerStep(agent, agent.policy, agent.policy.optimizer, agent.backprop is not None)
        self.weights = self.optimizer_step.weights
        self._pass: Any = self._one_pass
        if self.on_gpu and agent.target_kl is None:  # which looks at a number after each minibatch
            self._pass = Graphed(self._one_pass, agent.device, agent.constants)

    @property
    def means(self) -> dict[str, float]:
        """The parts of the loss, on average over the last update; waits for the device."""
        return dict(zip(PARTS, (self.sums / self.batches.clamp(min=1)).tolist(), strict=True))

    def learn(self, rollout: RolloutTensors) -> None:
        """Pass over the rollout `n_epochs` times, or until the policy moved too far; raises NotFinite."""
        agent = self.agent
        self._settings = self._present_settings()
        self._data = rollout.samples() if agent.policy.core is None else rollout.sequences()
        rows = len(self._data["columns"])  # samples, or games with whole sequences
        if len(self.order) != rows:
            self.order = torch.zeros(rows, dtype=torch.int64, device=self.device)
        self.sums.zero_()
        self.batches.zero_()
        try:
            for _ in range(agent.n_epochs):
                torch.randperm(rows, generator=agent.generators[-1], out=self.order)
                self._pass()
                agent._n_updates += 1
        except _Moved:
            agent._n_updates += 1
        if self.on_gpu:
            check_update(self.means["loss"], agent.policy, agent.num_timesteps, agent._n_updates)

    def _present_settings(self) -> Settings:
        """What the loss is made of at this point of training."""
        agent: Any = self.agent
        left = agent._current_progress_remaining
        clip = FloatSchedule(agent.clip_range)(left)  # a number, where one was put in its place
        clip_vf = None if agent.clip_range_vf is None else FloatSchedule(agent.clip_range_vf)(left)
        self.clip.fill_(clip)
        if clip_vf is not None:
            self.clip_vf.fill_(clip_vf)
        if self.on_gpu:  # where graphs read them
            clip, clip_vf = self.clip, None if clip_vf is None else self.clip_vf
        return Settings(clip, clip_vf, agent.ent_coef, agent.vf_coef, agent.normalize_advantage, agent.autocast)

    def _one_pass(self) -> None:
        """Over all of the data, in the order drawn."""
        agent = self.agent
        size = agent.batch_size if agent.policy.core is None else max(1, agent.batch_size // agent.n_steps)
        epoch(self._data, self.order, size, self._settings, self._gradients_of(), self._apply)

    def _gradients_of(self) -> Any:
        """What computes gradients: loops where they can, else PyTorch."""
        agent = self.agent
        if agent.backprop is not None:
            return agent.backprop
        return Autograd(agent.policy, self.weights, agent.workers or WorkerThreads(1))

    def _apply(self, gradients: Any, parts: Tensor) -> None:
        """One step of the optimiser."""
        agent = self.agent
        if agent.group is not None:
            agent.group.average([*gradients, parts])
        self.sums += parts
        self.batches += 1
        if agent.target_kl is not None and float(parts[KL]) > 1.5 * agent.target_kl:
            raise _Moved
        self.optimizer_step.step(gradients, parts[LOSS], agent.max_grad_norm)


class _Moved(Exception):
    """The policy moved further than `target_kl` allows."""
