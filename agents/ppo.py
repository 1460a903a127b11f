"""Proximal policy optimisation (Schulman et al. 2017), with Stable-Baselines3's interface.

`PPO` is a subclass of Stable-Baselines3's: constructor, `learn`, `predict`, callbacks and logger are its own. What differs
is the hot path: `player.Player` plays and looks back, `learner.Learner` learns, all on tensors. On a Ludus simulator no
Python runs for a single game; any other `VecEnv` takes the same path behind `worlds`.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3 import PPO as StablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from ..envs import OptionError, Simulator
from .backprop import backprop_of
from .checkpoint import environment_facts, load_agent, save_agent
from .distributed import Group
from .guard import check_rollout
from .hardware import choose_precision, default_threads, threads_worth
from .heads import head_of
from .learner import Learner
from .loops import Crew
from .networks import POLICIES, think
from .normalize import RewardNormalizer
from .planes import shortcut_of
from .player import Player
from .reports import tell_rollout, tell_step
from .resume import capture
from .rollout import RolloutTensors
from .workers import Workers, undivided
from .worlds import VecEnvWorld, games_by_name, simulator_of

# Fewer are not worth another thread. Where threads run Python, it must be woken, and one runs at a time.
GAMES_A_THREAD, SAMPLES_A_THREAD = 512, 1024
ROWS_A_THREAD = 64  # of a loop in `backprop`


class PPO(StablePPO):
    """PPO on tensors.

    Takes what Stable-Baselines3's `PPO` takes, but for `use_sde`; in addition:

    Args:
        policy: also one of Ludus's networks, "mlp", "cnn", "nature" or "impala" (see `networks`); `policy_kwargs` may
            have `normalize_obs=True`, and `memory="lstm"` or `"mingru"` for a recurrent policy.
        env: also the name of a Ludus game, such as "Breakout" (then eight games are made).
        normalize_reward: divide rewards by the running standard deviation of returns.
        time_limit: end training after this many seconds, and anneal schedules by the clock where it is ahead of the
            steps; None: steps alone decide.
        precision: of the encoder's arithmetic, "fp32", "bf16" (weights stay in fp32) or "auto": bf16 where the processor
            has instructions for it and PyTorch computes.
        num_threads: CPU threads that share the games and each minibatch; None: all cores, as far as the work is worth
            it. Results repeat to the last bit for the same number and, where `backprop` computes, for any.
        group: the processes that learn this policy together, each from its own games (see `distributed`); `num_timesteps`
            counts the steps of all.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {**POLICIES}
    rollout_buffer: Any
    policy: Any

    def __init__(
        self,
        policy: Any,
        env: Any,
        *args: Any,
        normalize_reward: bool = False,
        time_limit: float | None = None,
        precision: str = "fp32",
        num_threads: int | None = None,
        group: Group | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("use_sde"):
            raise OptionError("use_sde is not for this PPO: leave it out, or take stable_baselines3.PPO")
        if num_threads is not None and num_threads < 1:
            raise OptionError(f"num_threads must be 1 or more, got {num_threads!r}")
        if isinstance(env, str):
            env = games_by_name(env, kwargs.get("seed")) or env
        self.policy_name = policy if isinstance(policy, str) else policy.__name__
        self.time_limit, self.precision = time_limit, choose_precision(precision)
        self._any_precision = precision == "auto"
        self.num_threads, self.normalize_reward = num_threads or default_threads(), normalize_reward
        self.group = group
        self.simulator: Simulator | None = None
        self.channels_first = False
        self.environment: dict[str, Any] = {}
        self.elapsed_before = 0.0  # seconds of training that this run had in earlier processes
        super().__init__(policy, env, *args, **kwargs)

    def _setup_model(self) -> None:
        if self.env is not None:
            self.environment = environment_facts(self.env)
            self.simulator, self.channels_first = simulator_of(self.env)
        self.rollout_buffer_class = RolloutTensors  # type: ignore[assignment]
        super()._setup_model()
        for name, value in (
            ("head", head_of(self.action_space)),
            ("core", None),
            ("normalizer", None),
            ("shortcut", None),
        ):
            if not hasattr(self.policy, name):  # a policy class of the user's, or Stable-Baselines3's own
                setattr(self.policy, name, value)
        self.reward_normalizer = (
            RewardNormalizer(self.n_envs, self.gamma, self.group).to(self.device) if self.normalize_reward else None
        )
        on_cpu = self.device.type == "cpu"
        if on_cpu:
            self.policy.shortcut = shortcut_of(self.policy)
        self.crew = Crew(threads_worth(self.num_threads, max(self.batch_size, self.n_envs) // ROWS_A_THREAD))
        fits = on_cpu and (self._any_precision or self.precision == "fp32")
        self.backprop = backprop_of(self.policy, self.crew) if fits else None
        if self.backprop is not None:
            self.precision = "fp32"
        shares = 1 if self.backprop or not on_cpu else self.num_threads  # results depend on these two:
        self.play_threads = threads_worth(shares, self.n_envs // GAMES_A_THREAD) if self.simulator else 1
        if self.simulator is not None and self.simulator.num_players > 1:
            self.play_threads = 1
        self.learn_threads = threads_worth(shares, self.batch_size // SAMPLES_A_THREAD)
        self._seed_generators()
        if self.group is not None:
            self.group.share([*self.policy.parameters(), *self.policy.buffers()])
        self.boundary: dict[str, Any] | None = None  # where the rollout in progress began; see `resume`
        self.workers: Workers | None = None
        self.player = Player(self)
        self.learner = Learner(self)

    def set_random_seed(self, seed: int | None = None) -> None:
        """Seed everything random: Python, NumPy, PyTorch, the environments, exploration and the order of minibatches."""
        super().set_random_seed(seed)
        if hasattr(self, "generators"):
            self._seed_generators(seed)

    def _seed_generators(self, seed: int | None = None) -> None:
        """One generator for each share of the games, and the last for the order of minibatches."""
        seed = self.seed if seed is None else seed
        states = np.random.SeedSequence(seed, spawn_key=(self.rank,)).generate_state(self.play_threads + 1, np.uint64)
        self.generators = [torch.Generator(self.device) for _ in states]
        for generator, state in zip(self.generators, states.tolist(), strict=True):
            generator.manual_seed(state >> 1)

    @property
    def rank(self) -> int:
        return 0 if self.group is None else self.group.rank

    @property
    def steps_at_once(self) -> int:
        """Environment steps that the games of all processes take together."""
        return self.n_envs * (1 if self.group is None else self.group.size)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def learn(self, *args: Any, **kwargs: Any) -> PPO:
        """Train, as Stable-Baselines3's `learn`; PyTorch's own threads rest meanwhile (see `workers`)."""
        self.workers = Workers(max(self.play_threads, self.learn_threads))
        try:
            with undivided() if self.device.type == "cpu" else nullcontext():
                return super().learn(*args, **kwargs)
        finally:
            self.workers.close()
            self.workers = None
            self.crew.close()
            self.elapsed_before, self.start_time = self.elapsed(), 0

    def _setup_learn(
        self, total_timesteps: int, callback: Any = None, reset_num_timesteps: bool = True, *args: Any, **kwargs: Any
    ) -> Any:
        self.boundary = None
        answer = super()._setup_learn(total_timesteps, callback, reset_num_timesteps, *args, **kwargs)
        if reset_num_timesteps:
            self.elapsed_before = 0.0
            if self.player.memory is not None:
                self.player.memory.zero_()
        return answer

    def collect_rollouts(self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int) -> bool:
        """Play `n_rollout_steps` in every game and look back; returns False if the time is up or a callback says so.

        Callbacks hear of the steps in other libraries' environments as they happen, and in Ludus's games when the
        rollout is over, one call for each step.
        """
        if self._time_is_up():
            return False
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        data, before = rollout_buffer, self.num_timesteps
        self.player.prepare()
        if self.device.type == "cpu":
            self.boundary = capture(self)
        if self.simulator is None:
            world = self.player.worlds[0]
            assert isinstance(world, VecEnvWorld)
            going = self.player.play_part(on_step=partial(tell_step, self, callback, world, data))
        else:
            self.player.play()
            self.simulator.check()
            going = tell_rollout(self, callback, data)
        if self._any(not going):
            return False
        check_rollout(data, before)
        self.player.look_back()
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def autocast(self) -> AbstractContextManager[Any]:
        """What the encoder computes in."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    # -- the update ----------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Fit the policy to the rollout for `n_epochs`."""
        self.policy.set_training_mode(True)
        rate = self.lr_schedule(self._current_progress_remaining)
        self.learner.set_learning_rate(rate)
        self.logger.record("train/learning_rate", rate)
        self.learner.learn(self.rollout_buffer)
        self._log_update()
        if self.policy.normalizer is not None:
            self.policy.normalizer.update(self.rollout_buffer.obs.flatten(0, 1), self.group)
        self.boundary = None

    def _log_update(self) -> None:
        """Stable-Baselines3's tags."""
        data, learner, record = self.rollout_buffer, self.learner, self.logger.record
        for name, value in learner.means.items():
            record(f"train/{name}", value)
        spread = (data.advantages + data.values).var()
        record("train/explained_variance", float(1 - data.advantages.var() / spread) if spread > 0 else float("nan"))
        if hasattr(self.policy, "log_std"):
            record("train/std", float(self.policy.log_std.detach().exp().mean()))
        record("train/n_updates", self._n_updates, exclude="tensorboard")
        record("train/clip_range", float(learner.clip))
        if self.clip_range_vf is not None:
            record("train/clip_range_vf", float(learner.clip_vf))

    # -- time ----------------------------------------------------------------------------------------------------------

    def elapsed(self) -> float:
        """Seconds of training so far, those before a resume included."""
        return self.elapsed_before + ((time.time_ns() - self.start_time) / 1e9 if self.start_time else 0.0)

    def _time_is_up(self) -> bool:
        return self.time_limit is not None and self._any(self.elapsed() >= self.time_limit)

    def _any(self, flag: bool) -> bool:
        """Whether it is true here or, in a group, anywhere."""
        return flag if self.group is None else self.group.any(flag)

    def _update_current_progress_remaining(self, num_timesteps: int, total_timesteps: int) -> None:
        super()._update_current_progress_remaining(num_timesteps, total_timesteps)
        if self.time_limit is not None:
            left = max(0.0, 1.0 - self.elapsed() / self.time_limit)
            self._current_progress_remaining = min(self._current_progress_remaining, left)
            if self.group is not None:
                self._current_progress_remaining = self.group.first(self._current_progress_remaining)

    # -- what an agent says of an observation --------------------------------------------------------------------------

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False, **more: Any
    ) -> tuple[np.ndarray, Any]:
        """Actions for observations (N, ...), and a recurrent policy's state; see `networks.ActorCritic.predict`."""
        return self.policy.predict(observation, state, episode_start, deterministic, **more)

    @torch.no_grad()
    def explain(self, obs: Any, state: Any = None, action_masks: np.ndarray | None = None) -> tuple[Any, Any]:
        """Action probabilities (N, A) and values (N,) of observations (N, ...), as NumPy arrays; the rest as `predict`'s."""
        self.policy.set_training_mode(False)
        tensor, _ = self.policy.obs_to_tensor(obs)
        memory = None
        if self.policy.core is not None:
            n = len(obs)
            memory = self.policy.core.initial_state(n, self.device) if state is None else torch.as_tensor(state[0])
        with self.autocast():
            mask = None if action_masks is None else torch.as_tensor(action_masks, device=self.device)
            params, values, _ = think(self.policy, tensor, memory, mask)
        return params.softmax(-1).cpu().numpy(), values.cpu().numpy()

    # -- checkpoints ---------------------------------------------------------------------------------------------------

    def save(self, path: Any, exclude: Any = None, include: Any = None, keep: int = 1, resumable: bool = True) -> None:
        """Write the agent into the folder `path`; see `checkpoint.save_agent`. Raises CheckpointError."""
        save_agent(self, Path(path), keep, resumable)

    @classmethod
    def load(  # type: ignore[override]
        cls, path: Any, env: Any = None, device: Any = "auto", *_: Any, resume: bool = False, **kwargs: Any
    ) -> PPO:
        """Read an agent from the folder `path`; nothing in it is executed. See `checkpoint.load_agent`.

        Raises CheckpointError.
        """
        return load_agent(Path(path), env, device, resume)
