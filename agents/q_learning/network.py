"""What computes a Q network's outputs, targets and gradients: PyTorch or compiled loops, behind the same methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..compiled.kernel import ThreadPool
from ..compiled.network import cached
from ..compiled.trace import NotCompiled
from ..data.batch import Batch
from ..nn.q_network import QNet
from ..nn.value_dists import Scalar
from .compiled_q_network import CompiledQNetwork, compile_q_network
from .loss import CompiledLoss, Loss, is_compiled, loop_settings, loss_of
from .targets import CompiledTargets, TargetSettings, targets_of


class TorchQ:
    """A Q network in PyTorch's operations, with autograd.

    Attributes:
        why: what computes, in a few words: "compiled loops", or "PyTorch" and the reason.
        fixed_gradients: whether gradients come in the same memory each time.
        compiled_loss: whether targets, loss and the choice of actions are loops, too, which read raw outputs.
    """

    fixed_gradients = compiled_loss = False

    def __init__(self, network: QNet, why: str) -> None:
        self.network, self.why = network, why
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]

    def refresh(self) -> None:
        """Take the parameters as they are now; to be called after they were changed."""

    def values(self, obs: Any) -> Tensor:
        """Action values (N, A) of observations (N, *shape)."""
        return self.network(obs)

    def outputs(self, obs: Any, fractions: Tensor | None = None) -> Tensor:
        """(B, A, Z), see `value_dists`; of IQN at `fractions` (B, Z)."""
        return self.network.outputs(obs, fractions)

    def targets(self, batch: Batch, target: TorchQ, settings: TargetSettings, fractions: Tensor | None) -> Tensor:
        """What the outputs for the actions taken are fitted to, (B, Z).

        Args:
            target: the target network; its outputs are at `fractions`, for IQN.
        """
        at_fractions = (lambda obs: target.outputs(obs, fractions)) if fractions is not None else target.outputs
        return targets_of(batch, self.outputs, target.outputs, at_fractions, self.network.distribution, settings)

    def gradients(
        self, obs: Any, actions: Tensor, target: Tensor, weights: Tensor | None = None, fractions: Tensor | None = None
    ) -> tuple[Sequence[Tensor | None], Loss]:
        """Gradients of the loss by all parameters that are not frozen, and the loss; see `loss_of` for the arguments.

        None of a parameter that the outputs do not depend on, which the optimizer then leaves as it is.
        """
        out = self.network.outputs(obs, fractions)
        found = loss_of(self.network.distribution, out, actions, target, weights, fractions)
        return torch.autograd.grad(found.loss, self.parameters, allow_unused=True), found

    def choice_inputs(self, obs: Any) -> tuple[Callable[[], Any], Tensor, Tensor]:
        """For `collect.choose_actions`: a function that computes, the outputs (N, W) that it writes, and loop settings.

        Args:
            obs: (N, *shape) on a CPU, which stay where they are; read at each call.
        """
        choices = self.network.choices
        out = torch.zeros(_first(obs).shape[0], choices)
        return lambda: out.copy_(self.values(obs)), out, loop_settings(choices, Scalar(), False)


class CompiledQ(TorchQ):
    """A Q network as loops, forwards and backwards; targets and loss in between are PyTorch's."""

    fixed_gradients = True

    def __init__(self, network: QNet, loops: CompiledQNetwork) -> None:
        super().__init__(network, "compiled loops")
        self.loops = loops

    def refresh(self) -> None:
        self.loops.read_weights()

    def values(self, obs: Any) -> Tensor:
        return self.network.distribution.mean(self.outputs(obs))

    def outputs(self, obs: Any, fractions: Tensor | None = None) -> Tensor:
        """(B, A, Z), without autograd; they are overwritten by the next call."""
        return self.network.assemble(self.loops.raw(obs))

    def gradients(
        self, obs: Any, actions: Tensor, target: Tensor, weights: Tensor | None = None, fractions: Tensor | None = None
    ) -> tuple[Sequence[Tensor], Loss]:
        found: list[Loss] = []

        def grad_of(raw: Tensor) -> Tensor:
            """Of the loss by raw outputs (B, W)."""
            raw = raw.detach().requires_grad_()
            found.append(loss_of(self.network.distribution, self.network.assemble(raw), actions, target, weights))
            return torch.autograd.grad(found[0].loss, raw)[0]

        return self.loops.differentiate(obs, grad_of), found[0]


class CompiledLossQ(CompiledQ):
    """A Q network as loops from observations to targets, gradients and actions."""

    compiled_loss = True

    def __init__(self, network: QNet, loops: CompiledQNetwork) -> None:
        super().__init__(network, loops)
        self._losses: dict[int, CompiledLoss] = {}
        self._targets: dict[Any, CompiledTargets] = {}

    def targets(self, batch: Batch, target: TorchQ, settings: TargetSettings, fractions: Tensor | None) -> Tensor:
        if not isinstance(target, CompiledLossQ):
            return super().targets(batch, target, settings, fractions)
        arguments = self.loops, target.loops, self.network, settings, batch
        return cached(self._targets, (len(batch.actions), settings), lambda: CompiledTargets(*arguments)).run(batch)

    def gradients(
        self, obs: Any, actions: Tensor, target: Tensor, weights: Tensor | None = None, fractions: Tensor | None = None
    ) -> tuple[Sequence[Tensor], Loss]:
        minibatch = cached(self._losses, len(actions), lambda: CompiledLoss(self.loops, self.network, obs))
        found = minibatch.run(obs, actions, target, weights)
        self.loops.collect()
        return self.loops.gradients, found

    def choice_inputs(self, obs: Any) -> tuple[Callable[[], Any], Tensor, Tensor]:
        network = self.network
        loops, out = self.loops.forward_of(obs.flatten(1))  # (N, *shape) -> (N, K), the environments' own memory
        settings = loop_settings(network.choices, network.distribution, network.dueling)
        return lambda: self.loops.pool.run(*loops), out, settings


def q_network_of(network: QNet, pool: ThreadPool, compiled: bool) -> TorchQ:
    """Compiled loops for this network where there are such and `compiled` allows it, else PyTorch."""
    if not compiled:
        return TorchQ(network, "PyTorch: on a GPU")
    try:
        loops = compile_q_network(network, pool)
    except NotCompiled as reason:
        return TorchQ(network, f"PyTorch: {reason}")
    return (CompiledLossQ if is_compiled(network.distribution) else CompiledQ)(network, loops)


def _first(obs: Any) -> Tensor:
    """A tensor of observations, of which there is one for each key of a dictionary."""
    return next(iter(obs.values())) if isinstance(obs, dict) else obs
