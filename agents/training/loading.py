"""Agents from a folder, a zip file or an open file: descriptions are checked and numbers copied; see `checkpoint`."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from stable_baselines3.common.utils import check_for_correct_spaces, get_device
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ...envs import OptionError, UnknownGame
from ..checkpoints import manifest as description
from ..checkpoints.env_spec import make_environment
from ..checkpoints.manifest import Description, check_given
from ..checkpoints.optimizer_state import averages_of, restore_averages
from ..checkpoints.schema import KINDS
from ..data.env_adapters import simulator_of
from ..files.archive import NEWEST, Archive, opened
from ..files.safe_io import MAX_JSON, CheckpointError, Folder, NoAgent, parse_json, read_tensors, short
from ..runtime.hardware import choose_device, device_beside
from .arguments import check_device, check_env
from .training_state import expected_tensors, restore, restore_progress

if TYPE_CHECKING:
    from .agent import Agent

FORMAT = 2
NUMBERS = re.compile(r"(?:weights|optimizer|training)-[0-9a-f]{16}\.safetensors")
Place = Folder | Archive


def load_agent(
    path: Any,
    env: Any = None,
    device: Any = "auto",
    resume: bool = False,
    algorithm: str | None = None,
    *,
    agent_class: Any = None,
    to_learn: bool = False,
    force_reset: bool = True,
    custom_objects: Mapping[str, Any] | None = None,
    **given: Any,
) -> Any:
    """Read an agent; raises CheckpointError with one line if there is no whole agent of this format.

    Args:
        path: the folder that `save` or `ludus train` wrote, one of the descriptions in it, `agent-<timesteps>.json`, a zip
            file, or an open file.
        env: to go on training in. In as many games of the same kind as before, training goes on exactly; in others,
            from the weights and the optimiser's averages. None makes one game to play in or, with `resume`, as many as
            there were; where no file can keep the environment, there is none until `set_env`.
        device: "cpu", "cuda" or "auto": where the games of `env` are or, without it, where training was if it is to go on,
            and else a CPU.
        resume: go on exactly; raises CheckpointError where that cannot be.
        algorithm: what it must be of; None: any.
        agent_class: what to make, a class of the algorithm's or one derived from it; None: the algorithm's own.
        to_learn: read the optimiser's averages, too, although no environment is given.
        force_reset: whether an `env` of other libraries begins anew; False where it stands where it stood.
        custom_objects: what to take instead of the file's, by name, where the file has something of that name.
        given: arguments of the constructor instead of the file's; also `policy_class`. Of `policy_kwargs`, what the file
            could not keep.
    """
    check_device(device)
    simulator, _ = simulator_of(env)
    if simulator is not None:
        device = device_beside(simulator.device, device)
    elif env is None:  # in environments of other libraries Stable-Baselines3 takes what there is
        choose_device(str(device))  # which is no fault of the file
    with opened(path) as (place, name):
        if of_stable(place, name):
            return load_stable(path, env, device, resume, algorithm, {**(custom_objects or {}), **given}, agent_class)
        if env is not None:
            check_env(env)
        source = place.name_of(name)
        facts = read_facts(place, name)
        if algorithm not in (None, facts["algorithm"]):
            other = KINDS[facts["algorithm"]].place[1]
            raise CheckpointError(f"{source} is an agent of {other}: use ludus.{other}.load")
        given = check_given(facts["algorithm"], given)
        facts, given = replaced(facts, custom_objects or {}, given)
        env_given, trusted = env is not None, bool(given.get("policy_kwargs") or given.get("policy_class"))
        try:
            about = description.read(facts, given)
            check_lost(about, source, warn=to_learn or env_given or resume, resume=resume)
            env = environment_for(about, facts, place, env, str(device), resume)
            check_spaces(about, env, source)
            expected = None if trusted else shapes(about, env)
            weights = None if expected is None else read_numbers(place, facts, "weights", expected)
            agent = make_agent(about, env, device, agent_class or KINDS[about.algorithm].agent)
        except CheckpointError:
            raise
        except UnknownGame as error:
            game = short(repr(facts["environment"].get("game")))
            raise CheckpointError(
                f"the agent in {path} plays {game}, a game that is not registered here: import the package that does "
                "it first, on the command line by --import PACKAGE"
            ) from error
        except Exception as error:  # whatever a stranger's file may bring about
            raise CheckpointError(f"{source} does not describe an agent: {short(error)}") from error
        if weights is None:  # classes of the user's may need more than shapes to be made
            weights = read_numbers(place, facts, "weights", named_weights(agent))
        put_weights(agent, weights)
        restore_progress(agent, about)
        if "optimizer" in facts and (to_learn or env_given or resume):
            averages = read_numbers(place, facts, "optimizer", averages_of(agent.policy.optimizer))
            restore_averages(agent.policy.optimizer, averages)
        same = agent.n_envs == about.num_envs and agent.environment == about.environment and agent.env is not None
        if resume or ("training" in facts and same):
            go_on(agent, about, facts, place, keep_obs=env_given and not force_reset)
        agent.made_to_play = not env_given and not resume and agent.env is not None
    return agent


def of_stable(place: Place, name: str) -> bool:
    """Whether it is a file that Stable-Baselines3 saved."""
    return isinstance(place, Archive) and "data" in place.names and name not in place.names


def load_stable(
    path: Any,
    env: Any,
    device: Any,
    resume: bool,
    algorithm: str | None,
    given: Mapping[str, Any],
    agent_class: Any = None,
) -> Any:
    """The same of a zip file that Stable-Baselines3's PPO saved; see `sb3_zip`."""
    from ..checkpoints.sb3_zip import import_zip

    if resume or algorithm not in (None, "ppo"):
        raise CheckpointError(
            f"{path} was saved by Stable-Baselines3: only its PPO's weights can be read, by ludus.PPO.load"
        )
    return import_zip(path, env, device, agent_class, **check_given("ppo", given))


