"""What `agent.json` says of an agent: written from one, and checked before anything is made of it.

A file names things, and this module looks the names up in its tables; numbers must lie within limits. So a file cannot call
anything, nor make networks and games of a size that it does not itself have.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, LinearSchedule

from ..envs import find_game
from ..envs.options import Options
from .checks import Check, number, one_of, rate, several, table
from .files import CheckpointError, short
from .kinds import KINDS, NAMES
from .worlds import has_attr, simulator_of

if TYPE_CHECKING:
    from .agent import Agent

MAX_OBSERVATION = 2**26  # bytes of one
MAX_LEVELS = 1_000_000
linear = table({"start": rate, "end": rate, "end_fraction": number(float, 1e-9, 1)}, whole=True)
frozen = table({"value": rate, "instead_of": lambda name, value: None}, whole=True)
PROGRESS: dict[str, Check] = {
    "total_timesteps": number(int, 0, 2**62),
    "updates": number(int, 0, 2**62),
    "episodes": number(int, 0, 2**62),
    "recent_episodes": number(int, 0, 10_000),
    "seconds": number(float, 0, 1e12),
    "rows": lambda name, value: {key: number(int, 0, 10**9)(key, rows) for key, rows in dict(value).items()},
}


@dataclass(frozen=True)
class Description:
    """What a description says, checked; `policy_kwargs` and schedules are as the algorithm takes them."""

    algorithm: str
    environment: dict[str, Any]
    num_envs: int
    policy: str
    policy_kwargs: dict[str, Any]
    settings: dict[str, Any]
    timesteps: int
    progress: dict[str, Any]
    play_threads: int
    device: str


def read(facts: Mapping[str, Any]) -> Description:
    """Check what `agent.json` holds; raises ValueError or KeyError for what is wrong or missing."""
    algorithm = one_of(list(KINDS))("algorithm", facts["algorithm"])
    kind = KINDS[algorithm]
    settings = table(kind.settings, whole=True)("settings", facts["settings"])
    schedules = {name: read_schedule(name, facts["schedules"][name]) for name in kind.schedules}
    if not isinstance(facts["environment"], dict):
        raise ValueError("environment must be an object")
    return Description(
        algorithm,
        facts["environment"],
        number(int, 1, 10_000_000)("num_envs", facts["num_envs"]),
        one_of(list(kind.policies))("policy", facts["policy"]),
        table(kind.policy_kwargs)("policy_kwargs", facts["policy_kwargs"]),
        {**settings, **schedules},
        number(int, 0, 2**62)("timesteps", facts["timesteps"]),
        table(PROGRESS, whole=True)("progress", {"rows": {}, **facts["progress"]}),
        number(int, 1, 1024)("play_threads", facts["play_threads"]),
        one_of(["cpu", "cuda"])("device", facts["device"]),
    )


def read_schedule(name: str, value: Any) -> Any:
    """A number, a linear schedule, or for `clip_range_vf` nothing."""
    if value is None and name == "clip_range_vf":
        return None
    if not isinstance(value, dict):
        return rate(name, value)
    return frozen(name, value)["value"] if "value" in value else LinearSchedule(**linear(name, value))


# -- of an agent -------------------------------------------------------------------------------------------------------


def describe(agent: Agent, progress: Mapping[str, Any]) -> dict[str, Any]:
    """What `agent.json` holds but for the names of files; `progress` is `resume.capture`'s."""
    rest, kind = dict(progress), KINDS[agent.algorithm]
    return {
        "algorithm": agent.algorithm,
        "environment": agent.environment,
        "num_envs": agent.n_envs,
        "policy": agent.policy_name,
        "policy_kwargs": plain(agent.policy_kwargs),
        "settings": {name: plain(agent.setting(name)) for name in kind.settings},
        "schedules": {name: schedule_facts(agent, getattr(agent, name)) for name in kind.schedules},
        "timesteps": rest.pop("timesteps"),
        "progress": rest,
        "play_threads": agent.play_threads,
        "learn_threads": agent.learn_threads,
        "device": agent.device.type,
    }


def plain(value: Any) -> Any:
    """As JSON can hold it: classes by name; what has none as text, so that saving loses nothing else."""
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(item) for item in value]
    return NAMES.get(value, short(value)) if isinstance(value, type) else short(value)


