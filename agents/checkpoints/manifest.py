"""What `agent.json` says of an agent: written from one, and checked before anything is made of it.

A file names things, and this module looks the names up in its tables; numbers must lie within limits. So a file cannot call
anything, nor make networks and games of a size that it does not itself have.

What JSON has no word for, such as a class of the user's, is put down as `{"not_kept": "<its words>"}`; whoever loads the
agent gives it anew, see `given`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, LinearSchedule

from ...envs import OptionError
from ..files.checks import Check, full, hex_text, json_object, meant, number, one_of, plain, rate, several, table, text
from ..files.safe_io import CheckpointError, short
from ..files.spaces import read_space
from .encoder_file import with_encoder
from .schema import LATER, NAMES, OBJECTS, SCHEMAS, STABLE_POLICIES
from .user_attributes import kept_and_lost, read_attributes

linear = full({"start": rate, "end": rate, "end_fraction": number(float, 1e-9, 1)})
frozen = full({"value": rate, "instead_of": lambda name, value: short(value)})
count, row_count = number(int, 0, 2**62), number(int, 0, 10**9)
PROGRESS: dict[str, Check] = {
    "total_timesteps": count,
    "updates": count,
    "episodes": count,
    "recent_episodes": number(int, 0, 10_000),
    "seconds": number(float, 0, 1e12),
    "rows": lambda name, value: {key: row_count(key, rows) for key, rows in json_object(name, value).items()},
    "last_obs": number(bool, 0, 1),
    "dropout": number(bool, 0, 1),
    "reward_scale": number(float, 0, 1e38),
    "seal": hex_text,
}
NEEDED = ("algorithm", "num_envs", "policy", "timesteps", "play_threads", "device")
PARTS = ("environment", "settings", "schedules", "policy_kwargs", "progress")  # that are needed, and objects
NEW_PROGRESS = {"rows": {}, "last_obs": False, "dropout": False, "reward_scale": 0.0, "seal": ""}  # of older files


@dataclass(frozen=True)
class Description:
    """What a description says, checked; `policy_kwargs` and schedules are as the algorithm takes them.

    Attributes:
        spaces: of observations and actions; None where they are not told.
        attributes: that users set, see `user_attributes`.
        lost: what the file could not keep and nobody has given, by argument, in words.
        frozen: functions of the user's that became their first value, likewise.
    """

    algorithm: str
    environment: dict[str, Any]
    spaces: tuple[spaces.Space, spaces.Space] | None
    num_envs: int
    policy: Any
    policy_kwargs: dict[str, Any]
    settings: dict[str, Any]
    timesteps: int
    progress: dict[str, Any]
    play_threads: int
    device: str
    attributes: dict[str, Any]
    lost: dict[str, str]
    frozen: dict[str, str]


def read(facts: Mapping[str, Any], agent_class: Any, given: Mapping[str, Any] | None = None) -> Description:
    """Check what `agent.json` holds; raises ValueError for what is wrong or missing.

    Args:
        agent_class: that the agent will be of.
        given: arguments that replace the file's, as the algorithm takes them.
    """
    given, began = dict(given or {}), {}
    for name in [*NEEDED, *PARTS]:
        if name not in facts:
            raise ValueError(f"{name} is missing")
    for name in PARTS:
        json_object(name, facts[name])
    schema = SCHEMAS[one_of(list(SCHEMAS))("algorithm", facts["algorithm"])]
    excluded = set(several(text, 100)("excluded", facts.get("excluded", [])))
    told, words = kept_and_lost(facts["settings"])
    lost = {name: words[name] for name in words if name not in given}
    needed = set(schema.settings) - LATER - excluded - set(lost) - set(given)
    settings = table(schema.settings, needed)("settings", told)
    for name in set(schema.schedules) - excluded - set(given):
        if name not in facts["schedules"]:
            raise ValueError(f"schedules lacks {name!r}")
        settings[name] = read_schedule(name, facts["schedules"][name], began)
    policy_kwargs = with_encoder(given.pop("policy_kwargs", {}))
    return Description(
        facts["algorithm"],
        facts["environment"],
        read_spaces(facts.get("spaces")),
        number(int, 1, 10_000_000)("num_envs", facts["num_envs"]),
        given.pop("policy_class", None) or read_policy(schema, facts["policy"], lost),
        read_policy_kwargs(schema.policy_kwargs, facts["policy_kwargs"], policy_kwargs, lost),
        {**settings, **given},
        count("timesteps", facts["timesteps"]),
        full(PROGRESS)("progress", {**NEW_PROGRESS, **facts["progress"]}),
        number(int, 1, 1024)("play_threads", facts["play_threads"]),
        one_of(["cpu", "cuda"])("device", facts["device"]),
        read_attributes(facts.get("attributes", {}), agent_class),
        lost,
        began,
    )


def read_schedule(name: str, value: Any, began: dict[str, str]) -> Any:
    """A number, a linear schedule, or for `clip_range_vf` nothing."""
    if value is None and name == "clip_range_vf":
        return None
    if not isinstance(value, dict):
        return rate(name, value)
    if "value" not in value:
        return LinearSchedule(**linear(name, value))
    began[name] = frozen(name, value)["instead_of"]
    return frozen(name, value)["value"]


def read_policy(schema: Any, value: Any, lost: dict[str, str]) -> Any:
    """A policy's name, or a class of Stable-Baselines3's."""
    _, words = kept_and_lost({"policy_class": value})
    lost |= words
    if words:
        return None
    if isinstance(value, str) and value in STABLE_POLICIES:
        return STABLE_POLICIES[value]
    return one_of(list(schema.policies))("policy", value)


def read_policy_kwargs(
    checks: Mapping[str, Check], facts: Any, given: Mapping[str, Any], lost: dict[str, str]
) -> dict[str, Any]:
    """What the policy is told: what the file says, and what is given in place of what it could not keep."""
    said, words = kept_and_lost(facts)
    lost |= {f"policy_kwargs[{name!r}]": words[name] for name in words if name not in given}
    kept = table(checks)("policy_kwargs", said)
    for name, value in given.items():
        if name not in facts or (name in kept and keep(checks.get(name), name, value) != said[name]):
            raise CheckpointError(
                f"policy_kwargs[{name!r}] cannot be {short(value)}: the agent was trained with {short(facts.get(name))}"
            )
    return {**kept, **given}


def read_spaces(facts: Any) -> tuple[spaces.Space, spaces.Space] | None:
    """Of observations and actions."""
    if facts is None:
        return None
    found = full({"observation": read_space, "action": read_space})("spaces", facts)
    return found["observation"], found["action"]


# -- writing -----------------------------------------------------------------------------------------------------------


def keep(check: Check | None, name: str, value: Any) -> Any:
    """As JSON holds it, if reading that will give the same; else words."""
    try:
        said = plain(value, NAMES)
        if check is not None and plain(check(name, said), NAMES) == said:
            return said
    except (ValueError, TypeError, KeyError):
        pass
    return {"not_kept": short(value)}


def schedule_facts(schedule: Any) -> Any:
    """A number, a linear schedule's three numbers, or what another function begins with, saying so."""
    schedule = innermost(schedule)
    if type(schedule) is LinearSchedule:
        return {name: float(getattr(schedule, name)) for name in ("start", "end", "end_fraction")}
    if callable(schedule):
        return {"value": float(schedule(1.0)), "instead_of": short(schedule)}  # type: ignore[arg-type]
    return None if schedule is None else float(schedule)


