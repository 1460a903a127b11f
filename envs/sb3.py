"""Games as Stable-Baselines3's `VecEnv`, by the short name."""

from .adapters.sb3 import LudusVecEnv, SelfPlayVecEnv, vec_env

__all__ = ["LudusVecEnv", "SelfPlayVecEnv", "vec_env"]
