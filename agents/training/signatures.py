"""Signatures and documentation of constructors, and of methods that pass arguments on to Stable-Baselines3's."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from inspect import Parameter, Signature, cleandoc, signature
from typing import Any, TypeVar

from ..files.config import arguments_of, options_of

F = TypeVar("F", bound=Callable[..., Any])
WIDTH = 100  # of a docstring
POLICY = (
    'a network, "mlp", "cnn", "nature", "impala" or, as in Stable-Baselines3, "MlpPolicy", "CnnPolicy" or '
    '"MultiInputPolicy"; or a class of policies.'
)
ENV = "a `VecEnv`, an environment of Gymnasium, its id, or the name of a game (of which eight are made)."


def passes_on_to(theirs: Callable[..., Any]) -> Callable[[F], F]:
    """A decorator that shows the arguments of `theirs` where a method has `*args` and `**kwargs`."""

    def decorate(method: F) -> F:
        method.__signature__ = signature(theirs)  # type: ignore[attr-defined]
        return method

    return decorate


def give_constructor(cls: Any, last: type) -> None:
    """Give the class of an algorithm a constructor with the arguments of its config, and document them.

    Args:
        last: the class whose constructor does the work, before Stable-Baselines3's in the order of base classes.
    """
    after = cls.__mro__[cls.__mro__.index(last) + 1 :]
    stable = next(signature(base.__init__).parameters for base in after if "__init__" in vars(base))
    cls.stable_names = frozenset(stable) - {"self"}
    cls.constructor = constructor_of(cls.config, [p for name, p in stable.items() if name not in {"self", *cls.fixed}])

    def constructor(self: Any, *args: Any, **kwargs: Any) -> None:
        super(cls, self).__init__(*args, **kwargs)

    own = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    constructor.__signature__ = Signature([own, *cls.constructor.parameters.values()])  # type: ignore[attr-defined]
    constructor.__name__, constructor.__qualname__ = "__init__", f"{cls.__qualname__}.__init__"
    cls.__init__ = constructor
    cls.__doc__ = f"{cleandoc(cls.__doc__ or '')}\n\n{arguments_text(cls)}"


def constructor_of(config: Any, stable: list[Parameter]) -> Signature:
    """Arguments by place, those of the config or else Stable-Baselines3's, in its order; then the others by name alone."""
    options = {
        name: Parameter(name, Parameter.KEYWORD_ONLY, default=option.default, annotation=option.type)
        for name, option in arguments_of(config).items()
    }
    known = {**options, **{p.name: p for p in stable}}
    first = ["policy", "env", *config.positional] if config.positional else [p.name for p in stable]
    by_place = [known[name].replace(kind=Parameter.POSITIONAL_OR_KEYWORD) for name in first]
    by_name = [p.replace(kind=Parameter.KEYWORD_ONLY) for name, p in known.items() if name not in first]
    parameters = [*by_place, *by_name]
    return Signature([p.replace(default=options[p.name].default) if p.name in options else p for p in parameters])


def arguments_text(cls: Any) -> str:
    """The sections of a docstring on the arguments of an algorithm's constructor, and on what it raises."""
    texts = {
        "policy": POLICY, "env": ENV, "device": '"cpu", "cuda" or "auto"; games and agent are on the same.',
        "policy_kwargs": "arguments of the policy, as in Stable-Baselines3",
    }  # fmt: skip
    for option in options_of(cls.config):
        if option.use == "agent":
            texts[option.name] = f"{option.help} [{option.bounds}]" if option.bounds else option.help
        elif option.use == "policy" and option.name != "optimizer":
            texts["policy_kwargs"] += f"; `{option.name}`: {option.help.rstrip('.')}"
    lines = [
        textwrap.fill(f"{name}: {texts[name]}", WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8)
        for name in cls.constructor.parameters
        if name in texts
    ]
    raises = "Raises:\n    OptionError: an argument is wrong; the message says what would be right."
    return "\n".join(["Args:", *lines, "", raises])
