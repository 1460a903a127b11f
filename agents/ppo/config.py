"""The options of PPO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..files.config import Range, option
from ..training import options
from ..training.options import AgentConfig


@dataclass(frozen=True)
class PPOConfig(AgentConfig):
    """PPO. The defaults suit many small games at once on a CPU."""

    num_envs: int = options.num_envs(512)
    n_steps: int = options.n_steps(2048, train=16)
    batch_size: int = options.batch_size(64, train=1024)
    n_epochs: int = options.n_epochs(10, train=4)
    learning_rate: float = options.learning_rate(3e-4, train=2.5e-3)
    anneal: bool = options.anneal()
    gamma: float = options.gamma()
    gae_lambda: float = option(
        0.95,
        "Lambda of generalized advantage estimation: bias (0) against variance (1) of the advantages.",
        0,
        1,
        tune=Range(0.8, 1.0),
    )
    clip_range: float = option(
        0.2,
        "Clipping range of the ratio between new and old probability of an action.",
        0,
        1e9,
        schedule=True,
        tune=Range(0.1, 0.4),
    )
    clip_range_vf: float | None = option(
        None, "Clipping range of the change of a value; None: no clipping.", 1e-9, 1e9, unit="returns", schedule=True
    )
    ent_coef: float = option(
        0.0, "Coefficient of the entropy bonus in the loss.", -1e9, 1e9, train=0.01,
        tune=(0.0, 0.001, 0.003, 0.01, 0.03, 0.1),
    )  # fmt: skip
    vf_coef: float = option(0.5, "Coefficient of the value loss in the loss.", -1e9, 1e9, tune=Range(0.25, 1.0))
    max_grad_norm: float = options.max_grad_norm(0.5)
    normalize_advantage: bool = option(True, "Normalize the advantages of each minibatch.")
    target_kl: float | None = option(
        None, "Stop an update when the approximate KL divergence from the old policy exceeds 1.5 times this; None: never.",
        0, 1e9, unit="nats",
    )  # fmt: skip
    use_sde: bool = option(False, "Generalized state-dependent exploration (Raffin et al. 2022).", flag=False)
    sde_sample_freq: int = option(
        -1,
        "Steps between two samples of the noise of use_sde; -1: one per rollout.",
        -1,
        1_000_000_000,
        unit="steps",
        flag=False,
    )
    precision: str = option(
        "fp32", "Precision of the encoder: fp32, bf16 (weights stay in fp32), or auto: bf16 on a GPU that has it, else fp32.",
        choices=("auto", "fp32", "bf16"), train="auto",
    )  # fmt: skip
    policy: str = options.policy()
    net_arch: tuple[int, ...] | None = options.net_arch(to="actor and critic, each its own")
    activation: str | None = option(
        None, "Activation of the layers of net_arch: relu, tanh or silu; None: tanh.", choices=("relu", "tanh", "silu"),
        use="policy", tune=("relu", "tanh", "silu"),
    )  # fmt: skip
    memory: str | None = option(
        None, "Recurrent core between encoder and heads: lstm or mingru; None: none.", choices=("lstm", "mingru"),
        use="policy",
    )  # fmt: skip
    optimizer: str = option(
        "adam", "Optimizer: adam, or muon for the hidden matrices and adam for the rest.", choices=("adam", "muon"),
        use="policy", tune=("adam", "muon"),
    )  # fmt: skip
    normalize_obs: bool = option(False, "Normalize observation vectors by running mean and variance.", use="policy")
    normalize_reward: bool = option(
        False, "Divide rewards by the running standard deviation of returns.", tune=(False, True)
    )
    earlier_versions: float = option(
        0.0, "Share of the games, in games for several players, that are played against earlier versions of the policy, the "
        "harder ones more often (Vinyals et al. 2019); in the others it plays all seats.", 0, 1,
    )  # fmt: skip
    opponents: str | None = option(
        None, "Bots, such as heuristic,search-4, that are met beside earlier versions, in the same share of the games; None: "
        "none."
    )  # fmt: skip
    kickstart_coef: float = option(
        0.0, "Coefficient, in the loss, of the cross-entropy between what a teacher would do and the policy, at first; it is "
        "annealed to 0 (kickstarting, Schmitt et al. 2018).", 0, 1e9,
    )  # fmt: skip
    kickstart_fraction: float = option(0.5, "Fraction of training over which kickstart_coef is annealed.", 1e-9, 1)
    kickstart_teacher: str = option("heuristic", "The teacher: the game's heuristic, or a bot like search-4.")
    num_threads: int | None = options.num_threads("the environments and each minibatch")
    group: object | None = option(
        None, "Processes that train this policy together, each in environments of its own, from `join_group`; "
        "`num_timesteps` counts the steps of all.", flag=False, recorded=False,
    )  # fmt: skip

    network: ClassVar[str] = "actor_critic"
    gymnasium: ClassVar[dict[str, Any]] = {
        "num_envs": 8, "n_steps": 64, "batch_size": 128, "n_epochs": 10, "learning_rate": 1e-3, "ent_coef": 0.0,
        "gamma": 0.98, "policy": "MlpPolicy",
    }  # fmt: skip
    # With less, it forgets what it does not meet in its own games.
    self_play: ClassVar[dict[str, Any]] = {"ent_coef": 0.1}
