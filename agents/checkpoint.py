"""An agent on disk: a folder with `agent.json` (what it is) and a safetensors file (its weights).

Loading parses JSON and copies numbers. It never unpickles, evaluates or imports what a file names, so a file from a stranger
can be wrong but cannot run code. Saving writes new weights under a new name and then replaces `agent.json`, which names
them and holds their SHA-256: whenever the power goes, the folder holds one whole agent, the old or the new.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..envs import LudusError, find_game
from ..envs.options import Options

if TYPE_CHECKING:
    from .ppo import PPO

FORMAT = 1
MAX_JSON = 1_000_000  # bytes; a description is a few thousand
MAX_WEIGHTS = 4_000_000_000
SETTINGS = (
    "n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "normalize_advantage", "ent_coef", "vf_coef",
    "max_grad_norm", "target_kl", "seed",
)  # fmt: skip


class CheckpointError(LudusError, ValueError):
    """A folder does not hold a readable agent."""


def save_agent(agent: PPO, folder: Path) -> None:
    """Write `agent` into `folder`, made if need be, replacing the agent that was there."""
    from safetensors.torch import save

    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in named_weights(agent).items()}
    content = save(weights)
    digest = hashlib.sha256(content).hexdigest()
    name = f"weights-{digest[:16]}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / name, content)
        _write(folder / "agent.json", json.dumps(describe(agent, name, digest), indent=2).encode())
        for other in folder.glob("weights-*.safetensors"):
            if other.name != name:
                other.unlink()
    except OSError as error:
        raise CheckpointError(f"cannot save the agent in {folder}: {error.strerror or error}") from error


def describe(agent: PPO, weights: str, digest: str) -> dict[str, Any]:
    """What `agent.json` holds."""
    from importlib.metadata import version

    return {
        "format": FORMAT,
        "ludus": version("ludus"),
        "algorithm": "ppo",
        "environment": agent.environment,
        "policy": agent.policy_name,
        "policy_kwargs": agent.policy_kwargs,
        "settings": {name: getattr(agent, name) for name in SETTINGS},
        "learning_rate": agent.lr_schedule(1.0),
        "clip_range": agent.clip_range(1.0),  # type: ignore[operator]
        "timesteps": agent.num_timesteps,
        "weights": weights,
        "sha256": digest,
    }


def load_agent(folder: Path | str, env: Any = None, device: Any = "auto") -> PPO:
    """Read the agent in `folder`; raises CheckpointError with one line if it is not a whole agent of this format.

    Args:
        folder: what `save` or `ludus train` wrote.
        env: an environment to go on training in; None makes one game of the kind the agent was trained on.
        device: "cpu", "cuda" or "auto".
    """
    from .ppo import PPO

    folder = Path(folder)
    facts = read_description(folder)
    weights = _read_weights(folder, facts)
    try:
        settings = {name: facts["settings"][name] for name in SETTINGS}
        batch_size = settings["batch_size"]
        if env is None:  # one game, to look at: a rollout is smaller than the minibatches of training
            env = make_environment(facts["environment"])
            settings["batch_size"] = settings["n_steps"]
        agent = PPO(
            facts["policy"],
            env,
            learning_rate=float(facts["learning_rate"]),
            clip_range=float(facts["clip_range"]),
            policy_kwargs=dict(facts["policy_kwargs"]),
            device=device,
            **settings,
        )
        agent.batch_size = batch_size
        agent.num_timesteps = int(facts["timesteps"])
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise CheckpointError(f"{folder / 'agent.json'} does not describe an agent: {_short(error)}") from error
    _copy_weights(agent, weights, folder)
    return agent


def read_description(folder: Path) -> dict[str, Any]:
    """The content of `agent.json`, checked as far as it can be without the weights."""
    path = folder / "agent.json"
    if not folder.exists():
        raise CheckpointError(f"there is no folder {folder}: give the folder that `ludus train` wrote")
    if not path.is_file():
        raise CheckpointError(f"{folder} has no agent.json: give the folder that `ludus train` wrote")
    if path.stat().st_size > MAX_JSON:
        raise CheckpointError(f"{path} is {path.stat().st_size} bytes, far too long for an agent's description")
    try:
        facts = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise CheckpointError(f"{path} is not JSON: {_short(error)}") from error
    if not isinstance(facts, dict) or "format" not in facts:
        raise CheckpointError(f"{path} is not an agent's description: it has no format number")
    if facts["format"] != FORMAT:
        raise CheckpointError(f"{path} has format {facts['format']!r}, this Ludus reads {FORMAT}: update Ludus")
    if facts.get("algorithm") != "ppo":
        raise CheckpointError(f"{path} is an agent of algorithm {facts.get('algorithm')!r}; this loads 'ppo'")
    missing = [
        name
        for name in ("environment", "policy", "policy_kwargs", "settings", "weights", "sha256")
        if name not in facts
    ]
    if missing:
        raise CheckpointError(f"{path} lacks {', '.join(missing)}")
    return facts


def make_environment(facts: Mapping[str, Any], num_envs: int = 1, seed: int | None = None, **changes: Any) -> Any:
    """An SB3 `VecEnv` of the kind that `agent.environment` describes; `changes` replace a game's options."""
    from ..envs.sb3 import LudusVecEnv

    if "game" in facts:
        game = find_game(facts["game"])
        if facts.get("version") != game.version:
            raise CheckpointError(
                f"the agent plays {game.name} version {facts.get('version')}, here it is {game.version}"
            )
        options = dict(facts.get("options", {}))
        if isinstance(options.get("levels"), dict):
            options["levels"] = range(*options["levels"]["range"])
        return LudusVecEnv(game, num_envs=num_envs, seed=seed, **{**options, **changes})
    name = facts.get("gymnasium")
    if not (isinstance(name, str) and re.fullmatch(r"[\w./-]+", name)):
        raise CheckpointError("the agent's environment is neither a Ludus game nor a Gymnasium id: pass env=")
    import gymnasium
    from stable_baselines3.common.env_util import make_vec_env

    if name not in gymnasium.registry:
        raise CheckpointError(
            f"the agent plays {name}, which is not registered here: import the package that has it, pass env="
        )
    return make_vec_env(name, n_envs=num_envs, seed=seed)


