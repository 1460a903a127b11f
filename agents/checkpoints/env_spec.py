"""What an agent learned in: told in JSON, and made again from that.

A game of Ludus is told by its name, version and options; one of Gymnasium's environments by its id, the arguments that
`gymnasium.make` took, and those of Gymnasium's wrappers whose arguments are numbers and names. What else an environment
may be, nobody can make again from a file: the facts then say why, under `not_kept`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import gymnasium
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecMonitor, VecTransposeImage

from ...envs import find_game
from ...envs.engine.options import Options
from ..data.env_adapters import has_attr, simulator_of
from ..files.checks import full, json_object, number, one_of, plain, several
from ..files.safe_io import CheckpointError, short

MAX_OBSERVATION = 2**26  # bytes of one
MAX_LEVELS = 1_000_000
NAME = re.compile(r"[\w./-]+")
WRAPPERS = {  # what they do follows from their arguments
    name: getattr(gymnasium.wrappers, name)
    for name in (
        "ClipAction", "ClipReward", "DelayObservation", "DiscretizeAction", "DiscretizeObservation", "DtypeObservation",
        "FilterObservation", "FlattenObservation", "FrameStackObservation", "GrayscaleObservation", "MaxAndSkipObservation",
        "RepeatAction", "RescaleAction", "RescaleObservation", "ReshapeObservation", "ResizeObservation", "StickyAction",
        "TimeAwareObservation", "TimeLimit",
    )
    if hasattr(gymnasium.wrappers, name)
}  # fmt: skip
HARMLESS = {  # learning does not see them
    f"{kind.__module__}:{kind.__name__}"
    for kind in (
        Monitor, gymnasium.wrappers.OrderEnforcing, gymnasium.wrappers.PassiveEnvChecker, gymnasium.wrappers.RecordVideo,
        gymnasium.wrappers.RecordEpisodeStatistics, gymnasium.wrappers.HumanRendering, gymnasium.wrappers.RenderCollection,
    )
}  # fmt: skip


# -- told --------------------------------------------------------------------------------------------------------------


def environment_facts(env: Any) -> dict[str, Any]:
    """What `make_environment` needs to know of an SB3 `VecEnv`."""
    sim, _ = simulator_of(env)
    if sim is not None:
        return {"game": sim.game.name, "version": sim.game.version, "options": option_facts(sim.options)}
    try:
        return gymnasium_facts(env)
    except (ValueError, TypeError) as error:
        return {"not_kept": short(error)}


def option_facts(options: Options) -> dict[str, Any]:
    """Options as JSON, defaults left out."""
    default = Options()
    return {name: plain(value) for name, value in vars(options).items() if value != getattr(default, name)}


def gymnasium_facts(env: VecEnv) -> dict[str, Any]:
    """Id, arguments and wrappers; raises ValueError or TypeError for what cannot be told."""
    while isinstance(env, VecEnvWrapper):
        if not isinstance(env, (VecMonitor, VecTransposeImage)):
            raise ValueError(f"an environment in {type(env).__name__}")
        env = env.venv
    specs = env.get_attr("spec") if has_attr(env, "spec") else [None]
    if specs[0] is None or specs[0].id not in gymnasium.registry:
        raise ValueError("an environment that has no Gymnasium id")
    told = [spec_facts(spec) for spec in specs]
    if any(facts != told[0] for facts in told):
        raise ValueError(f"environments {specs[0].id} of several kinds")
    return told[0]


def spec_facts(spec: Any) -> dict[str, Any]:
    """One environment's id, arguments and wrappers, by its `EnvSpec`; raises ValueError for what JSON cannot hold."""
    registered = gymnasium.registry[spec.id]
    usual = registered.kwargs.items()
    given = {key: value for key, value in spec.kwargs.items() if key != "render_mode" and (key, value) not in usual}
    if spec.max_episode_steps != registered.max_episode_steps:
        given["max_episode_steps"] = -1 if spec.max_episode_steps is None else spec.max_episode_steps
    facts = {"gymnasium": spec.id}
    if given:
        facts["arguments"] = kept_arguments(f"{spec.id} with", given)
    wrappers = [w for w in spec.additional_wrappers if w.entry_point not in HARMLESS]
    for wrapper in wrappers:
        known = WRAPPERS.get(wrapper.name)
        if known is None or wrapper.kwargs is None or f"{known.__module__}:{known.__name__}" != wrapper.entry_point:
            raise ValueError(f"{spec.id} in {wrapper.name}")
    if wrappers:
        told = [(w.name, kept_arguments(f"{spec.id} in {w.name} with", w.kwargs or {})) for w in wrappers]
        facts["wrappers"] = [{"name": name, "arguments": arguments} for name, arguments in told]
    return facts


