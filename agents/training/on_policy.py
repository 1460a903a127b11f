"""An actor and a critic that learn from rollouts: what on-policy algorithms of that kind have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from torch import Tensor

from ..compiled.actor_critic import Data, Gradients, Loss
from ..compiled.kernel import ThreadPool
from ..data.env_adapters import SimulatorAdapter, adapter_of, encoded, observed_space
from ..data.rollout_buffer import Collector, OnStep, RolloutTensors
from ..nn.action_dists import head_of
from ..nn.actor_critic import POLICIES, ActorCritic
from ..nn.normalize import RewardNormalizer
from ..runtime.cuda_graph import graphed
from ..runtime.hardware import choose_precision, on_gpu, threads_worth
from ..runtime.threads import WorkerThreads
from .arguments import check_observation, check_observation_space, warn_without_masks
from .kickstart import Advice, advised, coefficient_of
from .league import AgainstLeague, League, leave_out, share_of, step_over
from .network import autocast_of, complete_policy, make_network, probabilities_and_values
from .optimizer_step import OptimizerStep, check_update
from .rollouts import OnPolicyAgent
from .sb3_buffer import RolloutView, rollout_locals, rollout_view_of

# Less work is not worth another thread that runs Python: it has to be woken, and one runs at a time.
GAMES_PER_THREAD, SAMPLES_PER_THREAD = 512, 1024


class OnPolicyActorCritic(OnPolicyAgent):
    """An actor and a critic that learn from rollouts with advantages; algorithms add `loss` and `train`.

    Options that an algorithm's config does not have keep the values that they have here.

    Attributes:
        loss: in PyTorch and perhaps as a compiled loop.
        network: computes actions, values and gradients, see `network.TorchNetwork`.
        samples, columns: the rollout as rows for minibatches, see `_begin_update`.
        order: int64, a place for the order of those rows.
        loss_sums: (K,) float32, the loss's parts, added up over the `num_minibatches` of an update.
    """

    loss: ClassVar[Loss]
    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {**POLICIES}
    policy_base = ActorCriticPolicy
    policy: Any
    versions: League | None
    against: AgainstLeague  # the games, where there are opponents
    precision, normalize_reward = "fp32", False
    kickstart_coef, kickstart_fraction, kickstart_teacher = 0.0, 0.5, "heuristic"
    earlier_versions: float = 0.0  # share of games of several players that are played against them and other opponents
    opponents: str | None = None
    _view: RolloutView | None = None  # `rollout_buffer`, once somebody asked for it

    def _setup_model(self) -> None:
        check_observation_space(self.observation_space)
        self._look_at_env()
        head_of(self.action_space)  # raises OptionError for spaces that there is no distribution for
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
        if not self.normalize_reward:
            self.reward_normalizer = None
        elif self.reward_normalizer is None:  # else the statistics so far are used further
            self.reward_normalizer = RewardNormalizer(self.n_envs, self.group).to(self.device)
        self.precision = choose_precision(self.precision, self.device.type)
        minibatch = getattr(self, "batch_size", self.n_steps * self.n_envs)
        self.pool, self.workers = ThreadPool.for_rows(self.num_threads, max(minibatch, self.n_envs)), WorkerThreads(1)
        self._make_network()
        divisible = self.simulator is not None and self.simulator.num_players == 1  # games among threads
        most = self.num_threads if self.network.divisible else 1  # results depend on how many threads there are
        self.play_threads = threads_worth(most, self.n_envs // GAMES_PER_THREAD) if divisible else 1
        self.learn_threads = threads_worth(most, minibatch // SAMPLES_PER_THREAD)
        self.workers.count = max(self.play_threads, self.learn_threads)
        share, self.advised = share_of(self), advised(self)
        self._provide_generators(self.play_threads + 1)
        self.league = League.of(self, share) if share else None
        spaces = observed_space(self), self.action_space
        self.data = RolloutTensors(self.n_steps, *spaces, self.device, self.n_envs)
        self.compute_advantages = graphed(self._compute_advantages, self.device, self.constants)
        # What changes from update to update is in tensors that stay in place, for CUDA graphs.
        self.order = torch.zeros(0, dtype=torch.int64, device=self.device)
        self.loss_sums = torch.zeros(len(self.loss.parts), device=self.device)
        self.num_minibatches = torch.zeros((), device=self.device)

    def _make_network(self) -> None:
        complete_policy(self.policy, self.action_space, self.device)
        self.network = make_network(self.policy, self.loss, self.device, self.pool, self.workers, self.precision)
        if not self.network.divisible:
            self.workers.count = 1  # parts of games, if there are some, take turns
        self.optimizer_step = OptimizerStep(self, self.policy, self.policy.optimizer, self.network.fixed_gradients)

    if not TYPE_CHECKING:  # for whom it is the attribute of Stable-Baselines3's

        @property
        def rollout_buffer(self) -> RolloutBuffer:
            """The rollout as Stable-Baselines3's buffer, see `sb3_buffer`; the same in tensors is `data`."""
            if self._view is None or self._view.data is not self.data:
                self._view = rollout_view_of(self.data)
                self._show_rollout()
            return self._view

        @rollout_buffer.setter
        def rollout_buffer(self, value: Any) -> None:
            """Stable-Baselines3's constructor makes one of its own, which is not used."""

    def _show_rollout(self) -> None:
        if self._view is not None:
            self._view.show(self.gamma, self.gae_lambda)

    def _maybe_recommend_cpu(self, mlp_class_name: str = ActorCritic.__name__) -> None:
        if self.simulator is None:  # games on the same GPU make it worth using
            super()._maybe_recommend_cpu(mlp_class_name)  # type: ignore[misc]

    def _end_learning(self) -> None:
        self.workers.close()
        super()._end_learning()

    def _forget_games(self) -> None:
        self.recurrent_state, self.reward_normalizer = None, None

    def _begin_anew(self) -> None:
        self.recurrent_state = None

    # -- rollouts ------------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        if self.league is None:
            self.adapters = [adapter_of(self)]
        else:
            self.against = AgainstLeague(self.simulator, self.channels_first, self.league, self.n_steps)
            self.adapters = [encoded(self, self.against)]
        if self.play_threads > 1 and self.simulator is not None:
            parts = self.simulator.split(self.play_threads)
            self.adapters = [encoded(self, SimulatorAdapter(part, self.channels_first)) for part in parts]
        for adapter in self.adapters if self.advised else ():
            adapter.advice = Advice(adapter.source.sim, self.kickstart_teacher)  # type: ignore[attr-defined]
        self._make_collector()

    def _make_collector(self) -> None:
        data, size = self.data, self.policy.head.size
        if data.allocated and data.params.shape[-1] != size:  # the policy decides in another way than before
            data.params = torch.zeros((*data.params.shape[:-1], size), device=self.device)
        state = None if self.policy.core is None else self._recurrent_state()
        self.collector = Collector(self.network, self.adapters, self.data, self.generators, self.workers, state)
        self.collect = graphed(self._collect, self.device, self.constants, self.generators[:1])

    def _begin_rollout(self) -> None:
        self.data.begin(self._last_episode_starts)
        if self.advised or self.league is not None:  # else progress is that of the `learn` before
            self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
        for k, adapter in enumerate(self.adapters if self.advised else ()):
            wanted = coefficient_of(self) > 0  # which only falls until the update
            adapter.advice.begin(self.generators[k].initial_seed() + self.num_timesteps, wanted)
        if self.league is not None:
            self.against.begin(1.0 - self._current_progress_remaining)
        self._show_rollout()
        if self.use_sde:
            self.policy.reset_noise(self.n_envs)
            self._renew_noise(0)

    def _collect(self, on_step: OnStep | None = None) -> bool:
        def after(t: int) -> bool:
            self._renew_noise(t + 1)
            return on_step is None or on_step(t)

        return self.collector.collect(after if self.use_sde and on_step is not None else on_step)

    def _renew_noise(self, t: int) -> None:
        """Draw new noise of state-dependent exploration, if it is time to before step t."""
        if self.sde_sample_freq > 0 and t % self.sde_sample_freq == 0 and t < self.n_steps:
            self.policy.reset_noise(self.n_envs)

    def _end_rollout(self) -> None:
        self.compute_advantages()
        self.data.pos, self.data.full = self.n_steps, True
        self._show_rollout()
        self._last_episode_starts = self.data.dones[-1].cpu().numpy() > 0

    def _compute_advantages(self) -> None:
        if self.league is not None:
            step_over(self.data, self.against.theirs, self.gamma)
        self.data.compute_advantages(self.collector.can_truncate, self.reward_normalizer, self.gamma, self.gae_lambda)
        if self.league is not None:
            leave_out(self.data, self.against.theirs, self.league.generator)

    def step_locals(self, t: int) -> dict[str, Any]:
        self.data.pos, self.data.full = t, False
        self._show_rollout()
        return {"rollout_buffer": self.rollout_buffer, **rollout_locals(self.data, self.policy.head, t)}

    # -- updates -------------------------------------------------------------------------------------------------------

    def _begin_update(self) -> None:
        """The rollout as samples, or as sequences (games first) for a recurrent policy, and the learning rate now."""
        self._set_learning_rate()
        self._set_training_mode(True)
        if self._view is not None and self._view.data is self.data:
            self._view.write_back()
        samples = self.data.samples() if self.policy.core is None else self.data.sequences()
        self.columns: Tensor = samples.pop("columns")
        self.samples: Data = samples
        if len(self.order) != len(self.columns):
            self.order = torch.arange(len(self.columns), device=self.device)
        self.loss_sums.zero_()
        self.num_minibatches.zero_()

    def _gradients(self, rows: Tensor, columns: Tensor, settings: Any) -> Gradients:
        """Gradients of the loss over a minibatch, and its parts (K,), on average over all processes of a group.

        Args:
            rows: (B,) int64, of `samples`.
            columns: those of the rows, with advantages as the loss takes them.
            settings: what `loss` takes.
        """
        gradients, parts = self.network.gradients(self.samples, rows, columns, settings)
        if self.group is not None:
            self.group.average([*gradients, parts])
        self.loss_sums += parts
        self.num_minibatches += 1
        return gradients, parts

    def _end_update(self) -> None:
        """Finite checks on a GPU, which is not waited for before; the log; statistics of observations."""
        if on_gpu(self.device):
            check_update(self.loss_means["loss"], self.policy, self.num_timesteps, self._n_updates)
        self.data.learned = True
        self._show_rollout()
        self._log_update()
        if self.policy.normalizer is not None:
            self.policy.normalizer.update(self.data.obs.flatten(0, 1), self.group)
        self.boundary = None

    @property
    def loss_means(self) -> dict[str, float]:
        """The parts of the loss by name, on average over the last update's minibatches; waits for the device."""
        return dict(zip(self.loss.parts, (self.loss_sums / self.num_minibatches.clamp(min=1)).tolist(), strict=True))

    def _log_update(self) -> None:
        """Log under Stable-Baselines3's tags."""
        data, record = self.data, self.logger.record
        for name, value in self.loss_means.items():
            record(f"train/{name}", value)
        variance = (data.advantages + data.values).var()
        explained = float(1 - data.advantages.var() / variance) if variance > 0 else float("nan")
        record("train/explained_variance", explained)
        if hasattr(self.policy, "log_std"):
            record("train/std", float(self.policy.log_std.detach().exp().mean()))
        record("train/n_updates", self._n_updates)

    # -- predictions ---------------------------------------------------------------------------------------------------

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False, **more: Any
    ) -> tuple[np.ndarray, Any]:
        """Actions for observations (N, ...), and a recurrent policy's state; see `actor_critic.ActorCritic.predict`."""
        check_observation(observation)
        if more.get("action_masks") is None:
            warn_without_masks(self)
        return self.policy.predict(observation, state, episode_start, deterministic, **more)

    @property
    def reward_scale(self) -> float:  # type: ignore[override]
        """What values are to be multiplied by to be in the game's units: the standard deviation that rewards are divided by.

        0 where it is not known: before the first update, and from files of earlier releases.
        """
        if not self.normalize_reward:
            return 1.0
        if self.reward_normalizer is not None and float(self.reward_normalizer.moments.count) > 0:
            return float(self.reward_normalizer.moments.variance.sqrt())
        return self.loaded_reward_scale

    def explain(self, obs: Any, state: Any = None, action_masks: np.ndarray | None = None) -> tuple[Any, Any]:
        """Action probabilities (N, A) and values (N,) of observations (N, ...), as NumPy arrays; the rest as `predict`'s."""
        self.policy.set_training_mode(False)
        with autocast_of(self.device, self.precision)():
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
        if self.league is not None:
            tensors |= {f"earlier_versions.{name}": x for name, x in self.league.state().items()}
        if self.reward_normalizer is not None:
            tensors |= {f"reward_normalizer.{name}": x for name, x in self.reward_normalizer.named_buffers()}
        return {name: tensor.clone().cpu() for name, tensor in tensors.items()}

    def load_own_state(self, tensors: dict[str, Tensor]) -> None:
        if self.policy.core is not None:
            self.recurrent_state = tensors["memory"].to(self.device)
        if self.league is not None:
            own = {name.removeprefix("earlier_versions."): x for name, x in tensors.items()}
            self.league.load_state(own)
        if self.reward_normalizer is not None:
            for name, buffer in self.reward_normalizer.named_buffers():
                buffer.copy_(tensors[f"reward_normalizer.{name}"])
