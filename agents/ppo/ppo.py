"""Proximal policy optimization (Schulman et al. 2017), with Stable-Baselines3's interface.

`PPO` is a subclass of Stable-Baselines3's. Its `learn` alternates between `collect_rollouts`, by a `collect.Collector`, and
`train`, with gradients of `loss` from a `network.Network`; both work on tensors, and no Python runs for a single game of a
Ludus simulator. Any other `VecEnv` is stepped through `env_adapters`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3 import PPO as StablePPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.utils import FloatSchedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from ..compiled.kernel import ThreadPool
from ..data.env_adapters import EnvAdapter, SimulatorAdapter, adapter_of
from ..data.finite_checks import check_rollout
from ..data.rollout_buffer import RolloutTensors
from ..nn.action_dists import head_of
from ..nn.actor_critic import POLICIES, ActorCritic, each
from ..nn.normalize import RewardNormalizer
from ..runtime.cuda_graph import graphed
from ..runtime.hardware import choose_precision, on_gpu, threads_worth
from ..runtime.threads import WorkerThreads
from ..training.arguments import check_observation, check_observation_space
from ..training.callbacks import Lazy, call_after_rollout, call_after_step, store_final_observations
from ..training.learn_call import learn_call
from ..training.optimizer_step import OptimizerStep, check_update
from ..training.saved_agent import SavedAgent
from ..training.signatures import passes_on_to
from ..training.training_state import capture
from .collect import Collector, compute_advantages
from .config import PPOConfig
from .loss import PARTS, Data, Settings
from .network import complete_policy, make_network, probabilities_and_values
from .sb3_buffer import rollout_locals, stable_buffer_of

# Less work is not worth another thread that runs Python: it has to be woken, and one runs at a time.
GAMES_PER_THREAD, SAMPLES_PER_THREAD = 512, 1024


class PPO(SavedAgent, StablePPO):
    """Proximal policy optimization on tensors, with the arguments of Stable-Baselines3's `PPO` and more.

    Results repeat to the last bit for the same `num_threads` and, where the network is compiled, for any.
    """

    algorithm, config = "ppo", PPOConfig
    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {**POLICIES}
    policy_base = ActorCriticPolicy
    policy: Any

    def _setup_model(self) -> None:
        check_observation_space(self.observation_space)
        self._look_at_env()
        head_of(self.action_space)  # raises OptionError for spaces that PPO has no distribution for
        super()._setup_model()
        self._remember_settings()
        self.reward_normalizer: RewardNormalizer | None = None
        self.recurrent_state: Tensor | None = None  # (N, S), of a recurrent policy before the next step
        if self.group is not None:
            self.group.share([*self.policy.parameters(), *self.policy.buffers()])
        self.rebuild()

    def rebuild(self) -> None:
        self._look_at_env()
        self._renew_schedules()
        complete_policy(self.policy, self.action_space, self.device)
        if not self.normalize_reward:
            self.reward_normalizer = None
        elif self.reward_normalizer is None:  # else the statistics so far are used further
            self.reward_normalizer = RewardNormalizer(self.n_envs, self.group).to(self.device)
        self.precision = choose_precision(self.precision, self.device.type)
        self.pool = ThreadPool.for_rows(self.num_threads, max(self.batch_size, self.n_envs))
        self.workers = WorkerThreads(1)
        self.network = make_network(self.policy, self.device, self.pool, self.workers, self.precision, self.autocast)
        divisible = self.simulator is not None and self.simulator.num_players == 1  # games among threads
        most = self.num_threads if self.network.divisible else 1  # results depend on how many threads there are
        self.play_threads = threads_worth(most, self.n_envs // GAMES_PER_THREAD) if divisible else 1
        self.learn_threads = threads_worth(most, self.batch_size // SAMPLES_PER_THREAD)
        self.workers.count = max(self.play_threads, self.learn_threads)
        self._provide_generators(self.play_threads + 1)
        self.optimizer_step = OptimizerStep(self, self.policy, self.policy.optimizer, self.network.fixed_gradients)
        spaces = self.observation_space, self.action_space
        self.data = RolloutTensors(self.n_steps, *spaces, self.device, n_envs=self.n_envs)
        self.collector: Collector | None = None  # made with the first rollout
        self.compute_advantages = graphed(self._compute_advantages, self.device, self.constants)
        self.train_epoch: Callable[[], Any] = self._train_epoch
        if self.target_kl is None:  # which is looked at after each minibatch
            self.train_epoch = graphed(self._train_epoch, self.device, self.constants)
        # What changes from update to update is in tensors that stay in place, for CUDA graphs.
        self.order = torch.zeros(0, dtype=torch.int64, device=self.device)  # of the samples in an epoch
        self.loss_sums = torch.zeros(len(PARTS), device=self.device)  # over the minibatches of an update
        self.num_minibatches, self._clip, self._clip_vf = (torch.zeros((), device=self.device) for _ in range(3))

    @property
    def rollout_buffer(self) -> RolloutBuffer:
        """The rollout as Stable-Baselines3's buffer, see `sb3_buffer`; the same in tensors is `data`."""
        return stable_buffer_of(self.data, self.gamma, self.gae_lambda)

    @rollout_buffer.setter
    def rollout_buffer(self, value: Any) -> None:  # type: ignore[override]
        """Stable-Baselines3's constructor makes one of its own, which is not used."""

    def _maybe_recommend_cpu(self, mlp_class_name: str = ActorCritic.__name__) -> None:
        if self.simulator is None:  # games on the same GPU make it worth using
            super()._maybe_recommend_cpu(mlp_class_name)

    @passes_on_to(StablePPO.learn)
    def learn(self, *args: Any, **kwargs: Any) -> PPO:
        """Train, as Stable-Baselines3's `learn`; see `learn_call`."""
        with learn_call(self, super().learn, args, kwargs):
            return super().learn(*args, **kwargs)

    def _end_learning(self) -> None:
        self.workers.close()
        super()._end_learning()

    def _forget_games(self) -> None:
        self.recurrent_state, self.reward_normalizer = None, None

    def _begin_anew(self) -> None:
        self.recurrent_state = None

    def autocast(self) -> AbstractContextManager[Any]:
        """A context in which the encoder computes in the agent's precision."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    # -- rollouts ------------------------------------------------------------------------------------------------------

    def collect_rollouts(self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int) -> bool:
        """Take `n_steps` in every game and compute advantages; returns False if time is up or a callback asks to stop."""
        if self._time_is_up():
            return False
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        data, timesteps = self.data, self.num_timesteps
        collector = self._prepare_collector()
        data.begin(self._last_episode_starts)
        if self.use_sde:
            self.policy.reset_noise(self.n_envs)
            self._renew_noise(0)
        if not on_gpu(self.device):
            self.boundary = capture(self)
        if self.simulator is None:  # callbacks are called after each step; else when the rollout is over, for each step
            going = collector.collect(partial(self._after_step, callback))
        else:
            store_final_observations(self, collector.adapters)
            self.collect()
            self.simulator.check()
            going = call_after_rollout(self, callback, data, collector.adapters)
        if self._any(not going):
            return False
        check_rollout(data, timesteps)
        self.compute_advantages()
        data.pos, data.full = self.n_steps, True
        rollout_buffer = self.rollout_buffer
        callback.update_locals(locals())
        callback.on_rollout_end()
        self._last_episode_starts = data.dones[-1].cpu().numpy() > 0
        return True

    def _prepare_collector(self) -> Collector:
        """The collector, and with the first rollout all that it works on."""
        if self.collector is not None:
            if self.simulator is None:
                self.collector.adapters[0].observe(self._last_obs)  # type: ignore[attr-defined]
            return self.collector
        adapters: list[EnvAdapter] = [adapter_of(self)]
        if self.play_threads > 1 and self.simulator is not None:
            adapters = [SimulatorAdapter(part, self.channels_first) for part in self.simulator.split(self.play_threads)]
        state = None if self.policy.core is None else self._recurrent_state()
        self.collector = Collector(self.network, adapters, self.data, self.generators, self.workers, state)
        self.collect = graphed(self.collector.collect, self.device, self.constants, self.generators[:1])
        return self.collector

    def _compute_advantages(self) -> None:
        assert self.collector is not None
        can_truncate = self.collector.can_truncate
        compute_advantages(self.data, can_truncate, self.reward_normalizer, self.gamma, self.gae_lambda)

    def _renew_noise(self, t: int) -> None:
        """Draw new noise of state-dependent exploration, if it is time to before step t."""
        if self.sde_sample_freq > 0 and t % self.sde_sample_freq == 0 and t < self.n_steps:
            self.policy.reset_noise(self.n_envs)

    def _after_step(self, callback: BaseCallback, t: int) -> bool:
        if self.use_sde:
            self._renew_noise(t + 1)
        return call_after_step(self, callback, self.collector.adapters[0], self.data, t)  # type: ignore[union-attr, arg-type]

    def obs_of(self, t: int) -> Any:
        obs = self.data.obs
        return each(lambda x: x[t].cpu().numpy().copy(), obs) if t < self.n_steps else self.present_obs().copy()

    def step_locals(self, t: int) -> dict[str, Any]:
        self.data.pos, self.data.full = t, False
        buffer = Lazy(stable_buffer_of, self.data, self.gamma, self.gae_lambda)
        return {"rollout_buffer": buffer, **rollout_locals(self.data, self.policy.head, t)}

    # -- updates -------------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Train the policy on the rollout for `n_epochs`, or until it has changed by more than `target_kl` allows."""
        self.policy.set_training_mode(True)
        learning_rate = self.lr_schedule(self._current_progress_remaining)
        self.optimizer_step.set_learning_rate(learning_rate)
        self._begin_update()
        for _ in range(self.n_epochs):
            torch.randperm(len(self.order), generator=self.generators[-1], out=self.order)
            going = self.train_epoch()
            self._n_updates += 1
            if going is False:
                break
        if on_gpu(self.device):
            check_update(self.loss_means["loss"], self.policy, self.num_timesteps, self._n_updates)
        self.data.learned = True
        self._log_update(learning_rate)
        if self.policy.normalizer is not None:
            self.policy.normalizer.update(self.data.obs.flatten(0, 1), self.group)
        self.boundary = None

    def _begin_update(self) -> None:
        """The rollout as samples, or as sequences (games first) for a recurrent policy, and the loss's coefficients now."""
        samples = self.data.samples() if self.policy.core is None else self.data.sequences()
        self.columns: Tensor = samples.pop("columns")
        self.samples: Data = samples
        if len(self.order) != len(self.columns):
            self.order = torch.zeros(len(self.columns), dtype=torch.int64, device=self.device)
        self.loss_sums.zero_()
        self.num_minibatches.zero_()
        remaining = self._current_progress_remaining
        clip: Any = FloatSchedule(self.clip_range)(remaining)  # also where a user put a number in place of the schedule
        clip_vf: Any = None if self.clip_range_vf is None else FloatSchedule(self.clip_range_vf)(remaining)
        if on_gpu(self.device):
            clip, clip_vf = self._clip.fill_(clip), None if clip_vf is None else self._clip_vf.fill_(clip_vf)
        self.loss_settings = Settings(clip, clip_vf, self.ent_coef, self.vf_coef)

    def _train_epoch(self) -> bool:
        """One pass over the samples, in minibatches of `order`; returns False as soon as the policy changed too much."""
        recurrent = self.policy.core is not None  # then a row is a whole sequence
        rows_per_batch = max(1, self.batch_size // self.n_steps) if recurrent else self.batch_size
        for rows in self.order.split(rows_per_batch):
            columns = self.columns.index_select(0, rows)
            advantages = columns[..., 1]
            if self.normalize_advantage and advantages.numel() > 1:
                advantages.sub_(advantages.mean()).div_(advantages.std() + 1e-8)
            gradients, parts = self.network.gradients(self.samples, rows, columns, self.loss_settings)
            if self.group is not None:
                self.group.average([*gradients, parts])
            self.loss_sums += parts
            self.num_minibatches += 1
            if self.target_kl is not None and float(parts[PARTS.index("approx_kl")]) > 1.5 * self.target_kl:
                return False
            self.optimizer_step.step(gradients, parts[PARTS.index("loss")], self.max_grad_norm)
        return True

    @property
    def loss_means(self) -> dict[str, float]:
        """The parts of the loss by name, on average over the last update's minibatches; waits for the device."""
        return dict(zip(PARTS, (self.loss_sums / self.num_minibatches.clamp(min=1)).tolist(), strict=True))

    def _log_update(self, learning_rate: float) -> None:
        """Log under Stable-Baselines3's tags."""
        data, settings, record = self.data, self.loss_settings, self.logger.record
        record("train/learning_rate", learning_rate)
        for name, value in self.loss_means.items():
            record(f"train/{name}", value)
        variance = (data.advantages + data.values).var()
        explained = float(1 - data.advantages.var() / variance) if variance > 0 else float("nan")
        record("train/explained_variance", explained)
        if hasattr(self.policy, "log_std"):
            record("train/std", float(self.policy.log_std.detach().exp().mean()))
        record("train/n_updates", self._n_updates)
        record("train/clip_range", float(settings.clip_range))
        if settings.clip_range_vf is not None:
            record("train/clip_range_vf", float(settings.clip_range_vf))

    # -- predictions ---------------------------------------------------------------------------------------------------

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False, **more: Any
    ) -> tuple[np.ndarray, Any]:
        """Actions for observations (N, ...), and a recurrent policy's state; see `actor_critic.ActorCritic.predict`."""
        check_observation(observation)
        return self.policy.predict(observation, state, episode_start, deterministic, **more)

    def explain(self, obs: Any, state: Any = None, action_masks: np.ndarray | None = None) -> tuple[Any, Any]:
        """Action probabilities (N, A) and values (N,) of observations (N, ...), as NumPy arrays; the rest as `predict`'s."""
        self.policy.set_training_mode(False)
        with self.autocast():
            return probabilities_and_values(self.policy, obs, state, action_masks)

    # -- checkpoints ---------------------------------------------------------------------------------------------------

    def _recurrent_state(self) -> Any:
        if self.recurrent_state is None:
            self.recurrent_state = self.policy.core.initial_state(self.n_envs, self.device)
        return self.recurrent_state

    def own_state(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        if self.policy.core is not None:
            tensors["memory"] = self._recurrent_state()
        if self.reward_normalizer is not None:
            tensors |= {f"reward_normalizer.{name}": x for name, x in self.reward_normalizer.named_buffers()}
        return {name: tensor.clone().cpu() for name, tensor in tensors.items()}

    def load_own_state(self, tensors: dict[str, Tensor]) -> None:
        if self.policy.core is not None:
            self.recurrent_state = tensors["memory"].to(self.device)
        if self.reward_normalizer is not None:
            for name, buffer in self.reward_normalizer.named_buffers():
                buffer.copy_(tensors[f"reward_normalizer.{name}"])
