"""An actor and critic as loops that threads share: decisions, and gradients of a loss; see `compiled.network`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..nn.action_dists import FORBIDDEN, CategoricalHead, masked
from ..nn.overridden import OverriddenHead
from .build import build
from .kernel import UNIT, Kernel, ThreadPool
from .layers import Layer
from .network import Backward, CompiledNetwork, Planes, Vectors, cached
from .trace import NotCompiled

Data = dict[str, Any]  # of a rollout by name, as `RolloutTensors.samples` or `sequences` gives it
Gradients = tuple[Sequence[Tensor], Tensor]  # one for each trainable parameter, and the parts (K,) of the loss


@dataclass(frozen=True)
class Loss:
    """The loss of an actor-critic: in PyTorch and, if there is one, as a compiled loop with its gradient.

    Attributes:
        parts: the names under which its K parts are logged; "loss" is the loss itself.
        function: takes log-probabilities, entropies and values (B,) of a minibatch, its columns (B, C), see
            `RolloutTensors`, and the algorithm's settings; returns the loss () and its parts (K,), detached.
        kernel: `kernel(outputs, actions, columns, numbers, grads, sums, first, last)`: the same for categorical actions, for
            units first .. last-1 of `UNIT` samples. It reads outputs (N', W), logits of A actions and a value, with N' >= N
            and W > A, actions (N,) and columns (N, C), and writes their gradients (N', W), 0 where there is no sample or no
            output, and sums (N' / UNIT, K), each unit's share of the parts.
        numbers: returns the float64 numbers that `kernel` takes, of A, settings and the weight of each sample.
    """

    parts: tuple[str, ...]
    function: Callable[[Tensor, Tensor, Tensor, Tensor, Any], tuple[Tensor, Tensor]]
    kernel: Callable[..., Any] | None = None
    numbers: Callable[[int, Any, float], Tensor] = lambda choices, settings, weight: torch.zeros(0, dtype=torch.float64)

    def grads(
        self, logits: Tensor, values: Tensor, actions: Tensor, columns: Tensor, settings: Any, share: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients by logits (B, A) and values (B,), and parts (K,), all times `share`, by `kernel`; on the CPU."""
        assert self.kernel is not None
        choices, units = logits.shape[1], -(-len(logits) // UNIT)
        outputs = torch.cat([logits.detach(), values.detach().unsqueeze(1)], 1)  # (B, A + 1)
        grads, sums = torch.empty_like(outputs), torch.empty(units, len(self.parts), dtype=torch.float64)
        numbers = self.numbers(choices, settings, share / len(values))
        given = (outputs, actions.contiguous(), columns.contiguous(), numbers, grads, sums)
        Kernel(self.kernel, *given, units=units)()
        return grads[:, :choices], grads[:, choices], sums.sum(0).float()


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

    def grads(self, data: Data, rows: Tensor, columns: Tensor, loss: Loss, settings: Any) -> Gradients:
        """Gradients of the loss over `rows` of the data, and its parts (K,)."""
        obs, masks = data["obs"].flatten(1), data.get("masks")
        key = (obs.data_ptr(), None if masks is None else masks.data_ptr(), columns.shape)
        minibatch = cached(self._minibatches, key, lambda: _Minibatch(self, obs, masks, columns.shape, loss, settings))
        self.read_weights()
        parts = minibatch.run(data["actions"], rows, columns, settings)
        self.collect()
        return self.gradients, parts


class _Minibatch(Backward):
    """The loops of a minibatch, with the loss between those forwards and those backwards.

    Args:
        obs: (M, K), of which the samples are rows, and so of masks (M, A), which are None where all actions are legal.
        shape: (N, C), of the columns of a minibatch.
    """

    def __init__(
        self,
        owner: CompiledActorCritic,
        obs: Tensor,
        masks: Tensor | None,
        shape: torch.Size,
        loss: Loss,
        settings: Any,
    ) -> None:
        samples = shape[0]
        super().__init__(owner, obs, samples)
        self.choices, self.loss, units = owner.choices, loss, self.outputs[-1].units
        self.actions, self.columns = torch.zeros(samples, dtype=torch.int64), torch.zeros(shape)
        self.numbers = loss.numbers(self.choices, settings, 1 / samples)
        self.sums = torch.zeros(units, len(loss.parts), dtype=torch.float64)
        if masks is not None:
            self.loops.append(Kernel(forbid, self.rows, masks, self.out, units=len(self.rows)))
        if loss.kernel is not None:
            given = (self.out, self.actions, self.columns, self.numbers, self.grad, self.sums)
            self.loops.append(Kernel(loss.kernel, *given, units=units))

    def run(self, actions: Tensor, rows: Tensor, columns: Tensor, settings: Any) -> Tensor:
        """Parts (K,) of the loss; the gradients lie with the layers."""
        samples = len(rows)
        self.rows[:samples] = rows
        torch.index_select(actions, 0, rows, out=self.actions)
        self.columns.copy_(columns)
        if self.loss.kernel is None:
            self.pool.run(*self.loops)
            parts = self._grads_by_pytorch(samples, settings)
            self.pool.run(*self.back)
            return parts
        self.numbers.copy_(self.loss.numbers(self.choices, settings, 1 / samples))
        self.pool.run(*self.loops, *self.back)
        return self.sums.sum(0).float()

    def _grads_by_pytorch(self, samples: int, settings: Any) -> Tensor:
        """Parts (K,) of the loss, whose gradient by the network's outputs is written to `grad`."""
        used = self.out[:samples, : self.choices + 1].detach().requires_grad_()
        head = CategoricalHead(self.choices)
        log_probs, entropies = head.log_prob_and_entropy(used[:, :-1], self.actions)
        loss, parts = self.loss.function(log_probs, entropies, used[:, -1], self.columns, settings)
        self.grad[:samples, : self.choices + 1] = torch.autograd.grad(loss, used)[0]
        return parts


def forbid(rows, masks, decisions, first, last):
    """Logits of decisions (N, W) become those of forbidden actions where masks (M, A) at rows (N,) say so."""
    for i in range(first, last):
        for a in range(masks.shape[1]):
            if not masks[rows[i], a]:
                decisions[i, a] = FORBIDDEN  # so that its probability, and with it its grad, is 0
    return 0


def compile_actor_critic(policy: Any, pool: ThreadPool) -> CompiledActorCritic:
    """For this policy; raises NotCompiled with the reason if there are no loops for it."""
    inputs, layers, sizes = build(policy, policy.observation_space, decisions_of(policy), policy.normalizer)
    return CompiledActorCritic(inputs, layers, list(policy.parameters()), sizes[0], pool)


def decisions_of(policy: Any) -> Callable[[Any], tuple[Any, Any]]:
    """What computes logits and value of observations, normalised if they have to be, for `trace`; raises NotCompiled."""
    if isinstance(policy.head, OverriddenHead):
        raise NotCompiled("a policy with methods of its own")
    if not isinstance(policy.head, CategoricalHead):
        raise NotCompiled("actions that are not Discrete")
    if policy.core is not None:
        raise NotCompiled("recurrent")
    if not policy.share_features_extractor:
        raise NotCompiled("separate features extractors")

    def forward(obs: Any) -> tuple[Any, Any]:
        actor, critic = policy.mlp_extractor(policy.features_extractor(obs))
        return policy.action_net(actor), policy.value_net(critic)

    return forward
