"""An agent's memory, made where it is first needed, and kept as long as it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...envs import OptionError
from ..data.env_adapters import EnvAdapter
from ..data.replay_buffer import ReplayTensors, check_room
from ..files.safe_io import MAX_NUMBERS
from .sb3_replay import StableMemory

if TYPE_CHECKING:
    from .dqn import DQN


def provide_replay(agent: DQN, adapter: EnvAdapter) -> None:
    """Room for what happens in these games: what there is, if it fits them; raises OptionError if it does not."""
    if isinstance(agent.replay, StableMemory):
        return
    if agent._vec_normalize_env is not None:  # its statistics go on, so that what is kept must not be normalised yet
        if agent.replay is not None and int(agent.replay.count):
            raise OptionError(
                "this memory was filled without VecNormalize: make a new agent, or set replay = None, which forgets it"
            )
        agent.replay = StableMemory(agent)
        return
    settings = replay_settings(agent, adapter)
    if agent.replay is not None and not agent.replay.holds(adapter) and not int(agent.replay.count):
        agent.replay = None  # it was made before the games showed anything
    if agent.replay is None:
        rows = max(agent.buffer_size // adapter.num_envs, 1)
        agent.replay, agent._replay_settings = make_replay(agent, adapter, rows), settings
    for name, value in settings.items():
        if agent._replay_settings[name] != value:
            raise OptionError(
                f"{name}={value!r} comes too late, the memory was made with {agent._replay_settings[name]!r}: make a "
                "new agent, or set replay = None, which forgets what it holds"
            )
    agent.replay.suit(adapter, agent.gamma)


def replay_settings(agent: DQN, adapter: EnvAdapter) -> dict[str, Any]:
    """What a memory is made with, which cannot change any more."""
    settings = {name: getattr(agent, name) for name in ("buffer_size", "n_steps", "prioritized")}
    return {**settings, "frame_stack": _frame_stack(agent), "action_masks": adapter.mask is not None}


def make_replay(agent: DQN, adapter: EnvAdapter, rows: int) -> ReplayTensors:
    """One that is empty; raises OptionError if there is not enough room."""
    choices, stack = agent.learner.online.choices, _frame_stack(agent)
    masked = 0 if adapter.mask is None else choices
    size = check_room(agent.observation_space, rows * adapter.num_envs, stack, agent.device, masked)
    if agent.save_replay and size > MAX_NUMBERS:
        raise OptionError(
            f"a memory of {size / 1e9:.1f} GB is more than a checkpoint may hold, {MAX_NUMBERS / 1e9:.0f} GB: "
            "use save_replay=False, or a smaller buffer_size"
        )
    return ReplayTensors(
        adapter, rows, choices=choices, n_steps=agent.n_steps, gamma=agent.gamma,
        frame_stack=stack, stack_axis=0 if agent.channels_first else -1, prioritized=agent.prioritized,
    )  # fmt: skip


def _frame_stack(agent: DQN) -> int:
    return 1 if agent.simulator is None else agent.simulator.options.frame_stack
