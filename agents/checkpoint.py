"""An agent on disk: a folder with descriptions in JSON and numbers in safetensors files.

    agent.json                      the newest description: what the agent is, and the files that it names
    agent-<timesteps>.json          older ones
    weights-<digest>.safetensors    what playing needs
    training-<digest>.safetensors   what going on with the training needs beyond that; see `resume`

Loading parses JSON and copies numbers. It never unpickles, evaluates or imports what a file names, so a file from a stranger
can be wrong but cannot run code. Saving writes numbers under new names and then replaces `agent.json`, which holds their
SHA-256; what no description names any more goes last. Whenever the power goes, the folder holds whole agents.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..envs import OptionError
from . import description
from .description import Description, describe, environment_facts, make_environment
from .files import CheckpointError, read_json, read_tensors, short, sync_folder, to_json, write_whole
from .hardware import device_beside
from .kinds import KINDS
from .resume import capture, expected_tensors, restore, training_tensors
from .worlds import simulator_of

if TYPE_CHECKING:
    from .agent import Agent

__all__ = ["CheckpointError", "environment_facts", "load_agent", "make_environment", "read_description", "save_agent"]

FORMAT = 2
NEWEST = "agent.json"
OLDER = re.compile(r"agent-(\d{1,20})\.json")
NUMBERS = re.compile(r"(?:weights|training)-[0-9a-f]{16}\.safetensors")
TEMPORARY = re.compile(r"\.(?:agent|weights|training|train)[\w-]*\.\w+\.\d+\.tmp")


# -- saving ------------------------------------------------------------------------------------------------------------


def save_agent(agent: Agent, folder: Path, keep: int = 1, resumable: bool = True) -> None:
    """Write `agent` into `folder`, made if need be; raises CheckpointError, and then all is as it was.

    Args:
        keep: how many checkpoints to keep, this one included.
        resumable: also what going on with the training needs, about twice the weights and the games' state. Within a
            rollout, what is written is the moment where it began.
    """
    from importlib.metadata import version

    from safetensors.torch import save

    start = agent.boundary or capture(agent)
    contents = {"weights": save({name: x.detach().cpu().contiguous() for name, x in named_weights(agent).items()})}
    if resumable:
        contents["training"] = save(training_tensors(agent, start))
    facts: dict[str, Any] = {"format": FORMAT, "ludus": version("ludus")}
    facts |= describe(agent, start["progress"])
    for part, content in contents.items():
        digest = hashlib.sha256(content).hexdigest()
        facts[part] = {"file": f"{part}-{digest[:16]}.safetensors", "sha256": digest}
    facts["sha256"] = digest_of(facts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for part, content in contents.items():
                write_whole(folder / facts[part]["file"], content)
            sync_folder(folder)
            if keep > 1:
                keep_older(folder, facts["timesteps"])
            write_whole(folder / NEWEST, to_json(facts))
            sync_folder(folder)
            drop_older(folder, facts["timesteps"], keep - 1)
        finally:
            drop_unnamed(folder)
    except OSError as error:
        raise CheckpointError(f"cannot save the agent in {folder}: {error.strerror or error}") from error


def keep_older(folder: Path, timesteps: int) -> None:
    """Give the newest description, if it is of fewer timesteps, a second name."""
    with suppress(CheckpointError, RecursionError):
        facts = read_description(folder / NEWEST)
        if isinstance(facts.get("timesteps"), int) and 0 <= facts["timesteps"] < timesteps:
            write_whole(folder / f"agent-{facts['timesteps']}.json", to_json(facts))


def drop_older(folder: Path, timesteps: int, keep: int) -> None:
    """Remove older descriptions but for the last `keep` of fewer timesteps."""
    found = {int(match[1]): path for path in folder.iterdir() if (match := OLDER.fullmatch(path.name))}
    past = sorted(steps for steps in found if steps < timesteps)
    for steps in set(found) - set(past[len(past) - keep :] if keep > 0 else ()):
        found[steps].unlink()


def drop_unnamed(folder: Path) -> None:
    """Remove files of numbers that no description names, and what a killed process left half written."""
    with suppress(OSError, CheckpointError):
        paths = list(folder.iterdir())
        descriptions = [path for path in paths if path.name == NEWEST or OLDER.fullmatch(path.name)]
        named = {name for path in descriptions for name in NUMBERS.findall(path.read_bytes().decode(errors="replace"))}
        for path in paths:
            if (NUMBERS.fullmatch(path.name) and path.name not in named) or TEMPORARY.fullmatch(path.name):
                path.unlink()


def named_weights(agent: Agent) -> dict[str, Tensor]:
    """The policy's parameters and buffers, each once: an encoder shared by actor and critic has several names."""
    return {**dict(agent.policy.named_parameters()), **dict(agent.policy.named_buffers())}


