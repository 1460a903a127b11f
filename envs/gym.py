"""Games as Gymnasium environments, by the name that saved `EnvSpec`s and Gymnasium's registry know."""

from .adapters.gymnasium import GameEnv, GameVectorEnv, unlimited_env

__all__ = ["GameEnv", "GameVectorEnv", "unlimited_env"]
