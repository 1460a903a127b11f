"""What a user's code changes about the policy or its optimizer while `learn` is running, as a callback may, is followed.

Networks as compiled loops, CUDA graphs and optimizer steps are made of the policy and the optimizer as they are when `learn`
begins. What they were made of is compared before each rollout and each update, and they are made anew where it differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.optim import Optimizer

from ..compiled.build import HOOKS
from ..runtime.hardware import on_gpu

if TYPE_CHECKING:
    from .optimizer_step import OptimizerStep

COMMON = frozenset(vars(nn.Module()))  # attributes of all modules: the training mode, and dictionaries
PLAIN = (bool, int, float, str, type(None))


class FollowsChanges:
    """An agent whose network, optimizer step and collector follow changes of its policy and optimizer.

    Attributes:
        has_users_callback: whether `learn` has one, see `callbacks.is_users`.
    """

    has_users_callback = False
    network: Any = None  # its `why` says in a few words what computes: compiled loops, or PyTorch and why
    optimizer_step: OptimizerStep
    _update_learning_rate: Any
    policy: Any
    device: Any
    _made_of: tuple[list[Any], list[Any]] | None = None  # None: no code of the user's runs within `learn`
    _modules: list[nn.Module]  # of the policy then

    def _make_network(self) -> None:
        """Make network, optimizer step and graphs of updates of the policy and the optimizer that are there now."""
        raise NotImplementedError

    def _make_collector(self) -> None:
        """Make the collector of that network; rollouts, adapters and generators stay."""
        raise NotImplementedError

    def _watch_changes(self) -> None:
        """Follow changes from now on, where code of the user's may make some: a callback, or methods of a subclass."""
        self._made_of = None
        if self.has_users_callback or not type(self).__module__.startswith("ludus."):
            self._modules = [*self.policy.modules()]
            self._made_of = parts_of(self.policy, self.policy.optimizer, self._modules)

    def follow_changes(self) -> None:
        """Make anew what computes if the policy or the optimizer changed; raises OptionError for what cannot be."""
        if self._made_of is None:
            return
        fixed = self.network.fixed_gradients or on_gpu(self.device)
        if alike(self._made_of, parts_of(self.policy, self.policy.optimizer, self._modules), fixed):
            return
        self._make_network()
        self.optimizer_step.check()
        self._make_collector()
        self.network.refresh()
        self._watch_changes()

    def _set_learning_rate(self) -> None:
        """Of the next update, in the optimizer and the log, by Stable-Baselines3's method or one that overrides it."""
        self.follow_changes()
        self._update_learning_rate(self.policy.optimizer)
        for group in self.policy.optimizer.param_groups:
            if "lr_scale" in group:  # of a pretrained encoder
                group["lr"] *= group["lr_scale"]
        self.optimizer_step.keep_learning_rates()


def parts_of(policy: nn.Module, optimizer: Optimizer, modules: Sequence[nn.Module]) -> tuple[list[Any], list[Any]]:
    """Modules, parameters and hooks, which are the same or not; and attributes and options, which may be equal, too.

    The learning rate is not among them, and neither is whether a module is in training mode.

    Args:
        modules: all that the policy had; it takes time to look for them, and one that is new is a part of another.
    """
    parts: list[Any] = [policy, optimizer]
    parts += optimizer._optimizer_step_pre_hooks.values()
    parts += optimizer._optimizer_step_post_hooks.values()
    attributes = [value for value in vars(optimizer).values() if callable(value)]  # methods of this instance
    for group in optimizer.param_groups:
        parts += group["params"]
        attributes += [value for name, value in group.items() if name not in ("params", "lr")]
    for module in modules:
        own = vars(module)
        parts.append(type(module))
        parts += own["_modules"].values()
        for weight in own["_parameters"].values():
            if weight is not None:
                parts += (weight, weight.requires_grad, weight.dtype)
                for hooks in (weight._backward_hooks, weight._post_accumulate_grad_hooks):
                    parts += hooks.values() if hooks else ()
        for kind in HOOKS:
            if own[kind]:
                parts += own[kind].values()
        attributes += [value for name, value in own.items() if name not in COMMON]
    return parts, attributes


def alike(before: tuple[list[Any], list[Any]], now: tuple[list[Any], list[Any]], fixed: bool) -> bool:
    """Whether nothing changed that matters to a network.

    Args:
        fixed: whether attributes of modules are read only when it is made, since no Python runs afterwards. Then numbers and
            words are compared, too; a tensor that `forward` leaves behind never is.
    """
    (parts, attributes), (parts_now, attributes_now) = before, now
    if len(parts) != len(parts_now) or not all(map(is_, parts, parts_now)):
        return False
    if len(attributes) == len(attributes_now) and all(map(is_, attributes, attributes_now)):
        return True
    return [x for x in attributes if _matters(x, fixed)] == [x for x in attributes_now if _matters(x, fixed)]


def _matters(value: Any, fixed: bool) -> bool:
    if isinstance(value, tuple):
        return fixed and all(isinstance(x, PLAIN) for x in value)
    return (fixed and isinstance(value, PLAIN)) or callable(value)
