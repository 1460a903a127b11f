"""PPO as others have it, and ours, all learning Breakout with the same network and the same settings.

The protocol is MinAtar's own: sticky actions 0.1, all six actions, episodes without a limit of steps.

    SB3 on minatar    Stable-Baselines3's PPO as its users would: a `gymnasium.Env` around `minatar`, Monitor, DummyVecEnv
    SB3 on Ludus      the same PPO on Ludus's `VecEnv`; what is left to gain is learning, not games
    SBX on ...        Stable-Baselines3's interface with the update compiled by JAX; takes MLPs only
    PureJaxRL-style   games and learning compiled together, see `jax_ppo.py`
    Ludus             `ludus.PPO` in single precision; "Ludus, auto" in the precision that it chooses by itself, on a GPU
    Ludus, PyTorch    the same without compiled loops: a hook on a layer, which they could not call, leaves it to PyTorch

Networks: "cnn" is one 3x3 convolution of 16 channels and a layer of 128, shared by actor and critic; "towers" is an MLP of
128 and 128 for each of the two, since SBX shares nothing; "mlp", one of 128 and 128 for both, is what our recipe has, and
Stable-Baselines3 takes it as a features extractor. "own" is the CNN as a user would write it, `SharedCnn` below, given to
both libraries as `features_extractor_class`. "lstm" is the MLP with an LSTM after it, which only Ludus has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

WARM_UP = 5 if torch.cuda.is_available() else 2  # iterations not counted; on a GPU, CUDA graphs are captured in them
GAME = "Breakout"
PROTOCOL: dict[str, Any] = {"repeat_action_probability": 0.1, "full_action_space": True}
LEARNING: dict[str, float] = {
    "learning_rate": 1e-3, "gamma": 0.99, "gae_lambda": 0.95, "clip_range": 0.2, "ent_coef": 0.01, "vf_coef": 0.5,
    "max_grad_norm": 0.5,
}  # fmt: skip


class Settings(NamedTuple):
    """How much is played between two updates, and how it is learned."""

    num_envs: int
    n_steps: int
    n_epochs: int
    batch_size: int
    network: str = "cnn"

    algo = "ppo"
    warm_up = WARM_UP

    def __str__(self) -> str:
        return f"{self.num_envs} x {self.n_steps}, {self.n_epochs} epochs, batch {self.batch_size}"

    @property
    def steps(self) -> int:
        """In all games, from one update to the next."""
        return self.num_envs * self.n_steps

    def of_sb3(self) -> dict[str, Any]:
        """As arguments of Stable-Baselines3's PPO."""
        return {"n_steps": self.n_steps, "n_epochs": self.n_epochs, "batch_size": self.batch_size, **LEARNING}


SHAPES = (Settings(8, 128, 4, 256), Settings(64, 128, 2, 2048))


# What users of Stable-Baselines3 would write


class MinAtarBreakout(gymnasium.Env):
    """Young & Tian's Breakout as a Gymnasium environment."""

    observation_space = spaces.Box(0.0, 1.0, (10, 10, 4), np.float32)
    action_space = spaces.Discrete(6)

    def __init__(self) -> None:
        sticky = PROTOCOL["repeat_action_probability"]
        self.game = import_module("minatar").Environment(GAME.lower(), sticky_action_prob=sticky)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None:
            self.game.seed(seed)
        self.game.reset()
        return self.game.state().astype(np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        reward, over = self.game.act(action)
        return self.game.state().astype(np.float32), float(reward), bool(over), False, {}


class SharedCnn(BaseFeaturesExtractor):
    """MinAtar's network for channels-last planes: (B, 10, 10, C) -> (B, 128)."""

    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, features_dim=128)
        rows, columns, planes = observation_space.shape
        flat = 16 * (rows - 2) * (columns - 2)
        self.layers = nn.Sequential(
            nn.Conv2d(planes, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(flat, 128), nn.ReLU()
        )  # fmt: skip

    def forward(self, observations: Tensor) -> Tensor:
        return self.layers(observations.permute(0, 3, 1, 2))


class SharedMlp(BaseFeaturesExtractor):
    """Two layers of 128: (B, 10, 10, C) -> (B, 128)."""

    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, features_dim=128)
        inputs = int(np.prod(observation_space.shape))
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()
        )  # fmt: skip

    def forward(self, observations: Tensor) -> Tensor:
        return self.layers(observations)


