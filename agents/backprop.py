"""A policy of fully connected layers on planes as loops that threads share: its decisions, and PPO's gradients.

For networks of this size, PyTorch's operations are so short that most of the time goes by between them, and threads wait for
each other at the interpreter's lock. Here one minibatch is a dozen loops (`planes`, `dense`, `slopes`), and every sum is
taken in the same order whoever computes it, so that results are the same to the last bit on any number of cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .dense import TILE, dense_backward_inputs, dense_backward_weights, dense_forward, dense_forward_relu
from .heads import CategoricalHead, masked
from .loops import Crew, Loop
from .networks import Thinker
from .planes import find_cells, linear_backward, linear_forward_relu, strips_for
from .slopes import UNIT, categorical_slopes, numbers_of

if TYPE_CHECKING:
    from .update import Data, Gradients, Settings


class Backprop:
    """For a policy of `MlpEncoder` on planes, with a linear actor and critic for one choice among actions.

    Args:
        layers: the encoder's, then actor and critic.
        crew: who computes.
    """

    def __init__(self, layers: Sequence[nn.Linear], crew: Crew) -> None:
        *self.hidden, self.actor, self.critic = layers
        self.crew, self.choices = crew, self.actor.out_features
        sizes = [layer.out_features for layer in self.hidden] + [self.choices + 1]
        self.widths = [-(-size // 8) * 8 for size in sizes]  # processors take eight numbers at once
        inputs = [self.hidden[0].in_features, *self.widths[:-1]]
        pairs = list(zip(inputs, self.widths, strict=True))
        # The weights as forward loops read them, inputs first, and as backward loops do. What is beyond the sizes stays 0.
        self.forward_weights = [torch.zeros(i, o) for i, o in pairs]
        self.backward_weights = [torch.zeros(o, i) for i, o in pairs]
        self.biases = [torch.zeros(o) for _, o in pairs]
        self.changes = [(torch.zeros(o, i), torch.zeros(o)) for i, o in pairs]
        self.strips = strips_for(*pairs[0])
        parts = [part for k, layer, place in self._places() for part in self._changed(k, layer, place)]
        self.gradients = [part.contiguous() for part in parts]  # the same memory, where a layer needs no filling up
        self.copied = [
            pair for pair in zip(self.gradients, parts, strict=True) if pair[0].data_ptr() != pair[1].data_ptr()
        ]
        self._forwards: dict[int, _Forward] = {}
        self._backwards: dict[tuple[int, int], _Backward] = {}

    def thinker(self) -> Thinker:
        """What decides with the weights as they are now; see `networks.think`."""
        self._read_weights()
        return self._think

    def _think(self, obs: Tensor, memory: Any = None, mask: Any = None) -> tuple[Tensor, Tensor, None]:
        """Logits (B, A) and values (B,) of observations (B, *shape); they are written over at the next call."""
        forward = _remembered(self._forwards, len(obs), lambda: _Forward(self, torch.zeros_like(obs).flatten(1)))
        forward.planes.copy_(obs.flatten(1))
        self.crew.run(*forward.loops)
        decisions = forward.outs[-1][: len(obs)]
        return masked(decisions[:, : self.choices], mask), decisions[:, self.choices], None

    def __call__(self, data: Data, rows: Tensor, columns: Tensor, settings: Settings) -> Gradients:
        """Gradients of the loss over `rows` of the data, and the loss's parts, as `update.Autograd` gives them."""
        planes = data["obs"].flatten(1)
        key = (planes.data_ptr(), len(rows))
        backward = _remembered(self._backwards, key, lambda: _Backward(self, planes, len(rows)))
        self._read_weights()
        parts = backward.run(data["actions"], rows, columns, settings)
        return self._gradients(), parts

    def _places(self) -> list[tuple[int, nn.Linear, int]]:
        """Each layer with the number of its matrix, and its first output's place there: actor and critic share one."""
        last = len(self.hidden)
        heads = [(last, self.actor, 0), (last, self.critic, self.choices)]
        return [*((k, layer, 0) for k, layer in enumerate(self.hidden)), *heads]

    def _changed(self, k: int, layer: nn.Linear, place: int) -> tuple[Tensor, Tensor]:
        """Where the changes of a layer's weight and bias are found."""
        (change, bias_change), end = self.changes[k], place + layer.out_features
        return change[place:end, : layer.in_features], bias_change[place:end]

    def _read_weights(self) -> None:
        """Nothing is kept from the last time, since whoever owns the policy may have changed them."""
        for k, layer, place in self._places():
            self._read(k, layer, place)

    def _read(self, k: int, layer: nn.Linear, place: int) -> None:
        """Layer k, or as much of it as lies from output `place` on."""
        weight, end = layer.weight.detach(), place + layer.out_features
        size = layer.in_features
        self.forward_weights[k][:size, place:end].copy_(weight.T)
        self.biases[k][place:end].copy_(layer.bias.detach())
        if k > 0:
            self.backward_weights[k][place:end, :size].copy_(weight)

    def _gradients(self) -> list[Tensor]:
        """Of each layer's weight and bias."""
        for gradient, change in self.copied:
            gradient.copy_(change)
        return self.gradients


