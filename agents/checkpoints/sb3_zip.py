"""Agents from the zip files that Stable-Baselines3's own PPO saved; `training.sb3_export` is the way there.

Reading takes numbers only. Nothing is unpickled but tensors, by torch's restricted reader, so a file from a stranger can be
wrong but cannot run code. Of what is nothing but a pickle, the words that stand beside it are read, and where they do not
say enough, a warning tells what was lost.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from typing import IO, Any

import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor, NatureCNN
from stable_baselines3.common.utils import LinearSchedule
from torch import Tensor, nn

from ..files.archive import Archive, is_open_file
from ..files.checks import Check, number, plain, text
from ..files.config import CONFIGS
from ..files.safe_io import CheckpointError, check_tensors, open_ordinary, path_of, short
from ..files.untrusted_zip import read_members, read_optimizer, read_tensors
from .optimizer_state import optimizer_tensors, restore_optimizer
from .schema import OPTIMIZER_KWARGS, OPTIMIZERS, checks_of
from .user_attributes import algorithm_class, library_names

MAX_DATA = 100_000_000  # bytes of `data`, which holds the last observations of every game
MAX_WEIGHTS = 500_000_000  # bytes of `policy.pth`
MAX_WIDTH = 16_384  # of a layer
OPTIONS = checks_of(CONFIGS["ppo"])
NUMBERS: dict[str, Check] = {  # what is read of `data`
    **{
        name: OPTIONS[name.removeprefix("_")]
        for name in (
            "batch_size", "n_epochs", "gamma", "gae_lambda", "normalize_advantage", "ent_coef", "vf_coef",
            "max_grad_norm", "learning_rate", "target_kl", "seed", "use_sde", "sde_sample_freq", "_stats_window_size",
            "verbose",
        )
    },
    "n_steps": number(int, 1, 100_000),
}  # fmt: skip
PROGRESS: dict[str, Check] = dict.fromkeys(
    ("num_timesteps", "_total_timesteps", "_n_updates", "_episode_num"), number(int, 0, 2**62)
)
# May be null, an object with a pickle in it or, in older files, missing:
OPTIONAL = ("learning_rate", "target_kl", "seed", "sde_sample_freq", "_stats_window_size", "verbose")
SCHEDULES = {"lr_schedule": "learning_rate", "clip_range": "clip_range", "clip_range_vf": "clip_range_vf"}
NUMBER = r"(\d+(?:\.\d+)?(?:e-?\d+)?)"
Optimized = tuple[dict[str, Any], dict[str, Tensor]]  # an optimizer's settings and state
OPTIMIZERS_BY_WORD = {str(kind): kind for kind in OPTIMIZERS.values()}
ACTIVATIONS = {str(f): f for f in (nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Sigmoid)}
UNDERSTOOD = {  # arguments of a policy that `infer_network` heeds, or that do not change what a trained one does
    "net_arch", "activation_fn", "normalize_images", "features_extractor_class", "features_extractor_kwargs",
    "share_features_extractor", "ortho_init", "log_std_init", "optimizer_class", "optimizer_kwargs", "full_std",
    "use_expln", "squash_output",
    ":type:", ":serialized:",
}  # fmt: skip


def import_zip(path: Any, env: Any, device: Any, agent_class: Any, **given: Any) -> Any:
    """Read an agent that Stable-Baselines3's PPO saved, with its `MlpPolicy` or `CnnPolicy`; executes nothing in it.

    Weights, settings and the optimizer's state are taken; a warning says what could not be.

    Args:
        path: the zip file, or an open one.
        env: to go on training in: a `VecEnv` or what else `PPO` takes, of the spaces that the agent was trained on.
        device: "cpu", "cuda" or "auto".
        agent_class: `ludus.PPO`, or a class derived from it.
        given: settings in place of the file's.

    Raises:
        CheckpointError: it is not a whole file of that kind, or its network is another than those, or does not fit `env`.
    """
    name = "the open file" if is_open_file(path) else str(path)
    if env is None:
        raise CheckpointError(f"{name} was saved by Stable-Baselines3, which keeps no environment: pass env=")
    with nullcontext(path) if is_open_file(path) else open_ordinary(path_of(path)) as file:
        try:
            agent, lost = make_from(file, env, device, agent_class, given)
        except CheckpointError as error:
            raise CheckpointError(f"{name}: {error}") from error
        except (AssertionError, TypeError, ValueError, RuntimeError, MemoryError) as error:
            raise CheckpointError(f"{name} does not make an agent here: {short(error)}") from error
    if lost:
        warnings.warn(f"{name} could not tell all without unpickling: {'; '.join(lost)}", stacklevel=4)
    return agent


def make_from(file: IO[bytes], env: Any, device: Any, kind: Any, given: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """The agent of a file, and in words what is lost of it."""
    data, weights, optimizer = read_zip(file)
    told = dict(given.get("policy_kwargs") or {})
    settings = {**read_settings(data), **{name: value for name, value in given.items() if name != "policy_kwargs"}}
    progress = {key: read_number(data, key, PROGRESS) for key in PROGRESS if key in data}
    batch_size = settings["batch_size"]
    settings["batch_size"] = settings["n_steps"]  # for now, since `env` may have fewer games than there were
    lost = [
        f"{argument} was a function, give load {argument}="
        for key, argument in SCHEDULES.items()
        if isinstance(data.get(key), dict) and argument not in settings
    ]
    policy_kwargs = infer_network(data, weights, told)
    asked = data["policy_kwargs"].get("optimizer_class", str(torch.optim.Adam))
    if asked in OPTIMIZERS_BY_WORD:
        policy_kwargs |= infer_optimizer(OPTIMIZERS_BY_WORD[asked], optimizer[0] if optimizer else {})
    else:
        lost.append(f"its optimizer was {short(asked)}, here Adam starts afresh")
        optimizer = None
    policy = "CnnPolicy" if feature_layers(weights) and "features_extractor_class" not in told else "MlpPolicy"
    known = library_names(algorithm_class(kind))
    own = {name: value for name, value in data.items() if name.isidentifier() and name not in known}
    pickled = {name for name, value in own.items() if isinstance(value, dict) and ":serialized:" in value}
    lost += [f"{short(name)} was a pickle, set it again" for name in sorted(pickled)]
    agent = kind(policy, env, policy_kwargs=policy_kwargs, device=device, **settings)
    put_stable(agent, weights, optimizer)
    vars(agent).update(progress, batch_size=batch_size, **{name: own[name] for name in own.keys() - pickled})
    return agent, lost


def put_parameters(agent: Any, archive: Archive) -> None:
    """The weights and the optimizer's averages of a file into an agent of the same network; raises CheckpointError."""
    try:
        _, weights, optimizer = read_zip(archive.file)
        put_stable(agent, weights, optimizer)
    except CheckpointError as error:
        raise CheckpointError(f"{archive.label}: {error}") from error