OWN: dict[str, Any] = {"features_extractor_class": SharedCnn, "net_arch": []}
TOWERS: dict[str, Any] = {"net_arch": {"pi": [128, 128], "vf": [128, 128]}, "activation_fn": nn.ReLU}


def minatar_games(num_envs: int, seed: int, device: str) -> Any:
    """Monitored games of the package `minatar` in one process."""
    from stable_baselines3.common.env_util import make_vec_env

    return make_vec_env(MinAtarBreakout, n_envs=num_envs, seed=seed)


def ludus_games(num_envs: int, seed: int, device: str) -> Any:
    """Ludus's `VecEnv`, which monitors by itself."""
    import ludus

    return ludus.make_sb3(GAME, num_envs, seed=seed, device=device, **PROTOCOL)


# Who learns: each function makes an agent on the games given


def sb3_agent(settings: Settings, games: Any, device: str, threads: int) -> Any:
    """Stable-Baselines3's PPO."""
    from stable_baselines3 import PPO

    networks = {
        "cnn": OWN,
        "own": OWN,
        "towers": TOWERS,
        "mlp": {"features_extractor_class": SharedMlp, "net_arch": []},
    }
    return PPO(
        "MlpPolicy", games, policy_kwargs=networks[settings.network], seed=0, device=device, **settings.of_sb3()
    )  # fmt: skip


def sbx_agent(settings: Settings, games: Any, device: str, threads: int) -> Any:
    """SBX's PPO, whose device is JAX's."""
    network = {**TOWERS, "activation_fn": import_module("flax.linen").relu}
    return import_module("sbx").PPO("MlpPolicy", games, policy_kwargs=network, seed=0, **settings.of_sb3())


def ludus_agent(settings: Settings, games: Any, device: str, threads: int, precision: str = "fp32") -> Any:
    """Ours."""
    import ludus

    policy, network = {
        "cnn": ("cnn", {}),
        "mlp": ("mlp", {}),
        "own": ("MlpPolicy", OWN),
        "towers": ("MlpPolicy", TOWERS),
        "lstm": ("mlp", {"memory": "lstm"}),
    }[settings.network]
    return ludus.PPO(
        policy, games, policy_kwargs=network, seed=0, device=device, precision=precision, num_threads=threads,
        **settings.of_sb3(),
    )  # fmt: skip


def automatic_ludus_agent(settings: Settings, games: Any, device: str, threads: int) -> Any:
    """Ours, in bf16 on GPUs that have it, as `ludus train` does."""
    return ludus_agent(settings, games, device, threads, precision="auto")


def uncompiled_ludus_agent(settings: Settings, games: Any, device: str, threads: int) -> Any:
    """Ours in PyTorch's operations and autograd."""
    agent = ludus_agent(settings, games, device, threads)
    agent.policy.action_net.register_forward_hook(lambda *_: None)
    return agent


class Side(NamedTuple):
    """Someone to compare: who learns, on whose games, and the packages that it needs besides Ludus's own."""

    agent: Callable[..., Any] | None  # None: `jax_ppo.py`, which has no agent
    games: Callable[..., Any] | None
    networks: tuple[str, ...]
    packages: tuple[str, ...] = ()

    @property
    def present(self) -> bool:
        """Whether its packages are installed; on a CPU, where Ludus chooses single precision, "auto" adds nothing."""
        if self.agent is automatic_ludus_agent and not torch.cuda.is_available():
            return False
        return all(find_spec(package) for package in self.packages)