class _Forward:
    """The loops from planes to decisions, for one number of samples, and what they pass on to each other.

    Args:
        planes: (M, K) uint8, in memory of which the samples are rows.
        samples: how many; None: all rows, in order.
    """

    def __init__(self, owner: Backprop, planes: Tensor, samples: int | None = None) -> None:
        n = len(planes) if samples is None else samples
        height = -(-n // UNIT) * UNIT
        self.rows = torch.zeros(height, dtype=torch.int64)  # beyond the samples: any row
        if samples is None:
            torch.arange(n, out=self.rows[:n])
        cells, counts = torch.zeros(height, planes.shape[1], dtype=torch.int32), torch.zeros(height, dtype=torch.int32)
        self.planes, self.seen = planes, (self.rows, planes, cells, counts)
        self.outs = outs = [torch.zeros(height, width) for width in owner.widths]
        self.tiles, self.units, last = height // TILE, height // UNIT, len(outs) - 1
        weights, biases = owner.forward_weights, owner.biases
        self.loops = [
            Loop(find_cells, *self.seen, units=height),
            Loop(linear_forward_relu, *self.seen, weights[0], biases[0], outs[0], units=height),
        ]
        for k in range(1, last + 1):
            loop = dense_forward if k == last else dense_forward_relu
            self.loops.append(Loop(loop, outs[k - 1], weights[k], biases[k], outs[k], units=self.tiles))


class _Backward(_Forward):
    """The same, and on to the changes of weights."""

    def __init__(self, owner: Backprop, planes: Tensor, samples: int) -> None:
        super().__init__(owner, planes, samples)
        self.crew, self.choices = owner.crew, owner.choices
        self.actions, self.columns = torch.zeros(samples, dtype=torch.int64), torch.zeros(samples, 4)
        self.numbers, self.sums = torch.zeros(6, dtype=torch.float64), torch.zeros(self.units, 6, dtype=torch.float64)
        slopes = [torch.zeros_like(out) for out in self.outs]
        judged = (self.outs[-1], self.actions, self.columns, self.numbers, slopes[-1], self.sums)
        self.loops.append(Loop(categorical_slopes, *judged, units=self.units))
        for k in range(len(slopes) - 1, 0, -1):
            weights, inputs, changes = owner.backward_weights[k], self.outs[k - 1], owner.changes[k]
            self.loops += [
                Loop(dense_backward_weights, slopes[k], inputs, *changes, units=len(weights) // TILE),
                Loop(dense_backward_inputs, slopes[k], weights, inputs, slopes[k - 1], units=self.tiles),
            ]
        first = (*self.seen, slopes[0], owner.strips, *owner.changes[0])
        self.loops.append(Loop(linear_backward, *first, units=len(owner.strips)))

    def run(self, actions: Tensor, rows: Tensor, columns: Tensor, settings: Settings) -> Tensor:
        """Parts (6,) of the loss; the gradients lie in the owner's changes."""
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
    """For this policy; None if it is not of that kind, or not all of its weights are learned."""
    if policy.shortcut is None or policy.core is not None or not isinstance(policy.head, CategoricalHead):
        return None
    hidden = [layer for layer in policy.features_extractor.layers if isinstance(layer, nn.Linear)]
    layers = [*hidden, policy.action_net, policy.value_net]
    own = [weight for layer in layers for weight in (layer.weight, layer.bias)]
    whole = [id(weight) for weight in own] == [id(weight) for weight in policy.parameters()]
    if not whole or not all(weight.requires_grad for weight in own):
        return None
    return Backprop(layers, crew)
