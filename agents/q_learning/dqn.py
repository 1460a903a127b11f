"""Deep Q-learning (Mnih et al. 2015) and what became of it, with Stable-Baselines3's interface.

`DQN` is a subclass of Stable-Baselines3's: constructor, `learn`, `predict`, callbacks and logger are its own. What differs is
that all is done on tensors: `collect_rollouts` takes steps with epsilon-greedy actions into a replay buffer (`collect`,
`data.replay_buffer`), `train` learns from minibatches of it (`targets`, `loss`). In Ludus's simulators no Python runs for a
single game; any other `VecEnv` takes the same path behind `data.env_adapters`.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
from stable_baselines3 import DQN as StableDQN
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import RolloutReturn, TrainFreq, TrainFrequencyUnit
from stable_baselines3.common.utils import get_parameters_by_name, polyak_update
from torch import Tensor

from ...envs import OptionError
from ..data.env_adapters import adapter_of
from ..data.finite_checks import check_rollout
from ..data.replay_buffer import ReplayTensors
from ..nn.actor_critic import each
from ..nn.noisy import draw_noise
from ..nn.q_network import ImplicitQNet
from ..nn.value_dists import distribution_of
from ..runtime.hardware import on_gpu
from ..training.callbacks import Lazy, collect_and_call, loop_locals
from ..training.signatures import passes_on_to
from .collect import Steps, epsilon_per_game
from .config import DQNConfig
from .network import q_network_of
from .off_policy import OffPolicyAgent
from .sb3_replay import StableReplay
from .targets import TargetSettings

PRIORITY_FLOOR = 1e-3  # so that transitions with small errors are still sampled
LOG_INTERVAL = 1.0  # seconds between two writings of the log, at least, unless another interval is asked for


class DQN(OffPolicyAgent):
    """Deep Q-networks on tensors, with the arguments of Stable-Baselines3's `DQN` and the extensions of the literature.

    Results do not depend on `num_threads` where the network is compiled. `replay.nbytes` says how large the replay buffer is.
    """

    algorithm, config = "dqn", DQNConfig
    network_settings = ("dueling", "noisy", "layer_norm", "distribution", "atoms", "v_min", "v_max", "huber")
    policy: Any

    @staticmethod
    def network_arguments(settings: dict[str, Any]) -> dict[str, Any]:
        names = ("distribution", "atoms", "v_min", "v_max", "huber")
        switches = {name: settings[name] for name in ("dueling", "noisy", "layer_norm")}
        distribution = distribution_of(*(settings[name] for name in names))
        return {**switches, "distribution": distribution, "implicit": settings["distribution"] == "iqn"}

    def _setup_model(self) -> None:
        self._check_arguments()
        self._make_policy()
        if 1 < self.n_envs > self.target_update_interval:
            warnings.warn(
                f"The number of environments used is greater than target_update_interval ({self.n_envs} > "
                f"{self.target_update_interval}): the target network follows after every step, {self.n_envs} timesteps",
                stacklevel=2,
            )
        self.replay = self._stable_replay()  # made when training begins, if it is None
        self.rows_stored, self.transitions_due = 0, 0.0
        self.rebuild()

    def rebuild(self) -> None:
        super().rebuild()
        self._convert_train_freq()
        self.beta = torch.zeros(1, dtype=torch.float64, device=self.device)  # exponent of importance-sampling weights
        self._minibatch_size = self.batch_size

    def _make_network(self) -> None:
        super()._make_network()
        self._create_aliases()
        self.batch_norm_stats = get_parameters_by_name(self.q_net, ["running_"])
        self.batch_norm_stats_target = get_parameters_by_name(self.q_net_target, ["running_"])
        target: Any = self.q_net_target
        self.target_network = q_network_of(target, self.pool, compiled=self.network.fixed_gradients)
        self.target_network.refresh()
        self.update = self._graphed(self._update, self.generators[-1:])

    def _check_arguments(self) -> None:
        """Raise OptionError for what Stable-Baselines3 does not check."""
        self._check_actions()
        for method in ("_on_step", "_sample_action"):
            if self._overrides(method):
                raise OptionError(
                    f"{type(self).__name__}.{method} would not be called, Ludus's DQN acts by loops: leave it out, and "
                    "wrap the environment or use a callback"
                )
        if self._overrides("predict"):
            name = type(self).__name__
            warnings.warn(f"{name}.predict is not asked in training: Ludus's DQN acts by loops", stacklevel=6)
        self._convert_train_freq()

    def _convert_train_freq(self) -> None:
        """Make it a `TrainFreq`; raises OptionError unless it counts steps."""
        given = self.train_freq
        super()._convert_train_freq()
        if self._steps_per_rollout < 1 or self.train_freq.unit != TrainFrequencyUnit.STEP:  # type: ignore[union-attr]
            raise OptionError(f"train_freq must count steps, got {given!r}: give a whole number")

    def setting(self, name: str) -> Any:
        value = super().setting(name)
        return value[0] if isinstance(value, tuple) else value  # train_freq, with or without its unit

    @passes_on_to(StableDQN.learn)
    def learn(self, *args: Any, **kwargs: Any) -> Any:
        """Train, as Stable-Baselines3's `learn`; without a `log_interval`, in episodes, the log is written once a second."""
        asked = "log_interval" in signature(StableDQN.learn).bind(self, *args, **kwargs).arguments
        self._pause = 0.0 if asked else LOG_INTERVAL
        return super().learn(*args, **kwargs)

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        answer = super()._setup_learn(*args, **kwargs)
        self._logged = 0.0, self._episode_num
        self.prepare()
        self.network.refresh()
        self.target_network.refresh()
        if isinstance(self.replay, ReplayTensors):
            self.replay.compile_for(self.batch_size)
        self.start_time = time.time_ns()  # to make room for the replay buffer may take a while
        return answer

    def prepare(self) -> None:
        if self.adapter is not None:
            return
        if self._last_obs is None and self.env is not None:
            self._last_obs = self.env.reset()  # type: ignore[assignment]
        self.adapter = adapter_of(self)
        self._provide_replay(self.adapter)
        self._make_steps()

    def _make_steps(self) -> None:
        """Room for the steps of a rollout, and the collector that writes them."""
        assert self.adapter is not None
        self.steps = Steps(self._steps_per_rollout, self.adapter.num_envs, self.device)
        self.epsilon = torch.zeros_like(self.steps.rewards)
        self._make_collector()

    def _make_collector(self) -> None:
        self.collector = self._collector_of(self.steps)
        self.collector.store_in(self.replay)
        self.collect = self._graphed(self._collect, self.generators[:1])

    @property
    def _steps_per_rollout(self) -> int:
        assert isinstance(self.train_freq, TrainFreq)
        return self.train_freq.frequency

    # -- collecting ----------------------------------------------------------------------------------------------------

    def collect_rollouts(self, env: Any, callback: BaseCallback, *_: Any, **kwargs: Any) -> RolloutReturn:
        """Collect `train_freq` steps of every game into the replay buffer, with exploration."""
        if self._time_is_up():
            return RolloutReturn(0, 0, False)
        self._set_training_mode(False)
        before, self._log_interval = self.num_timesteps, kwargs.get("log_interval")
        callback.on_rollout_start()
        self._convert_train_freq()  # a callback may have set it
        if self._steps_per_rollout != len(self.steps.actions):
            self._make_steps()
        self._set_epsilon()
        assert self.adapter is not None
        going = collect_and_call(self, callback, self.steps, [self.adapter])
        steps = len(self.steps.actions)
        if going:
            check_rollout(self.steps, before, self.replay.newest_obs(steps))
            (self.exploration_rate,) = self._exploration_rates_after([self.num_timesteps])
        waits = not on_gpu(self.device)
        self.rows_stored = int(self.replay.count) if waits else self.rows_stored + steps
        self._n_calls += (self.num_timesteps - before) // self.n_envs
        interval = max(self.target_update_interval // self.n_envs, 1) * self.n_envs
        if self.num_timesteps // interval > before // interval:
            self._update_target(self.tau)
        self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
        callback.update_locals(locals())
        callback.on_rollout_end()
        self._log(self._log_interval)
        return RolloutReturn(self.num_timesteps - before, 0, going)

    def _set_epsilon(self) -> None:
        """Probabilities of random actions in each step of the next rollout."""
        self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
        done = range(self.num_timesteps, 2**63, self.steps_at_once)[: len(self.steps.actions)]  # before each step
        rates, starts = self._exploration_rates_after(done), self.learning_starts
        self._exploration_rates, self.exploration_rate = rates, rates[0]
        epsilons = rates if done[0] >= starts else [1.0 if n < starts else x for n, x in zip(done, rates, strict=True)]
        epsilon: Any = epsilons[0]
        if len(set(epsilons)) > 1:
            epsilon = torch.tensor(epsilons, device=self.device).view(-1, 1)  # (T,) -> (T, 1)
        epsilon_per_game(epsilon, self.exploration_spread, out=self.epsilon)

    def _exploration_rates_after(self, timesteps: Sequence[int]) -> list[float]:
        """Of the steps that follow after so many timesteps each."""
        schedule, total = self.exploration_schedule, self._total_timesteps
        rates = [schedule(1.0 - done / total) for done in timesteps]
        if self.noisy:
            return [0.0 if n >= self.learning_starts else x for n, x in zip(timesteps, rates, strict=True)]
        return rates

    def _collect(self, on_step: Any = None) -> bool:
        collector = self.collector
        if self.noisy:
            self._draw_noise(self.generators[0])

        def after(t: int, ended: int) -> bool:
            collector.store_step(ended)
            if on_step is None:
                return True
            self.exploration_rate = self._exploration_rates[t]
            return on_step(t)

        return collector.collect(self.generators[0], collector.store_obs, after)

    def _draw_noise(self, generator: torch.Generator) -> None:
        """New noise in the online network's layers, to act on or to learn with."""
        draw_noise(self.network.network, generator)
        self.network.refresh()

    def _update_target(self, tau: float) -> None:
        """target = (1 - tau) * target + tau * online, by all parameters; batch normalisation's statistics are copied."""
        polyak_update(self.q_net.parameters(), self.q_net_target.parameters(), tau)
        polyak_update(self.batch_norm_stats, self.batch_norm_stats_target, 1.0)
        self.target_network.refresh()

    # -- learning ------------------------------------------------------------------------------------------------------

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Learn from so many minibatches of the replay buffer or, with `replay_ratio`, from as many as are due."""
        self._set_learning_rate()
        updates = self._updates_due(gradient_steps, batch_size)
        if not updates:
            return
        start = self.importance_exponent
        self.beta.fill_(start + (1 - start) * (1 - self._current_progress_remaining))
        self._set_training_mode(True)
        if batch_size != self._minibatch_size:
            self._minibatch_size, self.update = batch_size, self._graphed(self._update, self.generators[-1:])
        for _ in range(updates):
            self.update()
            self._n_updates += 1
        self._check_update()
        self.logger.record("train/n_updates", self._n_updates)
        if not on_gpu(self.device):
            self._record_losses()

    def _update(self) -> None:
        """One minibatch: sample, targets, a step against the loss's gradient, priorities."""
        generator = self.generators[-1]
        batch = self.replay.sample(self._minibatch_size, generator, self.beta)
        if self.network.network.noisy:
            self._draw_noise(generator)
        fractions, fractions_after = (self._draw_fractions(len(batch.actions)) for _ in range(2))
        munchausen = self.munchausen_temperature, self.munchausen_alpha, self.munchausen_lowest
        settings = TargetSettings(self.double, self.munchausen, *munchausen)
        target = self.network.targets(batch, self.target_network, settings, fractions_after)
        errors = self._gradient_step(batch.obs, batch.actions, target, batch.weights, fractions)
        if self.prioritized:
            self.replay.set_priorities(batch.indices, (errors + PRIORITY_FLOOR).pow(self.priority_exponent))

    def _draw_fractions(self, count: int) -> Tensor | None:
        """Fractions (B, K) of IQN, uniform from 0 to 1; None for other networks."""
        network = self.network.network
        if not isinstance(network, ImplicitQNet):
            return None
        noise = torch.empty((count, network.distribution.atoms), device=self.device)
        return noise.uniform_(generator=self.generators[-1])

    def _updates_due(self, gradient_steps: int, batch_size: int) -> int:
        """Number of minibatches to learn from after a rollout; 0 while the buffer has too few rows."""
        if self.replay is None:
            self.prepare()
        if not (on_gpu(self.device) and self.rows_stored):  # a buffer that was filled by hand
            self.rows_stored = int(self.replay.count)  # type: ignore[union-attr]
        first = self.learning_starts // self.n_envs if self.start_time else 0  # who calls `train` alone wants to learn
        if self.rows_stored <= max(self.n_steps + self.replay.frame_stack - 1, first):  # type: ignore[union-attr]
            return 0
        if self.replay_ratio is None:
            return gradient_steps
        self.transitions_due += self._steps_per_rollout * self.n_envs * self.replay_ratio
        updates = int(self.transitions_due // batch_size)
        self.transitions_due -= updates * batch_size
        return updates

    def _log(self, log_interval: int | None) -> None:
        """Write the log where it is due: after so many episodes, but not all the time unless asked; and at the end."""
        last, episodes = self._logged
        now, over = time.monotonic(), self.num_timesteps >= self._total_timesteps
        self._episode_num += int(self.steps.dones.count_nonzero())
        self.logger.record("rollout/exploration_rate", self.exploration_rate)
        due = log_interval is not None and self._episode_num - episodes >= log_interval
        if not due or (now - last < self._pause and not over):
            return
        self._logged = now, self._episode_num
        if self._n_updates and on_gpu(self.device):
            self._record_losses()
        self.dump_logs()

    # -- for callbacks -------------------------------------------------------------------------------------------------

    def obs_of(self, t: int) -> Any:
        rows = len(self.steps.actions)
        if t == rows:
            assert self.adapter is not None
            return each(lambda x: x.cpu().numpy().copy(), self.adapter.obs)
        if isinstance(self.replay, StableReplay):
            return self.replay.obs_before(rows - t)
        row = (self.replay.row - rows + t) % self.replay.steps
        return each(lambda x: x.cpu().numpy(), self.replay.obs(row * self.replay.games + self.replay._columns))

    def step_locals(self, t: int) -> dict[str, Any]:
        steps, self.exploration_rate = self.steps, self._exploration_rates[t]
        return {
            "train_freq": self.train_freq,
            "replay_buffer": self.replay_buffer,
            "action_noise": None,
            "learning_starts": self.learning_starts,
            "log_interval": self._log_interval,
            "num_collected_steps": t + 1,
            "num_collected_episodes": Lazy(lambda: int((steps.dones[:t] > 0).sum())),
            "continue_training": True,
            "buffer_actions": Lazy(lambda: steps.actions[t].cpu().numpy()),
            **loop_locals(steps.dones, t),
        }
