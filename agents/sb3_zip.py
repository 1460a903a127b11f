"""Exchange with Stable-Baselines3: agents as the zip files that its own `PPO` and `DQN` save and load.

A policy that Stable-Baselines3 knows by the same name (`MlpPolicy`, `CnnPolicy`) is written under that name. Policies of
Ludus are pickled by value, code and all, so that whoever loads the file needs no Ludus. That is right for every policy,
encoders and normalisers included: the loaded one runs the same lines, and trains as before. Translating networks instead
would need a rule for each, and would change how they train (Stable-Baselines3's actor and critic share no layers). The price
is pickle's own: such a file is for the version of Python that wrote it.

The agent's own description and weights, as `checkpoint` writes them, lie in the same zip: Stable-Baselines3 passes over them,
and Ludus reads nothing else.

Reading takes numbers only. Nothing is unpickled but tensors, by torch's restricted reader, so a file from a stranger can be
wrong but cannot run code.
"""

from __future__ import annotations

import inspect
import io
import json
import pickle
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import cloudpickle
import torch
from stable_baselines3 import DQN as StableDQN
from stable_baselines3 import PPO as StablePPO
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor, NatureCNN
from stable_baselines3.dqn.policies import DQNPolicy
from torch import Tensor, nn

from .agent import Agent
from .archive import NEWEST, is_open_file
from .checkpoint import members_of
from .files import CheckpointError, open_ordinary, path_of, short, to_json, write_whole
from .ppo import PPO
from .untrusted_zip import read_members, read_tensors

ARGUMENTS = {
    "ppo": (
        "learning_rate", "n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "clip_range", "clip_range_vf",
        "normalize_advantage", "ent_coef", "vf_coef", "max_grad_norm", "use_sde", "sde_sample_freq", "target_kl", "seed",
    ),
    "dqn": (
        "learning_rate", "buffer_size", "learning_starts", "batch_size", "tau", "gamma", "train_freq", "gradient_steps",
        "n_steps", "target_update_interval", "exploration_fraction", "exploration_initial_eps", "exploration_final_eps",
        "max_grad_norm", "seed",
    ),
    "pqn": (
        "learning_rate", "batch_size", "gamma", "exploration_fraction", "exploration_initial_eps",
        "exploration_final_eps", "max_grad_norm", "seed",
    ),
}  # fmt: skip
STABLE: dict[str, Any] = {"ppo": StablePPO, "dqn": StableDQN, "pqn": StableDQN}  # what an agent becomes
STATE = ("observation_space", "action_space", "n_envs", "policy", "num_timesteps", "_n_updates")

MAX_DATA = 100_000_000  # bytes of `data`, which holds the last observations of every game
MAX_WEIGHTS = 500_000_000  # bytes of `policy.pth`
MAX_WIDTH = 16_384  # of a layer
NUMBERS: dict[str, tuple[type, float, float]] = {  # what is read of `data`: type, smallest, largest
    "n_steps": (int, 1, 100_000),
    "batch_size": (int, 1, 10_000_000),
    "n_epochs": (int, 1, 10_000),
    "gamma": (float, 0, 1),
    "gae_lambda": (float, 0, 1),
    "normalize_advantage": (bool, 0, 1),
    "ent_coef": (float, -1e6, 1e6),
    "vf_coef": (float, -1e6, 1e6),
    "max_grad_norm": (float, 0, 1e9),
    "learning_rate": (float, 0, 1e3),
    "target_kl": (float, 0, 1e9),
    "seed": (int, 0, 2**32 - 1),
    "num_timesteps": (int, 0, 2**62),
}
OPTIONAL = ("learning_rate", "target_kl", "seed")  # may be null, or an object with a pickle in it
SCHEDULES = {"lr_schedule": "learning_rate", "clip_range": "clip_range", "clip_range_vf": "clip_range_vf"}
ACTIVATIONS = {str(f): f for f in (nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Sigmoid)}
UNDERSTOOD = {  # arguments of a policy that `infer_network` heeds, or that do not change what a trained one does
    "net_arch", "activation_fn", "normalize_images", "features_extractor_class", "features_extractor_kwargs",
    "share_features_extractor", "ortho_init", "log_std_init", "optimizer_class", "optimizer_kwargs",
    ":type:", ":serialized:",
}  # fmt: skip


# -- export ------------------------------------------------------------------------------------------------------------


def export_zip(agent: Agent, path: Path | str) -> None:
    """Write `agent` as a zip that Stable-Baselines3's `load` reads where there is no Ludus: PPO's, or of others, DQN's.

    The loaded agent computes in single precision, whatever the `precision` of this one.

    Args:
        agent: of any policy without memory.
        path: the file; folders are made if need be, and a file that is there is replaced.

    Raises:
        CheckpointError: Stable-Baselines3's class cannot hold the agent, or the file cannot be written.
    """
    path = path_of(path)
    if getattr(agent.policy, "core", None) is not None:
        raise CheckpointError("Stable-Baselines3's PPO has no memory, this agent has: train one without to export it")
    content = io.BytesIO()
    try:
        with _pickled_by_value(__name__.split(".")[0]):
            as_stable(agent).save(content)
        with zipfile.ZipFile(content, "a") as archive:
            for name, member in members_of(agent, resumable=False).items():
                archive.writestr(name, to_json(member) if name == NEWEST else member)
    except (TypeError, ValueError, AttributeError, RuntimeError, pickle.PicklingError) as error:
        raise CheckpointError(f"the agent cannot be pickled: {short(error)}") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content.getvalue())
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from error


