"""Environments as Gymnasium, Stable-Baselines3 and PettingZoo know them."""
