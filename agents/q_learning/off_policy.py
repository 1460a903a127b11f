"""What an agent with a replay buffer has: how the buffer is made, saved, loaded and shown."""

from __future__ import annotations

import math
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3 import DQN as StableDQN
from stable_baselines3.her import HerReplayBuffer

from ...envs import OptionError
from ..data.env_adapters import EnvAdapter, observed_space, unseen_adapter
from ..data.replay_buffer import ReplayTensors
from ..files.safe_io import MAX_NUMBERS
from ..runtime.hardware import available_memory
from .base import QAgent
from .replay_view import ReplayView, read_replay, write_replay
from .sb3_replay import StableReplay

START_ANEW = "make a new agent, or set replay = None, which drops what it holds"
BYTES_BESIDE_OBS = 48  # of a transition, at most, action masks aside


class OffPolicyAgent(QAgent, StableDQN):
    """An agent that learns from a replay buffer.

    Attributes:
        replay: a `ReplayTensors`, or a `StableReplay` around a buffer of Stable-Baselines3's; None until it is needed.
        rows_stored: rows of it that were written, known without waiting for the device.
        transitions_due: transitions to learn from by `replay_ratio`, for which there was no whole minibatch yet.
    """

    off_policy = True
    replay: Any
    prioritized: bool
    save_replay: bool
    rows_stored: int
    transitions_due: float
    collector: Any

    def prepare(self) -> None:
        """Make the adapter, the replay buffer and the collector; raises OptionError if there is not enough room."""
        raise NotImplementedError

    # -- making --------------------------------------------------------------------------------------------------------

    def _stable_replay(self) -> StableReplay | None:
        """A buffer of Stable-Baselines3's or the user's, if one is asked for or `_store_transition` is overridden."""
        asked = self.replay_buffer_class or self.replay_buffer_kwargs or self._overrides("_store_transition")
        return StableReplay(self, self.prioritized) if asked else None

    def _overrides(self, method: str) -> bool:
        """Whether a class of the user's has a method of that name."""
        return getattr(type(self), method) is not getattr(OffPolicyAgent, method)

    def _provide_replay(self, adapter: EnvAdapter) -> None:
        """Make the replay buffer, or use the one that is there; raises OptionError if it cannot hold these games' steps."""
        if isinstance(self.replay, StableReplay):
            return
        if self._vec_normalize_env is not None:  # its statistics go on, so what is stored must not be normalised yet
            if self.replay is not None and int(self.replay.count):
                raise OptionError(f"the replay buffer was filled without VecNormalize: {START_ANEW}")
            self.replay = StableReplay(self, self.prioritized)
            return
        settings = self._replay_settings_for(adapter)
        if self.replay is not None and not self.replay.has_dtypes_of(adapter) and not int(self.replay.count):
            self.replay = None  # it was made before the environments were reset
        if self.replay is None:
            rows = max(self.buffer_size // adapter.num_envs, 1)
            self.replay, self._replay_settings = self._make_replay(adapter, rows), settings
        for name, value in settings.items():
            if self._replay_settings[name] != value:
                raise OptionError(
                    f"{name}={value!r} comes too late, the replay buffer was made with {self._replay_settings[name]!r}: "
                    f"{START_ANEW}"
                )
        self.replay.continue_with(adapter, self.gamma)

    def _replay_settings_for(self, adapter: EnvAdapter) -> dict[str, Any]:
        """Settings that a buffer is made with, which cannot change any more."""
        settings = {name: getattr(self, name) for name in ("buffer_size", "n_steps", "prioritized")}
        return {**settings, "frame_stack": self._frame_stack, "action_masks": adapter.mask is not None}

    def _make_replay(self, adapter: EnvAdapter, rows: int) -> ReplayTensors:
        """An empty buffer; raises OptionError if there is not enough room."""
        choices, stack = self.network.network.choices, self._frame_stack
        masked = 0 if adapter.mask is None else choices
        size = check_room(observed_space(self), rows * adapter.num_envs, stack, self.device, masked)
        if self.save_replay and size > MAX_NUMBERS:
            raise OptionError(
                f"a replay buffer of {size / 1e9:.1f} GB is more than a checkpoint may hold, {MAX_NUMBERS / 1e9:.0f} GB: "
                "use save_replay=False, or a smaller buffer_size"
            )
        return ReplayTensors(
            adapter, rows, choices=choices, n_steps=self.n_steps, gamma=self.gamma,
            frame_stack=stack, stack_axis=0 if self.channels_first else -1, prioritized=self.prioritized,
        )  # fmt: skip

    @property
    def _frame_stack(self) -> int:
        return 1 if self.simulator is None else self.simulator.options.frame_stack

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if isinstance(self.replay_buffer, HerReplayBuffer) and self.env is not None:
            self.replay_buffer.set_env(self.env)  # without which Stable-Baselines3 copies it
        if self.env is not None and self.replay is not None and self._last_obs is not None:
            self.prepare()  # so that a reset of the games truncates the episodes in the buffer

    def _forget_games(self) -> None:
        self.replay, self.adapter, self.rows_stored = self._stable_replay(), None, 0

    def _begin_anew(self) -> None:
        if self.adapter is not None:
            self.replay.break_off(self.adapter)
            self.rows_stored = int(self.replay.count)

    # -- Stable-Baselines3's interface ---------------------------------------------------------------------------------

    @property
    def replay_buffer(self) -> Any:  # type: ignore[override]
        """The replay buffer under Stable-Baselines3's names, see `replay_view.ReplayView`."""
        if "network" not in vars(self):  # Stable-Baselines3's constructor asks before it is made
            return None
        if self.replay is None:
            self._provide_replay(unseen_adapter(self))
        replay: Any = self.replay
        return replay.buffer if isinstance(replay, StableReplay) else ReplayView(replay)

    @replay_buffer.setter
    def replay_buffer(self, value: Any) -> None:  # type: ignore[override]
        replay = getattr(self, "replay", None)
        if isinstance(replay, StableReplay):
            replay.buffer = value
        elif value is None:
            self.replay = None
        else:
            raise OptionError("replay_buffer cannot be replaced: fill it by load_replay_buffer, add or extend")

    def save_replay_buffer(self, path: Any) -> None:
        """Write the replay buffer to a file or an open file, see `replay_view.write_replay`; raises CheckpointError.

        A `replay_buffer_class` is pickled, as Stable-Baselines3 does it.
        """
        if isinstance(self.replay, StableReplay):
            return super().save_replay_buffer(path)
        self.prepare()
        assert self.adapter is not None
        write_replay(self.replay, self.adapter.obs, path)

    def load_replay_buffer(self, path: Any, truncate_last_traj: bool = True) -> None:
        """Read a replay buffer of as many games; `buffer_size` becomes that of the file. Raises CheckpointError.

        A `replay_buffer_class` is unpickled, as Stable-Baselines3 does it: read files of your own alone.

        Args:
            truncate_last_traj: whether the games begin anew, so that their last episodes count as truncated; False if they
                are where they were when the file was written.
        """
        if isinstance(self.replay, StableReplay):
            return super().load_replay_buffer(path, truncate_last_traj)
        if not truncate_last_traj:
            self.prepare()
        adapter = self.adapter or unseen_adapter(self)
        self.replay = read_replay(lambda rows: self._make_replay(adapter, rows), adapter, path, truncate_last_traj)
        self.buffer_size = self.replay.steps * self.replay.games
        self._replay_settings = self._replay_settings_for(adapter)
        self.rows_stored = int(self.replay.count)
        if self.adapter is not None:
            self.collector.store_in(self.replay)

    # -- checkpoints ---------------------------------------------------------------------------------------------------

    def own_state(self) -> dict[str, torch.Tensor]:
        if self.replay is None:
            self.prepare()
        replay: Any = self.replay
        rate = min(max(self.exploration_rate, 0.0), 1.0)  # a schedule of the user's may go further
        own = {"numbers": torch.tensor([self.transitions_due, rate], dtype=torch.float64)}
        if self.save_replay and isinstance(replay, ReplayTensors):
            for name, x in replay.state(replay.filled).items():
                own[f"replay.{name}"] = x.detach().to("cpu", copy=True).contiguous()
        return own

    def own_rows(self, filled: bool = True) -> dict[str, int]:
        if not (self.save_replay and isinstance(self.replay, ReplayTensors)):
            return {}
        state = self.replay.state(self.replay.filled if filled else None)
        return {f"replay.{name}": len(x) for name, x in state.items()}

    def load_own_state(self, tensors: dict[str, torch.Tensor]) -> None:
        self.transitions_due, self.exploration_rate = tensors["numbers"].tolist()
        if not (0 <= self.transitions_due < self.batch_size and 0 <= self.exploration_rate <= 1):
            raise OptionError(
                f"no training owes {self.transitions_due} transitions or explores at a rate of {self.exploration_rate}: "
                "the file is damaged"
            )
        if self.save_replay and isinstance(self.replay, ReplayTensors):
            replay = {name.removeprefix("replay."): x for name, x in tensors.items() if name.startswith("replay.")}
            self.replay.load(replay)
            self.rows_stored = int(self.replay.count)


def check_room(space: spaces.Space, transitions: int, frame_stack: int, device: torch.device, masked: int = 0) -> int:
    """Bytes of a replay buffer of so many transitions; raises OptionError if there is not that much memory left.

    Args:
        masked: number of actions, if there are action masks.
    """
    parts = space.spaces.values() if isinstance(space, spaces.Dict) else (space,)
    frame = sum(math.prod(part.shape or ()) * (part.dtype or torch.float32).itemsize for part in parts) // frame_stack
    transition = frame + BYTES_BESIDE_OBS + masked
    needed, left = transitions * transition, available_memory(device)
    if left is not None and needed > left:
        raise OptionError(
            f"buffer_size={transitions} takes {needed / 1e9:.1f} GB on {device.type}, where {left / 1e9:.1f} GB are left: "
            f"use at most {int(left // transition)}"
        )
    return needed
