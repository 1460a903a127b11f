"""DQN on Catch with settings that learn within seconds."""

import torch

import ludus
from ludus.agents.q_learning.dqn import DQN

QUICK = {
    "learning_rate": 2e-3, "buffer_size": 20_000, "learning_starts": 500, "batch_size": 64, "train_freq": 1,
    "replay_ratio": 4.0, "target_update_interval": 500, "exploration_fraction": 0.3, "num_threads": 1,
}  # fmt: skip
SWITCHES = {
    "double": {"double": True},
    "dueling": {"dueling": True},
    "n steps": {"n_steps": 3},
    "prioritized": {"prioritized": True},
    "noisy": {"noisy": True},
    "c51": {"distribution": "c51", "v_min": -1.0, "v_max": 1.0, "atoms": 11},
    "qr": {"distribution": "qr", "atoms": 8},
    "iqn": {"distribution": "iqn", "atoms": 4},
    "munchausen": {"munchausen": True},
    "layer norm": {"layer_norm": True},
    "rainbow": {
        "double": True, "dueling": True, "n_steps": 3, "prioritized": True, "noisy": True, "distribution": "c51",
        "v_min": -1.0, "v_max": 1.0, "atoms": 11,
    },
}  # fmt: skip


def catch_agent(num_envs=16, seed=0, policy="mlp", options=None, **settings):
    env = ludus.make_sb3("Catch", num_envs, seed=seed, **(options or {}))
    return DQN(policy, env, seed=seed, **{**QUICK, **settings})


def weights_of(agent):
    return torch.cat([weight.detach().flatten() for weight in agent.policy.parameters()])
