"""What `ludus train` can be told of each algorithm, in Stable-Baselines3's terms; every field is a flag."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class PPOSettings:
    """PPO. The defaults suit many small games at once on a CPU."""

    num_envs: int = 512
    """Games played side by side."""
    n_steps: int = 16
    """Steps in each game between two updates."""
    batch_size: int = 1024
    """Transitions in a minibatch."""
    n_epochs: int = 4
    """Passes over the rollout in an update."""
    learning_rate: float = 2.5e-3
    """Adam's step size at the start."""
    anneal: bool = True
    """Bring the learning rate to zero linearly until the end of training."""
    gamma: float = 0.99
    """Discount of the reward one step later."""
    gae_lambda: float = 0.95
    """Bias against variance of the advantages, 0 to 1 (GAE)."""
    clip_range: float = 0.2
    """How far an update may move an action's probability, as a ratio."""
    clip_range_vf: float | None = None
    """How far an update may move a value, in units of reward; None: any distance."""
    ent_coef: float = 0.01
    """Weight of the entropy bonus."""
    vf_coef: float = 0.5
    """Weight of the value loss."""
    max_grad_norm: float = 0.5
    """The gradient is cut to this norm."""
    normalize_advantage: bool = True
    """Normalise the advantages of each minibatch."""
    target_kl: float | None = None
    """Stop an update when the policy moved further than 1.5 times this, in nats; None: never."""
    precision: str = "auto"
    """Of the encoder's arithmetic: fp32, bf16, or auto (bf16 on a GPU that has it)."""
    policy: str = "auto"
    """Network: mlp (128, 128), cnn (MinAtar's), nature, impala, or Stable-Baselines3's MlpPolicy, CnnPolicy; auto: nature
    for pictures, else mlp."""
    memory: str | None = None
    """Recurrent core between encoder and actor: lstm or mingru; None: no memory."""
    optimizer: str = "adam"
    """adam, or muon for the hidden matrices."""
    normalize_obs: bool = False
    """Bring observations of numbers to mean 0 and variance 1 by running statistics."""
    normalize_reward: bool = False
    """Divide rewards by the running standard deviation of returns."""
    num_threads: int | None = None
    """CPU threads that share the games and each minibatch; None: one a core."""


@dataclass
class DQNSettings:
    """DQN. The defaults are what did best on MinAtar's games (see benchmarks/RESULTS.md)."""

    num_envs: int = 64
    """Games played side by side."""
    buffer_size: int = 100_000
    """Transitions that are remembered, over all games."""
    learning_starts: int = 5_000
    """Steps played at random before learning, over all games."""
    batch_size: int = 256
    """Transitions in a minibatch."""
    replay_ratio: float = 2.0
    """Transitions learned from for each step played."""
    train_freq: int = 1
    """Steps in each game between two looks at whether to learn."""
    n_steps: int = 3
    """Steps of reward in a target."""
    learning_rate: float = 2e-3
    """Adam's step size at the start."""
    anneal: bool = True
    """Bring the learning rate to zero linearly until the end of training."""
    gamma: float = 0.99
    """Discount of the reward one step later."""
    target_update_interval: int = 1_000
    """Steps, over all games, between two copies of the network to the target network."""
    tau: float = 1.0
    """How much of it is copied, 0 to 1."""
    exploration_initial_eps: float = 1.0
    """Chance of a random action at the start."""
    exploration_final_eps: float = 0.02
    """Chance of a random action in the end."""
    exploration_fraction: float = 0.1
    """Part of training over which it falls."""
    exploration_spread: float = 0.0
    """Games explore less the later they come: the last have epsilon to the power 1 + this; 0: all alike."""
    max_grad_norm: float = 10.0
    """The gradient is cut to this norm."""
    double: bool = True
    """The online network chooses the next action, the target network values it."""
    dueling: bool = False
    """Values of observations and advantages of actions."""
    noisy: bool = False
    """Learned noise explores in place of random actions."""
    distribution: str | None = None
    """The return's distribution: c51, qr or iqn; None: its mean alone."""
    atoms: int | None = None
    """Numbers an action has in a distribution; None: 51 for c51, 32 else."""
    v_min: float = -10.0
    """Lowest return, for c51."""
    v_max: float = 10.0
    """Highest return, for c51."""
    munchausen: bool = False
    """Add the scaled log-probability of what was done to the reward."""
    prioritized: bool = False
    """Draw what surprised more often."""
    priority_exponent: float = 0.6
    """How much more often, 0 to 1."""
    importance_exponent: float = 0.4
    """How far that is made up for at the start, 0 to 1; in the end, fully."""
    save_replay: bool = True
    """Keep the memory in checkpoints: --resume goes on exactly, and checkpoints are larger by it."""
    huber: bool = False
    """Errors count by their size beyond 1; else by half their square."""
    layer_norm: bool = False
    """Normalise what goes into each ReLU."""
    policy: str = "auto"
    """Network: mlp (128, 128), cnn (MinAtar's), nature, impala, or Stable-Baselines3's MlpPolicy, CnnPolicy; auto: cnn for
    planes, nature for pictures, else mlp."""
    net_arch: tuple[int, ...] | None = (128,)
    """Widths of hidden layers between the encoder and the values; None: the network's own."""
    num_threads: int | None = None
    """CPU threads that share each minibatch; None: one a core."""


