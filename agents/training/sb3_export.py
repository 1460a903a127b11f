"""Agents as the zip files that Stable-Baselines3's own `PPO` and `DQN` load.

A policy that Stable-Baselines3 knows by the same name (`MlpPolicy`, `CnnPolicy`) is written under that name. Policies of
Ludus are pickled by value, code and all, so that whoever loads the file needs no Ludus. That is right for every policy,
encoders and normalisers included: the loaded one runs the same lines, and trains as before. Translating networks instead
would need a rule for each, and would change how they train (Stable-Baselines3's actor and critic share no layers). The price
is pickle's own: such a file is for the version of Python that wrote it.

The agent's own description and weights, as `checkpoint` writes them, lie in the same zip: Stable-Baselines3 passes over them,
and Ludus reads nothing else.
"""

from __future__ import annotations

import inspect
import io
import pickle
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cloudpickle
from stable_baselines3 import DQN as StableDQN
from stable_baselines3 import PPO as StablePPO
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.dqn.policies import DQNPolicy

from ..checkpoints.checkpoint import members_of
from ..checkpoints.user_attributes import own_attributes
from ..files.archive import NEWEST
from ..files.config import arguments_of
from ..files.safe_io import CheckpointError, make_folder, path_of, short, to_json, write_whole
from .agent import Agent
from .snapshot import snapshot_of

STABLE: dict[str, Any] = {"actor_critic": StablePPO, "q_network": StableDQN}  # what an agent becomes, by its networks
NOT_EXPORTED = {"replay_buffer_class", "replay_buffer_kwargs", "stats_window_size", "tensorboard_log", "verbose"}
STATE = ("observation_space", "action_space", "n_envs", "policy", "num_timesteps", "_n_updates")


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
    if getattr(agent.policy, "frozen", None) is not None and agent.acts_on_values:
        raise CheckpointError(
            "Stable-Baselines3's DQN gives its network pictures, this one's sees what a frozen encoder makes of them: "
            "export an agent of PPO, or one whose encoder learns along"
        )
    if any("lr_scale" in group for group in agent.policy.optimizer.param_groups):
        warnings.warn("Stable-Baselines3 has one learning rate for all weights: finetune_lr is not kept", stacklevel=3)
    content = io.BytesIO()
    try:
        with _pickled_by_value(__name__.split(".")[0]):
            as_stable(agent).save(content)
        with zipfile.ZipFile(content, "a") as archive:
            for name, member in members_of(snapshot_of(agent, resumable=False)).items():
                archive.writestr(name, to_json(member) if name == NEWEST else member)
    except (TypeError, ValueError, AttributeError, RuntimeError, pickle.PicklingError) as error:
        raise CheckpointError(f"the agent cannot be pickled: {short(error)}") from error
    try:
        make_folder(path.parent)
        write_whole(path, content.getvalue())
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from error


def as_stable(agent: Agent) -> Any:
    """`agent` as Stable-Baselines3's own PPO or DQN, without an environment; they share the policy."""
    arguments = {name: agent.setting(name) for name in exported(agent)}
    own = stable_policy(agent)
    told = {} if own else agent.network_arguments(vars(agent))
    no_env: Any = None  # as Stable-Baselines3's own `load` does it
    stable = STABLE[agent.config.network](
        own or type(agent.policy),
        no_env,
        _init_setup_model=False,
        policy_kwargs={**told, **agent.policy_kwargs},
        **arguments,
    )
    for name in STATE:
        setattr(stable, name, getattr(agent, name))
    vars(stable).update(own_attributes(agent))
    return stable


def exported(agent: Agent) -> list[str]:
    """Names of options that mean the same to Stable-Baselines3's class."""
    stable = STABLE[agent.config.network]
    known = inspect.signature(stable.__init__).parameters.keys() - NOT_EXPORTED
    if stable is StableDQN and not isinstance(agent, StableDQN):
        known -= {"n_steps"}  # of a rollout here, of a return there
    return [name for name in arguments_of(agent.config) if name in known]


def stable_policy(agent: Agent) -> Any:
    """Stable-Baselines3's class for the agent's policy, if it has one of that name which makes the same network."""
    policy = STABLE[agent.config.network].policy_aliases.get(agent.policy_name)
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