def load_parameters(agent: Agent, path: Any) -> None:
    """Put a saved agent's weights and its optimiser's averages into another of the same network; raises CheckpointError."""
    with opened(path) as (place, name):
        if of_stable(place, name):
            from ..checkpoints.sb3_zip import put_parameters

            return put_parameters(agent, place)  # type: ignore[arg-type]
        facts = read_facts(place, name)
        weights = read_numbers(place, facts, "weights", named_weights(agent))
        if "optimizer" in facts:
            averages = read_numbers(place, facts, "optimizer", averages_of(agent.policy.optimizer))
            restore_averages(agent.policy.optimizer, averages)
    put_weights(agent, weights)


def named_weights(agent: Agent) -> dict[str, Tensor]:
    """The policy's parameters and buffers, each once: an encoder shared by actor and critic has several names."""
    policy = getattr(agent.policy, "_orig_mod", agent.policy)  # of `torch.compile`
    return {**dict(policy.named_parameters()), **dict(policy.named_buffers())}


def put_weights(agent: Agent, weights: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in named_weights(agent).items():
            tensor.copy_(weights[name])
        if getattr(agent, "use_sde", False):
            agent.policy.reset_noise()  # type: ignore[operator]


# -- the description ---------------------------------------------------------------------------------------------------


def read_description(path: Path) -> dict[str, Any]:
    """The content of an `agent.json`, a format known here; its facts are not checked yet."""
    return read_facts(Folder(path.parent), path.name)


def read_facts(place: Place, name: str) -> dict[str, Any]:
    """The same, wherever it is."""
    path = place.name_of(name)
    if isinstance(place, Folder) and not place.path.exists():
        raise NoAgent(
            f"there is no folder {place.path}, nor a .zip of that name: give what `save` or `ludus train` wrote"
        )
    if isinstance(place, Folder) and not (place.path / name).exists():
        raise NoAgent(f"{place.path} has no {name}: give what `save` or `ludus train` wrote")
    facts = parse_json(place.read(name, MAX_JSON), path)
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


def replaced(
    facts: dict[str, Any], custom_objects: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The description and arguments with `custom_objects` among them, which stand for what the file says."""
    kind = KINDS[facts["algorithm"]]
    known = {
        name for name in custom_objects if name in {*kind.settings, *kind.schedules, "policy_kwargs", "policy_class"}
    }
    for name in sorted(set(custom_objects) - known):
        warnings.warn(f"custom_objects: the file has no {name!r}, which is left out", stacklevel=4)
    objects = check_given(facts["algorithm"], {name: custom_objects[name] for name in known})
    if "policy_kwargs" in objects:
        facts = {**facts, "policy_kwargs": {name: {"not_kept": ""} for name in objects["policy_kwargs"]}}
    return facts, {**objects, **given}


def check_lost(about: Description, source: str, warn: bool, resume: bool) -> None:
    """Raise CheckpointError for what nobody has given and is needed; `warn` of schedules that are numbers now."""
    for name, words in about.lost.items():
        argument = "policy_kwargs" if name.startswith("policy_kwargs") else name
        raise CheckpointError(f"{source} could not keep {name}, which was {words}: give load {argument}=")
    for name, words in about.frozen.items() if warn else ():
        told = f"{source} could not keep {name}, which was {words}: give load {name}="
        if resume:
            raise CheckpointError(told)
        warnings.warn(f"{told}; until then it is {about.settings[name]:g}, its first value", stacklevel=4)


# -- the agent ---------------------------------------------------------------------------------------------------------


def environment_for(
    about: Description, facts: Mapping[str, Any], place: Place, env: Any, device: str, resume: bool
) -> Any:
    """A wrapped `VecEnv`: the one given, or games made as the description says; None where nobody can make them."""
    there = games_device(about, device, resume)
    if env is None and resume:
        check_room(about, place, numbers_name(place, facts, "training"))
        seed = about.settings.get("seed")  # of Gymnasium's environments, which begin anew: not as at first
        seed = None if seed is None else (seed + about.timesteps) % 2**32
        env = make_environment(about.environment, about.num_envs, seed, there)
    elif env is None and "not_kept" in about.environment and about.spaces is not None:
        return None
    elif env is None:
        env = make_environment(about.environment, device=there)
    return KINDS[about.algorithm].agent._wrap_env(env, verbose=0)


def games_device(about: Description, device: str, resume: bool) -> str:
    """Where to make games for an agent that is loaded onto `device`."""
    if device == "auto":
        device = about.device if resume else "cpu"
    return str(get_device(device))  # a CPU where there is no GPU


def check_room(about: Description, place: Place, training: str) -> None:
    """A file with the state of many games must be large; so a short one cannot have us make them."""
    if "game" not in about.environment:
        if about.num_envs > 10_000:
            raise CheckpointError(f"{about.num_envs} environments are too many: expected at most 10000")
        return
    one = make_environment(about.environment).simulator
    if 0 < place.size(training) < about.num_envs * one.obs.nbytes:
        raise CheckpointError(f"{place.name_of(training)} is too short for {about.num_envs} games")


def check_spaces(about: Description, env: Any, source: str) -> None:
    """Raise CheckpointError unless the environment's spaces are those that the agent was trained on."""
    if env is None or about.spaces is None:
        return
    try:
        check_for_correct_spaces(env, *about.spaces)
    except ValueError as error:
        raise CheckpointError(f"{source} is of another network or game: {short(error)}") from error


def shapes(about: Description, env: Any) -> dict[str, Tensor]:
    """The weights that the description's network has, without their memory."""
    kind = KINDS[about.algorithm]
    kwargs = {**about.policy_kwargs, "optimizer_class": torch.optim.SGD, "optimizer_kwargs": {}}
    kwargs |= kind.agent.network_arguments({**kind.defaults, **about.settings})
    if about.settings.get("use_sde"):
        kwargs["use_sde"] = True
    if "ortho_init" in kind.policy_kwargs:  # which takes long, to no end
        kwargs["ortho_init"] = False
    spaces: Any = about.spaces if env is None else (env.observation_space, env.action_space)
    make = kind.policies[about.policy] if isinstance(about.policy, str) else about.policy
    with _NoMemory(), torch.device("meta"):
        policy = make(*spaces, lambda _: 0.0, **kwargs)
    return {**dict(policy.named_parameters()), **dict(policy.named_buffers())}


class _NoMemory(TorchFunctionMode):
    """Keeps tensors on the meta device when a network asks for another; whoever asks about numbers there is content."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch._is_all_true:  # by which distributions check their parameters
            return True
        return args[0] if func is torch.Tensor.to else func(*args, **(kwargs or {}))


def make_agent(about: Description, env: Any, device: Any, kind: Any) -> Agent:
    """As Stable-Baselines3's `load` makes it: first an agent of the default settings, then its own in their place."""
    agent = kind(about.policy, env, policy_kwargs=about.policy_kwargs, device=device, _init_setup_model=False)
    for name, value in about.settings.items():
        agent.set_setting(name, value)
    vars(agent).update(about.attributes)
    if env is None:
        assert about.spaces is not None
        agent.observation_space, agent.action_space = about.spaces
        agent.n_envs, agent.environment = about.num_envs, about.environment
    agent._setup_model()
    return agent


# -- numbers -----------------------------------------------------------------------------------------------------------


def numbers_name(place: Place, facts: Mapping[str, Any], part: str) -> str:
    """The file of weights, averages or the training's state that a description names."""
    if part not in facts:
        where = place.name_of(NEWEST)
        raise CheckpointError(f"{where} has no {part} file: the agent was saved to be played, not to be trained on")
    name = facts[part].get("file") if isinstance(facts[part], dict) else None
    if not (isinstance(name, str) and NUMBERS.fullmatch(name) and name.startswith(part)):
        said = short(repr(name))
        raise CheckpointError(f"{place.name_of(NEWEST)} has {said} as its {part} file, expected {part}-....safetensors")
    return name


def read_numbers(
    place: Place, facts: Mapping[str, Any], part: str, expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    return read_tensors(place, numbers_name(place, facts, part), facts[part].get("sha256"), expected)


def go_on(agent: Agent, about: Description, facts: Mapping[str, Any], place: Place, keep_obs: bool) -> None:
    """Put the state of the training back."""
    if agent.n_envs != about.num_envs or agent.environment != about.environment:
        was = f"{about.num_envs} of {short(about.environment)}"
        raise CheckpointError(f"{place.name_of(NEWEST)} was trained in {was}, which this env is not")
    expected = expected_tensors(agent, about)
    older = "optimizer" not in facts  # which has the optimiser's averages in the same file
    if older:
        expected |= {f"optimizer.{name}": x for name, x in averages_of(agent.policy.optimizer).items()}
    tensors = read_numbers(place, facts, "training", expected)
    try:
        restore(agent, about, tensors, keep_obs)
    except OptionError as error:
        training = place.name_of(numbers_name(place, facts, "training"))
        raise CheckpointError(f"{training}: {short(error)}") from error
    if older:
        averages = {name.removeprefix("optimizer."): x for name, x in tensors.items() if name.startswith("optimizer.")}
        restore_averages(agent.policy.optimizer, averages)
