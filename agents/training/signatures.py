"""Signatures that `help` and editors show of methods that pass arguments on to Stable-Baselines3's."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def passes_on_to(theirs: Callable[..., Any], without: tuple[str, ...] = ()) -> Callable[[F], F]:
    """A decorator that shows the arguments of `theirs` where a method has `*args` or else `**kwargs`."""

    def decorate(method: F) -> F:
        ours = signature(method).parameters
        rest = [p for name, p in signature(theirs).parameters.items() if name not in {*ours, *without}]
        by_place = any(p.kind is Parameter.VAR_POSITIONAL for p in ours.values())
        shown: list[Parameter] = []
        for parameter in ours.values():
            if parameter.kind is Parameter.VAR_POSITIONAL:
                shown += rest
            elif parameter.kind is not Parameter.VAR_KEYWORD:
                shown.append(parameter)
            elif not by_place:
                shown += [p.replace(kind=Parameter.KEYWORD_ONLY) for p in rest]
        method.__signature__ = signature(method).replace(parameters=shown)  # type: ignore[attr-defined]
        return method

    return decorate