def beginning(schedule: Any) -> Any:
    """What a schedule is at the start of training."""
    schedule = innermost(schedule)
    return schedule(1.0) if callable(schedule) else schedule


def innermost(schedule: Any) -> Any:
    """What Stable-Baselines3 wrapped: a number or a function."""
    while isinstance(schedule, FloatSchedule):
        schedule = schedule.value_schedule
    return schedule.val if isinstance(schedule, ConstantSchedule) else schedule


def unset(facts: Mapping[str, Any]) -> list[str]:
    """Attributes of the user's that the file has no more than words for, each with these."""
    _, lost = kept_and_lost(facts.get("attributes", {}))
    return [f"{name} ({words})" for name, words in lost.items()]


def not_kept(facts: Mapping[str, Any]) -> list[str]:
    """What `load` must be given to make the same agent again, each in words."""
    _, found = kept_and_lost(facts["settings"])
    for name, value in facts["schedules"].items():
        if isinstance(value, dict) and "instead_of" in value:
            found[name] = value["instead_of"]
    kwargs = {f"policy_kwargs[{name!r}]": value for name, value in facts["policy_kwargs"].items()}
    found |= kept_and_lost({"policy_class": facts["policy"], **kwargs, "env": facts["environment"]})[1]
    return [f"{name} ({words})" for name, words in found.items()]


# -- arguments of `load` -----------------------------------------------------------------------------------------------


def check_given(algorithm: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `load` in place of the file's; raises TypeError for an unknown one, OptionError for a bad value."""
    schema = SCHEMAS[algorithm]
    for name, value in given.items():
        if name in OBJECTS and name in schema.settings:
            continue
        if name in schema.settings:
            try:
                schema.settings[name](name, plain(value))
            except (ValueError, TypeError) as error:
                raise OptionError(short(error)) from error
        elif name not in (*schema.schedules, "policy_kwargs", "policy_class"):
            known = (*schema.settings, *schema.schedules, "policy_kwargs", "policy_class")
            raise TypeError(f"{schema.title}.load() got an unexpected keyword argument {name!r}{meant(name, known)}")
    return dict(given)