def put_stable(agent: Any, weights: Mapping[str, Tensor], optimizer: Optimized | None) -> None:
    """Weights and optimizer state, as a file has them, into an agent of the same network."""
    check_fit(weights, agent.policy.state_dict())
    averages = None
    if optimizer and optimizer[1]:  # which has taken a step
        expected = optimizer_tensors(agent.policy.optimizer)
        averages = {**expected, **optimizer[1]}
        check_tensors("its optimizer", averages, expected)
    agent.policy.load_state_dict(weights)
    if averages:
        restore_optimizer(agent.policy.optimizer, averages)
    if agent.use_sde:
        agent.policy.reset_noise()


def read_zip(file: IO[bytes]) -> tuple[dict[str, Any], dict[str, Tensor], Optimized | None]:
    """What Stable-Baselines3 wrote as JSON, pickles left as the text they are, the policy's weights, and its optimizer."""
    limits = {"data": MAX_DATA, "policy.pth": MAX_WEIGHTS, "policy.optimizer.pth": 2 * MAX_WEIGHTS}
    members = read_members(file, limits, optional={"policy.optimizer.pth"})
    try:
        data = json.loads(members["data"])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"its member 'data' is not JSON: {short(error)}") from error
    if not isinstance(data, dict):
        raise CheckpointError("its member 'data' is not a JSON object")
    weights, optimizer = read_tensors(members["policy.pth"], MAX_WEIGHTS), members.get("policy.optimizer.pth")
    return data, weights, None if optimizer is None else read_optimizer(optimizer, 2 * MAX_WEIGHTS)