@dataclass
class PQNSettings:
    """PQN: Q(lambda) over many games at once, without a replay memory or a target network. The defaults suit planes."""

    num_envs: int = 128
    """Games played side by side."""
    n_steps: int = 32
    """Steps in each game between two updates."""
    batch_size: int = 256
    """Transitions in a minibatch."""
    n_epochs: int = 2
    """Passes over the rollout in an update."""
    learning_rate: float = 2e-3
    """Adam's step size at the start."""
    anneal: bool = True
    """Bring the learning rate to zero linearly until the end of training."""
    gamma: float = 0.99
    """Discount of the reward one step later."""
    q_lambda: float = 0.65
    """How far targets look ahead: 0 one step, 1 to the end."""
    exploration_initial_eps: float = 1.0
    """Chance of a random action at the start."""
    exploration_final_eps: float = 0.05
    """Chance of a random action in the end."""
    exploration_fraction: float = 0.1
    """Part of training over which it falls."""
    exploration_spread: float = 0.0
    """Games explore less the later they come: the last have epsilon to the power 1 + this; 0: all alike."""
    max_grad_norm: float = 10.0
    """The gradient is cut to this norm."""
    dueling: bool = False
    """Values of observations and advantages of actions."""
    layer_norm: bool = True
    """Normalise what goes into each ReLU."""
    policy: str = "auto"
    """Network: mlp (128, 128), cnn (MinAtar's), nature, impala, or Stable-Baselines3's MlpPolicy, CnnPolicy; auto: nature
    for pictures, else mlp."""
    net_arch: tuple[int, ...] | None = None
    """Widths of hidden layers between the encoder and the values; None: the network's own."""
    num_threads: int | None = None
    """CPU threads that share each minibatch; None: one a core."""


ON_PLANES = {"ppo": "mlp", "dqn": "cnn", "pqn": "mlp"}  # what "auto" means there, as benchmarks/RESULTS.md has it
SETTINGS = {"ppo": PPOSettings, "dqn": DQNSettings, "pqn": PQNSettings}
GYMNASIUM = {  # for environments of one kind that Stable-Baselines3 steps one by one, mostly of numbers
    "ppo": PPOSettings(
        num_envs=8, n_steps=64, batch_size=128, n_epochs=10, learning_rate=1e-3, ent_coef=0.0, gamma=0.98, policy="MlpPolicy"
    ),
    "dqn": DQNSettings(
        num_envs=8, buffer_size=50_000, learning_starts=1_000, batch_size=128, replay_ratio=32.0, n_steps=1,
        target_update_interval=100, exploration_final_eps=0.05, policy="MlpPolicy", net_arch=(256, 256),
    ),
    "pqn": PQNSettings(
        num_envs=16, n_steps=32, batch_size=64, n_epochs=4, learning_rate=1e-3, policy="mlp"
    ),
}  # fmt: skip
PRESETS = {
    "dqn": {  # as published (Mnih et al. 2015), but for Adam and the numbers of games
        "n_steps": 1, "double": False, "huber": True, "anneal": False,
    },
    "rainbow": {  # Hessel et al. 2018
        "n_steps": 3, "double": True, "dueling": True, "noisy": True, "distribution": "c51", "prioritized": True,
        "priority_exponent": 0.5, "anneal": False,
    },
}  # fmt: skip