def environment_facts(env: Any) -> dict[str, Any]:
    """What `make_environment` needs to know of an SB3 `VecEnv`."""
    from .ppo import simulator_of

    sim, _ = simulator_of(env)
    if sim is not None:
        return {"game": sim.game.name, "version": sim.game.version, "options": option_facts(sim.options)}
    spec = env.unwrapped.get_attr("spec")[0] if hasattr(env, "unwrapped") else None
    return {"gymnasium": spec.id} if spec is not None else {}


def option_facts(options: Options) -> dict[str, Any]:
    """Options as JSON, defaults left out."""
    default = Options()
    facts = {name: value for name, value in vars(options).items() if value != getattr(default, name)}
    if isinstance(facts.get("levels"), range):
        levels = facts["levels"]
        facts["levels"] = {"range": [levels.start, levels.stop, levels.step]}
    return facts


def named_weights(agent: PPO) -> dict[str, torch.Tensor]:
    """The policy's parameters and buffers, each once: an encoder shared by actor and critic has several names."""
    return {**dict(agent.policy.named_parameters()), **dict(agent.policy.named_buffers())}


def _read_weights(folder: Path, facts: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    name = facts["weights"]
    if not (isinstance(name, str) and re.fullmatch(r"weights-[0-9a-f]+\.safetensors", name)):
        raise CheckpointError(
            f"{folder / 'agent.json'} names a weights file {name!r}, expected weights-....safetensors"
        )
    path = folder / name
    try:
        if path.stat().st_size > MAX_WEIGHTS:
            raise CheckpointError(f"{path} is larger than {MAX_WEIGHTS} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != facts["sha256"]:
        raise CheckpointError(f"{path} is damaged or of another agent: its SHA-256 is not the one in agent.json")
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a safetensors file: {_short(error)}") from error


def _copy_weights(agent: PPO, weights: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Put the numbers in, after all of them were checked."""
    here = named_weights(agent)
    if set(weights) != set(here):
        odd = sorted(set(weights) ^ set(here))[0]
        raise CheckpointError(f"the weights in {folder} are of another network: {odd} is only in one of them")
    for name, tensor in weights.items():
        if tensor.shape != here[name].shape or tensor.dtype != here[name].dtype:
            raise CheckpointError(
                f"the weights in {folder} are of another network: {name} is {tuple(tensor.shape)} of {tensor.dtype}, "
                f"expected {tuple(here[name].shape)} of {here[name].dtype}"
            )
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"the weights in {folder} are broken: {name} has numbers that are not finite")
    with torch.no_grad():
        for name, tensor in weights.items():
            here[name].copy_(tensor)


def _write(path: Path, content: bytes) -> None:
    """Write under another name, push to disk, rename."""
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