def read_settings(data: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers in `data`; what is nothing but a pickle is left to PPO's defaults."""
    given = [name for name in NUMBERS if name not in OPTIONAL or type(data.get(name)) in (int, float)]
    begun = {argument: schedule_of(data.get(name)) for name, argument in SCHEDULES.items()}
    return {
        "tensorboard_log": text("tensorboard_log", data.get("tensorboard_log")),
        **{name.removeprefix("_"): read_number(data, name, NUMBERS) for name in given},
        **{argument: value for argument, value in begun.items() if value is not None},
    }


def read_number(data: Mapping[str, Any], name: str, checks: Mapping[str, Check]) -> Any:
    """A number of `data`, checked."""
    if name not in data:
        raise CheckpointError(f"it has no {name}: it was not saved by PPO")
    try:
        return checks[name](name, data[name])
    except ValueError as error:
        raise CheckpointError(str(error)) from error


def schedule_of(kept: Any) -> Any:
    """A number or a linear schedule, by the text that stands beside its pickle; None if that is of another."""
    text = str(kept.get("value_schedule"))[:200] if isinstance(kept, dict) else ""
    if found := re.fullmatch(rf"ConstantSchedule\(val={NUMBER}\)", text):
        return float(found[1])
    found = re.fullmatch(rf"LinearSchedule\(start={NUMBER}, end={NUMBER}, end_fraction={NUMBER}\)", text)
    return LinearSchedule(*map(float, found.groups())) if found and float(found[3]) > 0 else None


def infer_optimizer(kind: type[torch.optim.Optimizer], group: Mapping[str, Any]) -> dict[str, Any]:
    """The part of `policy_kwargs` on the optimizer, whose settings lie beside its state."""
    kwargs: dict[str, Any] = {} if kind is torch.optim.Adam else {"optimizer_class": kind}
    make: Any = kind
    usual = make([torch.zeros(1, requires_grad=True)], lr=1.0).defaults
    own = {"eps": 1e-5} if kind is torch.optim.Adam else {}  # of a policy that is told nothing
    told = {name: group[name] for name in OPTIMIZER_KWARGS if name in group and group[name] != usual.get(name)}
    if told == own or not group:
        return kwargs
    return {**kwargs, "optimizer_kwargs": {name: OPTIMIZER_KWARGS[name](name, plain(x)) for name, x in told.items()}}


def infer_network(data: Mapping[str, Any], weights: Mapping[str, Tensor], told: Mapping[str, Any]) -> dict[str, Any]:
    """`policy_kwargs` for a policy of these weights; a class of features that is `told` need not be read.

    Widths are read off the weights. What leaves no trace there is in the text that Stable-Baselines3 puts beside its
    pickles: the activation, and whether a class that is not its own is part of the policy.
    """
    policy, given = data.get("policy_class"), data.get("policy_kwargs")
    if not isinstance(policy, dict) or not isinstance(given, dict):
        raise CheckpointError("it does not say what its policy is: it was not saved by PPO")
    if policy.get("__module__") != ActorCriticPolicy.__module__:
        raise CheckpointError("its policy is not one of Stable-Baselines3's own, and only these can be read")
    strange = sorted(set(given) - UNDERSTOOD)
    if strange:
        raise CheckpointError(f"its policy has {short(strange[0])}, which cannot be read")
    kwargs: dict[str, Any] = {"net_arch": {"pi": widths(weights, "policy_net"), "vf": widths(weights, "value_net")}}
    activation = given.get("activation_fn", str(nn.Tanh))
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise CheckpointError(f"its policy's activation_fn is {short(activation)}, which cannot be read")
    if activation != str(nn.Tanh):
        kwargs["activation_fn"] = ACTIVATIONS[activation]
    for name in ("normalize_images", "full_std", "use_expln", "squash_output"):
        if isinstance(given.get(name), bool):
            kwargs[name] = given[name]
    features = {} if "features_extractor_class" in told else infer_features(given, weights)
    return {**kwargs, **features, **told}


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
