"""Agents of Catch on disk, for tests of checkpoints."""

import ludus
from ludus.agents.ppo.ppo import PPO


def catch_agent(num_envs=8, policy="mlp", options=None, **settings):
    env = ludus.make_sb3("Catch", num_envs, seed=0, **(options or {}))
    return PPO(policy, env, **{"n_steps": 16, "batch_size": 64, "seed": 0, "num_threads": 1, **settings})
