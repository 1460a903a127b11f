"""The options of DQN and PQN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..files.config import Range, option
from ..training import options
from ..training.options import AgentConfig


@dataclass(frozen=True)
class DQNConfig(AgentConfig):
    """DQN. The defaults are what did best on MinAtar's games (see benchmarks/RESULTS.md)."""

    num_envs: int = options.num_envs(64)
    buffer_size: int = option(
        1_000_000, "Capacity of the replay buffer, over all environments.", 1, 10**12, unit="transitions", train=100_000
    )
    learning_starts: int = option(
        100, "Steps of random actions before the first update, over all environments.", 0, 2**62, unit="steps",
        train=5_000,
    )  # fmt: skip
    batch_size: int = options.batch_size(32, train=256)
    replay_ratio: float | None = option(
        None, "Transitions sampled for updates per environment step, whatever batch_size, train_freq and the number of "
        "environments are; None: as many as gradient_steps asks for.", 0, 1e6, train=2.0, tune=(1.0, 2.0, 4.0, 8.0),
        unit="transitions per step",
    )  # fmt: skip
    gradient_steps: int = option(
        1, "Updates after each train_freq steps, if replay_ratio is None; -1: as many as steps were taken.", -1, 1_000_000,
        unit="updates", flag=False,
    )  # fmt: skip
    train_freq: int = option(4, "Steps in each environment between two updates.", 1, 1_000_000, unit="steps", train=1)
    n_steps: int = option(
        1, "Steps of the n-step return in targets.", 1, 1000, unit="steps", train=3, tune=(1, 2, 3, 5, 10)
    )
    learning_rate: float = options.learning_rate(1e-4, train=2e-3)
    anneal: bool = options.anneal()
    gamma: float = options.gamma()
    target_update_interval: int = option(
        10_000, "Steps between two updates of the target network, over all environments.", 1, 2**62, unit="steps",
        train=1_000, tune=Range(100, 10_000, log=True),
    )  # fmt: skip
    tau: float = option(1.0, "Coefficient of the soft (Polyak) update of the target network; 1: a copy.", 0, 1)
    exploration_initial_eps: float = options.exploration_initial_eps()
    exploration_final_eps: float = options.exploration_final_eps(train=0.02)
    exploration_fraction: float = options.exploration_fraction()
    exploration_spread: float = options.exploration_spread()
    max_grad_norm: float = options.max_grad_norm(10.0)
    double: bool = option(
        False, "Double Q-learning: the online network selects the next action, the target network evaluates it (van Hasselt "
        "et al. 2016).", train=True, tune=(False, True),
    )  # fmt: skip
    dueling: bool = options.dueling()
    noisy: bool = option(False, "Noisy networks explore in place of epsilon-greedy (Fortunato et al. 2018).")
    distribution: str | None = option(
        None, "Distributional value function: c51 (Bellemare et al. 2017), qr or iqn (Dabney et al. 2018a, b); None: "
        "expected returns.", choices=("c51", "qr", "iqn"),
    )  # fmt: skip
    atoms: int | None = option(
        None, "Atoms (c51) or quantiles (qr, iqn) per action; None: 51 for c51, else 32.", 1, 10_000
    )
    v_min: float = option(-10.0, "Lowest atom of c51.", -1e9, 1e9, unit="returns")
    v_max: float = option(10.0, "Highest atom of c51.", -1e9, 1e9, unit="returns")
    munchausen: bool = option(
        False, "Munchausen RL: add the scaled log-probability of the action taken to the reward (Vieillard et al. 2020).",
        tune=(False, True),
    )  # fmt: skip
    munchausen_temperature: float = option(
        0.03, "Munchausen RL: entropy temperature tau of the softmax policy.", 1e-9, 1e9, unit="returns", flag=False
    )
    munchausen_alpha: float = option(0.9, "Munchausen RL: scale alpha of the log-probability.", 0, 1, flag=False)
    munchausen_lowest: float = option(
        -1.0, "Munchausen RL: lower bound l0 of tau times the log-probability.", -1e9, 0, unit="returns", flag=False
    )
    prioritized: bool = option(
        False,
        "Prioritized replay: sample transitions by their absolute TD error (Schaul et al. 2016).",
        tune=(False, True),
    )
    priority_exponent: float = option(
        0.6, "Exponent alpha of the priorities: 0 samples uniformly, 1 in proportion.", 0, 1
    )
    importance_exponent: float = option(
        0.4, "Initial exponent beta of the importance-sampling weights, annealed to 1 over training.", 0, 1
    )
    save_replay: bool = option(
        True, "Store the replay buffer in checkpoints, which an exact resume needs; they are larger by its size."
    )
    huber: bool = option(True, "Huber loss of TD errors (linear beyond 1); else half the squared error.", train=False)
    layer_norm: bool = options.layer_norm(False)
    policy: str = options.policy("cnn for planes, ")
    net_arch: tuple[int, ...] | None = options.net_arch((128,))
    replay_buffer_class: type | None = option(
        None, "Replay buffer of Stable-Baselines3's kind in place of Ludus's on tensors.", flag=False
    )
    replay_buffer_kwargs: dict[str, Any] | None = option(
        None, "Keyword arguments of a replay buffer of Stable-Baselines3's.", flag=False
    )
    num_threads: int | None = options.num_threads("each minibatch")

    network: ClassVar[str] = "q_network"
    on_planes: ClassVar[str] = "cnn"  # as benchmarks/RESULTS.md has it
    gymnasium: ClassVar[dict[str, Any]] = {
        "num_envs": 8, "buffer_size": 50_000, "learning_starts": 1_000, "batch_size": 128, "replay_ratio": 32.0,
        "n_steps": 1, "target_update_interval": 100, "exploration_final_eps": 0.05, "policy": "MlpPolicy",
        "net_arch": (256, 256),
    }  # fmt: skip
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "dqn": {  # as published (Mnih et al. 2015), but for Adam and the number of environments
            "n_steps": 1, "double": False, "huber": True, "anneal": False,
        },
        "rainbow": {  # Hessel et al. 2018
            "n_steps": 3, "double": True, "dueling": True, "noisy": True, "distribution": "c51", "prioritized": True,
            "priority_exponent": 0.5, "anneal": False,
        },
    }  # fmt: skip


