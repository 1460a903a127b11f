"""What training needs beyond the weights to go on exactly where it was.

A rollout's beginning is the moment that is kept: weights and optimizer do not change before its end, so that a copy of what
does change there, `capture`, is all that a save in its midst needs. Training goes on by playing that rollout again, to the
last bit as before.

The games' records are sealed, so that a later process of the same user takes them at their word. Those of strangers are
played with every index checked until their episodes have ended (see `ludus.envs.engine.saved_states`). To play an agent, its
training file is not read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd as DROPOUT

from ...envs.bots import host
from ...envs.engine.simulator import STATE
from ...envs.errors import OptionError
from ..checkpoints.manifest import Description
from ..files.safe_io import CheckpointError, short

if TYPE_CHECKING:
    from .agent import Agent

RECENT = 10_000  # episodes, at most, of those that the log's means are over
MOST_OF_AN_EPISODE = 1e38  # of its return, length and seconds, so that means of them are numbers
GENERATOR_BYTES = {"cpu": 5056, "cuda": 16}  # of a torch.Generator's state


def capture(agent: Agent) -> dict[str, Any]:
    """Copies of what a rollout changes: `progress`, numbers by name, and `tensors` on the CPU,
    and what makes the games' `seal` when it comes to saving.

    Take it where a rollout begins, or when `learn` is over. Without an environment there are no tensors.
    """
    own = {} if agent.env is None else agent.own_state()
    episodes = [(e["r"], e["l"], e["t"]) for e in list(agent.ep_info_buffer or ())[-RECENT:]]
    progress = {
        "timesteps": agent.num_timesteps,
        "total_timesteps": agent._total_timesteps,
        "updates": agent._n_updates,
        "episodes": agent._episode_num,
        "recent_episodes": len(episodes),
        "seconds": agent.elapsed(),
        "rows": agent.own_rows() if own else {},
        "last_obs": agent.simulator is None and agent._last_obs is not None,
        "dropout": draws_dropout(agent.policy),
        "reward_scale": agent.reward_scale,
    }
    tensors = {f"generators.{k}": generator.get_state() for k, generator in enumerate(agent.generators)}
    if progress["dropout"]:  # which draws from PyTorch's own generator
        tensors["dropout"] = _own_generator(agent).get_state()
    tensors["episodes"] = torch.tensor(episodes, dtype=torch.float64).reshape(-1, 3)
    tensors |= own
    if progress["last_obs"]:
        tensors |= {f"last.{name}": _tensor(x) for name, x in _last(agent).items()}
    seal_it = bytes
    if agent.simulator is not None:
        state, seal_it = agent.simulator.snapshot()
        tensors |= {f"games.{name}": _raw(state[name]) for name in STATE}
    return {"progress": progress, "tensors": tensors, "seal": seal_it}


def expected_tensors(agent: Agent, description: Description) -> dict[str, Tensor]:
    """Tensors of the names, shapes and dtypes that a training file for `agent` must have."""
    if agent.simulator is None:  # so that nobody resets environments to see what they show
        _restore_last(agent, {f"last.{name}": _tensor(x) for name, x in _blank_last(agent).items()})
    tensors = capture(agent)["tensors"]
    tensors = {name: x for name, x in tensors.items() if not name.startswith(("generators.", "last.", "dropout"))}
    if description.progress["last_obs"]:
        tensors |= {f"last.{name}": _tensor(x) for name, x in _blank_last(agent).items()}
    size = GENERATOR_BYTES[description.device]
    for k in range(description.play_threads + 1):
        tensors[f"generators.{k}"] = torch.empty(size, dtype=torch.uint8, device="meta")
    if description.progress["dropout"]:
        tensors["dropout"] = torch.empty(size, dtype=torch.uint8, device="meta")
    tensors["episodes"] = torch.empty((description.progress["recent_episodes"], 3), dtype=torch.float64, device="meta")
    here = agent.own_rows(filled=False)
    for name, rows in (here | description.progress["rows"]).items():
        if name in here:
            tensors[name] = torch.empty((rows, *tensors[name].shape[1:]), dtype=tensors[name].dtype, device="meta")
    return tensors


def restore_progress(agent: Agent, description: Description) -> None:
    """How far training has come."""
    progress = description.progress
    agent.num_timesteps, agent._total_timesteps = description.timesteps, progress["total_timesteps"]
    agent._n_updates, agent._episode_num = progress["updates"], progress["episodes"]
    agent.loaded_reward_scale = progress["reward_scale"]


def restore(agent: Agent, description: Description, tensors: Mapping[str, Tensor], keep_obs: bool = False) -> None:
    """Put back what was captured, into an agent on as many games of the same kind.

    On another device the random numbers are others, and so is the trajectory.

    Args:
        keep_obs: also of environments that are not Ludus's, which stand where they stood, what they showed last.
    """
    if tensors["episodes"].numel() and float(tensors["episodes"].abs().max()) > MOST_OF_AN_EPISODE:
        raise CheckpointError(f"episodes has numbers beyond {MOST_OF_AN_EPISODE:g}, which no training comes to")
    agent.elapsed_before = description.progress["seconds"]
    episodes = [{"r": r, "l": int(length), "t": t} for r, length, t in tensors["episodes"].tolist()]
    agent.ep_info_buffer = deque(episodes, maxlen=agent._stats_window_size)
    agent.ep_success_buffer = deque(maxlen=agent._stats_window_size)
    if agent.device.type == description.device:
        _restore_generators(agent, tensors)
    agent.load_own_state(dict(tensors))
    if agent.simulator is not None:
        _restore_games(agent, tensors, bytes.fromhex(description.progress["seal"]))
        return
    agent._last_obs = agent._last_episode_starts = None  # `learn` begins with a reset
    if keep_obs and "last.starts" in tensors:
        _restore_last(agent, tensors)


def _restore_generators(agent: Agent, tensors: Mapping[str, Tensor]) -> None:
    if f"generators.{len(agent.generators)}" in tensors or f"generators.{len(agent.generators) - 1}" not in tensors:
        raise CheckpointError(f"the training was shared by other threads than here: {len(agent.generators) - 1} play")
    places = {f"generators.{k}": generator for k, generator in enumerate(agent.generators)}
    if "dropout" in tensors:
        places["dropout"] = _own_generator(agent)
    for name, generator in places.items():
        try:
            generator.set_state(tensors[name])
        except RuntimeError as error:
            raise CheckpointError(f"{name} is no generator's state: {short(error)}") from error


def draws_dropout(policy: nn.Module) -> bool:
    """Whether training a policy takes random numbers of PyTorch's own generator."""
    return any(isinstance(module, DROPOUT) and module.p > 0 for module in policy.modules())


