"""Options that algorithms share: the base of their configs, and functions that return a config's field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..files.config import Layers, Range, option

POLICIES = ("auto", "mlp", "cnn", "nature", "impala", "MlpPolicy", "CnnPolicy", "MultiInputPolicy")


@dataclass(frozen=True)
class AgentConfig:
    """The options of every algorithm, and what there is to say of an algorithm beside its options.

    Attributes:
        network: the family of networks: "actor_critic" or "q_network".
        positional: arguments of the constructor in order; none: those of Stable-Baselines3's constructor, in its order.
        on_planes: the network that `--policy auto` takes for a game's planes.
        gymnasium: defaults of `ludus train` for environments of Gymnasium, where they differ.
        self_play: defaults of `ludus train` for games of several players, where they differ.
        presets: values of flags by the name that `--preset` gives them.
    """

    seed: int | None = option(None, "Seed of all random numbers; None: none.", 0, 2**32 - 1, flag=False)
    time_limit: float | None = option(
        None, "Stop after this time, and anneal schedules by the clock where it is ahead of the steps; None: no limit.",
        1e-9, 1e12, unit="seconds", flag=False,
    )  # fmt: skip
    verbose: int | bool = option(0, "0: no output; 1: the log; 2: also debugging output.", 0, 1000, flag=False)
    tensorboard_log: str | None = option(None, "Folder for TensorBoard logs; None: no logs.", flag=False)
    stats_window_size: int = option(
        100, "Episodes over which logged returns and lengths are averaged.", 1, 1_000_000, unit="episodes", flag=False
    )
    encoder: str | None = option(
        None, "Folder of a pretrained encoder of pictures, which `ludus pretrain` wrote; it sees the game's pictures, and "
        "learns along unless --freeze or --decode says otherwise; None: none.", use="policy",
    )  # fmt: skip
    freeze: bool = option(False, "Keep the encoder as it is, and learn from its spatial map.", use="policy")
    decode: bool = option(
        False, "Keep the encoder as it is, and learn from the planes that it tells, as if the game showed them.",
        use="policy",
    )  # fmt: skip
    finetune_lr: float | None = option(
        None, "Learning rate of the encoder; None: as of the rest.", 1e-9, 1e9, use="policy"
    )
    network: ClassVar[str]
    positional: ClassVar[tuple[str, ...]] = ()
    on_planes: ClassVar[str] = "mlp"
    gymnasium: ClassVar[dict[str, Any]] = {}
    self_play: ClassVar[dict[str, Any]] = {}
    presets: ClassVar[dict[str, dict[str, Any]]] = {}


def num_envs(train: int) -> Any:
    return option(train, "Environments stepped in parallel.", 1, unit="environments", use="train")


def n_steps(default: int, train: int) -> Any:
    text = "Steps in each environment between two updates (length of the rollout)."
    return option(default, text, 1, 1_000_000, unit="steps", train=train, tune=(8, 16, 32, 64, 128))


def batch_size(default: int, train: int) -> Any:
    return option(default, "Transitions in a minibatch.", 1, 1_000_000_000, unit="transitions", train=train,
                  tune=(64, 128, 256, 512, 1024, 2048))  # fmt: skip


def n_epochs(default: int, train: int) -> Any:
    return option(default, "Epochs of minibatches over each rollout.", 1, 1_000_000, unit="epochs", train=train,
                  tune=Range(1, 10, log=True))  # fmt: skip


def learning_rate(default: float, train: float) -> Any:
    return option(default, "Learning rate of the optimizer; its initial value if annealed.", 0, 1e9, train=train,
                  schedule=True, tune=Range(1e-4, 1e-2, log=True))  # fmt: skip


def anneal() -> Any:
    return option(True, "Anneal the learning rate linearly to 0 over training.", use="train")


def gamma() -> Any:
    return option(0.99, "Discount factor.", 0, 1, tune=(0.9, 0.95, 0.98, 0.99, 0.995, 0.998))


def max_grad_norm(default: float) -> Any:
    return option(default, "Clip gradients to this global norm.", 0, 1e12, tune=Range(0.2, 20, log=True))


def exploration_fraction() -> Any:
    return option(0.1, "Fraction of training over which epsilon is annealed.", 1e-9, 1, tune=Range(0.02, 0.5, log=True))


def exploration_initial_eps() -> Any:
    return option(1.0, "Initial epsilon: the probability of a random action (epsilon-greedy).", 0, 1)


def exploration_final_eps(train: float) -> Any:
    return option(0.05, "Final epsilon.", 0, 1, train=train, tune=Range(0.005, 0.1, log=True))


def exploration_spread() -> Any:
    return option(
        0.0, "Exponent x of a different epsilon for each environment, as in Ape-X (Horgan et al. 2018): environment i of N "
        "has epsilon^(1 + x i/(N-1)); 0: the same epsilon for all.", 0, 1000,
    )  # fmt: skip


def dueling() -> Any:
    return option(False, "Dueling network: state value plus advantages of actions (Wang et al. 2016).")


def layer_norm(default: bool) -> Any:
    return option(default, "Layer normalization before each ReLU.", tune=(False, True))


def policy(planes: str = "") -> Any:
    text = (
        "Network: mlp (hidden layers 128, 128), cnn (MinAtar's), nature or impala; MlpPolicy, CnnPolicy or MultiInputPolicy "
        f"as in Stable-Baselines3; auto: {planes}nature or impala for images, else mlp."
    )
    return option("auto", text, choices=POLICIES, use="train")


def net_arch(train: tuple[int, ...] | None = None, to: str = "action values") -> Any:
    text = f"Widths of the hidden layers between encoder and {to}; None: those of the network."
    return option(train, text, unit="units", use="policy", tune=Layers((0, 1, 2, 3), (64, 128, 256)))


def num_threads(what: str) -> Any:
    return option(None, f"CPU threads that share {what}; None: one per core.", 1, 1024, unit="threads")
