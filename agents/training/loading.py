"""Agents from a folder, a zip file or an open file: descriptions are checked and numbers copied; see `checkpoint`."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from stable_baselines3.common.utils import check_for_correct_spaces, get_device
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ...envs import OptionError, UnknownGame
from ..checkpoints import manifest
from ..checkpoints.env_spec import make_environment
from ..checkpoints.manifest import Description, check_given
from ..checkpoints.optimizer_state import optimizer_tensors, restore_optimizer
from ..checkpoints.reader import Place, numbers_name, of_stable, read_facts, read_numbers
from ..checkpoints.sb3_zip import import_zip, put_parameters
from ..checkpoints.schema import SCHEMAS
from ..data.env_adapters import simulator_of
from ..files.archive import NEWEST, opened
from ..files.safe_io import CheckpointError, short
from ..runtime.hardware import choose_device, device_beside
from .agent import Agent
from .arguments import check_device, check_env, check_objects
from .snapshot import named_weights
from .training_state import expected_tensors, restore, restore_progress


def load_agent(
    path: Any,
    env: Any = None,
    device: Any = "auto",
    resume: bool = False,
    *,
    class_of: Callable[[str], Any],
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
            from the weights and the optimizer's state. None makes one game to play in or, with `resume`, as many as
            there were; where no file can keep the environment, there is none until `set_env`.
        device: "cpu", "cuda" or "auto": where the games of `env` are or, without it, where training was if it is to go on,
            and else a CPU.
        resume: go on exactly; raises CheckpointError where that cannot be.
        class_of: the class to make, by the algorithm's name in files; None for one that is not asked for.
        to_learn: read the optimizer's state, too, although no environment is given.
        force_reset: whether an `env` of other libraries begins anew; False where it stands where it stood.
        custom_objects: what to take instead of the file's, by name, where the file has something of that name.
        given: arguments of the constructor instead of the file's; also `policy_class`. Of `policy_kwargs`, what the file
            could not keep.
    """
    asked = _Asked(env, _device_beside(env, device), resume, to_learn or env is not None or resume, force_reset)
    with opened(path) as (place, name):
        if of_stable(place, name):
            if resume or class_of("ppo") is None:
                raise CheckpointError(
                    f"{path} was saved by Stable-Baselines3: only its PPO's weights can be read, by ludus.PPO.load"
                )
            given = {**(custom_objects or {}), **given}
            check_objects(class_of("ppo"), given)
            return import_zip(path, env, asked.device, class_of("ppo"), **check_given("ppo", given))
        if env is not None:
            check_env(env)
        facts = read_facts(place, name)
        agent_class, title = class_of(facts["algorithm"]), SCHEMAS[facts["algorithm"]].title
        if agent_class is None:
            raise CheckpointError(f"{place.name_of(name)} is an agent of {title}: use ludus.{title}.load")
        check_objects(agent_class, given)
        given = check_given(facts["algorithm"], given)
        facts, given = replaced(facts, custom_objects or {}, given)
        return _read_agent(place, name, facts, given, agent_class, asked)


class _Asked(NamedTuple):
    """What `load_agent` was asked for; `learn`: whether training goes on, in any way."""

    env: Any
    device: Any
    resume: bool
    learn: bool
    force_reset: bool


def _device_beside(env: Any, device: Any) -> Any:
    """Where the games of `env` are, if it has any; raises OptionError for a device that there is not."""
    check_device(device)
    simulator, _ = simulator_of(env)
    if simulator is not None:
        return device_beside(simulator.device, device)
    if env is None:  # in environments of other libraries Stable-Baselines3 takes what there is
        choose_device(str(device))  # which is no fault of the file
    return device