def _own_generator(agent: Agent) -> torch.Generator:
    """PyTorch's own, of the agent's device."""
    if agent.device.type == "cpu":
        return torch.default_generator
    return torch.cuda.default_generators[agent.device.index or 0]


def _last(agent: Agent) -> dict[str, Any]:
    """What the environments showed last, and where an episode begins, by name."""
    obs: Any = agent._last_obs
    parts = {f"obs.{key}": x for key, x in obs.items()} if isinstance(obs, dict) else {"obs": obs}
    return {
        **parts,
        "starts": agent._last_episode_starts if agent._last_episode_starts is not None else _no_starts(agent),
    }


def _blank_last(agent: Agent) -> dict[str, Any]:
    """Arrays as `_last` gives."""
    space = agent.observation_space
    parts = {f"obs.{key}": x for key, x in space.spaces.items()} if isinstance(space, spaces.Dict) else {"obs": space}
    blank = {name: np.zeros((agent.n_envs, *(part.shape or ())), part.dtype) for name, part in parts.items()}
    return {**blank, "starts": _no_starts(agent)}


def _no_starts(agent: Agent) -> np.ndarray:
    return np.zeros(agent.n_envs, np.bool_)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def _restore_last(agent: Agent, tensors: Mapping[str, Tensor]) -> None:
    parts = {name.removeprefix("last.obs."): x.numpy() for name, x in tensors.items() if name.startswith("last.obs.")}
    agent._last_obs = parts or tensors["last.obs"].numpy()
    agent._last_episode_starts = tensors["last.starts"].numpy()


def _restore_games(agent: Agent, tensors: Mapping[str, Tensor], seal: bytes) -> None:
    sim = agent.simulator
    assert sim is not None
    here = sim.state_dict()
    state = {name: _like(here[name], tensors[f"games.{name}"]) for name in STATE}
    try:
        sim.load_state_dict({"game": sim.game.id, **state, "seal": seal})
    except OptionError as error:
        raise CheckpointError(f"the games cannot go on: {error}") from error
    obs = host(sim.obs).reshape(agent.n_envs, *sim.obs_shape).copy()  # of each seat, where players act at once
    agent._last_obs = obs.transpose(0, 3, 1, 2) if agent.channels_first else obs  # so that `learn` does not reset them
    agent._last_episode_starts = np.zeros(agent.n_envs, np.bool_)


def _raw(array: np.ndarray) -> Tensor:
    """An array (N, ...) as bytes (N, B), in the same memory."""
    return torch.from_numpy(np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8))


def _like(array: np.ndarray, raw: Tensor) -> np.ndarray:
    """Bytes (N, B) as an array of the shape and dtype of another."""
    return np.frombuffer(raw.numpy().tobytes(), array.dtype).reshape(array.shape)