@dataclass(frozen=True)
class PQNConfig(AgentConfig):
    """PQN: Q(lambda) over many games at once, without replay buffer and target network. The defaults suit planes."""

    num_envs: int = options.num_envs(128)
    n_steps: int = options.n_steps(32, train=32)
    batch_size: int = options.batch_size(128, train=256)
    n_epochs: int = options.n_epochs(2, train=2)
    learning_rate: float = options.learning_rate(5e-4, train=2e-3)
    anneal: bool = options.anneal()
    gamma: float = options.gamma()
    q_lambda: float = option(
        0.65,
        "Lambda of the Q(lambda) targets: 0 one-step targets, 1 returns of the rollout.",
        0,
        1,
        tune=Range(0.3, 0.95),
    )
    exploration_initial_eps: float = options.exploration_initial_eps()
    exploration_final_eps: float = options.exploration_final_eps(train=0.05)
    exploration_fraction: float = options.exploration_fraction()
    exploration_spread: float = options.exploration_spread()
    max_grad_norm: float = options.max_grad_norm(10.0)
    dueling: bool = options.dueling()
    layer_norm: bool = options.layer_norm(True)
    policy: str = options.policy()
    net_arch: tuple[int, ...] | None = options.net_arch()
    num_threads: int | None = options.num_threads("each minibatch")

    network: ClassVar[str] = "q_network"
    positional: ClassVar[tuple[str, ...]] = (
        "learning_rate", "n_steps", "batch_size", "n_epochs", "gamma", "q_lambda", "exploration_fraction",
        "exploration_initial_eps", "exploration_final_eps", "exploration_spread", "max_grad_norm", "dueling", "layer_norm",
        "time_limit", "num_threads",
    )  # fmt: skip
    gymnasium: ClassVar[dict[str, Any]] = {
        "num_envs": 16, "n_steps": 32, "batch_size": 64, "n_epochs": 4, "learning_rate": 1e-3, "policy": "mlp",
    }  # fmt: skip
