"""Proximal policy optimisation (Schulman et al. 2017), with Stable-Baselines3's interface.

`PPO` is a subclass of Stable-Baselines3's: constructor, `learn`, `predict`, callbacks and logger are its own. What differs
is the hot path: `collect.Player` plays and looks back, `learner.Learner` learns, all on tensors. On a Ludus simulator no
Python runs for a single game; any other `VecEnv` takes the same path behind `env_adapters`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3 import PPO as StablePPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from ...envs import OptionError
from ..compiled.kernel import ThreadPool
from ..compiled.planes import shortcut_of
from ..compiled.trace import NotCompiled
from ..data.env_adapters import VecEnvAdapter
from ..data.finite_checks import check_rollout
from ..data.rollout_buffer import RolloutTensors
from ..nn.action_dists import head_of
from ..nn.actor_critic import POLICIES, ActorCritic, each, forward_step, row_by_row
from ..nn.normalize import RewardNormalizer
from ..nn.overridden import AskedPolicy, overrides_methods
from ..nn.starts import into_space, starts_of
from ..runtime.hardware import choose_precision, on_gpu, threads_worth
from ..runtime.threads import WorkerThreads
from ..training.arguments import check_observation
from ..training.callbacks import Lazy, call_after_rollout, call_after_step, loop_locals
from ..training.learn_call import learn_call
from ..training.saved_agent import SavedAgent
from ..training.signatures import passes_on_to
from ..training.training_state import capture
from .collect import Player
from .compiled_policy import CompiledActorCritic, compile_actor_critic
from .config import PPOConfig
from .learner import Learner
from .sb3_buffer import stable_buffer_of

# Fewer are not worth another thread. Where threads run Python, it must be woken, and one runs at a time.
GAMES_A_THREAD, SAMPLES_A_THREAD = 512, 1024
ROWS_A_THREAD = 64  # of a loop in `backprop`


class PPO(SavedAgent, StablePPO):
    """Proximal policy optimization on tensors, with the arguments of Stable-Baselines3's `PPO` and more.

    Results repeat to the last bit for the same `num_threads` and, where the network is compiled, for any.
    """

    algorithm, config = "ppo", PPOConfig
    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {**POLICIES}
    policy_base = ActorCriticPolicy
    policy: Any

    def _setup_model(self) -> None:
        self._check_observations()
        self._look_at_env()
        head_of(self.action_space)  # raises OptionError for spaces that it is not for
        super()._setup_model()
        self._remember_settings()
        self.reward_normalizer: RewardNormalizer | None = None
        self.memory: torch.Tensor | None = None  # (N, S), of a recurrent policy, before the next step
        self.workers: WorkerThreads | None = None
        if self.group is not None:
            self.group.share([*self.policy.parameters(), *self.policy.buffers()])
        self.rebuild()

    def rebuild(self) -> None:
        self._look_at_env()
        self._renew_schedules()
        self._complete_policy()
        self._normalize_rewards()
        self.precision = choose_precision(self.precision, self.device.type)
        on_cpu = not on_gpu(self.device)
        self.pool = ThreadPool(threads_worth(self.num_threads, max(self.batch_size, self.n_envs) // ROWS_A_THREAD))
        loops = on_cpu and self.precision == "fp32"
        self.backprop = self._compiled() if loops else None
        own = isinstance(self.policy.head, AskedPolicy)  # methods that threads may not call at once
        alone = self.backprop or not on_cpu or own or not row_by_row(self.policy)
        shares = 1 if alone else self.num_threads  # results depend on these two:
        self.play_threads = threads_worth(shares, self.n_envs // GAMES_A_THREAD) if self.simulator else 1
        if self.simulator is not None and self.simulator.num_players > 1:
            self.play_threads = 1
        self.learn_threads = threads_worth(shares, self.batch_size // SAMPLES_A_THREAD)
        self._provide_generators(self.play_threads + 1)
        spaces = self.observation_space, self.action_space
        self.data = RolloutTensors(self.n_steps, *spaces, self.device, n_envs=self.n_envs)
        self.player, self.learner = Player(self), Learner(self)
        self.optimizer_step = self.learner.optimizer_step

    def _compiled(self) -> CompiledActorCritic | None:
        try:
            return compile_actor_critic(self.policy, self.pool)
        except NotCompiled:
            return None

    @property
    def rollout_buffer(self) -> RolloutBuffer:
        """The rollout as Stable-Baselines3's buffer, see `sb3_buffer`; the same in tensors is `data`."""
        return stable_buffer_of(self)

    @rollout_buffer.setter
    def rollout_buffer(self, value: Any) -> None:  # type: ignore[override]
        """Stable-Baselines3's constructor makes one of its own, which is not used."""

    def _maybe_recommend_cpu(self, mlp_class_name: str = ActorCritic.__name__) -> None:
        if self.simulator is None:  # games beside the policy make a GPU worth it
            super()._maybe_recommend_cpu(mlp_class_name)

    def _complete_policy(self) -> None:
        """Give a policy class of the user's, or Stable-Baselines3's own, what Ludus's have."""
        for name in ("core", "normalizer", "shortcut"):
            if not hasattr(self.policy, name):
                setattr(self.policy, name, None)
        own = overrides_methods(self.policy, (ActorCriticPolicy, ActorCritic))
        self.policy.head = AskedPolicy(self.action_space) if own else head_of(self.action_space)
        if own and self.policy.core is not None:
            raise OptionError("a policy with memory decides in Ludus's way: leave out use_sde and methods of your own")
        if starts_of(self.action_space) is not None and not isinstance(self.policy, ActorCritic):
            raise OptionError(f"only Ludus's policies act in {self.action_space}: other policies' actions count from 0")
        self.policy.shortcut = None if on_gpu(self.device) else shortcut_of(self.policy)

    def _normalize_rewards(self) -> None:
        """By what was seen before, if rewards were normalised before."""
        if not self.normalize_reward:
            self.reward_normalizer = None
        elif self.reward_normalizer is None:
            self.reward_normalizer = RewardNormalizer(self.n_envs, self.group).to(self.device)

    # -- the loop ------------------------------------------------------------------------------------------------------

    @passes_on_to(StablePPO.learn)
    def learn(self, *args: Any, **kwargs: Any) -> PPO:
        """Train, as Stable-Baselines3's `learn`; see `learn_call`."""
        with learn_call(self, super().learn, args, kwargs):
            self.workers = WorkerThreads(max(self.play_threads, self.learn_threads))
            return super().learn(*args, **kwargs)

    def _end_learning(self) -> None:
        if self.workers is not None:
            self.workers.close()
            self.workers = None
        super()._end_learning()

    def _forget_games(self) -> None:
        self.memory, self.reward_normalizer = None, None

    def _begin_anew(self) -> None:
        self.memory = None

    def collect_rollouts(self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int) -> bool:
        """Play `n_rollout_steps` in every game and look back; returns False if the time is up or a callback says so.

        Callbacks hear of the steps in other libraries' environments as they happen, and in Ludus's games when the
        rollout is over, one call for each step.
        """
        if self._time_is_up():
            return False
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        data, before = self.data, self.num_timesteps
        self.player.prepare()
        data.begin(self._last_episode_starts)
        if self.use_sde:
            self.policy.reset_noise(self.n_envs)
            self._renew_noise(0)
        if not on_gpu(self.device):
            self.boundary = capture(self)
        if self.simulator is None:
            adapter = self.player.adapters[0]
            assert isinstance(adapter, VecEnvAdapter)
            going = self.player.play_part(on_step=partial(self._hear_step, callback, adapter))
        else:
            self._keep_endings(self.player.adapters)
            self.player.play()
            self.simulator.check()
            going = call_after_rollout(self, callback, data, self.player.adapters)
        if self._any(not going):
            return False
        check_rollout(data, before)
        self.player.look_back()
        data.pos, data.full = self.n_steps, True
        rollout_buffer = self.rollout_buffer
        callback.update_locals(locals())
        callback.on_rollout_end()
        self._last_episode_starts = data.dones[-1].cpu().numpy() > 0
        return True

    def _renew_noise(self, t: int) -> None:
        """Of state-dependent exploration, before step t."""
        if self.sde_sample_freq > 0 and t % self.sde_sample_freq == 0 and t < self.n_steps:
            self.policy.reset_noise(self.n_envs)

    def _hear_step(self, callback: BaseCallback, adapter: VecEnvAdapter, t: int) -> bool:
        if self.use_sde:
            self._renew_noise(t + 1)
        return call_after_step(self, callback, adapter, self.data, t)

    def obs_of(self, t: int) -> Any:
        kept = self.data.obs
        return each(lambda x: x[t].cpu().numpy().copy(), kept) if t < self.n_steps else self.present_obs().copy()

    def step_locals(self, t: int) -> dict[str, Any]:
        data, policy = self.data, self.policy
        data.pos, data.full = t, False
        return {
            "rollout_buffer": Lazy(stable_buffer_of, self),
            "n_rollout_steps": self.n_steps,
            "n_steps": t,
            **loop_locals(data.dones, t),
            "obs_tensor": Lazy(each, lambda x: x[t].clone(), data.obs),
            "values": Lazy(lambda: data.values[t].unsqueeze(-1).clone()),
            "log_probs": Lazy(lambda: policy.head.log_prob(data.params[t], data.actions[t])),
            "clipped_actions": Lazy(lambda: into_space(data.actions[t].cpu().numpy(), self.action_space)),
        }

    def autocast(self) -> AbstractContextManager[Any]:
        """What the encoder computes in."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    # -- the update ----------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Fit the policy to the rollout for `n_epochs`."""
        self.policy.set_training_mode(True)
        rate = self.lr_schedule(self._current_progress_remaining)
        self.learner.optimizer_step.set_learning_rate(rate)
        self.logger.record("train/learning_rate", rate)
        self.learner.learn(self.data)
        self.data.learned = True
        self._log_update()
        if self.policy.normalizer is not None:
            self.policy.normalizer.update(self.data.obs.flatten(0, 1), self.group)
        self.boundary = None

    def _log_update(self) -> None:
        """Stable-Baselines3's tags."""
        data, learner, record = self.data, self.learner, self.logger.record
        for name, value in learner.means.items():
            record(f"train/{name}", value)
        spread = (data.advantages + data.values).var()
        record("train/explained_variance", float(1 - data.advantages.var() / spread) if spread > 0 else float("nan"))
        if hasattr(self.policy, "log_std"):
            record("train/std", float(self.policy.log_std.detach().exp().mean()))
        record("train/n_updates", self._n_updates)
        record("train/clip_range", float(learner.clip))
        if self.clip_range_vf is not None:
            record("train/clip_range_vf", float(learner.clip_vf))

    # -- what an agent says of an observation --------------------------------------------------------------------------

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False, **more: Any
    ) -> tuple[np.ndarray, Any]:
        """Actions for observations (N, ...), and a recurrent policy's state; see `actor_critic.ActorCritic.predict`."""
        check_observation(observation)
        return self.policy.predict(observation, state, episode_start, deterministic, **more)

    @torch.no_grad()
    def explain(self, obs: Any, state: Any = None, action_masks: np.ndarray | None = None) -> tuple[Any, Any]:
        """Action probabilities (N, A) and values (N,) of observations (N, ...), as NumPy arrays; the rest as `predict`'s."""
        self.policy.set_training_mode(False)
        tensor, _ = self.policy.obs_to_tensor(obs)
        memory = None
        if self.policy.core is not None:
            memory = self.policy._memory_of(state, None, len(obs))
        if isinstance(self.policy.head, AskedPolicy):
            likely = self.policy.get_distribution(tensor).distribution
            return likely.probs.cpu().numpy(), self.policy.predict_values(tensor).flatten().cpu().numpy()
        with self.autocast():
            mask = None if action_masks is None else torch.as_tensor(action_masks, device=self.device)
            params, values, _ = forward_step(self.policy, tensor, memory, mask)
        return params.softmax(-1).cpu().numpy(), values.cpu().numpy()

    # -- checkpoints ---------------------------------------------------------------------------------------------------

    def own_state(self) -> dict[str, torch.Tensor]:
        tensors: dict[str, torch.Tensor] = {}
        if self.policy.core is not None:
            memory = self.policy.core.initial_state(self.n_envs, self.device) if self.memory is None else self.memory
            tensors["memory"] = memory.clone().cpu()
        if self.reward_normalizer is not None:
            for name, buffer in self.reward_normalizer.named_buffers():
                tensors[f"reward_normalizer.{name}"] = buffer.clone().cpu()
        return tensors

    def load_own_state(self, tensors: dict[str, torch.Tensor]) -> None:
        if self.policy.core is not None:
            self.memory = tensors["memory"].to(self.device)
        if self.reward_normalizer is not None:
            for name, buffer in self.reward_normalizer.named_buffers():
                buffer.copy_(tensors[f"reward_normalizer.{name}"])