ALL, AUTO, PYTORCH = ("mlp", "cnn", "towers", "own"), "Ludus, auto", "Ludus, PyTorch"
SIDES = {
    "SB3 on minatar": Side(sb3_agent, minatar_games, ALL, ("minatar",)),
    "SB3 on Ludus": Side(sb3_agent, ludus_games, ALL),
    "SBX on minatar": Side(sbx_agent, minatar_games, ("towers",), ("sbx", "minatar")),
    "SBX on Ludus": Side(sbx_agent, ludus_games, ("towers",), ("sbx",)),
    "PureJaxRL-style": Side(None, None, ("cnn", "towers"), ("jax", "flax", "optax", "gymnax")),
    "Ludus": Side(ludus_agent, ludus_games, (*ALL, "lstm")),
    PYTORCH: Side(uncompiled_ludus_agent, ludus_games, ALL),
    AUTO: Side(automatic_ludus_agent, ludus_games, ALL),
}


def make_agent(side: Side, settings: Any, device: str, threads: int) -> Any:
    """The side's agent, on games of its own, seeded."""
    assert side.agent is not None and side.games is not None
    return side.agent(settings, side.games(settings.num_envs, 0, device), device, threads)


def parameters_of(agent: Any) -> int:
    """How many numbers are learned; a target network learns nothing."""
    if hasattr(agent.policy, "actor_state"):  # SBX
        states = (agent.policy.actor_state.params, agent.policy.vf_state.params)
        return sum(leaf.size for leaf in import_module("jax").tree.leaves(states))
    network = getattr(agent, "q_net", agent.policy)
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


# Time to score: each side with the settings that are best for it

SB3_TUNED = Settings(num_envs=64, n_steps=32, n_epochs=4, batch_size=256, network="towers")
CANDIDATES: dict[str, dict[str, Any]] = {
    "Ludus, the recipe": {"who": "recipe"},
    "Ludus, the recipe in 115 s": {"who": "recipe", "time_limit": 115.0, "total_timesteps": 1_000_000_000},
    "SB3, 64 games": {"who": "sb3", "settings": SB3_TUNED, "total_timesteps": 8_000_000},
    "SB3, its defaults": {"who": "sb3", "settings": None, "total_timesteps": 8_000_000},
}
GPU_SHAPES = tuple(
    Settings(num_envs, 32, 2, batch_size) for num_envs in (4096, 8192, 16384) for batch_size in (16384, 32768)
)
GPU_CANDIDATES: dict[str, dict[str, Any]] = {
    "Ludus, 4096 games": {"who": "recipe", "changes": {"num_envs": 4096, "n_steps": 32, "batch_size": 16384}},
    "Ludus, 8192 games": {"who": "recipe", "changes": {"num_envs": 8192, "n_steps": 32, "batch_size": 16384}},
    "Ludus, 16384 games": {"who": "recipe", "changes": {"num_envs": 16384, "n_steps": 32, "batch_size": 32768}},
    "PureJaxRL-style, 4096 games": {"who": "jax", "settings": Settings(4096, 32, 4, 16384)},
    "SB3, 64 games": {"who": "sb3", "settings": SB3_TUNED, "total_timesteps": 8_000_000},
}
for _candidate in GPU_CANDIDATES.values():
    _candidate.setdefault("total_timesteps", 50_000_000)


def recipe_agent(
    seed: int, device: str, algo: str, total_timesteps: int | None, time_limit: float | None, changes: dict[str, Any]
) -> tuple[Any, int]:
    """What `ludus train Breakout --recipe --algo ...` trains, and for how many steps."""
    from ludus.cli import train

    config = train.from_recipe(GAME, algo, seed=seed, device=device, tensorboard=False, time_limit=time_limit)
    config.total_timesteps = total_timesteps or config.total_timesteps
    config.settings = replace(config.settings, **changes)
    return train.make_agent(config, train.make_env(config), Path()), config.total_timesteps


def tuned_sb3_agent(seed: int, device: str, settings: Settings | None) -> Any:
    """Stable-Baselines3's PPO on `minatar`: an MLP of 128 and 128, 1e-3 annealed to zero; None: eight games, its defaults."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.utils import LinearSchedule

    if settings is None:
        return PPO("MlpPolicy", minatar_games(8, seed, device), seed=seed, device=device)
    arguments = {**settings.of_sb3(), "learning_rate": LinearSchedule(LEARNING["learning_rate"], 0.0, 1.0)}
    games = minatar_games(settings.num_envs, seed, device)
    return PPO("MlpPolicy", games, policy_kwargs=TOWERS, seed=seed, device=device, **arguments)
