"""Deep Q-learning as Stable-Baselines3 has it, and ours, learning Breakout with the same network and the same settings.

Protocol and games are those of `ppo_peers.py`; so are the networks "cnn" and "mlp", with six values on top of them. In
the comparison of speed both sides do the same arithmetic: targets from the target network's best value one step on, the
Huber loss, Adam, gradients clipped to norm 10, in single precision; a replay buffer of 100,000 transitions, sampled
uniformly.

    SB3 on minatar    Stable-Baselines3's DQN as its users would: a `gymnasium.Env` around `minatar`, Monitor, DummyVecEnv
    SB3 on Ludus      the same DQN on Ludus's `VecEnv`; what is left to gain is learning, not games
    Ludus             `ludus.DQN`
"""

from __future__ import annotations

from typing import Any, NamedTuple

from training.ppo_peers import SharedCnn, SharedMlp, Side, ludus_games, minatar_games

LEARNING: dict[str, Any] = {
    "learning_rate": 2.5e-4, "buffer_size": 100_000, "gamma": 0.99, "target_update_interval": 1000,
    "max_grad_norm": 10.0,
}  # fmt: skip
LATE: dict[str, Any] = {  # as it is for most of a training: it learns, and few actions are random
    "learning_starts": 1000, "exploration_initial_eps": 0.05, "exploration_final_eps": 0.05,
}  # fmt: skip


class QSettings(NamedTuple):
    """How much is played between two updates, and from how much is learned."""

    num_envs: int
    train_freq: int  # steps in each game
    gradient_steps: int  # minibatches after so many steps
    batch_size: int
    network: str = "cnn"

    algo = "dqn"

    def __str__(self) -> str:
        games, updates = counted(self.num_envs, "game"), counted(self.gradient_steps, "update")
        return f"{games}, {updates} of {self.batch_size} every {self.steps} steps"

    @property
    def steps(self) -> int:
        """In all games, from one round of updates to the next."""
        return self.num_envs * self.train_freq

    @property
    def warm_up(self) -> int:
        """Iterations not counted: twice as many steps as are played before learning."""
        return -(-2 * LATE["learning_starts"] // self.steps)

    def of_sb3(self) -> dict[str, Any]:
        """As arguments of Stable-Baselines3's DQN."""
        own = {name: getattr(self, name) for name in ("train_freq", "gradient_steps", "batch_size")}
        return {**own, **LEARNING}


def counted(number: int, what: str) -> str:
    """1 game, 8 games."""
    return f"{number} {what}" + "s" * (number != 1)


def sb3_dqn(
    settings: QSettings, games: Any, device: str, threads: int, seed: int = 0, phase: dict[str, Any] = LATE
) -> Any:
    """Stable-Baselines3's DQN."""
    from stable_baselines3 import DQN

    network = {"features_extractor_class": NETWORKS[settings.network], "net_arch": []}
    arguments = {**settings.of_sb3(), **phase}
    return DQN("MlpPolicy", games, policy_kwargs=network, seed=seed, device=device, **arguments)


def ludus_dqn(settings: QSettings, games: Any, device: str, threads: int) -> Any:
    """Ours."""
    import ludus

    arguments = {**settings.of_sb3(), **LATE}
    return ludus.DQN(settings.network, games, seed=0, device=device, num_threads=threads, huber=True, **arguments)


NETWORKS = {"mlp": SharedMlp, "cnn": SharedCnn}
Q_SIDES = {
    "SB3 on minatar": Side(sb3_dqn, minatar_games, tuple(NETWORKS), ("minatar",)),
    "SB3 on Ludus": Side(sb3_dqn, ludus_games, tuple(NETWORKS)),
    "Ludus": Side(ludus_dqn, ludus_games, tuple(NETWORKS)),
}

# Each learns from eight transitions for every step played: Stable-Baselines3's own setting, the same with eight games, and
# many games with minibatches as much larger.
Q_SHAPES = (QSettings(1, 4, 1, 32), QSettings(8, 4, 8, 32), QSettings(128, 1, 1, 1024))
GPU_Q_SHAPES = (QSettings(1024, 1, 1, 8192), QSettings(4096, 1, 1, 32768))

# Time to score: ours as `ludus train Breakout --recipe --algo ...` has it; Stable-Baselines3's with eight games, and late in
# training one action in a hundred at random, in place of Young & Tian's one in ten, since training episodes are what counts

TUNED: dict[str, Any] = {
    "learning_starts": 5000, "exploration_fraction": 0.1, "exploration_initial_eps": 1.0, "exploration_final_eps": 0.01,
}  # fmt: skip
MLP: dict[str, Any] = {"policy": "mlp", "net_arch": None}
Q_CANDIDATES: dict[str, dict[str, Any]] = {
    "Ludus DQN, its defaults": {"who": "recipe", "algo": "dqn"},
    "Ludus DQN, MLP": {"who": "recipe", "algo": "dqn", "changes": {**MLP, "replay_ratio": 4.0}},
    "Ludus PQN, its defaults": {"who": "recipe", "algo": "pqn"},
    "Ludus PQN, CNN": {"who": "recipe", "algo": "pqn", "changes": {"policy": "cnn", "net_arch": (128,)}},
    "SB3 DQN, CNN, batch 32 every step": {"settings": QSettings(8, 1, 8, 32)},  # as Young & Tian
    "SB3 DQN, CNN, batch 32 every 4 steps": {"settings": QSettings(8, 4, 8, 32)},  # as RL Zoo has it for Atari
    "SB3 DQN, MLP, batch 128 every 4 steps": {
        "settings": QSettings(8, 4, 8, 128, "mlp"), "changes": {"learning_rate": 1e-3}
    },
}  # fmt: skip
for _candidate in Q_CANDIDATES.values():
    _candidate["total_timesteps"] = 1_000_000  # over a tenth of which exploration falls
    if "settings" in _candidate:
        _candidate |= {"who": "sb3", "algo": "dqn"}


def tuned_sb3_dqn(seed: int, device: str, settings: QSettings, **changes: Any) -> Any:
    """Stable-Baselines3's DQN on `minatar`, for a whole training."""
    games = minatar_games(settings.num_envs, seed, device)
    return sb3_dqn(settings, games, device, 0, seed, {**TUNED, **changes})
