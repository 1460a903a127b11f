"""Policies that override Stable-Baselines3's methods, so that these have to be called.

Ludus computes actions and losses from the parts of a policy, its features extractor and its networks. Where a policy
overrides the methods that Stable-Baselines3 would call, or explores by state-dependent noise (`use_sde`), those methods are
called.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

from .action_dists import Head

METHODS = (
    "forward", "evaluate_actions", "get_distribution", "predict_values", "_get_action_dist_from_latent", "extract_features",
)  # fmt: skip


def overrides_methods(policy: Any, known: Sequence[type]) -> bool:
    """Whether it has other methods than the `known` classes, or a distribution that is not Stable-Baselines3's."""
    if not isinstance(policy, ActorCriticPolicy) or policy.use_sde:
        return True
    for name in METHODS:
        ours = [getattr(kind, name) for kind in known]
        if name in vars(policy) or getattr(type(policy), name) not in ours:
            return True
    return not type(policy.action_dist).__module__.startswith("stable_baselines3.")


class OverriddenHead(Head):
    """The head of such a policy: its params (B, P) are the policy's actions, flattened, and their log-probability."""

    def __init__(self, space: spaces.Space) -> None:
        discrete = not isinstance(space, spaces.Box)
        self.action_shape = () if isinstance(space, spaces.Discrete) else tuple(space.shape or ())
        self.action_dtype = torch.int64 if discrete else torch.float32
        self.size = math.prod(self.action_shape) + 1

    def noise(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        """Empty, (*shape, 0): the policy draws from PyTorch's own generator."""
        return torch.empty((*shape, 0), device=generator.device)

    def sample(self, params: Tensor, noise: Tensor) -> Tensor:
        return params[..., :-1].reshape(*params.shape[:-1], *self.action_shape).to(self.action_dtype)

    def log_prob(self, params: Tensor, actions: Tensor) -> Tensor:
        return params[..., -1]

    def forward(self, policy: Any, obs: Any) -> tuple[Tensor, Tensor]:
        """Params (B, P) and values (B,) of observations, by the policy's `forward`."""
        actions, values, log_probs = policy(obs)
        params = torch.cat([actions.reshape(len(values), -1).float(), log_probs.reshape(-1, 1)], 1)
        return params, values.flatten()

    def evaluate(self, policy: Any, obs: Any, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities, entropies and values, (B,) each, by the policy's `evaluate_actions`."""
        values, log_probs, entropies = policy.evaluate_actions(obs, actions)
        # Without a formula for the entropy, it is estimated from the action, as in Stable-Baselines3.
        return log_probs, -log_probs if entropies is None else entropies, values.flatten()
