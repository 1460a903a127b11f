"""What `ludus train` makes of its settings: environments and an agent."""

from __future__ import annotations

import dataclasses
import difflib
import math
import warnings
from pathlib import Path
from typing import Any

from ..agents.files.config import CONFIGS, options_of
from ..envs import LudusError, OptionError, Options, UnknownGame, find_game
from .settings_file import Training

MOST_ENVIRONMENTS = 10_000  # of those that are stepped one by one


def make_env(config: Training) -> Any:
    """The games, as an SB3 `VecEnv`."""
    settings = config.settings
    if is_game(config.game):
        from ..agents.runtime.hardware import choose_device
        from ..envs.adapters.sb3 import vec_env

        check_room(config)
        device = choose_device(config.device)
        options = {f.name: getattr(config.options, f.name) for f in dataclasses.fields(Options)}
        return vec_env(config.game, num_envs=settings.num_envs, seed=config.seed, device=device, **options)
    return make_gymnasium(config.game, settings.num_envs, config.seed, config.options)


def with_pictures_for_encoder(config: Any) -> Any:
    """The settings with the pictures that their encoder sees, where they do not say which the game shows."""
    path = config.settings.encoder
    if path is None or not is_game(config.game) or config.options.obs_type is not None:
        return config
    from ..agents.checkpoints.encoder_file import load_encoder

    height, _, channels = load_encoder(path).config.shape
    pictures = {"obs_type": "rgb" if channels == 3 else "grayscale", "size": height}
    return dataclasses.replace(config, options=dataclasses.replace(config.options, **pictures))


def check_room(config: Training) -> None:
    """Raise OptionError if what the games show cannot be kept in memory; the system might end the process instead."""
    import torch

    from ..agents.runtime.hardware import available_memory, choose_device

    game, settings = find_game(config.game), config.settings
    shape, dtype, _, _ = config.options.resolved(game).observation(game)
    games, rollout = settings.num_envs, "buffer_size" not in vars(settings)  # on-policy algorithms store all steps
    shown = settings.n_steps + 1 if rollout else 1
    size, left = math.prod(shape) * dtype.itemsize, available_memory(torch.device(choose_device(config.device)))
    if left is None or games * shown * size <= left:
        return
    most = {"--num-envs": left // (shown * size), "--n-steps": left // (games * size) - 1 if rollout else 0}
    fitting = " or ".join(f"{flag} {number}" for flag, number in most.items() if number > 0)
    raise OptionError(
        f"--num-envs {games}{f' with --n-steps {settings.n_steps}' if rollout else ''} takes "
        f"{games * shown * size / 1e9:.1f} GB, where {left / 1e9:.1f} GB are left: use at most {fitting or 'a part of it'}"
    )


def make_gymnasium(name: str, num_envs: int, seed: int | None, options: Options) -> Any:
    import gymnasium
    from stable_baselines3.common.env_util import make_vec_env

    if not 1 <= num_envs <= MOST_ENVIRONMENTS:
        raise OptionError(f"num_envs must be a whole number from 1 to {MOST_ENVIRONMENTS} for {name}, got {num_envs}")
    given = {f.name for f in dataclasses.fields(Options) if getattr(options, f.name) != getattr(Options(), f.name)}
    if given:
        raise OptionError(f"{', '.join(sorted(given))} is for games of Ludus; {name} is a Gymnasium environment")
    try:
        gymnasium.spec(name)
    except (gymnasium.error.Error, ImportError) as error:
        alike = {one.lower(): one for one in gymnasium.registry}
        near = difflib.get_close_matches(name.lower(), alike, 1, 0.8)
        if "-v" in name and near and not near[0].startswith("ludus/"):
            raise UnknownGame(f"there is no {name!r}: did you mean {alike[near[0]]!r}, of Gymnasium?") from error
        try:
            find_game(name)
        except UnknownGame as unknown:
            raise UnknownGame(f"{unknown}; it is no Gymnasium id either ({' '.join(str(error).split())})") from error
    try:
        return make_vec_env(name, n_envs=num_envs, seed=seed)
    except (gymnasium.error.Error, ImportError) as error:  # of a package that is not there; it says which
        raise OptionError(f"{name} cannot be made: {error}") from error


def make_agent(config: Training, env: Any, folder: Path | None, group: Any = None) -> Any:
    from stable_baselines3.common.utils import LinearSchedule

    from ..agents import agent_class
    from ..agents.checkpoints.schema import SCHEMAS
    from ..agents.runtime.hardware import choose_device

    algorithm, settings = CONFIGS[config.algo], config.settings
    values: dict[str, dict[str, Any]] = {"agent": {}, "policy": {}, "train": {}}
    for option in options_of(algorithm):
        if option.flag:
            values[option.use][option.name] = getattr(settings, option.name)
    arguments, train = values["agent"], values["train"]
    policy, policies = train["policy"], SCHEMAS[config.algo].policies
    if policy == "auto" and settings.freeze:
        policy = "mlp"  # on the encoder's spatial map
    elif policy == "auto" and settings.decode:
        policy = algorithm.on_planes
    elif policy == "auto":
        policy = encoder_for(env.observation_space, algorithm.on_planes)
    if policy not in policies:
        raise OptionError(f"unknown policy {policy!r}: choose from {', '.join(policies)}")
    if train.get("anneal"):
        arguments["learning_rate"] = LinearSchedule(arguments["learning_rate"], 0.0, 1.0)
    if group is not None:
        arguments["group"] = group
    if "n_epochs" in arguments:
        warn_of_remainder(settings)
    if arguments.get("normalize_advantage") and settings.batch_size == 1:
        raise OptionError("--batch-size must be 2 or more, got 1: give --no-normalize-advantage for single transitions")
    logs = str(folder) if config.tensorboard and folder is not None else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "You have specified a mini-batch size")  # in our own words above
            return agent_class(config.algo)(
                policy, env, seed=config.seed, device=choose_device(config.device), time_limit=config.time_limit,
                tensorboard_log=logs, policy_kwargs=policy_arguments(values["policy"]), **arguments,
            )  # fmt: skip
    except (AssertionError, ValueError, NotImplementedError) as error:
        if isinstance(error, LudusError):
            raise
        raise LudusError(f"these settings do not make an agent: {error}") from error


