"""An actor and critic on planes as loops that threads share: decisions, and PPO's gradients; see `network`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from stable_baselines3.common.torch_layers import FlattenExtractor
from torch import Tensor, nn

from ..compiled.kernel import Kernel, ThreadPool
from ..compiled.layers import Dense, Layer, OnPlanes, Place
from ..compiled.network import (
    Backward,
    CompiledNetwork,
    all_of,
    encoder_layers,
    filled_up,
    is_hooked,
    linear_layers,
    remembered,
)
from ..compiled.planes import sees_planes
from ..nn.action_dists import CategoricalHead, masked
from ..nn.actor_critic import Thinker
from .compiled_loss import categorical_grads, numbers_of

if TYPE_CHECKING:
    from .loss import Data, Gradients, Settings


class CompiledActorCritic(CompiledNetwork):
    """Decisions and gradients of a policy.

    Args:
        choices: how many actions there are.
    """

    def __init__(self, layers: Sequence[Layer], weights: Sequence[Tensor], choices: int, pool: ThreadPool) -> None:
        super().__init__(layers, weights, pool)
        self.choices = choices
        self._backwards: dict[tuple[int, int], _Judged] = {}

    def thinker(self) -> Thinker:
        """What decides with the weights as they are now; see `actor_critic.forward_step`."""
        self.read_weights()
        return self._think

    def _think(self, obs: Tensor, memory: Any = None, mask: Any = None) -> tuple[Tensor, Tensor, None]:
        """Logits (B, A) and values (B,) of observations (B, *shape); they are written over at the next call."""
        decisions = self.forward(obs)
        return masked(decisions[:, : self.choices], mask), decisions[:, self.choices], None

    def __call__(self, data: Data, rows: Tensor, columns: Tensor, settings: Settings) -> Gradients:
        """Gradients of the loss over `rows` of the data, and the loss's parts, as `loss.Autograd` gives them."""
        planes = data["obs"].flatten(1)
        key = (planes.data_ptr(), len(rows))
        backward = remembered(self._backwards, key, lambda: _Judged(self, planes, len(rows)))
        self.read_weights()
        parts = backward.run(data["actions"], rows, columns, settings)
        self.collect()
        return self.gradients, parts


class _Judged(Backward):
    """The loops of a minibatch, with the loss between those forwards and those back."""

    def __init__(self, owner: CompiledActorCritic, planes: Tensor, samples: int) -> None:
        super().__init__(owner, planes, samples)
        self.choices, units = owner.choices, self.flows[-1].units
        self.actions, self.columns = torch.zeros(samples, dtype=torch.int64), torch.zeros(samples, 4)
        self.numbers, self.sums = torch.zeros(6, dtype=torch.float64), torch.zeros(units, 6, dtype=torch.float64)
        judged = (self.out, self.actions, self.columns, self.numbers, self.grad, self.sums)
        self.judge = Kernel(categorical_grads, *judged, units=units)

    def run(self, actions: Tensor, rows: Tensor, columns: Tensor, settings: Settings) -> Tensor:
        """Parts (6,) of the loss; the gradients lie with the layers."""
        samples = len(rows)
        self.rows[:samples] = rows
        torch.index_select(actions, 0, rows, out=self.actions)
        self.columns.copy_(columns)
        self.numbers.copy_(numbers_of(self.choices, settings, 1 / samples))
        self.pool.run(*self.loops, self.judge, *self.back)
        return self.sums.sum(0).float()


def compile_actor_critic(policy: Any, pool: ThreadPool) -> CompiledActorCritic | None:
    """For this policy; None if its layers are not of the kinds that there are loops for, or not all of them learn."""
    known = isinstance(policy.head, CategoricalHead) and policy.core is None and policy.normalizer is None
    if not known or not sees_planes(policy) or not policy.share_features_extractor:
        return None
    layers, weights = layers_of(policy), list(policy.parameters())
    if layers is None or is_hooked(policy) or not all_of(layers, weights):
        return None
    return CompiledActorCritic(layers, weights, policy.action_net.out_features, pool)


def layers_of(policy: Any) -> list[Layer] | None:
    """From planes to logits and a value: an encoder, or a network each for actor and critic; None if it is neither."""
    encoder, towers = policy.features_extractor, policy.mlp_extractor
    actor, critic = linear_layers(towers.policy_net), linear_layers(towers.value_net)
    if actor is None or critic is None:
        return None
    if type(encoder) is FlattenExtractor and actor:
        return _tower_layers(policy, actor, critic)
    layers = None if actor or critic else encoder_layers(encoder, policy.observation_space.shape)
    return None if layers is None else [*layers, _decision(policy, layers[-1].width, 0)]


def _tower_layers(policy: Any, actor: list[nn.Linear], critic: list[nn.Linear]) -> list[Layer] | None:
    """Actor's and critic's layers by pairs, if they have the same sizes."""
    if [layer.weight.shape for layer in actor] != [layer.weight.shape for layer in critic]:
        return None
    width = filled_up(actor[0].out_features)
    both = [Place(actor[0]), Place(critic[0], first_output=width)]
    layers: list[Layer] = [OnPlanes(actor[0].in_features, 2 * width, both)]
    for pair in zip(actor[1:], critic[1:], strict=True):
        outputs = filled_up(pair[0].out_features)
        layers.append(Dense(2, width, outputs, [Place(module, group) for group, module in enumerate(pair)]))
        width = outputs
    return [*layers, _decision(policy, 2 * width, width)]


def _decision(policy: Any, inputs: int, critics_inputs: int) -> Dense:
    """Actor and critic in one matrix; the critic reads from that input on."""
    choices = policy.action_net.out_features
    places = [Place(policy.action_net), Place(policy.value_net, 0, critics_inputs, choices)]
    return Dense(1, inputs, filled_up(choices + 1), places, relu=False)
