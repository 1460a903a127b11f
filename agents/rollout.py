"""The data that PPO eats: what N games did in T steps, as tensors that are allocated once."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import BaseBuffer
from torch import Tensor

TORCH_TYPES = {"uint8": torch.uint8, "float32": torch.float32}


class RolloutTensors(BaseBuffer):
    """Tensors of shape (T, N, ...), filled step by step on the simulator's device.

    obs in the observation's own dtype; actions int64; the rest float32. `dones` is 1 where an episode ended with the step.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Box,
        action_space: spaces.Discrete,
        device: torch.device | str = "cpu",
        gae_lambda: float = 1.0,
        gamma: float = 0.99,
        n_envs: int = 1,
    ) -> None:
        super().__init__(buffer_size, observation_space, action_space, device, n_envs)
        steps, games = buffer_size, n_envs
        shape = observation_space.shape
        self.obs = torch.zeros(
            (steps, games, *shape), dtype=TORCH_TYPES[str(observation_space.dtype)], device=self.device
        )
        self.actions = torch.zeros((steps, games), dtype=torch.int64, device=self.device)
        self.rewards, self.values, self.log_probs, self.dones, self.advantages = (
            torch.zeros((steps, games), device=self.device) for _ in range(5)
        )

    def flat(self) -> dict[str, Tensor]:
        """All steps in one row, (T * N, ...), with the critic's targets."""
        names = ("obs", "actions", "values", "log_probs", "advantages")
        data = {name: getattr(self, name).flatten(0, 1) for name in names}
        return {**data, "returns": data["advantages"] + data["values"]}

    def _get_samples(self, batch_inds: Any, env: Any = None) -> Any:
        """Stable-Baselines3's sampling of one batch; `flat` is what Ludus uses."""
        return {name: tensor[torch.as_tensor(batch_inds)] for name, tensor in self.flat().items()}
