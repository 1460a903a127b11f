"""An agent for web pages: its network as a list of layers, and their weights as one file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..agents.compiled.actor_critic import decisions_of
from ..agents.compiled.build import inputs_of
from ..agents.compiled.trace import NotCompiled, Operation, trace
from ..agents.nn.value_dists import Scalar
from ..agents.q_learning.compiled_q_network import raw_numbers_of
from ..envs import OptionError
from ..envs.engine.wasm_module import end_of_data
from .layers import network_module


class NotForPages(OptionError):
    """An agent that no page can run; the message says why."""


@dataclass(frozen=True)
class WebAgent:
    """An agent as a page runs it.

    Attributes:
        code: the module of `layers.network_module`.
        weights: float32, little-endian, layer after layer.
        facts: plain, for JSON. `layers` tells of each: its `loop`, the numbers that it reads `from` (0: the observation) and
            writes `to`, and shapes of its weights; `sizes` how many numbers there are of each; `outs` where logits and value
            are ("policy"), values ("values"), or advantages and a value ("duel"), as `kind` says; `bytes` of the weights.
    """

    code: bytes
    weights: bytes
    facts: dict[str, Any]


def web_agent(agent: Any) -> WebAgent:
    """For a page; raises NotForPages, a reason in a line, if a page cannot run this agent."""
    try:
        if getattr(agent.policy, "frozen", None) is not None:
            raise NotCompiled("a pretrained encoder in front of the network")
        return _values(agent.policy.q_net) if agent.acts_on_values else _policy(agent.policy)
    except NotCompiled as reason:
        raise NotForPages(f"a page cannot run this agent: {reason}") from reason


def _policy(policy: Any) -> WebAgent:
    """Of an actor-critic."""
    space, normalizer = policy.observation_space, getattr(policy, "normalizer", None)
    layers = Layers.on(space, normalizer)
    if normalizer is not None:
        layers.standardize(normalizer)
    return layers.agent("policy", trace(policy, space.shape, decisions_of(policy)))


def _values(network: Any) -> WebAgent:
    """Of action values."""
    if not isinstance(network.distribution, Scalar):
        raise NotCompiled("values that are distributions")
    space = network.observation_space
    layers, outs = Layers.on(space), trace(network, space.shape, raw_numbers_of(network))
    return layers.agent("duel" if network.dueling else "values", outs)


@dataclass
class Layers:
    """Layers of a network, in the order in which they are computed.

    Attributes:
        sizes: of the rows of numbers that layers read and write; the first is the observation.
    """

    sizes: list[int]
    layers: list[dict[str, Any]] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)
    written: dict[int, int] = field(default_factory=dict)  # id of an operation -> where its numbers are

    @staticmethod
    def on(space: Any, normalizer: Any = None) -> Layers:
        """None yet, on observations of this space; raises NotCompiled for those that a page cannot make."""
        inputs_of(space, normalizer)
        return Layers([int(np.prod(space.shape))])

    def agent(self, kind: str, outs: Any) -> WebAgent:
        """Of what `trace` found."""
        start = len(self.sizes) - 1  # the observation or, where that is standardized, what comes of it
        ends = []
        for out in outs:
            at = start
            for operation in out.path:
                if id(operation) not in self.written:
                    self.written[id(operation)] = getattr(self, operation.kind, self.activation)(operation, at)
                at = self.written[id(operation)]
            ends.append(at)
        weights = b"".join(array.astype("<f4").tobytes() for array in self.weights)
        code = network_module()
        facts = {"kind": kind, "layers": self.layers, "sizes": self.sizes, "outs": ends, "bytes": len(weights)}
        return WebAgent(code, weights, {**facts, "free": end_of_data(code)})

    def add(self, loop: str, at: int, size: int, weights: list[Any], **facts: Any) -> int:
        """A layer from row `at` to a new row of this size; returns where that is."""
        arrays = [np.asarray(array.detach().numpy() if isinstance(array, Tensor) else array) for array in weights]
        self.weights += arrays
        shapes = [list(array.shape) for array in arrays]
        self.sizes.append(size)
        self.layers.append({"loop": loop, "from": at, "to": len(self.sizes) - 1, "weights": shapes, **facts})
        return len(self.sizes) - 1

    def standardize(self, normalizer: Any) -> None:
        """Minus mean, times scale, within bounds: as `ObservationNormalizer` does it."""
        scale = (normalizer.variance + 1e-8).rsqrt().float().flatten()
        self.add("standardize", 0, self.sizes[0], [normalizer.mean.float().flatten(), scale])

    def activation(self, operation: Operation, at: int) -> int:
        """ReLU, tanh or SiLU, of all numbers of a row."""
        return self.add(operation.kind, at, self.sizes[at], [])

    def linear(self, operation: Operation, at: int) -> int:
        """Reads a part of a row as it lies there or, in another order, the whole row by weights in that order."""
        module, columns = operation.module, operation.columns
        weights, first = module.weight.detach().T, int(columns[0])  # (I, O)
        if not torch.equal(columns, torch.arange(len(columns)) + first):
            whole = torch.zeros(self.sizes[at], module.out_features)
            whole[columns] = weights
            weights, first = whole, 0
        return self.add("dense", at, module.out_features, [weights, module.bias], first=first)

    def convolution(self, operation: Operation, at: int) -> int:
        module = operation.module
        channels, rows, columns = operation.columns.shape
        across, out_across = step_of(operation.columns), step_of(operation.outputs)
        weights = module.weight.detach().permute(2, 3, 1, 0).flatten(0, 2)  # (O, C, K, L) -> (K * L * C, O)
        height, width = operation.outputs.shape[1:]
        sizes = [rows, columns, across, channels, height, width, out_across]
        sizes += [*module.kernel_size, *module.stride, *module.padding]
        return self.add("convolve", at, height * width * out_across, [weights, module.bias], sizes=sizes)

    def norm(self, operation: Operation, at: int) -> int:
        module, columns = operation.module, operation.columns
        columns = columns.flatten(0, -2) if columns.dim() > 1 else columns[None]
        groups, size = columns.shape
        across = int(columns[1, 0]) if groups > 1 else size
        if not torch.equal(columns, torch.arange(groups)[:, None] * across + torch.arange(size)):
            raise NotCompiled("a normalisation over permuted numbers")
        weights = [module.weight, module.bias, np.array([module.eps])]
        return self.add("normalize", at, self.sizes[at], weights, sizes=[groups, across])


def step_of(places: Tensor) -> int:
    """Numbers from one place to the next of places (C, H, W), whose channels lie side by side; raises NotCompiled."""
    channels, rows, columns = places.shape
    flat = places.flatten(1)  # (C, H * W)
    step = int(flat[0, 1]) if flat.shape[1] > 1 else channels
    if not torch.equal(flat, torch.arange(rows * columns) * step + torch.arange(channels)[:, None]):
        raise NotCompiled("a convolution over permuted numbers")
    return step
