"""Agents: algorithms with Stable-Baselines3's interface, on simulators that own tensors."""

if not __package__ or "." not in __package__:
    raise ImportError("this folder is the package ludus.agents: install Ludus (pip install .) and import ludus.agents")

from importlib import import_module
from typing import Any

from .files.config import CONFIGS

# By the names that files and the command line have; the config of each, such as PPOConfig, is in config.py of its folder.
ALGORITHMS = {
    "ppo": "ppo.ppo.PPO",
    "dqn": "q_learning.dqn.DQN",
    "pqn": "q_learning.pqn.PQN",
}
CLASSES = {path.rpartition(".")[2]: path.rpartition(".")[0] for path in ALGORITHMS.values()}
_LAZY = {  # imported when asked for, since torch takes seconds
    **CLASSES,
    "Muon": "nn.muon",
    "QPolicy": "nn.q_network",
    "Search": "training.search",
    "evaluate": "training.evaluation",
    "PretrainedExtractor": "nn.on_pretrained",
    "load_encoder": "checkpoints.encoder_file",
    "save_encoder": "checkpoints.encoder_file",
    "join_group": "runtime.distributed",
}
for _name, _path in ALGORITHMS.items():
    _folder, _, _title = _path.split(".")
    CONFIGS[_name] = getattr(import_module(f".{_folder}.config", __name__), f"{_title}Config")


def agent_class(algorithm: str) -> Any:
    """The class of an algorithm, such as "ppo"."""
    return __getattr__(ALGORITHMS[algorithm].rpartition(".")[2])


def load_agent(path: Any, env: Any = None, device: Any = "auto", resume: bool = False, **kwargs: Any) -> Any:
    """Read an agent of any algorithm; see `training.loading.load_agent`."""
    from .training.loading import load_agent

    return load_agent(path, env, device, resume, class_of=agent_class, **kwargs)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
