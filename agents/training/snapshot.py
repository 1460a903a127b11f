"""What a checkpoint holds of an agent, taken from it: its description, its weights and what training needs to go on."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from ...envs import OptionError
from ..checkpoints.checkpoint import Snapshot
from ..checkpoints.manifest import keep, not_kept, schedule_facts, unset
from ..checkpoints.optimizer_state import optimizer_tensors
from ..checkpoints.schema import SCHEMAS, STABLE_POLICIES
from ..checkpoints.user_attributes import as_json, own_attributes
from ..files.safe_io import short
from ..files.spaces import space_facts
from .agent import Agent
from .training_state import capture

SAVED = ("policy", "policy_class", "policy_kwargs", "num_timesteps", "observation_space", "action_space", "n_envs")


def snapshot_of(agent: Agent, resumable: bool = True, excluded: Collection[str] = ()) -> Snapshot:
    """Of an agent as it is or, within a rollout, as it was where that began.

    What no file can keep, such as a function or a class of the user's, is said in a warning.

    Args:
        resumable: also what going on with the training needs, about twice the weights and the games' state.
        excluded: settings to leave out, see `check_excluded`.
    """
    start = agent.boundary or capture(agent)
    tensors = {"weights": {name: x.detach().cpu().contiguous() for name, x in named_weights(agent).items()}}
    if resumable:
        tensors["optimizer"] = optimizer_tensors(agent.policy.optimizer)
    if resumable and agent.env is not None:
        tensors["training"] = start["tensors"]
    facts = describe(agent, {**start["progress"], "seal": start["seal"]().hex()}, excluded)
    lost = not_kept(facts)
    if resumable and any(agent.policy.optimizer.state.values()) and not tensors["optimizer"]:
        lost.append(f"the state of {type(agent.policy.optimizer).__name__}")
    if facts["settings"].get("replay_buffer_class"):
        lost.append("what is in the replay_buffer (by load_replay_buffer)")
    if lost:
        warnings.warn(f"not kept in the file, so give it to load again: {', '.join(lost)}", stacklevel=3)
    if attributes := unset(facts):
        warnings.warn(f"not kept in the file, so set it again after load: {', '.join(attributes)}", stacklevel=3)
    return Snapshot(facts, tensors)


def named_weights(agent: Agent) -> dict[str, Tensor]:
    """The policy's parameters and buffers, each once: an encoder shared by actor and critic has several names."""
    policy = getattr(agent.policy, "_orig_mod", agent.policy)  # of `torch.compile`
    return {**dict(policy.named_parameters()), **dict(policy.named_buffers())}


def describe(agent: Agent, progress: Mapping[str, Any], excluded: Collection[str] = ()) -> dict[str, Any]:
    """What `agent.json` holds but for the names of files; `progress` is `training_state.capture`'s."""
    rest, schema, kwargs = dict(progress), SCHEMAS[agent.algorithm], agent.policy_kwargs
    facts = {
        "algorithm": agent.algorithm,
        "environment": agent.environment,
        "spaces": {"observation": space_facts(agent.observation_space), "action": space_facts(agent.action_space)},
        "num_envs": agent.n_envs,
        "policy": policy_facts(agent),
        "policy_kwargs": {name: keep(schema.policy_kwargs.get(name), name, x) for name, x in kwargs.items()},
        "settings": {name: keep(check, name, agent.setting(name)) for name, check in schema.settings.items()},
        "schedules": {name: schedule_facts(getattr(agent, name)) for name in schema.schedules},
        "timesteps": rest.pop("timesteps"),
        "progress": rest,
        "play_threads": agent.play_threads,
        "learn_threads": agent.learn_threads,
        "device": agent.device.type,
    }
    if any(space is None for space in facts["spaces"].values()):
        del facts["spaces"]
    own = {name: as_json(x) for name, x in own_attributes(agent).items() if name not in excluded}
    if own:
        facts["attributes"] = own
    if excluded:
        facts["excluded"] = sorted(excluded)
        for part in ("settings", "schedules"):
            facts[part] = {name: value for name, value in facts[part].items() if name not in excluded}
    return facts


def policy_facts(agent: Agent) -> Any:
    """The policy's name, where that says what it is."""
    schema, policy = SCHEMAS[agent.algorithm], agent.policy_class
    if schema.policies.get(agent.policy_name) is policy:
        return agent.policy_name
    named = {known: name for name, known in {**STABLE_POLICIES, **schema.policies}.items()}
    return named.get(policy, {"not_kept": short(policy)})


def check_excluded(agent: Agent, exclude: Any, include: Any) -> set[str]:
    """Settings that `save` is to leave out; raises OptionError for names that mean nothing here.

    What no checkpoint has, such as the environment or the logger, is left out anyway, and cannot be put in.
    """
    exclude, include = set(exclude or ()), set(include or ())
    schema = SCHEMAS[agent.algorithm]
    kept = {*schema.settings, *schema.schedules, *own_attributes(agent)}
    for name in sorted(exclude - kept):
        if name in SAVED or not hasattr(agent, name):
            raise OptionError(f"exclude: {name!r} cannot be left out; what can be is {', '.join(sorted(kept))}")
    for name in sorted(include - kept - set(SAVED)):
        raise OptionError(f"include: {name!r} cannot be kept in a file that is read without unpickling")
    return (exclude - include) & kept
