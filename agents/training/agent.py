"""What all agents have in common: environments on tensors, settings, random generators, time and the log."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from copy import copy
from inspect import Signature
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import check_for_correct_spaces

from ...envs import Simulator
from ..checkpoints.encoder_file import for_game, with_encoder
from ..checkpoints.env_spec import environment_facts
from ..checkpoints.schema import SCHEMAS
from ..data.env_adapters import games_by_name, simulator_of
from ..files.config import arguments_of
from ..runtime.hardware import default_threads, device_beside
from .arguments import (
    bound,
    check_device,
    check_env,
    check_fixed,
    check_objects,
    check_policy,
    check_policy_kwargs,
    check_settings,
)  # fmt: skip
from .callbacks import Lazy, is_users
from .changes import FollowsChanges
from .display import Displayed
from .learn_call import learn_call
from .logs import record_hparams
from .options import AgentConfig
from .signatures import give_constructor, passes_on_to

if TYPE_CHECKING:
    Base = BaseAlgorithm
    from ..compiled.kernel import ThreadPool
    from ..runtime.distributed import Group
else:
    Base = object

ATTRIBUTES = {"stats_window_size": "_stats_window_size"}  # of arguments that Stable-Baselines3 keeps under another name


class Agent(Displayed, FollowsChanges, Base):
    """To be put before one of Stable-Baselines3's algorithms.

    Attributes:
        simulator: whose games are learned from, or None for other environments.
        channels_first: whether observations are images that were turned for PyTorch.
        environment: what games those are, as `checkpoint.make_environment` takes it.
        generators: one for each share of the games, and the last for learning.
        boundary: what the games began a rollout from, if an update may still begin there again; see `training_state`.
    """

    algorithm: ClassVar[str]  # its name in files and on the command line
    config: ClassVar[type[AgentConfig]]  # its options
    fixed: ClassVar[Mapping[str, Any]] = {}  # arguments of Stable-Baselines3's constructor that are no options here
    constructor: ClassVar[Signature]
    network_settings: ClassVar[tuple[str, ...]] = ()  # names of those that are part of the networks
    policy_base: ClassVar[type[BasePolicy]]  # of policies of the user's
    stable_policies: ClassVar[Mapping[type, str]] = {}  # names that stand for classes of Stable-Baselines3's
    off_policy: ClassVar[bool] = False  # its replay buffer has a step before callbacks are called for it
    acts_on_values: ClassVar[bool] = False  # what it says of actions is what they are worth, else how likely they are
    group: Group | None = None
    stable_names: ClassVar[frozenset[str]]  # of arguments of Stable-Baselines3's constructor
    boundary: dict[str, Any] | None = None
    made_to_play = False  # by `load`, in one game that nobody asked for
    play_threads = learn_threads = 1
    reward_scale, loaded_reward_scale = 1.0, 0.0  # see `OnPolicyActorCritic.reward_scale`
    pool: ThreadPool
    _shown: Any = None  # `_last_obs`, or what makes it
    _learning: Any = None  # by whom, see `learn_call`

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The options of the config are attributes."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the constructor of an algorithm from its config, and the arguments in its documentation."""
        super().__init_subclass__(**kwargs)
        if "config" in vars(cls):
            give_constructor(cls, Agent)

    def __init__(self, policy: Any, env: Any, *args: Any, **kwargs: Any) -> None:
        """Check all arguments, set options as attributes, and call Stable-Baselines3's constructor with those it has.

        The name of a game becomes an environment, and the agent is on the device where Ludus's games are.
        """
        check_policy(type(self), policy)
        policy = self.stable_policies.get(policy, policy)
        given = bound(type(self), policy, env, *args, **kwargs)
        check_objects(type(self), given)
        given["policy_kwargs"] = with_encoder(given.get("policy_kwargs"))
        if isinstance(given.get("tensorboard_log"), os.PathLike):
            given["tensorboard_log"] = os.fspath(given["tensorboard_log"])
        stable = self._set_options(given)
        check_settings(self, **stable)
        check_device(asked := given.get("device", "auto"))
        if given.get("_init_setup_model", True):  # else it is `load`, with what a file says
            check_policy_kwargs(type(self), policy, given.get("policy_kwargs"))
        if isinstance(env, str):
            place = "cpu" if asked == "auto" else str(asked)
            stable["env"] = games_by_name(env, given.get("seed"), place) or env
        elif env is not None or given.get("_init_setup_model", True):
            check_env(env)
        games: Any = stable["env"]
        simulator, _ = simulator_of(games)
        if simulator is not None:
            stable["device"] = device_beside(simulator.device, asked)
            stable["policy_kwargs"] = for_game(stable.get("policy_kwargs"), simulator)
        self.policy_name = policy if isinstance(policy, str) else policy.__name__
        self.simulator: Simulator | None = None
        self.channels_first = False
        self.environment: dict[str, Any] = {}
        self._played: Any = None  # the environment of the last training
        self.elapsed_before = 0.0  # seconds of training that this run had in earlier processes
        super().__init__(**stable)

    def _set_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Set options that Stable-Baselines3's constructor does not take; returns the arguments for it, by name."""
        options = {name: option.default for name, option in arguments_of(self.config).items()}
        options |= {name: value for name, value in given.items() if name in options}
        for name in options.keys() - self.stable_names:
            setattr(self, name, options[name])
        if self.num_threads is None:
            self.num_threads = default_threads()
        arguments = {**self.fixed, **options, **given}
        return {name: value for name, value in arguments.items() if name in self.stable_names}

    @staticmethod
    def _wrap_env(env: Any, *args: Any, **kwargs: Any) -> Any:
        check_env(env)
        return BaseAlgorithm._wrap_env(env, *args, **kwargs)

    @passes_on_to(OnPolicyAlgorithm.learn)
    def learn(self, *args: Any, **kwargs: Any) -> Any:
        """Train, as Stable-Baselines3's `learn`; see `learn_call`."""
        with learn_call(self, super().learn, args, kwargs):
            return super().learn(*args, **kwargs)

    # -- what is there when training begins ----------------------------------------------------------------------------

    def rebuild(self) -> None:
        """Make all that depends on environment, policy, optimizer and settings anew, from those that are there now.

        `learn` begins with it, so that whatever was replaced is used. Raises OptionError for what cannot be.
        """
        raise NotImplementedError

    def _forget_games(self) -> None:
        """What belongs to the games of now goes with them, since others come, of another number."""

    def _begin_anew(self) -> None:
        """The games are about to be left where they are: by a reset, or for others."""

    def _setup_learn(
        self, total_timesteps: Any, callback: Any = None, reset_num_timesteps: bool = True, *args: Any, **kwargs: Any
    ) -> Any:
        self.boundary = None
        if reset_num_timesteps or self._last_obs is None or self._played not in (None, self.env):
            self._begin_anew()
        check_settings(self)
        check_fixed(self, self._fixed)
        self.rebuild()
        self.optimizer_step.check()
        self._played = self.env
        answer = super()._setup_learn(total_timesteps, callback, reset_num_timesteps, *args, **kwargs)  # type: ignore[arg-type]
        self.has_users_callback = is_users(answer[1])
        self._watch_changes()
        if self.network is not None:
            self.logger.log(f"Network: {self.network.why}")  # on the terminal, if verbose is 1 or more
        if self.tensorboard_log is not None and reset_num_timesteps:
            record_hparams(self)
        if reset_num_timesteps:
            self.elapsed_before = 0.0
        return answer

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Learn in other environments from now on, as many and with the same spaces; as Stable-Baselines3's `set_env`.

        An agent that was loaded without an environment has one game to play in, and takes as many as there are here.
        """
        if self.made_to_play:
            env = self._wrap_env(env, self.verbose)
            check_for_correct_spaces(env, self.observation_space, self.action_space)
            self.made_to_play, self.n_envs = False, env.num_envs
            self._forget_games()
        super().set_env(env, force_reset)
        self.boundary = None
        self._look_at_env()

    def _remember_settings(self) -> None:
        """What the networks are made with, which cannot change any more."""
        self._fixed = {name: copy(getattr(self, name)) for name in ("policy_kwargs", *self.network_settings)}

    def _setup_lr_schedule(self) -> None:
        super()._setup_lr_schedule()
        self._scheduled_rate = self.learning_rate

    def _renew_schedules(self) -> None:
        """Schedules follow the settings that they were made from, where those were changed since."""
        if self.learning_rate != self._scheduled_rate:
            self._setup_lr_schedule()

    def _look_at_env(self) -> None:
        if self.env is not None:
            self.environment = environment_facts(self.env)
            self.simulator, self.channels_first = simulator_of(self.env)
        if self.simulator is not None:
            device_beside(self.simulator.device, self.device)

    def set_random_seed(self, seed: int | None = None) -> None:
        """Seed everything random: Python, NumPy, PyTorch, the environments, exploration and the order of minibatches."""
        super().set_random_seed(seed)
        if hasattr(self, "generators"):
            self._seed_generators(len(self.generators), seed)

    def _provide_generators(self, count: int) -> None:
        """So many: those that there are, unless their number changed."""
        if len(getattr(self, "generators", ())) != count:
            self._seed_generators(count)

    def _seed_generators(self, count: int, seed: int | None = None) -> None:
        """Seed those that there are, since graphs know them; make them at first."""
        seed = self.seed if seed is None else seed
        states = np.random.SeedSequence(seed, spawn_key=(self.rank,)).generate_state(count, np.uint64)
        if len(getattr(self, "generators", ())) != count:
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

    def constants(self) -> tuple[Any, ...]:
        """All settings as they are now; what is captured in a CUDA graph goes on with those of the capture."""
        schema = SCHEMAS[self.algorithm]
        return tuple(self.setting(name) for name in (*schema.settings, *schema.schedules))

    # -- when training ends --------------------------------------------------------------------------------------------

    def _end_learning(self) -> None:
        """Threads, the progress bar and the clock rest until the next training, however this one ended."""
        self.pool.close()
        self._end_display()
        if self.simulator is not None and self._last_obs is not None:
            self._last_obs = self.present_obs()
        self.elapsed_before, self.start_time = self.elapsed(), 0

    # -- what callbacks are called with --------------------------------------------------------------------------------

    if not TYPE_CHECKING:  # for whom it is the attribute of Stable-Baselines3's

        @property
        def _last_obs(self) -> Any:
            """Observations that the next actions are for."""
            if isinstance(self._shown, Lazy):
                self._shown = self._shown()
            return self._shown

        @_last_obs.setter
        def _last_obs(self, obs: Any) -> None:
            self._shown = obs

    def obs_of(self, t: int) -> Any:
        """Observations (N, ...) that step t of the rollout was decided on, or those after its last; a NumPy array."""
        raise NotImplementedError

    def step_locals(self, t: int) -> dict[str, Any]:
        """The other local variables that Stable-Baselines3's `collect_rollouts` has at step t; some are `Lazy`."""
        raise NotImplementedError

    def present_obs(self) -> Any:
        """What Ludus's games show now, (N, ...); in their own memory, if that is a CPU's."""
        assert self.simulator is not None
        obs = self.simulator.tensors.obs.reshape(-1, *self.simulator.obs_shape)
        return (obs.permute(0, 3, 1, 2) if self.channels_first else obs).cpu().numpy()

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

    def explain(self, obs: Any, state: Any = None, action_masks: np.ndarray | None = None) -> tuple[Any, Any]:
        """What there is to be said of each action (N, A), and values (N,), of observations (N, ...); as NumPy arrays."""
        raise NotImplementedError

    # -- settings ------------------------------------------------------------------------------------------------------

    def setting(self, name: str) -> Any:
        """An argument of the constructor, as the constructor takes it."""
        return getattr(self, ATTRIBUTES.get(name, name))

    @staticmethod
    def network_arguments(settings: dict[str, Any]) -> dict[str, Any]:
        """What the policy is told beside `policy_kwargs`, by settings of the algorithm."""
        return {}