def schedule_facts(agent: Agent, schedule: Any) -> Any:
    """A number, a linear schedule's three numbers, or another function's present value, saying so."""
    schedule = innermost(schedule)
    if isinstance(schedule, LinearSchedule):
        return {name: float(getattr(schedule, name)) for name in ("start", "end", "end_fraction")}
    if callable(schedule):
        value = float(schedule(agent._current_progress_remaining))  # type: ignore[arg-type]
        return {"value": value, "instead_of": f"a function that a file cannot hold: {short(schedule)}"}
    return None if schedule is None else float(schedule)


def beginning(schedule: Any) -> Any:
    """What a schedule is at the start of training."""
    schedule = innermost(schedule)
    return plain(schedule(1.0) if callable(schedule) else schedule)


def innermost(schedule: Any) -> Any:
    """What Stable-Baselines3 wrapped: a number or a function."""
    while isinstance(schedule, FloatSchedule):
        schedule = schedule.value_schedule
    return schedule.val if isinstance(schedule, ConstantSchedule) else schedule


# -- environments ------------------------------------------------------------------------------------------------------


def make_environment(
    facts: Mapping[str, Any], num_envs: int = 1, seed: int | None = None, device: str = "cpu", **changes: Any
) -> Any:
    """An SB3 `VecEnv` of the kind that `agent.environment` describes; `changes` replace a game's options."""
    from ..envs.sb3 import vec_env

    if "game" in facts:
        game = find_game(facts["game"])
        if facts.get("version") != game.version:
            raise CheckpointError(
                f"the agent plays {game.name} version {short(facts.get('version'))}, here it is {game.version}"
            )
        options = {**read_options(facts.get("options", {})), **changes}
        shape, dtype, _, _ = Options.of(game, options).observation(game)
        if math.prod(shape) * dtype.itemsize > MAX_OBSERVATION:
            raise CheckpointError(f"the agent's observations are {shape}, more than {MAX_OBSERVATION} bytes each")
        return vec_env(game, num_envs=num_envs, seed=seed, device=device, **options)
    name = facts.get("gymnasium")
    if not (isinstance(name, str) and re.fullmatch(r"[\w./-]+", name)):
        raise CheckpointError("the agent's environment is neither a Ludus game nor a Gymnasium id: pass env=")
    import gymnasium
    from stable_baselines3.common.env_util import make_vec_env

    if name not in gymnasium.registry:
        raise CheckpointError(
            f"the agent plays {short(name)}, which is not registered here: import the package that has it, pass env="
        )
    return make_vec_env(name, n_envs=num_envs, seed=seed)


def read_options(facts: Any) -> dict[str, Any]:
    """A game's options as `Options` takes them; their values are checked there, but for the number of levels."""
    options = dict(facts)
    levels = options.get("levels")
    if isinstance(levels, dict):
        first, last, step = several(number(int, -(2**62), 2**62), 3)("levels", levels["range"])
        options["levels"] = levels = range(first, last, step)
        if levels and (last - first) // step >= MAX_LEVELS:
            raise ValueError(f"levels are more than {MAX_LEVELS}")
    if levels is not None and any(type(n) is not int or not 0 <= n < 2**63 for n in levels):
        raise ValueError("levels must be whole numbers from 0 to 2**63 - 1")
    return options


def environment_facts(env: Any) -> dict[str, Any]:
    """What `make_environment` needs to know of an SB3 `VecEnv`."""
    sim, _ = simulator_of(env)
    if sim is not None:
        return {"game": sim.game.name, "version": sim.game.version, "options": option_facts(sim.options)}
    spec = env.get_attr("spec")[0] if has_attr(env, "spec") else None
    return {"gymnasium": spec.id} if spec is not None else {}


def option_facts(options: Options) -> dict[str, Any]:
    """Options as JSON, defaults left out."""
    default = Options()
    facts = {name: value for name, value in vars(options).items() if value != getattr(default, name)}
    levels = facts.get("levels")
    if isinstance(levels, range):
        facts["levels"] = {"range": [levels.start, levels.stop, levels.step]}
    elif levels is not None:
        facts["levels"] = [int(n) for n in levels]
    return facts
