"""A rollout as Stable-Baselines3's buffer has it, for callbacks and code that read one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gymnasium import spaces
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer
from torch import Tensor

from ..nn.actor_critic import each

if TYPE_CHECKING:
    from .ppo import PPO


def stable_buffer_of(agent: PPO) -> RolloutBuffer:
    """The agent's rollout as a `RolloutBuffer`, or a `DictRolloutBuffer`, with NumPy arrays (T, N, ...).

    On a CPU the arrays are the rollout's own memory: what a callback writes into `advantages` and `returns` when the rollout
    is over is what is learned from. Each call makes another buffer of it. Once it was learned from, the arrays that
    minibatches are drawn from are flat, (N * T, ...), as they are there.
    """
    data = agent.data
    kind: Any = DictRolloutBuffer if isinstance(agent.observation_space, spaces.Dict) else RolloutBuffer
    places = data.buffer_size, agent.observation_space, agent.action_space, agent.device
    buffer = kind(*places, gae_lambda=agent.gae_lambda, gamma=agent.gamma, n_envs=data.n_envs)
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


def _numpy(tensor: Tensor) -> Any:
    return tensor.cpu().numpy()
