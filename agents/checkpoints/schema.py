"""The algorithms as files name them: which settings, schedules, networks and arguments each has, and their limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.policies import ActorCriticCnnPolicy, ActorCriticPolicy, MultiInputActorCriticPolicy
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.torch_layers import CombinedExtractor, FlattenExtractor, NatureCNN
from stable_baselines3.her import HerReplayBuffer
from torch import nn

from ..files.checks import Check, either, number, one_of, optional, rate, several, sizes, table, text, width, yes_or_no
from ..nn.actor_critic import POLICIES
from ..nn.encoders import ENCODERS
from ..nn.muon import Muon
from ..nn.q_network import Q_POLICIES
from ..nn.recurrent import CORES
from ..nn.value_dists import DISTRIBUTIONS

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
}
SETTINGS: dict[str, Check] = {
    "batch_size": number(int, 1, 1_000_000_000),
    "gamma": fraction,
    "max_grad_norm": number(float, 0, 1e12),
    "seed": number(int, 0, 2**32 - 1, optional=True),
    "time_limit": number(float, 1e-9, 1e12, optional=True),
    "num_threads": number(int, 1, 1024),
    "verbose": either(yes_or_no, bool, number(int, 0, 1000)),
    "tensorboard_log": text(),
    "stats_window_size": number(int, 1, 1_000_000),
}
OBJECTS = {"replay_buffer_class", "replay_buffer_kwargs"}  # of which the user may have more than files can name
# Not in older files of this format:
LATER = {"verbose", "tensorboard_log", "stats_window_size", "use_sde", "sde_sample_freq", *OBJECTS}
ON_POLICY: dict[str, Check] = {"n_steps": number(int, 1, 1_000_000), "n_epochs": number(int, 1, 1_000_000)}
EXPLORATION: dict[str, Check] = {
    "exploration_fraction": number(float, 1e-9, 1),
    "exploration_initial_eps": fraction,
    "exploration_final_eps": fraction,
    "exploration_spread": number(float, 0, 1000),
}


@dataclass(frozen=True)
class Kind:
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


KINDS = {
    "ppo": Kind(
        "PPO",
        {
            **SETTINGS,
            **ON_POLICY,
            "gae_lambda": fraction,
            "normalize_advantage": yes_or_no,
            "normalize_reward": yes_or_no,
            "ent_coef": rate,
            "vf_coef": rate,
            "target_kl": number(float, 0, 1e9, optional=True),
            "precision": one_of(["auto", "fp32", "bf16"]),
            "use_sde": yes_or_no,
            "sde_sample_freq": number(int, -1, 1_000_000_000),
        },
        ("learning_rate", "clip_range", "clip_range_vf"),
        POLICIES,
        {
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
        },
    ),
    "dqn": Kind(
        "DQN",
        {
            **SETTINGS,
            **EXPLORATION,
            "buffer_size": number(int, 1, 10**12),
            "learning_starts": number(int, 0, 2**62),
            "tau": fraction,
            "replay_buffer_class": optional(one_of(BUFFERS)),
            "replay_buffer_kwargs": table(BUFFER_KWARGS),
            "train_freq": number(int, 1, 1_000_000),
            "gradient_steps": number(int, -1, 1_000_000),
            "replay_ratio": number(float, 0, 1e6, optional=True),
            "n_steps": number(int, 1, 1000),
            "target_update_interval": number(int, 1, 2**62),
            "double": yes_or_no,
            "dueling": yes_or_no,
            "noisy": yes_or_no,
            "layer_norm": yes_or_no,
            "munchausen": yes_or_no,
            "munchausen_temperature": number(float, 1e-9, 1e9),
            "munchausen_alpha": fraction,
            "munchausen_lowest": number(float, -1e9, 0),
            "prioritized": yes_or_no,
            "priority_exponent": fraction,
            "importance_exponent": fraction,
            "huber": yes_or_no,
            "save_replay": yes_or_no,
            "distribution": one_of([*DISTRIBUTIONS, None]),
            "atoms": number(int, 1, 10_000, optional=True),
            "v_min": rate,
            "v_max": rate,
        },
        ("learning_rate",),
        Q_POLICIES,
        POLICY_KWARGS,
    ),
    "pqn": Kind(
        "PQN",
        {**SETTINGS, **ON_POLICY, **EXPLORATION, "q_lambda": fraction, "layer_norm": yes_or_no, "dueling": yes_or_no},
        ("learning_rate",),
        Q_POLICIES,
        POLICY_KWARGS,
    ),
}
