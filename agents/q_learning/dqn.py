"""Deep Q-learning (Mnih et al. 2015) and what became of it, with Stable-Baselines3's interface.

`DQN` is a subclass of Stable-Baselines3's: constructor, `learn`, `predict`, callbacks and logger are its own. What differs is
the hot path: `exploration.explore` plays into a `replay_buffer.ReplayTensors`, `update.QLearner` learns from it, all on
tensors. On a Ludus simulator no Python runs for a single game; any other `VecEnv` takes the same path behind `env_adapters`.
"""

from __future__ import annotations

import time
import warnings
from functools import partial
from inspect import signature
from typing import Any

import torch
from stable_baselines3 import DQN as StableDQN
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import RolloutReturn, TrainFreq
from stable_baselines3.common.utils import get_parameters_by_name
from stable_baselines3.her import HerReplayBuffer

from ...envs import OptionError
from ..data.env_adapters import adapter_of, unseen_adapter
from ..data.replay_buffer import ReplayTensors
from ..nn.actor_critic import each
from ..nn.value_dists import distribution_of
from ..runtime.cuda_graph import Graphed
from ..runtime.hardware import on_gpu
from ..training.callbacks import Lazy, loop_locals
from ..training.finite_checks import check_rollout
from ..training.signatures import passes_on_to
from .base import QAgent
from .exploration import Steps, explore, spread
from .make_replay import make_replay, provide_replay, replay_settings
from .replay_view import ReplayView, read_replay, write_replay
from .sb3_replay import StableMemory
from .update import QLearner

LOG_INTERVAL = 1.0  # seconds between two writings of the log, at least, unless another interval is asked for