def _read_agent(
    place: Place, name: str, facts: Mapping[str, Any], given: Mapping[str, Any], agent_class: Any, asked: _Asked
) -> Any:
    """The agent of a description whose digest is right, with what else of its files is asked for."""
    source = place.name_of(name)
    with _faults_of(source, place, facts):
        about = manifest.read(facts, agent_class, given)
        check_lost(about, source, warn=asked.learn, resume=asked.resume)
        env = environment_for(about, agent_class, facts, place, asked)
        check_spaces(about, env, source)
        trusted = bool(given.get("policy_kwargs") or given.get("policy_class"))
        weights = None if trusted else read_numbers(place, facts, "weights", shapes(about, agent_class, env))
        agent = make_agent(about, env, asked.device, agent_class)
    if weights is None:  # classes of the user's may need more than shapes to be made
        weights = read_numbers(place, facts, "weights", named_weights(agent))
    put_weights(agent, weights)
    restore_progress(agent, about)
    if "optimizer" in facts and asked.learn:
        averages = read_numbers(place, facts, "optimizer", optimizer_tensors(agent.policy.optimizer))
        restore_optimizer(agent.policy.optimizer, averages)
    same = agent.n_envs == about.num_envs and agent.environment == about.environment and agent.env is not None
    if asked.resume or ("training" in facts and same):
        go_on(agent, about, facts, place, keep_obs=asked.env is not None and not asked.force_reset)
    agent.made_to_play = asked.env is None and not asked.resume and agent.env is not None
    return agent


@contextmanager
def _faults_of(source: str, place: Place, facts: Mapping[str, Any]) -> Iterator[None]:
    """Whatever a stranger's file may bring about becomes a CheckpointError."""
    try:
        yield
    except CheckpointError:
        raise
    except UnknownGame as error:
        game = short(repr(facts["environment"].get("game")))
        raise CheckpointError(
            f"the agent in {place.label} plays {game}, a game that is not registered here: import the package that does "
            "it first, on the command line by --import PACKAGE"
        ) from error
    except Exception as error:
        raise CheckpointError(f"{source} does not describe an agent: {short(error)}") from error


def load_parameters(agent: Agent, path: Any) -> None:
    """Put a saved agent's weights and its optimizer's averages into another of the same network; raises CheckpointError."""
    with opened(path) as (place, name):
        if of_stable(place, name):
            return put_parameters(agent, place)  # type: ignore[arg-type]
        facts = read_facts(place, name)
        weights = read_numbers(place, facts, "weights", named_weights(agent))
        if "optimizer" in facts:
            averages = read_numbers(place, facts, "optimizer", optimizer_tensors(agent.policy.optimizer))
            restore_optimizer(agent.policy.optimizer, averages)
    put_weights(agent, weights)