def warn_of_remainder(settings: Any) -> None:
    """Say so where a rollout is not a whole number of minibatches."""
    rollout, size = settings.n_steps * settings.num_envs, settings.batch_size
    if rollout > 0 and size > 0 and rollout % size:
        fitting = max(number for number in range(1, min(size, rollout) + 1) if rollout % number == 0)
        warnings.warn(
            f"--batch-size {size} does not divide the rollout of {rollout} transitions (--n-steps times --num-envs): the "
            f"last minibatch of each pass has {rollout % size}; {fitting} would divide it",
            stacklevel=2,
        )


def encoder_for(space: Any, on_planes: str) -> str:
    """The encoder that suits observations of this kind; `on_planes` is the one for a game's planes."""
    from gymnasium import spaces
    from stable_baselines3.common.preprocessing import is_image_space, is_image_space_channels_first

    if isinstance(space, spaces.Dict):
        return "MultiInputPolicy"
    if len(space.shape) != 3:
        return "mlp"
    if is_image_space(space):
        sides = space.shape[1:] if is_image_space_channels_first(space) else space.shape[:2]
        return "nature" if min(sides) >= 36 else "impala"
    return on_planes if min(space.shape[:2]) >= 3 else "mlp"


def policy_arguments(values: dict[str, Any]) -> dict[str, Any]:
    """The `policy_kwargs` of the flags that are for the policy."""
    from ..agents.checkpoints.schema import ACTIVATIONS
    from ..agents.nn.muon import Muon

    optimizer, activation = values.pop("optimizer", "adam"), values.pop("activation", None)
    if optimizer not in ("adam", "muon"):
        raise OptionError(f"optimizer must be adam or muon, got {optimizer!r}")
    if activation not in (None, "relu", "tanh", "silu"):
        raise OptionError(f"activation must be relu, tanh or silu, got {activation!r}")
    given: dict[str, Any] = {
        name: list(x) if isinstance(x, tuple) else x for name, x in values.items() if x not in (None, False)
    }
    if activation is not None:
        given["activation_fn"] = ACTIVATIONS[activation]
    return {**given, "optimizer_class": Muon} if optimizer == "muon" else given


def is_game(name: str) -> bool:
    """Whether it is one of Ludus's; `CartPole-v1` is Gymnasium's own, `CartPole` and `ludus/CartPole-v1` are not."""
    try:
        find_game(name)
    except UnknownGame:
        return False
    return True