# -- loading -----------------------------------------------------------------------------------------------------------


def load_agent(
    path: Path | str, env: Any = None, device: Any = "auto", resume: bool = False, algorithm: str | None = None
) -> Any:
    """Read an agent; raises CheckpointError with one line if there is no whole agent of this format.

    Args:
        path: the folder that `save` or `ludus train` wrote, or one of the descriptions in it, `agent-<timesteps>.json`.
        env: to go on training in. In as many games of the same kind as before, training goes on exactly; in others,
            from the weights alone. None makes one game to play in or, with `resume`, as many as there were.
        device: "cpu", "cuda" or "auto": where the games of `env` are or, without it, where training was if it is to go on,
            and else a CPU.
        resume: go on exactly; raises CheckpointError where that cannot be.
        algorithm: what it must be of; None: any.
    """
    source = Path(path)
    simulator, _ = simulator_of(env)
    if simulator is not None:
        device = device_beside(simulator.device, device)
    if source.is_dir() or source.suffix != ".json":
        source = source / NEWEST
    try:
        facts = read_description(source)
        if algorithm not in (None, facts["algorithm"]):
            other = KINDS[facts["algorithm"]].place[1]
            raise CheckpointError(f"{source} is an agent of {other}: use ludus.{other}.load")
        about = description.read(facts)
        env = _environment(about, facts, source, env, str(device), resume)
        weights = _read_numbers(facts, "weights", source, _shapes(about, env))
        agent = _make_agent(about, env, device)
    except CheckpointError:
        raise
    except Exception as error:  # whatever a stranger's file may bring about
        raise CheckpointError(f"{source} does not describe an agent: {short(error)}") from error
    with torch.no_grad():
        for name, tensor in named_weights(agent).items():
            tensor.copy_(weights[name])
    agent.num_timesteps = about.timesteps
    if resume or ("training" in facts and agent.n_envs == about.num_envs and agent.environment == about.environment):
        _go_on(agent, about, facts, source)
    return agent


def read_description(path: Path) -> dict[str, Any]:
    """The content of an `agent.json`, a format known here; its facts are not checked yet."""
    if not path.parent.exists():
        raise CheckpointError(f"there is no folder {path.parent}: give the folder that `ludus train` wrote")
    if not path.exists():
        raise CheckpointError(f"{path.parent} has no {path.name}: give the folder that `ludus train` wrote")
    facts = read_json(path)
    if "format" not in facts:
        raise CheckpointError(f"{path} is not an agent's description: it has no format number")
    if facts["format"] != FORMAT:
        number = facts["format"]
        advice = "train the agent again, or play it with Ludus 0.1" if number == 1 else "update Ludus"
        raise CheckpointError(f"{path} has format {short(number)}, this Ludus reads {FORMAT}: {advice}")
    if not isinstance(facts.get("algorithm"), str) or facts["algorithm"] not in KINDS:
        name = short(repr(facts.get("algorithm")))
        raise CheckpointError(f"{path} is an agent of algorithm {name}, this Ludus knows {', '.join(KINDS)}")
    if digest_of(facts) != facts.get("sha256"):
        raise CheckpointError(f"{path} is damaged or was edited: its SHA-256 is not that of what it says")
    return facts


