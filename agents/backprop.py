"""A policy on planes as loops that threads share: its decisions, and PPO's gradients.

For networks of this size, PyTorch's operations are so short that most of the time goes by between them, and threads wait for
each other at the interpreter's lock. Here one minibatch is a dozen loops (`layers`, `slopes`), and every sum is taken in the
same order whoever computes it, so that results are the same to the last bit on any number of cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from stable_baselines3.common.torch_layers import FlattenExtractor
from torch import Tensor, nn

from .encoders import MinAtarCnn, MlpEncoder
from .heads import CategoricalHead, masked
from .layers import Convolution, Decision, Dense, Layer, OnPlanes, Place, looked_at
from .loops import Crew, Loop
from .networks import Thinker
from .planes import sees_planes
from .slopes import UNIT, categorical_slopes, numbers_of

if TYPE_CHECKING:
    from .update import Data, Gradients, Settings


class Backprop:
    """Decisions and gradients of a policy that consists of these layers.

    Args:
        layers: from planes to logits and a value.
        weights: of the policy, in the order in which their gradients are wanted.
        choices: how many actions there are.
        crew: who computes.
    """

    def __init__(self, layers: Sequence[Layer], weights: Sequence[Tensor], choices: int, crew: Crew) -> None:
        self.layers, self.choices, self.crew = layers, choices, crew
        found = {name: gradient for layer in layers for name, gradient in layer.gradients.items()}
        self.gradients = [found[id(weight)] for weight in weights]
        self._forwards: dict[int, _Forward] = {}
        self._backwards: dict[tuple[int, int], _Backward] = {}

    def thinker(self) -> Thinker:
        """What decides with the weights as they are now; see `networks.think`."""
        self.read_weights()
        return self._think

    def _think(self, obs: Tensor, memory: Any = None, mask: Any = None) -> tuple[Tensor, Tensor, None]:
        """Logits (B, A) and values (B,) of observations (B, *shape); they are written over at the next call."""
        forward = _remembered(self._forwards, len(obs), lambda: _Forward(self, torch.zeros_like(obs).flatten(1)))
        forward.planes.copy_(obs.flatten(1))
        self.crew.run(*forward.loops)
        decisions = forward.decisions[: len(obs)]
        return masked(decisions[:, : self.choices], mask), decisions[:, self.choices], None

    def forward_of(self, planes: Tensor) -> tuple[list[Loop], Tensor]:
        """Loops from planes (N, K) in the caller's memory to decisions (N', W): logits, the value, what fills them up."""
        forward = _Forward(self, planes)
        return forward.loops, forward.decisions

    def read_weights(self) -> None:
        """Nothing is kept from the last time, since whoever owns the policy may have changed its weights."""
        for layer in self.layers:
            layer.read()

    def __call__(self, data: Data, rows: Tensor, columns: Tensor, settings: Settings) -> Gradients:
        """Gradients of the loss over `rows` of the data, and the loss's parts, as `update.Autograd` gives them."""
        planes = data["obs"].flatten(1)
        key = (planes.data_ptr(), len(rows))
        backward = _remembered(self._backwards, key, lambda: _Backward(self, planes, len(rows)))
        self.read_weights()
        parts = backward.run(data["actions"], rows, columns, settings)
        for layer in self.layers:
            layer.collect()
        return self.gradients, parts


class _Forward:
    """The loops from planes to decisions, for one number of samples, and what they pass on to each other.

    Args:
        planes: (M, K) uint8, in memory of which the samples are rows.
        samples: how many; None: all rows, in order.
    """

    def __init__(self, owner: Backprop, planes: Tensor, samples: int | None = None) -> None:
        flow, self.loops = looked_at(planes, len(planes)) if samples is None else looked_at(planes, samples, UNIT)
        self.planes, self.rows, self.flows = planes, flow.numbers, [flow]
        if samples is None:
            torch.arange(len(planes), out=self.rows[: len(planes)])
        for layer in owner.layers:
            flow, loops = layer.forward(flow)
            self.flows.append(flow)
            self.loops += loops

    @property
    def decisions(self) -> Tensor:
        """(N, W): logits, the value, and what fills them up."""
        return self.flows[-1].numbers