def kept_arguments(what: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as JSON; raises ValueError for one that JSON has no word for, or that would not be read."""
    told = {}
    for key, value in given.items():
        try:
            told[key] = plain(value)
            argument(key, told[key])
        except (ValueError, TypeError) as error:
            raise ValueError(f"{what} {key}={short(value)}") from error
    return told


def title_of(facts: Mapping[str, Any]) -> str:
    """An environment in words, such as `FrozenLake-v1 (is_slippery=False)`; what a game shows by itself needs none."""
    name = facts.get("game") or facts.get("gymnasium")
    if name is None:
        return str(facts.get("not_kept", "an environment that has no name"))
    options = {key: value for key, value in facts.get("options", {}).items() if value not in ("planes", "features")}
    given = {**options, **facts.get("arguments", {})}
    words = [f"{key}={in_short(value)}" for key, value in given.items()] + [
        w["name"] for w in facts.get("wrappers", ())
    ]
    return f"{name} ({', '.join(words)})" if words else str(name)


def in_short(value: Any) -> str:
    """An argument in words; of a long list, such as levels, its ends and its length."""
    if isinstance(value, list) and len(value) > 6:
        return f"[{value[0]}, {value[1]}, ..., {value[-1]}; {len(value)} in all]"
    return (
        f"range({', '.join(map(str, value['range']))})" if isinstance(value, dict) and "range" in value else str(value)
    )


# -- made --------------------------------------------------------------------------------------------------------------


def make_environment(
    facts: Mapping[str, Any], num_envs: int = 1, seed: int | None = None, device: str = "cpu", **changes: Any
) -> Any:
    """An SB3 `VecEnv` of the kind that `agent.environment` describes; `changes` replace a game's options."""
    from ...envs.adapters.sb3 import vec_env

    if "game" in facts:
        game = find_game(facts["game"])
        version = facts.get("version")
        if version != game.version:
            raise CheckpointError(f"the agent plays {game.name} version {short(version)}, here it is {game.version}")
        options = {**read_options(facts.get("options", {})), **changes}
        shape, dtype, _, _ = Options.of(game, options).observation(game)
        if math.prod(shape) * dtype.itemsize > MAX_OBSERVATION:
            raise CheckpointError(f"the agent's observations are {shape}, more than {MAX_OBSERVATION} bytes each")
        return vec_env(game, num_envs=num_envs, seed=seed, device=device, **options)
    return make_gymnasium(facts, num_envs, seed)


def make_gymnasium(facts: Mapping[str, Any], num_envs: int, seed: int | None) -> Any:
    """One of Gymnasium's environments, several times."""
    from stable_baselines3.common.env_util import make_vec_env

    name = facts.get("gymnasium")
    if "not_kept" in facts:
        where = short(facts["not_kept"])
        raise CheckpointError(f"the agent learned in {where}, which no file can keep: give load env=")
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise CheckpointError("the agent's environment is neither a Ludus game nor a Gymnasium id: pass env=")
    if name not in gymnasium.registry:
        raise CheckpointError(
            f"the agent plays {short(name)}, which is not registered here: import the package that has it, pass env="
        )
    given, wrappers = read_arguments(facts.get("arguments", {})), read_wrappers(facts.get("wrappers", []))

    def wrapped(env: Any) -> Any:
        for kind, arguments in wrappers:
            env = kind(env, **arguments)
        return env

    return make_vec_env(name, n_envs=num_envs, seed=seed, env_kwargs=given, wrapper_class=wrapped if wrappers else None)


def read_options(facts: Any) -> dict[str, Any]:
    """A game's options as `Options` takes them; their values are checked there, but for the number of levels."""
    options = dict(json_object("options", facts))
    levels = options.get("levels")
    if isinstance(levels, dict):
        options["levels"] = levels = read_range("levels", levels)
    if options.get("obs_type") not in ("rgb", "grayscale"):
        options.pop("size", None)  # of older files, where it meant nothing
    if levels is not None and any(type(n) is not int or not 0 <= n < 2**63 for n in levels):
        raise ValueError("levels must be whole numbers from 0 to 2**63 - 1")
    return options


def read_range(name: str, facts: Mapping[str, Any]) -> range:
    """What `plain` made of a range, if it is not too long."""
    first, last, step = several(number(int, -(2**62), 2**62), 3)(name, facts["range"])
    if (found := range(first, last, step))[MAX_LEVELS:]:  # `len` of it may be too large for C
        raise ValueError(f"{name} are more than {MAX_LEVELS}")
    return found


def read_arguments(facts: Any) -> dict[str, Any]:
    """Arguments of an environment or a wrapper, checked."""
    return {key: argument(key, value) for key, value in json_object("arguments", facts).items()}


def read_wrappers(facts: Any) -> list[tuple[Any, dict[str, Any]]]:
    """Wrappers and their arguments, checked."""
    checks = {"name": one_of(WRAPPERS), "arguments": lambda name, value: read_arguments(value)}
    checked = several(full(checks))("wrappers", facts)
    return [(wrapper["name"], wrapper["arguments"]) for wrapper in checked]


def argument(name: str, value: Any) -> Any:
    """An argument of moderate size that is no file's name; raises ValueError."""
    if isinstance(value, dict) and set(value) == {"range"}:
        return read_range(name, value)
    if isinstance(value, dict):
        return {key: argument(key, item) for key, item in value.items()}
    if isinstance(value, list):
        if math.prod(max(abs(n), 1) for n in value if type(n) is int) > MAX_OBSERVATION:  # such as a shape
            raise ValueError(f"{name} is {short(value)}, which is too large")
        return [argument(name, item) for item in value]
    if isinstance(value, str) and (len(value) > 1000 or re.search(r"[/\\~]|^\.", value)):
        raise ValueError(f"{name} is {short(repr(value))}, which may be a file's name")
    if isinstance(value, (int, float)) and not abs(value) < 2**63:
        raise ValueError(f"{name} is {short(value)}, which is too large")
    return value
