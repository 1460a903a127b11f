"""Agents: algorithms with Stable-Baselines3's interface, on simulators that own tensors."""

if not __package__ or "." not in __package__:
    raise ImportError("this folder is the package ludus.agents: install Ludus (pip install .) and import ludus.agents")

from importlib import import_module
from typing import Any

# Imported when asked for, since torch takes seconds.
_LAZY = {
    "PPO": "ppo.ppo",
    "DQN": "q_learning.dqn",
    "PQN": "q_learning.pqn",
    "Muon": "nn.muon",
    "QPolicy": "nn.q_network",
    "evaluate": "training.evaluation",
    "join_group": "runtime.distributed",
    "load_agent": "training.loading",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
