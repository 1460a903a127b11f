"""What an agent is made of is what it should be, or refused in one line before anything is made."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from stable_baselines3.common.policies import BasePolicy

from ...envs import OptionError, Simulator, UnknownOption
from ..checkpoints.manifest import beginning
from ..checkpoints.schema import NETWORKS, OBJECTS, STABLE_POLICIES, checks_of
from ..files.checks import meant, plain
from ..files.safe_io import short
from ..nn.actor_critic import OnEncoder

CLASSES = {  # of arguments of policies, with an example
    "activation_fn": "torch.nn.ReLU",
    "features_extractor_class": "stable_baselines3.common.torch_layers.NatureCNN",
    "optimizer_class": "torch.optim.Adam",
}
TABLES = ("features_extractor_kwargs", "optimizer_kwargs")


def bound(kind: Any, policy: Any, env: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The arguments given to the constructor of this kind of agent, by name; raises UnknownOption."""
    for name in kwargs.keys() - kind.constructor.parameters.keys():
        takes = next(base for base in kind.__mro__ if "constructor" in vars(base))  # what it derives from takes more
        known = names_of(*kind.__mro__[: kind.__mro__.index(takes) + 1])
        raise UnknownOption(f"{kind.__name__} got an unexpected keyword argument {name!r}{meant(name, known)}")
    return dict(kind.constructor.bind(policy, env, *args, **kwargs).arguments)


def names_of(*classes: type) -> list[str]:
    """Of all arguments that the constructors of these classes take."""
    own = [inspect.signature(kind.__init__).parameters for kind in classes if "__init__" in vars(kind)]
    return [name for parameters in own for name in parameters if name not in ("self", "args", "kwargs", "_")]


def check_policy(kind: Any, policy: Any) -> None:
    """Raise OptionError unless it is a policy's name or class."""
    names = kind.policy_aliases
    if isinstance(policy, str) and policy not in names:
        hint = meant(policy, names) or f": policies are {', '.join(names)}, and classes"
        raise OptionError(f"{kind.__name__} has no policy {short(repr(policy))}{hint}")
    if not isinstance(policy, str) and not (isinstance(policy, type) and issubclass(policy, BasePolicy)):
        raise OptionError(
            f"policy must be a name, such as 'mlp', or a class of Stable-Baselines3's kind, got {short(repr(policy))}"
        )
    if isinstance(policy, type) and not issubclass(policy, kind.policy_base) and policy not in kind.stable_policies:
        base = f"{kind.policy_base.__module__}.{kind.policy_base.__name__}"
        raise OptionError(f"{kind.__name__} has no use for {policy.__name__}: derive policies of your own from {base}")


def check_env(env: Any) -> None:
    """Raise OptionError unless it is an environment that Stable-Baselines3 can step."""
    if isinstance(env, VectorEnv):
        raise OptionError(
            f"env is {type(env).__name__}, a VectorEnv of Gymnasium's, and must be a VecEnv of Stable-Baselines3's: "
            "make it by ludus.make_sb3, other environments by stable_baselines3.common.env_util.make_vec_env"
        )
    if isinstance(env, Simulator):
        raise OptionError(
            f"env is a Simulator, and must be a VecEnv: make it by ludus.envs.sb3.vec_env({env.game.name!r})"
        )
    if not (hasattr(env, "reset") and hasattr(env, "step")):
        raise OptionError(
            f"env must be a VecEnv, an environment or, for a new agent, a name of one; got {short(repr(env))}"
        )


