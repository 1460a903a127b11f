"""`agent.replay_buffer`, a replay buffer with Stable-Baselines3's interface; and replay buffers as files.

A file is a safetensors file like those of a checkpoint, whatever its name: reading it unpickles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import Tensor

from ...envs import OptionError
from ..data.env_adapters import EnvAdapter
from ..data.replay_buffer import ReplayTensors
from ..files.archive import is_open_file
from ..files.safe_io import (
    MAX_NUMBERS,
    CheckpointError,
    check_tensors,
    make_folder,
    parse_tensors,
    path_of,
    read_bytes,
    write_whole,
)
from ..nn.actor_critic import each

SUFFIX, PICKLE = ".safetensors", b"\x80"  # what a pickle begins with


class ReplayView:
    """The content of a `ReplayTensors` under Stable-Baselines3's names, arrays (rows, games, ...).

    On a CPU `rewards` and `actions` are the buffer's own memory: what is written there is learned from. All others are
    copies, made when they are read, and cannot be written to.
    """

    def __init__(self, replay: ReplayTensors) -> None:
        self.replay = replay
        self.buffer_size, self.n_envs, self.device = replay.steps, replay.games, replay.device

    @property
    def pos(self) -> int:
        return int(self.replay.row)

    @property
    def full(self) -> bool:
        return self.size() == self.buffer_size

    def size(self) -> int:
        """Number of rows that are filled."""
        return int(self.replay.count)

    def reset(self) -> None:
        """Make it empty."""
        self.replay.row.zero_()
        self.replay.count.zero_()

    @property
    def observations(self) -> Any:
        return self._all(self.replay.obs(self._places()))

    @property
    def next_observations(self) -> Any:
        return self._all(self.replay.at(self._places()).next_obs)

    @property
    def actions(self) -> np.ndarray:
        return _shared(self.replay.actions.unsqueeze(-1))

    @property
    def rewards(self) -> np.ndarray:
        return _shared(self.replay.rewards)

    @property
    def dones(self) -> np.ndarray:
        return _read_only((self.replay.terminated | self.replay.truncated).float())

    @property
    def timeouts(self) -> np.ndarray:
        return _read_only(self.replay.truncated.float())

    def _places(self) -> Tensor:
        return torch.arange(self.buffer_size * self.n_envs, device=self.device)

    def _all(self, obs: Any) -> Any:
        return each(lambda x: _read_only(x.unflatten(0, (self.buffer_size, self.n_envs))), obs)

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        """Sample transitions by PyTorch's own generator, so that a training samples the same as without this call.

        With `n_steps` above 1, rewards are n-step returns and `discounts` those of the next observation's value.
        """
        if self.device.type != "cpu":
            raise OptionError(
                "sample is for a replay buffer on a CPU: use agent.replay.sample with a generator of the GPU's"
            )
        batch = self.replay.sample(batch_size, torch.default_generator)
        numbers = ((batch.discounts == 0).float(), batch.returns, batch.discounts)
        columns = (x.reshape(-1, 1).clone() for x in numbers)  # dones, rewards and discounts, (B, 1)
        return ReplayBufferSamples(batch.obs, batch.actions.unsqueeze(-1), batch.next_obs, *columns)

    def add(self, obs: Any, next_obs: Any, action: Any, reward: Any, done: Any, infos: list[dict[str, Any]]) -> None:
        """Store a transition of each game (N, ...), which need not follow the one before."""
        if self.replay.frame_stack > 1:
            raise OptionError("a replay buffer of stacked frames takes no transitions that do not follow each other")

        def tensor(x: Any, dtype: torch.dtype | None = None) -> Any:
            return each(lambda part: torch.as_tensor(np.asarray(part), dtype=dtype, device=self.device), x)

        truncated = np.array([info.get("TimeLimit.truncated", False) for info in infos], np.bool_)
        terminated = tensor(np.asarray(done, np.bool_) & ~truncated)
        step: Any = SimpleNamespace(
            obs=tensor(obs), final_obs=tensor(next_obs), reward=tensor(reward, torch.float32).reshape(-1),
            terminated=terminated, truncated=~terminated, mask=None, signs=None, can_truncate=True,
        )  # fmt: skip
        self.replay.can_truncate = True  # next observations are stored as final ones, not in the next row
        self.replay.store_obs(step)
        self.replay.store_step(step, tensor(action, torch.int64).reshape(-1))

    def extend(self, *transitions: Any) -> None:
        """`add` for each of several, given as Stable-Baselines3's `extend` takes them."""
        for transition in zip(*transitions, strict=True):
            self.add(*transition)

    def __deepcopy__(self, memo: dict[int, Any]) -> SimpleNamespace:
        """Its present content, as plain arrays."""
        names = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts", "pos", "full")
        return SimpleNamespace(**{name: copy(getattr(self, name)) for name in names})


