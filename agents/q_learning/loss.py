"""The loss of action values and its gradient, in PyTorch and as a compiled loop over raw outputs.

Raw outputs (B, W) of a Q network are Z numbers for each of A actions and, with `dueling`, Z more for the observation's value,
then padding. Z is 1 for expected values, else the number of quantiles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..compiled.kernel import Kernel
from ..compiled.network import Backward
from ..nn.q_network import QNet
from ..nn.value_dists import Distribution, Quantile, Scalar
from .compiled_q_network import CompiledQNetwork

# Places of `loop_settings`.
CHOICES, ATOMS, DUELING, HUBER, QUANTILES, SHARE, TEMPERATURE, ALPHA, LOWEST = range(9)


class Loss(NamedTuple):
    """The loss of a minibatch (), TD errors or losses of its samples (B,), for priorities, and their mean value ()."""

    loss: Tensor
    errors: Tensor
    mean_value: Tensor


def loss_of(
    distribution: Distribution,
    out: Tensor,
    actions: Tensor,
    target: Tensor,
    weights: Tensor | None = None,
    fractions: Tensor | None = None,
) -> Loss:
    """The loss in PyTorch.

    Args:
        out: (B, A, Z), the network's outputs.
        actions: (B,) int64, the actions taken.
        target: (B, Z), what their outputs should be.
        weights: (B,), importance-sampling weights; None: 1.
        fractions: (B, Z), of which the outputs are the quantiles; None: the distribution's own.
    """
    chosen = out[torch.arange(len(out), device=out.device), actions]  # (B, A, Z) -> (B, Z)
    if fractions is not None and isinstance(distribution, Quantile):
        losses = distribution.loss(chosen, target, fractions)
    else:
        losses = distribution.loss(chosen, target)
    loss = losses.mean() if weights is None else (weights * losses).mean()
    with torch.no_grad():
        mean_value = distribution.mean(chosen.unsqueeze(1)).mean()
        errors = (chosen - target).abs().squeeze(-1) if isinstance(distribution, Scalar) else losses.detach()
    return Loss(loss, errors, mean_value)


# -- compiled ----------------------------------------------------------------------------------------------------------


def is_compiled(distribution: Distribution) -> bool:
    """Whether `loss_grads`, and the loops of `targets` and `collect`, are written for it."""
    return isinstance(distribution, Scalar) or (isinstance(distribution, Quantile) and distribution.kappa == 1.0)


def loop_settings(
    choices: int,
    distribution: Distribution,
    dueling: bool,
    share: float = 1.0,
    temperature: float = 1.0,
    alpha: float = 0.0,
    lowest: float = 0.0,
) -> Tensor:
    """What the loops read, (9,) float64; `share` is each sample's in the loss, the last three are Munchausen's."""
    huber, quantiles = isinstance(distribution, Scalar) and distribution.huber, isinstance(distribution, Quantile)
    settings: list[Any] = [choices, distribution.atoms, dueling, huber, quantiles, share, temperature, alpha, lowest]
    return torch.tensor([float(setting) for setting in settings], dtype=torch.float64)


def advantage_of(raw, i, a, atoms):
    """The value of action a in row i, but for a term that all actions share: the mean of its outputs."""
    total = 0.0
    for z in range(atoms):
        total += raw[i, a * atoms + z]
    return total / atoms


def common_of(raw, i, z, choices, atoms, dueling):
    """That term in output z: with `dueling` the observation's value minus the mean advantage, else 0."""
    if not dueling:
        return 0.0
    total = 0.0
    for a in range(choices):
        total += raw[i, a * atoms + z]
    return raw[i, choices * atoms + z] - total / choices


def loss_grads(raw, actions, target, weights, settings, change, grad, losses, errors, values, first, last):
    """Gradient of the loss by raw outputs, grad (N, W), for samples first .. last-1.

    change (B, Z) is scratch. Written, too, (B,) each: losses, errors (for priorities) and values of the actions taken.
    """
    choices, atoms, dueling = int(settings[CHOICES]), int(settings[ATOMS]), settings[DUELING] > 0
    for i in range(first, last):
        start, mean = actions[i] * atoms, 0.0
        for z in range(atoms):
            change[i, z] = raw[i, start + z] + common_of(raw, i, z, choices, atoms, dueling)  # the output, so far
            mean += change[i, z]
        values[i] = mean / atoms
        if settings[QUANTILES] > 0:
            losses[i] = errors[i] = _quantile_grad(change[i], target[i])
        else:
            losses[i], errors[i] = _scalar_grad(change[i], target[i], settings[HUBER] > 0)
        for j in range(grad.shape[1]):
            grad[i, j] = 0.0
        for z in range(atoms):
            push = change[i, z] * weights[i] * settings[SHARE]
            if dueling:
                grad[i, choices * atoms + z] = push
                for a in range(choices):
                    grad[i, a * atoms + z] = -push / choices
            grad[i, start + z] += push
    return 0


def _scalar_grad(change, target, huber):
    """From an output (1,) to the gradient by it, in place; returns the loss and the TD error's size."""
    error = change[0] - target[0]
    size = abs(error)
    if huber and size > 1.0:
        change[0] = 1.0 if error > 0.0 else -1.0
        return size - 0.5, size
    change[0] = error
    return 0.5 * error * error, size


def _quantile_grad(change, target):
    """From quantiles (Z,) to the gradient by them (Dabney et al. 2018, kappa 1), in place; returns the loss."""
    atoms, loss = change.shape[0], 0.0
    for z in range(atoms):
        fraction, push = (z + 0.5) / atoms, 0.0
        for j in range(atoms):
            error = target[j] - change[z]
            weight = fraction if error >= 0.0 else 1.0 - fraction
            if abs(error) <= 1.0:
                loss += weight * 0.5 * error * error
                push -= weight * error
            else:
                loss += weight * (abs(error) - 0.5)
                push -= weight if error > 0.0 else -weight
        change[z] = push / atoms
    return loss / atoms


class CompiledLoss(Backward):
    """Forward loops, `loss_grads` and backward loops for minibatches of B samples.

    Args:
        obs: (B, *shape), for its shape and dtype.
    """

    def __init__(self, loops: CompiledQNetwork, network: QNet, obs: Tensor) -> None:
        count = len(obs)
        super().__init__(loops, torch.zeros_like(obs).flatten(1), count)
        torch.arange(count, out=self.rows[:count])
        self.actions, self.weights = torch.zeros(count, dtype=torch.int64), torch.ones(count)
        self.target = torch.zeros(count, network.atoms)
        self.losses, self.errors, self.values = (torch.zeros(count) for _ in range(3))
        settings = loop_settings(network.choices, network.distribution, network.dueling, 1 / count)
        read = (self.out, self.actions, self.target, self.weights, settings, torch.zeros_like(self.target))
        self.grads = Kernel(loss_grads, *read, self.grad, self.losses, self.errors, self.values, units=count)

    def run(self, obs: Tensor, actions: Tensor, target: Tensor, weights: Tensor | None) -> Loss:
        """The loss; gradients of parameters are left with the layers. Errors are overwritten by the next call."""
        self.planes.copy_(obs.flatten(1))
        self.actions.copy_(actions)
        self.target.copy_(target)
        if weights is not None:
            self.weights.copy_(weights)
        self.pool.run(*self.loops, self.grads, *self.back)
        return Loss((self.losses * self.weights).mean(), self.errors, self.values.mean())