def put_weights(agent: Agent, weights: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in named_weights(agent).items():
            tensor.copy_(weights[name])
        if getattr(agent, "use_sde", False):
            agent.policy.reset_noise()  # type: ignore[operator]


# -- the description ---------------------------------------------------------------------------------------------------


def replaced(
    facts: dict[str, Any], custom_objects: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The description and arguments with `custom_objects` among them, which stand for what the file says."""
    schema = SCHEMAS[facts["algorithm"]]
    known = custom_objects.keys() & {*schema.settings, *schema.schedules, "policy_kwargs", "policy_class"}
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
        raise CheckpointError(f"{source} could not keep {name}, which was {words}: give load {argument}=, in Python")
    for name, words in about.frozen.items() if warn else ():
        told = f"{source} could not keep {name}, which was {words}: give load {name}="
        if resume:
            raise CheckpointError(told)
        warnings.warn(f"{told}; until then it is {about.settings[name]:g}, its first value", stacklevel=5)


# -- the agent ---------------------------------------------------------------------------------------------------------


def environment_for(about: Description, agent_class: Any, facts: Mapping[str, Any], place: Place, asked: _Asked) -> Any:
    """A wrapped `VecEnv`: the one given, or games made as the description says; None where nobody can make them."""
    env, there = asked.env, games_device(about, str(asked.device), asked.resume)
    if env is None and asked.resume:
        count = check_room(about, place, numbers_name(place, facts, "training"))
        seed = about.settings.get("seed")  # of Gymnasium's environments, which begin anew: not as at first
        seed = None if seed is None else (seed + about.timesteps) % 2**32
        env = make_environment(about.environment, count, seed, there)
    elif env is None and "not_kept" in about.environment and about.spaces is not None:
        return None
    elif env is None:
        env = make_environment(about.environment, device=there)
    return agent_class._wrap_env(env, verbose=0)


def games_device(about: Description, device: str, resume: bool) -> str:
    """Where to make games for an agent that is loaded onto `device`."""
    if device == "auto":
        device = about.device if resume else "cpu"
    return str(get_device(device))  # a CPU where there is no GPU


def check_room(about: Description, place: Place, training: str) -> int:
    """How many environments to make; raises CheckpointError where a file is too short for the state of so many.

    Where players act at once, what the description counts are the seats of games.
    """
    if "game" not in about.environment:
        if about.num_envs > 10_000:
            raise CheckpointError(f"{about.num_envs} environments are too many: expected at most 10000")
        return about.num_envs
    one = make_environment(about.environment)
    games, left = divmod(about.num_envs, one.num_envs)
    if left:
        raise CheckpointError(
            f"num_envs must be a multiple of {one.num_envs}, the seats of a game, got {about.num_envs}"
        )
    if 0 < place.size(training) < games * one.simulator.obs.nbytes:
        raise CheckpointError(f"{place.name_of(training)} is too short for {games} games")
    return games


def check_spaces(about: Description, env: Any, source: str) -> None:
    """Raise CheckpointError unless the environment's spaces are those that the agent was trained on."""
    if env is None or about.spaces is None:
        return
    try:
        check_for_correct_spaces(env, *about.spaces)
    except ValueError as error:
        raise CheckpointError(f"{source} is of another network or game: {short(error)}") from error


def shapes(about: Description, agent_class: Any, env: Any) -> dict[str, Tensor]:
    """The weights that the description's network has, without their memory."""
    schema = SCHEMAS[about.algorithm]
    kwargs = {**about.policy_kwargs, "optimizer_class": torch.optim.SGD, "optimizer_kwargs": {}}
    kwargs |= agent_class.network_arguments({**defaults_of(agent_class), **about.settings})
    if about.settings.get("use_sde"):
        kwargs["use_sde"] = True
    if "ortho_init" in schema.policy_kwargs:  # which takes long, to no end
        kwargs["ortho_init"] = False
    spaces: Any = about.spaces if env is None else (env.observation_space, env.action_space)
    make = schema.policies[about.policy] if isinstance(about.policy, str) else about.policy
    with _NoMemory(), torch.device("meta"):
        policy = make(*spaces, lambda _: 0.0, **kwargs)
    return {**dict(policy.named_parameters()), **dict(policy.named_buffers())}


def defaults_of(agent_class: Any) -> dict[str, Any]:
    """Of the constructor's arguments."""
    parameters = inspect.signature(agent_class.__init__).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


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


# -- the training ------------------------------------------------------------------------------------------------------


def go_on(agent: Agent, about: Description, facts: Mapping[str, Any], place: Place, keep_obs: bool) -> None:
    """Put the state of the training back."""
    if agent.n_envs != about.num_envs or agent.environment != about.environment:
        was = f"{about.num_envs} of {short(about.environment)}"
        raise CheckpointError(f"{place.name_of(NEWEST)} was trained in {was}, which this env is not")
    expected = expected_tensors(agent, about)
    older = "optimizer" not in facts  # which has the optimizer's averages in the same file
    if older:
        expected |= {f"optimizer.{name}": x for name, x in optimizer_tensors(agent.policy.optimizer).items()}
    tensors = read_numbers(place, facts, "training", expected)
    try:
        restore(agent, about, tensors, keep_obs)
    except OptionError as error:
        training = place.name_of(numbers_name(place, facts, "training"))
        raise CheckpointError(f"{training}: {short(error)}") from error
    if older:
        averages = {name.removeprefix("optimizer."): x for name, x in tensors.items() if name.startswith("optimizer.")}
        restore_optimizer(agent.policy.optimizer, averages)