class DQN(QAgent, StableDQN):
    """DQN on tensors; each option of the literature is a switch.

    Takes what Stable-Baselines3's `DQN` takes, also a `replay_buffer_class` or keywords of one, in place of the memory as
    tensors; in addition:

    Args:
        policy: also one of Ludus's networks, "mlp", "cnn", "nature" or "impala" (see `q_network`).
        env: also the name of a Ludus game, such as "Breakout" (then eight games are made).
        replay_ratio: how many transitions are learned from for each step played, whatever `batch_size`, `train_freq` and the
            number of games are; None: `gradient_steps` decides.
        double: the online network says which action is best, the target network what it is worth (van Hasselt et al. 2016).
        dueling: values of observations and advantages of actions (Wang et al. 2016).
        noisy: learned noise explores in place of random actions (Fortunato et al. 2018).
        layer_norm: normalise what goes into each ReLU.
        distribution: None, or all of the return's distribution: "c51" (Bellemare et al. 2017), "qr" (Dabney et al. 2018a)
            or "iqn" (Dabney et al. 2018b).
        atoms: numbers an action has there; None: 51 for c51, 32 else.
        v_min, v_max: the lowest and the highest return, for c51.
        munchausen: the log-probability of what was done is added to the reward (Vieillard et al. 2020).
        munchausen_temperature, munchausen_alpha, munchausen_lowest: see `returns.munchausen_bonus`.
        prioritized: draw what surprised more often (Schaul et al. 2016).
        priority_exponent, importance_exponent: their alpha, and beta at the start, which becomes 1.
        huber: errors count by their size beyond 1, as in Stable-Baselines3; else by half their square.
        save_replay: keep the memory in checkpoints, which an exact resume needs; `replay.nbytes` says how large it is.
        exploration_spread: games explore less the later they come, see `exploration.spread`; 0: all alike.
        time_limit: end training after this many seconds, and anneal schedules by the clock where it is ahead of the
            steps; None: steps alone decide.
        num_threads: CPU threads that share each minibatch; None: all cores. Results do not depend on it where the network is
            compiled.

    Raises:
        OptionError: an argument is wrong, or there is not enough memory; the message says what would be right.
    """

    algorithm = "dqn"
    remembers = True
    replay: Any  # a `ReplayTensors` or `StableMemory`; None until it is needed
    network_settings = ("dueling", "noisy", "layer_norm", "distribution", "atoms", "v_min", "v_max", "huber")
    policy: Any

    @passes_on_to(StableDQN.__init__)
    def __init__(
        self,
        policy: Any,
        env: Any,
        *args: Any,
        replay_ratio: float | None = None,
        double: bool = False,
        dueling: bool = False,
        noisy: bool = False,
        layer_norm: bool = False,
        distribution: str | None = None,
        atoms: int | None = None,
        v_min: float = -10.0,
        v_max: float = 10.0,
        munchausen: bool = False,
        munchausen_temperature: float = 0.03,
        munchausen_alpha: float = 0.9,
        munchausen_lowest: float = -1.0,
        prioritized: bool = False,
        priority_exponent: float = 0.6,
        importance_exponent: float = 0.4,
        huber: bool = True,
        exploration_spread: float = 0.0,
        save_replay: bool = True,
        time_limit: float | None = None,
        num_threads: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._begin(policy, time_limit, num_threads)
        self.replay_ratio, self.double, self.dueling, self.noisy = replay_ratio, double, dueling, noisy
        self.layer_norm, self.distribution, self.atoms = layer_norm, distribution, atoms
        self.v_min, self.v_max, self.munchausen = v_min, v_max, munchausen
        self.munchausen_temperature, self.munchausen_alpha = munchausen_temperature, munchausen_alpha
        self.munchausen_lowest, self.prioritized = munchausen_lowest, prioritized
        self.priority_exponent, self.importance_exponent = priority_exponent, importance_exponent
        self.huber, self.exploration_spread, self.save_replay = huber, exploration_spread, save_replay
        super().__init__(policy, env, *args, **kwargs)

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
        self.replay = self._other_memory()  # made when training begins, if it is None
        self.kept = 0  # rows of the memory that were written, known without waiting for the device
        self.debt = 0.0  # transitions that were to be learned from, but for which there was no whole minibatch yet
        self.rebuild()

    def rebuild(self) -> None:
        super().rebuild()
        self._convert_train_freq()
        self._create_aliases()
        self.batch_norm_stats = get_parameters_by_name(self.q_net, ["running_"])
        self.batch_norm_stats_target = get_parameters_by_name(self.q_net_target, ["running_"])
        self.learner = QLearner(self)

    def _other_memory(self) -> StableMemory | None:
        """A buffer of Stable-Baselines3's or the user's, if that is asked for, or if a class stores in a way of its own."""
        asked = self.replay_buffer_class or self.replay_buffer_kwargs or self._overrides("_store_transition")
        return StableMemory(self) if asked else None

    def _overrides(self, method: str) -> bool:
        """Whether a class of the user's has another of that name."""
        return getattr(type(self), method) is not getattr(DQN, method)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if isinstance(self.replay_buffer, HerReplayBuffer) and self.env is not None:
            self.replay_buffer.set_env(self.env)  # without which Stable-Baselines3 copies it
        if self.env is not None and self.replay is not None and self._last_obs is not None:
            self.prepare()  # so that the memory hears of it if the games begin anew

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
            warnings.warn(
                f"{type(self).__name__}.predict is not asked in training: Ludus's DQN acts by loops", stacklevel=6
            )
        frequency = self.train_freq
        if not isinstance(frequency, (int, TrainFreq)) and tuple(frequency)[1] != "step":
            raise OptionError(f"train_freq must count steps, got {frequency!r}: give a whole number")

    def setting(self, name: str) -> Any:
        value = super().setting(name)
        return value[0] if isinstance(value, tuple) else value  # train_freq, with or without its unit

    # -- checkpoints ---------------------------------------------------------------------------------------------------

    def own_state(self) -> dict[str, torch.Tensor]:
        if self.replay is None:
            self.prepare()
        assert self.replay is not None
        tensors = {"numbers": torch.tensor([self.debt, self.exploration_rate], dtype=torch.float64)}
        if self.save_replay:
            state = self.replay.state().items()
            tensors |= {f"replay.{name}": tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state}
        return tensors

    def own_rows(self) -> dict[str, int]:
        if not self.save_replay:
            return {}
        return {f"replay.{n}": len(x) for n, x in self.replay.state().items() if n.startswith("finals.obs")}

    @property
    def replay_buffer(self) -> Any:  # type: ignore[override]
        """The memory under Stable-Baselines3's names, see `replay_view.ReplayView`."""
        if not hasattr(self, "learner"):
            return None
        if self.replay is None:
            provide_replay(self, unseen_adapter(self))
        memory: Any = self.replay
        return memory.buffer if isinstance(memory, StableMemory) else ReplayView(memory)

    @replay_buffer.setter
    def replay_buffer(self, value: Any) -> None:  # type: ignore[override]
        memory = getattr(self, "replay", None)
        if isinstance(memory, StableMemory):
            memory.buffer = value
        elif value is None:
            self.replay = None
        else:
            raise OptionError("replay_buffer cannot be replaced: fill it by load_replay_buffer, add or extend")

    def save_replay_buffer(self, path: Any) -> None:
        """Write the memory to a file or an open file, see `replay_view.write_replay`; raises CheckpointError.

        A `replay_buffer_class` is pickled, as Stable-Baselines3 does it.
        """
        if isinstance(self.replay, StableMemory):
            return super().save_replay_buffer(path)
        self.prepare()
        assert self.adapter is not None
        write_replay(self.replay, self.adapter.obs, path)

    def load_replay_buffer(self, path: Any, truncate_last_traj: bool = True) -> None:
        """Read the memory from there, of as many games; `buffer_size` becomes that of the file. Raises CheckpointError.

        A `replay_buffer_class` is unpickled, as Stable-Baselines3 does it: read files of your own alone.

        Args:
            truncate_last_traj: the games will begin anew, which cuts their last episodes off; False where they stand as
                they stood.
        """
        if isinstance(self.replay, StableMemory):
            return super().load_replay_buffer(path, truncate_last_traj)
        if not truncate_last_traj:
            self.prepare()
        adapter = self.adapter or unseen_adapter(self)
        self.replay = read_replay(partial(make_replay, self, adapter), adapter, path, truncate_last_traj)
        self.buffer_size = self.replay.steps * self.replay.games
        self._replay_settings = replay_settings(self, adapter)
        self.kept = int(self.replay.count)
        if self.adapter is not None:
            self._memorize_by_loops()

    def load_own_state(self, tensors: dict[str, torch.Tensor]) -> None:
        self.debt, self.exploration_rate = tensors["numbers"].tolist()
        if not (0 <= self.debt < self.batch_size and 0 <= self.exploration_rate <= 1):
            raise OptionError(
                f"no training owes {self.debt} transitions or explores at a rate of {self.exploration_rate}: "
                "the file is damaged"
            )
        if self.save_replay and isinstance(self.replay, ReplayTensors):
            self.replay.load(
                {name.removeprefix("replay."): x for name, x in tensors.items() if name.startswith("replay.")}
            )
            self.kept = int(self.replay.count)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _forget_games(self) -> None:
        self.replay, self.adapter, self.kept = self._other_memory(), None, 0

    def _begin_anew(self) -> None:
        if self.adapter is not None:
            self.replay.break_off(self.adapter)
            self.kept = int(self.replay.count)

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
        self.learner.refresh()
        self.learner.refresh_target()
        if isinstance(self.replay, ReplayTensors):
            self.replay.expect(self.batch_size)
        self.start_time = time.time_ns()  # to make room for the memory may take a while
        return answer

    def prepare(self) -> None:
        """The games and room to remember them; raises OptionError if there is not enough."""
        if self.adapter is not None:
            return
        if self._last_obs is None and self.env is not None:
            self._last_obs = self.env.reset()  # type: ignore[assignment]
        self.adapter = adapter_of(self)
        provide_replay(self, self.adapter)
        self.steps = Steps(self.train_freq.frequency, self.adapter.num_envs, self.device)  # type: ignore[union-attr]
        self.epsilon = torch.zeros(self.adapter.num_envs, device=self.device)
        self.collector = self._make_rounds(self.steps, judged=False)
        self._memorize_by_loops()
        self.play = self._play
        if on_gpu(self.device) and self.simulator is not None:
            self.play = Graphed(self._play, self.device, self.constants, self.generators[:1])

    def _memorize_by_loops(self) -> None:
        """Where there are loops for this memory."""
        self._keep_obs = self._remember_step = None
        if self.collector is not None and isinstance(self.replay, ReplayTensors) and self.replay.frame_stack == 1:
            self._keep_obs = self.collector.keeps(self.replay.frames, self.replay.row)
            self._remember_step = self.collector.remembers(self.replay)

    def _keep(self) -> None:
        """What a step is decided on."""
        if self._keep_obs is None:
            self.replay.begin(self.adapter)
        else:
            self._keep_obs()
            self.replay.keep_masks(self.adapter)

    def _remember(self, on_step: Any, t: int, ended: int) -> bool:
        """What came of it; returns False if `on_step(t)` asks to stop."""
        if self._remember_step is None:
            self.replay.end(self.adapter, self.collector.chosen)  # type: ignore[union-attr]
        else:
            self.pool.run(self._remember_step)
            self.replay.advance(self.adapter, ended)
        return on_step is None or on_step(t)

    def collect_rollouts(self, env: Any, callback: BaseCallback, *_: Any, **kwargs: Any) -> RolloutReturn:
        """Play `train_freq` steps in every game, with exploration; see `_play_and_tell`."""
        if self._time_is_up():
            return RolloutReturn(0, 0, False)
        assert self.adapter is not None
        self._set_training_mode(False)
        before, self._log_interval = self.num_timesteps, kwargs.get("log_interval")
        callback.on_rollout_start()
        self._look_ahead()
        going = self._play_and_tell(callback, self.steps)
        if going:
            check_rollout(self.steps, before, self.replay.newest(self.train_freq.frequency))  # type: ignore[union-attr]
        self.kept = self.kept + self.train_freq.frequency if on_gpu(self.device) else int(self.replay.count)  # type: ignore[union-attr]
        self._n_calls += (self.num_timesteps - before) // self.n_envs
        self._follow(before)
        self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
        callback.update_locals(locals())
        callback.on_rollout_end()
        self._log(self._log_interval)
        return RolloutReturn(self.num_timesteps - before, 0, going)

    def _look_ahead(self) -> None:
        """How much is explored in this rollout."""
        self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
        self.exploration_rate = self.exploration_schedule(self._current_progress_remaining)
        if self.num_timesteps < self.learning_starts:
            self.epsilon.fill_(1.0)
        elif self.noisy:
            self.exploration_rate = 0.0
            self.epsilon.zero_()
        else:
            spread(self.exploration_rate, self.exploration_spread, out=self.epsilon)

    def obs_of(self, t: int) -> Any:
        rows = len(self.steps.actions)
        if t == rows:
            return self.present_obs().copy()
        if isinstance(self.replay, StableMemory):
            return self.replay.obs_before(rows - t)
        row = (self.replay.row - rows + t) % self.replay.steps
        return each(lambda x: x.cpu().numpy(), self.replay.obs(row * self.replay.games + self.replay._columns))

    def step_locals(self, t: int) -> dict[str, Any]:
        steps = self.steps
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

    def _play(self, on_step: Any = None) -> bool:
        assert self.adapter is not None
        generator = self.generators[0]
        if self.noisy:
            self.learner.draw_noise(generator)
        if self.collector is not None:
            return self.collector.play(generator, self._keep, partial(self._remember, on_step))
        return explore(self.adapter, self.learner.values, self.replay, self.steps, self.epsilon, generator, on_step)

    def _follow(self, before: int) -> None:
        """The target network follows the online one, where it is due."""
        interval = max(self.target_update_interval // self.n_envs, 1) * self.n_envs
        if self.num_timesteps // interval > before // interval:
            self.learner.follow(self.tau)

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Learn from the memory, so many minibatches or, with `replay_ratio`, as much as is due."""
        rate = self.lr_schedule(self._current_progress_remaining)
        self.learner.optimizer_step.set_learning_rate(rate)
        self.logger.record("train/learning_rate", rate)
        self._count_kept()
        updates = self._updates_due(gradient_steps, batch_size)
        if not updates:
            return
        start = self.importance_exponent
        self.learner.beta.fill_(start + (1 - start) * (1 - self._current_progress_remaining))
        self._set_training_mode(True)
        self.learner.learn(updates, batch_size)
        self.logger.record("train/n_updates", self._n_updates)
        if not on_gpu(self.device):
            self._record_losses()

    def _count_kept(self) -> None:
        """Of a memory that was filled by hand, too; in a training on a GPU they are known without waiting for it."""
        if self.replay is None:
            self.prepare()
        if not (on_gpu(self.device) and self.kept):
            self.kept = int(self.replay.count)  # type: ignore[union-attr]

    def _updates_due(self, gradient_steps: int, batch_size: int) -> int:
        """Minibatches to learn from after a rollout; none while the memory has nothing to draw."""
        first = self.learning_starts // self.n_envs if self.start_time else 0  # who calls `train` alone wants to learn
        if self.kept <= max(self.n_steps + self.replay.frame_stack - 1, first):
            return 0
        if self.replay_ratio is None:
            return gradient_steps
        assert isinstance(self.train_freq, TrainFreq)
        self.debt += self.train_freq.frequency * self.n_envs * self.replay_ratio
        updates = int(self.debt // batch_size)
        self.debt -= updates * batch_size
        return updates

    def _record_losses(self) -> None:
        """Of the last minibatch; waits for the device."""
        self.logger.record("train/loss", float(self.learner.loss))
        self.logger.record("train/q_value", float(self.learner.mean_value))

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
