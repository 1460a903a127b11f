"""A rollout as Stable-Baselines3's buffer and local variables, for callbacks and code that read them."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer
from torch import Tensor

from ..data.rollout_buffer import RolloutTensors
from ..nn.action_dists import Head
from ..nn.actor_critic import each
from ..nn.starts import into_space
from .callbacks import Lazy, loop_locals


def stable_buffer_of(data: RolloutTensors, gamma: float, gae_lambda: float) -> RolloutBuffer:
    """The rollout as a `RolloutBuffer`, or a `DictRolloutBuffer`, with NumPy arrays (T, N, ...).

    On a CPU the arrays share the rollout's memory: what a callback writes into `advantages` and `returns` when the rollout
    is over is what is learned from. Each call makes another buffer of it. After the update, the arrays that minibatches are
    drawn from are flat, (N * T, ...), as in Stable-Baselines3.
    """
    kind: Any = DictRolloutBuffer if isinstance(data.observation_space, spaces.Dict) else RolloutBuffer
    given = data.buffer_size, data.observation_space, data.action_space, data.device
    buffer = kind(*given, gae_lambda=gae_lambda, gamma=gamma, n_envs=data.n_envs)
    if not data.allocated:
        return buffer
    buffer.pos, buffer.full = data.pos, data.full
    buffer.observations = each(_numpy, data.obs)
    buffer.actions = _numpy(data.actions).reshape(data.buffer_size, data.n_envs, -1)
    buffer.rewards, buffer.episode_starts = _numpy(data.rewards), data.episode_starts
    columns = (
        data.columns.unbind(-1) if data.full else (data.log_probs, data.advantages, data.columns[..., 2], data.values)
    )
    buffer.log_probs, buffer.advantages, buffer.returns, buffer.values = map(_numpy, columns)
    if data.learned:
        buffer.observations = each(buffer.swap_and_flatten, buffer.observations)
        for name in ("actions", "values", "log_probs", "advantages", "returns"):
            setattr(buffer, name, buffer.swap_and_flatten(getattr(buffer, name)))
        buffer.generator_ready = True
    return buffer


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
