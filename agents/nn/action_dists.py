"""Action distributions, one for each kind of action space.

A head takes the distribution's parameters `params` (B, P), the outputs of the policy's last layer, and has no weights of its
own. Randomness comes in as `noise`, so that the noise of a whole rollout is drawn at once, from a generator whose state
checkpoints contain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from gymnasium import spaces
from torch import Tensor

from ...envs import OptionError

FORBIDDEN = -1e8  # of actions that a mask excludes (Huang & Ontañón 2022)


class Head:
    """What all heads have in common; B may be several axes."""

    size: int  # P, of params
    action_shape: tuple[int, ...]  # of one action
    action_dtype = torch.int64

    def noise(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        """Noise (*shape, ...) for `sample`, for actions (*shape, *action_shape)."""
        raise NotImplementedError

    def sample(self, params: Tensor, noise: Tensor) -> Tensor:
        """Actions (B, *action_shape) drawn from the distribution."""
        raise NotImplementedError

    def mode(self, params: Tensor) -> Tensor:
        """The most likely actions (B, *action_shape)."""
        raise NotImplementedError

    def log_prob(self, params: Tensor, actions: Tensor) -> Tensor:
        """Log-probability or log-density (B,) of actions, in nats."""
        raise NotImplementedError

    def entropy(self, params: Tensor) -> Tensor:
        """Entropy (B,), in nats."""
        raise NotImplementedError

    def log_prob_and_entropy(self, params: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """`log_prob` and `entropy` at once, which may take less time."""
        return self.log_prob(params, actions), self.entropy(params)


class CategoricalHead(Head):
    """A categorical distribution over n actions (`Discrete`); params are logits (B, n)."""

    action_shape = ()

    def __init__(self, n: int) -> None:
        self.size = n

    def noise(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        return gumbel((*shape, self.size), generator)

    def sample(self, params: Tensor, noise: Tensor) -> Tensor:
        return (params + noise).argmax(-1)  # the Gumbel-max trick: nothing waits for the device, unlike multinomial

    def mode(self, params: Tensor) -> Tensor:
        return params.argmax(-1)

    def log_prob(self, params: Tensor, actions: Tensor) -> Tensor:
        return F.log_softmax(params, -1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def entropy(self, params: Tensor) -> Tensor:
        log_p = F.log_softmax(params, -1)
        return -(log_p.exp() * log_p).sum(-1)

    def log_prob_and_entropy(self, params: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        log_p = F.log_softmax(params, -1)
        return log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1), -(log_p.exp() * log_p).sum(-1)


class MultiCategoricalHead(Head):
    """Independent categorical distributions (`MultiDiscrete`); params are their logits side by side (B, n1 + n2 + ...)."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.heads = [CategoricalHead(int(n)) for n in sizes]
        self.sizes, self.size = [head.size for head in self.heads], sum(int(n) for n in sizes)
        self.action_shape = (len(self.heads),)

    def noise(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        return gumbel((*shape, self.size), generator)

    def sample(self, params: Tensor, noise: Tensor) -> Tensor:
        return self.mode(params + noise)

    def mode(self, params: Tensor) -> Tensor:
        return torch.stack([part.argmax(-1) for part in params.split(self.sizes, -1)], -1)

    def log_prob(self, params: Tensor, actions: Tensor) -> Tensor:
        parts = zip(self.heads, params.split(self.sizes, -1), actions.unbind(-1), strict=True)
        return torch.stack([head.log_prob(part, action) for head, part, action in parts]).sum(0)

    def entropy(self, params: Tensor) -> Tensor:
        parts = zip(self.heads, params.split(self.sizes, -1), strict=True)
        return torch.stack([head.entropy(part) for head, part in parts]).sum(0)


class BernoulliHead(Head):
    """Independent Bernoulli distributions (`MultiBinary`); params are the logits of 1, (B, n)."""

    def __init__(self, n: int) -> None:
        self.size, self.action_shape = n, (n,)

    def noise(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        return torch.empty((*shape, self.size), device=generator.device).uniform_(generator=generator)

    def sample(self, params: Tensor, noise: Tensor) -> Tensor:
        return (noise < params.sigmoid()).long()

    def mode(self, params: Tensor) -> Tensor:
        return (params > 0).long()

    def log_prob(self, params: Tensor, actions: Tensor) -> Tensor:
        return -F.binary_cross_entropy_with_logits(params, actions.float(), reduction="none").sum(-1)

    def entropy(self, params: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(params, params.sigmoid(), reduction="none").sum(-1)


class GaussianHead(Head):
    """Independent normal distributions (`Box`), unbounded; params are means and log standard deviations (B, 2 n)."""

    action_dtype = torch.float32

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.action_shape, self.n = shape, math.prod(shape)
        self.size = 2 * self.n

    def noise(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        return torch.empty((*shape, self.n), device=generator.device).normal_(generator=generator)

    def sample(self, params: Tensor, noise: Tensor) -> Tensor:
        mean, log_std = params.chunk(2, -1)
        return (mean + log_std.exp() * noise).unflatten(-1, self.action_shape)  # (B, n) -> (B, *shape)

    def mode(self, params: Tensor) -> Tensor:
        return params[..., : self.n].unflatten(-1, self.action_shape)

    def log_prob(self, params: Tensor, actions: Tensor) -> Tensor:
        mean, log_std = params.chunk(2, -1)
        z = (actions.flatten(params.dim() - 1) - mean) * (-log_std).exp()  # in standard deviations
        return -(0.5 * z**2 + log_std).sum(-1) - 0.5 * self.n * math.log(2 * math.pi)

    def entropy(self, params: Tensor) -> Tensor:
        return params[..., self.n :].sum(-1) + 0.5 * self.n * (1 + math.log(2 * math.pi))


def head_of(space: spaces.Space) -> Head:
    """The head for an action space; raises OptionError for spaces without one."""
    if isinstance(space, spaces.Discrete):
        return CategoricalHead(int(space.n))
    if isinstance(space, spaces.MultiDiscrete):
        if space.nvec.ndim > 1:
            raise OptionError(f"policies act in MultiDiscrete spaces of one axis, not in {space}: flatten it")
        return MultiCategoricalHead(space.nvec.tolist())
    if isinstance(space, spaces.MultiBinary):
        return BernoulliHead(math.prod(space.shape))
    if isinstance(space, spaces.Box):
        return GaussianHead(space.shape)
    raise OptionError(f"policies act in Discrete, MultiDiscrete, MultiBinary and Box spaces, not in {space}")


def masked(params: Tensor, mask: Tensor | None) -> Tensor:
    """Logits (B, P), with `FORBIDDEN` where the action mask (B, P) is false."""
    return params if mask is None else params.masked_fill(~mask, FORBIDDEN)


def gumbel(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Standard Gumbel noise: minus the logarithm of an exponential variable."""
    return torch.empty(tuple(shape), device=generator.device).exponential_(generator=generator).log_().neg_()
