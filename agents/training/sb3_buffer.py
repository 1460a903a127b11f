"""A rollout as Stable-Baselines3's buffer and local variables, for callbacks and code that read them."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer
from torch import Tensor

from ...envs import OptionError
from ..data.rollout_buffer import RolloutTensors
from ..nn.action_dists import Head
from ..nn.actor_critic import each
from ..nn.starts import into_space
from .callbacks import Lazy, loop_locals

COLUMNS = ("log_probs", "advantages", "returns", "values")  # in the order of `RolloutTensors.columns`
LEARNED = ("observations", "actions", *COLUMNS)  # what minibatches are drawn from
ARRAYS = (*LEARNED, "rewards", "episode_starts")


class RolloutView(RolloutBuffer):
    """The rollout as a `RolloutBuffer` with NumPy arrays (T, N, ...), which are made when they are first read.

    What a callback writes into `LEARNED`, or assigns to them, when the rollout is over is what is learned from. After the
    update, those arrays are flat, (N * T, ...), as in Stable-Baselines3. `rewards` are those of the environments: the value
    of the final observation of a truncated episode, which Stable-Baselines3 adds to its last reward times gamma, is not in
    them but in `data.bootstrap`, and `normalize_reward` leaves them as they are. `advantages` and `returns` are of both.
    """

    def __init__(self, data: RolloutTensors) -> None:
        self.data, self.made = data, False
        super().__init__(data.buffer_size, data.observation_space, data.action_space, data.device, n_envs=data.n_envs)
        self.made = True

    def show(self, gamma: float, gae_lambda: float) -> None:
        """The rollout as it is now, in arrays that are made anew."""
        data, self.gamma, self.gae_lambda = self.data, gamma, gae_lambda
        self.pos, self.full, self.generator_ready = data.pos, data.full, data.learned
        for name in ARRAYS if data.allocated else ():
            vars(self).pop(name, None)

    def __getattr__(self, name: str) -> Any:
        if name not in ARRAYS or not self.made:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        array = self._array(name)
        if self.data.learned and name in LEARNED:
            array = each(self.swap_and_flatten, array)
        setattr(self, name, array)
        return array

    def _array(self, name: str) -> Any:
        data, steps = self.data, (self.buffer_size, self.n_envs)
        if name == "observations":
            shapes: Any = self.obs_shape
            if isinstance(data.obs, dict):
                return {key: _numpy(x).reshape(*steps, *shapes[key]) for key, x in data.obs.items()}
            return _numpy(data.obs).reshape(*steps, *shapes)
        if name == "actions":
            return _numpy(data.actions).reshape(*steps, -1)
        if name in COLUMNS and (data.full or name == "returns"):
            return _numpy(data.columns[..., COLUMNS.index(name)])
        return data.episode_starts if name == "episode_starts" else _numpy(getattr(data, name))

    def write_back(self) -> None:
        """Let arrays that are not the rollout's own memory be learned from: on a GPU, and where another was assigned."""
        data = self.data
        if not data.full:
            return
        tensors = {"observations": data.obs, "actions": data.actions}
        tensors |= dict(zip(COLUMNS, data.columns[..., : len(COLUMNS)].unbind(-1), strict=True))
        for name in vars(self).keys() & tensors.keys():
            arrays, into = getattr(self, name), tensors[name]
            if isinstance(into, dict):
                for key, tensor in into.items():
                    self._write(arrays[key], tensor)
            else:
                self._write(arrays, into)

    def _write(self, array: Any, tensor: Tensor) -> None:
        array = np.asarray(array)
        if self.generator_ready:  # (N * T, ...), as `get` leaves it
            array = array.reshape(self.n_envs, self.buffer_size, -1).swapaxes(0, 1)
        if array.ctypes.data != tensor.data_ptr():
            tensor.copy_(torch.as_tensor(np.ascontiguousarray(array)).reshape(tensor.shape))

    def get(self, batch_size: int | None = None) -> Any:
        for name in LEARNED:  # Stable-Baselines3 looks for them in `__dict__`
            getattr(self, name)
        return super().get(batch_size)

    def reset(self) -> None:
        if self.made:
            refuse_to_be_filled()
        super().reset()

    def add(self, *args: Any, **kwargs: Any) -> None:
        refuse_to_be_filled()


class DictRolloutView(RolloutView, DictRolloutBuffer):
    """The same of dictionaries of observations."""


def rollout_view_of(data: RolloutTensors) -> RolloutView:
    return (DictRolloutView if isinstance(data.observation_space, spaces.Dict) else RolloutView)(data)


def refuse_to_be_filled() -> NoReturn:
    raise OptionError(
        "rollouts are tensors, which Stable-Baselines3's collect_rollouts cannot fill: call super().collect_rollouts instead"
    )


def rollout_locals(data: RolloutTensors, head: Head, t: int) -> dict[str, Any]:
    """Local variables that Stable-Baselines3's `collect_rollouts` of on-policy algorithms has at step t."""
    return {
        "n_rollout_steps": data.buffer_size,
        "n_steps": t,
        **loop_locals(data.dones, t),
        "obs_tensor": Lazy(each, lambda x: x[t].clone(), data.obs),
        "values": Lazy(lambda: data.values[t].unsqueeze(-1).clone()),
        "log_probs": Lazy(lambda: head.log_prob(data.params[t], data.actions[t])),
        "clipped_actions": Lazy(lambda: into_space(data.actions[t].cpu().numpy(), data.action_space)),
    }


def _numpy(tensor: Tensor) -> Any:
    return tensor.cpu().numpy()
