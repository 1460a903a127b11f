"""An actor and critic as loops that threads share: decisions, and PPO's gradients; see `compiled.network`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

from ..compiled.build import build
from ..compiled.kernel import Kernel, ThreadPool
from ..compiled.layers import Layer
from ..compiled.network import Backward, CompiledNetwork, Planes, Vectors, cached
from ..compiled.trace import NotCompiled
from ..nn.action_dists import FORBIDDEN, CategoricalHead, masked
from ..nn.actor_critic import ActorCritic
from ..nn.overridden import OverriddenHead
from .loss import Data, Gradients, Settings, categorical_grads, numbers_of


class CompiledActorCritic(CompiledNetwork):
    """Decisions and gradients of a policy.

    Args:
        choices: how many actions there are.
    """

    def __init__(
        self,
        inputs: Planes | Vectors,
        layers: Sequence[Layer],
        weights: Sequence[Tensor],
        choices: int,
        pool: ThreadPool,
    ) -> None:
        super().__init__(inputs, layers, weights, pool)
        self.choices = choices
        self._minibatches: dict[Any, _Minibatch] = {}

    def logits_and_values(self, obs: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, A) and values (B,) of observations (B, *shape); they are written over at the next call."""
        outputs = self.forward(obs)
        return masked(outputs[:, : self.choices], mask), outputs[:, self.choices]

    def __call__(self, data: Data, rows: Tensor, columns: Tensor, settings: Settings) -> Gradients:
        """Gradients of the loss over `rows` of the data, and the loss's parts (6,)."""
        obs, masks = data["obs"].flatten(1), data.get("masks")
        key = (obs.data_ptr(), None if masks is None else masks.data_ptr(), len(rows))
        minibatch = cached(self._minibatches, key, lambda: _Minibatch(self, obs, masks, len(rows)))
        self.read_weights()
        parts = minibatch.run(data["actions"], rows, columns, settings)
        self.collect()
        return self.gradients, parts


class _Minibatch(Backward):
    """The loops of a minibatch, with the loss between those forwards and those backwards.

    Args:
        obs: (M, K), of which the samples are rows, and so of masks (M, A), which are None where all actions are legal.
    """

    def __init__(self, owner: CompiledActorCritic, obs: Tensor, masks: Tensor | None, samples: int) -> None:
        super().__init__(owner, obs, samples)
        self.choices, units = owner.choices, self.outputs[-1].units
        self.actions, self.columns = torch.zeros(samples, dtype=torch.int64), torch.zeros(samples, 4)
        self.numbers, self.sums = torch.zeros(6, dtype=torch.float64), torch.zeros(units, 6, dtype=torch.float64)
        if masks is not None:
            self.loops.append(Kernel(forbid, self.rows, masks, self.out, units=len(self.rows)))
        loss = (self.out, self.actions, self.columns, self.numbers, self.grad, self.sums)
        self.loss = Kernel(categorical_grads, *loss, units=units)

    def run(self, actions: Tensor, rows: Tensor, columns: Tensor, settings: Settings) -> Tensor:
        """Parts (6,) of the loss; the gradients lie with the layers."""
        samples = len(rows)
        self.rows[:samples] = rows
        torch.index_select(actions, 0, rows, out=self.actions)
        self.columns.copy_(columns)
        self.numbers.copy_(numbers_of(self.choices, settings, 1 / samples))
        self.pool.run(*self.loops, self.loss, *self.back)
        return self.sums.sum(0).float()


def forbid(rows, masks, decisions, first, last):
    """Logits of decisions (N, W) become those of forbidden actions where masks (M, A) at rows (N,) say so."""
    for i in range(first, last):
        for a in range(masks.shape[1]):
            if not masks[rows[i], a]:
                decisions[i, a] = FORBIDDEN  # so that its probability, and with it its grad, is 0
    return 0


def compile_actor_critic(policy: Any, pool: ThreadPool) -> CompiledActorCritic:
    """For this policy; raises NotCompiled with the reason if there are no loops for it."""
    if isinstance(policy.head, OverriddenHead):
        raise NotCompiled("a policy with methods of its own")
    if not isinstance(policy.head, CategoricalHead):
        raise NotCompiled("actions that are not Discrete")
    if policy.core is not None:
        raise NotCompiled("recurrent")
    if not policy.share_features_extractor:
        raise NotCompiled("separate features extractors")
    if type(policy).extract_features not in (ActorCritic.extract_features, ActorCriticPolicy.extract_features):
        raise NotCompiled("a policy with methods of its own")

    def forward(obs: Any) -> tuple[Any, Any]:
        actor, critic = policy.mlp_extractor(policy.features_extractor(obs))
        return policy.action_net(actor), policy.value_net(critic)

    inputs, layers, sizes = build(policy, policy.observation_space, forward, policy.normalizer)
    return CompiledActorCritic(inputs, layers, list(policy.parameters()), sizes[0], pool)