def _shared(tensor: Tensor) -> np.ndarray:
    """A tensor as an array that shares its memory, if that is a CPU's."""
    return tensor.numpy() if tensor.device.type == "cpu" else _read_only(tensor)


def _read_only(tensor: Tensor) -> np.ndarray:
    """A tensor as an array that cannot be written to."""
    array = tensor.cpu().numpy()
    array.flags.writeable = False
    return array


# -- files -------------------------------------------------------------------------------------------------------------


def write_replay(replay: ReplayTensors, obs: Any, path: Any) -> None:
    """Write a replay buffer and the present observations into a file; raises CheckpointError.

    Args:
        obs: (N, *shape), after the last step.
        path: .safetensors is added to a name without an end; or an open file.
    """
    from safetensors.torch import save

    tensors = {**replay.state(), **_named(obs)}
    content = save({name: x.detach().cpu().contiguous() for name, x in tensors.items()})
    if is_open_file(path):
        path.write(content)
        return
    path = path_of(path)
    try:
        make_folder(path.parent)
        write_whole(path if path.suffix else Path(f"{path}{SUFFIX}"), content)
    except OSError as error:
        raise CheckpointError(f"cannot save the replay buffer in {path}: {error.strerror or error}") from error


def read_replay(
    make: Callable[[int], ReplayTensors], adapter: EnvAdapter, path: Any, break_off: bool = True
) -> ReplayTensors:
    """A replay buffer with what `write_replay` wrote; raises CheckpointError.

    Args:
        make: makes an empty buffer of so many rows for these games.
        adapter: of the games.
        break_off: whether the games begin anew, so that the file's last episodes are truncated at its observations.
    """
    name, content = _content(path)
    try:
        tensors = parse_tensors(content, name)
    except CheckpointError as error:
        if not content.startswith(PICKLE):
            raise
        raise CheckpointError(
            f"{name} is a pickle, as Stable-Baselines3 writes its replay buffers, and to read one may run code: unpickle "
            "it yourself, if it is your own, and give its transitions to replay_buffer.add"
        ) from error
    rows, games = ("actions" in tensors and tensors["actions"].dim() == 2 and tensors["actions"].shape) or (0, 0)
    if games != adapter.num_envs:
        here = adapter.num_envs
        raise CheckpointError(f"{name} has no replay buffer of {here} environments, as there are here, but of {games}")
    try:
        replay = make(rows)
    except OptionError as error:
        raise CheckpointError(f"{name} has a replay buffer of {rows * games} transitions: {error}") from error
    expected = {**replay.state(), **_named(adapter.obs)}
    for key in expected:
        if key.startswith("finals.obs") and key in tensors:  # as many as were stored
            rows, example = len(tensors[key]), expected[key]
            expected[key] = torch.empty((rows, *example.shape[1:]), dtype=example.dtype, device="meta")
    check_tensors(name, tensors, expected)
    try:
        replay.load({key: x.to(replay.device) for key, x in tensors.items() if not key.startswith("next_obs")})
    except OptionError as error:
        raise CheckpointError(f"{name}: {error}") from error
    if break_off:
        last = {key.removeprefix("next_obs."): x.to(replay.device) for key, x in tensors.items() if "next_obs" in key}
        replay.break_off(SimpleNamespace(obs=last.get("next_obs", last)))  # type: ignore[arg-type]
    return replay


def _named(obs: Any) -> Mapping[str, Tensor]:
    return {f"next_obs.{key}": x for key, x in obs.items()} if isinstance(obs, dict) else {"next_obs": obs}


def _content(path: Any) -> tuple[str, bytes]:
    """A file's name and its bytes; of an open one, all from where it stands."""
    if is_open_file(path):
        return "the open file", path.read(MAX_NUMBERS)
    path = path_of(path)
    longer = Path(f"{path}{SUFFIX}")
    path = longer if not path.exists() and longer.exists() else path
    return str(path), read_bytes(path, MAX_NUMBERS)