def as_stable(agent: Agent) -> Any:
    """`agent` as Stable-Baselines3's own PPO or DQN, without an environment; they share the policy."""
    arguments = {name: agent.setting(name) for name in ARGUMENTS[agent.algorithm]}
    own = stable_policy(agent)
    told = {} if own else agent.network_arguments(vars(agent))
    no_env: Any = None  # as Stable-Baselines3's own `load` does it
    stable = STABLE[agent.algorithm](
        own or type(agent.policy),
        no_env,
        _init_setup_model=False,
        policy_kwargs={**told, **agent.policy_kwargs},
        **arguments,
    )
    for name in STATE:
        setattr(stable, name, getattr(agent, name))
    return stable


def stable_policy(agent: Agent) -> Any:
    """Stable-Baselines3's class for the agent's policy, if it has one of that name which makes the same network."""
    policy = STABLE[agent.algorithm].policy_aliases.get(agent.policy_name)
    if policy is None or not getattr(agent.policy, "plain", True):
        return None
    known = inspect.signature((DQNPolicy if agent.acts_on_values else ActorCriticPolicy).__init__).parameters
    return policy if all(name in known for name in agent.policy_kwargs) else None


@contextmanager
def _pickled_by_value(package: str) -> Iterator[None]:
    """Within, classes and functions of the package are pickled with their code instead of as names to import."""
    cloudpickle.register_pickle_by_value(sys.modules[package])
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[package])


# -- import ------------------------------------------------------------------------------------------------------------


def import_zip(path: Any, env: Any, device: Any = "auto", agent_class: Any = None, **given: Any) -> PPO:
    """Read an agent that Stable-Baselines3's PPO saved, with its `MlpPolicy` or `CnnPolicy`; executes nothing in it.

    Weights and plain settings are taken. The optimiser starts afresh, and schedules become the constants they began with.

    Args:
        path: the zip file, or an open one.
        env: to go on training in: a `VecEnv` or what else `PPO` takes, of the spaces that the agent was trained on.
        device: "cpu", "cuda" or "auto".
        given: settings in place of the file's.

    Raises:
        CheckpointError: it is not a whole file of that kind, or its network is another than those, or does not fit `env`.
    """
    name = "the open file" if is_open_file(path) else str(path)
    if env is None:
        raise CheckpointError(f"{name} was saved by Stable-Baselines3, which keeps no environment: pass env=")
    with nullcontext(path) if is_open_file(path) else open_ordinary(path_of(path)) as file:
        try:
            data, weights = read_zip(file)
            settings, policy_kwargs = {**read_settings(data), **given}, infer_network(data, weights)
            num_timesteps, batch_size = settings.pop("num_timesteps"), settings["batch_size"]
            settings["batch_size"] = settings["n_steps"]  # for now, since `env` may have fewer games than there were
            policy = "CnnPolicy" if feature_layers(weights) else "MlpPolicy"
            agent = (agent_class or PPO)(policy, env, policy_kwargs=policy_kwargs, device=device, **settings)
            check_fit(weights, agent.policy.state_dict())
        except CheckpointError as error:
            raise CheckpointError(f"{name}: {error}") from error
        except (AssertionError, TypeError, ValueError, RuntimeError, MemoryError) as error:
            raise CheckpointError(f"{name} does not make an agent here: {short(error)}") from error
    agent.policy.load_state_dict(weights)
    agent.batch_size, agent.num_timesteps = batch_size, num_timesteps
    return agent


def read_zip(file: IO[bytes]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What Stable-Baselines3 wrote as JSON, pickles left as the text they are, and the policy's weights."""
    members = read_members(file, {"data": MAX_DATA, "policy.pth": MAX_WEIGHTS})
    try:
        data = json.loads(members["data"])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"its member 'data' is not JSON: {short(error)}") from error
    if not isinstance(data, dict):
        raise CheckpointError("its member 'data' is not a JSON object")
    return data, read_tensors(members["policy.pth"], MAX_WEIGHTS)