class _Backward(_Forward):
    """The same, and on to the changes of weights."""

    def __init__(self, owner: Backprop, planes: Tensor, samples: int) -> None:
        super().__init__(owner, planes, samples)
        self.crew, self.choices, out = owner.crew, owner.choices, self.flows[-1]
        self.actions, self.columns = torch.zeros(samples, dtype=torch.int64), torch.zeros(samples, 4)
        self.numbers, self.sums = torch.zeros(6, dtype=torch.float64), torch.zeros(out.units, 6, dtype=torch.float64)
        for flow in self.flows[1:]:
            flow.slope = torch.zeros_like(flow.numbers)
        judged: Any = (self.decisions, self.actions, self.columns, self.numbers, out.slope, self.sums)
        self.loops.append(Loop(categorical_slopes, *judged, units=out.units))
        for layer, x, out in reversed([*zip(owner.layers, self.flows[:-1], self.flows[1:], strict=True)]):
            self.loops += layer.backward(x, out)

    def run(self, actions: Tensor, rows: Tensor, columns: Tensor, settings: Settings) -> Tensor:
        """Parts (6,) of the loss; the gradients lie with the layers."""
        samples = len(rows)
        self.rows[:samples] = rows
        torch.index_select(actions, 0, rows, out=self.actions)
        self.columns.copy_(columns)
        self.numbers.copy_(numbers_of(self.choices, settings, 1 / samples))
        self.crew.run(*self.loops)
        return self.sums.sum(0).float()


def _remembered(kept: dict[Any, Any], key: Any, make: Any) -> Any:
    """The loops for this key; only a few are kept, since they hold on to memory."""
    if key not in kept:
        if len(kept) >= 64:
            kept.clear()
        kept[key] = make()
    return kept[key]


def backprop_of(policy: Any, crew: Crew) -> Backprop | None:
    """For this policy; None if its layers are not of the kinds that there are loops for, or not all of them learn."""
    known = isinstance(policy.head, CategoricalHead) and policy.core is None and policy.normalizer is None
    if not known or not sees_planes(policy) or not policy.share_features_extractor:
        return None
    layers = layers_of(policy)
    weights = list(policy.parameters())
    own = {name for layer in layers or () for name in layer.gradients}
    if layers is None or own != {id(weight) for weight in weights} or not all(w.requires_grad for w in weights):
        return None
    return Backprop(layers, weights, policy.action_net.out_features, crew)


def layers_of(policy: Any) -> list[Layer] | None:
    """From planes to logits and a value: an encoder, or a network each for actor and critic; None if it is neither."""
    encoder, towers = policy.features_extractor, policy.mlp_extractor
    actor, critic = _linear_layers(towers.policy_net), _linear_layers(towers.value_net)
    if actor is None or critic is None:
        return None
    if type(encoder) is FlattenExtractor and actor:
        return _tower_layers(policy, actor, critic)
    if actor or critic:
        return None
    layers: list[Layer] = []
    hidden: list[Any]
    if type(encoder) is MinAtarCnn:
        convolution: Any = encoder.convolution[0]
        hidden = [encoder.layer[0]]
        layers.append(Convolution(convolution, policy.observation_space.shape))
    elif type(encoder) is MlpEncoder:
        first, *hidden = [layer for layer in encoder.layers if isinstance(layer, nn.Linear)]
        layers.append(OnPlanes(first.in_features, _filled_up(first.out_features), [Place(first)]))
    else:
        return None
    for module in hidden:
        layers.append(Dense(1, layers[-1].width, _filled_up(module.out_features), [Place(module)]))
    return [*layers, _decision(policy, layers[-1].width, 0)]


def _tower_layers(policy: Any, actor: list[nn.Linear], critic: list[nn.Linear]) -> list[Layer] | None:
    """Actor's and critic's layers by pairs, if they have the same sizes."""
    if [layer.weight.shape for layer in actor] != [layer.weight.shape for layer in critic]:
        return None
    width = _filled_up(actor[0].out_features)
    both = [Place(actor[0]), Place(critic[0], first_output=width)]
    layers: list[Layer] = [OnPlanes(actor[0].in_features, 2 * width, both)]
    for pair in zip(actor[1:], critic[1:], strict=True):
        outputs = _filled_up(pair[0].out_features)
        layers.append(Dense(2, width, outputs, [Place(module, group) for group, module in enumerate(pair)]))
        width = outputs
    return [*layers, _decision(policy, 2 * width, width)]


def _decision(policy: Any, inputs: int, critics_inputs: int) -> Decision:
    """Actor and critic in one matrix; the critic reads from that input on."""
    choices = policy.action_net.out_features
    places = [Place(policy.action_net), Place(policy.value_net, 0, critics_inputs, choices)]
    return Decision(1, inputs, _filled_up(choices + 1), places)


def _linear_layers(network: nn.Sequential) -> list[nn.Linear] | None:
    """Of a network in which a ReLU follows each; None if it is another."""
    linear, between = list(network)[::2], list(network)[1::2]
    fits = all(type(layer) is nn.Linear for layer in linear) and all(type(layer) is nn.ReLU for layer in between)
    return linear if fits and len(linear) == len(between) else None  # type: ignore[return-value]


def _filled_up(size: int) -> int:
    """Processors take eight numbers at once."""
    return -(-size // 8) * 8
