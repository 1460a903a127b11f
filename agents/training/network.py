"""The network of an on-policy actor-critic: compiled loops or PyTorch behind one interface, chosen by `make_network`."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

from ...envs import OptionError
from ..compiled.actor_critic import CompiledActorCritic, Data, Gradients, Loss, compile_actor_critic
from ..compiled.kernel import ThreadPool
from ..compiled.planes import shortcut_of
from ..compiled.trace import NotCompiled
from ..data.compiled_collect import CompiledCollector
from ..data.env_adapters import EnvAdapter, SimulatorAdapter
from ..data.rollout_buffer import Autocast, RolloutTensors
from ..nn.action_dists import CategoricalHead, head_of
from ..nn.actor_critic import ActorCritic, each, forward_batch, forward_step, row_by_row, value_of
from ..nn.overridden import OverriddenHead, overrides_methods
from ..nn.starts import starts_of
from ..runtime.hardware import on_gpu
from ..runtime.threads import WorkerThreads


def make_network(
    policy: Any, loss: Loss, device: torch.device, pool: ThreadPool, workers: WorkerThreads, precision: str = "fp32"
) -> TorchNetwork:
    """Compiled loops where there are some for this policy, device and precision; else PyTorch."""
    why = "on a GPU" if on_gpu(device) else precision if precision != "fp32" else ""
    if not why:
        try:
            return CompiledPolicy(policy, loss, compile_actor_critic(policy, pool), workers)
        except NotCompiled as reason:
            why = str(reason)
    return TorchNetwork(policy, loss, workers, autocast_of(device, precision), why)


def autocast_of(device: torch.device, precision: str) -> Autocast:
    """Makes contexts in which encoders compute in this precision."""
    return partial(torch.autocast, device.type, torch.bfloat16) if precision == "bf16" else nullcontext


def complete_policy(policy: Any, action_space: spaces.Space, device: torch.device) -> None:
    """Give a policy class of the user's, or Stable-Baselines3's own, the attributes of Ludus's policies.

    Raises OptionError for a policy whose own methods cannot do what is asked of them.
    """
    for name in ("core", "normalizer", "shortcut"):
        if not hasattr(policy, name):
            setattr(policy, name, None)
    overridden = overrides_methods(policy, (ActorCriticPolicy, ActorCritic))
    policy.head = OverriddenHead(action_space) if overridden else head_of(action_space)
    if overridden and policy.core is not None:
        raise OptionError("a policy with memory decides in Ludus's way: leave out use_sde and methods of your own")
    if starts_of(action_space) is not None and not isinstance(policy, ActorCritic):
        raise OptionError(f"only Ludus's policies act in {action_space}: other policies' actions count from 0")
    policy.shortcut = None if on_gpu(device) else shortcut_of(policy)


class TorchNetwork:
    """What computes actions, values and gradients of a policy: PyTorch, with its automatic differentiation.

    Args:
        policy: whose parameters are used and trained.
        loss: whose gradients are computed.
        workers: threads that divide each minibatch, if it can be divided.

    Attributes:
        why: which implementation it is and, if PyTorch, why; in a few words.
        autocast: a context for all calls but `gradients`.
        fixed_gradients: whether `gradients` returns the same memory each time.
        divisible: whether threads may compute parts of a batch at once.
    """

    fixed_gradients = False

    def __init__(
        self, policy: Any, loss: Loss, workers: WorkerThreads, autocast: Autocast = nullcontext, why: str = ""
    ) -> None:
        self.policy, self.loss, self.workers, self.autocast = policy, loss, workers, autocast
        self.why = f"PyTorch: {why}"
        self.weights = [weight for weight in policy.parameters() if weight.requires_grad]
        self.on_gpu = on_gpu(policy.device)
        own_methods = isinstance(policy.head, OverriddenHead)  # which may not be called by several threads at once
        self.divisible = not (self.on_gpu or own_methods) and row_by_row(policy)

    def refresh(self) -> None:
        """Read the policy's parameters, which may have changed; to be called before `forward` and `values`."""

    def forward(
        self, obs: Any, state: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Params (B, P), values (B,) and recurrent state (B, S) or None; see `actor_critic.forward_step`."""
        return forward_step(self.policy, obs, state, mask)

    def values(self, obs: Any, state: Tensor | None = None) -> Tensor:
        """Values (B,) of observations (B, *shape), after a recurrent state (B, S) or None."""
        return value_of(self.policy, obs, state)

    def gradients(self, data: Data, rows: Tensor, columns: Tensor, settings: Any) -> Gradients:
        """Gradients of the loss over a minibatch, one for each trainable parameter, and the loss's parts (K,).

        Args:
            data: of the rollout, by name; its columns are not used.
            rows: (B,) int64, of the data, that make up the minibatch.
            columns: (B, ..., C), see `RolloutTensors`, with advantages as the loss takes them.
            settings: of the algorithm, which the loss takes.
        """
        count = min(self.workers.count, len(rows))
        jobs = [
            partial(self._part, data, part, numbers, settings, len(part) / len(rows))
            for part, numbers in zip(rows.chunk(count), columns.chunk(count), strict=True)
        ]
        (gradients, parts), *others = self.workers.run(jobs)
        gradients = list(gradients)
        for more, more_parts in others:  # added up in the order of rows, whichever thread is first
            torch._foreach_add_(gradients, list(more))
            parts = parts + more_parts
        return gradients, parts

    def _part(self, data: Data, rows: Tensor, columns: Tensor, settings: Any, share: float) -> Gradients:
        """Gradients over rows that are this share of a minibatch; nothing is accumulated in the policy."""
        batch = minibatch_of(data, rows, columns)
        columns = batch["columns"].flatten(0, -2)
        with self.autocast():
            if self.loss.kernel is not None and isinstance(self.policy.head, CategoricalHead) and not self.on_gpu:
                params, values = forward_batch(self.policy, batch)
                *grads, parts = self.loss.grads(params, values, batch["actions"].flatten(), columns, settings, share)
                outputs = [pair for pair in zip((params, values), grads, strict=True) if pair[0].requires_grad]
                outs, grads = zip(*outputs, strict=True)  # all but those whose parameters are frozen
                return torch.autograd.grad(outs, self.weights, grads, materialize_grads=True), parts
            loss, parts = self.loss.function(*evaluate(self.policy, batch), columns, settings)
        return torch.autograd.grad(share * loss, self.weights, materialize_grads=True), share * parts

    def compiled_collector(self, adapter: EnvAdapter, data: RolloutTensors) -> CompiledCollector | None:
        """Whole rollouts of this adapter's games as compiled loops; None if there are none for it."""
        return None


class CompiledPolicy(TorchNetwork):
    """A policy as compiled loops, which divide each batch over threads themselves."""

    fixed_gradients = True

    def __init__(self, policy: Any, loss: Loss, loops: CompiledActorCritic, workers: WorkerThreads) -> None:
        super().__init__(policy, loss, workers)
        self.loops, self.why, self.divisible = loops, "compiled loops", False

    def refresh(self) -> None:
        self.loops.read_weights()

    def forward(
        self, obs: Any, state: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        return *self.loops.logits_and_values(obs, mask), None

    def values(self, obs: Any, state: Tensor | None = None) -> Tensor:
        return self.loops.logits_and_values(obs)[1]

    def gradients(self, data: Data, rows: Tensor, columns: Tensor, settings: Any) -> Gradients:
        return self.loops.grads(data, rows, columns, self.loss, settings)

    def compiled_collector(self, adapter: EnvAdapter, data: RolloutTensors) -> CompiledCollector | None:
        return CompiledCollector(self.loops, adapter, data) if isinstance(adapter.source, SimulatorAdapter) else None


@torch.no_grad()
def probabilities_and_values(policy: Any, obs: Any, state: Any, action_masks: Any) -> tuple[Any, Any]:
    """Action probabilities (N, A) and values (N,), as arrays; arguments are those of the policy's `predict`."""
    tensor, _ = policy.obs_to_tensor(obs)
    if isinstance(policy.head, OverriddenHead):
        probabilities = policy.get_distribution(tensor).distribution.probs
        values = policy.predict_values(tensor).flatten()
    else:
        recurrent_state = None if policy.core is None else policy.recurrent_state_of(state, None, len(obs))
        mask = None if action_masks is None else torch.as_tensor(action_masks, device=policy.device)
        params, values, _ = forward_step(policy, tensor, recurrent_state, mask)
        probabilities = params.softmax(-1)
    return probabilities.cpu().numpy(), values.cpu().numpy()


def evaluate(policy: Any, batch: Data) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities, entropies and values, (B,) each, of a minibatch's actions and observations."""
    actions = batch["actions"].flatten(0, batch["actions"].dim() - 1 - len(policy.head.action_shape))
    if isinstance(policy.head, OverriddenHead):
        return policy.head.evaluate(policy, batch["obs"], actions)
    params, values = forward_batch(policy, batch)
    return *policy.head.log_prob_and_entropy(params, actions), values


def minibatch_of(data: Data, rows: Tensor, columns: Tensor) -> Data:
    """The rows of the data, with these columns. Sequences (games first) become (T, b, ...), as recurrent cores take them."""
    batch = {name: each(lambda x: x.index_select(0, rows), value) for name, value in data.items()}
    batch["columns"] = columns
    if "starts" not in batch:
        return batch
    state = batch.pop("memory")
    return {**{name: each(lambda x: x.transpose(0, 1), value) for name, value in batch.items()}, "memory": state}