def read_settings(data: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers in `data`; what is nothing but a pickle is left to PPO's defaults."""
    given = [name for name in NUMBERS if name not in OPTIONAL or type(data.get(name)) in (int, float)]
    begun = {argument: beginning(data.get(name)) for name, argument in SCHEDULES.items()}
    return {
        **{name: read_number(data, name) for name in given},
        **{argument: value for argument, value in begun.items() if value is not None},
    }


def read_number(data: Mapping[str, Any], name: str) -> Any:
    """A number of `data`, of its type and within its limits."""
    if name not in data:
        raise CheckpointError(f"it has no {name}: it was not saved by PPO")
    value, (kind, low, high) = data[name], NUMBERS[name]
    if type(value) not in ((int, float) if kind is float else (kind,)) or not low <= value <= high:
        raise CheckpointError(f"{name} must be {kind.__name__} from {low:g} to {high:g}, got {short(repr(value))}")
    return value


def beginning(schedule: Any) -> float | None:
    """The number that a schedule begins with, in the text that stands beside its pickle; None if there is none."""
    text = str(schedule.get("value_schedule"))[:100] if isinstance(schedule, dict) else ""
    found = re.match(r"(?:ConstantSchedule\(val|LinearSchedule\(start)=(\d+(?:\.\d+)?(?:e-?\d+)?)[,)]", text)
    return float(found[1]) if found else None


def infer_network(data: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """`policy_kwargs` for a policy of these weights.

    Widths are read off the weights. What leaves no trace there is in the text that Stable-Baselines3 puts beside its
    pickles: the activation, and whether a class that is not its own is part of the policy.
    """
    policy, given = data.get("policy_class"), data.get("policy_kwargs")
    if not isinstance(policy, dict) or not isinstance(given, dict):
        raise CheckpointError("it does not say what its policy is: it was not saved by PPO")
    if policy.get("__module__") != ActorCriticPolicy.__module__:
        raise CheckpointError("its policy is not one of Stable-Baselines3's own, and only these can be read")
    strange = sorted(set(given) - UNDERSTOOD) + ["use_sde"] * (data.get("use_sde") is not False)
    if strange:
        raise CheckpointError(f"its policy has {short(strange[0])}, which cannot be read")
    kwargs: dict[str, Any] = {"net_arch": {"pi": widths(weights, "policy_net"), "vf": widths(weights, "value_net")}}
    activation = given.get("activation_fn", str(nn.Tanh))
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise CheckpointError(f"its policy's activation_fn is {short(activation)}, which cannot be read")
    if activation != str(nn.Tanh):
        kwargs["activation_fn"] = ACTIVATIONS[activation]
    if given.get("normalize_images") is False:
        kwargs["normalize_images"] = False
    return {**kwargs, **infer_features(given, weights)}


def infer_features(given: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """The part of `policy_kwargs` on what lies between the observation and the layers of actor and critic."""
    layers = feature_layers(weights)
    own = str(NatureCNN if layers else FlattenExtractor)
    if given.get("features_extractor_class", own) != own:
        raise CheckpointError(f"its features_extractor_class is not {own}, and no other can be read")
    if not layers:
        return {}
    last = "features_extractor.linear.0.weight"
    if last not in weights:
        raise CheckpointError(f"{short(layers[0])} is not of MlpPolicy or CnnPolicy, and only these can be read")
    arguments = {"features_dim": check_layer(weights, last, None)}
    details = given.get("features_extractor_kwargs")
    if isinstance(details, dict) and details.get("normalized_image") is True:
        arguments["normalized_image"] = True
    critic = {name: tensor for name, tensor in weights.items() if name.startswith("vf_features_extractor.")}
    shared = all(torch.equal(tensor, weights.get(f"pi{name[2:]}", tensor)) for name, tensor in critic.items())
    return {"features_extractor_kwargs": arguments, **({} if shared else {"share_features_extractor": False})}


def feature_layers(weights: Mapping[str, Tensor]) -> list[str]:
    """The tensors between the observation and the layers of actor and critic."""
    return sorted(name for name in weights if name.startswith("features_extractor."))


def widths(weights: Mapping[str, Tensor], net: str) -> list[int]:
    """Of the hidden layers of `net`, which alternate with activations."""
    sizes: list[int] = []
    while (name := f"mlp_extractor.{net}.{2 * len(sizes)}.weight") in weights:
        sizes.append(check_layer(weights, name, sizes[-1] if sizes else None))
    return sizes


def check_layer(weights: Mapping[str, Tensor], name: str, width: int | None) -> int:
    """The width of a fully connected layer, of which the layer before has `width`, None if it is the first."""
    shape = tuple(weights[name].shape)
    if len(shape) != 2 or shape[0] > MAX_WIDTH or width not in (None, shape[1]):
        raise CheckpointError(f"{name} of shape {shape} is no layer" + (f" after one of {width}" if width else ""))
    return shape[0]


def check_fit(weights: Mapping[str, Tensor], here: Mapping[str, Tensor]) -> None:
    """The weights are those of the network `here`."""
    odd = sorted(set(weights) ^ set(here))
    if odd:
        where = "in the file" if odd[0] in weights else "in the network made here"
        raise CheckpointError(f"{short(odd[0])} is only {where}: its policy is not MlpPolicy or CnnPolicy")
    for name, tensor in weights.items():
        if tensor.shape != here[name].shape:
            raise CheckpointError(
                f"{name} is {tuple(tensor.shape)}, and {tuple(here[name].shape)} in this environment: "
                "give one of the spaces that the agent was trained on"
            )