def digest_of(facts: Mapping[str, Any]) -> str:
    """The SHA-256 of a description, which is part of it: of all else that it says, however it is laid out."""
    rest = {name: value for name, value in facts.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _environment(
    about: Description, facts: Mapping[str, Any], source: Path, env: Any, device: str, resume: bool
) -> Any:
    """A wrapped `VecEnv`: the one given, or games made as the description says."""
    place = _games_device(about, device, resume)
    if env is None and resume:
        _check_room(about, _numbers_path(facts, "training", source))
        seed = about.settings["seed"]  # of Gymnasium's environments, which begin anew: not as at first
        seed = None if seed is None else (seed + about.timesteps) % 2**32
        env = make_environment(about.environment, about.num_envs, seed, place)
    elif env is None:
        env = make_environment(about.environment, device=place)
    return KINDS[about.algorithm].agent._wrap_env(env, verbose=0)


def _games_device(about: Description, device: str, resume: bool) -> str:
    """Where to make games for an agent that is loaded onto `device`."""
    from stable_baselines3.common.utils import get_device

    if device == "auto":
        device = about.device if resume else "cpu"
    return str(get_device(device))  # a CPU where there is no GPU


def _check_room(about: Description, training: Path) -> None:
    """A file with the state of many games must be large; so a short one cannot have us make them."""
    if "game" not in about.environment:
        if about.num_envs > 10_000:
            raise CheckpointError(f"{about.num_envs} environments are too many: expected at most 10000")
        return
    one = make_environment(about.environment).simulator
    with suppress(OSError):
        if training.stat().st_size < about.num_envs * one.obs.nbytes:
            raise CheckpointError(f"{training} is too short for {about.num_envs} games")


def _shapes(about: Description, env: Any) -> dict[str, Tensor]:
    """The weights that the description's network has, without their memory."""
    kind = KINDS[about.algorithm]
    kwargs = {**about.policy_kwargs, "optimizer_class": torch.optim.SGD, "optimizer_kwargs": {}}
    kwargs |= kind.agent.network_arguments(about.settings)
    if "ortho_init" in kind.policy_kwargs:  # which takes long, to no end
        kwargs["ortho_init"] = False
    with _NoMemory(), torch.device("meta"):
        policy = kind.policies[about.policy](env.observation_space, env.action_space, lambda _: 0.0, **kwargs)
    return {**dict(policy.named_parameters()), **dict(policy.named_buffers())}


class _NoMemory(TorchFunctionMode):
    """Keeps tensors on the meta device when a network asks for another."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func is torch.Tensor.to else func(*args, **(kwargs or {}))


def _numbers_path(facts: Mapping[str, Any], part: str, source: Path) -> Path:
    """The file of weights or of the training's state that a description names."""
    if part not in facts:
        raise CheckpointError(f"{source} has no {part} file: the agent was saved to be played, not to be trained on")
    name = facts[part].get("file") if isinstance(facts[part], dict) else None
    if not (isinstance(name, str) and NUMBERS.fullmatch(name) and name.startswith(part)):
        raise CheckpointError(f"{source} names a {part} file {short(repr(name))}, expected {part}-....safetensors")
    return source.parent / name


def _read_numbers(
    facts: Mapping[str, Any], part: str, source: Path, expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    path = _numbers_path(facts, part, source)
    return read_tensors(path, facts[part].get("sha256"), expected)


def _make_agent(about: Description, env: Any, device: Any) -> Agent:
    kind, settings = KINDS[about.algorithm].agent, about.settings
    fitting = settings if env.num_envs == about.num_envs else kind.settings_for(settings, env.num_envs)
    agent = kind(about.policy, env, policy_kwargs=about.policy_kwargs, device=device, **fitting)
    for name, value in fitting.items():
        if value != settings[name]:
            setattr(agent, name, settings[name])
    return agent


def _go_on(agent: Agent, about: Description, facts: Mapping[str, Any], source: Path) -> None:
    """Put the state of the training back."""
    if agent.n_envs != about.num_envs or agent.environment != about.environment:
        raise CheckpointError(
            f"{source} was trained in {about.num_envs} of {short(about.environment)}, which this env is not"
        )
    tensors = _read_numbers(facts, "training", source, expected_tensors(agent, about))
    try:
        restore(agent, about, tensors)
    except OptionError as error:
        raise CheckpointError(f"{_numbers_path(facts, 'training', source)}: {short(error)}") from error
