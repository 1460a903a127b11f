"""What training needs beyond the weights to go on exactly where it was.

A rollout's beginning is the moment that is kept: weights and optimiser do not change before its end, so that a copy of what
does change there, `capture`, is all that a save in its midst needs. Training goes on by playing that rollout again, to the
last bit as before.

The games' records are handed to machine code as they are: go on with the training of people whose code you would run. To
play an agent, its training file is not read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..envs.simulator import STATE
from .description import Description
from .files import CheckpointError, short
from .muon import Muon

if TYPE_CHECKING:
    from .agent import Agent

RECENT = 10_000  # episodes, at most, of those that the log's means are over
GENERATOR_BYTES = {"cpu": 5056, "cuda": 16}  # of a torch.Generator's state


def capture(agent: Agent) -> dict[str, Any]:
    """Copies of what a rollout changes: `progress`, numbers by name, and `tensors` on the CPU.

    Take it where a rollout begins, or when `learn` is over.
    """
    own = agent.own_state()
    episodes = [(e["r"], e["l"], e["t"]) for e in list(agent.ep_info_buffer or ())[-RECENT:]]
    progress = {
        "timesteps": agent.num_timesteps,
        "total_timesteps": agent._total_timesteps,
        "updates": agent._n_updates,
        "episodes": agent._episode_num,
        "recent_episodes": len(episodes),
        "seconds": agent.elapsed(),
        "rows": agent.own_rows(),
    }
    tensors = {f"generators.{k}": generator.get_state() for k, generator in enumerate(agent.generators)}
    tensors["episodes"] = torch.tensor(episodes, dtype=torch.float64).reshape(-1, 3)
    tensors |= own
    if agent.simulator is not None:
        state = agent.simulator.state_dict()
        tensors |= {f"games.{name}": _raw(state[name]) for name in STATE}
    return {"progress": progress, "tensors": tensors}


def training_tensors(agent: Agent, start: Mapping[str, Any]) -> dict[str, Tensor]:
    """All that a training file holds: what `capture` took, and the optimiser's averages."""
    optimizer = agent.policy.optimizer
    averages = {
        f"optimizer.{k}.{slot}": optimizer.state[weight].get(slot, _blank(weight, slot)).detach().cpu().contiguous()
        for k, (weight, slots) in enumerate(_slots(optimizer))
        for slot in slots
    }
    return {**start["tensors"], **averages}


def expected_tensors(agent: Agent, description: Description) -> dict[str, Tensor]:
    """Tensors of the names, shapes and dtypes that a training file for `agent` must have."""
    tensors = training_tensors(agent, capture(agent))
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("generators.")}
    size = GENERATOR_BYTES[description.device]
    for k in range(description.play_threads + 1):
        tensors[f"generators.{k}"] = torch.empty(size, dtype=torch.uint8, device="meta")
    tensors["episodes"] = torch.empty((description.progress["recent_episodes"], 3), dtype=torch.float64, device="meta")
    for name, rows in description.progress["rows"].items():
        if name in agent.own_rows():
            tensors[name] = torch.empty((rows, *tensors[name].shape[1:]), dtype=tensors[name].dtype, device="meta")
    return tensors


def restore(agent: Agent, description: Description, tensors: Mapping[str, Tensor]) -> None:
    """Put back what was captured, into an agent on as many games of the same kind.

    On another device the random numbers are others, and so is the trajectory.
    """
    progress = description.progress
    agent._total_timesteps, agent._n_updates = progress["total_timesteps"], progress["updates"]
    agent._episode_num, agent.elapsed_before = progress["episodes"], progress["seconds"]
    episodes = [{"r": r, "l": int(length), "t": t} for r, length, t in tensors["episodes"].tolist()]
    agent.ep_info_buffer = deque(episodes, maxlen=agent._stats_window_size)
    agent.ep_success_buffer = deque(maxlen=agent._stats_window_size)
    if agent.device.type == description.device:
        _restore_generators(agent, tensors)
    _restore_optimizer(agent.policy.optimizer, tensors)
    agent.load_own_state(dict(tensors))
    if agent.simulator is not None:
        _restore_games(agent, tensors)


def _restore_generators(agent: Agent, tensors: Mapping[str, Tensor]) -> None:
    if f"generators.{len(agent.generators)}" in tensors or f"generators.{len(agent.generators) - 1}" not in tensors:
        raise CheckpointError(f"the training was shared by other threads than here: {len(agent.generators) - 1} play")
    for k, generator in enumerate(agent.generators):
        try:
            generator.set_state(tensors[f"generators.{k}"])
        except RuntimeError as error:
            raise CheckpointError(f"generators.{k} is no generator's state: {short(error)}") from error


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state = optimizer.state_dict()
    state["state"] = {
        k: {slot: tensors[f"optimizer.{k}.{slot}"] for slot in slots}
        for k, (_, slots) in enumerate(_slots(optimizer))
        if slots
    }
    optimizer.load_state_dict(state)


def _restore_games(agent: Agent, tensors: Mapping[str, Tensor]) -> None:
    sim = agent.simulator
    assert sim is not None
    here = sim.state_dict()
    state = {name: _like(here[name], tensors[f"games.{name}"]) for name in STATE}
    sim.load_state_dict({"game": sim.game.id, **state})
    obs = state["obs"].reshape(sim.num_envs, *sim.obs_shape)
    agent._last_obs = obs.transpose(0, 3, 1, 2) if agent.channels_first else obs  # so that `learn` does not reset them
    agent._last_episode_starts = np.zeros(sim.num_envs, np.bool_)


def _slots(optimizer: torch.optim.Optimizer) -> list[tuple[Tensor, tuple[str, ...]]]:
    """The optimiser's weights in its own order, each with the names of its averages; none for kinds not known here."""
    known = type(optimizer) in (torch.optim.Adam, Muon)
    adam = ("step", "exp_avg", "exp_avg_sq")
    return [
        (weight, () if not known else ("momentum",) if group.get("use_muon") else adam)
        for group in optimizer.param_groups
        for weight in group["params"]
    ]


def _blank(weight: Tensor, slot: str) -> Tensor:
    """What the optimiser begins with."""
    return torch.zeros(()) if slot == "step" else torch.zeros_like(weight)


def _raw(array: np.ndarray) -> Tensor:
    """An array (N, ...) as bytes (N, B), in the same memory."""
    return torch.from_numpy(np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8))


def _like(array: np.ndarray, raw: Tensor) -> np.ndarray:
    """Bytes (N, B) as an array of the shape and dtype of another."""
    return np.frombuffer(raw.numpy().tobytes(), array.dtype).reshape(array.shape)