def check_device(device: Any) -> None:
    """Raise OptionError unless it is "auto" or the name of one of PyTorch's."""
    try:
        torch.device("cpu" if isinstance(device, str) and device == "auto" else device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise OptionError(f"device must be auto, cpu or cuda, got {short(repr(device))}") from error


def check_objects(kind: type, given: Mapping[str, Any]) -> None:
    """Raise OptionError for arguments that are neither numbers nor names, and not of their kind either."""
    for name in ("rollout_buffer_class", "rollout_buffer_kwargs"):
        value = given.get(name)
        if not (value is None or (isinstance(value, Mapping) and not value)):
            raise OptionError(f"{name} is not for this {kind.__name__}, whose rollouts are tensors: leave it out")
    buffer, group = given.get("replay_buffer_class"), given.get("group")
    if not isinstance(buffer, (type, type(None))):
        raise OptionError(f"replay_buffer_class must be a class, such as HerReplayBuffer, got {short(repr(buffer))}")
    if not isinstance(given.get("replay_buffer_kwargs"), (Mapping, type(None))):
        raise OptionError(
            f"replay_buffer_kwargs must be a dictionary, got {short(repr(given['replay_buffer_kwargs']))}"
        )
    if not (group is None or (hasattr(group, "rank") and hasattr(group, "share"))):
        raise OptionError(f"group must be what ludus.agents.join_group gives, got {short(repr(group))}")


def check_policy_kwargs(kind: Any, policy: Any, given: Any) -> None:
    """Raise OptionError for what a policy is told, but would not use or could not be made of.

    Policies of the user's say themselves what they take.
    """
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise OptionError(f"policy_kwargs must be a dictionary, got {short(repr(given))}")
    policy, (policies, checks) = kind.policy_aliases.get(policy, policy), NETWORKS[kind.config.network]
    if policy not in {*policies.values(), *STABLE_POLICIES.values()}:
        return
    for name, value in given.items():
        if name not in (known := names_of(*policy.__mro__)):
            raise UnknownOption(
                f"policy_kwargs has {name!r}, which {policy.__name__} does not take{meant(name, known)}"
            )
        check_policy_kwarg(name, value, checks.get(name))
    if issubclass(policy, OnEncoder) and "activation_fn" in given and not given.get("net_arch"):
        raise OptionError(
            "policy_kwargs has activation_fn, which is for the layers of net_arch, and there are none: give net_arch, "
            "or take the policy 'MlpPolicy'"
        )
    if given.get("encoder") is not None and not (given.get("freeze") or given.get("decode")):
        own = [name for name in ("features_extractor_class", "features_extractor_kwargs") if given.get(name)]
        own += ["normalize_images"] * (given.get("normalize_images") is False)
        if own:
            raise OptionError(
                f"policy_kwargs has {own[0]} beside encoder, which is the features extractor: leave it out"
            )
    if "memory_size" in given and given.get("memory") is None:
        raise OptionError("policy_kwargs has memory_size, but no memory: give memory, such as 'mingru'")


def check_policy_kwarg(name: str, value: Any, check: Any) -> None:
    """Raise OptionError for an argument of a policy of the wrong type or, where files have limits for it, beyond them."""
    if name in CLASSES:
        if not (callable(value) or (value is None and name == "features_extractor_class")):
            raise OptionError(
                f"policy_kwargs[{name!r}] must be a class, such as {CLASSES[name]}, got {short(repr(value))}"
            )
    elif name in TABLES:
        if not isinstance(value, (Mapping, type(None))):
            raise OptionError(f"policy_kwargs[{name!r}] must be a dictionary, got {short(repr(value))}")
    elif check is not None:
        if name == "net_arch" and isinstance(value, list) and value and isinstance(value[0], dict):
            value = value[0]  # as Stable-Baselines3 takes it from older programs
        try:
            check(name, plain(value))
        except (ValueError, TypeError) as error:
            raise OptionError(f"policy_kwargs[{name!r}]: {short(error)}") from error


def warn_without_masks(agent: Any) -> None:
    """Say that predictions take no notice of what is legal, where the agent's game tells that."""
    if agent.simulator is not None and agent.simulator.legal is not None:
        warnings.warn(
            f"{agent.simulator.game.name} tells which actions are legal, predict was not told, and may choose others: give "
            'action_masks=np.stack(env.env_method("action_masks"))',
            stacklevel=3,
        )


def check_observation(observation: Any) -> None:
    """Raise OptionError for what `reset` of Gymnasium's environments returns, whole."""
    if isinstance(observation, tuple) and len(observation) == 2 and isinstance(observation[1], dict):
        raise OptionError(
            "predict takes observations, got (obs, info), as env.reset() of Gymnasium returns: give obs alone"
        )


def check_observation_space(space: spaces.Space) -> None:
    """Raise OptionError for observations that no network here takes."""
    for part in space.spaces.values() if isinstance(space, spaces.Dict) else (space,):
        vector = isinstance(part, (spaces.Box, spaces.MultiDiscrete, spaces.MultiBinary)) and len(part.shape) > 0
        if not (vector or isinstance(part, spaces.Discrete)):
            raise OptionError(
                f"observations are Box, Discrete, MultiDiscrete or MultiBinary, with one axis or more, or a Dict of "
                f"them, not {part}: wrap the environment in gymnasium.wrappers.FlattenObservation or ReshapeObservation"
            )


def check_settings(agent: Any, **given: Any) -> None:
    """Raise OptionError for a setting that is out of its limits, which are those of files (see `schema`).

    Looked at is what has been set, and what is `given` to be.
    """
    checks, settings = checks_of(agent.config), {**vars(agent), **given}
    for name in checks.keys() & settings.keys() - OBJECTS.keys():
        value = beginning(settings[name])
        if name == "train_freq" and isinstance(value, tuple) and len(value) == 2:
            value = value[0]  # whose unit is the other
        try:
            checks[name](name, value.item() if isinstance(value, np.generic) else value)
        except ValueError as error:
            raise OptionError(str(error)) from error


def check_fixed(agent: Any, fixed: Mapping[str, Any]) -> None:
    """Raise OptionError for a setting that was changed after the networks were made with these."""
    for name, value in fixed.items():
        if getattr(agent, name) != value:
            raise OptionError(
                f"{name}={getattr(agent, name)!r} comes too late, the networks were made with {value!r}: make a new agent"
            )
