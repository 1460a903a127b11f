"""What a checkpoint may say of each algorithm: settings, schedules, networks and their arguments, each with its check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.policies import ActorCriticCnnPolicy, ActorCriticPolicy, MultiInputActorCriticPolicy
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.torch_layers import CombinedExtractor, FlattenExtractor, NatureCNN
from stable_baselines3.her import HerReplayBuffer
from torch import nn

from ..files.checks import Check, either, number, one_of, optional, rate, several, sizes, table, text, width, yes_or_no
from ..files.config import CONFIGS, Option, arguments_of
from ..nn.actor_critic import POLICIES
from ..nn.encoders import ENCODERS
from ..nn.muon import Muon
from ..nn.q_network import Q_POLICIES
from ..nn.recurrent import CORES
from .encoder_facts import read_pretrained

ACTIVATIONS = {
    "tanh": nn.Tanh, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "selu": nn.SELU, "gelu": nn.GELU,
    "silu": nn.SiLU, "sigmoid": nn.Sigmoid, "celu": nn.CELU, "hardtanh": nn.Hardtanh, "hardswish": nn.Hardswish,
    "identity": nn.Identity, "mish": nn.Mish, "relu6": nn.ReLU6, "softplus": nn.Softplus, "softsign": nn.Softsign,
}  # fmt: skip
OPTIMIZERS = {
    "adam": torch.optim.Adam, "muon": Muon, "adamw": torch.optim.AdamW, "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam, "radam": torch.optim.RAdam, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad, "rmsprop_tf": RMSpropTFLike,
}  # fmt: skip
EXTRACTORS = {
    **ENCODERS,
    "FlattenExtractor": FlattenExtractor,
    "NatureCNN": NatureCNN,
    "CombinedExtractor": CombinedExtractor,
}
STABLE_POLICIES = {  # given as classes; by their own names, Stable-Baselines3's words stand for policies of Ludus
    f"stable_baselines3.{policy.__name__}": policy
    for policy in (ActorCriticPolicy, ActorCriticCnnPolicy, MultiInputActorCriticPolicy)
}
BUFFERS = {kind.__name__: kind for kind in (ReplayBuffer, DictReplayBuffer, NStepReplayBuffer, HerReplayBuffer)}
NAMES = {thing: name for table in (ACTIVATIONS, OPTIMIZERS, EXTRACTORS, BUFFERS) for name, thing in table.items()}
fraction = number(float, 0, 1)
ENCODER_KWARGS: dict[str, Check] = {
    "sizes": sizes, "channels": either(sizes, list, width), "width": width,
    "features_dim": width, "cnn_output_dim": width, "normalized_image": yes_or_no,
}  # fmt: skip
OPTIMIZER_KWARGS: dict[str, Check] = {
    "eps": rate, "weight_decay": rate, "momentum": rate, "betas": several(fraction, 2), "alpha": fraction,
    "dampening": rate, "lr_decay": rate, "momentum_decay": rate, "initial_accumulator_value": rate, "rho": fraction,
    "amsgrad": yes_or_no, "nesterov": yes_or_no, "centered": yes_or_no, "foreach": yes_or_no, "fused": yes_or_no,
    "decoupled_weight_decay": yes_or_no, "heads": number(int, 0, 16),
}  # fmt: skip
BUFFER_KWARGS: dict[str, Check] = {
    "handle_timeout_termination": yes_or_no, "n_steps": number(int, 1, 1000), "gamma": fraction,
    "n_sampled_goal": number(int, 0, 1000), "goal_selection_strategy": one_of(["future", "final", "episode"]),
    "copy_info_dict": yes_or_no,
}  # fmt: skip
POLICY_KWARGS: dict[str, Check] = {  # of all
    "net_arch": optional(sizes),
    "activation_fn": one_of(ACTIVATIONS),
    "normalize_images": yes_or_no,
    "features_extractor_class": one_of(EXTRACTORS),
    "features_extractor_kwargs": table(ENCODER_KWARGS),
    "optimizer_class": one_of(OPTIMIZERS),
    "optimizer_kwargs": table(OPTIMIZER_KWARGS),
    "encoder": read_pretrained,
    "freeze": yes_or_no,
    "decode": yes_or_no,
    "finetune_lr": optional(rate),
}
AC_POLICY_KWARGS: dict[str, Check] = {
    **POLICY_KWARGS,
    "net_arch": either(sizes, list, optional(table({"pi": sizes, "vf": sizes}))),
    "ortho_init": yes_or_no,
    "log_std_init": number(float, -100, 100),
    "normalize_obs": yes_or_no,
    "share_features_extractor": yes_or_no,
    "full_std": yes_or_no,
    "use_expln": yes_or_no,
    "squash_output": yes_or_no,
    "memory": one_of([*CORES, None]),
    "memory_size": width,
}
NETWORKS = {"actor_critic": (POLICIES, AC_POLICY_KWARGS), "q_network": (Q_POLICIES, POLICY_KWARGS)}
OBJECTS: dict[str, Check] = {  # settings that may be more than a file can name
    "replay_buffer_class": optional(one_of(BUFFERS)),
    "replay_buffer_kwargs": table(BUFFER_KWARGS),
}


@dataclass(frozen=True)
class Schema:
    """What files may say of an algorithm.

    Attributes:
        title: its class's name.
        settings: checks of all arguments but policy, environment and schedules.
        schedules: names of arguments that may be schedules.
        policies: networks by name.
        policy_kwargs: checks of what a network may be told.
    """

    title: str
    settings: Mapping[str, Check]
    schedules: tuple[str, ...]
    policies: Mapping[str, Any]
    policy_kwargs: Mapping[str, Check]


def check_of(option: Option) -> Check:
    """The check of a value of an option."""
    if option.name in OBJECTS:
        return OBJECTS[option.name]
    if option.choices:
        return one_of([*option.choices, *([None] if option.optional else [])])
    if option.kinds == (int, bool):
        return either(yes_or_no, bool, number(int, option.low, option.high))
    kind = option.kinds[0]
    if kind in (bool, str):
        return yes_or_no if kind is bool else text
    check = number(kind, option.low, option.high)
    return optional(check) if option.optional and option.name != "num_threads" else check  # whose None became a number


@cache
def checks_of(config: Any) -> dict[str, Check]:
    """The checks of all options that files have, by name."""
    return {name: check_of(option) for name, option in arguments_of(config).items() if option.recorded}


def schema_of(config: Any) -> Schema:
    """What files may say of the algorithm of a config."""
    schedules = tuple(name for name, option in arguments_of(config).items() if option.schedule)
    settings = {name: check for name, check in checks_of(config).items() if name not in schedules}
    return Schema(config.__name__.removesuffix("Config"), settings, schedules, *NETWORKS[config.network])


SCHEMAS = {name: schema_of(config) for name, config in CONFIGS.items()}
NEEDED = {"n_steps", "batch_size", "gamma", "max_grad_norm"}  # in every file; others were added later, or may be
LATER = {name for schema in SCHEMAS.values() for name in schema.settings} - NEEDED
